"""Looking again: deleted posts lose their words everywhere, edited ones are read anew, none is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from casework import moves
from casework.case import Case, Status
from casework.clock import ManualClock
from casework.mention import Author, Mention
from listener.rereading import EVERY, Rereader
from platforms.faults import Trouble
from platforms.platform import Gone, Present
from streams.case_store import CaseStore, Write
from streams.connection import Store, open_store
from streams.switch import Cursors
from tests.fakes.cases import MAY_SEND, NOON, PROMISES, a_draft, a_mention, judged
from tests.fakes.platform import ScriptedPlatform
from tests.fakes.waiting import until


@dataclass
class Faulty(ScriptedPlatform):
    """Fails after so many looks, once."""

    looks_until_fault: int = 1_000_000
    asked: list[str] = field(default_factory=list)

    async def reread_all(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        """Count down, then fail, then be well again."""
        self.looks_until_fault -= 1
        if self.looks_until_fault == 0:
            raise Trouble("503 from the platform")
        self.asked += [mention.key for mention in mentions]
        return await super().reread_all(mentions)


@pytest.fixture
def x(clock: ManualClock) -> Faulty:
    return Faulty(clock)


@pytest.fixture
def rereader(store: Store, cases: CaseStore, clock: ManualClock, x: Faulty) -> Rereader:
    return Rereader(cases, Cursors(store), {"x": x}, clock, store.forget_deleted)


async def saved(cases: CaseStore, *mentions: Mention) -> list[str]:
    ids = await cases.new_ids(mentions)
    opened = [
        moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES)
        for mention, case_id in zip(mentions, ids, strict=True)
    ]
    await cases.save_all([Write(move) for move in opened])
    return ids


async def with_a_draft(cases: CaseStore, mention: Mention) -> Case:
    (case_id,) = await saved(cases, mention)
    case = await cases.load(case_id)
    read = await cases.save(moves.classify(case, judged(), at=NOON, promises=PROMISES))
    draft = a_draft(answers=mention.key)
    return await cases.save(moves.propose(read, draft, permission=MAY_SEND, rule="", why="", at=NOON))


async def test_a_deleted_post_loses_its_words(cases: CaseStore, x: Faulty, rereader: Rereader) -> None:
    """And its draft goes with it."""
    case = await with_a_draft(cases, a_mention())
    x.texts["x:post-1"] = None
    await rereader.look_again()
    now = await cases.load(case.id)

    assert now.last.text == ""
    assert now.draft is None
    assert not now.open


async def test_an_edited_post_is_read_anew(cases: CaseStore, x: Faulty, rereader: Rereader) -> None:
    """The draft for the old words is retired."""
    case = await with_a_draft(cases, a_mention())
    x.texts["x:post-1"] = "My bag is found"
    await rereader.look_again()
    now = await cases.load(case.id)

    assert (now.status, now.last.text, now.draft) == (Status.NEW, "My bag is found", None)


async def test_an_edit_after_the_answer_makes_nobody_answer_again(
    cases: CaseStore, x: Faulty, rereader: Rereader
) -> None:
    """The new words are kept, and the case stays answered (X11)."""
    case = await with_a_draft(cases, a_mention())
    await cases.save(moves.post_by_hand(case, by="Nina", at=NOON, text="Done"))
    x.texts["x:post-1"] = "Never mind"
    await rereader.look_again()
    now = await cases.load(case.id)

    assert (now.status, now.last.text) == (Status.ANSWERED, "Never mind")


async def test_each_mention_is_looked_at_twice_a_day(
    cases: CaseStore, x: Faulty, rereader: Rereader, clock: ManualClock
) -> None:
    """X wants what it deleted gone within 24 hours (X12)."""
    await saved(cases, a_mention())
    await rereader.look_again()
    await rereader.look_again()
    assert x.asked == ["x:post-1"]
    clock.advance(EVERY)
    await rereader.look_again()

    assert x.asked == ["x:post-1", "x:post-1"]


async def test_a_fault_stops_the_look_and_the_next_one_goes_on(
    cases: CaseStore, x: Faulty, rereader: Rereader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From where it stopped, even in another process."""
    monkeypatch.setattr("listener.rereading.PAGE", 10)
    monkeypatch.setattr("listener.rereading.AT_ONCE", 10)
    posts = [
        a_mention(n, author=Author(f"a{n}", f"a{n}"), created_at=NOON + timedelta(seconds=n))
        for n in range(1, 41)
    ]
    await saved(cases, *posts)
    x.looks_until_fault = 3
    await rereader.look_again()
    assert len(x.asked) == 20
    again = Rereader(cases, rereader.cursors, {"x": x}, rereader.clock, rereader.forget)
    await again.look_again()

    assert sorted(x.asked) == sorted(post.key for post in posts)


async def test_a_colleague_s_answer_on_the_platform_keeps_the_promise(
    cases: CaseStore, x: Faulty, rereader: Rereader
) -> None:
    """Copy, open, post: Heard finds the reply by itself, and nobody needs to say "I posted it"."""
    case = await with_a_draft(cases, a_mention())
    assert await rereader.look_for_answers() == 0
    x.others["x:post-1"] = "reply-of-nina"
    assert await rereader.look_for_answers() == 1
    now = await cases.load(case.id)

    assert (now.status, now.replies[-1].id, now.replies[-1].by_hand) == (
        Status.ANSWERED,
        "reply-of-nina",
        True,
    )
    assert not [promise for promise in now.promises if promise.running]


async def test_a_colleague_s_answer_is_none_to_what_the_customer_writes_meanwhile(
    cases: CaseStore, x: Faulty, rereader: Rereader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found below the first post, written down once there is a second: that one is owed its answer."""
    case = await with_a_draft(cases, a_mention())
    x.others["x:post-1"] = "reply-of-nina"
    answered, second = x.answered, a_mention(2)

    async def slowly(mention: Mention, *, ours: frozenset[str]) -> str | None:
        found = await answered(mention, ours=ours)
        joined = moves.join(case, second, at=NOON, promises=PROMISES)
        judgement = moves.classify(joined.case, judged(), at=NOON, promises=PROMISES)
        draft = a_draft(answers=second.key)
        drafted = moves.propose(judgement.case, draft, permission=MAY_SEND, rule="r", why="", at=NOON)
        for moved in (joined, judgement, drafted):
            await cases.save(moved)
        return found

    monkeypatch.setattr(x, "answered", slowly)
    assert await rereader.look_for_answers() == 1
    now = await cases.load(case.id)

    assert (now.status, now.draft is not None) == (Status.DRAFTED, True)
    assert [(reply.id, reply.answers) for reply in now.replies] == [("reply-of-nina", case.last.key)]
    assert [promise for promise in now.promises if promise.running] == list(case.promises)


async def test_no_byte_of_a_deleted_text_is_left_on_disk(
    tmp_path: Path, clock: ManualClock, x: Faulty
) -> None:
    """Of a thousand posts a hundred are deleted: after the look none of their words is in any file (X12)."""
    async with open_store(None, tmp_path / "store") as store:
        cases = CaseStore(store)
        posts = [
            a_mention(n, text=f"unmistakable-{n:04}-words", author=Author(f"a{n}", f"a{n}"))
            for n in range(1_000)
        ]
        await saved(cases, *posts)
        gone = posts[::10]
        x.texts = {post.key: None for post in gone}
        await Rereader(cases, Cursors(store), {"x": x}, clock, store.forget_deleted).look_again()

        def on_disk() -> bytes:
            folder = tmp_path / "store"
            return b"".join(f.read_bytes() for f in folder.rglob("*") if f.is_file())

        await until(lambda: b"unmistakable-0000-words" not in on_disk(), "the files to be written anew")
        kept = on_disk()

    assert [post.id for post in gone if post.text.encode() in kept] == []
    assert b"unmistakable-0001-words" in kept
