"""A small form of `bench peers`: our side is verified, theirs is told as it came."""

from __future__ import annotations

from pathlib import Path

from tests.bench.test_bench import run


def test_peers_run_where_their_programs_are_to_be_had(tmp_path: Path) -> None:
    """Without Debian's archive they cannot be fetched: then that is said, and ours still counts."""
    code, told, said = run(tmp_path, "peers", "--points", "400", "--seconds", "1", "--json")
    assert told["verified"], said
    assert code == 0
    assert told["figures"]["meltwatch_400_missed"] == 0
    for name in ("prometheus", "victoria"):
        assert f"{name}_400_missed" in told["figures"] or f"{name}_400_failed" in told["load"]
