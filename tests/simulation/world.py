"""One seed played: customers, people at the desk, processes that die, on a clock that stands still between.

Everything is drawn from the seed and nothing else: the same seed gives the same trace, byte for byte. A
process is a `Line` with its consumers, listeners, clocks and the desk; it dies at any wait on the store or a
platform, and another one begins over the same store under the same names.
"""

import asyncio
import gc
import hashlib
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as LostConnection

from casework.case import WITH_PEOPLE, Case, Topic
from casework.classification import Classification, Confidence, Doubt, Intent, Sentiment, Urgency
from casework.decisions import Action, Ask
from casework.errors import HeardError
from casework.forgetting import SECRET_BYTES, Marks
from casework.mention import Author, Mention
from casework.reply import Outgoing
from casework.sla import Alert
from config import wiring
from config.brand import Brand, load_brand
from config.wiring import STAGES, Line, put_together
from listener.rereading import Rereader
from platforms.platform import Heard, Removed
from platforms.platform import Platform as AnyPlatform
from responder.knowledge import Article, Match, load_articles
from responder.sender import MARGIN
from responder.wording import load_templates
from streams import codec, marks, topics
from streams import consumer as consumer_module
from streams.connection import LOST, Store
from tests.fakes.keyspace_client import Effect, KeyspaceClient, Wire, answers_to, new_keyspace
from tests.simulation.loop import VirtualLoop
from tests.simulation.oracle import LATE_S, Oracle, Violation
from tests.simulation.sites import FOREVER, Becomes, Connection, Help, Post, Shown, Site
from webdesk.actions import edit_and_send, perform
from webdesk.desk import Desk

BRAND: Final = Path(__file__).with_name("brand.yaml")
ZONES: Final = (
    "Europe/Oslo",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "America/Santiago",
    "Asia/Kolkata",
    "UTC",
)
SITES: Final = {
    "bluesky": (Help.KEY_OF_MENTION, 5),
    "mastodon": (Help.KEY_FOR_AN_HOUR, 5),
    "x": (Help.NO_DUPLICATES, 15),
    "reddit": (Help.NONE, 60),
}
MENTIONS: Final = 100
PARTITIONS: Final = 8
"""Instead of 64: a hundred mentions meet in them as thousands do there, and the empty ones cost time."""
ACTIVE_S: Final = 5 * 3600.0
REST_S: Final = 21 * 3600.0
ELSEWHERE: Final = tuple(stage for stage in STAGES if stage != "sender")
KINDS: Final = {
    "question": 36,
    "cancelled": 18,
    "complaint": 18,
    "praise": 8,
    "critical": 5,
    "doubtful": 5,
    "legal": 2,
    "stop": 4,
    "repost": 2,
    "borealis": 2,
}


@dataclass(slots=True)
class Figures:
    """What one seed came to."""

    seed: int
    mentions: int = 0
    replies: int = 0
    trace: str = ""
    lines: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    moves: Counter[str] = field(default_factory=Counter)
    violation: str = ""


# ── what judges and writes, quickly ──────────────────────────────────────────────────────────────


class ReadyModel:
    """Judges by the first word of a text, the same in every process."""

    name = "ready"

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        """One judgement a text."""
        return [_judged(text.partition(" ")[0]) for text in texts]

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """Never asked: the shelf finds by number."""
        raise NotImplementedError


@cache
def _judged(kind: str) -> Classification:
    neg, pos, neutral = Sentiment.NEGATIVE, Sentiment.POSITIVE, Sentiment.NEUTRAL
    labels = {
        "cancelled": (neg, Intent.COMPLAINT, Urgency.HIGH, ("cancellation",)),
        "complaint": (neg, Intent.COMPLAINT, Urgency.HIGH, ()),
        "praise": (pos, Intent.PRAISE, Urgency.LOW, ()),
        "critical": (neg, Intent.COMPLAINT, Urgency.CRITICAL, ()),
        "legal": (neg, Intent.COMPLAINT, Urgency.HIGH, ("legal",)),
        "stop": (neg, Intent.OTHER, Urgency.NORMAL, ("opt-out",)),
    }
    sentiment, intent, urgency, about = labels.get(kind, (neutral, Intent.QUESTION, Urgency.NORMAL, ()))
    doubts = (Doubt.INTENT,) if kind == "doubtful" else ()
    return Classification(sentiment, intent, urgency, Confidence(0.9, 0.9, 0.9), topics=about, doubts=doubts)


class Shelf:
    """Finds an article by the text's checksum: for a tenth of all texts there is none."""

    def __init__(self, articles: Sequence[Article]) -> None:
        self._articles = articles

    def find(self, text: str, *, language: str, today: date, without: Collection[str] = ()) -> Match | None:
        """An article, or none."""
        number = zlib.crc32(text.encode())
        if not text or number % 10 == 0:
            return None
        article = self._articles[number % len(self._articles)]
        return Match(article, similarity=0.9, lead=0.5) if language in article.replies else None


_load_articles = cache(load_articles)
_load_templates = cache(load_templates)
_brand = cache(load_brand)


def _divide_into(partitions: int) -> None:
    """Change how many partitions a store has, which is a constant of the product."""
    cast(Any, topics).PARTITIONS = partitions
    topics.partition_of_case.cache_clear()


@contextmanager
def quick_and_virtual(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """What is read from files is read once, lanes are given out, and the machine's time is the loop's."""
    module = cast(Any, wiring)
    names = ("load_articles", "load_templates", "KnowledgeBase", "lane")
    before = {name: getattr(module, name) for name in names}
    machine, partitions = cast(Any, consumer_module).time, topics.PARTITIONS
    module.load_articles, module.load_templates = _load_articles, _load_templates
    module.KnowledgeBase = lambda articles, *_args, **_options: Shelf(articles)
    module.lane = lambda folder, _stage: nullcontext(folder.name)
    cast(Any, consumer_module).time = SimpleNamespace(monotonic=loop.time)
    _divide_into(PARTITIONS)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.reset_defaults()
        cast(Any, consumer_module).time = machine
        _divide_into(partitions)
        for name, value in before.items():
            setattr(module, name, value)


# ── a process ────────────────────────────────────────────────────────────────────────────────────


class Stopped(asyncio.CancelledError):
    """The process died under whoever gets this."""


class SlowWire(Wire):
    """Between one process and the store: answers take a while, and the process may die on the way."""

    def __init__(self, process: "Process") -> None:
        self._process = process

    async def carry(self, effects: Sequence[Effect]) -> list[Any]:
        """The answers, or the end of the process: before anything, after some of it, or after all."""
        process = self._process
        if process.dead:
            raise Stopped
        process.calls_left -= 1
        if process.calls_left <= 0 and process.world.faulty:
            done = process.chance.choice((0, len(effects), process.chance.randrange(len(effects) + 1)))
            process.world.figures.faults[
                "crash before a write" if not done else "crash after a write, before its answer"
            ] += 1
            answers_to(effects[:done])
            process.die("at a call")
            raise Stopped
        if process.world.faulty and process.chance.random() < process.world.plan.lost_calls:
            return await self._lost(effects)
        answers = answers_to(effects)
        await process.answer_travels()
        return answers

    async def _lost(self, effects: Sequence[Effect]) -> list[Any]:
        if self._process.chance.random() < 0.5:
            answers_to(effects)
        self._process.world.figures.faults["store connection lost"] += 1
        await asyncio.sleep(0.05)
        raise LostConnection("the connection was lost")


class Client(KeyspaceClient):
    """A process's client: a read that waits is woken by what is added, and by the process's own clock."""

    def __init__(self, process: "Process") -> None:
        super().__init__(process.world.keyspace, SlowWire(process))
        self._process = process

    async def xreadgroup(
        self,
        groupname: str,
        consumername: str,
        streams: Any,
        count: int | None = None,
        block: int | None = None,
    ) -> Any:
        """XREADGROUP; one that waits does so until there is something, or somebody knocks."""
        wire, keyspace = self._wire, self._keyspace
        while True:
            if block is None or keyspace.has_new(groupname, streams):
                (answer,) = await wire.carry(
                    [(keyspace.xreadgroup, (groupname, consumername, streams, count), {})]
                )
                if isinstance(answer, Exception):
                    raise answer
                return answer
            if not await self._process.something(groupname):
                return []


@dataclass(eq=False)
class Process:
    """One process of Heard: alive from `begin` until `die`."""

    world: "World"
    index: int
    stages: Sequence[str]
    dead: bool = False
    tasks: dict["asyncio.Task[Any]", None] = field(default_factory=dict)
    """In the order in which they began, which is the one in which they end: a set's is the memory's."""
    calls_left: int = 0
    frozen_until: float = -1.0
    waiting: dict[str, "asyncio.Future[bool]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = Random(self.world.chance.random())
        self.loop = asyncio.get_running_loop()
        self.calls_left = self.world.plan.next_crash(self.chance)
        client = cast(Redis, Client(self))
        self.store = Store(client, client, "memory://")
        self.began = self.loop.time()

    # The clock that this process reads.
    def now(self) -> datetime:
        """What time it takes it for."""
        return self.world.instant() + timedelta(seconds=self.world.offsets[self.index])

    def now_at_intent(self) -> datetime:
        """What it may have taken the time for when it decided on a POST of now, at the earliest."""
        set_at, before = self.world.set_from[self.index]
        lately = self.loop.time() - set_at <= MARGIN.total_seconds()
        offset = self.world.offsets[self.index]
        return self.world.instant() + timedelta(seconds=min(offset, before) if lately else offset)

    def elapsed(self) -> timedelta:
        """The machine's steady time: nobody sets it."""
        return timedelta(seconds=self.loop.time())

    def begin(self) -> None:
        """Put a line together and let it run."""
        world = self.world
        self.sides = {
            name: Connection(
                site,
                process=self,
                chance=self.chance,
                watcher=world,
                calm=lambda: not world.faulty,
            )
            for name, site in world.sites.items()
        }
        platforms = cast(Mapping[str, AnyPlatform], self.sides)
        self._context = put_together(
            self.store,
            world.brand,
            clock=self,
            model=ReadyModel(),
            platforms=platforms,
            herald=world,
            locks=Path(str(self.index)),
            stages=self.stages,
            tell_spike=world.tell_spike,
        )
        self.line: Line = self._context.__enter__()
        self.line.promise_clock.first = self.chance.randrange(topics.PARTITIONS)
        world.plant(self)
        for name, consumer in self.line.consumers.items():
            self.spawn(consumer.run(), name)
        self.spawn(self._ring(), "clock")
        self.spawn(self.rarely(self._spikes, 300.0), "spikes")
        if "sender" in self.stages:
            for name, side in self.sides.items():
                self.spawn(self.line.listener(name).run(side.paths[0]), f"listen {name}")
            rereader = Rereader(
                self.line.cases, self.line.cursors, platforms, self, self.store.forget_deleted
            )
            self.spawn(self.rarely(rereader.look_again, 1800.0), "reread")
            self.spawn(self.rarely(rereader.look_for_answers, 900.0), "colleagues")

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> "asyncio.Task[Any]":
        """Let something run for as long as the process lives."""
        task = self.loop.create_task(work)
        self.tasks[task] = None
        task.add_done_callback(partial(self._ended, name))
        return task

    def _ended(self, name: str, task: "asyncio.Task[Any]") -> None:
        self.tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None and not self.dead:
            self.world.broke(f"{name} of process {self.index}", error)

    def die(self, why: str) -> None:
        """End, at once: whatever runs stops where it waits."""
        if self.dead:
            return
        self.dead = True
        self.world.say(f"process {self.index} dies {why}")
        self._context.__exit__(None, None, None)
        current = asyncio.current_task()
        for task in [*self.tasks]:
            if task is not current:
                task.cancel()
        self.world.died(self)

    def may_die(self, where: str) -> None:
        """Die at this wait, if that was drawn."""
        if self.dead:
            raise Stopped
        self.calls_left -= 1
        plan = self.world.plan
        drawn = where.startswith("POST") and self.chance.random() < plan.crashes_at_posts
        if self.world.faulty and (drawn or self.calls_left <= 0):
            self.world.figures.faults[f"crash at a {where}"] += 1
            self.die(where)
            raise Stopped

    async def answer_travels(self) -> None:
        """The time between a write and its answer; a process that is stopped meanwhile waits longer."""
        world, chance = self.world, self.chance
        await asyncio.sleep(0.0005 + 0.01 * chance.random())
        awake = self.loop.time() >= self.frozen_until
        if world.faulty and awake and chance.random() < world.plan.freezes:
            world.figures.faults["process stopped for a while"] += 1
            self.frozen_until = self.loop.time() + chance.uniform(*chance.choice(((0.5, 6), (5, 150))))
            world.stands_still(self)
        if self.loop.time() < self.frozen_until:
            await asyncio.sleep(self.frozen_until - self.loop.time() + 0.001)
        if self.dead:
            raise Stopped

    async def something(self, group: str) -> bool:
        """Wait until something is new for a group (True), or until its consumer has to look (False)."""
        consumer = self.line.consumers[group]
        ready = consumer.next_ready()
        waits = (ready - self.now()).total_seconds() if ready is not None else FOREVER
        woken: asyncio.Future[bool] = self.loop.create_future()
        self.waiting[group] = woken
        timer = None
        if waits < FOREVER:
            timer = self.loop.call_later(
                max(0.0, waits) + 0.3 * self.chance.random(), self.knock, group, False
            )
        try:
            return await woken
        finally:
            if timer is not None:
                timer.cancel()

    def knock(self, group: str, new: bool) -> None:
        """Wake a consumer that waits."""
        woken = self.waiting.pop(group, None)
        if woken is not None and not woken.done():
            woken.set_result(new)

    async def _ring(self) -> None:
        """The bell: a sweep in each second in which something is due."""
        idle = 1.0
        await self._rung(self.line.recounter.recount)
        while True:
            await self.world.until_due(self)
            await asyncio.sleep(self.chance.random())
            moved = await self._rung(self.line.promise_clock.sweep)
            idle = 1.0 if moved else min(2 * idle, 30.0)
            if not moved:
                await asyncio.sleep(idle)

    async def _rung(self, what: Callable[[], Awaitable[int]]) -> int:
        try:
            return await what()
        except LOST:
            return 1

    async def rarely(self, what: Callable[[], Awaitable[object]], every: float) -> None:
        """Something that is done again and again while there is something to see."""
        while self.loop.time() < ACTIVE_S + 3600:
            await asyncio.sleep(every * (0.5 + self.chance.random()))
            with suppress(*LOST):
                await what()

    async def _spikes(self) -> None:
        await self.line.spike_clock.step()

    def desk(self) -> Desk:
        """The desk as this process serves it."""

        async def nothing() -> Any:
            return ()

        return Desk(
            store=self.line.cases,
            clock=self,
            promises=self.line.promises,
            brand="Aurora Air",
            timezone=self.world.brand.timezone,
            token="",
            login_token="",
            hosts=frozenset(),
            check=lambda _case, _text: (),
            measure=lambda _platform, text: (len(text), 280),
            health=nothing,
            summary=nothing,
            switch=self.line.switch,
            live=False,
        )


# ── what is drawn for a seed ─────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Plan:
    """How bad the day is."""

    crash_every: float
    crashes_at_posts: float
    lost_calls: float
    freezes: float
    two: bool
    zone: str
    start: datetime
    automatic: bool

    @classmethod
    def drawn(cls, chance: Random) -> "Plan":
        """A day for this seed; one in ten is calm."""
        calm = chance.random() < 0.1
        zone = chance.choice(ZONES)
        return cls(
            crash_every=float("inf") if calm else chance.choice((300, 800, 2000)),
            crashes_at_posts=0.0 if calm else chance.choice((0.0, 0.02, 0.1)),
            lost_calls=0.0 if calm else chance.choice((0.0, 0.0, 0.003)),
            freezes=0.0 if calm else chance.choice((0.0, 0.001)),
            two=chance.random() < 0.5,
            zone=zone,
            start=_a_start(chance, zone),
            automatic=chance.random() < 0.7,
        )

    def next_crash(self, chance: Random) -> int:
        """After how many calls the next process dies."""
        return (
            10**9 if self.crash_every == float("inf") else 1 + int(chance.expovariate(1 / self.crash_every))
        )


@cache
def _changes(zone: str) -> tuple[datetime, ...]:
    """The days before a zone's clocks change, in two years."""
    days, found, tz = datetime(2026, 1, 1, 12, tzinfo=UTC), [], ZoneInfo(zone)
    for number in range(730):
        day = days + timedelta(days=number)
        if day.astimezone(tz).utcoffset() != (day + timedelta(days=1)).astimezone(tz).utcoffset():
            found.append(day)
    return tuple(found)


def _a_start(chance: Random, zone: str) -> datetime:
    changes = _changes(zone)
    if changes and chance.random() < 0.5:
        day = chance.choice(changes)
        return day + timedelta(hours=chance.uniform(-4, 10))
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=chance.uniform(0, 24 * 700))


# ── the world ────────────────────────────────────────────────────────────────────────────────────


class World:
    """Everything that happens for one seed."""

    name = "everybody"

    def __init__(
        self, seed: int, *, mentions: int = MENTIONS, traced: bool = False, plant: Any = None
    ) -> None:
        self.figures = Figures(seed)
        self.chance = Random(f"heard-{seed}")
        self.plan = Plan.drawn(self.chance)
        self.mentions = mentions
        self.traced = traced
        self._plant = plant
        self._hash = hashlib.sha256()
        self.loop = asyncio.get_running_loop()
        self.keyspace = new_keyspace(self._store_ms)
        # The store's secret is drawn by chance where there is none: here it is always the same.
        self.keyspace.set(marks.KEY, b"7" * SECRET_BYTES)
        self.marks, self.marked = Marks(b"7" * SECRET_BYTES), dict[str, str]()
        self.keyspace.on_add = self._added
        self.keyspace.on_change = self._store_changed
        self.sites = {
            name: Site(name, against, timedelta(seconds=lag)) for name, (against, lag) in SITES.items()
        }
        self.offsets = [0.0, 0.0]
        self.set_from = [(0.0, 0.0), (0.0, 0.0)]
        """When each machine's clock was set last, and how far off it had been."""
        self.right_since = [FOREVER, FOREVER]
        self.furthest_ahead = 0.0
        self.processes: list[Process | None] = [None, None]
        self.faulty = True
        self.failure: BaseException | None = None
        self.failed = self.loop.create_future()
        self.dues: dict[int, float] = {}
        self.due_waiters: list[tuple[Process, asyncio.Future[None]]] = []
        self.oracle = Oracle(
            seconds=self.loop.time,
            instant=self.instant,
            say=self.say,
            clock_since=lambda: min(self.right_since),
            ahead=lambda: self.furthest_ahead,
        )
        file = _brand(BRAND).file
        self.brand: Brand = replace(
            _brand(BRAND),
            file=file.model_copy(
                update={
                    "hours": file.hours.model_copy(update={"timezone": self.plan.zone}),
                    "automatic": file.automatic.model_copy(update={"enabled": self.plan.automatic}),
                }
            ),
        )
        self.background: set[asyncio.Task[Any]] = set()
        self.handled: Counter[str] = Counter()
        self.begun: list[asyncio.Future[None]] = []
        self.number = 0

    # ── time and words ───────────────────────────────────────────────────────────────────────────

    def instant(self) -> datetime:
        """The true time."""
        return self.plan.start + timedelta(seconds=self.loop.time())

    def _store_ms(self) -> int:
        return 1_700_000_000_000 + int(self.loop.time() * 1000)

    def say(self, words: str) -> None:
        """One line of the trace."""
        line = f"{self.loop.time():.6f} {words}"
        self._hash.update(line.encode() + b"\n")
        if self.traced:
            self.figures.lines.append(line)

    def broke(self, what: str, error: BaseException) -> None:
        """Something ended that must not: the seed ends with it."""
        if self.failure is None:
            self.failure = error if isinstance(error, Violation) else Violation(f"{what}: {error!r}")
            self.say(f"FAILED {self.failure}")
            if not self.failed.done():
                self.failed.set_result(None)

    def checked(self, check: Callable[[], None]) -> None:
        """Ask the oracle; what it objects to ends the seed wherever it was asked."""
        try:
            check()
        except Violation as violation:
            self.broke("", violation)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Something outside of Heard."""
        task = self.loop.create_task(work)
        self.background.add(task)
        task.add_done_callback(self._world_ended)

    def _world_ended(self, task: "asyncio.Task[Any]") -> None:
        self.background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broke("the world", error)

    def plant(self, process: Process) -> None:
        """Put a bug into a process that begins, if one is wanted."""
        if self._plant is not None:
            self._plant(process)

    # ── what the store is told ───────────────────────────────────────────────────────────────────

    def _added(self, key: bytes) -> None:
        partition, _, topic = key.partition(b":")
        if topic == b"changes":
            self._changed(key, int(partition[2:-1]))
            return
        stream = self.keyspace.stream(key)
        fields = stream.entries[stream.last]
        if topic == b"alerts":
            alert = codec.read_alert(fields[3])
            self.say(f"alarm {fields[1].decode()} {alert.promise} {alert.state} to {alert.to} for {alert.at}")
            self.checked(lambda: self.oracle.added_alert(fields[1].decode(), alert))
        if topic == b"dead":
            self.say(f"dead letter {fields!r}")
        group = _GROUPS.get(topic)
        if group is not None:
            for process in self.processes:
                if process is not None:
                    process.knock(group, True)

    def _changed(self, key: bytes, partition: int) -> None:
        stream = self.keyspace.stream(key)
        case_id = stream.entries[stream.last][1].decode()
        record = self.keyspace.hget(topics.case_key(case_id), "s")
        case = codec.read_case(record or b"")
        self.say(f"{case_id} v{case.version} {case.moved} by {case.moved_by}: {case.status}")
        self.checked(lambda: self.oracle.saved(case))
        due = self.keyspace.zrange(topics.due_key(partition), 0, 0, withscores=True)
        self.dues[partition] = due[0][1] / 1000 if due else FOREVER
        self._wake_clocks()

    def _store_changed(self, key: bytes) -> None:
        now = self.loop.time()
        if key == b"heard:paused":
            pressed = self.keyspace.get(key) is not None
            self.oracle.switched_off = min(self.oracle.switched_off, now) if pressed else FOREVER
            self.say("the kill switch is pressed" if pressed else "sending goes on")
        elif key.endswith(b":optouts"):
            for member in sorted(self.keyspace.smembers(key)):
                author = self.marked.get(member.decode(), member.decode())
                if author not in self.oracle.opted_out:
                    self.oracle.opted_out[author] = now
                    self.say(f"opt-out {author}")

    # ── clocks ───────────────────────────────────────────────────────────────────────────────────

    async def until_due(self, process: Process) -> None:
        """Wait until something is due by the clock of a process."""
        while True:
            due = min(self.dues.values(), default=FOREVER)
            wait = due - process.now().timestamp()
            if wait <= 0:
                return
            changed: asyncio.Future[None] = self.loop.create_future()
            self.due_waiters.append((process, changed))
            timer = self.loop.call_later(wait, _resolve, changed) if wait < FOREVER else None
            await changed
            if timer is not None:
                timer.cancel()

    def _wake_clocks(self) -> None:
        waiting, self.due_waiters = self.due_waiters, []
        for _, changed in waiting:
            _resolve(changed)

    def set_clock(self, index: int, offset: float) -> None:
        """A machine's clock jumps."""
        self.set_from[index] = self.loop.time(), self.offsets[index]
        self.offsets[index] = offset
        self.furthest_ahead = max(self.furthest_ahead, offset)
        self.say(f"clock of {index} is off by {offset:.0f} s")
        self._note_clock(index)
        self._wake_clocks()
        process = self.processes[index]
        if process is not None:
            for group in [*process.waiting]:
                process.knock(group, False)

    def stands_still(self, process: Process) -> None:
        """A process is stopped, and goes on later."""
        self.say(f"process {process.index} stands still until {process.frozen_until:.3f}")
        self._note_clock(process.index)
        self.loop.call_at(process.frozen_until + 0.001, self._note_clock, process.index)

    def _note_clock(self, index: int) -> None:
        process = self.processes[index]
        awake = process is not None and process.frozen_until <= self.loop.time()
        right = awake and self.offsets[index] >= 0
        if not right:
            self.right_since[index] = FOREVER
        elif self.right_since[index] == FOREVER:
            self.right_since[index] = self.loop.time()

    # ── processes ────────────────────────────────────────────────────────────────────────────────

    def begin(self, index: int) -> None:
        """A process begins."""
        process = Process(self, index, tuple(STAGES) if index == 0 else ELSEWHERE)
        self.processes[index] = process
        self.say(f"process {index} begins")
        self._note_clock(index)
        process.begin()
        begun, self.begun = self.begun, []
        for one in begun:
            _resolve(one)

    def died(self, process: Process) -> None:
        """A process is dead; another one begins in a while."""
        self.figures.faults["crash"] += 1
        self.processes[process.index] = None
        self._note_clock(process.index)
        chance = self.chance
        after = chance.uniform(0.2, 40) if chance.random() < 0.9 else chance.uniform(60, 5400)
        self.loop.call_later(after, self._begin_again, process.index)

    def _begin_again(self, index: int) -> None:
        if self.processes[index] is None and self.failure is None:
            self.begin(index)
            # What it left to others under its name is idle for a minute before anybody takes it.
            for wait in (20.0, 40.0, 61.0, 77.0, 93.0):
                self.loop.call_later(wait, self._knock_all)

    def _knock_all(self) -> None:
        for process in self.processes:
            if process is not None:
                for group in [*process.waiting]:
                    process.knock(group, False)

    # ── who is told ──────────────────────────────────────────────────────────────────────────────

    async def announce(self, case: Case) -> None:
        """A case waits for a person."""
        self.oracle.announced.add(case.id)
        self.say(f"announced {case.id} v{case.version}")
        self.handled[case.id] += 1
        if self.handled[case.id] <= 4:
            self.spawn(self._somebody(case))

    async def alert(self, case: Case, alert: Alert) -> None:
        """A promise is at risk or broken."""
        self.oracle.told[(case.id, alert.promise, str(alert.at))] += 1
        self.say(f"told {case.id} {alert.promise} {alert.state} to {alert.to}")

    async def tell_spike(self, news: object) -> None:
        """Far more is said than usual."""
        self.say("spike")

    def posting(self, site: Site, mention: Mention, outgoing: Outgoing, now: datetime) -> None:
        """A POST begins."""
        self.say(f"POST {outgoing.key} to {site.name}:{mention.id}, attempt {outgoing.attempts}")
        self.checked(lambda: self.oracle.posting(site, mention, outgoing, now))

    def arrived(self, site: Site, reply: Shown, attempt: int, new: bool) -> None:
        """A reply is on a platform."""
        self.say(f"arrived {reply.id} {reply.key} below {reply.answers}{'' if new else ' (was there)'}")
        self.figures.replies += new
        self.checked(lambda: self.oracle.arrived(site, reply))

    def fate(self, site: Site, becomes: Becomes) -> None:
        """What was drawn for a POST."""
        self.figures.faults[f"POST {becomes}"] += becomes is not Becomes.ANSWERED

    # ── people at the desk ───────────────────────────────────────────────────────────────────────

    async def _somebody(self, seen: Case) -> None:
        """Somebody sees the card, and does something in a while; or two do at once, or nobody."""
        chance = self.chance
        if chance.random() < 0.12:
            return
        await asyncio.sleep(chance.expovariate(1 / 900))
        if chance.random() < 0.7:
            fresh = await self._at_the_desk("kim", lambda desk: desk.store.load(seen.id))
            seen = fresh if isinstance(fresh, Case) else seen
        action = self._drawn_action(seen)
        await asyncio.sleep(chance.uniform(1, 40))
        both = chance.random() < 0.15
        if both:
            self.figures.faults["two press at once"] += 1
            self.spawn(self._press("robin", seen, self._drawn_action(seen)))
        if not await self._press("kim", seen, action) and chance.random() < 0.8:
            # Somebody was faster, or it is not to be done like that: they look again.
            fresh = await self._at_the_desk("kim", lambda desk: desk.store.load(seen.id))
            if isinstance(fresh, Case) and fresh.status in WITH_PEOPLE:
                action = self._drawn_action(fresh) if fresh.permission == seen.permission else Action.POSTED
                await asyncio.sleep(chance.uniform(5, 300))
                await self._press("kim", fresh, action)

    def _drawn_action(self, seen: Case) -> Action:
        actions = {
            Action.APPROVE: 60.0 if seen.draft is not None else 0.0,
            Action.EDIT: 18.0,
            Action.REJECT: 6.0 if seen.draft is not None else 0.0,
            Action.TAKE: 4.0,
            Action.SNOOZE: 3.0,
            Action.AWAIT: 2.0,
            Action.CLOSE: 3.0,
            Action.NOTE: 2.0,
            Action.POSTED: 2.0,
        }
        (action,) = self.chance.choices([*actions], [*actions.values()])
        return action

    async def _press(self, who: str, seen: Case, action: Action) -> bool:
        """One click; whether it did something that ends the matter for now."""
        chance = self.chance
        ask = Ask(
            version=seen.version,
            by=who,
            draft_sha256=seen.draft.sha256 if seen.draft is not None and action is not Action.EDIT else "",
            text=f"Hi, this is {who} about {seen.id}: we are on it. ({seen.version})",
            reason="so it is",
            again=chance.random() < 0.5,
            until=self.instant() + timedelta(minutes=chance.uniform(70, 300)),
        )

        async def pressed(desk: Desk) -> Case:
            if action is Action.EDIT:
                return await edit_and_send(desk, seen.id, ask)
            return await perform(desk, seen.id, action, ask)

        outcome = await self._at_the_desk(who, pressed)
        self.say(f"{who} pressed {action} on {seen.id} v{seen.version}: {_outcome(outcome)}")
        if isinstance(outcome, Case) and action is Action.AWAIT:
            await asyncio.sleep(chance.uniform(300, 9000))
            go_on = replace(ask, version=0)

            async def resumed(desk: Desk) -> Case:
                fresh = await desk.store.load(seen.id)
                return await perform(desk, seen.id, Action.GO_ON, replace(go_on, version=fresh.version))

            await self._at_the_desk(who, resumed)
        if isinstance(outcome, Case) and outcome.replies and chance.random() < 0.1:
            await self._at_the_desk(who, lambda desk: perform(desk, seen.id, Action.TAKE_BACK, ask))
        return isinstance(outcome, Case) and action not in (
            Action.TAKE,
            Action.NOTE,
            Action.AWAIT,
            Action.SNOOZE,
        )

    async def _at_the_desk(self, who: str, what: Callable[[Desk], Awaitable[Any]]) -> Any:
        """What comes of it: the answer, the refusal, or None when the desk died over it twice."""
        for _ in range(3):
            process = await self._some_process()
            task = process.spawn(_caught(what, process.desk()), f"desk of {who}")
            await asyncio.wait([task])
            if not task.cancelled():
                return task.result()
            await asyncio.sleep(self.chance.uniform(1, 30))
        return None

    async def _some_process(self) -> Process:
        while True:
            alive = [process for process in self.processes if process is not None]
            if alive:
                return self.chance.choice(alive)
            begun = self.loop.create_future()
            self.begun.append(begun)
            await begun

    # ── customers ────────────────────────────────────────────────────────────────────────────────

    async def _customers(self) -> None:
        chance = self.chance
        gaps = sorted(chance.uniform(60, ACTIVE_S - 3600) for _ in range(self.mentions))
        if chance.random() < 0.3:
            # A wave: half of all within ten minutes.
            middle = chance.uniform(600, ACTIVE_S - 4800)
            gaps = sorted(middle + chance.uniform(0, 600) if chance.random() < 0.5 else gap for gap in gaps)
        for at in gaps:
            await asyncio.sleep(max(0.0, at - self.loop.time()))
            self._writes()

    def _writes(self) -> None:
        chance = self.chance
        site = self.sites[chance.choice([*self.sites])]
        earlier = [post for post in site.posts.values() if post.mention.repost_of is None]
        (kind,) = chance.choices([*KINDS], [*KINDS.values()])
        self.number += 1
        number = self.number
        follows = chance.choice(earlier) if earlier and chance.random() < 0.2 else None
        author = follows.mention.author if follows else Author(f"a{number}", f"a{number}", f"Ann{number} B")
        if follows is None and earlier and chance.random() < 0.1:
            author = chance.choice(earlier).mention.author
        to = None
        if follows is not None:
            ours = [one.id for one in site.below.get(follows.mention.id, ())]
            to = chance.choice([follows.mention.id, *ours])
        words = {"stop": "stop writing to me", "borealis": "aurora borealis above us"}.get(kind, kind)
        mention = Mention(
            platform=site.name,
            id=f"p{number}",
            author=author,
            text=f"{words} {number}",
            created_at=self.instant(),
            addressed=kind != "borealis" and chance.random() < 0.92,
            in_reply_to=to,
            conversation=follows.mention.conversation or follows.mention.id if follows else None,
            repost_of="elsewhere" if kind == "repost" else None,
            url=f"https://www.reddit.com/r/{chance.choice(('travel', 'travel', 'other'))}/comments/{number}/",
        )
        self.marked[f"{site.name}:{self.marks.author(site.name, author.id)}"] = f"{site.name}:{author.id}"
        post = Post(mention, [(self.loop.time(), mention.text)])
        site.posts[mention.id] = post
        self.figures.mentions += 1
        self.spawn(self._delivered(site, post))
        if chance.random() < 0.08:
            self.spawn(self._edited(site, post))
        if chance.random() < 0.06:
            self.spawn(self._deleted(site, post))
        if chance.random() < 0.06:
            self.spawn(self._by_hand(site, post))
        if chance.random() < 0.02:
            self.spawn(self._stops(site, post))

    async def _delivered(self, site: Site, post: Post) -> None:
        """The feed has it: soon or late, once or more often, not in the order it was written."""
        chance = self.chance
        late = chance.random() < 0.05
        await asyncio.sleep(chance.uniform(300, 5400) if late else chance.uniform(0, 40))
        self.figures.faults["late delivery"] += late
        self._feed(site, post)
        while chance.random() < 0.12:
            self.figures.faults["duplicated delivery"] += 1
            await asyncio.sleep(chance.uniform(0, 600))
            self._feed(site, post)

    def _feed(self, site: Site, post: Post, *, edited: bool = False) -> None:
        text = post.text_at(self.loop.time())
        if text is None:
            return
        mention = replace(post.mention, text=text)
        last = site.log[-1] if site.log else None
        if isinstance(last, Heard) and last.mention.created_at > mention.created_at:
            self.figures.faults["reordered delivery"] += 1
        self.oracle.delivered.setdefault(mention.key, self.loop.time())
        self.say(f"feed {mention.key} {text!r}")
        site.feed(Heard(mention, str(len(site.log) + 1), edited=edited))

    async def _edited(self, site: Site, post: Post) -> None:
        await asyncio.sleep(self.chance.expovariate(1 / 900))
        if post.deleted < FOREVER:
            return
        self.figures.faults["edit"] += 1
        text = (
            f"{self.chance.choice(('question', 'complaint', 'praise'))} {post.mention.text.split()[-1]} again"
        )
        post.versions.append((self.loop.time(), text))
        self.say(f"edited {post.mention.key}")
        if self.chance.random() < 0.6:
            await asyncio.sleep(self.chance.uniform(0, 30))
            self._feed(site, post, edited=True)

    async def _deleted(self, site: Site, post: Post) -> None:
        await asyncio.sleep(self.chance.expovariate(1 / 900))
        self.figures.faults["deletion"] += 1
        post.deleted = self.loop.time()
        self.say(f"deleted {post.mention.key}")
        if self.chance.random() < 0.6:
            await asyncio.sleep(self.chance.uniform(0, 30))
            site.feed(Removed(post.mention.id, post.mention.author.id, str(len(site.log) + 1)))

    async def _by_hand(self, site: Site, post: Post) -> None:
        await asyncio.sleep(self.chance.expovariate(1 / 900))
        if post.deleted == FOREVER:
            self.figures.faults["answered past Heard"] += 1
            reply = site.colleague(post.mention.id, self.loop.time())
            self.say(f"by hand {reply.id} below {post.mention.key}")

    async def _stops(self, site: Site, post: Post) -> None:
        """Somebody is put on the list of those who are not answered, from outside of the line."""
        await asyncio.sleep(self.chance.expovariate(1 / 600))
        self.figures.faults["opt-out"] += 1
        author = post.mention.author.id
        self.keyspace.sadd(
            topics.optouts_key(topics.partition_of(site.name, author)), f"{site.name}:{author}"
        )

    # ── the machines ─────────────────────────────────────────────────────────────────────────────

    async def _machines(self) -> None:
        """Clocks jump, processes are stopped for good, platforms go down, the switch is pressed."""
        chance = self.chance
        troubles: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (2.0, self._a_jump),
            (1.5, self._an_outage),
            (1.5, self._a_storm),
            (1.0, self._a_pause),
            (1.5, self._a_hard_stop),
        ]
        for mean, trouble in troubles:
            for _ in range(_poisson(chance, mean)):
                self.spawn(self._at(chance.uniform(300, ACTIVE_S - 600), trouble))

    async def _at(self, at: float, what: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(at)
        if self.faulty:
            await what()

    async def _a_jump(self) -> None:
        index = self.chance.randrange(2)
        if self.offsets[index]:
            return
        self.figures.faults["clock jump"] += 1
        self.set_clock(index, self.chance.choice((3600.0, -3600.0)))
        await asyncio.sleep(self.chance.choice((20, 120, 1200)) * (0.5 + self.chance.random()))
        self.set_clock(index, 0.0)

    async def _an_outage(self) -> None:
        site = self.sites[self.chance.choice([*self.sites])]
        self.figures.faults["platform down"] += 1
        site.down_until = self.loop.time() + self.chance.choice((30, 60, 240)) * (0.5 + self.chance.random())

    async def _a_storm(self) -> None:
        site = self.sites[self.chance.choice([*self.sites])]
        self.figures.faults["platform storm"] += 1
        site.storm_until = self.loop.time() + self.chance.uniform(300, 2400)

    async def _a_pause(self) -> None:
        if self.oracle.switched_off < FOREVER:
            return
        self.figures.faults["kill switch"] += 1
        await self._at_the_desk("lee", lambda desk: desk.switch.pause("lee"))
        await asyncio.sleep(self.chance.choice((5, 20, 120)) * (0.5 + self.chance.random()))
        while self.keyspace.get("heard:paused") is not None:
            await self._at_the_desk("lee", lambda desk: desk.switch.resume("lee"))

    async def _a_hard_stop(self) -> None:
        alive = [process for process in self.processes if process is not None]
        if alive:
            self.figures.faults["hard stop"] += 1
            self.chance.choice(alive).die("at any moment")

    # ── the day ──────────────────────────────────────────────────────────────────────────────────

    async def _watch(self) -> None:
        while True:
            self.checked(self.oracle.check_time)
            await asyncio.sleep(30.0)

    async def _story(self) -> None:
        self.begin(0)
        if self.plan.two:
            self.begin(1)
        self.spawn(self._customers())
        await self._machines()
        self.spawn(self._watch())
        await asyncio.sleep(ACTIVE_S)
        self.say("faults stop")
        self.faulty = False
        for site in self.sites.values():
            site.down_until = site.storm_until = -1.0
        for index in (0, 1):
            self.set_clock(index, 0.0)
        for process in self.processes:
            if process is not None:
                process.frozen_until = min(process.frozen_until, self.loop.time())
        self.keyspace.delete("heard:paused")
        await asyncio.sleep(REST_S)
        # Promises break just now, too: what was raised last may be on its way as long as any alarm.
        for _ in range(round(LATE_S)):
            if not self._unsettled():
                break
            await asyncio.sleep(1.0)
        self.checked(self._check_end)

    def _unsettled(self) -> list[str]:
        """What still stands on the streams, stream by stream."""
        keys = [
            topics.topic_key(partition, topic) for partition in topics.all_partitions() for topic in Topic
        ]
        counts = [(key, self.keyspace.xlen(key), self.keyspace.pending(key)) for key in keys]
        return [
            f"{length} entries of {key} are not settled, {begun} begun"
            for key, length, begun in counts
            if length or begun
        ]

    def _check_end(self) -> None:
        oracle = self.oracle
        oracle.check_time()
        buried, outcomes = set[str](), dict[str, str]()
        for partition in topics.all_partitions():
            for _, fields in self.keyspace.xrange(topics.dead_key(partition)):
                buried.add(fields[b"c"].decode())
                if fields[b"r"] != b"its handling ended the process every time":
                    oracle.wrong(f"a dead letter: {fields[b'c']!r} {fields[b'r']!r}")
            found = self.keyspace.hgetall(topics.seen_key(partition))
            outcomes.update({key.decode(): value.decode() for key, value in found.items()})
        for words in self._unsettled():
            oracle.wrong(words)
        self.figures.faults["dead letter"] += len(buried)
        oracle.check_ends(self.sites, outcomes, buried)
        timelines = {
            case_id: [(one.version, str(one.what)) for one in self._timeline(case_id)]
            for case_id in oracle.cases
        }
        oracle.check_approvals(self.sites, timelines, buried)

    def _timeline(self, case_id: str) -> Iterator[Any]:
        for record in self.keyspace.lrange(topics.timeline_key(case_id), 0, -1):
            yield codec.read_entry(record)

    async def play(self) -> Figures:
        """The whole seed."""
        story = self.loop.create_task(self._story())
        await asyncio.wait([story, self.failed], return_when=asyncio.FIRST_COMPLETED)
        if story.done() and not story.cancelled() and (error := story.exception()) is not None:
            self.broke("the story", error)
        story.cancel()
        figures = self.figures
        figures.violation = str(self.failure) if self.failure is not None else ""
        figures.trace = self._hash.hexdigest()
        figures.ended, figures.moves = self.oracle.ended, self.oracle.moves
        return figures


_GROUPS: Final = {str(topic).encode(): group for group, topic in STAGES.items()}


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


async def _caught(work: Callable[[Desk], Awaitable[Any]], desk: Desk) -> Any:
    try:
        return await work(desk)
    except (HeardError, *LOST) as error:
        return error


def _outcome(outcome: Any) -> str:
    return "done" if isinstance(outcome, Case) else f"{type(outcome).__name__} {outcome}"


def _poisson(chance: Random, mean: float) -> int:
    """How often something happens that does so ``mean`` times a day."""
    count, at = 0, chance.expovariate(mean)
    while at < 1.0:
        count, at = count + 1, at + chance.expovariate(mean)
    return count


def sweep_seldom() -> None:
    """Let the collector look seldom, and never at what was imported: a sixth of a seed's time went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def simulate(
    seed: int,
    *,
    mentions: int = MENTIONS,
    traced: bool = False,
    plant: Callable[[Process], None] | None = None,
) -> Figures:
    """Play one seed."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        with quick_and_virtual(loop):

            async def played() -> Figures:
                return await World(seed, mentions=mentions, traced=traced, plant=plant).play()

            figures = loop.run_until_complete(played())
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.run_until_complete(loop.shutdown_asyncgens())
            return figures
    finally:
        asyncio.set_event_loop(None)
        loop.close()
