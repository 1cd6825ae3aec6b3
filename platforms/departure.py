"""Until when a reply may leave: a process can be stopped between two lines and go on hours later.

The sender counts on `DEADLINE`: what has not left in time must not leave at all, as somebody may have looked
for it meanwhile. Asked last, in the thread that sends, by a clock that nobody can set.
"""

from time import monotonic
from typing import Final

from platforms.faults import Offline

LEAVES_WITHIN_S: Final = 10.0
"""From the call of `reply` to the first byte of its POST. With the timeouts of the wire it stays under
`platforms.platform.DEADLINE`.
"""


class Departure:
    """One attempt's time to leave, from now on."""

    def __init__(self) -> None:
        self._until = monotonic() + LEAVES_WITHIN_S

    def check(self) -> None:
        """Raise `Offline` if it is too late to leave; nothing was posted then."""
        if monotonic() > self._until:
            raise Offline("getting ready to post took too long; nothing was posted")
