"""The fake store answers as the real one does: the same commands, drawn by chance, on both."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from casework import moves
from streams import topics
from streams.case_store import CaseStore, Write
from streams.connection import Store, open_store
from streams.locks import _RELEASE, _TAKE
from streams.switch import _REST, _RESUME
from tests.fakes.cases import NOON, PROMISES, a_mention, judged
from tests.fakes.keyspace_client import new_keyspace, store_over

COMMANDS = 1000
Command = tuple[str, tuple[Any, ...], dict[str, Any]]


class Ids:
    """Entry ids are the server's time: told apart by the order in which they came."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, bytes], int] = {}
        self.real: list[tuple[str, bytes]] = []

    def learn(self, stream: str, entry_id: bytes) -> None:
        self.known[(stream, entry_id)] = len(self.real)
        self.real.append((stream, entry_id))

    def plain(self, answer: Any, stream: str = "") -> Any:
        """An answer with its ids as numbers, and without how long ago something was."""
        if isinstance(answer, Exception):
            return type(answer).__name__
        if isinstance(answer, bytes):
            return self.known.get((stream, answer), answer)
        if isinstance(answer, dict):
            kept = {key: part for key, part in answer.items() if key != "time_since_delivered"}
            return {self.plain(key, stream): self.plain(part, stream) for key, part in kept.items()}
        if isinstance(answer, (list, tuple)):
            return [self.plain(part, stream) for part in answer]
        return answer


def stream_of(command: Command) -> str:
    """The stream that a command is about."""
    streams = next((arg for arg in command[1] if isinstance(arg, dict)), None)
    return str(command[1][0] if streams is None or command[0] == "xadd" else next(iter(streams)))


class Draws:
    """Commands by chance over few names, so that they meet."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.kinds: dict[str, Callable[[], Command]] = {
            name.removeprefix("_a_"): getattr(self, name) for name in dir(self) if name.startswith("_a_")
        }
        self.added = 0

    def one(self) -> Command:
        """Any command."""
        return self.kinds[self.chance.choice([*self.kinds])]()

    def name(self, kind: str) -> str:
        return f"{{t}}:{kind}{self.chance.randrange(3)}"

    def any_of(self, commands: list[Command]) -> Command:
        return self.chance.choice(commands)

    def word(self) -> str:
        return self.chance.choice(["a", "b", "c", "æ", ""])

    def number(self) -> int:
        return self.chance.randrange(-3, 8)

    # Strings and keys.
    def _a_set(self) -> Command:
        options: dict[str, Any] = {"nx": True} if self.chance.random() < 0.5 else {}
        if self.chance.random() < 0.3:
            options["ex"] = 100
        return "set", (self.name("s"), self.word()), options

    def _a_get(self) -> Command:
        return "get", (self.name("s"),), {}

    def _a_getex(self) -> Command:
        return "getex", (self.name("s"),), {"ex": 50}

    def _a_setnx(self) -> Command:
        return "setnx", (self.name("s"), self.word()), {}

    def _a_incr(self) -> Command:
        return "incrby", (self.name("n"), self.number()), {}

    def _a_delete(self) -> Command:
        kind = self.chance.choice("snhlxzw")
        return "delete", (self.name(kind), self.name(kind)), {}

    def _a_exists(self) -> Command:
        return "exists", (self.name(self.chance.choice("snhlz")),), {}

    def _a_ttl(self) -> Command:
        return "ttl", (self.name("s"),), {}

    def _a_expire(self) -> Command:
        return "expire", (self.name(self.chance.choice("shz")), 1000), {}

    def _a_wrong_type(self) -> Command:
        return self.any_of(
            [
                ("get", (self.name("h"),), {}),
                ("hget", (self.name("z"), "a"), {}),
                ("zcard", (self.name("s"),), {}),
            ]
        )

    # Hashes.
    def _a_hset(self) -> Command:
        return "hset", (self.name("h"),), {"mapping": {self.word(): self.word(), "f": self.number()}}

    def _a_hash(self) -> Command:
        name = self.name("h")
        return self.any_of(
            [
                ("hget", (name, self.word()), {}),
                ("hgetall", (name,), {}),
                ("hmget", (name, ["a", "f", "zz"]), {}),
                ("hdel", (name, self.word(), "f"), {}),
                ("hincrby", (name, "count", self.number()), {}),
                ("hsetnx", (name, self.word(), "new"), {}),
                ("hlen", (name,), {}),
                ("hexists", (name, self.word()), {}),
            ]
        )

    # Lists and sets.
    def _a_list(self) -> Command:
        name = self.name("l")
        return self.any_of(
            [("rpush", (name, self.word(), "x"), {}), ("lrange", (name, self.number(), self.number()), {})]
        )

    def _a_set_of(self) -> Command:
        name = self.name("w")
        return self.any_of(
            [
                ("sadd", (name, self.word(), self.word()), {}),
                ("srem", (name, self.word()), {}),
                ("sismember", (name, self.word()), {}),
                ("smismember", (name, [self.word(), self.word()]), {}),
                ("smembers", (name,), {}),
            ]
        )

    # Sorted sets.
    def _a_zadd(self) -> Command:
        scores = {self.word(): self.number(), "m": self.chance.choice([1.5, 2, 1_700_000_000_123])}
        return "zadd", (self.name("z"), scores), {"nx": self.chance.random() < 0.3}

    def _a_sorted(self) -> Command:
        name, least, most = self.name("z"), self.number(), self.number()
        return self.any_of(
            [
                ("zrem", (name, self.word()), {}),
                ("zcard", (name,), {}),
                ("zscore", (name, "m"), {}),
                ("zcount", (name, f"({least}", f"({most}"), {}),
                ("zrange", (name, least, most), {"withscores": True}),
                ("zrange", (name, least, most), {}),
                ("zrangebyscore", (name, "-inf", most), {"start": abs(least), "num": 2}),
                ("zrangebyscore", (name, "-inf", most), {}),
            ]
        )

    # Streams. Twice each, as they are most of it.
    def _a_xgroup(self) -> Command:
        start = self.chance.choice(["0", "$"])
        return "xgroup_create", (self.name("x"), "g"), {"id": start, "mkstream": self.chance.random() < 0.8}

    def _a_xadd(self) -> Command:
        self.added += 1
        return "xadd", (self.name("x"), {"c": f"C-{self.added}", "a": ""}), {}

    _a_xadd_more = _a_xadd

    def _a_xread(self) -> Command:
        streams = {self.name("x"): ">"}
        return (
            "xreadgroup",
            ("g", self.chance.choice(["me", "you"]), streams),
            {"count": self.chance.choice([1, 3])},
        )

    def _a_xread_mine(self) -> Command:
        return "xreadgroup", ("g", "me", {self.name("x"): "0"}), {"count": 5}

    def _a_xpending(self) -> Command:
        who = {"consumername": "me"} if self.chance.random() < 0.5 else {}
        return "xpending_range", (self.name("x"), "g", "-", "+", 10), who

    def _a_xpending_all(self) -> Command:
        return "xpending", (self.name("x"), "g"), {}

    def _a_stream(self) -> Command:
        name = self.name("x")
        return self.any_of(
            [
                ("xlen", (name,), {}),
                ("xrange", (name,), {}),
                ("xread", ({name: "0"},), {"count": 3}),
                ("xautoclaim", (name, "g", "you", 0), {"count": 4}),
                ("xautoclaim", (name, "g", "you", 1_000_000), {"count": 4}),
            ]
        )

    # Scripts.
    def _a_lock(self) -> Command:
        held = b'{"owner":"%s"}' % self.chance.choice([b"nina", b"tom"])
        owner = self.chance.choice(["nina", "tom"])
        return self.any_of(
            [
                ("eval", (_TAKE, 2, "{e}:1", "{e}:ends", owner, held, 100_000, "", 5, "C-1"), {}),
                ("eval", (_RELEASE, 2, "{e}:1", "{e}:ends", owner, "C-1"), {}),
            ]
        )

    def _a_rest(self) -> Command:
        return self.any_of(
            [
                ("eval", (_REST, 1, "{r}:rest", "why", self.word()), {}),
                ("eval", (_RESUME, 1, "{r}:rest", "Nina"), {}),
            ]
        )

    def _a_door(self) -> Command:
        now = 1_700_000_000_000 + self.chance.randrange(100_000)
        queue = tuple(f"{{c}}:{part}" for part in ("ready", "later", "turns", "marks", "held", "count"))
        name = self.chance.choice(["one", "two"])
        return self.any_of(
            [
                ("fcall", ("heard1_take", 2, "{b}:1", "{b}:2", now, 1, 5, 60_000, 3, 30_000), {}),
                ("fcall", ("heard1_left", 1, "{b}:1", now, 5, 60_000), {}),
                ("fcall", ("heard1_press", 2, f"{{p}}:seen{name}", "{p}:box", "100", b"\x00\xffbody"), {}),
                ("fcall", ("heard1_pass_over", 2, "{o}:seen", "{o}:dead", name, "-no", "r", "why"), {}),
                ("fcall", ("heard1_card_dirty", 6, *queue, name, now), {}),
                ("fcall", ("heard1_card_take", 6, *queue, now, now + 60_000, 2), {}),
                ("fcall", ("heard1_card_give_back", 6, *queue, name, self.chance.randrange(1, 30), ""), {}),
                ("fcall", ("heard1_card_intend", 1, f"{{c}}:{name}", "C1", "5", self.word()), {}),
                ("fcall", ("heard1_card_shown", 1, f"{{c}}:{name}", "C1", "9.9", "3", "digest", "7"), {}),
                ("fcall", ("heard1_card_gather", 1, "{c}:board", name, "1000"), {}),
                ("fcall", ("heard1_no_such", 0), {}),
            ]
        )


async def _asked(store: Store, command: Command, ids: Ids) -> Any:
    name, args, options = command
    client: Any = store.writes
    try:
        answer = await getattr(client, name)(*args, **options)
    except Exception as error:
        return error
    if name == "xadd":
        ids.learn(args[0], answer)
    return answer


@pytest.mark.parametrize("seed", range(4))
async def test_the_same_commands_have_the_same_answers(embedded_url: str, seed: int) -> None:
    """Whatever comes in whatever order, errors included."""
    fake, draws = store_over(new_keyspace()), Draws(Random(seed))
    of_fake, of_real = Ids(), Ids()
    async with open_store(embedded_url, Path()) as real:
        await real.writes.flushdb()
        for _ in range(COMMANDS):
            command = draws.one()
            if of_real.real and draws.chance.random() < 0.15:
                await _acted_on_an_entry(draws, fake, real, of_fake, of_real)
            stream = stream_of(command)
            here = of_fake.plain(await _asked(fake, command, of_fake), stream)
            there = of_real.plain(await _asked(real, command, of_real), stream)
            assert here == there, command


async def _acted_on_an_entry(draws: Draws, fake: Store, real: Store, of_fake: Ids, of_real: Ids) -> None:
    """Settle, delete or claim one: the id is each store's own."""
    number = draws.chance.randrange(len(of_real.real))
    what = draws.chance.choice(["xack", "xdel", "claim", "claim", "put off", "settle", "drop"])
    answers = []
    for store, ids in ((fake, of_fake), (real, of_real)):
        name, entry_id = ids.real[number]
        commands: dict[str, Command] = {
            "xack": ("xack", (name, "g", entry_id), {}),
            "xdel": ("xdel", (name, entry_id), {}),
            "claim": ("xclaim", (name, "g", "me", 0, [entry_id]), {}),
            "put off": ("xclaim", (name, "g", "me", 0, [entry_id]), {"retrycount": 0, "justid": True}),
            "settle": ("fcall", ("heard1_settle", 1, name, "g", entry_id), {}),
            "drop": ("fcall", ("heard1_drop", 1, name, entry_id), {}),
        }
        answers.append(ids.plain(await _asked(store, commands[what], ids), name))
    assert answers[0] == answers[1], what


async def test_the_same_moves_leave_the_same_cases(embedded_url: str) -> None:
    """Through the door: saved, overtaken and already heard, many in one call, on both."""
    chance = Random(7)
    async with open_store(embedded_url, Path()) as real:
        await real.writes.flushdb()
        fake = store_over(new_keyspace())
        both = (CaseStore(fake), CaseStore(real))
        heard = []
        for number in range(60):
            mention = a_mention(chance.randrange(40), author=a_mention().author)
            case_id = topics.case_id(number + 1, topics.partition_of_mention(mention))
            heard.append(moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES))
        judgements = [moves.classify(one.case, judged(), at=NOON, promises=PROMISES) for one in heard]
        writes = [Write(one) for one in [*heard, *judgements, *judgements]]
        chance.shuffle(writes)
        outcomes = [[str(end) for end in await cases.save_all(writes)] for cases in both]
        assert outcomes[0] == outcomes[1]
        assert {"None"} < set(outcomes[0])
        ids = [one.case.id for one in heard]
        loaded = [await cases.load_all(ids) for cases in both]
        assert loaded[0] == loaded[1]
        assert await both[0].timelines(ids) == await both[1].timelines(ids)
        assert await both[0].counts() == await both[1].counts()
        assert await both[0].due(NOON.replace(hour=23)) == await both[1].due(NOON.replace(hour=23))


async def test_a_command_that_the_fake_does_not_know_is_an_error() -> None:
    """Never an empty answer that a test would believe."""
    fake: Any = store_over(new_keyspace()).writes
    with pytest.raises(AttributeError):
        await fake.geoadd("somewhere", 1, 2, "x")
