"""What if: plays recorded mentions under the policy in force and under a changed one, and compares.

Each policy gets the whole line on a store that is thrown away, a clock that the mentions drive and the same
model: what is compared is what Heard does, not what a second copy of its rules would do. Nothing is posted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from casework.case import Moved
from casework.clock import ManualClock
from casework.errors import HeardError
from config.answering import AsRecorded, AtPace, Deed, Nobody, People
from config.brand import Brand
from config.heralds import LogHerald
from config.outcomes import Decision, Decisions, Due, Outcome, Outcomes, outcomes
from config.play import Agenda, Player, Progress, begin
from config.recorded import Recording, opened
from config.wiring import Model
from platforms.feed import Feed


@dataclass(frozen=True, slots=True)
class Past:
    """What is played: mentions, and what is known of them beside their words.

    ``deeds`` are what people did, None where nobody recorded it. ``until`` is where the play stops; None:
    when nothing more would happen. ``case_ids`` are the user's own, by the mention that opened each.
    """

    feed: Feed
    deeds: Sequence[Deed] | None = None
    until: datetime | None = None
    wordless: frozenset[str] = frozenset()
    opted_out: frozenset[tuple[str, str]] = frozenset()
    case_ids: Mapping[str, str] = field(default_factory=dict)
    unjudged: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One case that would have gone otherwise: None on the side on which it is no case of its own."""

    mention: str
    before: Outcome | None
    after: Outcome | None

    @property
    def decisions(self) -> tuple[Decision | None, Decision | None]:
        """The two last decisions, or the last pair that differs where those are the same."""
        before = self.before.decisions if self.before else ()
        after = self.after.decisions if self.after else ()
        if len(before) == len(after):
            pairs = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
            if pairs:
                return pairs[-1]
        return (before[-1] if before else None, after[-1] if after else None)

    @property
    def promises(self) -> tuple[tuple[str, Due | None, Due | None], ...]:
        """The promises that differ: by name, and the first with the first where a case has several."""
        sides = [_by_name(side.promises if side else ()) for side in (self.before, self.after)]
        names = dict.fromkeys([*sides[0], *sides[1]])
        pairs = [(name, sides[0].get(name), sides[1].get(name)) for name in names]
        return tuple((name[0], before, after) for name, before, after in pairs if before != after)


def _by_name(promises: Sequence[Due]) -> dict[tuple[str, int], Due]:
    found: dict[tuple[str, int], Due] = {}
    for due in promises:
        found[due.name, sum(name == due.name for name, _ in found)] = due
    return found


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What would have differed. ``assumed`` says in a sentence how people answered."""

    differences: tuple[Difference, ...]
    before: Outcomes
    after: Outcomes
    past: Past
    assumed: str

    @property
    def nothing(self) -> bool:
        """Whether nothing would have differed."""
        return not self.differences and self.before.staffing == self.after.staffing


async def what_if(
    past: Past,
    now_in_force: Brand,
    changed: Brand,
    model: Model,
    folder: Path,
    *,
    answers_per_hour: float | None = None,
    progress: Progress | None = None,
) -> WhatIf:
    """Play the past under both policies, below ``folder``, and compare.

    Raises:
        HeardError: what a policy names is wrong, or nobody could answer at the pace that is assumed.
    """
    changed = beside(changed, now_in_force)
    played = [
        await _play(past, brand, model, folder / name, answers_per_hour, progress)
        for name, brand in (("before", now_in_force), ("after", changed))
    ]
    before, after = played
    return WhatIf(
        differences=tuple(_differences(past, before, after)),
        before=before,
        after=after,
        past=past,
        assumed=_assumed(past, answers_per_hour),
    )


def beside(changed: Brand, now_in_force: Brand) -> Brand:
    """The changed policy with the articles and the wording in force, where none of its own lie beside it."""
    found: dict[str, str] = {}
    if not changed.knowledge.exists():
        found["folder"] = str(now_in_force.knowledge.resolve())
    if not changed.templates.exists():
        found["templates"] = str(now_in_force.templates.resolve())
    knowledge = changed.file.knowledge.model_copy(update=found)
    return replace(changed, file=changed.file.model_copy(update={"knowledge": knowledge}))


async def _play(
    past: Past,
    brand: Brand,
    model: Model,
    folder: Path,
    answers_per_hour: float | None,
    progress: Progress | None,
) -> Outcomes:
    recording = Recording(past.feed, brand, folder)
    clock, agenda, decisions = ManualClock(begin(past.feed)), Agenda(), Decisions()
    people = _people(past, brand, answers_per_hour, clock.now())
    saw = _all_of(agenda.saw, people.saw, decisions.saw)
    async with opened(recording, clock=clock, model=model, herald=LogHerald(), on_saved=saw) as playing:
        for platform, author in past.opted_out:
            await playing.line.cases.opt_out(platform, author)
        player = Player(playing.line, playing.platform, recording.name, clock, agenda, people)
        await player.play(progress, last=past.until)
        return await outcomes(playing.line.cases, decisions, brand, begin(past.feed), past.wordless)


def _all_of(*told: Callable[[Moved], None]) -> Callable[[Moved], None]:
    def tell(moved: Moved) -> None:
        for one in told:
            one(moved)

    return tell


def _people(past: Past, brand: Brand, answers_per_hour: float | None, now: datetime) -> People:
    if answers_per_hour is not None:
        hours = brand.hours(now=now)
        if not any(hours.week):
            raise HeardError(f"under {brand.source} the desk is never open: nobody would answer")
        return AtPace(answers_per_hour, hours)
    return Nobody() if past.deeds is None else AsRecorded(past.deeds)


def _assumed(past: Past, answers_per_hour: float | None) -> str:
    if answers_per_hour is not None:
        return (
            f"Assumed: people answer {answers_per_hour:g} cases an hour while the desk is open, "
            "the earliest promise first."
        )
    if past.deeds is None:
        return (
            "Assumed: nobody answers, so every promise that no automatic reply keeps is broken; "
            "--answers-per-hour N assumes a pace."
        )
    return "People answered when they did; no later answer is made up."


def _differences(past: Past, before: Outcomes, after: Outcomes) -> list[Difference]:
    order = [item.mention.key for item in past.feed.recorded]
    pairs = [Difference(key, before.cases.get(key), after.cases.get(key)) for key in order]
    return [pair for pair in pairs if pair.before != pair.after]
