"""Connects the platforms that the brand uses: what each is given, and why one could not be connected."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog
from pydantic import SecretStr

from casework.clock import Clock
from config.brand import Brand
from config.brand_file import PlatformPart
from config.places import Place
from config.settings import Settings, plugin_access
from platforms.limits import Budget
from platforms.platform import Platform
from platforms.setup import NotConnected, Setup, installed

log = structlog.get_logger(__name__)

STREAMS_COST: Final = frozenset({"x"})
"""Platforms that charge for every post of a stream: theirs stay closed unless the brand opens them (X8)."""


@dataclass(frozen=True, slots=True)
class Connections:
    """The platforms that could be connected, and why the others could not."""

    platforms: Mapping[str, Platform] = field(default_factory=dict)
    missing: Mapping[str, NotConnected] = field(default_factory=dict)

    @property
    def posting(self) -> frozenset[str]:
        """Where an account is connected that may post."""
        return frozenset(name for name, platform in self.platforms.items() if platform.can_post)

    async def close(self) -> None:
        """Let all of them go, whatever one of them says."""
        async with AsyncExitStack() as stack:
            for platform in self.platforms.values():
                stack.push_async_callback(platform.close)


def connect(brand: Brand, place: Place, *, clock: Clock, budget: Budget) -> Connections:
    """Every platform of the brand that is installed and set up. Nothing is sent anywhere yet."""
    platforms: dict[str, Platform] = {}
    missing: dict[str, NotConnected] = {}
    for name, make in installed().items():
        part = brand.platforms.get(name)
        if part is None:
            continue
        try:
            platforms[name] = make(setup(name, part, brand, place, clock=clock, budget=budget))
        except NotConnected as error:
            missing[name] = error
    return Connections(platforms, missing)


def setup(
    name: str, part: PlatformPart, brand: Brand, place: Place, *, clock: Clock, budget: Budget
) -> Setup:
    """What one platform is given."""
    return Setup(
        brand=brand.name,
        words=brand.watch,
        handles=frozenset(brand.handles.get(name, ())),
        clock=clock,
        budget=budget,
        folder=place.folder / "platforms" / name,
        access=access_to(name, place.settings),
        listen=bool(part.listen),
        places=_places(part),
        visibility=part.visibility,
        approval=part.approval_reference,
        stream=part.stream if part.stream is not None else name not in STREAMS_COST,
        cents_per_day=_cents(part),
    )


def access_to(name: str, settings: Settings) -> Mapping[str, str]:
    """The settings of one platform that are set, in plain text: for the platform alone."""
    group = getattr(settings, name, None)
    if group is None:
        return plugin_access(name)
    values = {key: getattr(group, key) for key in type(group).model_fields}
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _places(part: PlatformPart) -> tuple[str, ...]:
    listen = part.listen
    return () if isinstance(listen, bool) else tuple(item.removeprefix("r/") for item in listen)


def _cents(part: PlatformPart) -> int | None:
    return int(part.budget.per_day.amount * 100) if part.budget.per_day is not None else None


def looking(
    name: str,
    words: tuple[str, ...],
    brand: Brand | None,
    place: Place,
    *,
    clock: Clock,
    budget: Budget,
    folder: Path,
) -> Platform:
    """A platform to look at: it listens for the words, as the brand would where there is one.

    Raises:
        NotConnected: there is no such platform, or it cannot be used as it is set up.
    """
    make: Callable[[Setup], Platform] | None = installed().get(name)
    if make is None:
        known = ", ".join(sorted(installed()))
        raise NotConnected(f"there is no platform {name}; installed are {known}", fix="heard plugins list")
    if brand is not None and (part := brand.platforms.get(name)) is not None:
        given = setup(name, part, brand, place, clock=clock, budget=budget)
        return make(replace(given, words=words or given.words, folder=folder, listen=True))
    return make(
        Setup(
            brand=words[0] if words else "",
            words=words,
            handles=frozenset(),
            clock=clock,
            budget=budget,
            folder=folder,
            access=access_to(name, place.settings),
            stream=name not in STREAMS_COST,
        )
    )
