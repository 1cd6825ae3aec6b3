"""Posts lose their words on time, labels later; files hold nothing of them; no platform need be connected."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from casework import moves
from casework.case import Case, Status
from casework.clock import ManualClock
from casework.errors import HeardError
from casework.mention import Author
from listener.retention import EVERY, Retention
from streams.case_store import CaseStore
from streams.connection import Store, open_store
from streams.switch import Cursors
from tests.fakes.cases import MAY_SEND, NOON, PROMISES, a_draft, a_mention, judged

MARKER = "unmistakable-Übergepäck-行李-🧳"
DAY = timedelta(days=1)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Store]:
    """A store with files of its own."""
    async with open_store(None, tmp_path / "store") as opened:
        yield opened


def the_sweep(store: Store, clock: ManualClock, *, posts: timedelta = 2 * DAY) -> Retention:
    return Retention(
        CaseStore(store), Cursors(store), clock, store.forget_deleted, lambda _: posts, lambda: 395 * DAY
    )


async def answered(cases: CaseStore) -> Case:
    """A case with the marker in the post, an edited draft, a note, the answer, and as its author's name."""
    mention = a_mention(text=f"My {MARKER}!", author=Author("acct-4711", "maya_4711", "Maya 4711"))
    (case_id,) = await cases.new_ids([mention])
    await cases.save(moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES))
    case = await cases.load(case_id)
    case = await cases.save(moves.classify(case, judged(), at=NOON, promises=PROMISES))
    draft = a_draft(f"Hi, your {MARKER}", answers=mention.key)
    case = await cases.save(moves.propose(case, draft, permission=MAY_SEND, rule="", why="", at=NOON))
    case = await cases.save(moves.note(case, by="Nina", at=NOON, text=f"she says {MARKER}"))
    return await cases.save(moves.post_by_hand(case, by="Nina", at=NOON, text=f"Your {MARKER} is here"))


def on_disk(folder: Path) -> bytes:
    """Everything that the store's files hold."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_when_their_time_is_over_no_file_holds_a_word(
    kept: Store, clock: ManualClock, tmp_path: Path
) -> None:
    """Nor the name, the handle or the author's id: the labels, the times and that it was answered stay."""
    cases = CaseStore(kept)
    case = await answered(cases)
    wanted = [MARKER.encode(), b"acct-4711", b"maya_4711", b"Maya 4711", b"post-1"]
    assert [word for word in wanted if word not in on_disk(tmp_path)] == []
    clock.advance(DAY)
    assert await the_sweep(kept, clock).sweep() == 0
    clock.advance(DAY)
    assert await the_sweep(kept, clock).sweep() == 1
    now, timeline = await cases.load(case.id), await cases.timeline(case.id)

    assert [word for word in wanted if word in on_disk(tmp_path)] == []
    assert (now.status, now.why) == (Status.ANSWERED, "posts are kept for 48 hours")
    assert now.classification == judged()
    assert [reply.posted_at for reply in now.replies] == [NOON]
    assert "negative, complaint, high" in [entry.detail for entry in timeline]


async def test_labels_go_after_thirteen_months(store: Store, cases: CaseStore, clock: ManualClock) -> None:
    """What is left of the case are times."""
    case = await answered(cases)
    for _ in range(2):
        clock.advance(200 * DAY)
        await the_sweep(store, clock).sweep()
    now = await cases.load(case.id)

    assert (now.status, now.classification) == (Status.ERASED, None)
    assert {entry.detail for entry in await cases.timeline(case.id)} == {""}


async def test_a_post_that_its_author_deleted_leaves_no_more_than_an_old_one(
    store: Store, cases: CaseStore, clock: ManualClock
) -> None:
    """Also what colleagues quoted of it goes, within a day (X12)."""
    case = await answered(cases)
    await cases.save(moves.withdraw(case, mention_key="x:post-1", at=NOON))
    await the_sweep(store, clock, posts=300 * DAY).sweep()
    now = await cases.load(case.id)

    assert MARKER not in repr((now, await cases.timeline(case.id)))
    assert now.author.id.startswith("#")


async def test_a_case_whose_reply_is_under_way_waits_for_the_next_look(
    store: Store, cases: CaseStore, clock: ManualClock
) -> None:
    """Its reply would be lost from sight."""
    mention = a_mention()
    (case_id,) = await cases.new_ids([mention])
    await cases.save(moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES))
    case = await cases.save(moves.classify(await cases.load(case_id), judged(), at=NOON, promises=PROMISES))
    case = await cases.save(moves.propose(case, a_draft(), permission=MAY_SEND, rule="", why="", at=NOON))
    case = await cases.save(moves.approve(case, by="Nina", at=NOON, draft_sha256=a_draft().sha256))
    case = await cases.save(moves.begin_sending(case, at=NOON, look_at=NOON))
    clock.advance(3 * DAY)
    assert await the_sweep(store, clock).sweep() == 0
    assert (await cases.load(case_id)).last.text
    await cases.save(moves.refuse(case, at=NOON, why="403"))
    clock.advance(EVERY)

    assert await the_sweep(store, clock).sweep() == 1


async def test_files_are_written_anew_by_the_next_look_if_the_process_died_before(
    store: Store, cases: CaseStore, clock: ManualClock
) -> None:
    """The case has lost its words, and nobody would think of the files any more."""
    await answered(cases)
    clock.advance(3 * DAY)
    sweep = the_sweep(store, clock)
    asked = []

    async def dies() -> None:
        asked.append(1)
        if len(asked) == 1:
            raise HeardError("killed")

    sweep.forget = dies
    with pytest.raises(HeardError, match="killed"):
        await sweep.sweep()
    await sweep.sweep()

    assert len(asked) == 2
