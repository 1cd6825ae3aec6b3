"""Which owners were asked whether they are still on it, and when: so that nobody is asked twice at once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from streams.connection import Store

_KEY: Final = "heard:leases"
# One script: two processes that look at a case in the same moment must not both ask.
_REPLACE: Final = """
local held = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if held ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1])
else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
"""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a case. Until it is ``sent`` nobody knows whether the owner sees it."""

    asked_at: datetime
    sent: bool = False


class Questions:
    """The last question about each case, until it is forgotten."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes

    async def every(self) -> dict[str, Question]:
        """The questions by case id."""
        # Any: redis-py's stubs promise texts that a client without decoding never gives.
        held: Any = await self._writes.hgetall(_KEY)
        return {case.decode(): msgspec.json.decode(raw, type=Question) for case, raw in held.items()}

    async def replace(self, case_id: str, held: Question | None, new: Question | None) -> bool:
        """Put a question in the place of the one that was read (None is no question); False if it changed."""
        replaced: Any = await self._writes.eval(_REPLACE, 1, _KEY, case_id, _bytes(held), _bytes(new))
        return bool(replaced)


def _bytes(question: Question | None) -> bytes:
    return b"" if question is None else msgspec.json.encode(question)
