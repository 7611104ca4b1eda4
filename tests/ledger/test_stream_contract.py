"""What every home promises about the log."""

from __future__ import annotations

import pytest

from meltwatch.ledger.errors import MalformedEntry, Truncated
from meltwatch.ledger.port import Appended, Conflict, Gap, Known
from meltwatch.ledger.span import span_of
from tests.ledger.telling import PLANT, Place, entry, everything, names, run


def test_an_empty_log_says_so(place: Place) -> None:
    stream = place.home.stream
    assert stream.read(PLANT, 0, 10) == []
    assert (stream.end(PLANT), stream.last_seq("g/1"), stream.sources()) == (0, 0, {})
    assert stream.newest_epoch("g") is None
    assert stream.conflicts(0, 10) == []
    assert stream.append(PLANT, []) == []


def test_what_is_appended_is_read_as_it_was(place: Place) -> None:
    stream = place.home.stream
    told = entry("g/1", 1, bytes(range(256)) * 100, at=1_700_000_000_000)
    assert stream.append(PLANT, [told]) == [Appended(1)]
    (stored,) = stream.read(PLANT, 0, 10)
    assert stored.pos == 1
    for field in told.__struct_fields__:
        assert getattr(stored, field) == getattr(told, field)


def test_positions_ascend_over_partitions_and_survive_reopening(place: Place) -> None:
    place.home.stream.append("a", run("g/1", 1, 2))
    place.home.stream.append("b", run("h/1", 1, 1))
    stream = place.reopen().stream
    assert stream.append("a", [entry("g/1", 3)]) == [Appended(4)]
    assert [stored.pos for stored in everything(stream, "a")] == [1, 2, 4]
    assert [stored.pos for stored in everything(stream, "b")] == [3]
    assert (stream.end("a"), stream.end("b")) == (4, 3)


def test_read_stops_at_its_limit_and_goes_on_behind_a_position(place: Place) -> None:
    stream = place.home.stream
    stream.append(PLANT, run("g/1", 1, 5))
    assert names(stream.read(PLANT, 1, 2)) == [("g/1", 2), ("g/1", 3)]
    assert stream.read(PLANT, 5, 2) == []
    assert stream.read(PLANT, 0, 0) == []


def test_a_repeat_is_known_at_its_old_place(place: Place) -> None:
    place.home.stream.append(PLANT, run("g/1", 1, 2))
    stream = place.reopen().stream
    assert stream.append(PLANT, run("g/1", 1, 3)) == [Known(1), Known(2), Appended(3)]
    assert names(everything(stream)) == [("g/1", 1), ("g/1", 2), ("g/1", 3)]


def test_a_repeat_inside_one_call_is_known(place: Place) -> None:
    told = entry("g/1", 1)
    assert place.home.stream.append(PLANT, [told, told]) == [Appended(1), Known(1)]


def test_a_repeat_through_another_partition_stays_where_it_is(place: Place) -> None:
    stream = place.home.stream
    stream.append("a", run("web", 1, 1))
    assert stream.append("b", run("web", 1, 2)) == [Known(1), Appended(2)]
    assert names(everything(stream, "b")) == [("web", 2)]


def test_a_conflict_keeps_both_and_blocks_nothing(place: Place) -> None:
    stream = place.home.stream
    stream.append(PLANT, run("g/1", 1, 1))
    other = entry("g/1", 1, b"something else", at=7)
    outcomes = stream.append(PLANT, [other, entry("g/1", 2)])
    assert outcomes == [Conflict(1, entry("g/1", 1).digest), Appended(2)]
    assert stream.append(PLANT, [other])[0] == outcomes[0]
    (kept,) = place.reopen().stream.conflicts(0, 10)
    assert (kept.partition, kept.held_pos, kept.data) == (PLANT, 1, b"something else")
    assert (kept.source, kept.seq, kept.received_at) == ("g/1", 1, 7)
    assert place.home.stream.conflicts(kept.id, 10) == []


def test_a_conflict_inside_one_call(place: Place) -> None:
    first, second = entry("g/1", 1), entry("g/1", 1, b"other")
    outcomes = place.home.stream.append(PLANT, [first, second])
    assert outcomes == [Appended(1), Conflict(1, first.digest)]
    assert [kept.data for kept in place.home.stream.conflicts(0, 10)] == [b"other"]


def test_a_gap_stores_nothing_of_its_source_and_disturbs_no_other(place: Place) -> None:
    stream = place.home.stream
    stream.append(PLANT, run("g/1", 1, 2))
    call = [entry("g/1", 3), entry("h/1", 1), entry("g/1", 5), entry("g/1", 2)]
    assert stream.append(PLANT, call) == [Gap(3), Appended(3), Gap(3), Known(2)]
    assert (stream.last_seq("g/1"), stream.last_seq("h/1")) == (2, 1)
    assert stream.append(PLANT, run("g/1", 3, 5)) == [Appended(4), Appended(5), Appended(6)]


def test_a_source_begins_at_one(place: Place) -> None:
    assert place.home.stream.append(PLANT, [entry("g/1", 2)]) == [Gap(1)]
    assert place.home.stream.sources() == {}


@pytest.mark.parametrize(("source", "seq"), [("", 1), ("g/1", 0), ("g/1", -1)])
def test_a_malformed_entry_is_a_bug_and_stores_nothing(place: Place, source: str, seq: int) -> None:
    with pytest.raises(MalformedEntry):
        place.home.stream.append(PLANT, [entry("h/1", 1), entry(source, seq)])
    assert place.home.stream.append(PLANT, [entry("h/1", 1)]) == [Appended(1)]


def test_the_newest_epoch_is_the_greatest_by_frame_or_hello(place: Place) -> None:
    stream = place.home.stream
    assert stream.open_epoch("g", "b") == "b"
    assert stream.open_epoch("g", "a") == "b"
    stream.append(PLANT, [entry("g/c", 1), entry("core", 1)])
    assert stream.open_epoch("h", "z") == "z"
    stream = place.reopen().stream
    assert (stream.newest_epoch("g"), stream.newest_epoch("h")) == ("c", "z")
    stream.append(PLANT, [entry("g/a", 1)])
    assert stream.newest_epoch("g") == "c"
    assert stream.newest_epoch("core") is None


def test_retention_removes_what_nobody_needs_and_forgets_no_number(place: Place) -> None:
    stream = place.home.stream
    for second in range(1, 6):
        stream.append(PLANT, [entry("g/1", second, at=second * 1_000)])
    assert stream.retain({PLANT: 2}) == 2
    assert names(everything(stream, after=2)) == [("g/1", 3), ("g/1", 4), ("g/1", 5)]
    with pytest.raises(Truncated) as refused:
        stream.read(PLANT, 1, 10)
    assert refused.value.first == 3
    stream = place.reopen().stream
    assert stream.append(PLANT, run("g/1", 2, 3)) == [Known(None), Known(3)]
    assert stream.append(PLANT, [entry("g/1", 2, b"cannot be compared")]) == [Known(None)]
    assert (stream.last_seq("g/1"), stream.end(PLANT)) == (5, 5)


def test_retention_waits_for_every_reader_and_for_the_age(place: Place) -> None:
    stream = place.home.stream
    for second in range(1, 5):
        partition = "a" if second % 2 else "b"
        stream.append(partition, [entry("core", second, at=second * 1_000)])
    assert stream.retain({"a": 4}) == 1
    assert stream.retain({"a": 4, "b": 4}, received_before=2_000) == 0
    assert stream.retain({"a": 4, "b": 4}, received_before=3_000) == 1
    assert names(everything(stream, "a", after=1)) == [("core", 3)]
    assert names(everything(stream, "b", after=2)) == [("core", 4)]


def test_a_partition_that_lost_nothing_is_read_from_its_beginning(place: Place) -> None:
    stream = place.home.stream
    stream.append("old", [entry("core", 1, at=1_000)])
    stream.append("old", [entry("core", 2, at=2_000)])
    stream.append("new", [entry("core", 3, at=3_000)])
    assert stream.retain({"old": 2, "new": 0}) == 2
    assert names(everything(stream, "new")) == [("core", 3)]


def test_everything_may_go_but_the_log_goes_on(place: Place) -> None:
    place.home.stream.append(PLANT, [entry("g/1", 1, at=1_000)])
    place.home.stream.append(PLANT, [entry("g/1", 2, at=2_000)])
    place.home.stream.retain({PLANT: 2})
    stream = place.reopen().stream
    assert stream.append(PLANT, [entry("g/1", 3, at=3_000)]) == [Appended(3)]
    assert names(everything(stream, after=2)) == [("g/1", 3)]


def test_retention_by_size_takes_no_more_than_it_must(place: Place) -> None:
    stream = place.home.stream
    for second in range(1, 6):
        stream.append(PLANT, [entry("g/1", second, b"x" * 1_000, at=second * 1_000)])
    size = stream.size_bytes()
    assert stream.retain({PLANT: 5}, most_bytes=size) == 0
    assert stream.retain({PLANT: 5}, most_bytes=size - 1) == 1
    assert stream.retain({PLANT: 5}, received_before=0, most_bytes=size) == 0
    assert stream.retain({PLANT: 5}, received_before=4_000, most_bytes=size) == 2
    assert stream.retain({PLANT: 3}, most_bytes=0) == 0, "a reader needs the oldest of them"
    assert stream.held_back({PLANT: 3}) == {PLANT: 4}
    assert stream.held_back({PLANT: 4}) == {}
    assert stream.retain({PLANT: 5}, most_bytes=0) == 1, "the newest stays"


def test_a_sound_log_tells_no_damage(place: Place) -> None:
    place.home.stream.append(PLANT, run("g/1", 1, 3))
    assert len(everything(place.home.stream)) == 3
    assert place.home.stream.damage() == []


def test_a_span_tells_count_and_hash_of_a_range(place: Place) -> None:
    stream = place.home.stream
    for second in range(1, 7):
        stream.append(PLANT, [entry("g/1", second, at=second * 1_000)])
    stream.append("other", [entry("g/1", 7), entry("h/1", 1)])
    whole = [(seq, entry("g/1", seq).digest) for seq in range(1, 8)]
    assert stream.span("g/1", 1, 7) == span_of("g/1", (1, 7), whole, 1, 7)
    assert stream.span("g/1", 3, 99) == span_of("g/1", (3, 99), whole[2:], 1, 7)
    assert stream.span("nobody", 1, 9) == span_of("nobody", (1, 9), [], 1, 0)
    stream.retain({PLANT: 2, "other": 0})
    told = place.reopen().stream.span("g/1", 1, 7)
    assert told == span_of("g/1", (1, 7), whole[2:], 3, 7)
