"""Approvals, killed: somebody presses the button of one draft after the other, at the desk or in Slack.

Whoever gets no answer presses again, as people do. One decision must come of it, and what was
acknowledged must never be forgotten.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp

from casework.case import Case, Move, Status, Topic
from escalation.delivery import NEW_CARDS
from streams import topics
from streams.case_store import CaseStore
from tests.crash.places import CARE, OFFICE, drafted, office, somebody, twice
from tests.crash.positions import Outcome, Run, Scene
from tests.crash.product import EndedByItself, Product, phase_of, wait_for, wait_until
from tests.fakes.slack_people import Person
from tests.fakes.slack_server import SlackServer, open_slack
from tests.fakes.slack_things import Message

STAGE: Final = "approval"
WAYS: Final = ("desk", "slack")
DECIDED_S: Final = 60.0
READY_S: Final = 60.0
AFTER_S: Final = 1.0
"""What is done once the approval is in the store is part of it: whoever pressed is told."""
TOKEN: Final = "a-token-of-the-tests"


class Way(Protocol):
    """How people press."""

    @property
    def at_once(self) -> int:
        """How many drafts it shows them."""
        ...

    async def ready(self) -> None:
        """Return once a press would arrive."""
        ...

    async def show(self, case: Case) -> None:
        """Return once somebody sees the draft."""
        ...

    async def press(self, case: Case) -> bool:
        """Approve what is seen; whether they were told that it is done, or that it was."""
        ...


@dataclass
class AtTheDesk:
    """Nina, by the desk's API."""

    product: Product
    port: int
    at_once: int = 60

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ready(self) -> None:
        """The desk answers."""

        async def answers() -> bool:
            with suppress(aiohttp.ClientError):
                async with aiohttp.request("GET", f"{self._url}/livez") as told:
                    return told.status == 200
            return False

        if not await wait_until(answers, READY_S):
            raise EndedByItself(f"the desk does not answer: {self.product.last_words()}")

    async def show(self, case: Case) -> None:
        """The page is read anew whenever somebody looks."""

    async def press(self, case: Case) -> bool:
        """POST the approval of the version that was read."""
        assert case.draft is not None
        body = {"version": case.version, "draft_sha256": case.draft.sha256, "by": "Nina"}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with suppress(aiohttp.ClientError):
            async with aiohttp.request(
                "POST", f"{self._url}/api/v1/cases/{case.id}/approve", json=body, headers=headers
            ) as told:
                if told.status not in (200, 409):
                    raise EndedByItself(f"the desk answers {told.status}: {await told.text()}")
                return True
        return False


@dataclass
class InSlack:
    """Nina, by the button of the card."""

    slack: SlackServer
    nina: Person
    at_once: int = NEW_CARDS.amount  # More within ten minutes are a flood, and have no card.

    async def ready(self) -> None:
        """A connection is open to bring presses."""
        if not await wait_for(lambda: len(self.slack.socket.connections) > 1, READY_S):
            raise EndedByItself("it is not connected to Slack")

    async def show(self, case: Case) -> None:
        """Its card is there."""
        if not await wait_for(lambda: self._card(case) is not None, READY_S):
            raise EndedByItself(f"there is no card of {case.id}")

    async def press(self, case: Case) -> bool:
        """Click; whether Slack saw it acknowledged."""
        card = self._card(case)
        if card is None or "card.approve" not in str(card.blocks):
            # The card says already that it is decided: there is nothing to press any more.
            return True
        return (await self.nina.clicks(card, "card.approve")).acknowledged

    def _card(self, case: Case) -> Message | None:
        cards = [m for m in self.slack.messages(CARE) if case.id in str(m.metadata)]
        return cards[0] if cards else None


@asynccontextmanager
async def open_bench(scene: Scene, folder: Path) -> AsyncIterator["Bench"]:
    """An office with somebody who may approve."""
    async with open_slack() as slack:
        nina = slack.person("Nina")
        slack.group("S0CARE", "social-care", [nina])
        slack.group("S0LEADS", "social-leads", [nina])
        if scene.on == "slack":
            product = Product(folder, ("escalation",), office(slack), OFFICE)
            way: Way = InSlack(slack, nina)
        else:
            port = _free_port()
            listens = {"HEARD_DESK__LISTEN": f"127.0.0.1:{port}", "HEARD_DESK__TOKEN": TOKEN}
            product = Product(folder, ("desk",), office() | listens, OFFICE)
            way = AtTheDesk(product, port)
        try:
            yield Bench(product, way)
        finally:
            await product.stop()


@dataclass
class Bench:
    """One desk, one approver, and drafts."""

    product: Product
    way: Way
    cases: int = 0

    @property
    def left(self) -> int:
        """How many more runs can be played here."""
        return self.way.at_once - self.cases

    async def play(self, run: Run) -> Outcome:
        """One draft, pressed until somebody says that it is approved."""
        began, outcome = time.monotonic(), Outcome(run.key)
        starting = phase_of(run.deaths, "start")
        await self._ready(Outcome(run.key))
        case = await self._a_draft()
        await self.way.show(case)
        pressed = False
        if starting is None or len(run.deaths) > 1:
            self.product.dies_next = starting
            async with self.product.watched("press", run, outcome):
                pressed = await self.way.press(case)
                if pressed:
                    await self._until_decided(case)
                await asyncio.sleep(AFTER_S)
        else:
            # Pressed, and dead before anybody was told of anything more; and once more while it starts.
            pressed = await self.way.press(case)
            await self.product.die()
            await self.product.start(starting)
        acknowledged, deadline = pressed, time.monotonic() + DECIDED_S
        while not (pressed and await self._decided(case)) and time.monotonic() < deadline:
            await self._ready(outcome)
            pressed = pressed or await self.way.press(case)
            await self._until_decided(case)
        await self._ready(outcome)
        await self._count(case, outcome, acknowledged=acknowledged)
        outcome.seconds = round(time.monotonic() - began, 1)
        return outcome

    async def _ready(self, outcome: Outcome) -> None:
        """It runs; a death since it was last asked is counted."""
        await self.product.revive(outcome)
        await self.way.ready()

    async def _a_draft(self) -> Case:
        self.cases += 1
        store = CaseStore(await self.product.store())
        steps = drafted(somebody(self.cases), self.cases)
        for moved in steps:
            await store.save(moved)
        return steps[-1].case

    async def _decided(self, case: Case) -> bool:
        now = await CaseStore(await self.product.store()).load(case.id)
        return now.status is Status.APPROVED

    async def _until_decided(self, case: Case) -> None:
        async def decided_or_dead() -> bool:
            return await self._decided(case) or not self.product.alive

        await wait_until(decided_or_dead, DECIDED_S / 4)

    async def _count(self, case: Case, outcome: Outcome, *, acknowledged: bool) -> None:
        store = await self.product.store()
        timeline = await CaseStore(store).timeline(case.id)
        approvals = sum(entry.what == Move.APPROVE for entry in timeline)
        stream: Any = await store.writes.xrange(
            topics.topic_key(topics.partition_of_case(case.id), Topic.APPROVED)
        )
        handed_on = sum(case.id.encode() in fields.values() for _, fields in stream)
        outcome.lost = int(not approvals or not handed_on)
        outcome.double = max(approvals - 1, handed_on - 1, 0)
        said = "acknowledged" if acknowledged else "pressed again"
        outcome.end = f"{said}, {approvals} approvals, handed on {handed_on} times"

    async def doubles(self) -> int:
        """How many approvals too many there are by now."""
        return await twice(CaseStore(await self.product.store()), Move.APPROVE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
