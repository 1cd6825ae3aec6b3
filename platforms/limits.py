"""How much a platform lets one account do: limits as data, and the budget that everybody spends from.

Limits hold for a credential, not for a process: the budget lies in the store (`streams.budget`), so that
any number of workers share it. What a platform's own headers say overrides our figures.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``amount`` within any stretch of time as long as ``per``; ``source`` is where it was read."""

    name: str
    amount: int
    per: timedelta
    source: str = ""


class Budget(Protocol):
    """What is left of limits, for one account or application, shared by all who use it."""

    async def take(self, account: str, limits: Sequence[Limit], cost: int = 1) -> timedelta | None:
        """Spend ``cost`` from each of the limits, or from none.

        Returns None when it was spent, else how long until it can be.
        """
        ...

    async def told(self, account: str, limit: Limit, *, left: int, until: datetime) -> None:
        """The platform itself says what is left until an instant: it has the last word."""
        ...

    async def left(self, account: str, limit: Limit) -> int:
        """How much may still be spent now."""
        ...


@dataclass(slots=True)
class OwnBudget:
    """A budget of this process alone: for looking without a store, and the model of the shared one."""

    now: "NowFunction"
    _spent: dict[tuple[str, str], deque[tuple[datetime, int]]] = field(default_factory=dict)
    _told: dict[tuple[str, str], tuple[int, datetime]] = field(default_factory=dict)

    async def take(self, account: str, limits: Sequence[Limit], cost: int = 1) -> timedelta | None:
        """Spend from each of the limits, or from none."""
        now = self.now()
        waits = [wait for limit in limits if (wait := self._wait(account, limit, cost, now)) is not None]
        if waits:
            return max(waits)
        for limit in limits:
            key = (account, limit.name)
            self._spent.setdefault(key, deque()).append((now, cost))
            if key in self._told:
                left, until = self._told[key]
                self._told[key] = (left - cost, until)
        return None

    async def told(self, account: str, limit: Limit, *, left: int, until: datetime) -> None:
        """The platform itself says what is left until an instant."""
        self._told[(account, limit.name)] = (left, until)

    async def left(self, account: str, limit: Limit) -> int:
        """How much may still be spent now."""
        return max(0, self._left(account, limit, self.now()))

    def _left(self, account: str, limit: Limit, now: datetime) -> int:
        spent = self._spent.get((account, limit.name), deque())
        while spent and spent[0][0] <= now - limit.per:
            spent.popleft()
        left = limit.amount - sum(cost for _, cost in spent)
        told, until = self._told.get((account, limit.name), (left, now))
        return min(left, told) if now < until else left

    def _wait(self, account: str, limit: Limit, cost: int, now: datetime) -> timedelta | None:
        if self._left(account, limit, now) >= cost:
            return None
        told, until = self._told.get((account, limit.name), (cost, now))
        if told < cost and now < until:
            return until - now
        spending = self._spent.get((account, limit.name), deque())
        free = limit.amount - sum(spent for _, spent in spending)
        for at, spent in spending:
            free += spent
            if free >= cost:
                return at + limit.per - now
        return limit.per


class NowFunction(Protocol):
    """The present instant, aware, in UTC: the ``now`` of a `casework.clock.Clock`."""

    def __call__(self) -> datetime:
        """The present instant."""
        ...
