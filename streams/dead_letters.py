"""What could not be handled: kept with its reason, listed, and put back on its line by command."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from casework.case import Topic
from casework.errors import HeardError
from streams import topics
from streams.case_store import Entry
from streams.connection import Store

RAW_KEPT: Final = 10_000
"""How much of an unreadable line is kept, in characters: enough to find and mend it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One entry, or one line of a feed, that could not be handled. ``id`` names it for a retry."""

    id: str
    reason: str
    at: datetime
    case_id: str = ""
    topic: str = ""
    where: str = ""


class DeadLetters:
    """The dead letters of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writes = store.writes

    async def bury(self, entry: Entry, reason: str, *, at: datetime) -> None:
        """Move an entry from its line to the dead letters, at once and whole."""
        keys = (topics.dead_key(entry.partition), topics.topic_key(entry.partition, entry.topic))
        fields = ("c", entry.case_id, "t", entry.topic, "a", entry.alert, "r", reason, "at", at.isoformat())
        await self._store.keep_call("heard1_bury", keys, entry.group, entry.id, *fields)

    async def bury_line(self, where: str, raw: str, reason: str, *, at: datetime) -> bool:
        """Keep a line of a feed that is no mention, once for the same words; ``where`` names the feed."""
        partition = topics.partition_of("line", where)
        keys = (topics.seen_key(partition), topics.dead_key(partition))
        fields = ("w", where, "r", reason, "at", at.isoformat(), "raw", raw[:RAW_KEPT])
        done = await self._writes.fcall(
            "heard1_pass_over", 2, *keys, line_key(where, raw), "-unreadable", *fields
        )
        return bool(done)

    async def every(self) -> AsyncIterator[DeadLetter]:
        """All dead letters, by partition and age."""
        for partition in topics.all_partitions():
            entries: Any = await self._writes.xrange(topics.dead_key(partition))
            for entry_id, fields in entries:
                yield _letter(partition, entry_id.decode(), fields)

    async def count(self) -> int:
        """How many there are."""
        async with self._writes.pipeline(transaction=False) as pipe:
            for partition in topics.all_partitions():
                pipe.xlen(topics.dead_key(partition))
            return sum(await pipe.execute())

    async def retry(self, letter: DeadLetter) -> bool:
        """Put a dead letter back on its line; False when somebody else did.

        Raises:
            HeardError: it is an unreadable line: mend the feed and play it again.
        """
        if not letter.topic:
            raise HeardError(f"{letter.where} is a line of a feed: mend it there and play the feed again")
        partition, entry_id = _parse(letter.id)
        key = topics.topic_key(partition, Topic(letter.topic))
        found: Any = await self._writes.xrange(topics.dead_key(partition), entry_id, entry_id)
        alert = found[0][1].get(b"a", b"") if found else b""
        keys = (topics.dead_key(partition), key)
        return bool(await self._writes.fcall("heard1_revive", 2, *keys, entry_id, letter.case_id, alert))


def line_key(where: str, raw: str) -> str:
    """What makes a line of a feed the same line: a stream has no numbers, so its words count too."""
    return f"line:{where}:{hashlib.sha256(raw.encode(errors='replace')).hexdigest()[:16]}"


def _letter(partition: int, entry_id: str, fields: dict[bytes, bytes]) -> DeadLetter:
    text = {key.decode(): value.decode(errors="replace") for key, value in fields.items() if key != b"a"}
    return DeadLetter(
        id=f"{partition}/{entry_id}",
        reason=text.get("r", ""),
        at=datetime.fromisoformat(text["at"]).astimezone(UTC),
        case_id=text.get("c", ""),
        topic=text.get("t", ""),
        where=text.get("w", ""),
    )


def _parse(letter_id: str) -> tuple[int, str]:
    partition, _, entry_id = letter_id.partition("/")
    if not partition.isdigit() or not entry_id:
        raise HeardError(f"{letter_id!r} is not the id of a dead letter")
    return int(partition), entry_id
