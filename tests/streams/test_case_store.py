"""The one door: all or nothing, once, in order; and everything that was saved is found again."""

from datetime import timedelta
from typing import Any

import pytest

from casework import moves
from casework.case import Moved, Status, Topic
from casework.errors import Conflict, HeardError, NoSuchCase
from streams import topics
from streams.case_store import AlreadySeen, CaseStore, Entry, Write
from streams.connection import Store
from tests.fakes.cases import MINUTE, NOON, PROMISES, a_mention, judged

LATER = NOON + 5 * MINUTE


def opening(number: int = 1, case_id: str = "C-100") -> Moved:
    return moves.hear(a_mention(number), case_id=case_id, at=NOON, promises=PROMISES)


@pytest.fixture
def case_id() -> str:
    """An id in Maya's partition."""
    return topics.case_id(1, topics.partition_of("x", "maya"))


async def test_what_was_saved_is_loaded_again(cases: CaseStore, case_id: str) -> None:
    """A case comes back as it went in, with its timeline."""
    moved = opening(case_id=case_id)
    await cases.save(moved)

    assert await cases.load(case_id) == moved.case
    assert await cases.timeline(case_id) == list(moved.timeline)


async def test_a_mention_is_taken_in_once(cases: CaseStore, case_id: str) -> None:
    """The same mention heard again opens nothing; the answer names the case it has."""
    await cases.save(opening(case_id=case_id))
    other = topics.case_id(2, topics.partition_of_case(case_id))
    (outcome,) = await cases.save_all([Write(opening(case_id=other))])

    assert outcome == AlreadySeen(case_id)
    assert sum((await cases.counts()).values()) == 1


async def test_the_second_of_two_moves_on_one_version_loses(cases: CaseStore, case_id: str) -> None:
    """The loser is told who won, with what, and the present version; nothing of theirs is kept."""
    case = await cases.save(opening(case_id=case_id))
    await cases.save(moves.take(case, by="Nina", at=LATER))

    with pytest.raises(Conflict, match="Nina was faster") as lost:
        await cases.save(moves.take(case, by="Omar", at=LATER))

    assert lost.value.version == 2
    assert (await cases.load(case_id)).owner == "Nina"
    assert [entry.by for entry in await cases.timeline(case_id)] == ["heard", "Nina"]


async def test_a_click_on_an_old_version_says_who_was_faster(cases: CaseStore, case_id: str) -> None:
    """What a person saw is bound to its version."""
    case = await cases.save(opening(case_id=case_id))
    await cases.save(moves.take(case, by="Nina", at=LATER))

    with pytest.raises(Conflict, match="Nina"):
        await cases.move(case_id, lambda c: moves.take(c, by="Omar", at=LATER), seen_version=1)


async def test_saving_settles_and_sends_on_in_one_step(cases: CaseStore, store: Store, case_id: str) -> None:
    """The entry that led to the move is gone and the next stage's entry is there, or neither."""
    case = await cases.save(opening(case_id=case_id))
    partition = topics.partition_of_case(case_id)
    key = topics.topic_key(partition, Topic.MENTIONS)
    await store.writes.xgroup_create(key, "classifier", id="0")
    read: Any = await store.writes.xreadgroup("classifier", "me", {key: ">"})
    entry_id = read[0][1][0][0].decode()
    entry = Entry(partition, Topic.MENTIONS, "classifier", entry_id, case_id)

    await cases.save(moves.classify(case, judged(), at=LATER, promises=PROMISES), settle=entry)

    assert await store.writes.xlen(key) == 0
    assert (await store.writes.xpending(key, "classifier"))["pending"] == 0
    assert await store.writes.xlen(topics.topic_key(partition, Topic.CLASSIFIED)) == 1


async def test_a_lost_race_settles_nothing(cases: CaseStore, store: Store, case_id: str) -> None:
    """A refused move leaves the entry for another try."""
    case = await cases.save(opening(case_id=case_id))
    await cases.save(moves.take(case, by="Nina", at=LATER))
    partition = topics.partition_of_case(case_id)
    key = topics.topic_key(partition, Topic.MENTIONS)
    entries: Any = await store.writes.xrange(key)
    (entry_id, _), *_ = entries
    entry = Entry(partition, Topic.MENTIONS, "classifier", entry_id.decode(), case_id)

    with pytest.raises(Conflict):
        await cases.save(moves.classify(case, judged(), at=LATER, promises=PROMISES), settle=entry)

    assert await store.writes.xlen(key) == 1


async def test_a_case_is_due_when_its_next_promise_is(cases: CaseStore, case_id: str) -> None:
    """The due set follows the case: the first warning, then nothing once it is closed."""
    case = await cases.save(opening(case_id=case_id))

    assert await cases.next_due() == NOON + 30 * MINUTE
    assert await cases.due(NOON + 29 * MINUTE) == []
    assert await cases.due(NOON + 30 * MINUTE) == [case]

    await cases.save(moves.close(case, by="Nina", at=LATER, reason="spam"))

    assert await cases.next_due() is None


async def test_statuses_are_counted_and_listed(cases: CaseStore, case_id: str) -> None:
    """A case is in the list of its status and in no other."""
    case = await cases.save(opening(case_id=case_id))
    await cases.save(moves.close(case, by="Nina", at=LATER, reason="spam"))
    counts = await cases.counts()

    assert (counts[Status.NEW], counts[Status.CLOSED]) == (0, 1)
    assert [c.id async for c in cases.every([Status.CLOSED])] == [case_id]
    assert [c.id async for c in cases.every([Status.NEW])] == []


async def test_pages_show_every_case_once(cases: CaseStore) -> None:
    """Newest first, by a cursor, without gaps or repeats."""
    partition = topics.partition_of("x", "maya")
    for number in range(1, 8):
        moved = moves.hear(
            a_mention(number),
            case_id=topics.case_id(number, partition),
            at=NOON + number * MINUTE,
            promises=PROMISES,
        )
        await cases.save(moved)

    seen, cursor = [], None
    for _ in range(4):
        page = await cases.page(list(Status), limit=2, cursor=cursor)
        seen += [case.id for case in page.cases]
        cursor = page.cursor

    assert seen == [topics.case_id(number, partition) for number in range(7, 0, -1)]
    assert cursor is None


async def test_a_wrong_cursor_is_refused(cases: CaseStore) -> None:
    """A cursor that no page gave is a plain error."""
    with pytest.raises(HeardError, match="not a cursor"):
        await cases.page(list(Status), limit=2, cursor="rubbish")


@pytest.mark.parametrize("unknown", ["C-64", "C-0", "C-", "X-1", "C-1; DROP", "C-٣"])
async def test_there_is_no_such_case(cases: CaseStore, unknown: str) -> None:
    """Unknown and malformed ids are the same plain error."""
    with pytest.raises(NoSuchCase):
        await cases.load(unknown)


async def test_a_follow_up_finds_its_case(cases: CaseStore, case_id: str) -> None:
    """By the post it replies to, by the conversation, and by our own reply; never another author's."""
    await cases.save(opening(case_id=case_id))
    follow_up = a_mention(2, in_reply_to="post-1")
    stranger = a_mention(3, in_reply_to="post-1", author=follow_up.author.__class__("omar", "omar"))

    (_, found), (_, others), (seen, _) = await cases.known([follow_up, stranger, a_mention(1)])

    assert (found, others, seen) == (case_id, None, case_id)


async def test_a_mention_passed_over_is_recorded_with_its_reason(cases: CaseStore) -> None:
    """Once; heard again it is known."""
    mention = a_mention()

    assert await cases.pass_over(mention, "our own post")
    assert not await cases.pass_over(mention, "our own post")
    assert [outcome async for outcome in cases.outcomes()] == [("x:post-1", "-our own post")]


async def test_an_author_who_opted_out_is_known(cases: CaseStore) -> None:
    """For that author on that platform and no other."""
    await cases.opt_out("x", "maya")

    assert await cases.opted_out("x", "maya")
    assert not await cases.opted_out("bluesky", "maya")


async def test_changes_are_seen_as_they_happen(cases: CaseStore, case_id: str) -> None:
    """A screen that follows from a position gets every change after it."""
    case = await cases.save(opening(case_id=case_id))
    changes = cases.changes("0-0")
    first = await anext(changes)
    await cases.save(moves.take(case, by="Nina", at=LATER))
    second = await anext(changes)
    await changes.aclose()  # type: ignore[attr-defined]  # an async generator behind its protocol

    assert [(first.case_id, first.version), (second.case_id, second.version)] == [(case_id, 1), (case_id, 2)]


def test_an_author_stays_in_one_partition() -> None:
    """And a case id names the partition it lives in."""
    partition = topics.partition_of("x", "maya")

    assert topics.partition_of_case(topics.case_id(7, partition)) == partition


def test_partitions_are_filled_evenly() -> None:
    """Sixty-four tags over ten thousand authors: the fullest has less than one and a half times the mean."""
    counts = [0] * topics.PARTITIONS
    for number in range(10_000):
        counts[topics.partition_of("x", f"author-{number}")] += 1

    assert max(counts) < 1.5 * 10_000 / topics.PARTITIONS


def test_the_deadline_is_one_entry_a_case() -> None:
    """However many promises run, a case is in the due set once, under its earliest."""
    case = opening().case

    assert case.next_wake() == min(p.next_wake for p in case.promises if p.next_wake)
    assert case.next_wake() == NOON + timedelta(minutes=30)
