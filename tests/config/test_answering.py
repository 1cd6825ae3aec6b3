"""Who answers on a recorded day: at a pace, in opening hours, the earliest promise first."""

from datetime import UTC, datetime, time, timedelta

from casework import moves
from casework.case import Case, Status
from casework.hours import ALWAYS, OpeningHours, Span
from casework.mention import Author
from config.answering import AsRecorded, AtPace, Deed
from streams.case_store import CaseStore
from streams.connection import Store
from tests.fakes.cases import MAY_SEND, MINUTE, NOON, PROMISES, a_draft, a_mention, judged

TEN_TO_FOUR = OpeningHours("UTC", ((Span(time(10), time(16)),),) * 7)


async def a_draft_waits(cases: CaseStore, number: int, at: datetime) -> Case:
    """A case of an author of its own waits for people."""
    mention = a_mention(number, author=Author(f"author-{number}", "a"), created_at=at)
    (new,) = await cases.new_ids([mention])
    case = await cases.save(moves.hear(mention, case_id=new, at=at, promises=PROMISES))
    case = await cases.save(moves.classify(case, judged(), at=at, promises=PROMISES))
    draft = a_draft(answers=mention.key)
    return await cases.save(moves.propose(case, draft, permission=MAY_SEND, rule="r", why="", at=at))


async def test_one_after_the_other_the_earliest_promise_first(store: Store) -> None:
    """Four an hour: each takes a quarter, from when it waits and the one before is done."""
    people = AtPace(4, ALWAYS)
    cases = CaseStore(store, on_saved=people.saw)
    late = await a_draft_waits(cases, 1, NOON + 5 * MINUTE)
    early = await a_draft_waits(cases, 2, NOON)

    assert people.next_at() == NOON + 20 * MINUTE
    assert not await people.act(cases, NOON + 19 * MINUTE)
    assert await people.act(cases, NOON + 20 * MINUTE)
    assert (await cases.load(early.id)).replies[0].posted_at == NOON + 20 * MINUTE
    assert (await cases.load(late.id)).status is Status.DRAFTED
    assert await people.act(cases, NOON + 50 * MINUTE)
    assert (await cases.load(late.id)).replies[0].posted_at == NOON + 35 * MINUTE
    assert people.next_at() is None


async def test_nobody_answers_while_the_desk_is_closed(store: Store) -> None:
    """What is begun at five to four is done in the morning."""
    people = AtPace(4, TEN_TO_FOUR)
    cases = CaseStore(store, on_saved=people.saw)
    await a_draft_waits(cases, 1, datetime(2026, 11, 3, 15, 55, tzinfo=UTC))

    assert people.next_at() == datetime(2026, 11, 4, 10, 10, tzinfo=UTC)


async def test_what_people_did_is_done_once_and_where_it_still_can_be(cases: CaseStore) -> None:
    """An answered case is not answered again, a mention that opened no case is passed by."""
    case = await a_draft_waits(cases, 1, NOON)
    closed = await a_draft_waits(cases, 2, NOON)
    soon, later = NOON + 10 * MINUTE, NOON + timedelta(hours=2)
    people = AsRecorded(
        [
            Deed(later, "x:post-1"),
            Deed(soon, "x:post-1"),
            Deed(soon, "x:nowhere"),
            Deed(soon, "x:post-2", closed=True),
        ]
    )

    assert people.next_at() == soon
    assert await people.act(cases, soon)
    assert not await people.act(cases, later)
    assert [reply.posted_at for reply in (await cases.load(case.id)).replies] == [soon]
    assert (await cases.load(closed.id)).status is Status.CLOSED
    assert people.next_at() is None
