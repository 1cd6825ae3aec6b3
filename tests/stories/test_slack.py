"""A morning in Slack: a card, a click, a reply that the customer sees, and everybody told what came of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from casework import moves
from casework.case import Case, Status
from casework.clock import ManualClock, SystemClock
from casework.mention import Author, Mention
from config.brand_file import HoursPart
from config.heralds import Heralds, LogHerald
from config.places import demo_brand
from config.slack import SlackSide, slack_side
from config.wiring import Line, put_together
from platforms.feed import Feed
from platforms.platform import Heard
from platforms.replay import ReplayPlatform, ReplyRecord
from streams.budget import SharedBudget
from streams.connection import Store
from tests.fakes.slack_people import Person
from tests.fakes.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer, open_slack
from tests.fakes.slack_things import Message
from tests.fakes.waiting import until
from tests.stories.conftest import ReadyModel

pytestmark = pytest.mark.timeout(40)

CARE, LEADS = "C0SOCIAL", "C0MANAGERS"


@dataclass
class Morning:
    """Aurora Air at work: the line, Slack beside it, and two colleagues with a manager."""

    store: Store
    line: Line
    side: SlackSide
    slack: SlackServer
    record: ReplyRecord
    nina: Person
    omar: Person
    mona: Person
    posts: int = 0

    async def write(self, text: str, author: str = "maya") -> Case:
        """A customer posts, and the line does what it does by itself."""
        self.posts += 1
        mention = Mention(
            "x", f"{self.posts}", Author(author, author, author.title()), text, self.line.clock.now()
        )
        await self.line.listener("story").take_in([Heard(mention, str(self.posts))])
        await self.settle()
        found = {m.key: c.id async for c in self.line.cases.every() for m in c.mentions}
        return await self.line.cases.load(found[mention.key])

    async def settle(self) -> None:
        """Let every stage do what is left to do."""
        busy = True
        while busy:
            busy = bool(await self.line.promise_clock.sweep())
            for consumer in self.line.consumers.values():
                busy = bool(await consumer.step()) or busy

    async def drafted(self, text: str) -> Case:
        """A case with a draft that Nina may approve."""
        case = await self.write(text)
        return await self.line.cases.move(
            case.id,
            lambda c: moves.edit(
                c,
                by="Sky",
                at=self.line.clock.now(),
                text=f"Hi Maya, we are looking for it. ({c.id})",
                draft_id="by-sky",
            ),
        )

    async def card(self, case: Case, word: str) -> Message:
        """The case's card once it says a word."""

        def cards() -> list[Message]:
            return [m for m in self.slack.messages(CARE) if case.id in str(m.metadata) and word in said(m)]

        await until(lambda: bool(cards()), f"a card of {case.id} that says {word}", within_s=20)
        (card,) = cards()
        return card


def said(message: Message) -> str:
    """Everything that a message shows."""

    def words(value: Any) -> str:
        if isinstance(value, dict):
            return " ".join(
                str(v) if k == "text" and isinstance(v, str) else words(v) for k, v in value.items()
            )
        return " ".join(map(words, value)) if isinstance(value, list) else ""

    return f"{message.text} {words(list(message.blocks))}"


@pytest.fixture
async def morning(store: Store, tmp_path: Path) -> AsyncIterator[Morning]:
    """Nothing heard yet; Nina and Omar may approve, Mona leads."""
    async with open_slack() as slack:
        slack.channel(CARE, "social-care")
        slack.channel(LEADS, "social-leads")
        nina, omar, mona = (slack.person(name) for name in ("Nina", "Omar", "Mona"))
        slack.group("S0CARE", "social-care", [nina, omar])
        slack.group("S0LEADS", "social-leads", [mona])
        clock, brand = SystemClock(), demo_brand()
        side = slack_side(
            brand,
            store,
            clock=clock,
            budget=SharedBudget(store, clock),
            token=BOT_TOKEN,
            app_token=APP_TOKEN,
            api_url=slack.url,
        )
        record = ReplyRecord(tmp_path / "replies.sqlite3")
        with put_together(
            store,
            brand,
            clock=clock,
            model=ReadyModel(),
            platforms={"*": ReplayPlatform(Feed("story", ()), record, clock)},
            herald=Heralds([LogHerald(), side.herald]),
            locks=tmp_path / "locks",
        ) as line:
            async with running(side):
                yield Morning(store, line, side, slack, record, nina, omar, mona)


@asynccontextmanager
async def running(side: SlackSide) -> AsyncIterator[None]:
    """Slack beside the line, until the block ends."""
    task = asyncio.create_task(side.run())
    try:
        await until(
            lambda: side.sockets is not None and side.sockets.state().ok and bool(side.desk.team().id),
            "Slack to be connected",
        )
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await side.web.close()


async def test_nina_approves_and_maya_gets_the_reply(morning: Morning) -> None:
    """The card changes, the customer sees exactly the words, and the card says that it is answered."""
    case = await morning.drafted("Where is my bag?")
    card = await morning.card(case, "we are looking for it")
    await morning.nina.clicks(card, "card.approve")
    await until_status(morning, case, Status.APPROVED)
    await morning.settle()
    answered = await morning.card(case, "Answered")

    assert [reply.text for reply in morning.record.every()] == [
        f"Hi Maya, we are looking for it. ({case.id})"
    ]
    assert "Nina" in said(answered)
    assert answered.ts == card.ts


async def test_whoever_comes_second_is_told_who_was_faster(morning: Morning) -> None:
    """Omar presses what he still sees; nothing happens but an answer for him alone."""
    case = await morning.drafted("Where is my bag?")
    card = (await morning.card(case, "we are looking for it")).seen()
    await morning.nina.clicks(card, "card.approve")
    await until_status(morning, case, Status.APPROVED)
    await morning.omar.clicks(card, "card.approve")
    await until(lambda: bool(morning.omar.sees().ephemerals), "Omar to be told")
    await morning.settle()

    assert "Nina" in morning.omar.sees().ephemerals[0].text
    assert len(morning.record.every()) == 1


async def test_a_stranger_decides_nothing_and_is_told_whom_to_ask(morning: Morning) -> None:
    """Membership of the channel is not permission (T5)."""
    stranger = morning.slack.person("Stranger")
    case = await morning.drafted("Where is my bag?")
    card = await morning.card(case, "we are looking for it")
    await stranger.clicks(card, "card.approve")
    await until(lambda: bool(stranger.sees().ephemerals), "the stranger to be told")

    assert "approver" in stranger.sees().ephemerals[0].text
    assert (await morning.line.cases.load(case.id)).status is not Status.APPROVED


async def test_what_is_decided_at_the_web_desk_shows_on_the_card(morning: Morning) -> None:
    """Within two seconds, and its buttons are gone."""
    case = await morning.drafted("Where is my bag?")
    await morning.card(case, "we are looking for it")
    await morning.line.cases.move(
        case.id, lambda c: moves.close(c, by="Mona", at=morning.line.clock.now(), reason="answered by phone")
    )
    began = asyncio.get_running_loop().time()
    closed = await morning.card(case, "answered by phone")

    assert asyncio.get_running_loop().time() - began < 2
    assert "card.approve" not in str(closed.blocks)


async def test_a_deleted_post_leaves_slack_too(morning: Morning) -> None:
    """The card loses the words (X12)."""
    case = await morning.drafted("My unmistakable-words are gone")
    await morning.card(case, "unmistakable-words")
    await morning.line.cases.move(
        case.id, lambda c: moves.withdraw(c, mention_key=c.last.key, at=morning.line.clock.now())
    )
    await morning.card(case, "deleted")

    assert not [m for m in morning.slack.messages(CARE) if "unmistakable-words" in said(m)]


async def test_home_is_a_checklist_first_and_the_queue_then(morning: Morning) -> None:
    """Nina opens Heard before and after the first case."""
    await morning.nina.opens_home()
    await until(lambda: "Welcome to Heard" in home_of(morning.nina), "the checklist")
    case = await morning.drafted("Where is my bag?")
    await morning.card(case, "we are looking for it")
    await morning.nina.opens_home()
    await until(lambda: "Your queue" in home_of(morning.nina), "the queue")

    assert "Maya" in home_of(morning.nina)


def home_of(person: Person) -> str:
    """Everything in somebody's App Home."""
    home = person.sees().home
    return "" if home is None else str(home.body)


async def test_what_the_customer_writes_next_is_in_the_thread(morning: Morning) -> None:
    """Once, as a quotation that Slack does not parse; the old draft is gone from the card."""
    case = await morning.drafted("Where is my bag?")
    card = await morning.card(case, "we are looking for it")
    morning.posts += 1
    again = replace(case.last, id="2", text="Hello? <!channel> *anybody*?", in_reply_to=case.last.id)
    await morning.line.listener("story").take_in([Heard(again, "2")])
    await morning.settle()
    await until(lambda: any("anybody" in said(m) for m in morning.slack.thread(card)), "the follow-up")
    lines = [m for m in morning.slack.thread(card) if "anybody" in said(m)]

    assert len(lines) == 1
    assert "<!channel>" not in lines[0].text


async def test_a_broken_promise_is_on_the_managers_board(morning: Morning) -> None:
    """One message, with the case, and why it is late."""
    case = await morning.drafted("Where is my bag?")
    case = await morning.line.cases.load(case.id)
    past = morning.line.clock.now() - timedelta(minutes=3)
    broken = tuple(replace(p, due_at=past, warn_at=(), ladder=((past, "managers"),)) for p in case.promises)
    late = replace(case, promises=broken)
    moved = moves.note(late, by="Sky", at=morning.line.clock.now(), text="checked")
    await morning.line.cases.save(moved)
    settling = asyncio.create_task(keep_settling(morning))
    await until(
        lambda: any(case.id in said(m) for m in morning.slack.messages(LEADS)), "the board", within_s=30
    )
    settling.cancel()

    (board,) = morning.slack.messages(LEADS)
    assert "missed" in said(board)
    assert "Where is my bag" not in said(board)


async def test_who_took_a_case_and_left_is_asked_and_then_it_is_everybodys(morning: Morning) -> None:
    """Nina is asked in a direct message; after five minutes the card and its thread say that it is free."""
    case = await morning.drafted("Where is my bag?")
    card = await morning.card(case, "we are looking for it")
    await morning.nina.clicks(card, "card.take")
    await morning.card(case, "Nina has it")
    names, now = morning.side.desk.names, morning.line.clock.now()
    assert await names.id_of("Nina") == morning.nina.id
    await look_at_leases(morning, now + timedelta(minutes=30))
    (question,) = morning.nina.sees().dms
    assert f"Are you still on case {case.id}?" in question.text
    await look_at_leases(morning, now + timedelta(minutes=35))
    await morning.card(case, "unassigned since Heard released it")
    await until(
        lambda: any("gave no answer" in said(m) for m in morning.slack.thread(card)), "the thread to say why"
    )
    await morning.nina.clicks(question, "lease.yes")
    await morning.card(case, "Nina has it")


async def look_at_leases(morning: Morning, instant: datetime) -> None:
    """What the side does about leases at a later instant; the brand is always open."""
    brand, clock = morning.side.brand, ManualClock(instant)
    later = slack_side(
        replace(brand, file=brand.file.model_copy(update={"hours": HoursPart()})),
        morning.store,
        clock=clock,
        budget=SharedBudget(morning.store, clock),
        token=BOT_TOKEN,
        api_url=morning.slack.url,
    )
    await later.leases.step()
    await later.web.close()


async def keep_settling(morning: Morning) -> None:
    while True:
        await morning.settle()
        await asyncio.sleep(0.2)


async def until_status(morning: Morning, case: Case, status: Status) -> None:
    """Return once the case stands there."""
    for _ in range(500):
        if (await morning.line.cases.load(case.id)).status is status:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{case.id} never became {status}")


async def test_a_reply_is_deleted_from_slack_where_the_customer_reads_it(morning: Morning) -> None:
    """A wrong answer is taken back: it is gone on the platform, and the case waits for a better one."""
    case = await morning.drafted("Where is my bag?")
    await morning.nina.clicks(await morning.card(case, "we are looking for it"), "card.approve")
    await until_status(morning, case, Status.APPROVED)
    await morning.settle()
    await morning.nina.clicks(await morning.card(case, "Answered"), "card.takeback")
    for _ in range(200):
        await morning.settle()
        if (await morning.line.cases.load(case.id)).status is Status.HELD:
            break
        await asyncio.sleep(0.02)

    assert morning.record.every() == []
    assert (await morning.line.cases.load(case.id)).why == "a reply was taken back"
