"""What a platform is given to work with, and where it is found: the entry points ``heard.platforms``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, Protocol

from casework.clock import Clock
from casework.errors import HeardError
from platforms.limits import Budget
from platforms.listening import Manners
from platforms.platform import Platform

GROUP: Final = "heard.platforms"


class NotConnected(HeardError):
    """The platform cannot be used as it is set up; ``fix`` is the variable or command that mends it."""

    def __init__(self, why: str, *, fix: str = "") -> None:
        super().__init__(why)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Setup:
    """What a platform works with.

    ``words`` are what to listen for besides the brand's own accounts, ``handles`` those accounts without
    ``@``. ``access`` holds the platform's settings by name, addresses and secrets alike, as the variables
    ``HEARD_<PLATFORM>__<NAME>`` set them. ``places`` are where to listen, where the platform has places.
    ``folder`` is for what must outlive the process, such as a login; it is this platform's own.
    ``approval`` is the platform's reference for its approval of the use (R1, X3); ``cents_per_day`` caps
    what its API may cost (X8). ``manners`` and ``every`` say how streams are kept open and how often
    sweeps look, where the platform's own figures are not wanted.
    """

    brand: str
    words: tuple[str, ...]
    handles: frozenset[str]
    clock: Clock
    budget: Budget
    folder: Path
    access: Mapping[str, str] = field(default_factory=dict, repr=False)
    listen: bool = True
    places: tuple[str, ...] = ()
    visibility: str | None = None
    approval: str | None = None
    stream: bool = True
    cents_per_day: int | None = None
    manners: Manners | None = None
    every: timedelta | None = None

    def needed(self, name: str, *, variable: str) -> str:
        """A setting that the platform cannot do without.

        Raises:
            NotConnected: it is not set.
        """
        value = self.access.get(name, "")
        if not value:
            raise NotConnected(f"{variable} is not set", fix=f"set {variable}, in .env or the environment")
        return value


class Connect(Protocol):
    """What an entry point names: makes a platform; nothing is sent anywhere yet."""

    def __call__(self, setup: Setup) -> Platform:
        """The platform, ready to be used.

        Raises:
            NotConnected: it cannot be used as it is set up.
        """
        ...


def installed() -> Mapping[str, Connect]:
    """Every platform that is installed, by the name that mentions call it: Heard's own and plugins'."""
    return {point.name: _Lazy(point.value, point.load) for point in entry_points(group=GROUP)}


class _Loader(Protocol):
    def __call__(self) -> object: ...


@dataclass(frozen=True, slots=True)
class _Lazy:
    """A platform whose library is imported when it is used, and not before."""

    names: str
    load: _Loader

    def __call__(self, setup: Setup) -> Platform:
        """Import it, and connect."""
        try:
            connect = self.load()
        except (ImportError, AttributeError) as error:
            raise NotConnected(f"{self.names} cannot be imported: {error}", fix="install it again") from error
        if not callable(connect):
            raise NotConnected(f"the entry point {self.names} is no function that connects a platform")
        platform: Platform = connect(setup)
        return platform
