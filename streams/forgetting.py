"""Forgetting a person: everything that the store knows of them goes, in an order that can end anywhere.

What is asked is written down first and carried out until it is done, by whoever asked or by the clock of a
running Heard: a process that dies half-way has forgotten half, and the next one forgets the rest. What is
found by what a case says goes before the case, what is found by marks after it. A case whose reply is under
way waits until the reply's fate is known, or the reply might go out twice or be lost from sight.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

import msgspec
import structlog
from redis.exceptions import ResponseError

from casework import moves
from casework.case import IN_FLIGHT, Case, Moved, Status
from casework.clock import Clock
from casework.errors import IllegalMove
from casework.forgetting import SIGN, Marks
from casework.timeline import TimelineEntry
from streams import topics
from streams.cards import CardIndex
from streams.case_store import READ_AT_ONCE, CaseStore
from streams.connection import Store
from streams.dead_letters import DeadLetter, DeadLetters
from streams.presses import PressBox

log = structlog.get_logger(__name__)

ASKED: Final = "heard:forgetting"
FIELDS_AT_ONCE: Final = 500
SHORTEST: Final = 4
"""A shorter id or handle is looked for only where it must be one: it would be found in everything."""

_GLOB: Final = re.compile(r"([*?\[\]\\])")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody by the account they write from."""

    platform: str
    author_id: str

    def __str__(self) -> str:
        """As a person types it."""
        return f"{self.platform}:{self.author_id}"

    @property
    def partition(self) -> int:
        """Where everything of them lives."""
        return topics.partition_of(self.platform, self.author_id)


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that the store knows of a person.

    ``heard`` are posts whose own id names the person, with their case or why they became none. ``letters``
    are dead letters about their cases, or of lines that name them.
    """

    person: Person
    cases: tuple[Case, ...] = ()
    timelines: tuple[tuple[TimelineEntry, ...], ...] = ()
    opted_out: bool = False
    heard: tuple[tuple[str, str], ...] = ()
    letters: tuple[DeadLetter, ...] = ()
    forgotten_at: datetime | None = None

    @property
    def handles(self) -> tuple[str, ...]:
        """What they called themselves, newest first."""
        said = [m.author.handle for case in self.cases for m in reversed(case.mentions) if m.author.handle]
        return tuple(dict.fromkeys(said))

    @property
    def names(self) -> tuple[str, ...]:
        """The names that were shown with their posts, newest first."""
        said = [m.author.name for case in self.cases for m in reversed(case.mentions) if m.author.name]
        return tuple(dict.fromkeys(said))

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to forget."""
        return not (self.cases or self.heard or self.letters)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What came of it: how much went, which cases wait for a reply's fate, whether files are written anew."""

    cases: int = 0
    letters: int = 0
    waiting: tuple[str, ...] = ()
    written_anew: bool = True


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asked, when, and whom to forget; without a name, that files must still be written anew."""

    by: str
    at: datetime
    platform: str = ""
    author_id: str = ""


Marked = Callable[[Sequence[str]], Awaitable[dict[str, str]]]
"""Gives, of the keys of mentions, the marks of those that the store knows by their marks alone."""


class Elsewhere(Protocol):
    """What is kept outside of the store, in files of this machine."""

    async def forget_named(self, known: Known) -> None:
        """Forget what names the person; the store still knows who that is."""
        ...

    async def forget_marked(self, marked: Marked) -> None:
        """Forget what is about posts that the store knows by their marks alone."""
        ...


class Nowhere:
    """There is nothing but the store."""

    async def forget_named(self, known: Known) -> None:
        """Nothing."""

    async def forget_marked(self, marked: Marked) -> None:
        """Nothing."""


async def people_waiting(store: Store) -> int:
    """How many people wait to be forgotten."""
    return int(await store.writes.hlen(ASKED))


class People:
    """What is known of a person, and how it is forgotten. ``elsewhere`` sees to what is not in the store."""

    def __init__(self, store: Store, clock: Clock, *, elsewhere: Elsewhere | None = None) -> None:
        self._store = store
        self._writes = store.writes
        self._clock = clock
        self._cases = CaseStore(store)
        self._dead = DeadLetters(store)
        self._cards = CardIndex(store)
        self._box = PressBox(store)
        self._elsewhere = elsewhere or Nowhere()

    # ── who, and what is known ───────────────────────────────────────────────────────────────────

    async def called(self, platform: str, handle: str) -> list[Person]:
        """Whoever wrote under this handle, as far as it is still known."""
        wanted, found = handle.lstrip("@").casefold(), dict[str, None]()
        for partition in topics.all_partitions():
            async for case in self._in(partition):
                if case.platform == platform:
                    authors = [case.author, *(mention.author for mention in case.mentions)]
                    found |= dict.fromkeys(a.id for a in authors if a.handle.casefold() == wanted)
        return [Person(platform, author_id) for author_id in found]

    async def known(self, person: Person) -> Known:
        """Everything about one person."""
        marks = await self._cases.marks.get()
        mark = marks.author(person.platform, person.author_id)
        field = topics.forgotten_field(mark)
        raw: Any = await self._writes.hget(topics.seen_key(person.partition), field)
        cases = [case async for case in self._in(person.partition) if _is_of(case, person)]
        timelines = await self._cases.timelines([case.id for case in cases])
        known = Known(
            person=person,
            cases=tuple(cases),
            timelines=tuple(tuple(timeline) for timeline in timelines),
            opted_out=await self._cases.opted_out(person.platform, person.author_id),
            heard=tuple([pair async for pair in self._heard_by_name(person)]),
            forgotten_at=None if raw is None else datetime.fromtimestamp(int(raw) / 1000, UTC),
        )
        names = _Names(known)
        letters = [letter async for letter in self._dead.every() if names.letter(letter)]
        return replace(known, letters=tuple(letters))

    async def _in(self, partition: int) -> AsyncIterator[Case]:
        """Every case of a partition."""
        async with self._writes.pipeline(transaction=False) as pipe:
            for status in Status:
                pipe.zrange(topics.status_key(partition, status), 0, -1)
            answers = await pipe.execute()
        ids = [member.decode() for members in answers for member in members]
        for start in range(0, len(ids), READ_AT_ONCE):
            for case in await self._cases.load_readable(ids[start : start + READ_AT_ONCE]):
                if case is not None:
                    yield case

    async def _heard_by_name(self, person: Person) -> AsyncIterator[tuple[str, str]]:
        """Posts whose own id holds the author's, as Bluesky's do, and what they became."""
        if len(person.author_id) < SHORTEST:
            return
        pattern = f"{_escaped(person.platform)}:*{_escaped(person.author_id)}*"
        key = topics.seen_key(person.partition)
        async for field, value in self._writes.hscan_iter(key, match=pattern, count=1000):
            yield field.decode(), value.decode()

    # ── forgetting ───────────────────────────────────────────────────────────────────────────────

    async def forget(self, person: Person, *, by: str) -> Forgotten:
        """Forget a person. Asked again, it does what is left to do, and no more."""
        return await self._carry_out(_Asked(by, self._clock.now(), person.platform, person.author_id))

    async def carry_out(self) -> int:
        """Do what is still asked; returns how much of it is done now."""
        # Any: redis-py's stubs promise texts that a client without decoding never gives.
        asked: Any = await self._writes.hgetall(ASKED)
        done = 0
        for field, raw in asked.items():
            request = msgspec.msgpack.decode(raw, type=_Asked)
            if not request.author_id:
                done += await self._write_anew(field)
            elif await self._can_go_on(request):
                done += not (await self._carry_out(request)).waiting
        return done

    async def asked(self) -> int:
        """How many people wait to be forgotten."""
        return await people_waiting(self._store)

    async def _carry_out(self, asked: _Asked) -> Forgotten:
        marks = await self._cases.marks.get()
        field = f"{asked.platform}:{marks.author(asked.platform, asked.author_id)}"
        await self._ask(field, asked)
        done = await self._forget(asked, marks)
        if done.waiting:
            written_anew = await self._store.forget_deleted()
        else:
            # From here on the store names nobody; what its files still hold goes next.
            await self._ask(field, _Asked(asked.by, asked.at))
            written_anew = await self._write_anew(field)
        log.info("forgotten", cases=done.cases, waiting=list(done.waiting), by=asked.by, files=written_anew)
        return replace(done, written_anew=written_anew)

    async def _write_anew(self, field: str | bytes) -> bool:
        if not await self._store.forget_deleted():
            return False
        await self._writes.hdel(ASKED, field)
        return True

    async def _can_go_on(self, asked: _Asked) -> bool:
        """Whether anything is left that waits for nothing: or each ring would write all files anew."""
        person = Person(asked.platform, asked.author_id)
        cases = [case async for case in self._in(person.partition) if _is_of(case, person)]
        older = [case for case in cases if case.opened_at <= asked.at]
        return not older or not all(_waits(case, asked.at) for case in older)

    async def _ask(self, field: str, asked: _Asked) -> None:
        await self._writes.hset(ASKED, field, msgspec.msgpack.encode(asked))

    async def _forget(self, asked: _Asked, marks: Marks) -> Forgotten:
        person = Person(asked.platform, asked.author_id)
        # First, so that nothing of before is taken in from here on.
        await self._forget_author(person, asked.at, marks, [])
        known = await self.known(person)
        known = replace(known, cases=tuple(case for case in known.cases if case.opened_at <= asked.at))
        await self._forget_author(person, asked.at, marks, _seen_by_name(known, asked.at))
        await self._dead.drop(*known.letters)
        await self._forget_presses(known)
        await self._elsewhere.forget_named(known)
        gone, waiting = 0, list[str]()
        for case in known.cases:
            if await self._forget_case(case.id, asked, marks):
                gone += 1
            else:
                waiting.append(case.id)
        await self._elsewhere.forget_marked(self._cases.marked)
        await self._forget_commands()
        return Forgotten(gone, len(known.letters), tuple(waiting))

    async def _forget_author(self, person: Person, at: datetime, marks: Marks, seen: Sequence[str]) -> None:
        """What stands under their own name, and under the posts of ``seen``."""
        prefix = f"{person.platform}:{person.author_id}:"
        threads = [
            field.decode()
            async for field, _ in self._writes.hscan_iter(
                topics.threads_key(person.partition), match=f"{_escaped(prefix)}*", count=1000
            )
        ]
        mark = marks.author(person.platform, person.author_id)
        keys = (
            topics.seen_key(person.partition),
            topics.threads_key(person.partition),
            topics.optouts_key(person.partition),
        )
        for start in range(0, max(len(seen), len(threads), 1), FIELDS_AT_ONCE):
            some = seen[start : start + FIELDS_AT_ONCE]
            pairs = [name for key in some for name in (key, marks.key(key))]
            await self._writes.fcall(
                "heard1_forget_author",
                len(keys),
                *keys,
                topics.forgotten_field(mark),
                str(int(at.timestamp() * 1000)),
                str(person),
                f"{person.platform}:{mark}",
                str(len(some)),
                *pairs,
                *threads[start : start + FIELDS_AT_ONCE],
            )

    async def _forget_case(self, case_id: str, asked: _Asked, marks: Marks) -> bool:
        """Whether the case is forgotten; False while it waits."""
        case, now = await self._cases.load(case_id), self._clock.now()
        if _waits(case, asked.at):
            return False
        for mention in case.mentions:
            if not mention.id.startswith(SIGN):
                await self._cards.known_as(mention.key, marks.key(mention.key), at=now)
        try:
            await self._cases.unname(case_id, partial(_erased, by=asked.by, at=now))
        except IllegalMove:
            # Its reply left just now.
            return False
        if await self._cards.of(case_id) is not None:
            await self._cards.dirty(case_id, at=now, urgent=True)
        return True

    async def _forget_presses(self, known: Known) -> None:
        """Clicks that wait and are about their cases: what was typed there may quote them."""
        names = _Names(known)
        waiting = [stored.entry for stored in await self._box.every() if names.bytes(stored.body)]
        if waiting:
            log.warning("clicks about a forgotten person are not carried out", clicks=len(waiting))
            await self._box.settle(*waiting)

    async def _forget_commands(self) -> None:
        """What a server remembers of slow and large commands holds their first bytes."""
        for command in (("SLOWLOG", "RESET"), *(("COMMANDLOG", "RESET", kind) for kind in _LOGS)):
            try:
                await self._writes.execute_command(*command)  # type: ignore[no-untyped-call]
            except ResponseError as error:
                log.debug("not kept by this server", command=command[0], why=str(error))


_LOGS: Final = ("slow", "large-request", "large-reply")


def _erased(case: Case, marks: Marks, *, by: str, at: datetime) -> Moved:
    return moves.erase(case, by=by, at=at, marks=marks)


def _waits(case: Case, asked_at: datetime) -> bool:
    """Whether a reply's fate is not known, or they wrote again since and are owed an answer."""
    return case.status in IN_FLIGHT or (
        case.open and any(mention.created_at > asked_at for mention in case.mentions)
    )


def _seen_by_name(known: Known, asked_at: datetime) -> list[str]:
    """What was heard under ids that hold theirs, but for the posts of cases that wait."""
    kept = {m.key for case in known.cases if _waits(case, asked_at) for m in case.mentions}
    return [key for key, _ in known.heard if key not in kept]


def _is_of(case: Case, person: Person) -> bool:
    """Whether a person wrote a case's posts: all of a case are by one author."""
    return case.platform == person.platform and case.author.id == person.author_id


def _escaped(text: str) -> str:
    return _GLOB.sub(r"\\\1", text)


class _Names:
    """What names a person in text that has no fields."""

    def __init__(self, known: Known) -> None:
        self._cases = frozenset(case.id for case in known.cases)
        said = [known.person.author_id, *known.handles]
        tokens = [re.escape(name) for name in said if len(name) >= SHORTEST]
        tokens += [f"@{re.escape(handle)}" for handle in known.handles]
        tokens += [re.escape(case_id) for case_id in self._cases]
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(tokens)})(?!\w)", re.IGNORECASE) if tokens else None
        self._texts = [m.text for case in known.cases for m in case.mentions if len(m.text) >= 2 * SHORTEST]

    def letter(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is about one of their cases, or a line that names them."""
        return letter.case_id in self._cases or self.text(letter.raw)

    def bytes(self, body: bytes) -> bool:
        """Whether something stored names them."""
        return self.text(body.decode(errors="replace"))

    def text(self, text: str) -> bool:
        """Whether a text names them, or says what they said."""
        plain = _unescaped(text)
        found = self._pattern is not None and any(self._pattern.search(one) for one in (text, plain))
        return found or any(said in one for said in self._texts for one in (text, plain))


def _unescaped(text: str) -> str:
    r"""The text with JSON's ``\u00e9`` as letters."""
    try:
        return re.sub(
            r"(?:\\u[0-9a-fA-F]{4})+",
            lambda found: bytes.fromhex(found[0].replace("\\u", "")).decode("utf-16-be", "replace"),
            text,
        )
    except ValueError:
        return text


def names_them(known: Known) -> Callable[[str], bool]:
    """Tells whether a text names a person, or says what they said."""
    return _Names(known).text
