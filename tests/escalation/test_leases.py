"""Whoever has a case and says nothing is asked once, and loses it five minutes later; an answer keeps it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from casework import moves
from casework.case import Case, Move, Moved
from casework.clock import ManualClock
from casework.timeline import TimelineEntry
from escalation.boards import Frame
from escalation.cards import thread_line
from escalation.leases import ANSWER_WITHIN, SILENT_FOR, Ask, Due, Leases, Release, due
from escalation.roles import Role
from platforms.limits import OwnBudget
from streams.connection import Store
from streams.leases import Question, Questions
from streams.locks import lease
from tests.fakes.cases import MINUTE, NOON, PROMISES, a_mention, drafted
from tests.fakes.slack_office import Office
from tests.fakes.slack_people import Person
from tests.fakes.slack_server import open_slack
from tests.fakes.slack_things import Message
from tests.fakes.slack_wire import Fate, answer_lost, ratelimited, refused

Step = Callable[[Case], Moved]

# ── the decision alone ───────────────────────────────────────────────────────────────────────────


def at(minutes: float) -> datetime:
    """So long after noon, when Nina takes the case."""
    return NOON + minutes * MINUTE


def story(*steps: Step) -> tuple[Case, list[TimelineEntry]]:
    """A drafted case that Nina takes at noon, and what happens then."""
    case, timeline = drafted(), list[TimelineEntry]()
    for step in (lambda c: moves.take(c, by="Nina", at=NOON), *steps):
        moved = step(case)
        case, timeline = moved.case, [*timeline, *moved.timeline]
    return case, timeline


def note(by: str, minutes: float) -> Step:
    return lambda c: moves.note(c, by=by, at=at(minutes), text="hm")


def snooze(minutes: float, until: float) -> Step:
    return lambda c: moves.snooze(c, by="Nina", at=at(minutes), until=at(until))


def woken(minutes: float) -> Step:
    def step(case: Case) -> Moved:
        moved = moves.wake(case, at=at(minutes))
        assert moved is not None
        return moved

    return step


def still(minutes: float) -> Step:
    return lambda c: moves.take(c, by="Nina", at=at(minutes))


def given(to: str, minutes: float) -> Step:
    return lambda c: moves.take(c, by="Mona", at=at(minutes), to=to)


ASKED = Ask("Nina", NOON)


@pytest.mark.parametrize(
    ("steps", "minutes", "asked", "found"),
    [
        ((), 19.9, None, None),
        ((), 20, None, ASKED),
        ((), 24.9, 20, None),
        ((), 25, 20, Release("Nina")),
        ((), 600, 20, Release("Nina")),
        ((note("Nina", 15),), 20, None, None),
        ((note("Nina", 15),), 35, None, ASKED),
        ((note("Nina", 22),), 25, 20, None),
        ((note("Nina", 22),), 42, 20, ASKED),
        # Her move was saved while the question was on its way.
        ((note("Nina", 19.99),), 25, 20, None),
        ((note("Ola", 22),), 25, 20, Release("Nina")),
        ((lambda c: moves.join(c, a_mention(2), at=at(22), promises=PROMISES),), 25, 20, None),
        ((still(22),), 25, 20, None),
        ((still(22),), 42, 20, ASKED),
        ((given("Ola", 22),), 25, 20, None),
        ((given("Ola", 22),), 42, 20, Ask("Ola", at(22))),
        ((given("Ola", 22),), 47, 42, Release("Ola")),
        ((snooze(5, 90),), 60, None, None),
        ((snooze(5, 90), woken(90)), 100, None, None),
        ((snooze(5, 90), woken(90)), 110, None, ASKED),
        ((lambda c: moves.release_case(c, by="Nina", at=at(5)),), 60, None, None),
        ((lambda c: moves.close(c, by="Ola", at=at(5), reason="solved"),), 60, None, None),
    ],
)
def test_silence_is_asked_about_and_then_ends_the_lease(
    steps: tuple[Step, ...], minutes: float, asked: float | None, found: Due
) -> None:
    """Twenty minutes, then five; only what the owner does counts, and a rest does not."""
    case, timeline = story(*steps)

    assert due(case, timeline, at(minutes), None if asked is None else at(asked)) == found


def test_a_case_that_nobody_took_is_on_nobodys_lease() -> None:
    """However long it waits."""
    assert due(drafted(), [], at(600), None) is None


# ── in Slack ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Opening:
    """When the brand is there."""

    until: datetime | None = None
    since: datetime | None = None

    def __call__(self, instant: datetime) -> bool:
        opened = self.since is None or self.since <= instant
        return opened and (self.until is None or instant < self.until)


@dataclass
class Shift:
    """An office in which somebody may go quiet; ``leases`` looks when it is told to."""

    office: Office
    nina: Person
    opening: Opening = field(default_factory=Opening)

    def __post_init__(self) -> None:
        self.leases = self.begun_anew()

    def begun_anew(self) -> Leases:
        """What a process that was started again knows: nothing but the store."""
        office = self.office
        return Leases(
            web=office.web,
            cases=office.cases,
            questions=Questions(office.store),
            names=office.desk.names,
            locks=office.desk.locks,
            budget=OwnBudget(office.clock.now),
            clock=office.clock,
            frame=lambda: Frame(office.clock.now(), "Europe/Oslo"),
            open_now=self.opening,
        )

    async def taken(self, number: int = 1, by: Person | None = None) -> Case:
        """A case that Nina, or another, took just now, by its card's button."""
        case = await self.office.case(number)
        card = await self.office.card(case)
        await self.office.presses((by or self.nina).clicks(card, "card.take"))
        await self.office.settle()
        return await self.office.cases.load(case.id)

    async def passes(self, length: timedelta) -> None:
        """Time goes by, and what is due is done."""
        self.office.passes(length.total_seconds())
        await self.leases.step()
        await self.office.draw()

    async def answers(self, action: str) -> None:
        """Nina presses a button of the last question."""
        await self.office.presses(self.nina.clicks(self.questions()[-1], action))
        await self.office.settle()

    def questions(self) -> list[Message]:
        """What Nina was asked."""
        return [dm for dm in self.nina.sees().dms if "Are you still on" in dm.text]

    async def owner(self, case: Case) -> str | None:
        return (await self.office.cases.load(case.id)).owner


@pytest.fixture
async def shift(store: Store, clock: ManualClock) -> AsyncIterator[Shift]:
    """Nina is there."""
    async with open_slack(seed=5) as slack:
        slack.limits.post_every_s = None
        slack.limits.per_minute.clear()
        office = Office(slack, store, clock, {})
        yield Shift(office, office.person("Nina", Role.RESPONDER))
        await office.web.close()


async def test_whoever_is_quiet_is_asked_once_and_then_the_case_is_everybodys(shift: Shift) -> None:
    """The card says so, and the thread says why."""
    case = await shift.taken()
    await shift.passes(SILENT_FOR - timedelta(seconds=1))
    assert shift.questions() == []
    await shift.passes(timedelta(seconds=1))
    for _ in range(8):
        await shift.passes(timedelta(seconds=30))
    assert [dm.text for dm in shift.questions()] == [
        f"Are you still on case {case.id}? It goes back to everybody at 13:25."
    ]
    assert await shift.owner(case) == "Nina"
    await shift.passes(timedelta(minutes=1))
    released = await shift.office.cases.load(case.id)
    assert (released.owner, released.status, released.moved) == (None, case.status, Move.RELEASE)
    (entry,) = [e for e in await shift.office.cases.timeline(case.id) if e.what == Move.RELEASE]
    line = thread_line(released, entry)
    assert line is not None
    assert "Heard released this: Nina gave no answer within 5 minutes" in str(line.blocks)
    assert "unassigned since Heard released it" in str((await shift.office.card(released)).blocks)
    await shift.passes(timedelta(hours=2))
    assert len(shift.questions()) == 1
    assert await shift.office.moved(case, Move.RELEASE) == 1
    assert await Questions(shift.office.store).every() == {}


async def test_yes_keeps_the_case_and_they_are_asked_again_after_another_silence(shift: Shift) -> None:
    """Whatever else happened to the case since they were asked."""
    case = await shift.taken()
    await shift.passes(SILENT_FOR)
    now = await shift.office.cases.load(case.id)
    await shift.office.cases.save(
        moves.note(now, by="Ola", at=shift.office.clock.now(), text="she called again")
    )
    await shift.answers("lease.yes")
    await shift.passes(ANSWER_WITHIN)
    assert await shift.owner(case) == "Nina"
    assert len(shift.questions()) == 1
    await shift.passes(SILENT_FOR)
    assert len(shift.questions()) == 2
    assert "since <!date^" in str(shift.questions()[1].blocks)


async def test_release_gives_it_back_at_once(shift: Shift) -> None:
    """In their own name; pressed again by a redelivery it is done already, and by them it is explained."""
    case = await shift.taken()
    await shift.passes(SILENT_FOR)
    await shift.answers("lease.release")
    assert await shift.owner(case) is None
    assert (await shift.office.cases.load(case.id)).moved_by == "Nina"
    await shift.answers("lease.release")
    assert "nothing to release" in shift.office.told(shift.nina)[-1]
    assert await shift.office.moved(case, Move.RELEASE) == 1


async def test_an_answer_that_comes_after_the_release_takes_it_back(shift: Shift) -> None:
    """Unless a colleague has it meanwhile: then they are told."""
    case = await shift.taken()
    await shift.passes(SILENT_FOR)
    await shift.passes(ANSWER_WITHIN)
    await shift.answers("lease.yes")
    assert await shift.owner(case) == "Nina"
    now = await shift.office.cases.load(case.id)
    await shift.office.cases.save(moves.take(now, by="Ola", at=shift.office.clock.now()))
    for action in ("lease.yes", "lease.release"):
        await shift.answers(action)
        assert "Ola has this case now" in shift.office.told(shift.nina)[-1]
    assert await shift.owner(case) == "Ola"


async def test_a_redelivered_answer_is_one_answer(shift: Shift) -> None:
    """The worker died after the move and before it was settled."""
    case = await shift.taken()
    await shift.passes(SILENT_FOR)
    await shift.office.presses(shift.nina.clicks(shift.questions()[0], "lease.release"))
    (stored,) = await shift.office.desk.box.take("dead", wait_ms=1)
    await shift.office.worker.carry_out(stored)
    await shift.office.worker.carry_out(replace(stored, attempts=2))
    assert await shift.office.moved(case, Move.RELEASE) == 1
    assert "nothing to release" not in " ".join(shift.office.told(shift.nina))


async def test_a_move_of_their_own_is_an_answer(shift: Shift) -> None:
    """At any desk, under their name."""
    case = await shift.taken()
    await shift.passes(SILENT_FOR)
    shift.office.passes(60)
    now = await shift.office.cases.load(case.id)
    await shift.office.cases.save(moves.note(now, by="Nina", at=shift.office.clock.now(), text="calling her"))
    await shift.passes(ANSWER_WITHIN)
    assert await shift.owner(case) == "Nina"
    assert len(shift.questions()) == 1


async def test_whoever_writes_the_reply_is_on_it(shift: Shift) -> None:
    """An open editor leaves nothing in the timeline, and is no silence."""
    case = await shift.taken()
    await shift.office.desk.locks.take(case.id, lease(shift.nina.id, "Nina", shift.office.clock.now()))
    await shift.passes(SILENT_FOR)
    assert shift.questions() == []
    await shift.office.desk.locks.release(case.id)
    await shift.passes(timedelta(0))
    await shift.office.desk.locks.take(case.id, lease(shift.nina.id, "Nina", shift.office.clock.now()))
    await shift.passes(ANSWER_WITHIN)
    assert await shift.owner(case) == "Nina"


async def test_yes_ends_nobodys_editing(shift: Shift) -> None:
    """It takes nothing over."""
    case = await shift.taken()
    await shift.passes(SILENT_FOR)
    await shift.office.desk.locks.take(case.id, lease("U0OLA", "Ola", shift.office.clock.now()))
    await shift.answers("lease.yes")
    assert await shift.office.desk.locks.holder(case.id) is not None


async def test_a_restart_in_between_forgets_nothing(shift: Shift) -> None:
    """Neither that they were asked nor when."""
    case = await shift.taken()
    await shift.passes(SILENT_FOR)
    shift.leases = shift.begun_anew()
    await shift.passes(timedelta(minutes=4))
    assert len(shift.questions()) == 1
    assert await shift.owner(case) == "Nina"
    shift.leases = shift.begun_anew()
    await shift.passes(timedelta(minutes=1))
    assert await shift.owner(case) is None


async def test_two_processes_ask_once(shift: Shift) -> None:
    """Whichever is first."""
    await shift.taken()
    shift.office.passes(SILENT_FOR.total_seconds())
    await asyncio.gather(*[shift.begun_anew().step() for _ in range(4)])
    assert len(shift.questions()) == 1


async def test_one_who_died_while_asking_takes_nobodys_case_away(shift: Shift) -> None:
    """Nobody knows whether the owner saw it: they are asked anew, once that question would be over."""
    case = await shift.taken()
    shift.office.passes(SILENT_FOR.total_seconds())
    dying = Question(shift.office.clock.now())
    await Questions(shift.office.store).replace(case.id, None, dying)
    await shift.passes(timedelta(minutes=4))
    assert shift.questions() == []
    await shift.passes(timedelta(minutes=1))
    assert len(shift.questions()) == 1
    assert await shift.owner(case) == "Nina"


async def test_a_post_without_an_answer_is_never_followed_by_a_second_question_at_once(shift: Shift) -> None:
    """It may have arrived, as here; nobody loses a case by it."""
    case = await shift.taken()
    shift.office.slack.next("chat.postMessage", answer_lost())
    await shift.passes(SILENT_FOR)
    await shift.passes(timedelta(minutes=1))
    assert len(shift.questions()) == 1
    await shift.passes(timedelta(minutes=4))
    assert len(shift.questions()) == 2
    assert await shift.owner(case) == "Nina"
    await shift.passes(ANSWER_WITHIN)
    assert await shift.owner(case) is None


@pytest.mark.parametrize(
    "trouble", [ratelimited(7), refused("messages_tab_disabled"), refused("no_permission")]
)
async def test_what_slack_does_not_take_is_asked_the_next_time(shift: Shift, trouble: Fate) -> None:
    """And nothing is released that nobody was asked about."""
    case = await shift.taken()
    shift.office.slack.next("chat.postMessage", trouble)
    await shift.passes(SILENT_FOR)
    assert shift.questions() == []
    await shift.passes(timedelta(seconds=30))
    assert len(shift.questions()) == 1
    await shift.passes(timedelta(minutes=4))
    assert await shift.owner(case) == "Nina"


async def test_one_whom_slack_refuses_keeps_nobody_from_being_asked(shift: Shift) -> None:
    """A deactivated account, say."""
    ola = shift.office.person("Ola", Role.RESPONDER)
    await shift.taken(1), await shift.taken(2, by=ola)
    shift.office.slack.next("chat.postMessage", refused("user_not_found"))
    await shift.passes(SILENT_FOR)
    assert len([*shift.questions(), *ola.sees().dms]) == 1
    await shift.passes(timedelta(seconds=30))
    assert (len(shift.questions()), len(ola.sees().dms)) == (1, 1)


async def test_who_has_many_cases_is_asked_about_one_after_another(shift: Shift) -> None:
    """Slack takes one message a second for a conversation."""
    first, second = await shift.taken(1), await shift.taken(2)
    await shift.passes(SILENT_FOR)
    assert len(shift.questions()) == 1
    await shift.passes(timedelta(seconds=30))
    assert {first.id, second.id} == {dm.text.split()[5].rstrip("?") for dm in shift.questions()}


@pytest.mark.parametrize("owner", ["Sky", "NINA"])
async def test_an_owner_whom_slack_does_not_know_keeps_the_case(shift: Shift, owner: str) -> None:
    """They work at the web desk, where nothing asks them; a name is somebody's letter for letter."""
    case = await shift.taken()
    await shift.office.cases.save(moves.take(case, by=owner, at=shift.office.clock.now()))
    for _ in range(3):
        await shift.passes(SILENT_FOR)
    assert await shift.owner(case) == owner
    assert shift.questions() == []


async def test_nobody_is_asked_or_released_while_the_desk_is_closed(shift: Shift) -> None:
    """Nor so late that the answer would fall into the night; in the morning the silence begins anew."""
    case = await shift.taken()
    shift.opening.until = NOON + SILENT_FOR + ANSWER_WITHIN
    await shift.passes(SILENT_FOR)
    await shift.passes(timedelta(hours=12))
    shift.opening.until, shift.opening.since = None, shift.office.clock.now()
    await shift.passes(SILENT_FOR - timedelta(seconds=1))
    assert shift.questions() == []
    assert await shift.owner(case) == "Nina"
    await shift.passes(timedelta(seconds=1))
    assert len(shift.questions()) == 1
    shift.opening.until = shift.office.clock.now()
    await shift.passes(timedelta(hours=12))
    assert await shift.owner(case) == "Nina"


async def test_a_person_with_a_name_like_anothers_is_asked_too(shift: Shift) -> None:
    """Their name has their id in it, and is found all the same."""
    case = await shift.taken()
    other = shift.office.person("Nora", Role.RESPONDER)
    name = await shift.office.desk.names.name_of(other.id, "Nina")
    assert name == f"Nina ({other.id})"
    await shift.office.cases.save(moves.take(case, by=name, at=shift.office.clock.now()))
    await shift.passes(SILENT_FOR)
    assert shift.questions() == []
    assert len(other.sees().dms) == 1


async def test_a_move_in_the_very_moment_of_the_release_wins(shift: Shift) -> None:
    """It may be the answer: the case is looked at again."""
    case = await shift.taken()
    await shift.passes(SILENT_FOR)
    read = shift.office.cases.timeline

    async def answered(case_id: str) -> list[TimelineEntry]:
        entries = await read(case_id)
        now = await shift.office.cases.load(case_id)
        await shift.office.cases.save(moves.note(now, by="Nina", at=shift.office.clock.now(), text="here"))
        return entries

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shift.office.cases, "timeline", answered)
        shift.office.passes(ANSWER_WITHIN.total_seconds())
        await shift.leases.step()
    await shift.passes(timedelta(seconds=30))
    assert await shift.owner(case) == "Nina"
