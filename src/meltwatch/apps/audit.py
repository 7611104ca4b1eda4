"""`meltwatch audit verify`: read a node's chains beside the running processes and tell the verdict.

The register's chain is read before the ledger's, and the ledger's head before both: so every
anchor that is looked at points to something that had been written when it was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from meltwatch.apps.account import REGISTER
from meltwatch.apps.seal import LEDGER
from meltwatch.audit.chain import HASH_BYTES, Head, Row
from meltwatch.audit.verify import Verdict
from meltwatch.audit.verify import verify as verdict_on
from meltwatch.errors import Problem, Refused
from meltwatch.ledger.errors import LedgerError
from meltwatch.ledger.port import CHAIN, AuditTrail
from meltwatch.ledger.reading import AuditReader
from meltwatch.present.words import words_of
from meltwatch.register.audit import CHAIN as REGISTER_CHAIN
from meltwatch.register.audit import read_audit
from meltwatch.register.errors import RegisterUnavailable

READ_AT_ONCE = 500


def run_verify(data: Path, known: Sequence[str] = ()) -> int:
    """Print each chain and each finding; return 0 when there is none, else 1. Raises Refused."""
    verdict = verify(data, [head_of(told) for told in known])
    for chain in verdict.chains:
        print(f"{line_of(chain.head)}  {chain.rows} 行 rows")
    for problem in verdict.problems:
        chinese, english = words_of(problem)
        print(f"{problem.place}: {chinese} / {english}")
    print(f"{len(verdict.problems)} 处问题 problems" if verdict.problems else "完好 sound")
    return 1 if verdict.problems else 0


def verify(data: Path, known: Sequence[Head] = ()) -> Verdict:
    """Return the verdict on the chains in a data directory; raises Refused without a ledger."""
    if not (data / LEDGER / "state.sqlite").is_file():
        raise Refused([Problem(str(data / LEDGER), "audit.no_ledger")])
    try:
        with closing(AuditReader(data / LEDGER)) as trail:
            until = {CHAIN: trail.audit_head().number}
            chains = {**_register(data / REGISTER), CHAIN: rows_of(trail)}
            return verdict_on(chains, until=until, known=known)
    except (LedgerError, RegisterUnavailable) as error:
        told = Problem(str(data), "audit.unreadable", {"reason": str(error)})
        return Verdict((), (told,))


def rows_of(trail: AuditTrail) -> Iterator[Row]:
    """Yield a chain from its first row."""
    after = 0
    while rows := trail.audit(after, READ_AT_ONCE):
        yield from rows
        after = rows[-1].number


def line_of(head: Head) -> str:
    """Return a head as it is printed and written on paper."""
    return f"{head.chain}/{head.number}/{head.hash.hex()}"


def head_of(told: str) -> Head:
    """Return the head that was printed as `told`; raises Refused."""
    try:
        chain, number, digits = told.strip().split("/")
        head = Head(chain, int(number), bytes.fromhex(digits))
    except ValueError:
        head = Head("")
    if not head.chain or head.number < 0 or len(head.hash) != HASH_BYTES:
        raise Refused([Problem("--head", "audit.head_malformed", {"told": told})])
    return head


def _register(path: Path) -> dict[str, Iterable[Row]]:
    """Return the register's chain, if there is a register."""
    if not path.is_file():
        return {}
    return {REGISTER_CHAIN: read_audit(path)}
