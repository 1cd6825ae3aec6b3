"""A clock that somebody sets while it runs: NTP after hours without a network, a hand, a wrong battery."""

from datetime import datetime, timedelta

from casework.clock import ManualClock


class SetClock(ManualClock):
    """A clock that stands until it is moved, and that can be set on or back: that is no time that passed."""

    _set_on = timedelta(0)

    def now(self) -> datetime:
        """What it shows."""
        return super().now() + self._set_on

    def set_on(self, by: timedelta) -> None:
        """Set it on by a length of time, or back by a negative one."""
        self._set_on += by
