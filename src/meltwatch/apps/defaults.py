"""The project's own defaults, as they come with the package: versioned data, never official."""

from __future__ import annotations

from importlib.resources import files

import msgspec
import yaml

from meltwatch.model.risk_model import RiskModel


def default_risk_model() -> RiskModel:
    """Return the project's own risk model."""
    file = files("meltwatch.risk") / "models" / "project-default.1.yaml"
    return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), RiskModel)
