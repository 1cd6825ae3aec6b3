"""Alerts in Slack: a risk pings whoever has the case, a broken promise goes on the managers' board.

An alert counts as told once Slack shows it; until then it stays on its stream and is told again. Updates
notify nobody, so every ping is a new line in a thread; broken promises share one message for a quarter of
an hour, so that a bad hour is four messages and no storm.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from casework.case import Case
from casework.clock import Clock
from casework.errors import TryAgainLater
from casework.sla import Alert, Promise, PromiseState
from escalation.boards import Frame, at_risk_line
from escalation.delivery import Delivery, Messages, board_name
from streams.cards import CardIndex

WINDOW: Final = timedelta(minutes=15)
SOON: Final = timedelta(seconds=3)
WHILE_TROUBLED: Final = timedelta(seconds=30)


async def by_name(who: str) -> Sequence[str]:
    """Somebody whom Slack is not asked about: their name, which pings nobody."""
    return (who,)


@dataclass(frozen=True, slots=True)
class SlackHerald:
    """Tells people in Slack: each step of the ladder in its own of ``channels``, or in ``managers``.

    ``whom`` finds the Slack ids of a name, or of "everybody on duty": people, or a user group.
    """

    web: Messages
    cards: CardIndex
    delivery: Delivery
    clock: Clock
    managers: str
    channels: Mapping[str, str] = field(default_factory=dict)
    whom: Callable[[str], Awaitable[Sequence[str]]] = by_name
    timezone: str = "UTC"
    desk_url: str | None = None

    @property
    def name(self) -> str:
        """What the timeline calls this way."""
        return "Slack"

    async def announce(self, case: Case) -> None:
        """A case waits for a person: its card is posted, or drawn again."""
        await self.cards.dirty(case.id, at=self.clock.now())

    async def alert(self, case: Case, alert: Alert) -> None:
        """Tell it, and return once Slack shows it.

        Raises:
            TryAgainLater: Slack does not show it yet.
        """
        promise = next((p for p in case.promises if _about(alert, p)), None)
        if promise is None or not promise.running:
            # Kept meanwhile: a ping would only send somebody to a case that is answered.
            return
        await self.cards.dirty(case.id, at=self.clock.now())
        if alert.state is PromiseState.BREACHED:
            await self._broken(case, alert, promise)
        elif promise.state is not PromiseState.BREACHED:
            # Broken by now, it has an alert of its own.
            await self._at_risk(case, alert, promise)

    # ── at risk ──────────────────────────────────────────────────────────────────────────────────

    async def _at_risk(self, case: Case, alert: Alert, promise: Promise) -> None:
        if await self.delivery.in_flood(case.id):
            return
        # Each warning of a promise is one line; those still to come tell them apart.
        key = f"risk:{promise.name}:{int(alert.due_at.timestamp())}:{len(promise.warn_at)}"
        frame = Frame(self.clock.now(), self.timezone, self.desk_url)
        await self.delivery.say(case, at_risk_line(case, alert, await self.whom(alert.to), frame), key)

    # ── broken ───────────────────────────────────────────────────────────────────────────────────

    async def _broken(self, case: Case, alert: Alert, promise: Promise) -> None:
        channel = await self.web.channel_id(self.channels.get(alert.to, self.managers))
        matter = f"{case.id}:{promise.name}:{int(alert.due_at.timestamp())}:{alert.to}:{len(promise.ladder)}"
        board = await self.cards.settled_on(matter, board_name(channel, _window(self.clock.now())))
        place = await self.cards.gather(board, case.id)
        shown = await self.cards.of(board)
        if shown is not None and shown.ts and shown.shown >= place:
            return
        await self.cards.dirty(board, at=self.clock.now(), urgent=True)
        troubled = shown is not None and shown.trouble
        after = WHILE_TROUBLED if troubled else SOON
        raise TryAgainLater("Slack does not show it yet", after=after)


def _about(alert: Alert, promise: Promise) -> bool:
    return (promise.name, promise.due_at) == (alert.promise, alert.due_at)


def _window(now: datetime) -> datetime:
    length = WINDOW.total_seconds()
    return datetime.fromtimestamp(now.timestamp() // length * length, UTC)
