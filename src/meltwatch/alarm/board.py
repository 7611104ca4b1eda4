"""What is published of occurrences, kept equal to what evaluation has decided.

New decisions add to it; a run again replaces what was published since its anchor: what overlaps
is the same occurrence, amended; what should not be is withdrawn; what was missed is raised late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence, Told
from meltwatch.alarm.standing import Happens, Standing, after
from meltwatch.errors import Bug, CommandRefused, Problem
from meltwatch.evaluate.node import LATE, NOT_APPLICABLE, UNCONFIRMED, Transition
from meltwatch.model.condition import Level
from meltwatch.model.ids import ConditionId, EnterpriseId, OccurrenceId, occurrence_id
from meltwatch.model.reason import Reason

At = Callable[[ConditionId, int], bool]
"""A question about an instant of a condition: is it late, is it proven."""


class Episode(msgspec.Struct):
    """A raise and its return as they were decided.

    `flags` None: the raise's flags as already published, and `also` those of the return.
    """

    condition: ConditionId
    raised: int
    returned: int | None = None
    flags: tuple[str, ...] | None = ()
    also: tuple[str, ...] = ()
    reason: Reason | None = None


class Board(msgspec.Struct):
    """The occurrences that may still change or be answered, by id."""

    enterprise: EnterpriseId
    occurrences: dict[OccurrenceId, Occurrence] = {}
    raised_now: dict[ConditionId, OccurrenceId] = {}

    # what evaluation decided

    def publish(
        self,
        transitions: Iterable[Transition],
        levels: Mapping[ConditionId, Level],
        told_at: int,
        *,
        proven: At,
    ) -> list[AlarmEvent]:
        """Publish raises and returns that only add to what is there."""
        events: list[AlarmEvent] = []
        for one in transitions:
            active = self.active(one.condition)
            if one.rises:
                episode = _episode(one)
                if active is None:
                    events.append(self._raise(episode, levels[one.condition], told_at))
                elif active.graced:
                    events += self._bring(active, episode, told_at, proven)
                # else: complete samples from inside an open hole have raised it already
            elif active is not None:
                episode = Episode(one.condition, active.raised, one.at, None, one.flags)
                events += self._bring(active, episode, told_at, proven)
            else:
                raise Bug(f"{one.condition} returns at {one.at} but was never raised")
        return events

    def publish_under_grace(
        self, raises: Iterable[Transition], levels: Mapping[ConditionId, Level], told_at: int
    ) -> list[AlarmEvent]:
        """Publish raises that coverage has not reached; one that is already there stays."""
        events: list[AlarmEvent] = []
        for one in raises:
            if self.active(one.condition) is None:
                flags = tuple(sorted({*one.flags, UNCONFIRMED}))
                episode = Episode(one.condition, one.at, None, flags, (), one.reason)
                event = self._raise(episode, levels[one.condition], told_at, graced=True)
                events.append(event)
        return events

    def fill(
        self,
        transitions: Iterable[Transition],
        levels: Mapping[ConditionId, Level],
        told_at: int,
        *,
        late: At,
        proven: At,
    ) -> list[AlarmEvent]:
        """Publish what complete samples have decided inside a hole that is still open.

        What is raised already is the same occurrence, from the right instant on. Nothing is
        withdrawn before the hole is closed.
        """
        events: list[AlarmEvent] = []
        episodes: dict[ConditionId, Episode] = {}
        told: list[Episode] = []
        for one in transitions:
            if one.rises:
                episode = _episode(one)
                if late(one.condition, one.at):
                    episode.flags = tuple(sorted({*one.flags, LATE}))
                episodes[one.condition] = episode
                told.append(episode)
            elif (begun := episodes.pop(one.condition, None)) is not None:
                begun.returned = one.at
                begun.flags = tuple(sorted({*(begun.flags or ()), *one.flags}))
            elif (which := self._raised_by(one)) is not None:
                episode = Episode(one.condition, which.raised, one.at, None, one.flags)
                events += self._bring(which, episode, told_at, proven)
        for episode in told:
            same = [
                one
                for one in self._published(episode.condition)
                if one.overlaps(episode.raised, episode.returned)
            ]
            if same:
                which = min(same, key=lambda one: one.raised)
                events += self._bring(which, episode, told_at, proven)
            else:
                events.append(self._raise(episode, levels[episode.condition], told_at))
        return events

    def _raised_by(self, returns: Transition) -> Occurrence | None:
        """Return the latest occurrence of a condition that was raised by its return."""
        found = [one for one in self._published(returns.condition) if one.raised <= returns.at]
        return max(found, key=lambda one: one.raised, default=None)

    def _published(self, condition: ConditionId) -> list[Occurrence]:
        return [
            one
            for one in self.occurrences.values()
            if one.condition == condition and one.standing is not Standing.WITHDRAWN
        ]

    def settle_grace(
        self, proven: At, provisional: Callable[[ConditionId], bool], told_at: int
    ) -> list[AlarmEvent]:
        """Withdraw what grace published and samples have passed without confirming it.

        What goes on beside an open hole and is raised there stays until the hole is closed.
        """
        unproven = [one for one in self.occurrences.values() if one.graced]
        return [
            self._withdraw(one, told_at)
            for one in unproven
            if proven(one.condition, one.raised) and not provisional(one.condition)
        ]

    def replace_since(
        self,
        since: Mapping[ConditionId, int],
        episodes: Iterable[Episode],
        levels: Mapping[ConditionId, Level],
        told_at: int,
        *,
        late: At,
        proven: At,
    ) -> list[AlarmEvent]:
        """Make what is published since the anchor equal to the episodes of a run again.

        `since`: for each condition that was run again, the instant after which it was. What grace
        published where nothing is proven yet stays.
        """
        episodes = list(episodes)
        begun = {(one.condition, one.raised) for one in episodes if one.flags is None}
        published: dict[ConditionId, list[Occurrence]] = {name: [] for name in since}
        for one in sorted(self.occurrences.values(), key=lambda one: (one.raised, one.id)):
            run_again = one.condition in since and one.standing is not Standing.WITHDRAWN
            if run_again and (
                one.returned is None
                or one.returned > since[one.condition]
                or (one.condition, one.raised) in begun
            ):
                published[one.condition].append(one)
        events: list[AlarmEvent] = []
        for episode in sorted(episodes, key=lambda one: (one.raised, one.condition)):
            if episode.flags is not None and late(episode.condition, episode.raised):
                episode.flags = tuple(sorted({*episode.flags, LATE}))
            same = next(
                (
                    one
                    for one in published[episode.condition]
                    if one.overlaps(episode.raised, episode.returned)
                ),
                None,
            )
            if same is None:
                events.append(self._raise(episode, levels[episode.condition], told_at))
            else:
                published[episode.condition].remove(same)
                events += self._bring(same, episode, told_at, proven)
        for left in published.values():
            for one in left:
                if not one.graced or proven(one.condition, one.raised):
                    events.append(self._withdraw(one, told_at))
        return events

    # what people do

    def acknowledge(self, which: OccurrenceId, by: str, told_at: int) -> AlarmEvent:
        """Silence one occurrence.

        Raises CommandRefused when there is no such occurrence or nothing to acknowledge.
        """
        if which not in self.occurrences:
            raise CommandRefused([Problem("occurrence", "unknown_occurrence", {"id": which})])
        one = self.occurrences[which].happen(Happens.ACKNOWLEDGE)
        self._put(one)
        return AlarmEvent(told=Told.ACKNOWLEDGED, told_at=told_at, occurrence=one, by=by)

    # what others ask

    def active(self, condition: ConditionId) -> Occurrence | None:
        """Return the condition's occurrence that is raised now, if any."""
        which = self.raised_now.get(condition)
        return None if which is None else self.occurrences[which]

    def forget(self, before: Callable[[ConditionId], int | None]) -> None:
        """Drop what is settled and lies wholly before what can still be run again.

        `before`: that instant of a condition, None for one that is never run again.
        """
        for one in [one for one in self.occurrences.values() if one.settled]:
            end = one.raised if one.returned is None else max(one.raised, one.returned)
            reached = before(one.condition)
            if reached is None or end <= reached:
                del self.occurrences[one.id]

    # inside

    def _put(self, one: Occurrence) -> None:
        self.occurrences[one.id] = one
        if one.active:
            self.raised_now[one.condition] = one.id
        elif self.raised_now.get(one.condition) == one.id:
            del self.raised_now[one.condition]

    def _raise(
        self, episode: Episode, level: Level, told_at: int, *, graced: bool = False
    ) -> AlarmEvent:
        returned = episode.returned
        identity = self._identity(episode)
        known = self.occurrences.get(identity)
        standing = Standing.UNACKNOWLEDGED
        if known is not None:
            standing = after(known.standing, Happens.REVIVE)
        if returned is not None:
            standing = after(standing, Happens.RETURN)
        one = Occurrence(
            id=identity,
            condition=episode.condition,
            level=level,
            raised=episode.raised,
            returned=returned,
            flags=episode.flags or (),
            visible_at=told_at,
            standing=standing,
            reason=episode.reason,
            graced=graced,
        )
        self._put(one)
        return AlarmEvent(told=Told.RAISED, told_at=told_at, occurrence=one)

    def _identity(self, episode: Episode) -> OccurrenceId:
        """Return the identity of a new occurrence; a withdrawn one of the same instant is back.

        The instant may be taken by one that was published there and amended away since: it keeps
        its identity, so the newcomer is the second of that instant.
        """
        nth = 1
        while True:
            identity = occurrence_id(self.enterprise, episode.condition, episode.raised, nth)
            known = self.occurrences.get(identity)
            if known is None or known.standing is Standing.WITHDRAWN:
                return identity
            nth += 1

    def _bring(
        self, one: Occurrence, episode: Episode, told_at: int, proven: At
    ) -> list[AlarmEvent]:
        """Bring a published occurrence to what was decided; tell only what has changed."""
        graced = one.graced and not proven(one.condition, episode.raised)
        one = msgspec.structs.replace(one, graced=graced)
        self._put(one)
        flags = episode.flags
        if flags is None:
            raise_flags = {*one.flags} - {NOT_APPLICABLE}
            flags = tuple(sorted({*raise_flags, *episode.also}))
        changed = msgspec.structs.replace(
            one, raised=episode.raised, returned=episode.returned, flags=flags
        )
        if changed == one:
            return []
        if episode.reason is not None and changed.raised != one.raised:
            changed = msgspec.structs.replace(changed, reason=episode.reason)
        if one.returned is None and changed.returned is not None:
            changed = changed.happen(Happens.RETURN)
        elif one.returned is not None and changed.returned is None:
            changed = changed.happen(Happens.REVIVE)
        self._put(changed)
        plainly = one.raised == changed.raised and not {*one.flags} - {*changed.flags}
        returns = one.returned is None and changed.returned is not None
        told = Told.RETURNED if plainly and returns else Told.AMENDED
        return [AlarmEvent(told=told, told_at=told_at, occurrence=changed)]

    def _withdraw(self, one: Occurrence, told_at: int) -> AlarmEvent:
        gone = msgspec.structs.replace(one.happen(Happens.WITHDRAW), graced=False)
        self._put(gone)
        return AlarmEvent(told=Told.WITHDRAWN, told_at=told_at, occurrence=gone)


def _episode(rise: Transition) -> Episode:
    return Episode(rise.condition, rise.at, None, rise.flags, (), rise.reason)


def episodes_of(
    raised_before: Mapping[ConditionId, int], transitions: Iterable[Transition]
) -> list[Episode]:
    """Return the episodes that transitions tell, those already raised before them included."""
    running = {name: Episode(name, at, None, None) for name, at in raised_before.items()}
    told = list(running.values())
    for one in transitions:
        if one.rises:
            episode = Episode(one.condition, one.at, None, one.flags, (), one.reason)
            running[one.condition] = episode
            told.append(episode)
        else:
            episode = running.pop(one.condition)
            episode.returned = one.at
            if episode.flags is not None:
                episode.flags = tuple(sorted({*episode.flags, *one.flags}))
            else:
                episode.also = one.flags
    return told
