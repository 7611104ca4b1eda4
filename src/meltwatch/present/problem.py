"""A refusal as problem+json (RFC 9457), in Chinese and English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from meltwatch.errors import Problem
from meltwatch.present.words import words_of

MEDIA_TYPE = b"application/problem+json"


def problem_json(status: int, problems: Sequence[Problem], **also: Any) -> bytes:
    """Return the document: the first problem is its title, all of them are listed.

    `also`: further members for programs (`expected`, `after_ms`).
    """
    first = problems[0]
    chinese, english = words_of(first)
    told = {
        "type": f"urn:meltwatch:problem:{first.key}",
        "status": status,
        "title": english,
        "title_zh": chinese,
        "problems": [_listed(one) for one in problems],
        **also,
    }
    return msgspec.json.encode(told)


def _listed(one: Problem) -> dict[str, Any]:
    chinese, english = words_of(one)
    return {"place": one.place, "key": one.key, "params": one.params, "zh": chinese, "en": english}
