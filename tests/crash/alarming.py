"""The promise clock, killed: one promise after the other breaks, and managers are told in Slack, once."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from casework import moves
from casework.case import Case, Move, Topic
from streams import codec, topics
from streams.case_store import CaseStore
from tests.crash.places import CLOCK, LEADS, OFFICE, drafted, office, somebody, twice
from tests.crash.positions import Outcome, Run, Scene
from tests.crash.product import EndedByItself, Product, phase_of, wait_for, wait_until
from tests.fakes.slack_server import SlackServer, open_slack

STAGE: Final = "clock"
PARTS: Final = ("promises", "alerts", "escalation")
AT_ONCE: Final = 60
TOLD_S: Final = 90.0
READY_S: Final = 60.0


@asynccontextmanager
async def open_bench(_scene: Scene, folder: Path) -> AsyncIterator["Bench"]:
    """An office with managers, and a clock that is not yet started."""
    async with open_slack() as slack:
        mona = slack.person("Mona")
        slack.group("S0CARE", "social-care", [mona])
        slack.group("S0LEADS", "social-leads", [mona])
        product = Product(folder, PARTS, office(slack), OFFICE)
        try:
            yield Bench(product, slack)
        finally:
            await product.stop()


@dataclass
class Bench:
    """One clock, and managers."""

    product: Product
    slack: SlackServer
    cases: int = 0

    @property
    def left(self) -> int:
        """How many more runs can be played here."""
        return AT_ONCE - self.cases

    async def play(self, run: Run) -> Outcome:
        """One promise that is broken, until somebody was told."""
        began, outcome = time.monotonic(), Outcome(run.key)
        starting = phase_of(run.deaths, "start")
        if starting is None or len(run.deaths) > 1:
            await self._ready(Outcome(run.key))
            self.product.dies_next = starting
            async with self.product.watched("raise", run, outcome):
                case = await self._a_broken_promise()
                await self._until_told(case)
        else:
            await self.product.die()
            case = await self._a_broken_promise()
            await self.product.start(starting)
        deadline = time.monotonic() + TOLD_S
        while not await self._told(case) and time.monotonic() < deadline:
            await self._ready(outcome)
            await self._until_told(case)
        await self._ready(outcome)
        await self._count(case, outcome)
        await self._leave_the_board(case)
        outcome.seconds = round(time.monotonic() - began, 1)
        return outcome

    async def _ready(self, outcome: Outcome) -> None:
        await self.product.revive(outcome)
        if not await wait_for(lambda: len(self.slack.socket.connections) > 1, READY_S):
            raise EndedByItself(f"it is not connected to Slack: {self.product.last_words()}")

    async def _a_broken_promise(self) -> Case:
        """A case as any; then all that it was promised was due three minutes ago."""
        self.cases += 1
        store = CaseStore(await self.product.store())
        steps = drafted(somebody(self.cases), self.cases)
        now = CLOCK.now()
        past = now - timedelta(minutes=3)
        case = steps[-1].case
        first = replace(case.promises[0], due_at=past, warn_at=(), ladder=((past, "managers"),))
        late = moves.note(replace(case, promises=(first,)), by="Sky", at=now, text="checked")
        for moved in (*steps, late):
            await store.save(moved)
        return late.case

    async def _told(self, case: Case) -> bool:
        timeline = await CaseStore(await self.product.store()).timeline(case.id)
        return any(entry.what == Move.TELL for entry in timeline)

    async def _until_told(self, case: Case) -> None:
        async def told_or_dead() -> bool:
            return await self._told(case) or not self.product.alive

        await wait_until(told_or_dead, TOLD_S / 2)

    async def _count(self, case: Case, outcome: Outcome) -> None:
        store = await self.product.store()
        timeline = await CaseStore(store).timeline(case.id)
        raised = sum(entry.what == Move.WAKE for entry in timeline)
        told = sum(entry.what == Move.TELL for entry in timeline)
        shown = [m for m in self.slack.messages(LEADS) if case.id in f"{m.text} {m.blocks}"]
        stream: Any = await store.writes.xrange(
            topics.topic_key(topics.partition_of_case(case.id), Topic.ALERTS)
        )
        waiting = sum(
            case.id.encode() in fields.values() and bool(codec.read_alert(fields[b"a"]))
            for _, fields in stream
        )
        outcome.lost = int(not raised or not told or not shown)
        outcome.double = max(raised - 1, told - 1, len(shown) - 1, waiting, 0)
        outcome.end = f"raised {raised}, told {told}, shown {len(shown)} times, {waiting} on their way"

    async def _leave_the_board(self, case: Case) -> None:
        """A board names ten cases and counts the others: whoever comes next is to be named."""
        await CaseStore(await self.product.store()).move(
            case.id, lambda now: moves.close(now, by="Sky", at=CLOCK.now(), reason="all is well")
        )

    async def doubles(self) -> int:
        """How often somebody was told again by now."""
        return await twice(CaseStore(await self.product.store()), Move.TELL)
