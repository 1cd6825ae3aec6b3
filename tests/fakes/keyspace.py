"""A store in this process: the commands that Heard uses, and the shipped `door.lua` run by Lua 5.1.

Features: strings, hashes, lists, sets, sorted sets and streams with consumer groups, keys that expire by a
clock that is given, functions and EVAL with the cmsgpack and cjson that servers have. Everything is at once
and in order; nothing is on a disk. A command that it does not know is an error, never an empty answer.

`tests/streams` runs on it as on the real servers, and a test compares both under random commands.
"""

import json
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import msgspec
from lupa import lua51  # type: ignore[import-untyped]  # it has no stubs
from redis.exceptions import ResponseError

EntryId = tuple[int, int]
Fields = tuple[bytes, ...]
Members = set[bytes]
Listening = Callable[[bytes], None]

FIRST: Final[EntryId] = (0, 0)
LAST: Final[EntryId] = (2**63, 2**63)
MAXLEN: Final = 1000
_WRONG_TYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"


_RAW: Final[dict[str, bytes]] = {}


def raw(value: object) -> bytes:
    """A value as the wire carries it."""
    if type(value) is bytes:
        return value
    if type(value) is str:
        known = _RAW.get(value)
        if known is None:
            if len(_RAW) > 100_000:
                _RAW.clear()
            known = _RAW[value] = value.encode()
        return known
    if isinstance(value, float):
        return repr(value).encode() if value != int(value) else str(int(value)).encode()
    return str(value).encode()


def written(entry_id: EntryId) -> bytes:
    """An entry's id as people write it."""
    return b"%d-%d" % entry_id


def parsed(text: bytes | str, *, ends: EntryId = FIRST) -> EntryId:
    """An id as it is compared; ``ends`` is what a half one is completed with."""
    said = text if isinstance(text, bytes) else text.encode()
    if said in (b"-", b"+"):
        return FIRST if said == b"-" else LAST
    ms, _, number = said.partition(b"-")
    return int(ms), int(number) if number else ends[1]


class SortedSet:
    """Members by score; the order is made when it is asked for."""

    __slots__ = ("_order", "scores")

    def __init__(self) -> None:
        self.scores: dict[bytes, float] = {}
        self._order: list[tuple[float, bytes]] | None = []

    def __bool__(self) -> bool:
        return bool(self.scores)

    def put(self, member: bytes, score: float) -> None:
        """Give a member a score."""
        self.scores[member] = score
        self._order = None

    def drop(self, member: bytes) -> bool:
        """Take a member out; whether it was in."""
        if self.scores.pop(member, None) is None:
            return False
        self._order = None
        return True

    @property
    def order(self) -> list[tuple[float, bytes]]:
        """Every score and member, lowest first."""
        if self._order is None:
            self._order = sorted((score, member) for member, score in self.scores.items())
        return self._order

    def between(self, least: str | bytes | float, most: str | bytes | float) -> list[tuple[float, bytes]]:
        """Those with a score between two bounds, as Redis writes them: ``(5``, ``-inf``, ``7``."""
        order = self.order
        if least == "-inf" and isinstance(most, int):
            return order[: bisect_right(order, float(most), key=_score)]
        low, low_out = _bound(least)
        high, high_out = _bound(most)
        scores = [score for score, _ in order]
        start = bisect_right(scores, low) if low_out else bisect_left(scores, low)
        end = bisect_left(scores, high) if high_out else bisect_right(scores, high)
        return order[start:end]


def _score(entry: tuple[float, bytes]) -> float:
    return entry[0]


def _bound(said: str | bytes | float) -> tuple[float, bool]:
    text = said.decode() if isinstance(said, bytes) else str(said)
    return (float(text[1:]), True) if text.startswith("(") else (float(text), False)


@dataclass(slots=True)
class Pending:
    """An entry that a consumer has and has not settled."""

    consumer: bytes
    since: int
    deliveries: int


@dataclass(slots=True)
class Group:
    """A consumer group: how far it read, and what is not settled."""

    read_to: EntryId
    pending: dict[EntryId, Pending] = field(default_factory=dict)


@dataclass(slots=True)
class Stream:
    """Entries by id, in order, and the groups that read them."""

    entries: dict[EntryId, Fields] = field(default_factory=dict)
    last: EntryId = FIRST
    groups: dict[bytes, Group] = field(default_factory=dict)


def _shown(entry_id: EntryId, fields: Fields) -> tuple[bytes, dict[bytes, bytes]]:
    return written(entry_id), dict(zip(fields[::2], fields[1::2], strict=True))


class Keyspace:
    """Everything in the store. Methods are named and answer as redis-py's, without the waiting."""

    def __init__(self, now_ms: Callable[[], int] | None = None) -> None:
        self._now = now_ms or (lambda: time.time_ns() // 1_000_000)
        self._values: dict[bytes, Any] = {}
        self._ends: dict[bytes, int] = {}
        self._fresh: dict[bytes, dict[bytes, None]] = {}
        self._lua = _Lua(self)
        self.on_add: Listening | None = None
        """Told of the key of every entry that is added to a stream."""
        self.on_change: Listening | None = None
        """Told of the key of every string or set that is changed by a command."""

    # ── keys ─────────────────────────────────────────────────────────────────────────────────────

    def _find(self, key: bytes, kind: type) -> Any:
        if self._ends and key in self._ends and self._ends[key] <= self._now():
            self._forget(key)
        value = self._values.get(key)
        if value is not None and type(value) is not kind:
            raise ResponseError(_WRONG_TYPE)
        return value

    def _make(self, key: bytes, kind: type) -> Any:
        value = self._find(key, kind)
        if value is None:
            value = self._values[key] = kind()
        return value

    def _forget(self, key: bytes) -> bool:
        self._ends.pop(key, None)
        return self._values.pop(key, None) is not None

    def _tidy(self, key: bytes, value: Any) -> None:
        if not value:
            self._forget(key)

    def _present(self, key: bytes) -> bool:
        if key in self._ends and self._ends[key] <= self._now():
            self._forget(key)
        return key in self._values

    def delete(self, *names: object) -> int:
        """DEL."""
        gone = sum(self._present(raw(name)) and self._forget(raw(name)) for name in names)
        if self.on_change is not None:
            for name in names:
                self.on_change(raw(name))
        return gone

    def exists(self, *names: object) -> int:
        """EXISTS."""
        return sum(self._present(raw(name)) for name in names)

    def keys(self, pattern: str = "*") -> list[bytes]:
        """KEYS, of everything or of what begins with something."""
        if pattern.rstrip("*").count("*"):
            raise ResponseError(f"this store knows no pattern like {pattern}")
        start = pattern.rstrip("*").encode()
        return [key for key in [*self._values] if key.startswith(start) and self._present(key)]

    def expire(self, name: object, time: object) -> int:
        """EXPIRE."""
        return self.pexpire(name, _ms(time, 1000))

    def pexpire(self, name: object, time: object) -> int:
        """PEXPIRE."""
        key = raw(name)
        if not self._present(key):
            return 0
        self._ends[key] = self._now() + _ms(time, 1)
        return 1

    def pttl(self, name: object) -> int:
        """PTTL."""
        key = raw(name)
        if not self._present(key):
            return -2
        return self._ends[key] - self._now() if key in self._ends else -1

    def ttl(self, name: object) -> int:
        """TTL."""
        left = self.pttl(name)
        return left if left < 0 else (left + 500) // 1000

    def dump(self, name: object) -> bytes | None:
        """DUMP, as far as one looks for bytes in it."""
        key = raw(name)
        return repr(self._values[key]).encode() if self._present(key) else None

    def flushall(self) -> bool:
        """FLUSHALL."""
        self._values.clear()
        self._ends.clear()
        self._fresh.clear()
        return True

    def time(self) -> tuple[int, int]:
        """TIME."""
        now = self._now()
        return now // 1000, now % 1000 * 1000

    def info(self, section: str = "") -> dict[str, Any]:
        """INFO, as far as the start of a store looks at it."""
        return {"redis_version": "7.2.4", "used_memory": 1_000_000}

    def bgrewriteaof(self) -> bool:
        """BGREWRITEAOF: there is no file."""
        return True

    # ── strings ──────────────────────────────────────────────────────────────────────────────────

    def get(self, name: object) -> bytes | None:
        """GET."""
        found: bytes | None = self._find(raw(name), bytes)
        return found

    def set(
        self, name: object, value: object, ex: object = None, px: object = None, nx: bool = False
    ) -> bool | None:
        """SET."""
        key = raw(name)
        if nx and self._present(key):
            return None
        self._ends.pop(key, None)
        self._values[key] = raw(value)
        if ex is not None or px is not None:
            self._ends[key] = self._now() + (_ms(ex, 1000) if ex is not None else _ms(px, 1))
        if self.on_change is not None:
            self.on_change(key)
        return True

    def setnx(self, name: object, value: object) -> bool:
        """SETNX."""
        return bool(self.set(name, value, nx=True))

    def getex(self, name: object, ex: object = None) -> bytes | None:
        """GETEX."""
        found = self.get(name)
        if found is not None and ex is not None:
            self.expire(name, ex)
        return found

    def incrby(self, name: object, amount: int = 1) -> int:
        """INCRBY."""
        key = raw(name)
        number = int(self._find(key, bytes) or 0) + int(amount)
        self._values[key] = raw(number)
        return number

    incr = incrby

    # ── hashes ───────────────────────────────────────────────────────────────────────────────────

    def hget(self, name: object, key: object) -> bytes | None:
        """HGET."""
        fields: dict[bytes, bytes] | None = self._find(raw(name), dict)
        return None if fields is None else fields.get(raw(key))

    def hset(
        self, name: object, key: object = None, value: object = None, mapping: Mapping[Any, Any] | None = None
    ) -> int:
        """HSET."""
        fields = self._make(raw(name), dict)
        before = len(fields)
        if key is not None:
            fields[raw(key)] = raw(value)
        for each, new in (mapping or {}).items():
            fields[raw(each)] = raw(new)
        return len(fields) - before

    def hsetnx(self, name: object, key: object, value: object) -> int:
        """HSETNX."""
        return 0 if self.hget(name, key) is not None else self.hset(name, key, value)

    def hdel(self, name: object, *keys: object) -> int:
        """HDEL."""
        fields = self._find(raw(name), dict)
        if fields is None:
            return 0
        gone = sum(fields.pop(raw(key), None) is not None for key in keys)
        self._tidy(raw(name), fields)
        return gone

    def hgetall(self, name: object) -> dict[bytes, bytes]:
        """HGETALL."""
        return dict(self._find(raw(name), dict) or {})

    def hmget(self, name: object, keys: object, *more: object) -> list[bytes | None]:
        """HMGET."""
        fields = self._find(raw(name), dict) or {}
        asked = [*keys, *more] if isinstance(keys, (list, tuple)) else [keys, *more]
        return [fields.get(raw(key)) for key in asked]

    def hincrby(self, name: object, key: object, amount: int = 1) -> int:
        """HINCRBY."""
        fields = self._make(raw(name), dict)
        number = int(fields.get(raw(key), b"0")) + int(amount)
        fields[raw(key)] = raw(number)
        return number

    def hlen(self, name: object) -> int:
        """HLEN."""
        return len(self._find(raw(name), dict) or ())

    def hexists(self, name: object, key: object) -> bool:
        """HEXISTS."""
        return self.hget(name, key) is not None

    # ── lists and sets ───────────────────────────────────────────────────────────────────────────

    def rpush(self, name: object, *values: object) -> int:
        """RPUSH."""
        items = self._make(raw(name), list)
        items.extend(map(raw, values))
        return len(items)

    def lrange(self, name: object, start: int, end: int) -> list[bytes]:
        """LRANGE."""
        return _stretch(self._find(raw(name), list) or [], start, end)

    def sadd(self, name: object, *values: object) -> int:
        """SADD."""
        members = self._make(raw(name), set)
        before = len(members)
        members.update(map(raw, values))
        if self.on_change is not None:
            self.on_change(raw(name))
        return len(members) - before

    def srem(self, name: object, *values: object) -> int:
        """SREM."""
        members = self._find(raw(name), set)
        if members is None:
            return 0
        before = len(members)
        members.difference_update(map(raw, values))
        gone = before - len(members)
        self._tidy(raw(name), members)
        return gone

    def sismember(self, name: object, value: object) -> int:
        """SISMEMBER."""
        return int(raw(value) in (self._find(raw(name), set) or ()))

    def smismember(self, name: object, values: Iterable[object], *more: object) -> list[int]:
        """SMISMEMBER."""
        members = self._find(raw(name), set) or ()
        return [int(raw(value) in members) for value in (*values, *more)]

    def smembers(self, name: object) -> Members:
        """SMEMBERS."""
        return set(self._find(raw(name), set) or ())

    # ── sorted sets ──────────────────────────────────────────────────────────────────────────────

    def zadd(self, name: object, mapping: Mapping[Any, Any], nx: bool = False) -> int:
        """ZADD."""
        members: SortedSet = self._make(raw(name), SortedSet)
        before = len(members.scores)
        for each, score in mapping.items():
            member = raw(each)
            if not (nx and member in members.scores):
                members.put(member, float(score))
        return len(members.scores) - before

    def zrem(self, name: object, *values: object) -> int:
        """ZREM."""
        members: SortedSet | None = self._find(raw(name), SortedSet)
        if members is None:
            return 0
        gone = sum(members.drop(raw(value)) for value in values)
        self._tidy(raw(name), members)
        return gone

    def zcard(self, name: object) -> int:
        """ZCARD."""
        members = self._find(raw(name), SortedSet)
        return len(members.scores) if members else 0

    def zscore(self, name: object, value: object) -> float | None:
        """ZSCORE."""
        members = self._find(raw(name), SortedSet)
        return members.scores.get(raw(value)) if members else None

    def zcount(self, name: object, least: str, most: str) -> int:
        """ZCOUNT."""
        members = self._find(raw(name), SortedSet)
        return len(members.between(least, most)) if members else 0

    def zrange(self, name: object, start: int, end: int, withscores: bool = False) -> list[Any]:
        """ZRANGE, by place."""
        members = self._find(raw(name), SortedSet)
        found = _stretch(members.order, start, end) if members else []
        return [[member, score] for score, member in found] if withscores else [m for _, m in found]

    def zrangebyscore(
        self, name: object, least: Any, most: Any, start: int | None = None, num: int | None = None
    ) -> list[bytes]:
        """ZRANGEBYSCORE."""
        key = raw(name)
        members = self._find(key, SortedSet) if key in self._values else None
        if not members:
            return []
        found = members.between(least, most)
        if start is not None and num is not None:
            found = found[start:] if num < 0 else found[start : start + num]
        return [member for _, member in found]

    # ── streams ──────────────────────────────────────────────────────────────────────────────────

    def xadd(
        self, name: object, fields: Mapping[Any, Any], maxlen: int | None = None, approximate: bool = True
    ) -> bytes:
        """XADD, with an id of the store's own."""
        flat = tuple(raw(part) for pair in fields.items() for part in pair)
        return self._add(raw(name), flat, maxlen)

    def _add(self, key: bytes, fields: Fields, maxlen: int | None = None, at: EntryId | None = None) -> bytes:
        stream: Stream = self._make(key, Stream)
        now, (ms, number) = self._now(), stream.last
        stream.last = at or ((now, 0) if now > ms else (ms, number + 1))
        stream.entries[stream.last] = fields
        for group in stream.groups:
            self._fresh[group][key] = None
        if maxlen is not None and len(stream.entries) > maxlen:
            for old in [*stream.entries][: len(stream.entries) - maxlen]:
                del stream.entries[old]
        if self.on_add is not None:
            self.on_add(key)
        return written(stream.last)

    def xlen(self, name: object) -> int:
        """XLEN."""
        stream = self._find(raw(name), Stream)
        return len(stream.entries) if stream else 0

    def xrange(
        self, name: object, least: str = "-", most: str = "+", count: int | None = None
    ) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """XRANGE."""
        stream = self._find(raw(name), Stream)
        if stream is None:
            return []
        first, last = parsed(least), parsed(most, ends=LAST)
        found = [_shown(at, fields) for at, fields in stream.entries.items() if first <= at <= last]
        return found if count is None else found[:count]

    def xdel(self, name: object, *ids: bytes | str) -> int:
        """XDEL."""
        stream = self._find(raw(name), Stream)
        if stream is None:
            return 0
        return sum(stream.entries.pop(parsed(one), None) is not None for one in ids)

    def xack(self, name: object, groupname: object, *ids: bytes | str) -> int:
        """XACK."""
        stream = self._find(raw(name), Stream)
        group = stream.groups.get(raw(groupname)) if stream else None
        if group is None:
            return 0
        return sum(group.pending.pop(parsed(one), None) is not None for one in ids)

    def xgroup_create(self, name: object, groupname: object, id: str = "$", mkstream: bool = False) -> bool:  # noqa: A002
        """XGROUP CREATE."""
        key = raw(name)
        stream: Stream | None = self._find(key, Stream)
        if stream is None:
            if not mkstream:
                raise ResponseError("The XGROUP subcommand requires the key to exist.")
            stream = self._make(key, Stream)
        if raw(groupname) in stream.groups:
            raise ResponseError("BUSYGROUP Consumer Group name already exists")
        group = stream.groups[raw(groupname)] = Group(stream.last if id == "$" else parsed(id))
        fresh = self._fresh.setdefault(raw(groupname), {})
        if stream.last > group.read_to:
            fresh[key] = None
        return True

    def _group(self, name: object, groupname: object) -> tuple[Stream, Group]:
        # Streams never expire here, and this is asked 64 times for each look: without `_find`.
        stream = self._values.get(name if type(name) is bytes else raw(name))
        group = stream.groups.get(raw(groupname)) if type(stream) is Stream else None
        if stream is None or group is None:
            raise ResponseError(f"NOGROUP No such key '{name!s}' or consumer group '{groupname!s}'")
        return stream, group

    def xread(self, streams: Mapping[Any, Any], count: int | None = None) -> list[Any]:
        """XREAD, without the waiting."""
        answers = []
        for name, after in streams.items():
            stream = self._find(raw(name), Stream)
            start = stream.last if stream and after == "$" else parsed(raw(after))
            found = [e for e in stream.entries.items() if e[0] > start][:count] if stream else []
            if found:
                answers.append([raw(name), [_shown(*entry) for entry in found]])
        return answers

    def xreadgroup(
        self, groupname: object, consumername: object, streams: Mapping[Any, Any], count: int | None = None
    ) -> list[Any]:
        """XREADGROUP, without the waiting: new entries for ``>``, else one's own that are not settled."""
        answers = []
        fresh = self._fresh.get(raw(groupname), {})
        for name, after in streams.items():
            key = raw(name)
            stream, group = self._group(key, groupname)
            if after == ">" and key not in fresh:
                continue
            if after == ">":
                found = self._new(stream, group, raw(consumername), count)
                if stream.last == group.read_to:
                    fresh.pop(key, None)
            else:
                found = self._mine(stream, group, raw(consumername), parsed(raw(after)), count)
            if found or after != ">":
                answers.append([key, found])
        return answers

    def _new(
        self, stream: Stream, group: Group, consumer: bytes, count: int | None
    ) -> list[tuple[bytes, dict[bytes, bytes]]]:
        now = self._now()
        found = [entry for entry in stream.entries.items() if entry[0] > group.read_to][:count]
        for at, _ in found:
            group.pending[at] = Pending(consumer, now, 1)
            group.read_to = at
        return [_shown(*entry) for entry in found]

    def _mine(
        self, stream: Stream, group: Group, consumer: bytes, after: EntryId, count: int | None
    ) -> list[tuple[bytes, dict[bytes, bytes]]]:
        mine = [at for at in sorted(group.pending) if at > after and group.pending[at].consumer == consumer]
        answers = []
        for at in mine[:count]:
            fields = stream.entries.get(at)
            if fields is not None:
                pending = group.pending[at]
                pending.since, pending.deliveries = self._now(), pending.deliveries + 1
            answers.append(_shown(at, fields or ()))
        return answers

    def xpending_range(
        self,
        name: object,
        groupname: object,
        least: bytes | str,
        most: bytes | str,
        count: int,
        consumername: object = None,
        idle: int | None = None,
    ) -> list[dict[str, Any]]:
        """XPENDING with a range."""
        _, group = self._group(name, groupname)
        if not group.pending:  # As it is nearly always.
            return []
        if consumername is not None and not any(
            one.consumer == raw(consumername) for one in group.pending.values()
        ):
            return []
        first, last, now = parsed(least), parsed(most, ends=LAST), self._now()
        found = [
            (at, one)
            for at, one in sorted(group.pending.items())
            if first <= at <= last
            and (consumername is None or one.consumer == raw(consumername))
            and (idle is None or now - one.since >= idle)
        ]
        return [
            {
                "message_id": written(at),
                "consumer": one.consumer,
                "time_since_delivered": now - one.since,
                "times_delivered": one.deliveries,
            }
            for at, one in found[:count]
        ]

    def xpending(self, name: object, groupname: object) -> dict[str, Any]:
        """XPENDING, the summary."""
        _, group = self._group(name, groupname)
        ids, names = sorted(group.pending), sorted({one.consumer for one in group.pending.values()})
        return {
            "pending": len(ids),
            "min": written(ids[0]) if ids else None,
            "max": written(ids[-1]) if ids else None,
            "consumers": [
                {"name": name, "pending": sum(one.consumer == name for one in group.pending.values())}
                for name in names
            ],
        }

    def xclaim(
        self,
        name: object,
        groupname: object,
        consumername: object,
        min_idle_time: int,
        message_ids: Iterable[bytes | str],
        retrycount: int | None = None,
        justid: bool = False,
    ) -> list[Any]:
        """XCLAIM."""
        stream, group = self._group(name, groupname)
        claimed = [parsed(one) for one in message_ids]
        me = raw(consumername)
        taken = [at for at in claimed if self._claim(stream, group, me, at, min_idle_time, justid)]
        if retrycount is not None:
            for at in taken:
                group.pending[at].deliveries = retrycount
        return [written(at) if justid else _shown(at, stream.entries[at]) for at in taken]

    def _claim(
        self, stream: Stream, group: Group, consumer: bytes, at: EntryId, idle: int, justid: bool
    ) -> bool:
        pending = group.pending.get(at)
        if pending is None:
            return False
        if at not in stream.entries:
            del group.pending[at]
            return False
        if self._now() - pending.since < idle:
            return False
        pending.consumer, pending.since = consumer, self._now()
        pending.deliveries += 0 if justid else 1
        return True

    def xautoclaim(
        self, name: object, groupname: object, consumername: object, min_idle_time: int, count: int = 100
    ) -> list[Any]:
        """XAUTOCLAIM from the beginning; what it looks at and what it gives are both limited by ``count``."""
        stream, group = self._group(name, groupname)
        left, taken, gone = deque(sorted(group.pending)), list[EntryId](), list[EntryId]()
        looks = 10 * count
        while left and looks and len(taken) + len(gone) < count:
            at, looks = left.popleft(), looks - 1
            if at not in stream.entries:
                del group.pending[at]
                gone.append(at)
            elif self._claim(stream, group, raw(consumername), at, min_idle_time, False):
                taken.append(at)
        following = written(left[0]) if left else b"0-0"
        return [following, [_shown(at, stream.entries[at]) for at in taken], [written(at) for at in gone]]

    # ── scripts ──────────────────────────────────────────────────────────────────────────────────

    def function_load(self, code: str, replace: bool = False) -> bytes:
        """FUNCTION LOAD."""
        return self._lua.load(code)

    def fcall(self, function: str, numkeys: int, *keys_and_args: object) -> Any:
        """FCALL."""
        return self._lua.call(function, numkeys, keys_and_args)

    fcall_ro = fcall

    def eval(self, script: str, numkeys: int, *keys_and_args: object) -> Any:
        """EVAL."""
        return self._lua.evaluate(script, numkeys, keys_and_args)

    # ── for whoever looks on ─────────────────────────────────────────────────────────────────────

    def stream(self, key: bytes) -> Stream:
        """The stream at a key that has one."""
        found: Stream = self._values[key]
        return found

    def pending(self, name: object) -> int:
        """How many entries of a stream are begun and not settled, in all groups."""
        stream = self._find(raw(name), Stream)
        return sum(len(group.pending) for group in stream.groups.values()) if stream else 0

    def has_new(self, groupname: object, streams: Iterable[Any]) -> bool:
        """Whether a group would get something new from one of these streams."""
        fresh = self._fresh.get(raw(groupname), {})
        return bool(fresh) and any(raw(key) in fresh for key in streams)

    def streams(self) -> Iterator[tuple[bytes, Stream]]:
        """Every stream by its key."""
        for key, value in self._values.items():
            if isinstance(value, Stream):
                yield key, value

    def sorted_sets(self) -> Iterator[tuple[bytes, SortedSet]]:
        """Every sorted set by its key."""
        for key, value in self._values.items():
            if isinstance(value, SortedSet):
                yield key, value


def _stretch(items: list[Any], start: int, end: int) -> list[Any]:
    first = max(0, start + len(items)) if start < 0 else start
    last = end + len(items) if end < 0 else end
    return items[first : last + 1]


def _ms(length: object, unit: int) -> int:
    if isinstance(length, timedelta):
        return length // timedelta(milliseconds=1)
    return int(length) * unit  # type: ignore[call-overload, no-any-return]  # numbers, or texts of numbers


class _Lua:
    """Lua 5.1 as servers run it: `redis`, `cmsgpack`, `cjson`, and the functions that were loaded."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self._lua = lua51.LuaRuntime(encoding=None, unpack_returned_tuples=True, register_eval=False)
        self._functions: dict[bytes, Any] = {}
        self._scripts: dict[str, Any] = {}
        self._calls: Mapping[bytes, Callable[..., Any]] = _calls(keyspace)
        table, names = self._lua.table, self._lua.globals()
        names[b"redis"] = table()
        names[b"redis"][b"call"] = self._call
        names[b"redis"][b"register_function"] = self._register
        names[b"cmsgpack"] = table()
        names[b"cmsgpack"][b"unpack"] = lambda packed: self._table(msgspec.msgpack.decode(packed))
        names[b"cjson"] = table()
        names[b"cjson"][b"decode"] = lambda text: self._table(json.loads(text))

    def load(self, code: str) -> bytes:
        first, _, rest = code.partition("\n")
        if not first.startswith("#!lua name="):
            raise ResponseError("Missing library metadata")
        self._lua.execute(rest.encode())
        return first.removeprefix("#!lua name=").encode()

    def call(self, function: str, numkeys: int, rest: Sequence[object]) -> Any:
        found = self._functions.get(function.encode())
        if found is None:
            raise ResponseError("Function not found")
        return self._run(found, numkeys, rest)

    def evaluate(self, script: str, numkeys: int, rest: Sequence[object]) -> Any:
        found = self._scripts.get(script)
        if found is None:
            found = self._lua.execute(f"return function(KEYS, ARGV) {script} end".encode())
            self._scripts[script] = found
        return self._run(found, numkeys, rest)

    def _run(self, function: Any, numkeys: int, rest: Sequence[object]) -> Any:
        given = [*map(raw, rest)]
        keys, args = self._lua.table_from(given[:numkeys]), self._lua.table_from(given[numkeys:])
        return _answer(function(keys, args))

    def _register(self, named: Any, function: Any = None) -> None:
        if function is None:
            named, function = named[b"function_name"], named[b"callback"]
        self._functions[named] = function

    def _call(self, name: bytes, *args: Any) -> Any:
        found = self._calls.get(name.upper())
        if found is None:
            raise ResponseError(f"this store knows no {name!r} in scripts")
        return self._reply(found(*[arg if type(arg) is bytes else _number(arg) for arg in args]))

    def _reply(self, value: Any) -> Any:
        if value is None:
            return False
        if value is True:
            return self._lua.table_from({b"ok": b"OK"})
        return self._table(value) if type(value) is list else value

    def _table(self, value: Any) -> Any:
        """A value as a script sees it."""
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, list):
            return self._lua.table_from([self._table(part) for part in value])
        if isinstance(value, dict):
            return self._lua.table_from({self._table(key): self._table(part) for key, part in value.items()})
        return value


def _number(value: Any) -> bytes:
    """A number of Lua as an argument of a command."""
    if isinstance(value, float):
        return str(int(value)).encode() if value == int(value) else b"%.17g" % value
    return raw(value)


def _answer(value: Any) -> Any:
    """What a script returns, as a client gets it."""
    kind = lua51.lua_type(value)
    if kind == "table":
        if value[b"ok"] is not None:
            return value[b"ok"]
        return [_answer(value[place]) for place in range(1, len(value) + 1)]
    if isinstance(value, bool):
        return 1 if value else None
    return int(value) if isinstance(value, float) else value


def _calls(keyspace: Keyspace) -> Mapping[bytes, Callable[..., Any]]:
    """The commands that scripts may call, with the arguments that they have there."""
    k = keyspace

    def hset(key: bytes, *pairs: bytes) -> int:
        return k.hset(key, mapping=dict(zip(pairs[::2], pairs[1::2], strict=True)))

    def hgetall(key: bytes) -> list[bytes]:
        return [part for pair in k.hgetall(key).items() for part in pair]

    def zadd(key: bytes, score: bytes, member: bytes) -> int:
        return k.zadd(key, {member: float(score)})

    def set_(key: bytes, value: bytes, *options: bytes) -> bool | None:
        given = [option.upper() for option in options]
        return k.set(
            key,
            value,
            nx=b"NX" in given,
            ex=options[given.index(b"EX") + 1] if b"EX" in given else None,
            px=options[given.index(b"PX") + 1] if b"PX" in given else None,
        )

    def zrangebyscore(key: bytes, least: bytes, most: bytes, *limit: bytes) -> list[bytes]:
        start, num = (int(limit[1]), int(limit[2])) if limit else (None, None)
        return k.zrangebyscore(key, least, most, start=start, num=num)

    return {
        b"GET": k.get,
        b"SET": set_,
        b"DEL": k.delete,
        b"INCR": k.incrby,
        b"EXPIRE": lambda key, length: k.expire(key, int(length)),
        b"PEXPIRE": lambda key, length: k.pexpire(key, int(length)),
        b"HGET": k.hget,
        b"HSET": hset,
        b"HSETNX": k.hsetnx,
        b"HDEL": k.hdel,
        b"HGETALL": hgetall,
        b"HINCRBY": lambda key, name, amount: k.hincrby(key, name, int(amount)),
        b"HLEN": k.hlen,
        b"HEXISTS": lambda key, name: int(k.hexists(key, name)),
        b"RPUSH": k.rpush,
        b"ZADD": zadd,
        b"ZREM": k.zrem,
        b"ZRANGE": lambda key, start, end: k.zrange(key, int(start), int(end)),
        b"ZRANGEBYSCORE": zrangebyscore,
        **_stream_calls(keyspace),
    }


def _stream_calls(keyspace: Keyspace) -> Mapping[bytes, Callable[..., Any]]:
    k = keyspace

    def xadd(key: bytes, *rest: bytes) -> bytes:
        if rest[0] == b"MAXLEN":
            _, _, length, _, *fields = rest
            return k._add(key, tuple(fields), int(length))
        return k._add(key, rest[1:], at=None if rest[0] == b"*" else parsed(rest[0]))

    def xinfo(_stream: bytes, key: bytes) -> list[bytes]:
        return [b"last-generated-id", written(k.stream(key).last)]

    def xrange(key: bytes, least: bytes, most: bytes) -> list[list[bytes | list[bytes]]]:
        found = k.xrange(key, least.decode(), most.decode())
        return [[at, [part for pair in fields.items() for part in pair]] for at, fields in found]

    def xsetid(key: bytes, entry_id: bytes) -> bool:
        k.stream(key).last = parsed(entry_id)
        return True

    return {
        b"XADD": xadd,
        b"XACK": k.xack,
        b"XDEL": k.xdel,
        b"XINFO": xinfo,
        b"XRANGE": xrange,
        b"XSETID": xsetid,
    }
