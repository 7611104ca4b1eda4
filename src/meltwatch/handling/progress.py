"""The steps of a case as a table: all transitions live here.

核实 (verify) -> 处置 (handle) -> 消警 (close), the notice's own order. A pair that the table does
not have is refused and changes nothing.
"""

from __future__ import annotations

from enum import Enum

from meltwatch.errors import CommandRefused, Problem


class Progress(Enum):
    """How far people are with a case. `VOID`: all that it stood for was withdrawn."""

    OPEN = "open"
    VERIFIED = "verified"
    HANDLED = "handled"
    CLOSED = "closed"
    VOID = "void"


class Move(Enum):
    """What can happen to a case. `REOPEN`: an occurrence of a case that was closed is active."""

    VERIFY = "verify"
    HANDLE = "handle"
    CLOSE = "close"
    REOPEN = "reopen"
    VOID = "void"


_P, _M = Progress, Move

TABLE: dict[tuple[Progress, Move], Progress] = {
    (_P.OPEN, _M.VERIFY): _P.VERIFIED,
    (_P.OPEN, _M.VOID): _P.VOID,
    (_P.VERIFIED, _M.HANDLE): _P.HANDLED,
    (_P.VERIFIED, _M.VOID): _P.VOID,
    (_P.HANDLED, _M.HANDLE): _P.HANDLED,
    (_P.HANDLED, _M.CLOSE): _P.CLOSED,
    (_P.HANDLED, _M.VOID): _P.VOID,
    (_P.CLOSED, _M.REOPEN): _P.OPEN,
    (_P.VOID, _M.REOPEN): _P.OPEN,
}


def after(progress: Progress, move: Move) -> Progress:
    """Return the next progress.

    Raises CommandRefused when the table has no such transition.
    """
    try:
        return TABLE[progress, move]
    except KeyError:
        told: dict[str, str | int | float] = {"from": progress.value, "move": move.value}
        raise CommandRefused([Problem("case", "no_such_transition", told)]) from None
