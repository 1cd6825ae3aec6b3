"""How much is said of the brand: judged mentions in slots of five minutes, kept for five weeks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from casework.spikes import SLOT
from streams.connection import Store

KEPT: Final = timedelta(weeks=5)
"""A week longer than what is usual is learnt from."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What was judged in the five minutes that began at ``at``: so many mentions, so many negative."""

    at: datetime
    mentions: int = 0
    negative: int = 0


class Volume:
    """The counts of all workers of all machines, a hash for each day.

    A count is no ledger: a worker that dies between counting and saving counts its batch twice.
    """

    def __init__(self, store: Store) -> None:
        self._writes = store.writes

    async def count(self, at: datetime, mentions: int, negative: int) -> None:
        """Add what was judged at an instant, in one round trip."""
        slot = slot_of(at)
        key = _day_key(slot)
        async with self._writes.pipeline(transaction=True) as pipe:
            pipe.hincrby(key, f"{slot:%H:%M}", mentions)
            pipe.hincrby(key, f"{slot:%H:%M}-", negative)
            # From the last count of the day, in the store's own time: recorded days have another.
            pipe.expire(key, KEPT + timedelta(days=1))
            await pipe.execute()

    async def slots(self, since: datetime, until: datetime) -> Sequence[Slot]:
        """Every slot that began at ``since`` or later and ended by ``until``, empty ones too."""
        first, slots = -((_EPOCH - since) // SLOT), []
        at = _EPOCH + first * SLOT
        while at + SLOT <= until:
            slots.append(at)
            at += SLOT
        days = list(dict.fromkeys(_day_key(slot) for slot in slots))
        async with self._writes.pipeline(transaction=False) as pipe:
            for key in days:
                pipe.hgetall(key)
            # Any: redis-py's stubs promise texts that a client without decoding never gives.
            answers: Any = await pipe.execute()
        held = dict(zip(days, answers, strict=True))
        return [_slot(at, held[_day_key(at)]) for at in slots]


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def slot_of(at: datetime) -> datetime:
    """When the slot began that an instant is in."""
    return _EPOCH + (at - _EPOCH) // SLOT * SLOT


def _day_key(slot: datetime) -> str:
    return f"heard:volume:{slot:%Y-%m-%d}"


def _slot(at: datetime, day: dict[bytes, bytes]) -> Slot:
    name = f"{at:%H:%M}"
    return Slot(at, int(day.get(name.encode(), 0)), int(day.get(f"{name}-".encode(), 0)))
