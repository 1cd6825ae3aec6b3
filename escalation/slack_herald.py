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
from escalation.boards import Frame, due_line
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
    """Tells people in Slack: each step of the ladder in its own place, an owner in the card's thread.

    ``channels`` are the places of names that are no channel and no person of Slack. ``whom`` finds the Slack
    ids of a name, or of "everybody on duty": people, or a user group.
    """

    web: Messages
    cards: CardIndex
    delivery: Delivery
    clock: Clock
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
        where = self._place(alert)
        if where is not None:
            await self._broken(case, alert, promise, where)
        elif alert.state is PromiseState.BREACHED or promise.state is not PromiseState.BREACHED:
            # A warning of what is broken by now is no news: that has an alert of its own.
            await self._ping(case, alert, promise)

    def _place(self, alert: Alert) -> str | None:
        """The board that an alert goes on; None where it is for whoever has the case."""
        if alert.state is not PromiseState.BREACHED:
            return None
        return alert.to if alert.to[:1] in ("#", "@") else self.channels.get(alert.to)

    # ── whoever has the case ─────────────────────────────────────────────────────────────────────

    async def _ping(self, case: Case, alert: Alert, promise: Promise) -> None:
        if await self.delivery.in_flood(case.id):
            return
        # Each alert of a promise is one line; the instants that they are for tell them apart.
        key = f"risk:{promise.name}:{int(alert.due_at.timestamp())}:{_instant(alert, len(promise.warn_at))}"
        frame = Frame(self.clock.now(), self.timezone, self.desk_url)
        await self.delivery.say(case, due_line(case, alert, await self.whom(alert.to), frame), key)

    # ── broken ───────────────────────────────────────────────────────────────────────────────────

    async def _broken(self, case: Case, alert: Alert, promise: Promise, where: str) -> None:
        channel = await self.web.channel_id(where)
        when = _instant(alert, len(promise.ladder))
        matter = f"{case.id}:{promise.name}:{int(alert.due_at.timestamp())}:{alert.to}:{when}"
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


def _instant(alert: Alert, number: int) -> int:
    # Alerts of an older Heard carry no instant.
    return int(alert.at.timestamp()) if alert.at is not None else number


def _window(now: datetime) -> datetime:
    length = WINDOW.total_seconds()
    return datetime.fromtimestamp(now.timestamp() // length * length, UTC)
