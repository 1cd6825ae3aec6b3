"""What Heard in Slack is given: the cases, the box of presses, the people, the brand's words. No settings.

Everything that a listener or the press worker touches is named here, so that a test can put its own there.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from casework.case import WITH_PEOPLE, Case, Status, due_next
from casework.clock import Clock
from casework.decisions import LONGEST_NAME, Circumstances
from casework.moves import HEARD
from casework.words import visible
from escalation import home
from escalation.cards import Editing, Look
from escalation.delivery import board_name
from escalation.dialogs import Place
from escalation.home import Page, Step
from escalation.presses import Press
from escalation.roles import Person, Team
from escalation.slack_herald import WINDOW
from escalation.slack_payload import Payload, View
from escalation.slack_web import Sent, Shown
from streams.cards import CardIndex
from streams.case_store import CaseStore
from streams.dead_letters import DeadLetters
from streams.locks import EditLocks
from streams.people import PeopleNames
from streams.presses import PressBox


class Answering(Protocol):
    """What is needed of `escalation.slack_web.Web`. Every method raises `SlackTrouble` kinds alone."""

    async def post(self, channel: str, payload: Payload) -> Sent:
        """A new message, to a channel or a person."""
        ...

    async def ephemeral(self, channel: str, user: str, text: str, thread_ts: str = "") -> None:
        """Something that one person alone sees."""
        ...

    async def open_view(self, trigger: str, view: View) -> Shown:
        """A dialog."""
        ...

    async def update_view(self, view_id: str, view: View) -> Shown:
        """Another face for a dialog."""
        ...

    async def publish_home(self, user: str, view: View) -> Shown:
        """Somebody's App Home."""
        ...

    async def person(self, user_id: str) -> Person:
        """Somebody, as Slack knows them."""
        ...


class Threads(Protocol):
    """What is needed of `escalation.delivery.Delivery`."""

    async def say(self, case: Case, payload: Payload, key: str) -> str:
        """Say something in a card's thread, once for each key."""
        ...


class Switch(Protocol):
    """What stops all sending (`streams.switch.PauseSwitch`)."""

    async def paused_by(self) -> str | None:
        """Who stopped it."""
        ...

    async def pause(self, by: str) -> None:
        """Stop it."""
        ...

    async def resume(self, by: str) -> None:
        """Let replies go on."""
        ...

    async def resume_automatic(self, by: str) -> bool:
        """Let those go on that a spike paused; False if none did."""
        ...


async def _no_lines() -> Sequence[str]:
    return ()


async def _no_digest() -> str:
    return "No digest is set up."


async def _no_steps() -> Sequence[Step]:
    return ()


@dataclass(frozen=True, slots=True)
class SlackDesk:
    """Everything that Slack's desk works with.

    What may change while it runs is asked for each time: ``team`` (groups resolved), ``circumstances``,
    ``look``. ``health`` are the doctor's lines, ``digest`` sends the digest and says so, ``steps`` is the
    first day's checklist, ``rule_words`` a rule as the brand wrote it, ``escalate_to`` who may be given a
    case, the first by default.
    """

    cases: CaseStore
    box: PressBox
    locks: EditLocks
    names: PeopleNames
    index: CardIndex
    dead: DeadLetters
    switch: Switch
    web: Answering
    threads: Threads
    clock: Clock
    team: Callable[[], Team]
    circumstances: Callable[[], Circumstances]
    look: Callable[[], Look]
    health: Callable[[], Awaitable[Sequence[str]]] = _no_lines
    digest: Callable[[], Awaitable[str]] = _no_digest
    steps: Callable[[], Awaitable[Sequence[Step]]] = _no_steps
    rule_words: Callable[[str], str] = lambda _rule: ""
    escalate_to: Sequence[str] = ("managers",)
    promises: Sequence[str] = field(default=())
    guide: str = ""

    async def name(self, person: Person) -> str:
        """The name under which a person decides: theirs alone, printable, never the bot's."""
        wanted = " ".join(visible(person.name).split())[: LONGEST_NAME - 20].strip()
        taken = wanted.casefold() in ("", HEARD) or not wanted.isprintable()
        return await self.names.name_of(person.id, person.id if taken else wanted)

    async def changed(self, case_id: str) -> None:
        """A person did something to a case: its card is drawn again before all others."""
        await self.index.dirty(case_id, at=self.clock.now(), urgent=True)

    async def redraw_board(self, channel: str, ts: str) -> None:
        """The board of broken promises that stands there is drawn again."""
        seconds = float(ts) if re.fullmatch(r"[0-9]{1,12}\.[0-9]{6}", ts) else 0.0
        posted = datetime.fromtimestamp(seconds // WINDOW.total_seconds() * WINDOW.total_seconds(), UTC)
        # It may be posted a little after the quarter of an hour that it is for.
        for since in (posted, posted - WINDOW):
            board = await self.index.of(board_name(channel, since))
            if board is not None and board.ts == ts:
                await self.index.dirty(board.case, at=self.clock.now(), urgent=True)

    async def look_at(self, case_id: str) -> Look:
        """How a case's card is drawn, with who edits it."""
        return await edited(self.look(), self.locks, case_id)

    async def waiting(self) -> list[Case]:
        """The cases that wait for people, the most urgent first."""
        found = [case async for case in self.cases.every(tuple(WITH_PEOPLE))]
        return sorted(found, key=urgency)

    async def home_of(self, name: str, page: Page) -> View:
        """Somebody's App Home: their queue; before the first case, what is to be set up."""
        counts = await self.cases.counts()
        if not sum(counts.values()):
            return home.first_run(self.look(), await self.steps(), promises=self.promises, guide=self.guide)
        return home.queue(await self.waiting(), self.look(), you=name, page=page)


async def edited(look: Look, locks: EditLocks, case_id: str) -> Look:
    """The look of one case: with whoever has its edit dialog open."""
    lease = await locks.holder(case_id)
    return replace(look, editing=Editing(lease.by, lease.since) if lease else None)


def urgency(case: Case) -> tuple[bool, float, str]:
    """What sorts cases by what must be done first: what rests last, else by the promise that is due first."""
    promise = due_next(case)
    due = promise.due_at if promise else case.opened_at
    return (case.status is Status.SNOOZED or promise is None, due.timestamp(), case.id)


def place_of(press: Press) -> Place:
    """Where the card is on which something was pressed; in a dialog nobody knows."""
    return Place(press.channel, press.ts)
