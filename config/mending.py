"""What `heard store mend` does and says."""

from pathlib import Path
from typing import Final

from casework.clock import SystemClock
from casework.errors import HeardError
from config.readers import place_of
from streams import mending
from streams.mending import Damage

BEFORE_STARTING: Final = (
    "What was dropped is unknown to Heard from now on, replies that went out among it. Before you let it "
    "send: `heard up --only desk`, `heard pause`, and look. Only the look before sending finds what the "
    "platform shows."
)


def examine(demo: bool) -> Damage | None:
    """What is damaged; None when nothing is.

    Raises:
        HeardError: the store is not Heard's own, or it runs.
    """
    return mending.examine(_folder(demo))


def said(damage: Damage) -> str:
    """The damage, for whoever decides."""
    return (
        f"{damage.file} can be read up to byte {damage.good:,} of {damage.size:,}: "
        f"the {damage.lost:,} after it cannot."
    )


def mended(demo: bool, damage: Damage) -> str:
    """Mend, and say where the copy is and what to look at."""
    copy = mending.mend(_folder(demo), damage, at=SystemClock().now())
    return f"Mended. Everything as it was lies in {copy}.\n{BEFORE_STARTING}"


def _folder(demo: bool) -> Path:
    place = place_of(demo)
    if place.redis_url:
        raise HeardError("the store is a server of yours (REDIS_URL): mend its files there")
    if not (place.folder / "store").exists():
        raise HeardError(f"there is no store in {place.folder} yet: heard demo or heard up makes one")
    return place.folder / "store"
