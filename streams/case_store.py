"""The one door: every change of state goes through `CaseStore.save`, and everything is read here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import structlog

from casework.case import Case, Move, Moved, Send, Status, Topic
from casework.errors import Conflict, HeardError, NoSuchCase, TryAgainLater
from casework.forgetting import SIGN, Marks, bare
from casework.mention import Mention
from casework.timeline import TimelineEntry
from streams import codec, topics
from streams.connection import Store
from streams.errors import WrongStore
from streams.marks import MarksOf

log = structlog.get_logger(__name__)

T = TypeVar("T")
READ_AT_ONCE: Final = 256
MOVE_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream as a group's consumer got it: where it stands, and the case it is about."""

    partition: int
    topic: Topic
    group: str
    id: str
    case_id: str
    alert: bytes = b""


@dataclass(frozen=True, slots=True)
class AlreadySeen:
    """A mention that was heard before: ``outcome`` is its case, or why it became none."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Write:
    """One move to save, and the entry that it settles.

    ``left`` is what the timeline before it becomes, where words and ids go: the case's posts are known
    by their marks from then on, and its threads no more.
    """

    moved: Moved
    settle: Entry | None = None
    left: tuple[TimelineEntry, ...] | None = None
    known_as: tuple[Mention, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some cases, and where the next page begins; ``cursor`` is None on the last."""

    cases: tuple[Case, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A case changed: ``id`` is the position after it, for reading on from."""

    id: str
    case_id: str
    version: int


class CaseStore:
    """Cases, their timelines and indexes, behind one door."""

    def __init__(self, store: Store, *, on_saved: Callable[[Moved], None] | None = None) -> None:
        """``on_saved`` is told of every move that is saved through here, once it is."""
        self._store = store
        self._writes = store.writes
        self._reads = store.reads
        self._on_saved = on_saved
        self.marks = MarksOf(store)

    # ── the door ─────────────────────────────────────────────────────────────────────────────────

    async def save(self, moved: Moved, settle: Entry | None = None) -> Case:
        """Save one move and settle the entry that led to it, all or nothing.

        Raises:
            Conflict: the case is no longer at the version the move was made on.
            NotCopied: it is saved, and on too few replicas.
        """
        (outcome,) = await self.save_all([Write(moved, settle=settle)])
        if isinstance(outcome, Exception):
            raise outcome
        return moved.case

    async def save_all(self, writes: Sequence[Write]) -> list[AlreadySeen | Conflict | None]:
        """Save many moves in one round trip, each all or nothing by itself, in order.

        Returns one outcome a write: None when saved.
        """
        groups = _by_partition([topics.partition_of_case(write.moved.case.id) for write in writes])
        if not groups:
            return []
        marks = await self.marks.get()
        async with self._writes.pipeline(transaction=False) as pipe:
            for partition, places in groups.items():
                call = _Call(partition, [writes[place] for place in places], marks)
                pipe.fcall("heard1_save", len(call.keys), *call.keys, *call.args)
            answers = await self._store.keep(pipe)
        outcomes = _in_place(groups, answers, lambda place, said: _outcome(writes[place].moved, said))
        if self._on_saved is not None:
            for write, end in zip(writes, outcomes, strict=True):
                if end is None:
                    self._on_saved(write.moved)
        return outcomes

    async def move(
        self, case_id: str, decide: Callable[[Case], Moved], *, seen_version: int | None = None
    ) -> Case:
        """A person's move: load, decide, save, bound to the version that they saw.

        A clock that only looked at the case since took nothing from anybody: the move is made all the same.

        Raises:
            Conflict: somebody moved the case since, and this says who.
            HeardError: whatever ``decide`` refuses.
        """
        for _ in range(MOVE_ROUNDS):
            case = await self.load(case_id)
            if seen_version is not None and not await self._untouched(case, seen_version):
                raise Conflict(case_id, version=case.version, won_by=case.moved_by, move=case.moved)
            try:
                return await self.save(decide(case))
            except Conflict:
                # Between our load and our save: somebody, who was faster, or the clock.
                if seen_version is None:
                    raise
        raise TryAgainLater(f"{case_id} never stood still", after=timedelta(seconds=1))

    async def unname(
        self, case_id: str, decide: Callable[[Case, Marks], Moved], *, labels: bool = False
    ) -> Case:
        """A move after which no words and no ids are left: in the case, its timeline, what was heard of it.

        ``labels`` may stay on the timeline.

        Raises:
            Conflict: somebody moved the case meanwhile, again and again.
            HeardError: whatever ``decide`` refuses.
        """
        marks = await self.marks.get()
        for rounds_left in reversed(range(MOVE_ROUNDS)):
            case = await self.load(case_id)
            timeline = await self.timeline(case_id)
            moved = decide(case, marks)
            left = bare(timeline, labels=labels)
            (outcome,) = await self.save_all([Write(moved, left=left, known_as=case.mentions)])
            if outcome is None:
                return moved.case
            if isinstance(outcome, Conflict) and not rounds_left:
                raise outcome
        raise TryAgainLater(f"{case_id} never stood still", after=timedelta(seconds=1))

    async def _untouched(self, case: Case, seen_version: int) -> bool:
        """Whether nobody but the clock has moved the case since a version."""
        if case.version == seen_version:
            return True
        entries = await self.timeline(case.id)
        since = [entry.what for entry in entries if seen_version < entry.version <= case.version]
        return len(since) == case.version - seen_version > 0 and set(since) <= {Move.WAKE, Move.TELL}

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Settle entries that needed nothing."""
        together: dict[tuple[int, Topic, str], list[str]] = {}
        for entry in entries:
            together.setdefault((entry.partition, entry.topic, entry.group), []).append(entry.id)
        if not together:
            return
        async with self._writes.pipeline(transaction=False) as pipe:
            for (partition, topic, group), ids in together.items():
                pipe.fcall("heard1_settle", 1, topics.topic_key(partition, topic), group, *ids)
            await pipe.execute()

    async def pass_over(self, mention: Mention, reason: str) -> bool:
        """Record why a mention becomes no case; False when it was heard before."""
        partition = topics.partition_of_mention(mention)
        marks = await self.marks.get()
        if await self._writes.hexists(topics.seen_key(partition), marks.key(mention.key)):
            return False
        keys = (topics.seen_key(partition), topics.dead_key(partition))
        return bool(await self._store.keep_call("heard1_pass_over", keys, mention.key, f"-{reason}"))

    # ── one case ─────────────────────────────────────────────────────────────────────────────────

    async def load(self, case_id: str) -> Case:
        """The case as it is now.

        Raises:
            NoSuchCase: no case has this id.
        """
        (case,) = await self.load_all([case_id])
        if case is None:
            raise NoSuchCase(case_id)
        return case

    async def load_all(self, case_ids: Sequence[str]) -> list[Case | None]:
        """The cases as they are now, in order; None where there is none."""
        return await self._load(case_ids, lambda _, record: codec.read_case(record))

    async def load_readable(self, case_ids: Sequence[str]) -> list[Case | None]:
        """The cases as they are now, in order; None also where one cannot be read: it silences no other."""
        return await self._load(case_ids, _read_if_readable)

    async def _load(
        self, case_ids: Sequence[str], read: Callable[[str, bytes], Case | None]
    ) -> list[Case | None]:
        groups = _by_partition([topics.partition_of_case(case_id) for case_id in case_ids])
        if not groups:
            return []
        async with self._writes.pipeline(transaction=False) as pipe:
            for places in groups.values():
                keys = [topics.case_key(case_ids[place]) for place in places]
                pipe.fcall_ro("heard1_load", len(keys), *keys)
            answers = await pipe.execute()
        return _in_place(
            groups, answers, lambda place, record: read(case_ids[place], record) if record else None
        )

    async def timeline(self, case_id: str) -> list[TimelineEntry]:
        """Everything that happened to a case, oldest first."""
        records: Any = await self._writes.lrange(topics.timeline_key(case_id), 0, -1)
        return [codec.read_entry(record) for record in records]

    async def timelines(self, case_ids: Sequence[str]) -> list[list[TimelineEntry]]:
        """The timelines of many cases, in order."""
        if not case_ids:
            return []
        async with self._writes.pipeline(transaction=False) as pipe:
            for case_id in case_ids:
                pipe.lrange(topics.timeline_key(case_id), 0, -1)
            answers = await pipe.execute()
        return [[codec.read_entry(record) for record in records] for records in answers]

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────

    async def known(self, mentions: Sequence[Mention]) -> list[tuple[str | None, str | None]]:
        """For each mention, what it became if it was heard before, and the case its conversation has."""
        groups = _by_partition([topics.partition_of_mention(mention) for mention in mentions])
        if not groups:
            return []
        marks = await self.marks.get()
        async with self._writes.pipeline(transaction=False) as pipe:
            for partition, places in groups.items():
                asked = [mentions[place] for place in places]
                keys = [name for mention in asked for name in (mention.key, marks.key(mention.key))]
                pipe.hmget(topics.seen_key(partition), keys)
                fields = [field for mention in asked for field in topics.thread_fields(mention)]
                pipe.hmget(topics.threads_key(partition), fields)
            answers = await pipe.execute()
        heard = [
            _first_of_each([2] * len(places), said)
            for places, said in zip(groups.values(), answers[::2], strict=True)
        ]
        seen = _in_place(groups, heard, lambda _, said: _text(said))
        threads = [
            _first_of_each([len(mentions[place].threads) for place in places], found)
            for places, found in zip(groups.values(), answers[1::2], strict=True)
        ]
        cases = _in_place(groups, threads, lambda _, found: _text(found))
        return list(zip(seen, cases, strict=True))

    async def case_of(self, key: str, author_id: str = "") -> str | None:
        """The case that took in a mention, by its key; without its author every partition is asked."""
        platform = key.partition(":")[0]
        asked = [topics.partition_of(platform, author_id)] if author_id else [*topics.all_partitions()]
        mark = (await self.marks.get()).key(key)
        async with self._writes.pipeline(transaction=False) as pipe:
            for partition in asked:
                pipe.hmget(topics.seen_key(partition), [key, mark])
            answers = await pipe.execute()
        found = next((_text(said) for both in answers for said in both if said is not None), None)
        return None if found is None or found.startswith("-") else found

    async def marked(self, keys: Sequence[str]) -> dict[str, str]:
        """Of the keys of mentions, the marks of those that the store knows by their marks alone."""
        marks = await self.marks.get()
        marked = [marks.key(key) for key in keys]
        async with self._writes.pipeline(transaction=False) as pipe:
            for partition in topics.all_partitions() if marked else ():
                pipe.hmget(topics.seen_key(partition), marked)
            answers = await pipe.execute()
        return {
            key: mark
            for place, (key, mark) in enumerate(zip(keys, marked, strict=True))
            if any(answer[place] is not None for answer in answers)
        }

    async def new_ids(self, mentions: Sequence[Mention]) -> list[str]:
        """A fresh case id for each mention, in its author's partition. Unused ones leave harmless gaps."""
        groups = _by_partition([topics.partition_of_mention(mention) for mention in mentions])
        if not groups:
            return []
        async with self._writes.pipeline(transaction=False) as pipe:
            for partition, places in groups.items():
                pipe.incrby(topics.number_key(partition), len(places))
            lasts = await pipe.execute()
        numbers = [
            range(last - len(places) + 1, last + 1)
            for places, last in zip(groups.values(), lasts, strict=True)
        ]
        partitions = [topics.partition_of_mention(mention) for mention in mentions]
        return _in_place(groups, numbers, lambda place, number: topics.case_id(number, partitions[place]))

    async def opt_out(self, platform: str, author_id: str) -> None:
        """An author asked not to be answered (X5). It is kept under a mark: it outlives being forgotten."""
        key = topics.optouts_key(topics.partition_of(platform, author_id))
        marked = f"{platform}:{(await self.marks.get()).author(platform, author_id)}"
        async with self._writes.pipeline(transaction=False) as pipe:
            pipe.sadd(key, marked)
            await self._store.keep(pipe)

    async def opted_out(self, platform: str, author_id: str) -> bool:
        """Whether an author asked not to be answered."""
        key = topics.optouts_key(topics.partition_of(platform, author_id))
        marked = f"{platform}:{(await self.marks.get()).author(platform, author_id)}"
        # Any: redis-py's stubs do not know that the answer is a list.
        asked: Any = await self._writes.smismember(key, [f"{platform}:{author_id}", marked])
        return any(asked)

    # ── due ──────────────────────────────────────────────────────────────────────────────────────

    async def due(self, now: datetime, *, at_most: int = 64) -> list[Case]:
        """The cases that the clock must look at, ``at_most`` a partition, earliest first."""
        given = await self.due_ids(now, dict.fromkeys(topics.all_partitions(), 0), at_most=at_most)
        ids = [case_id for some in given.values() for case_id in some]
        return [case for case in await self.load_readable(ids) if case is not None]

    async def due_ids(
        self, now: datetime, partitions: Mapping[int, int], *, at_most: int = 64
    ) -> dict[int, list[str]]:
        """Which cases the clock must look at in these partitions, ``at_most`` of each, earliest first.

        Each partition comes with how many of its first ones to pass over.
        """
        async with self._writes.pipeline(transaction=False) as pipe:
            for partition, passed in partitions.items():
                key = topics.due_key(partition)
                pipe.zrangebyscore(key, "-inf", _ms(now), start=passed, num=at_most)
            answers = await pipe.execute()
        return {
            partition: [member.decode() for member in members]
            for partition, members in zip(partitions, answers, strict=True)
        }

    async def next_due(self) -> datetime | None:
        """When the next case falls due; None when none will."""
        async with self._writes.pipeline(transaction=False) as pipe:
            for partition in topics.all_partitions():
                pipe.zrange(topics.due_key(partition), 0, 0, withscores=True)
            answers = await pipe.execute()
        scores = [answer[0][1] for answer in answers if answer]
        return datetime.fromtimestamp(min(scores) / 1000, UTC) if scores else None

    # ── lists ────────────────────────────────────────────────────────────────────────────────────

    async def counts(self) -> dict[Status, int]:
        """How many cases are in each status."""
        keys = [(s, topics.status_key(p, s)) for p in topics.all_partitions() for s in Status]
        async with self._writes.pipeline(transaction=False) as pipe:
            for _, key in keys:
                pipe.zcard(key)
            numbers = await pipe.execute()
        counts = dict.fromkeys(Status, 0)
        for (status, _), number in zip(keys, numbers, strict=True):
            counts[status] += number
        return counts

    async def ids_in(self, statuses: Sequence[Status]) -> list[tuple[float, str]]:
        """When each case in these statuses was opened (milliseconds) and its id, newest first."""
        async with self._writes.pipeline(transaction=False) as pipe:
            for partition in topics.all_partitions():
                for status in statuses:
                    pipe.zrange(topics.status_key(partition, status), 0, -1, withscores=True)
            answers = await pipe.execute()
        found = [(score, member.decode()) for answer in answers for member, score in answer]
        return sorted(found, reverse=True)

    async def page(self, statuses: Sequence[Status], *, limit: int, cursor: str | None = None) -> Page:
        """The cases in these statuses, newest first, ``limit`` at a time.

        Raises:
            HeardError: the cursor is not one that a page gave.
        """
        ids = await self.ids_in(statuses)
        start = 0 if cursor is None else _after(ids, cursor)
        chosen = ids[start : start + limit]
        cases = await self.load_all([case_id for _, case_id in chosen])
        more = start + limit < len(ids)
        last = f"{int(chosen[-1][0])}:{chosen[-1][1]}" if chosen and more else None
        return Page(tuple(case for case in cases if case is not None), last)

    async def every(self, statuses: Sequence[Status] = tuple(Status)) -> AsyncIterator[Case]:
        """Every case in these statuses, newest first, loaded some at a time."""
        ids = [case_id for _, case_id in await self.ids_in(statuses)]
        for start in range(0, len(ids), READ_AT_ONCE):
            for case in await self.load_all(ids[start : start + READ_AT_ONCE]):
                if case is not None:
                    yield case

    async def outcomes(self) -> AsyncIterator[tuple[str, str]]:
        """Everything that was ever heard, as its key and its case id or ``-reason``."""
        for partition in topics.all_partitions():
            async for field, value in self._reads.hscan_iter(topics.seen_key(partition), count=1000):
                if not field.startswith(b"@"):
                    yield field.decode(), value.decode()

    # ── open screens ─────────────────────────────────────────────────────────────────────────────

    async def changes(self, after: str | None = None, *, wait_ms: int = 5000) -> AsyncIterator[Change]:
        """Every change from now on, or after a position that an earlier change gave; never ends.

        A position is the entry id: ids of different partitions share the server's clock.
        """
        start = after or f"{await self._server_ms()}-0"
        # Any: redis-py's stubs ask for a wider, invariant dict.
        positions: Any = {topics.changes_key(p): start for p in topics.all_partitions()}
        while True:
            answers: Any = await self._reads.xread(positions, count=100, block=wait_ms)
            for key, entries in answers or []:
                positions[key.decode()] = entries[-1][0].decode()
                for entry_id, fields in entries:
                    yield Change(entry_id.decode(), fields[b"c"].decode(), int(fields[b"v"]))
            await asyncio.sleep(0)

    async def _server_ms(self) -> int:
        seconds, micros = await self._writes.time()
        return int(seconds) * 1000 + int(micros) // 1000


def _by_partition(partitions: Sequence[int]) -> dict[int, list[int]]:
    """The places of each partition's items, in order."""
    groups: dict[int, list[int]] = {}
    for place, partition in enumerate(partitions):
        groups.setdefault(partition, []).append(place)
    return groups


def _in_place(
    groups: Mapping[int, Sequence[int]], answers: Sequence[Any], read: Callable[[int, Any], T]
) -> list[T]:
    """The answers of a call for each partition, read and put back where their items were."""
    found = {
        place: read(place, said)
        for places, answer in zip(groups.values(), answers, strict=True)
        for place, said in zip(places, answer, strict=True)
    }
    return [found[place] for place in range(len(found))]


class _Call:
    """One call of the door for one partition: its keys and arguments, as `door.lua` reads them."""

    def __init__(self, partition: int, writes: Sequence[Write], marks: Marks) -> None:
        self._partition = partition
        self._marks = marks
        self._places: dict[str, int] = {}
        self._blobs: list[bytes] = []
        for name in (topics.due_key, topics.seen_key, topics.threads_key, topics.changes_key):
            self._key(name(partition))
        packed = codec.pack([self._row(write) for write in writes])
        self.keys = list(self._places)
        self.args = [packed, *self._blobs]

    def _key(self, name: str) -> int:
        return self._places.setdefault(name, len(self._places) + 1)

    def _blob(self, content: bytes) -> int:
        self._blobs.append(content)
        return len(self._blobs) + 1

    def _row(self, write: Write) -> tuple[object, ...]:
        moved, case, settle = write.moved, write.moved.case, write.settle
        partition, wake = self._partition, case.next_wake()
        return (
            moved.was,
            case.version,
            self._blob(codec.write(case)),
            case.id,
            "" if wake is None else _ms(wake),
            _ms(case.opened_at),
            (
                self._key(topics.case_key(case.id)),
                self._key(topics.timeline_key(case.id)),
                self._key(topics.status_key(partition, moved.was_status or case.status)),
                self._key(topics.status_key(partition, case.status)),
            ),
            (self._key(topics.topic_key(partition, settle.topic)), settle.group, settle.id) if settle else (),
            [self._blob(codec.write(entry)) for entry in (*(write.left or ()), *moved.timeline)],
            [moved.heard] if moved.heard else [],
            [topics.thread_field(case.platform, case.author.id, post) for post in moved.posts],
            [part for send in moved.sends for part in self._send(send)],
            [self._marks.key(moved.heard)] if moved.heard else [],
            self._author(case) if moved.heard else (),
            self._left(write) if write.left is not None else (),
        )

    def _author(self, case: Case) -> tuple[str, int]:
        """Under what it would stand that its author was forgotten, and when the post was written."""
        return topics.forgotten_field(self._marks.author(case.platform, case.author.id)), _ms(
            case.last.created_at
        )

    def _left(self, write: Write) -> tuple[object, ...]:
        named = [mention for mention in write.known_as if not mention.id.startswith(SIGN)]
        return (
            len(write.left or ()) + len(write.moved.timeline),
            [part for mention in named for part in (mention.key, self._marks.key(mention.key))],
            [field for mention in named for field in topics.thread_fields(mention)],
        )

    def _send(self, send: Send) -> tuple[int, int]:
        alert = codec.write(send.alert) if send.alert else b""
        return self._key(topics.topic_key(self._partition, send.topic)), self._blob(alert)


def _outcome(moved: Moved, answer: Sequence[bytes]) -> AlreadySeen | Conflict | None:
    kind = answer[0]
    if kind == b"saved":
        return None
    if kind == b"seen":
        return AlreadySeen(answer[1].decode())
    if kind == b"conflict":
        if not answer[1]:
            return Conflict(moved.case.id, version=0, won_by="nobody", move="no such case")
        now = codec.read_case(answer[1])
        return Conflict(now.id, version=now.version, won_by=now.moved_by, move=now.moved)
    raise HeardError(f"the store answered {kind!r} to a save")


def _read_if_readable(case_id: str, record: bytes) -> Case | None:
    try:
        return codec.read_case(record)
    except WrongStore as error:
        log.error("unreadable case", case=case_id, error=str(error))
        return None


def _after(ids: Sequence[tuple[float, str]], cursor: str) -> int:
    score, _, case_id = cursor.partition(":")
    if not score.isdigit() or not case_id:
        raise HeardError(f"{cursor!r} is not a cursor that a page gave")
    position = (float(score), case_id)
    return sum(1 for found in ids if found >= position)


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _text(raw: bytes | None) -> str | None:
    return raw.decode() if raw is not None else None


def _first_of_each(lengths: Sequence[int], raws: Sequence[bytes | None]) -> list[bytes | None]:
    """Of each run of so many answers, the first that is there."""
    firsts, start = list[bytes | None](), 0
    for length in lengths:
        firsts.append(next((raw for raw in raws[start : start + length] if raw is not None), None))
        start += length
    return firsts
