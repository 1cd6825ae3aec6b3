"""What could not be handled: kept with its reason, listed, and put back on its line by command."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from casework import moves
from casework.case import Topic
from casework.errors import HeardError, IllegalMove, NoSuchCase
from streams import topics
from streams.case_store import CaseStore, Entry
from streams.connection import Store
from streams.telling import Telling

ID: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,15}-[0-9]{1,15})", re.ASCII)
log = structlog.get_logger(__name__)

RAW_KEPT: Final = 10_000
"""How much of an unreadable line is kept, in characters: enough to find and mend it."""

_TOLD: Final = "heard:dead:told"
_TELLING: Final = "heard:dead:telling"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One entry, or one line of a feed, that could not be handled. ``id`` names it for a retry."""

    id: str
    reason: str
    at: datetime
    case_id: str = ""
    topic: str = ""
    where: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """How many dead letters people were last told of, and when."""

    count: int
    at: datetime


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

    async def find(self, letter_id: str) -> DeadLetter:
        """One dead letter.

        Raises:
            HeardError: there is none with this id.
        """
        partition, entry_id = _parse(letter_id)
        found: Any = await self._writes.xrange(topics.dead_key(partition), entry_id, entry_id)
        if not found:
            raise HeardError(f"there is no dead letter {letter_id}; heard dead-letters list shows them")
        return _letter(partition, found[0][0].decode(), found[0][1])

    async def drop(self, *letters: DeadLetter) -> int:
        """Throw dead letters away, to the last byte; returns how many were still there."""
        by_partition: dict[int, list[str]] = {}
        for letter in letters:
            partition, entry_id = _parse(letter.id)
            by_partition.setdefault(partition, []).append(entry_id)
        dropped = 0
        for partition, ids in by_partition.items():
            done: Any = await self._writes.fcall("heard1_drop", 1, topics.dead_key(partition), *ids)
            dropped += int(done)
        return dropped

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

    async def throw_away(
        self, letter: DeadLetter, cases: CaseStore, *, by: str, why: str, at: datetime
    ) -> bool:
        """Drop one; False when somebody else was faster. Its case says first who did, and why."""
        if letter.case_id:
            said = f"dead letter dropped ({letter.topic}: {letter.reason}): {why}"
            try:
                await cases.move(letter.case_id, lambda case: moves.note(case, by=by, at=at, text=said))
            except (NoSuchCase, IllegalMove) as error:
                log.info("no case to note it on", letter=letter.id, why=str(error))
        log.warning("dead letter dropped", letter=letter.id, case=letter.case_id, by=by)
        return await self.drop(letter) > 0

    # ── who was told ─────────────────────────────────────────────────────────────────────────────

    async def told(self) -> Told | None:
        """What people were last told; None if never, or that all was handled."""
        # Any: redis-py's stubs promise texts that a client without decoding never gives.
        raw: Any = await self._writes.get(_TOLD)
        if raw is None:
            return None
        count, _, at = raw.decode().partition(" ")
        return Told(int(count), datetime.fromisoformat(at))

    async def note_told(self, told: Told | None) -> None:
        """Remember what people were told; None: that all is handled."""
        if told is None:
            await self._writes.delete(_TOLD)
        else:
            await self._writes.set(_TOLD, f"{told.count} {told.at.isoformat()}")

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[bool]:
        """Whether this process is the one that tells now; nobody else is for a minute, or until this ends."""
        turn = Telling(self._store, _TELLING)
        mine = await turn.take()
        try:
            yield mine
        finally:
            if mine:
                await turn.end()


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
        raw=text.get("raw", ""),
    )


def _parse(letter_id: str) -> tuple[int, str]:
    match = ID.fullmatch(letter_id)
    if match is None or int(match[1]) >= topics.PARTITIONS:
        raise HeardError(f"{letter_id!r} is not the id of a dead letter: one looks like 17/1762171200000-0")
    return int(match[1]), match[2]
