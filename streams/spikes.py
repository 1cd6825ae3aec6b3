"""What the watch over the brand's volume knows and what nobody was told yet: one record for all processes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog

from casework.spikes import Over, Spike, SpikeState
from streams.connection import Store
from streams.telling import Telling

log = structlog.get_logger(__name__)

_KEY: Final = "heard:spikes"
_TELLING: Final = "heard:spikes:telling"

_REPLACE: Final = """
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1] + 1, 'record', ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True)
class News:
    """A spike began, or one is over: one of the two is set.

    ``counts`` are the last hour in fives of minutes: when they began, the mentions, the usual. ``paused``
    says that automatic replies rest.
    """

    at: datetime
    spike: Spike | None = None
    over: Over | None = None
    counts: tuple[tuple[datetime, int, float], ...] = ()
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """The watch's state and what nobody was told yet, oldest first. ``version`` counts its writings."""

    state: SpikeState = field(default_factory=SpikeState)
    untold: tuple[News, ...] = ()
    version: int = 0


class SpikeRecord:
    """Read by any process, written by whoever is first."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes
        self._telling = Telling(store, _TELLING)

    async def read(self) -> Watched:
        """What is known; nothing yet at the beginning."""
        # Any: redis-py's stubs promise texts that a client without decoding never gives.
        held: Any = await self._writes.hmget(_KEY, ["version", "record"])
        version, raw = int(held[0] or 0), held[1]
        if raw is None:
            return Watched()
        try:
            state, untold = msgspec.msgpack.decode(raw, type=tuple[SpikeState, tuple[News, ...]])
        except msgspec.DecodeError as error:
            # Another version wrote it. What is usual can be learnt again; refusing to run cannot be undone.
            log.warning("what is usual is learnt anew", why=str(error))
            return Watched(version=version)
        return Watched(state, untold, version)

    async def replace(self, held: Watched, state: SpikeState, untold: tuple[News, ...]) -> bool:
        """Write in the place of what was read; False if somebody else wrote meanwhile."""
        raw = msgspec.msgpack.encode((state, untold))
        replaced: Any = await self._writes.eval(_REPLACE, 1, _KEY, str(held.version), raw)
        return bool(replaced)

    async def may_tell(self) -> bool:
        """Whether this process is the one that tells now; nobody else is for a minute, or until `told`."""
        return await self._telling.take()

    async def told(self) -> None:
        """Let others tell again."""
        await self._telling.end()
