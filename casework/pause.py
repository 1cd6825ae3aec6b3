"""A pause: a stretch in which a case waits for somebody else, and its promises stand still.

Snoozing is no pause: the customer still waits for the brand. A pause has a reason and a person, is on the
timeline from beginning to end, and ends by itself when the customer writes again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from casework.hours import Stretch

FOR_THE_CUSTOMER = "waiting for the customer"
"""The reason that needs no words of one's own."""


@dataclass(frozen=True, slots=True)
class Pause:
    """From when, why and by whom; ``until`` and ``ended_by`` once it is over."""

    since: datetime
    reason: str
    by: str
    until: datetime | None = None
    ended_by: str = ""

    @property
    def lasting(self) -> bool:
        """Whether it is not over yet."""
        return self.until is None


def stretches(pauses: Sequence[Pause]) -> tuple[Stretch, ...]:
    """The pauses that are over, as stretches of time."""
    return tuple((pause.since, pause.until) for pause in pauses if pause.until is not None)
