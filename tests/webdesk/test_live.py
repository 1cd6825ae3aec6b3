"""The live stream: a change reaches an open page, a sleeping one catches up, and stopping is quick."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from fastapi.sse import ServerSentEvent

from casework import moves
from casework.case import Case
from casework.clock import ManualClock
from streams.case_store import CaseStore, Change
from tests.fakes.cases import MINUTE, NOON
from tests.webdesk.desks import a_desk, put_draft
from webdesk.desk import Desk
from webdesk.live import Live, position
from webdesk.views import Filters, Row
from webdesk.waiting import Waiting


@pytest.fixture
def desk(cases: CaseStore, clock: ManualClock) -> Desk:
    """A desk."""
    return a_desk(cases, clock, speed=60.0)


@pytest.fixture
async def live(desk: Desk) -> AsyncIterator[Live]:
    """Its live stream."""
    opened = Live(desk, Waiting(desk.store))
    yield opened
    await opened.close()


EVERYTHING = Filters()


def listen(live: Live, filters: Filters = EVERYTHING, after: str | None = None) -> Any:
    def draw(row: Row) -> str:
        return f"<tr>{row.id}</tr>"

    return aclosing(live.stream(you="Nina", filters=filters, after=after, draw=draw))


async def told(events: AsyncIterator[ServerSentEvent], kind: str) -> ServerSentEvent:
    """The next event of a kind."""
    async with asyncio.timeout(5):
        async for event in events:
            if event.event == kind:
                return event
    raise AssertionError(f"the stream ended without a {kind}")


async def take(cases: CaseStore, case: Case) -> Case:
    return await cases.save(moves.take(case, by="Omar", at=NOON))


async def test_a_page_first_hears_what_waits_and_what_time_it_is(live: Live, cases: CaseStore) -> None:
    """Versions, counts, and the server's clock with its speed."""
    case = await put_draft(cases)

    async with listen(live) as events:
        data = (await told(events, "sync")).data

    assert data["versions"] == {case.id: case.version}
    assert data["counts"] == {"waiting": 1, "late": 0, "at-risk": 0, "not-sent": 0}
    assert (data["now"], data["speed"]) == (int(NOON.timestamp() * 1000), 60.0)


async def test_a_change_is_told_with_its_row(live: Live, cases: CaseStore) -> None:
    """The row, drawn, at its new version, under the store's own position."""
    case = await put_draft(cases)
    async with listen(live) as events:
        await told(events, "sync")
        await told(events, "sync")
        await take(cases, case)
        event = await told(events, "change")

    row = event.data["rows"][0]
    assert row == {"id": case.id, "version": 4, "waiting": True, "html": f"<tr>{case.id}</tr>"}
    assert position(event.id or "") is not None


async def test_a_case_that_leaves_the_queue_is_told_too(live: Live, cases: CaseStore) -> None:
    """Its row must not keep its buttons."""
    case = await put_draft(cases)
    async with listen(live, Filters(platform="x")) as events:
        await told(events, "sync")
        await told(events, "sync")
        await cases.save(moves.close(case, by="Omar", at=NOON, reason="done"))
        event = await told(events, "change")

    assert event.data["rows"][0]["waiting"] is False
    assert event.data["counts"]["waiting"] == 0


async def test_a_sleeping_page_hears_what_it_missed(live: Live, cases: CaseStore) -> None:
    """Reading on from the last position tells everything since."""
    case = await put_draft(cases)
    async with listen(live) as events:
        await told(events, "sync")
        await told(events, "sync")
        case = await take(cases, case)
        last = (await told(events, "change")).id
    await cases.save(moves.note(case, by="Omar", at=NOON, text="while you slept"))

    async with listen(live, after=position(last or "")) as events:
        event = await told(events, "change")

    assert event.data["rows"][0]["version"] == 5


async def test_after_a_restart_a_page_hears_what_it_missed(desk: Desk, live: Live, cases: CaseStore) -> None:
    """A new desk remembers nothing; the store does, from the position that the browser brings."""
    case = await put_draft(cases)
    async with listen(live) as events:
        await told(events, "sync")
        await told(events, "sync")
        case = await take(cases, case)
        last = (await told(events, "change")).id
    await live.close()
    await cases.save(moves.note(case, by="Omar", at=NOON, text="while the desk was down"))
    restarted = Live(desk, Waiting(cases))

    async with listen(restarted, after=position(last or "")) as events:
        event = await told(events, "change")
    await restarted.close()

    assert event.data["rows"][0]["version"] == 5


async def test_a_hundred_pages_share_one_reading(live: Live, cases: CaseStore) -> None:
    """More open tabs than the store's client has connections, and each hears the change."""
    case = await put_draft(cases)

    async def one_page() -> int:
        async with listen(live) as events:
            await told(events, "sync")
            ready.release()
            return int((await told(events, "change")).data["rows"][0]["version"])

    ready = asyncio.Semaphore(0)
    pages = [asyncio.create_task(one_page()) for _ in range(150)]
    for _ in pages:
        await ready.acquire()
    await take(cases, case)

    assert await asyncio.gather(*pages) == [4] * 150


async def test_a_page_hears_only_what_it_asked_for(live: Live, cases: CaseStore) -> None:
    """A filter applies to what is told later as well."""
    case = await put_draft(cases)
    other = await put_draft(cases, author="ana", platform="reddit")
    async with listen(live, Filters(platform="reddit")) as events:
        await told(events, "sync")
        await told(events, "sync")
        await take(cases, case)
        await take(cases, other)
        rows = (await told(events, "change")).data["rows"]

    assert [row["id"] for row in rows] == [other.id]


async def test_a_change_reads_only_what_changed(
    desk: Desk, cases: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a long queue and many tabs, one change costs one case; the counts follow all the same."""
    first, second = await put_draft(cases), await put_draft(cases, author="ana", minutes_ago=70)
    waiting = Waiting(cases)
    await waiting.read()
    assert waiting.counts(NOON) == {"waiting": 2, "late": 1, "at-risk": 0, "not-sent": 0}
    closed = await cases.save(moves.close(second, by="Omar", at=NOON, reason="done"))
    taken = await take(cases, first)
    asked: list[str] = []
    load_all = CaseStore.load_all

    async def counted(store: CaseStore, case_ids: Sequence[str]) -> list[Case | None]:
        asked.extend(case_ids)
        return await load_all(store, case_ids)

    monkeypatch.setattr(CaseStore, "load_all", counted)
    changes = [Change("1-0", closed.id, closed.version), Change("1-1", taken.id, taken.version)]

    for _ in range(3):
        assert await waiting.after(changes) == [closed, taken]

    assert sorted(asked) == sorted([closed.id, taken.id])
    assert waiting.counts(NOON) == {"waiting": 1, "late": 0, "at-risk": 0, "not-sent": 0}
    assert waiting.counts(NOON + 61 * MINUTE)["late"] == 1


async def test_closing_ends_open_streams(live: Live) -> None:
    """A desk that stops lets its pages go at once."""
    async with listen(live) as events:
        await told(events, "sync")
        await live.close()
        async with asyncio.timeout(2):
            assert [event async for event in events] == []


@pytest.mark.parametrize("text", ["", "now", "-", "1", "1-", "-1-0", "9" * 30 + "-0", "1-0\r\n", "²-0"])
def test_a_position_that_is_none_means_from_now(text: str) -> None:
    """A browser may send anything as Last-Event-ID."""
    assert position(text) is None


def test_reading_on_begins_a_little_earlier() -> None:
    """Partitions are not in one order, so the last moments are told again."""
    assert position("1700000000000-3") == "1699999997000-0"
