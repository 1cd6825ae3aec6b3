"""Slack shows every case once, at its newest, at Slack's pace, whatever dies or is refused meanwhile."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casework import moves
from casework.case import Case
from casework.clock import ManualClock
from casework.errors import TryAgainLater
from casework.mention import Author
from casework.sla import Alert, PromiseState
from escalation.delivery import (
    AGAIN,
    FLOOD_EVERY,
    IDLE,
    LOOK_AFTER,
    PROBE,
    WORKSPACE,
    Delivery,
    Drawing,
    Flood,
)
from escalation.slack_herald import SlackHerald
from escalation.slack_payload import Payload, context, esc, quote, section
from escalation.slack_web import Lost, SlackTrouble, Web
from platforms.limits import Budget, OwnBudget
from streams import topics
from streams.budget import SharedBudget
from streams.cards import LEASE, Card, CardIndex
from streams.case_store import CaseStore, Write
from streams.connection import Store
from streams.forgetting import People, Person
from tests.fakes.cases import MAY_SEND, MINUTE, NOON, PROMISES, a_draft, a_mention, judged
from tests.fakes.slack_server import BOT_TOKEN, SlackServer, open_slack
from tests.fakes.slack_things import Message
from tests.fakes.slack_wire import Fate, answer_lost, broken, ratelimited, refused, unheard

CARE, LEADS = "C0SOCIAL", "C0LEADS"
SECOND = timedelta(seconds=1)


# ── how things look here ─────────────────────────────────────────────────────────────────────────


async def draw(case: Case) -> Payload:
    """A card that shows what these tests look for: the version, the status and the words."""
    head = section(f"{case.id} {case.status} {case.owner or '-'}", f"head:{case.version}")
    metadata: dict[str, object] = {"event_type": "case_card", "event_payload": {"case": case.id}}
    return Payload(f"Case {case.id}.", (head, quote(case.last.text or " ", f"q:{case.version}")), metadata)


def draw_flood(flood: Flood) -> Payload:
    told = f"Flood: {flood.held_back} held back, {flood.late} late"
    return Payload(told, (section(told, "flood"),))


async def draw_breach(cases: Sequence[Case]) -> Payload:
    told = f"{len(cases)} promises broken"
    return Payload(told, (section(told, "late"), context("who", ", ".join(esc(c.id) for c in cases) or "-")))


class Killed(BaseException):
    """The process ends here."""


class Doomed:
    """Something whose calls are counted, and whose process ends before or after one of them."""

    def __init__(self, inner: Any, counter: "itertools.count[int]", dies_at: int, after: bool) -> None:
        self._inner, self._counter, self._dies_at, self._after = inner, counter, dies_at, after

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            dies = next(self._counter) == self._dies_at
            if dies and not self._after:
                raise Killed
            result = await inner(*args, **kwargs)
            if dies:
                raise Killed
            return result

        return call


@dataclass
class Office:
    """A workspace, a store and a delivery between them, on one clock that waiting moves."""

    store: Store
    cases: CaseStore
    clock: ManualClock
    slack: SlackServer
    web: Web
    cards: CardIndex
    budget: Budget
    drawing: Drawing = field(default_factory=lambda: Drawing(draw, draw_flood, draw_breach))
    channel: str = CARE
    delivery: Delivery = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, web: Any = None, cards: Any = None) -> Delivery:
        """A new process."""
        self.delivery = Delivery(
            web or self.web,
            cards or self.cards,
            self.cases,
            self.budget,
            self.clock,
            channel=self.channel,
            drawing=self.drawing,
            sleep=self.sleep,
        )
        return self.delivery

    async def sleep(self, seconds: float) -> None:
        """Time passes for everybody."""
        self.clock.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    async def settled(self, within: timedelta = 6 * 60 * MINUTE) -> None:
        """Deliver until nothing is dirty."""
        end = self.clock.now() + within
        while await self.cards.waiting():
            assert self.clock.now() < end, "it was never settled"
            await self._once(end)

    async def passes(self, time: timedelta) -> None:
        """Deliver for a while."""
        end = self.clock.now() + time
        while self.clock.now() < end:
            await self._once(end)

    async def _once(self, end: datetime) -> None:
        """One step; where the loop would only look again and again, time jumps to what is next."""
        wait = await self.delivery.step()
        if wait == IDLE:
            ready, later = await self._next()
            wait = max(wait, min(later, end) - self.clock.now()) if not ready else wait
        await self.sleep(wait.total_seconds())

    async def _next(self) -> tuple[int, datetime]:
        first: Any = await self.store.writes.zrange("{cards}:later", 0, 0, withscores=True)
        at = datetime.fromtimestamp(first[0][1] / 1000, UTC) if first else datetime.max.replace(tzinfo=UTC)
        return int(await self.store.writes.zcard("{cards}:ready")), at

    async def case(self, number: int = 1, text: str = "My bag is lost!") -> Case:
        """A case that waits for a person."""
        return (await self.open_cases([number], text))[0]

    async def open_cases(self, numbers: Sequence[int], text: str = "My bag is lost!") -> list[Case]:
        """Cases of as many customers, with drafts before people."""
        opened = []
        for number in numbers:
            author = Author(id=f"author-{number}", handle=f"h{number}", name=f"Customer {number}")
            mention = a_mention(number, text, author=author, created_at=NOON)
            case_id = topics.case_id(number, topics.partition_of("x", author.id))
            steps = [moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES)]
            steps.append(moves.classify(steps[-1].case, judged(), at=NOON, promises=PROMISES))
            draft = a_draft(answers=mention.key)
            steps.append(
                moves.propose(steps[-1].case, draft, permission=MAY_SEND, rule="refunds", why="", at=NOON)
            )
            await self.cases.save_all([Write(step) for step in steps])
            opened.append(steps[-1].case)
        return opened

    async def announce(self, *cases: Case, urgent: bool = False) -> None:
        for case in cases:
            await self.cards.dirty(case.id, at=self.clock.now(), urgent=urgent)

    async def takes(self, case: Case, by: str = "Nina") -> Case:
        """A person takes a case, at the desk."""
        now = await self.cases.load(case.id)
        taken = await self.cases.save(moves.take(now, by=by, at=self.clock.now()))
        await self.announce(taken, urgent=True)
        return taken

    def shown(self, case: Case) -> list[Message]:
        """The cards of a case in Slack."""
        return [
            message
            for message in self.slack.messages(CARE)
            if message.metadata and message.metadata["event_payload"].get("case") == case.id
        ]

    def the_card(self, case: Case) -> Message:
        """The one card of a case."""
        (message,) = self.shown(case)
        return message

    def flood_messages(self) -> list[Message]:
        return [message for message in self.slack.messages(CARE) if message.text.startswith("Flood")]

    async def trouble(self, name: str) -> str:
        card = await self.cards.of(name)
        return card.trouble if card else ""


@pytest.fixture
async def office(store: Store, cases: CaseStore, clock: ManualClock) -> AsyncIterator[Office]:
    """Everything, with nothing in it."""
    async with (
        open_slack(seed=7, clock=lambda: clock.now().timestamp()) as slack,
        Web(BOT_TOKEN, slack.url, now=lambda: clock.now().timestamp()) as web,
    ):
        # The shared budget forgets by the store's own time, which the clock here runs ahead of and behind.
        yield Office(store, cases, clock, slack, web, CardIndex(store), OwnBudget(clock.now))


def head(message: Message) -> str:
    return str(message.blocks[0]["text"]["text"])


# ── one card ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_case_is_posted_once_and_drawn_again_in_place(office: Office) -> None:
    """However often it is announced; always with its blocks."""
    case = await office.case()
    await office.announce(case, case)
    await office.settled()
    await office.announce(case)
    await office.takes(case)
    await office.settled()

    message = office.the_card(case)
    assert head(message) == f"{case.id} drafted Nina"
    assert len(office.slack.calls("chat.postMessage")) == 1
    assert [len(v.blocks) for v in message.versions] == [2, 2]
    card = await office.cards.of(case.id)
    assert card is not None
    assert (card.ts, card.shown, card.trouble) == (message.ts, case.version + 1, "")


async def test_what_looks_the_same_is_not_drawn_again(office: Office) -> None:
    """Announcing costs none of Slack's forty updates a minute."""
    case = await office.case()
    for _ in range(5):
        await office.announce(case)
        await office.settled()
    assert office.slack.calls("chat.update") == []


async def test_many_changes_are_drawn_as_one(office: Office) -> None:
    """The newest is what is shown."""
    case = await office.case()
    await office.announce(case)
    await office.settled()
    for name in ("Nina", "Sam", "Lena"):
        await office.takes(case, by=name)
    await office.settled()

    assert head(office.the_card(case)).endswith("Lena")
    assert len(office.slack.calls("chat.update")) == 1


async def test_a_case_that_needs_nobody_is_given_no_card(office: Office) -> None:
    """It was answered or closed before its turn came."""
    case = await office.case()
    await office.cases.save(moves.close(case, by="Nina", at=NOON, reason="solved by phone"))
    await office.announce(case)
    await office.cards.dirty("C-6400", at=NOON)
    await office.settled()

    assert office.slack.messages(CARE) == []


async def test_an_older_version_is_never_shown_over_a_newer_one(office: Office) -> None:
    """A process that slept wakes up with what it had, and draws it; it is put right."""
    case = await office.case()
    await office.announce(case)
    await office.settled()
    old = await office.cases.load(case.id)
    await office.takes(case)
    await office.settled()

    class Asleep:
        """The cases as they were."""

        async def load_all(self, names: Sequence[str]) -> list[Case | None]:
            return [old for _ in names]

    sleeper = office.restart()
    sleeper._cases = Asleep()  # type: ignore[assignment]
    await office.announce(case)
    await sleeper.step()
    assert head(office.the_card(case)).endswith("Nina")

    # It had looked at the index before it fell asleep.
    card = await office.cards.of(case.id)
    assert card is not None
    stale = replace(card, shown=0)

    class OldIndex(CardIndex):
        """The index as it was."""

        async def of(self, name: str) -> Card | None:
            return stale

    sleeper._cards = OldIndex(office.store)
    await office.announce(case)
    await sleeper.step()
    assert head(office.the_card(case)).endswith("-")
    office.restart()
    await office.settled()
    assert head(office.the_card(case)).endswith("Nina")


async def test_a_card_that_somebody_deleted_is_posted_again_when_it_is_needed(office: Office) -> None:
    """And not when the case is over."""
    first, second = await office.open_cases([1, 2])
    await office.announce(first, second)
    await office.settled()
    for case in (first, second):
        office.the_card(case).deleted = True
    await office.takes(first)
    await office.cases.save(moves.close(second, by="Nina", at=NOON, reason="solved"))
    await office.announce(second, urgent=True)
    await office.settled()

    assert head(office.the_card(first)).endswith("Nina")
    assert office.shown(second) == []


# ── never twice ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
async def test_whenever_it_dies_there_is_one_card(office: Office, after: bool) -> None:
    """Killed at every single call to Slack or the store, and started again."""
    dies_at, survived = 0, False
    numbers = itertools.count(1)
    while not survived:
        case = await office.case(next(numbers))
        office.slack.passes(700)
        office.clock.advance(timedelta(seconds=700))
        await office.announce(case)
        counter = itertools.count()
        doomed = [Doomed(inner, counter, dies_at, after) for inner in (office.web, office.cards)]
        office.restart(*doomed)
        try:
            while await office.cards.waiting():
                await office.delivery.step()
            survived = True
        except Killed:
            pass
        office.restart()
        await office.settled(within=10 * MINUTE)
        assert head(office.the_card(case)) == f"{case.id} drafted -"
        taken = await office.takes(case)
        await office.settled(within=10 * MINUTE)
        assert head(office.the_card(taken)).endswith("Nina")
        dies_at += 1
    assert dies_at > 10


@pytest.mark.parametrize(
    ("fate", "posts"), [(answer_lost(), 1), (unheard(), 2), (broken(500), 2)], ids=["lost", "unheard", "500"]
)
async def test_a_lost_answer_is_looked_for(office: Office, fate: Fate, posts: int) -> None:
    """What is there is recorded, what is not is posted again; not before it may have arrived."""
    case = await office.case()
    office.slack.next("chat.postMessage", fate)
    await office.announce(case)
    began = office.clock.now()
    await office.settled(within=2 * MINUTE)

    assert office.the_card(case).ts == (await office.cards.of(case.id)).ts  # type: ignore[union-attr]
    assert len(office.slack.calls("chat.postMessage")) == posts
    (look,) = office.slack.calls("conversations.history")
    assert look.at >= (began + LOOK_AFTER).timestamp()


async def test_an_answer_that_is_lost_while_the_case_moves_on(office: Office) -> None:
    """The card that is found shows what was; it is drawn again as it is."""
    case = await office.case()
    office.slack.next("chat.postMessage", answer_lost())
    await office.announce(case)
    await office.delivery.step()
    await office.takes(case)
    await office.settled(within=2 * MINUTE)

    assert head(office.the_card(case)).endswith("Nina")


async def test_every_second_answer_is_lost(office: Office) -> None:
    """Fifteen cards and their changes, each there once and at its newest."""
    cases = await office.open_cases(range(1, 16))
    for method in ("chat.postMessage", "chat.update"):
        office.slack.next(method, *[fate for _ in range(12) for fate in (answer_lost(), unheard())])
    await office.announce(*cases)
    await office.passes(10 * SECOND)
    for case in cases[:8]:
        await office.takes(case)
    await office.settled()

    assert [head(office.the_card(case)).endswith("Nina") for case in cases] == [True] * 8 + [False] * 7


async def test_two_deliveries_post_each_card_once(office: Office) -> None:
    """They share what is dirty, and Slack's pace."""
    cases = await office.open_cases(range(1, 13))
    office.budget = SharedBudget(office.store, office.clock)
    await office.announce(*cases)
    first, second = office.restart(), office.restart()
    while await office.cards.waiting():
        await asyncio.gather(first.step(), second.step())
        await office.sleep(0.1)

    assert Counter(len(office.shown(case)) for case in cases) == {1: 12}
    assert office.slack.too_many() == 0


async def test_without_the_scope_to_look_a_case_is_still_seen(office: Office) -> None:
    """Two cards are ugly, none is worse."""
    office.slack.tokens[BOT_TOKEN].scopes.remove("channels:history")
    case = await office.case()
    office.slack.next("chat.postMessage", unheard())
    await office.announce(case)
    await office.settled(within=2 * MINUTE)

    assert len(office.shown(case)) == 1


# ── pace ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(180)
async def test_a_burst_of_five_hundred(office: Office) -> None:
    """None lost, none twice, at most one post a second, one message of the flood; and then all the cards."""
    cases = await office.open_cases(range(1, 501))
    await office.announce(*cases)
    await office.passes(5 * SECOND)
    (flood,) = office.flood_messages()
    assert flood.text == "Flood: 480 held back, 0 late"
    await office.passes(9 * MINUTE)
    assert [len(office.shown(case)) for case in cases] == [1] * 20 + [0] * 480

    for case in cases[300:310]:
        await office.takes(case)
    await office.passes(MINUTE)
    assert [head(office.the_card(case)).endswith("Nina") for case in cases[300:310]] == [True] * 10

    for case in cases[310:400]:
        now = await office.cases.load(case.id)
        closed = moves.close(now, by="Sam", at=office.clock.now(), reason="one answer for all")
        await office.cases.save(closed)
    await office.settled()

    assert Counter(len(office.shown(case)) for case in cases[:310] + cases[400:]) == {1: 410}
    assert all(len(office.shown(case)) <= 1 for case in cases)
    assert office.slack.too_many() == 0
    assert [message.text for message in office.flood_messages()] == ["Flood: 0 held back, 0 late"]
    at = [call.at for call in office.slack.calls("chat.postMessage")]
    assert min(later - earlier for earlier, later in itertools.pairwise(at)) > 0.999
    new = sorted(float(office.the_card(case).ts) for case in cases[:300])
    assert all(later - earlier >= 590 for earlier, later in zip(new, new[20:], strict=False))
    drawn = [version.at for version in flood.versions]
    assert min(b - a for a, b in itertools.pairwise(drawn)) >= FLOOD_EVERY.total_seconds()


async def test_the_next_flood_is_another_message(office: Office) -> None:
    """The first one stays as it ended."""
    for start in (1, 101):
        await office.announce(*await office.open_cases(range(start, start + 25)))
        await office.settled()
        office.clock.advance(15 * MINUTE)

    assert [message.text for message in office.flood_messages()] == ["Flood: 0 held back, 0 late"] * 2


async def test_people_go_first(office: Office) -> None:
    """Sixty cards change by themselves, and one because somebody pressed: that one within seconds."""
    cases = await office.open_cases(range(1, 61))
    await asyncio.gather(*(office.takes(case) for case in cases))
    await office.settled()
    for case in cases:
        now = await office.cases.load(case.id)
        await office.announce(await office.cases.save(moves.note(now, by="heard", at=NOON, text="n")))
    await office.passes(20 * SECOND)
    waiting = await office.cards.waiting()
    last = await office.takes(cases[-1])
    began = office.clock.now()
    await office.passes(2 * SECOND)

    assert waiting > 20
    assert head(office.the_card(last)).endswith("Nina")
    assert office.the_card(last).now.at - began.timestamp() < 2
    await office.settled()
    assert office.slack.too_many() == 0
    updates = [call.at for call in office.slack.calls("chat.update")]
    assert all(b - a >= 60 for a, b in zip(updates, updates[40:], strict=False))


async def test_a_storm_of_429(office: Office) -> None:
    """The whole method rests for as long as Slack says, for every process; nothing is lost."""
    cases = await office.open_cases(range(1, 11))
    office.slack.next("chat.postMessage", *[ratelimited(30), ratelimited(170), ratelimited(7)])
    await office.announce(*cases)
    while await office.cards.waiting():
        office.restart()
        wait = await office.delivery.step()
        await office.sleep(max(wait.total_seconds(), 0.05))

    assert [len(office.shown(case)) for case in cases] == [1] * 10
    first = [call.at for call in office.slack.calls("chat.postMessage")][:4]
    assert [b - a >= rest for (a, b), rest in zip(itertools.pairwise(first), (30, 170, 7), strict=True)] == [
        True
    ] * 3
    assert await office.trouble(cases[0].id) == ""


async def test_updates_rest_when_slack_says_so(office: Office) -> None:
    """Posts go on meanwhile."""
    first, second = await office.open_cases([1, 2])
    await office.announce(first)
    await office.settled()
    office.slack.next("chat.update", ratelimited(60))
    await office.takes(first)
    await office.delivery.step()
    await office.announce(second)
    await office.passes(30 * SECOND)
    assert len(office.shown(second)) == 1
    assert head(office.the_card(first)).endswith("-")
    await office.passes(31 * SECOND)
    assert head(office.the_card(first)).endswith("Nina")


# ── what Slack refuses ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("breaks", "mends", "words"),
    [
        (
            lambda slack: slack.channels.pop(CARE),
            lambda slack: slack.channel(CARE, "social-care"),
            "brand.yaml",
        ),
        (
            lambda slack: slack.channels[CARE].members.clear(),
            lambda slack: slack.channels[CARE].members.append("U0HEARD"),
            "/invite @heard",
        ),
        (
            lambda slack: setattr(slack.channels[CARE], "archived", True),
            lambda slack: setattr(slack.channels[CARE], "archived", False),
            "archived",
        ),
        (
            lambda slack: slack.always("chat.postMessage", refused("restricted_action")),
            lambda slack: slack.always("chat.postMessage", None),
            "admin",
        ),
        (lambda slack: slack.revoke(), lambda slack: slack.revoke(trouble=""), "HEARD_SLACK__BOT_TOKEN"),
    ],
    ids=["no such channel", "not invited", "archived", "restricted", "revoked"],
)
async def test_a_trouble_is_said_and_once_it_is_mended_nothing_was_lost(
    office: Office,
    breaks: Callable[[SlackServer], object],
    mends: Callable[[SlackServer], object],
    words: str,
) -> None:
    """The desk can say why there is no card; and Slack is asked now and then, not for every case."""
    breaks(office.slack)
    cases = await office.open_cases(range(1, 16))
    await office.announce(*cases)
    await office.passes(20 * MINUTE)
    assert words in await office.trouble(cases[0].id)
    assert await office.cards.waiting() == 15
    asked = len(office.slack.calls("chat.postMessage")) + len(office.slack.calls("auth.test"))
    assert asked <= 20 * MINUTE / PROBE + 2

    mends(office.slack)
    await office.settled(within=3 * MINUTE)
    assert [len(office.shown(case)) for case in cases] == [1] * 15
    assert [await office.trouble(name) for name in (cases[0].id, WORKSPACE)] == ["", ""]


async def test_a_revoked_token_is_a_trouble_of_the_whole_workspace(office: Office) -> None:
    """Said once for all, and found mended by a new process too."""
    case = await office.case()
    await office.announce(case)
    office.slack.revoke()
    await office.passes(MINUTE)
    assert "revoked" in await office.trouble(WORKSPACE)
    office.slack.revoke(trouble="")
    office.restart()
    await office.settled(within=2 * MINUTE)
    assert await office.trouble(WORKSPACE) == ""


async def test_a_channel_that_is_mended_takes_a_persons_case_at_once(office: Office) -> None:
    """Others wait for the next look."""
    case = await office.case()
    office.slack.channels[CARE].members.clear()
    await office.announce(case)
    await office.passes(SECOND)
    office.slack.channels[CARE].members.append("U0HEARD")
    await office.takes(case)
    await office.passes(2 * SECOND)
    assert len(office.shown(case)) == 1


async def test_a_card_that_slack_cannot_show_is_a_link(office: Office) -> None:
    """A person sees that there is a case, and where; its next version is tried whole."""
    office.drawing = replace(office.drawing, page=lambda case: f"http://127.0.0.1:8400/cases/{case}")
    office.restart()
    office.slack.refused_blocks.add("rich_text")
    case = await office.case()
    await office.announce(case)
    await office.settled(within=MINUTE)
    message = office.the_card(case)
    assert f"<http://127.0.0.1:8400/cases/{case.id}|Open {case.id} on the web desk>" in head(message)
    assert "cannot show" in await office.trouble(case.id)
    assert len(office.slack.calls("chat.postMessage")) == 2

    office.slack.refused_blocks.clear()
    await office.takes(case)
    await office.settled(within=MINUTE)
    assert head(office.the_card(case)).endswith("Nina")
    assert await office.trouble(case.id) == ""


async def test_a_card_that_slack_never_shows_keeps_its_reason(office: Office) -> None:
    """It is tried again every ten minutes, or when the case changes; others go on."""
    first, second = await office.open_cases([1, 2])
    office.slack.next("chat.postMessage", refused("invalid_blocks"), refused("invalid_blocks"))
    await office.announce(first)
    await office.passes(5 * SECOND)
    await office.announce(second)
    await office.passes(5 * SECOND)
    assert office.shown(first) == []
    assert len(office.shown(second)) == 1
    assert "cannot show" in await office.trouble(first.id)
    await office.passes(AGAIN)
    assert len(office.shown(first)) == 1


async def test_a_card_that_cannot_be_drawn_is_a_link_too(office: Office) -> None:
    """A bug with one stranger's words hides no case."""

    async def draws_badly(case: Case) -> Payload:
        raise KeyError(case.last.text)

    office.drawing = replace(office.drawing, card=draws_badly)
    office.restart()
    case = await office.case()
    await office.announce(case)
    await office.settled()
    assert f"Case {case.id}" in office.the_card(case).text


async def test_one_record_that_cannot_be_read_stops_nobody(office: Office) -> None:
    """It is said, and the others are delivered."""
    first, second = await office.open_cases([1, 2])
    await office.store.writes.hset(topics.case_key(first.id), "s", b"\xffnonsense")
    await office.announce(first, second)
    await office.passes(5 * SECOND)
    assert len(office.shown(second)) == 1
    assert "version" in await office.trouble(first.id)


async def test_slack_is_down_for_an_hour(office: Office) -> None:
    """What came meanwhile is there afterwards."""
    case = await office.case()
    await office.slack.down()
    await office.announce(case)
    await office.passes(60 * MINUTE)
    assert "cannot be reached" in await office.trouble(case.id)
    await office.slack.up()
    await office.settled(within=2 * MINUTE)
    assert len(office.shown(case)) == 1


async def test_what_is_wrong_with_slack_is_said_until_it_takes_something(office: Office) -> None:
    """In words, for the health page; and what waited is there within twenty seconds of Slack's return."""
    case = await office.case()
    assert office.delivery.trouble() == ""
    office.slack.always("chat.postMessage", broken(503))
    await office.announce(case)
    await office.passes(5 * MINUTE)
    assert office.delivery.trouble() == "Slack answers with errors (503)."

    office.slack.always("chat.postMessage", None)
    await office.settled(within=20 * SECOND)
    assert len(office.shown(case)) == 1
    assert office.delivery.trouble() == ""


@pytest.mark.parametrize("trouble", ["away", "revoked"])
async def test_cards_come_within_twenty_seconds_of_slacks_return(office: Office, trouble: str) -> None:
    """However long it could not be reached, or took no token."""
    case = await office.case()
    if trouble == "away":
        await office.slack.down()
    else:
        office.slack.revoke()
    await office.announce(case)
    await office.passes(30 * MINUTE)
    assert office.delivery.trouble()
    if trouble == "away":
        await office.slack.up()
    else:
        office.slack.revoke(trouble="")
    await office.settled(within=20 * SECOND)
    assert len(office.shown(case)) == 1


# ── threads ──────────────────────────────────────────────────────────────────────────────────────


def line(text: str = "Nina took it.") -> Payload:
    return Payload(text, (section(text, "line"),))


async def test_a_line_is_said_once_in_its_thread(office: Office) -> None:
    """However often it is asked for, and by whom."""
    case = await office.case()
    await office.announce(case)
    await office.settled()
    for _ in range(3):
        await office.restart().say(case, line(), "took:4")
    (said,) = office.slack.thread(office.the_card(case))
    assert said.text == "Nina took it."


@pytest.mark.parametrize("fate", [answer_lost(), unheard(), broken(500)], ids=["lost", "unheard", "500"])
async def test_a_line_whose_answer_is_lost_is_looked_for(office: Office, fate: Fate) -> None:
    """Whoever asks again is answered by what is there."""
    case = await office.case()
    await office.announce(case)
    await office.settled()
    office.slack.next("chat.postMessage", fate)
    with pytest.raises(TryAgainLater):
        await office.delivery.say(case, line(), "took:4")
    office.clock.advance(LOOK_AFTER)
    await office.restart().say(case, line(), "took:4")
    assert len(office.slack.thread(office.the_card(case))) == 1


async def test_a_line_waits_for_its_card(office: Office) -> None:
    """And what has no card has it said in the channel."""
    case = await office.case()
    with pytest.raises(TryAgainLater):
        await office.delivery.say(case, line(), "took:4")
    closed = await office.cases.save(moves.close(case, by="Nina", at=NOON, reason="solved"))
    await office.delivery.say(closed, line(), "took:4")
    (said,) = office.slack.messages(CARE)
    assert said.thread_ts is None


async def test_a_persons_line_goes_before_what_happens_by_itself(office: Office) -> None:
    """Eighteen cards wait for their second each; the line waits for the next one."""
    case = await office.case()
    await office.announce(case)
    await office.settled()
    await office.announce(*await office.open_cases(range(2, 20)))
    await office.delivery.step()
    began = office.clock.now()
    await office.delivery.say(case, line(), "took:4")
    assert office.clock.now() - began < 3 * SECOND


async def test_whenever_a_line_dies_it_is_said_once(office: Office) -> None:
    """Killed at every call, and asked for again."""
    case = await office.case()
    await office.announce(case)
    await office.settled()
    for after, dies_at in itertools.product((False, True), range(14)):
        key = f"took:{dies_at}:{after}"
        counter = itertools.count()
        doomed = [Doomed(inner, counter, dies_at, after) for inner in (office.web, office.cards)]
        office.clock.advance(2 * SECOND)
        try:
            await office.restart(*doomed).say(case, line(key), key, quotes=["x:post-1"])
        except Killed:
            office.clock.advance(LEASE)
            await office.restart().say(case, line(key), key, quotes=["x:post-1"])
        said = [m.text for m in office.slack.thread(office.the_card(case)) if m.text == key]
        assert said == [key]
    assert len(await office.cards.quoting("x:post-1")) == 29


# ── deletions ────────────────────────────────────────────────────────────────────────────────────


def texts(slack: SlackServer) -> str:
    """Everything that Slack shows now."""
    return " ".join(str(message.as_json()) for c in slack.channels for message in slack.messages(c))


async def test_a_deleted_posts_words_leave_every_message(office: Office) -> None:
    """The card, and every line that quotes it."""
    secret = "my card is 4111"
    case = await office.case(text=secret)
    await office.announce(case)
    await office.settled()
    said = Payload("Maya wrote again.", (section("Maya wrote again.", "l"), quote(secret, "q")))
    for key in ("join:4", "join:5"):
        await office.delivery.say(case, said, key, quotes=[case.last.key])
    assert texts(office.slack).count(secret) == 3
    withdrawn = moves.withdraw(await office.cases.load(case.id), mention_key=case.last.key, at=NOON)
    await office.cases.save(withdrawn)
    await office.delivery.redact(case.last.key)
    await office.settled()

    assert secret not in texts(office.slack)
    assert len(office.slack.thread(office.the_card(case))) == 2


async def test_a_line_that_comes_after_the_deletion_is_redacted_too(office: Office) -> None:
    """It was on its way."""
    secret = "my card is 4111"
    case = await office.case(text=secret)
    await office.announce(case)
    await office.settled()
    await office.cases.save(moves.withdraw(case, mention_key=case.last.key, at=NOON))
    await office.delivery.redact(case.last.key)
    await office.settled()
    await office.delivery.say(case, Payload("Again.", (quote(secret, "q"),)), "join:4", [case.last.key])
    await office.settled()

    assert secret not in texts(office.slack)


async def test_a_redaction_survives_any_death_and_trouble(office: Office) -> None:
    """What is said is done, once Slack lets it."""
    secret = "my card is 4111"
    case = await office.case(text=secret)
    await office.announce(case)
    await office.settled()
    await office.delivery.say(case, Payload("Again.", (quote(secret, "q"),)), "join:4", [case.last.key])
    await office.cases.save(moves.withdraw(case, mention_key=case.last.key, at=NOON))
    await office.delivery.redact(case.last.key)
    office.slack.next("chat.update", answer_lost(), broken(503), ratelimited(5), refused("is_archived"))
    office.slack.revoke()
    await office.passes(2 * MINUTE)
    office.slack.revoke(trouble="")
    office.restart()
    await office.settled(within=5 * MINUTE)

    assert secret not in texts(office.slack)


async def test_a_forgotten_persons_words_leave_every_message(office: Office, store: Store) -> None:
    """The card, a line in its thread, and a line that comes only after; the store knows them by marks."""
    secret = "my card is 4111"
    case = await office.case(text=secret)
    await office.announce(case)
    await office.settled()
    said = Payload("Again.", (quote(secret, "q"),))
    await office.delivery.say(case, said, "join:4", quotes=[case.last.key])
    assert texts(office.slack).count(secret) == 2
    person = Person(case.platform, case.author.id)
    await People(store, office.clock).forget(person, by="Mona")
    await office.settled()
    assert secret not in texts(office.slack)
    assert "maya" not in texts(office.slack).casefold()
    await office.delivery.say(case, said, "join:5", quotes=[case.last.key])
    await office.settled()

    assert secret not in texts(office.slack)
    keys = [key.decode() async for key in store.writes.scan_iter(match="{cards}:*")]
    assert [key for key in keys if case.last.key in key] == []


# ── the herald ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def herald(office: Office) -> SlackHerald:
    """Managers in their channel, Lena by direct message."""

    async def whom(who: str) -> Sequence[str]:
        return ({"Nina": "U0NINA1", "everybody on duty": "S0CARE1"}.get(who, who),)

    office.slack.person("Lena")
    return SlackHerald(
        web=office.web,
        cards=office.cards,
        delivery=office.delivery,
        clock=office.clock,
        channels={"managers": LEADS, "leads": "U0LENA"},
        whom=whom,
    )


def woken(case: Case, office: Office) -> tuple[Case, Alert]:
    """The case once the clock looked at it, and the alert that this raised."""
    moved = moves.wake(case, at=office.clock.now())
    assert moved is not None
    alert = next(send.alert for send in moved.sends if send.alert)
    return moved.case, alert


async def told(office: Office, herald: SlackHerald, case: Case, alert: Alert) -> None:
    """Tell an alert as its worker does: again until it is told."""
    for _ in range(50):
        try:
            return await herald.alert(case, alert)
        except TryAgainLater as later:
            await office.passes(later.after)
    raise AssertionError("never told")


async def test_an_announced_case_has_a_card(office: Office, herald: SlackHerald) -> None:
    """Announced twice, it is the same one."""
    case = await office.case()
    await herald.announce(case)
    await herald.announce(case)
    await office.settled()
    assert len(office.shown(case)) == 1
    assert herald.name == "Slack"


async def test_a_risk_pings_whoever_has_the_case(office: Office, herald: SlackHerald) -> None:
    """In its thread: everybody on duty, then its owner; each warning once, told again or not."""
    case = await office.case()
    await herald.announce(case)
    await office.settled()
    office.clock.advance(30 * MINUTE)
    case, alert = woken(case, office)
    for _ in range(2):
        await told(office, herald, case, replace(alert, to="everybody on duty"))
    office.clock.advance(18 * MINUTE)
    case, alert = woken(replace(case, owner="Nina"), office)
    for _ in range(2):
        await told(office, herald, case, replace(alert, to="Nina"))

    first, second = (head(said) for said in office.slack.thread(office.the_card(case)))
    assert first.startswith("🟠 <!subteam^S0CARE1>: nobody has this yet, and a reply is due at <!date^")
    assert second.startswith("🟠 <@U0NINA1>: a reply is due at <!date^")


async def test_a_promise_that_was_kept_meanwhile_pings_nobody(office: Office, herald: SlackHerald) -> None:
    """The alert came late."""
    case = await office.case()
    office.clock.advance(30 * MINUTE)
    case, alert = woken(case, office)
    kept = replace(case, promises=tuple(p.settle(office.clock.now()) for p in case.promises))
    await herald.alert(kept, alert)
    await herald.announce(case)
    await office.settled()
    assert office.slack.thread(office.the_card(case)) == []


async def test_a_risk_that_comes_after_the_breach_pings_nobody(office: Office, herald: SlackHerald) -> None:
    """Slack was away meanwhile; the breach has an alert of its own."""
    case = await office.case()
    office.clock.advance(30 * MINUTE)
    case, risk = woken(case, office)
    office.clock.advance(30 * MINUTE)
    case, _ = woken(case, office)
    await herald.alert(case, risk)
    await office.settled()
    assert office.slack.thread(office.the_card(case)) == []


async def test_broken_promises_share_one_message_a_quarter_of_an_hour(
    office: Office, herald: SlackHerald
) -> None:
    """Each is told only once the message shows it; a later one updates it, the next quarter has another."""
    cases = await office.open_cases(range(1, 13))
    office.clock.advance(60 * MINUTE)
    late = [woken(case, office) for case in cases]
    with pytest.raises(TryAgainLater):
        await herald.alert(*late[0])
    for case, alert in late[:10]:
        await told(office, herald, case, alert)
    (board,) = office.slack.messages(LEADS)
    assert board.text == "10 promises broken"
    await told(office, herald, *late[10])
    assert [m.text for m in office.slack.messages(LEADS)] == ["11 promises broken"]
    office.clock.advance(15 * MINUTE)
    await told(office, herald, *late[11])
    await told(office, herald, *late[0])
    assert [m.text for m in office.slack.messages(LEADS)] == ["11 promises broken", "1 promises broken"]


async def test_the_next_step_of_the_ladder_is_told_in_its_own_place(
    office: Office, herald: SlackHerald
) -> None:
    """By direct message or in a channel; whoever has the case hears of it in the card's thread."""
    case = await office.case()
    await herald.announce(case)
    await office.settled()
    office.clock.advance(60 * MINUTE)
    case, alert = woken(case, office)
    await told(office, herald, case, replace(alert, to="leads"))
    await told(office, herald, case, replace(alert, to="@Lena"))
    await told(office, herald, case, replace(alert, to="Nina"))
    assert [m.text for m in office.slack.messages("D0LENA")] == ["1 promises broken"]
    assert office.slack.messages(LEADS) == []
    (said,) = office.slack.thread(office.the_card(case))
    assert head(said).startswith("🔴 <@U0NINA1>: nobody has this yet, and a reply was due at <!date^")


async def test_a_step_that_is_told_again_is_shown_again(office: Office, herald: SlackHerald) -> None:
    """Each time on the board of its quarter of an hour; the same alarm twice is shown once."""
    case = await office.case()
    office.clock.advance(60 * MINUTE)
    case, alert = woken(case, office)
    for _ in range(2):
        await told(office, herald, case, alert)
    office.clock.advance(30 * MINUTE)
    await told(office, herald, case, replace(alert, at=office.clock.now()))
    assert [m.text for m in office.slack.messages(LEADS)] == ["1 promises broken"] * 2


async def test_a_board_with_nothing_on_it_is_no_message(office: Office) -> None:
    """Whoever says that one changed may be wrong."""
    await office.cards.dirty("breach:C0LEADS:1793707200", at=NOON)
    await office.settled()
    assert office.slack.messages(LEADS) == []


async def test_an_alert_that_slack_refuses_stays_until_it_is_shown(
    office: Office, herald: SlackHerald
) -> None:
    """Nothing is told that nobody can read."""
    case = await office.case()
    office.clock.advance(60 * MINUTE)
    case, alert = woken(case, office)
    office.slack.channels[LEADS].members.clear()
    for _ in range(5):
        with pytest.raises(TryAgainLater):
            await herald.alert(case, alert)
        await office.passes(MINUTE)
    office.slack.channels[LEADS].members.append("U0HEARD")
    await told(office, herald, case, alert)
    assert [m.text for m in office.slack.messages(LEADS)] == ["1 promises broken"]


async def test_in_a_flood_the_flood_message_tells_of_risks(office: Office, herald: SlackHerald) -> None:
    """Four hundred pings would be a flood of their own."""
    cases = await office.open_cases(range(1, 31))
    await office.announce(*cases)
    await office.passes(5 * MINUTE)
    office.clock.advance(25 * MINUTE)
    held_back = next(case for case in cases if not office.shown(case))
    case, alert = woken(held_back, office)
    assert alert.state is PromiseState.AT_RISK
    await herald.alert(case, alert)
    assert office.shown(held_back) == []


async def test_troubles_of_slack_are_for_later(office: Office) -> None:
    """Every one of them leaves an alert on its stream."""
    assert issubclass(SlackTrouble, TryAgainLater)
    assert Lost("chat.update", "http_500").after > timedelta(0)
