"""How people are told when there is no Slack: on the terminal, or as lines of the log."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from casework.case import Case
from casework.sla import Alert, PromiseState
from escalation.alerts import Herald

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LogHerald:
    """Tells the log; the desk shows the same from the store."""

    name: str = "desk and log"

    async def announce(self, case: Case) -> None:
        """A case waits for a person."""
        log.info("case waits", case=case.id, platform=case.platform, status=case.status, rule=case.rule)

    async def alert(self, case: Case, alert: Alert) -> None:
        """A promise is at risk or broken."""
        log.warning("promise", case=case.id, promise=alert.promise, state=alert.state, to=alert.to)


@dataclass(slots=True)
class Heralds:
    """Several ways at once: each is told, and an alert counts as told once all of them have it.

    A way may be added later: one that needs the store is there once that is open.
    """

    ways: list[Herald]

    @property
    def name(self) -> str:
        """What the timeline calls them."""
        return " and ".join(way.name for way in self.ways)

    async def announce(self, case: Case) -> None:
        """A case waits for a person."""
        for way in self.ways:
            await way.announce(case)

    async def alert(self, case: Case, alert: Alert) -> None:
        """A promise is at risk or broken. What one of them cannot tell now is told by all again later."""
        for way in self.ways:
            await way.alert(case, alert)


@dataclass(frozen=True, slots=True)
class TerminalHerald:
    """Tells whoever watches the terminal, in sentences without the customer's words."""

    say: Callable[[str], None]
    name: str = "desk and terminal"

    async def announce(self, case: Case) -> None:
        """A case waits for a person."""
        what = case.classification.intent if case.classification else "post"
        self.say(f"waits      {case.id}  {what} on {case.platform}: {case.why}")

    async def alert(self, case: Case, alert: Alert) -> None:
        """A promise is at risk or broken."""
        word = "AT RISK" if alert.state is PromiseState.AT_RISK else "BROKEN"
        self.say(f"{word:<10} {case.id}  {alert.promise}, due {alert.due_at:%H:%M} UTC; telling {alert.to}")
