"""What is left of the platforms' limits, in the store: every worker of every machine spends from it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from casework.clock import Clock
from streams.connection import Store

SLOTS: Final = 60
"""Into how many slots a stretch is cut: the oldest is counted whole, so that the sum is never too low."""


class LimitLike(Protocol):
    """A limit as platforms name them (`platforms.limits.Limit`)."""

    @property
    def name(self) -> str:
        """Its name, unique for the account."""
        ...

    @property
    def amount(self) -> int:
        """How much may be spent…"""
        ...

    @property
    def per(self) -> timedelta:
        """… within any stretch of this length."""
        ...


class SharedBudget:
    """Spending that is counted once for everybody, in one script a call. See `platforms.limits.Budget`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._writes = store.writes
        self._clock = clock

    async def take(self, account: str, limits: Sequence[LimitLike], cost: int = 1) -> timedelta | None:
        """Spend ``cost`` from each of the limits or from none; returns how long until it can be."""
        keys = [_key(account, limit) for limit in limits]
        args: list[int] = [_ms(self._clock.now()), cost]
        for limit in limits:
            args += [limit.amount, _length_ms(limit)]
        wait: Any = await self._writes.fcall("heard1_take", len(keys), *keys, *args)
        return None if wait is None else timedelta(milliseconds=int(wait))

    async def told(self, account: str, limit: LimitLike, *, left: int, until: datetime) -> None:
        """The platform itself says what is left until an instant."""
        key = _key(account, limit)
        async with self._writes.pipeline(transaction=True) as pipe:
            pipe.hset(key, mapping={"left": left, "until": _ms(until)})
            pipe.pexpire(key, 2 * _length_ms(limit))
            await pipe.execute()

    async def left(self, account: str, limit: LimitLike) -> int:
        """How much may still be spent now."""
        args = [_ms(self._clock.now()), limit.amount, _length_ms(limit)]
        found: Any = await self._writes.fcall("heard1_left", 1, _key(account, limit), *args)
        return max(0, int(found))


def _key(account: str, limit: LimitLike) -> str:
    # One hash tag an account: the script takes from several limits at once.
    return f"{{budget:{account}}}:{limit.name}"


def _length_ms(limit: LimitLike) -> int:
    return max(SLOTS, int(limit.per.total_seconds() * 1000))


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
