"""Where time comes from: aware UTC instants, injected, never read from the machine elsewhere."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the present instant."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def elapsed(self) -> timedelta:
        """How long since some beginning: only grows, and does not jump when the clock is set (NTP, by hand).

        Two readings tell a length of time within one process; across processes they mean nothing.
        """
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant of this machine, aware, in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> timedelta:
        """The machine's steady time."""
        return timedelta(seconds=time.monotonic())


class ManualClock:
    """A clock that stands still until it is told to move: recorded days and tests run on it.

    It never runs backwards: an earlier instant is ignored, as the past cannot be handled again.
    """

    def __init__(self, start: datetime) -> None:
        self._start = self._now = aware(start)

    def now(self) -> datetime:
        """The instant it was last set to."""
        return self._now

    def elapsed(self) -> timedelta:
        """How far it was moved."""
        return self._now - self._start

    def move_to(self, instant: datetime) -> None:
        """Move forward to ``instant``; an earlier one changes nothing."""
        self._now = max(self._now, aware(instant))

    def advance(self, by: timedelta) -> None:
        """Move forward by a length of time."""
        self.move_to(self._now + by)


class FastClock:
    """A clock that runs ``speed`` times faster than the machine's, from ``start`` on."""

    def __init__(self, start: datetime, *, speed: float, machine: Clock | None = None) -> None:
        self._machine = machine or SystemClock()
        self._start = aware(start)
        self._began = self._machine.now()
        self._speed = speed

    def now(self) -> datetime:
        """``start`` plus the machine's time since then, times the speed."""
        return self._start + (self._machine.now() - self._began) * self._speed

    def elapsed(self) -> timedelta:
        """The machine's steady time, times the speed."""
        return self._machine.elapsed() * self._speed


def aware(instant: datetime) -> datetime:
    """The instant in UTC.

    Raises:
        ValueError: the instant has no time zone, so nobody knows when it is.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    return instant.astimezone(UTC)
