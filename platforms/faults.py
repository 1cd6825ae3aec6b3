"""What can go wrong between Heard and a platform, in five kinds. Each says when to try again.

TryAgainLater
└── Fault
    ├── Offline    the network: nothing came back
    ├── Trouble    the platform: 5xx, or an answer that is none
    ├── TooMany    a limit: 429, or our own budget
    ├── Revoked    the credentials do not work: a person must act
    └── Forbidden  the credentials work and this is not allowed to them
"""

from datetime import timedelta
from typing import Final

from casework.errors import TryAgainLater

SOON: Final = timedelta(seconds=5)
LATER: Final = timedelta(minutes=1)


class Fault(TryAgainLater):
    """The platform could not be read; nothing is known about what was asked for."""

    def __init__(self, reason: str, *, after: timedelta = SOON) -> None:
        super().__init__(reason, after=after)


class Offline(Fault):
    """Nothing came back: no connection, a reset, silence."""


class Trouble(Fault):
    """The platform answered with an error of its own, or with something that is no answer."""


class TooMany(Fault):
    """A limit is reached, the platform's or our own: the platform takes more after ``after``."""


class Revoked(Fault):
    """The credentials do not work any more; a person must act. ``fix`` says how."""

    def __init__(self, reason: str, *, fix: str = "", after: timedelta = LATER) -> None:
        super().__init__(reason, after=after)
        self.fix = fix


class Forbidden(Fault):
    """The credentials work, and the platform does not allow this to them."""

    def __init__(self, reason: str, *, after: timedelta = LATER) -> None:
        super().__init__(reason, after=after)
