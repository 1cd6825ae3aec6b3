"""Who is editing a reply just now: a lease that ends by itself, so that nobody's lunch locks a case.

It is a courtesy and no safety: two people who send all the same still meet at the case's one door.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from streams.connection import Store

LEASE: Final = timedelta(minutes=10)
_ENDS: Final = "{editing}:ends"
# One script a step: what is compared and what is changed must be the same lease.
_TAKE: Final = """
local held = redis.call('GET', KEYS[1])
if held and ARGV[4] == '' and cjson.decode(held)['owner'] ~= ARGV[1] then return held end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[6])
return ARGV[2]
"""
_RELEASE: Final = """
local held = redis.call('GET', KEYS[1])
if not held or (ARGV[1] ~= '' and cjson.decode(held)['owner'] ~= ARGV[1]) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
return redis.call('DEL', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who edits the reply of a case, and since when. ``owner`` is a user id, ``by`` their name."""

    owner: str
    by: str
    since: datetime


class EditLocks:
    """The leases of all cases."""

    def __init__(self, store: Store, *, lasts: timedelta = LEASE) -> None:
        self._writes = store.writes
        self._lasts = lasts

    async def take(self, case_id: str, lease: Lease, *, over: bool = False) -> Lease:
        """Take or renew the lease; returns whose it is now. ``over`` takes it from anybody."""
        wanted = msgspec.json.encode(lease)
        lasts_ms = int(self._lasts.total_seconds() * 1000)
        ends = int(lease.since.timestamp() * 1000) + lasts_ms
        args = (lease.owner, wanted, lasts_ms, "over" if over else "", ends, case_id)
        # Any: redis-py's stubs promise a text that a client without decoding never gives.
        held: Any = await self._writes.eval(_TAKE, 2, _key(case_id), _ENDS, *args)
        return msgspec.json.decode(held, type=Lease)

    async def holder(self, case_id: str) -> Lease | None:
        """Who edits the case now."""
        held: Any = await self._writes.get(_key(case_id))
        return None if held is None else msgspec.json.decode(held, type=Lease)

    async def release(self, case_id: str, owner: str = "") -> bool:
        """End the lease if it is this person's (anybody's, without one); False where it was not."""
        released: Any = await self._writes.eval(_RELEASE, 2, _key(case_id), _ENDS, owner, case_id)
        return bool(released)

    async def ended(self, now: datetime) -> Sequence[str]:
        """The cases whose lease ended by itself since this was last asked: their cards say so wrongly."""
        late: Any = await self._writes.zrangebyscore(_ENDS, "-inf", int(now.timestamp() * 1000))
        free = [raw.decode() for raw in late if not await self._writes.exists(_key(raw.decode()))]
        if free:
            await self._writes.zrem(_ENDS, *free)
        return free


def lease(owner: str, by: str, now: datetime) -> Lease:
    """A lease from now on."""
    return Lease(owner, by, now.astimezone(UTC))


def _key(case_id: str) -> str:
    return f"{{editing}}:{case_id}"
