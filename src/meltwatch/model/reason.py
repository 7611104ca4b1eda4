"""A reason as data: a key and parameters, so that stored evidence can be told anew.

The pure middle never makes sentences; text in Chinese and English is made at the edge.
"""

from __future__ import annotations

import msgspec

Params = dict[str, str | int | float]


class Reason(msgspec.Struct, frozen=True):
    """Why something is so. Instants in `params` are ms UTC, values in their point's unit."""

    key: str
    params: Params = {}
