"""Dead letters: found by their id, put back, and dropped to the last byte with a note on the case."""

import pytest

from casework.case import Move, Topic
from casework.errors import HeardError
from streams import topics
from streams.case_store import CaseStore
from streams.connection import Store
from streams.dead_letters import DeadLetters
from tests.fakes.cases import NOON
from tests.fakes.letters import bury_case, bury_line
from tests.webdesk.desks import put_draft


async def test_a_dead_letter_is_found_by_its_id(store: Store) -> None:
    """With the line as it was."""
    letter = await bury_line(store, 7)

    assert await DeadLetters(store).find(letter.id) == letter
    assert letter.raw == "{broken 7"


@pytest.mark.parametrize("wrong", ["", "7", "x/1-0", "64/1-0", "-1/1-0", "7/1", "7/1-0-0", "7/²-0", "7/+-"])
async def test_what_is_no_id_is_said(store: Store, wrong: str) -> None:
    """In one sentence that shows one."""
    with pytest.raises(HeardError, match="is not the id of a dead letter"):
        await DeadLetters(store).find(wrong)


async def test_one_that_is_not_there_is_said(store: Store) -> None:
    """It may have been handled."""
    with pytest.raises(HeardError, match="there is no dead letter 7/1-0"):
        await DeadLetters(store).find("7/1-0")


async def test_a_dropped_letter_is_noted_on_its_case(store: Store, cases: CaseStore) -> None:
    """Who, why, and what it was: nothing disappears in silence. Dropping it twice drops nothing."""
    case = await put_draft(cases)
    letter = await bury_case(store, case)
    dead = DeadLetters(store)
    assert await dead.throw_away(letter, cases, by="Mona", why="it is spam", at=NOON)

    noted = (await cases.timeline(case.id))[-1]
    assert (noted.what, noted.by) == (Move.NOTE, "Mona")
    assert noted.detail == "dead letter dropped (classified: KeyError in stage): it is spam"
    assert await dead.count() == 0
    assert not await dead.throw_away(letter, cases, by="Mona", why="it is spam", at=NOON)


async def test_a_dropped_letter_leaves_its_neighbours_and_no_bytes(store: Store) -> None:
    """What is deleted from a stream stays in its memory until its neighbours go: here it does not."""
    partition = topics.partition_of("line", "day.jsonl:1")
    near = [n for n in range(2, 1000) if topics.partition_of("line", f"day.jsonl:{n}") == partition][:3]
    first, second, third, fourth = [await bury_line(store, number) for number in (1, *near)]
    dead = DeadLetters(store)
    assert await dead.drop(second, third) == 2

    assert [letter async for letter in dead.every()] == [first, fourth]
    assert second.raw.encode() not in (await store.writes.dump(topics.dead_key(partition)) or b"")
    fifth = await bury_line(store, 5000)
    assert (await dead.find(fifth.id)).raw == fifth.raw


async def test_a_letter_that_is_put_back_is_on_its_line_again(store: Store, cases: CaseStore) -> None:
    """Once, however often it is asked."""
    case = await put_draft(cases)
    letter = await bury_case(store, case, topic=Topic.ESCALATED)
    key = topics.topic_key(topics.partition_of_case(case.id), Topic.ESCALATED)
    before = await store.writes.xlen(key)
    dead = DeadLetters(store)

    assert await dead.retry(letter)
    assert not await dead.retry(letter)
    assert await store.writes.xlen(key) == before + 1
