"""A file that a person gives, read strictly: a key told twice is refused, not overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from meltwatch.errors import Problem, Refused

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader over libyaml where there is one: a plant's file may have 100 thousand lines."""


class _Strict(_Loader):  # type: ignore[valid-type, misc]  # chosen when the program starts
    """The safe loader, but for keys that come twice: the last of two limits must not win unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping; raises YAMLError for a key that comes twice."""
        told: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in told:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} comes twice", key_node.start_mark
                )
            told.add(key)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read_given(path: Path, shape: Any, refused: type[Refused]) -> Any:
    """Return the file's content in its shape.

    Raises the refusal that is asked for: unreadable, no YAML, a key twice, not of that shape.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Strict)  # noqa: S506  # is safe
        return msgspec.convert(raw, shape)
    except (OSError, UnicodeDecodeError) as error:
        raise refused([Problem(str(path), "unreadable", {"why": str(error)})]) from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise refused([Problem(str(path), "malformed", {"why": str(error)})]) from error
