"""An office that works in the Slack preview: the real listeners, worker and delivery, on a real store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from casework import moves
from casework.case import Case
from casework.clock import SystemClock
from casework.decisions import Circumstances, Hard
from casework.mention import Author
from escalation import boards
from escalation.boards import Frame
from escalation.cards import Look, card
from escalation.delivery import Delivery, Drawing, Flood
from escalation.press_worker import PressWorker
from escalation.preview import PreviewSlack, through
from escalation.preview_parts import Body
from escalation.roles import Role
from escalation.slack_app import build_app
from escalation.slack_desk import SlackDesk
from escalation.slack_payload import Payload
from platforms.lengths import graphemes
from platforms.limits import OwnBudget
from streams.cards import CardIndex
from streams.case_store import CaseStore
from streams.connection import Store
from streams.dead_letters import DeadLetters
from streams.locks import EditLocks
from streams.people import PeopleNames
from streams.presses import PressBox
from streams.switch import PauseSwitch
from tests.fakes.cases import MAY_SEND, PROMISES, a_draft, a_mention, judged
from tests.fakes.waiting import until

CARE, LEADS = "#social-care", "#social-leads"
NOWHERE = "http://127.0.0.1:9/api/"
"""Where Slack would be asked, if anything asked it: nothing listens there."""


class PreviewOffice:
    """Everything at hand; `open_preview` also keeps it going."""

    def __init__(self, store: Store) -> None:
        self.clock = SystemClock()
        self.objections: Callable[[str], Sequence[str]] = lambda _text: ()
        self.slack = PreviewSlack(
            self.clock,
            channels=(CARE, LEADS),
            colleagues={"Omar": Role.APPROVER, "Lea": Role.VIEWER},
            workspace="Aurora Air",
        )
        self.cases = CaseStore(store)
        index = CardIndex(store)
        self.delivery = Delivery(
            self.slack,
            index,
            self.cases,
            OwnBudget(self.clock.now),
            self.clock,
            channel=CARE,
            drawing=self._drawing(),
        )
        self.desk = SlackDesk(
            cases=self.cases,
            box=PressBox(store),
            locks=EditLocks(store),
            names=PeopleNames(store),
            index=index,
            dead=DeadLetters(store),
            switch=PauseSwitch(store),
            web=self.slack,
            threads=self.delivery,
            clock=self.clock,
            team=self.slack.team,
            circumstances=self._circumstances,
            look=self._look,
        )
        self.slack.listens(through(build_app(self.desk, token="preview", api_url=NOWHERE)))
        self.worker = PressWorker(self.desk, name="preview", wait_ms=20)

    def _drawing(self) -> Drawing:
        async def drawn(case: Case) -> Payload:
            return card(case, await self.desk.look_at(case.id))

        async def nothing(_late: Sequence[Case]) -> Payload:
            return Payload("Late", ())

        def flood(waiting: Flood) -> Payload:
            return boards.flood_message(waiting.held_back, Frame(self.clock.now()))

        return Drawing(card=drawn, flood=flood, breach=nothing)

    def _circumstances(self) -> Circumstances:
        return Circumstances(
            self.clock.now(), PROMISES, lambda _case, text: list(map(Hard, self.objections(text))), _measure
        )

    def _look(self) -> Look:
        return Look(
            now=self.clock.now(),
            brand="Aurora Air",
            timezone="Europe/Oslo",
            desk_url=None,
            measure=_measure,
            link=lambda case: case.last.url,
        )

    # ── at work ──────────────────────────────────────────────────────────────────────────────────

    async def case(self, number: int = 1, text: str = "My bag is lost!", **changes: Any) -> Case:
        """A case with a draft before people."""
        at = self.clock.now()
        author = Author(id=f"maya-{number}", handle=f"maya{number}", name=f"Maya {number}", followers=120)
        mention = a_mention(number, text, author=author, created_at=at)
        (case_id,) = await self.cases.new_ids([mention])
        case = await self.cases.save(moves.hear(mention, case_id=case_id, at=at, promises=PROMISES))
        case = await self.cases.save(moves.classify(case, judged(), at=at, promises=PROMISES))
        draft = replace(a_draft(answers=mention.key), **{"text": f"Hi Maya, number {number}.", **changes})
        return await self.cases.save(
            moves.propose(case, draft, permission=MAY_SEND, rule="refunds", why="", at=at)
        )

    async def card(self, case: Case) -> Body:
        """The case's card, once it is in the channel."""
        await self.desk.changed(case.id)
        await until(lambda: self._found(case) is not None, "the card")
        found = self._found(case)
        assert found is not None
        return found

    def _found(self, case: Case) -> Body | None:
        shown: list[Body] = self.slack.sees("Nina")["messages"]
        return next((one for one in shown if case.id in str(one["blocks"]) and not one["thread"]), None)

    def actions_on(self, case: Case) -> list[str]:
        """What can be pressed on the case's card now."""
        found = self._found(case) or {"blocks": []}
        rows = [block["elements"] for block in found["blocks"] if block["type"] == "actions"]
        return [element["action_id"] for row in rows for element in row]

    async def presses(self, name: str, message: Body, element: str) -> Body:
        """Somebody presses a button of a message as they saw it."""
        for block in message["blocks"]:
            for one in block.get("elements", []):
                if one.get("action_id") == element:
                    where = {key: message[key] for key in ("channel", "ts", "shown")}
                    did = {"kind": "press", **where, "block": block["block_id"], "element": element}
                    return await self.slack.press(name, did)
        raise AssertionError(f"no {element} on the message")

    def notes(self, name: str) -> list[str]:
        """What somebody alone was told."""
        return [one["text"] for one in self.slack.sees(name)["messages"] if one["private"]]


@asynccontextmanager
async def open_preview(store: Store) -> AsyncIterator[PreviewOffice]:
    """The office, with its worker and its delivery at work."""
    office = PreviewOffice(store)
    tasks = [asyncio.create_task(office.worker.run()), asyncio.create_task(office.delivery.run())]
    yield office
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _measure(_platform: str, text: str) -> tuple[int, int]:
    return len(list(graphemes(text))), 280
