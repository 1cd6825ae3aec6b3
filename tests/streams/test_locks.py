"""Small durable facts of the Slack desk: who edits, who is called what, which requests were seen."""

import asyncio
from datetime import UTC, datetime, timedelta

from streams.connection import Store
from streams.leases import Question, Questions
from streams.locks import EditLocks, lease
from streams.people import PeopleNames
from streams.presses import PressBox
from streams.requests import SeenRequests

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
NINA = lease("U1", "Nina", NOON)
OLA = lease("U2", "Ola", NOON)


async def test_one_person_edits_a_case_at_a_time(store: Store) -> None:
    """Whoever comes second is told who; the first may renew; taking over is said outright."""
    locks = EditLocks(store)
    assert await locks.take("C-1", NINA) == NINA
    assert await locks.take("C-1", OLA) == NINA
    later = lease("U1", "Nina", NOON + timedelta(minutes=3))
    assert await locks.take("C-1", later) == later
    assert await locks.take("C-2", OLA) == OLA
    assert await locks.take("C-1", OLA, over=True) == OLA
    assert await locks.holder("C-1") == OLA


async def test_a_lease_is_ended_by_its_owner_alone(store: Store) -> None:
    """Or by whoever takes the case."""
    locks = EditLocks(store)
    await locks.take("C-1", NINA)
    assert not await locks.release("C-1", "U2")
    assert await locks.release("C-1", "U1")
    assert await locks.holder("C-1") is None
    await locks.take("C-1", NINA)
    assert await locks.release("C-1")
    assert not await locks.release("C-1")


async def test_a_lease_ends_by_itself_and_is_told_once(store: Store) -> None:
    """So that its card can be drawn again; one that was renewed or ended is not told."""
    locks = EditLocks(store, lasts=timedelta(milliseconds=20))
    for case_id in ("C-1", "C-2"):
        await locks.take(case_id, NINA)
    await locks.release("C-2", "U1")
    await EditLocks(store).take("C-3", NINA)
    assert list(await locks.ended(NOON)) == []
    await asyncio.sleep(0.04)
    assert list(await locks.ended(NOON + timedelta(seconds=1))) == ["C-1"]
    assert list(await locks.ended(NOON + timedelta(seconds=1))) == []


async def test_a_person_keeps_their_name_and_nobody_else_gets_it(store: Store) -> None:
    """Whatever they are called in Slack meanwhile, and however it is written."""
    names = PeopleNames(store)
    assert await names.name_of("U1", "Nina") == "Nina"
    assert await names.name_of("U2", "NINA") == "NINA (U2)"
    assert await names.name_of("U1", "Boss") == "Nina"
    assert await names.name_of("U2", "Nina") == "NINA (U2)"


async def test_a_name_leads_back_to_the_person(store: Store) -> None:
    """Letter for letter, also one with an id in it, and one that was given before names led back."""
    names = PeopleNames(store)
    await names.name_of("U1", "Nina")
    await names.name_of("U2", "NINA")
    assert [await names.id_of(name) for name in ("Nina", "NINA (U2)")] == ["U1", "U2"]
    assert [await names.id_of(name) for name in ("nina", "NINA", "Sky")] == [None, None, None]
    await store.writes.delete("heard:person-named:nina (u2)")
    await names.name_of("U2", "NINA")
    assert await names.id_of("NINA (U2)") == "U2"


async def test_a_question_is_replaced_by_whoever_read_it(store: Store) -> None:
    """So that of two who look at a case one asks; what was asked is there for a later process."""
    questions = Questions(store)
    first, later = Question(NOON), Question(NOON, sent=True)
    assert [await questions.replace("C-1", None, first) for _ in range(2)] == [True, False]
    assert await questions.replace("C-1", first, later)
    assert not await questions.replace("C-1", first, None)
    assert await Questions(store).every() == {"C-1": later}
    assert await questions.replace("C-1", later, None)
    assert await questions.every() == {}


async def test_a_claim_that_was_cut_off_is_the_persons_own(store: Store) -> None:
    """It died between the two writes: nobody is called by half a name for it."""
    names = PeopleNames(store)
    await names._claim("Nina", "U1")
    assert await names.name_of("U1", "Nina") == "Nina"


async def test_a_signature_is_new_once(store: Store) -> None:
    """Unless what it signed was not dealt with."""
    seen = SeenRequests(store)
    assert [await seen.first("v0=a"), await seen.first("v0=a"), await seen.first("v0=b")] == [
        True,
        False,
        True,
    ]
    await seen.forget("v0=a")
    assert await seen.first("v0=a")


async def test_a_worker_finds_what_it_had_begun_itself(store: Store) -> None:
    """At once, with the count; nothing of another's."""
    box = PressBox(store)
    for number in range(3):
        await box.put(f"p{number}", b"x")
    begun = await box.take("a", count=2, wait_ms=10)
    await box.take("b", count=1, wait_ms=10)
    left = await PressBox(store).left_by("a")
    assert [one.entry for one in left] == [one.entry for one in begun]
    assert all(one.attempts > 1 for one in left)
    await box.settle(*[one.entry for one in begun])
    assert await box.left_by("a") == []


async def test_which_case_a_press_is_about_is_remembered(store: Store) -> None:
    """And may be chosen anew."""
    box = PressBox(store)
    assert await box.chosen("p") == ""
    await box.choose("p", "C-1")
    await box.choose("p", "C-2")
    assert await box.chosen("p") == "C-2"
