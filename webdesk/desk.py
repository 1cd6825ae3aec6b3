"""What the desk is given: the store, the clock, the brand's words and the checks. It imports no settings."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from casework.case import Case
from casework.clock import Clock
from casework.decisions import Circumstances
from casework.sla import Promises
from streams.case_store import CaseStore
from streams.dead_letters import DeadLetters

PATIENCE_S: Final = 5.0
"""So long the pages about health wait for the store: they must be there while it is away."""


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One check as `heard doctor` words it: what was looked at, how it stands, and what mends it."""

    name: str
    state: Literal["ok", "warn", "bad"]
    words: str
    fix: str = ""


class PauseSwitch(Protocol):
    """The switch that stops all sending."""

    async def paused(self) -> bool:
        """Whether sending is stopped."""
        ...

    async def pause(self, by: str) -> None:
        """Stop all sending."""
        ...

    async def resume(self, by: str) -> None:
        """Let replies out again."""
        ...


async def _none(_case_id: str) -> str:
    return ""


class Preview(Protocol):
    """A chat that is played on a page of the desk: what a person sees there, and what they do."""

    def sees(self, name: str, since: str) -> Mapping[str, object]:
        """What changed on somebody's screen since the ``mark`` that they have, as JSON values."""
        ...

    async def press(self, name: str, did: Mapping[str, object]) -> Mapping[str, object]:
        """Do what somebody did, whatever ``did`` says; ``problem``, if there is one, is words for them."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything the desk works with.

    ``token`` is the bearer token of the API, ``login_token`` the one-time token of the printed link.
    ``hosts`` are the Host headers it answers to, with or without a port. ``check`` names what speaks
    against an edited text: a `Hard` objection refuses it, a plain one is shown. ``measure`` counts a
    text as the platform does: used, limit. ``speed`` is how fast ``clock`` runs against the browser's.
    ``preview`` is what the preview page shows, ``dead`` the page of dead letters; without one there is no
    such page.
    ``approvals`` is how many people must approve a reply in a case; ``trouble`` is why other desks do not
    show a case, empty where they do.
    """

    store: CaseStore
    clock: Clock
    promises: Promises
    brand: str
    timezone: str
    token: str = field(repr=False)
    login_token: str = field(repr=False)
    hosts: frozenset[str]
    check: Callable[[Case, str], Sequence[str]]
    measure: Callable[[str, str], tuple[int, int]]
    health: Callable[[], Awaitable[Sequence[HealthLine]]]
    summary: Callable[[], Awaitable[Mapping[str, object]]]
    switch: PauseSwitch
    live: bool
    speed: float = 1.0
    preview: Preview | None = None
    dead: DeadLetters | None = None
    approvals: Callable[[Case], int] = lambda _case: 1
    trouble: Callable[[str], Awaitable[str]] = _none

    def circumstances(self) -> Circumstances:
        """What a decision made now is made under."""
        return Circumstances(self.clock.now(), self.promises, self.check, self.measure, self.approvals)
