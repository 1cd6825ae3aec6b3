"""An office in which people press Heard's buttons: a played Slack, a real store, the real app and worker.

What draws the cards here is small and at once: `escalation.delivery` has its own tests.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from casework import moves
from casework.case import Case, Topic
from casework.clock import ManualClock
from casework.decisions import Circumstances
from casework.mention import Author
from escalation.cards import Look, card
from escalation.press_worker import PressWorker
from escalation.presses import Press, read_press
from escalation.roles import Role, Team
from escalation.slack_app import build_app
from escalation.slack_desk import SlackDesk
from escalation.slack_payload import Payload
from escalation.slack_web import Web
from platforms.lengths import graphemes
from streams import topics
from streams.cards import CardIndex
from streams.case_store import CaseStore
from streams.connection import Store
from streams.dead_letters import DeadLetters
from streams.locks import EditLocks
from streams.people import PeopleNames
from streams.presses import PressBox
from streams.switch import PauseSwitch
from tests.fakes.cases import MAY_SEND, PROMISES, a_draft, a_mention, judged
from tests.fakes.slack_people import Person
from tests.fakes.slack_server import BOT_TOKEN, SlackServer
from tests.fakes.slack_socket import Delivery
from tests.fakes.slack_things import TEAM, Message

CARE = "C0SOCIAL"
LIMIT = 280


@dataclass(eq=False)
class Threads:
    """Says lines in the threads of cards, once for each key; ``said`` are their keys."""

    web: Web
    shown: Mapping[str, str]
    said: dict[tuple[str, str], str] = field(default_factory=dict)
    times: int = 0

    async def say(self, case: Case, payload: Payload, key: str) -> str:
        self.times += 1
        if (case.id, key) not in self.said:
            sent = await self.web.post(CARE, payload, self.shown.get(case.id, ""))
            self.said[case.id, key] = sent.ts
        return self.said[case.id, key]


@dataclass(eq=False)
class Office:
    """Everything at hand."""

    slack: SlackServer
    store: Store
    clock: ManualClock
    roles: dict[Role, frozenset[str]]
    approvals: int = 1
    objections: Callable[[Case, str], Sequence[str]] = lambda _case, _text: ()
    cards: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.web = Web(BOT_TOKEN, self.slack.url)
        self.cases = CaseStore(self.store)
        self.threads = Threads(self.web, self.cards)
        self.desk = SlackDesk(
            cases=self.cases,
            box=PressBox(self.store, idle_ms=0),
            locks=EditLocks(self.store),
            names=PeopleNames(self.store),
            index=CardIndex(self.store),
            dead=DeadLetters(self.store),
            switch=PauseSwitch(self.store),
            web=self.web,
            threads=self.threads,
            clock=self.clock,
            team=lambda: Team(TEAM, self.roles),
            circumstances=self.circumstances,
            look=self.look,
        )
        self.app = build_app(self.desk, token=BOT_TOKEN, api_url=self.slack.url)
        self.worker = PressWorker(self.desk, name="desk-1", wait_ms=1, rests_s=0.01, view_after_s=0.0)

    def circumstances(self) -> Circumstances:
        return Circumstances(
            self.clock.now(), PROMISES, self.objections, _measure, lambda _case: self.approvals
        )

    def look(self) -> Look:
        return Look(
            now=self.clock.now(),
            brand="Aurora Air",
            timezone="Europe/Oslo",
            desk_url=None,
            measure=_measure,
            link=lambda case: case.last.url,
            approvals=lambda _case: self.approvals,
        )

    # ── people and cases ─────────────────────────────────────────────────────────────────────────

    def person(self, name: str, role: Role = Role.NOBODY, **kind: bool) -> Person:
        """Somebody of the workspace, with a role."""
        person = self.slack.person(name, **kind)
        if role is not Role.NOBODY:
            self.roles[role] = self.roles.get(role, frozenset()) | {person.id}
        return person

    async def case(self, number: int = 1, **changes: Any) -> Case:
        """A case with a draft before people, in the store; everybody's author is another."""
        author = Author(id=f"maya-{number}", handle=f"maya{number}", name=f"Maya {number}")
        mention = a_mention(number, author=author, created_at=self.clock.now())
        (case_id,) = await self.cases.new_ids([mention])
        at = self.clock.now()
        case = await self.cases.save(moves.hear(mention, case_id=case_id, at=at, promises=PROMISES))
        case = await self.cases.save(moves.classify(case, judged(), at=at, promises=PROMISES))
        draft = replace(a_draft(answers=mention.key), **{"text": f"Hi Maya, number {number}.", **changes})
        proposed = moves.propose(case, draft, permission=MAY_SEND, rule="refunds", why="", at=at)
        return await self.cases.save(proposed)

    async def card(self, case: Case) -> Message:
        """The case's card, in the channel."""
        await self.desk.changed(case.id)
        await self.draw()
        return self.message(case)

    def message(self, case: Case) -> Message:
        """The card as it is."""
        return next(m for m in self.slack.messages(CARE) if m.ts == self.cards[case.id])

    async def draw(self) -> None:
        """Draw every card that is dirty."""
        while taken := await self.desk.index.take_dirty(self.clock.now(), 100):
            for one in taken:
                case = await self.cases.load(one.name)
                payload = card(case, await self.desk.look_at(case.id))
                if case.id in self.cards:
                    await self.web.update(CARE, self.cards[case.id], payload)
                else:
                    self.cards[case.id] = (await self.web.post(CARE, payload)).ts
                ts, now = self.cards[case.id], self.clock.now()
                await self.desk.index.posted(case.id, CARE, ts, case.version, at=now)
                await self.desk.index.done(one)

    async def presses(self, doing: Awaitable[Delivery]) -> Press:
        """What a person does, stored as the listener stores it, without a connection between."""
        read = read_press((await doing).payload, self.clock.now())
        assert isinstance(read, Press), read.words
        await self.desk.box.put(read.id, read.to_bytes())
        return read

    async def settle(self) -> None:
        """Carry out every press, and draw."""
        for _ in range(20):
            if not await self.worker.step():
                break
        await self.draw()

    async def moved(self, case: Case, what: str) -> int:
        """How often something happened to a case."""
        return sum(entry.what == what for entry in await self.cases.timeline(case.id))

    async def handed_over(self, case: Case) -> int:
        """How many replies the sender was handed."""
        key = topics.topic_key(topics.partition_of_case(case.id), Topic.APPROVED)
        entries: Any = await self.store.writes.xrange(key)
        return sum(case.id.encode() in fields.values() for _, fields in entries)

    def told(self, person: Person) -> list[str]:
        """Everything that was said to somebody alone."""
        sight = person.sees()
        return [one.text for one in sight.ephemerals] + [one.text for one in sight.dms]

    def passes(self, seconds: float) -> None:
        """Time goes by, for both."""
        self.clock.advance(timedelta(seconds=seconds))
        self.slack.passes(seconds)


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel them until they are over: before Python 3.12 a redis client may swallow one cancellation."""
    for task in tasks:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.2)


def _measure(_platform: str, text: str) -> tuple[int, int]:
    return len(list(graphemes(text))), LIMIT
