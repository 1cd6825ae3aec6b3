"""Runs the line for as long as it is wanted: all stages as tasks of one process, the desk among them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
import typer
from watchfiles import awatch

from casework.clock import Clock, FastClock, SystemClock
from casework.errors import HeardError, TryAgainLater
from config.brand import Brand, reload_if_valid
from config.checks import Check
from config.connecting import Connections, connect
from config.customer import HomeFiles
from config.doctor import for_brand, for_slack, for_store_and_paths
from config.heralds import Heralds, LogHerald, TerminalHerald
from config.lanes import only_one
from config.places import Place
from config.play import begin, end
from config.recorded import DAY, Playing, Recording, opened
from config.summary import Summary, summarise
from config.usage import WrongUsage
from config.wiring import EVERYWHERE, JUDGING, STAGES, Accounts, Line, Model, own_handles, put_together
from escalation.bell import Bell
from escalation.letters import LetterWatch, TellWords, tell_nobody
from escalation.spikes import Tell, tell_log
from listener.rereading import Rereader
from listener.retention import Retention
from platforms.feed import Feed, load_feed, shifted
from platforms.limits import Budget
from platforms.platform import Path as ListeningPath
from platforms.platform import Platform
from platforms.replay import ReplayPlatform, ReplyRecord
from streams.budget import SharedBudget
from streams.claim import UNDISPUTED, SenderClaim
from streams.connection import LOST, Store, open_store
from streams.dead_letters import DeadLetters
from streams.forgetting import People
from streams.paths import PathReport, PathReports
from streams.spikes import News

if TYPE_CHECKING:
    # They bring the libraries of the desk and of Slack, which take as long to import as all the rest: only
    # the parts that need them do (a sender that died is back in half the time).
    from config.serving import Address
    from config.slack import SlackSide

log = structlog.get_logger(__name__)

LIVE: Final = "live"
REACH_EVERY_S: Final = 1.0
LOOK_EVERY_S: Final = 1.0
SWEEP_EVERY_S: Final = 1.0
DIGEST_EVERY_S: Final = 30.0
LETTERS_EVERY_S: Final = 15.0
REPORT_EVERY_S: Final = 5.0
REREAD_EVERY_S: Final = 120.0
FORGET_EVERY_S: Final = 30.0
SLACK_AGAIN_S: Final = 5.0
ASK_YEAR_S: Final = 900.0
PROFILE_PATIENCE_S: Final = 20.0
PARTS: Final = (*STAGES, "listener", "promises", "desk")


def _say(words: str) -> None:
    typer.echo(words, err=True)


@dataclass(frozen=True, slots=True)
class _Running:
    """What runs: tasks, and what the bell rings."""

    tasks: asyncio.TaskGroup
    bell: Bell


@asynccontextmanager
async def _stages(
    line: Line, store: Store, *, promises: bool = True, tell_letters: TellWords = tell_nobody
) -> AsyncIterator[_Running]:
    """The line's consumers and its clocks; all end with the block, or with a store of our own."""
    bell = Bell()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(consumer.run()) for consumer in line.consumers.values()]
        running.append(tasks.create_task(_end_with(store)))
        if promises:
            bell.every(SWEEP_EVERY_S, "promises", line.promise_clock.sweep)
            bell.every(SWEEP_EVERY_S, "recounting", line.recounter.recount)
            letters = LetterWatch(line.dead, line.clock, tell_letters)
            bell.every(LETTERS_EVERY_S, "dead letters", letters.look)
            running.append(tasks.create_task(line.spike_clock.run()))
        bell.begin()
        try:
            yield _Running(tasks, bell)
        finally:
            bell.end()
            for task in running:
                task.cancel()


async def _end_with(store: Store) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        store.check_server()


# ── the demo ─────────────────────────────────────────────────────────────────────────────────────


async def demo(
    recording: Recording,
    model: Model,
    *,
    speed: float,
    listen: str,
    minutes: float | None,
    place: Place,
    opened_in: Callable[[str], object] | None,
    slack_preview: bool = False,
) -> None:
    """The recorded day on a fast clock, with the desk open, until stopped.

    With ``slack_preview`` the desk has a page that shows what Slack would show, and takes its clicks.
    """
    address = _bound(listen, any_port=True)
    async with AsyncExitStack() as stack:
        if minutes is not None:
            await stack.enter_async_context(_ended_after(minutes))
        clock = _FromWhereItWas()
        herald = Heralds([TerminalHerald(say=lambda words: _say(f"{clock.now():%H:%M}  {words}"))])
        playing = await stack.enter_async_context(opened(recording, clock=clock, model=model, herald=herald))
        clock.set(FastClock(await playing.line.cursors.reached() or begin(recording.feed), speed=speed))
        slack = None
        if slack_preview:
            from config.slack import preview_side

            slack = await preview_side(recording.brand, playing.store, clock=clock)
            herald.ways.append(slack.herald)
        await _play_live(
            recording, playing, clock, address, speed=speed, place=place, opened_in=opened_in, slack=slack
        )


class _FromWhereItWas:
    """A clock that is set once the store has told where the day was left."""

    def __init__(self) -> None:
        self._clock: Clock = SystemClock()
        self.now, self.elapsed = self._clock.now, self._clock.elapsed

    def set(self, clock: Clock) -> None:
        """Run by another clock from now on."""
        self.now, self.elapsed = clock.now, clock.elapsed


@asynccontextmanager
async def _ended_after(minutes: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(minutes * 60):
            yield
    except TimeoutError:
        _say("The time is up.")


async def _play_live(
    recording: Recording,
    playing: Playing,
    clock: Clock,
    address: "Address",
    *,
    speed: float,
    place: Place,
    opened_in: Callable[[str], object] | None,
    slack: "SlackSide | None",
) -> None:
    line = playing.line
    async with _stages(line, playing.store) as running:
        tasks = running.tasks
        serving = await _open_desk(
            tasks,
            playing.store,
            line,
            address,
            place,
            summed=playing.summary,
            live=False,
            speed=speed,
            slack=slack,
        )
        if slack is not None:
            _keep_slack(running, slack)
            _say(f"What Slack would show is at http://{address.host}:{address.port}/preview\n")
        _say(f"Aurora Air's day plays {speed:g}× faster. The desk is open:\n\n    {address.link}\n")
        _say("Approve a reply before its hour is up. Ctrl+C ends it; the day goes on next time.\n")
        if opened_in is not None:
            opened_in(address.link)
        reaching = tasks.create_task(_reach(line, clock, end(recording.feed, line)))
        await line.listener(recording.name).run(playing.platform)
        await reaching
        recording.finish()
        _say(_good_evening(await playing.summary()))
        await serving


async def _reach(line: Line, clock: Clock, last: datetime) -> None:
    """Record how far the day has come, until it is over."""
    while clock.now() < last:
        await line.cursors.reach(clock.now())
        await asyncio.sleep(REACH_EVERY_S)


def _good_evening(summary: Summary) -> str:
    kept = sum(tally.met for tally in summary.promises.values())
    broken = sum(tally.breached for tally in summary.promises.values())
    return (
        f"The day is over: {kept} promises kept, {broken} broken, {summary.replies_posted} replies, "
        f"{summary.duplicate_replies} of them double, {summary.lost} mentions lost.\n"
        "The desk stays open. Try it on your brand: heard init"
    )


def _bound(listen: str, *, any_port: bool = False) -> "Address":
    from config.serving import bind

    return bind(listen, any_port=any_port)


async def _open_desk(
    tasks: asyncio.TaskGroup,
    store: Store,
    line: Line,
    address: "Address",
    place: Place,
    *,
    summed: Callable[[], Awaitable[Summary]],
    live: bool = True,
    speed: float = 1.0,
    slack: "SlackSide | None" = None,
) -> "asyncio.Task[None]":
    """Serve the desk over a line; returns its task once it answers."""
    from config.serving import api_token, desk, serve_at

    async def summary() -> Mapping[str, object]:
        return (await summed()).as_json()

    async def health() -> Sequence[Check]:
        held = await for_store_and_paths(store, line.clock.now())
        there = await slack.health() if slack is not None else []
        return [*held, *for_brand(line.brand), *there]

    token = api_token(place.folder, _secret(place))
    shown = desk(
        line,
        address,
        token=token,
        summary=summary,
        health=health,
        live=live,
        speed=speed,
        trouble=slack.trouble if slack is not None else None,
        preview=slack.preview if slack is not None else None,
    )
    started = asyncio.Event()
    serving = tasks.create_task(serve_at(address, shown, started=started))
    await started.wait()
    return serving


def _secret(place: Place) -> str | None:
    token = place.settings.desk.token
    return token.get_secret_value() if token else None


# ── up ───────────────────────────────────────────────────────────────────────────────────────────


async def up(
    brand: Brand,
    place: Place,
    load_model: Callable[[], Model],
    *,
    listen: str,
    only: tuple[str, ...],
    insecure: bool,
) -> None:
    """The brand's own line, all of it or some stages, until stopped."""
    unknown = set(only) - set(PARTS)
    if unknown:
        raise WrongUsage(f"there is no stage {sorted(unknown)[0]}: --only takes {', '.join(PARTS)}")
    parts = only or PARTS
    address = _bound(listen) if "desk" in parts else None
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        if "sender" in parts:
            stack.enter_context(only_one(place.folder / "locks" / "sender", "sends from here already"))
        store = await stack.enter_async_context(
            open_store(place.redis_url, place.folder / "store", insecure=insecure)
        )
        claim = await stack.enter_async_context(_claimed(store)) if "sender" in parts else UNDISPUTED
        replay = _replay(brand, place, clock)
        budget = SharedBudget(store, clock)
        # A recorded day names real platforms and real posts: it is never played beside them.
        connections = Connections() if replay else connect(brand, place, clock=clock, budget=budget)
        stack.push_async_callback(connections.close)
        _say_missing(connections)
        silent = await unlabelled(connections.platforms) if brand.automatic.enabled else frozenset[str]()
        slack = _slack(brand, place, store, clock, budget) if "escalation" in parts else None
        telling = slack or (_slack(brand, place, store, clock, budget) if "promises" in parts else None)
        line = stack.enter_context(
            put_together(
                store,
                brand,
                clock=clock,
                model=load_model() if JUDGING.intersection(parts) else None,
                platforms={"*": replay} if replay else connections.platforms,
                accounts=EVERYWHERE if replay else Accounts(connections.posting, silent),
                herald=Heralds([LogHerald(), slack.herald]) if slack is not None else LogHerald(),
                locks=place.folder / "locks",
                stages=[stage for stage in STAGES if stage in parts],
                tell_spike=_telling_spikes(telling),
                claim=claim,
            )
        )
        owner = await line.cursors.claim(LIVE)
        if owner != LIVE:
            raise HeardError(f"this store holds a recorded day ({owner}); use another HEARD_HOME or database")
        letters = telling.tell_letters if telling is not None else tell_nobody
        running = await stack.enter_async_context(
            _stages(line, store, promises="promises" in parts, tell_letters=letters)
        )
        tasks = running.tasks
        if "promises" in parts:
            _forget_on_time(running, store, line, HomeFiles(place.folder))
        tasks.create_task(_follow_brand(line, brand.source, telling))
        tasks.create_task(_follow_years(line))
        if telling is not None:
            stack.push_async_callback(telling.web.close)
        if slack is not None:
            _keep_slack(running, slack)
        if "listener" in parts:
            stack.enter_context(only_one(place.folder / "locks" / "listener", "listens from here already"))
            _listen(running, store, line, {"replay": replay} if replay else connections.platforms)
        if address is not None:
            await _open_desk(
                tasks, store, line, address, place, summed=partial(_summed, store, line), slack=slack
            )
            _say(f"The desk is open:\n\n    {address.link}\n")
        log.info("running", parts=list(parts), brand=brand.name)
        await asyncio.Event().wait()


@asynccontextmanager
async def _claimed(store: Store) -> AsyncIterator[SenderClaim]:
    """The claim to send, over all machines on the store."""
    claim = SenderClaim(store)
    try:
        await claim.take()
        yield claim
    finally:
        await claim.close()


def _slack(brand: Brand, place: Place, store: Store, clock: Clock, budget: Budget) -> "SlackSide | None":
    """Slack, if the brand works there: a token, and a channel for the cards."""
    given = place.settings.slack
    if given.bot_token is None or brand.team.slack.channel is None:
        return None
    from config.slack import slack_side

    return slack_side(
        brand,
        store,
        clock=clock,
        budget=budget,
        token=given.bot_token.get_secret_value(),
        app_token=given.app_token.get_secret_value() if given.app_token else "",
        api_url=given.base_url,
        signing_secret=given.signing_secret.get_secret_value() if given.signing_secret else "",
        listen=given.listen,
        checks=partial(_for_slack, brand, place, store, clock),
        name=socket.gethostname(),
    )


async def _for_slack(brand: Brand, place: Place, store: Store, clock: Clock) -> Sequence[Check]:
    """The doctor's lines for whoever opens App Home."""
    held = await for_store_and_paths(store, clock.now())
    return [*await for_slack(brand, place), *held, *for_brand(brand)]


def _telling_spikes(slack: "SlackSide | None") -> Tell:
    """The log is told of a spike, and then managers in Slack, if that is where they are."""

    async def tell(news: News) -> None:
        await tell_log(news)
        if slack is not None:
            await slack.tell_spike(news)

    return tell


def _keep_slack(running: _Running, slack: "SlackSide") -> None:
    running.tasks.create_task(_keep(slack))
    running.tasks.create_task(_checked(slack))
    running.bell.every(DIGEST_EVERY_S, "digest", slack.digest_if_due)


async def _checked(slack: "SlackSide") -> None:
    """Who is on a ladder is looked up once, and not again whenever Slack begins again."""
    try:
        await slack.check_ladders(slack.brand)
    except Exception:
        log.exception("ladders not checked")


async def _keep(slack: "SlackSide") -> None:
    """Slack beside everything else: whatever happens there, the line and the web desk go on."""
    while True:
        try:
            await slack.run()
        except Exception:
            log.exception("slack failed, beginning again")
        await asyncio.sleep(SLACK_AGAIN_S)


def _say_missing(connections: Connections) -> None:
    for name, why in connections.missing.items():
        log.warning("not connected", platform=name, why=str(why), fix=why.fix)


async def unlabelled(platforms: Mapping[str, Platform]) -> frozenset[str]:
    """Where the profile does not say that it replies by itself, whatever brand.yaml says: none goes out.

    All are asked at once and not for long: no alarm waits at the start until every platform has answered.
    """
    labelled = await asyncio.gather(*(_is_labelled(name, one) for name, one in platforms.items()))
    return frozenset(name for name, says_so in zip(platforms, labelled, strict=True) if not says_so)


async def _is_labelled(name: str, platform: Platform) -> bool:
    try:
        async with asyncio.timeout(PROFILE_PATIENCE_S):
            profile = await platform.profile()
    except (TryAgainLater, TimeoutError) as fault:
        why = str(fault) or "no answer in time"
        log.warning("profile could not be read: no automatic replies", platform=name, why=why)
        return False
    if profile is not None and not profile.labelled:
        log.error("profile is not labelled: no automatic replies", platform=name)
        return False
    return True


def _listen(running: _Running, store: Store, line: Line, platforms: Mapping[str, Platform]) -> None:
    """Follow every path of every platform, and say every few seconds how well each hears."""
    paths = {
        (name if path.name == name else f"{name}/{path.name}"): path
        for name, platform in platforms.items()
        for path in platform.paths
    }
    for feed, path in paths.items():
        running.tasks.create_task(line.listener(feed).run(path))
    running.tasks.create_task(_report(PathReports(store), paths, line.clock))
    rereader = Rereader(line.cases, line.cursors, platforms, line.clock, store.forget_deleted)
    # Compliance: what is deleted or edited (X12, R4, B4).
    running.bell.every(REREAD_EVERY_S, "looking again", rereader.look_again)
    running.bell.every(REREAD_EVERY_S, "colleagues' answers", rereader.look_for_answers)


async def _report(reports: PathReports, paths: Mapping[str, ListeningPath], clock: Clock) -> None:
    while True:
        now = clock.now()
        said = [(feed, path.state()) for feed, path in paths.items()]
        with suppress(*LOST):
            await reports.put(
                [PathReport(feed, s.ok, s.words, s.since, now, s.last_at, s.connects) for feed, s in said]
            )
        await asyncio.sleep(REPORT_EVERY_S)


async def _summed(store: Store, line: Line) -> Summary:
    names = [policy.name for policy in line.promises.policies]
    return await summarise(line.cases, DeadLetters(store), promised=names)


def _forget_on_time(running: _Running, store: Store, line: Line, files: HomeFiles) -> None:
    """What somebody asked to be forgotten, and what was kept for as long as it may be."""
    people = People(store, line.clock, elsewhere=files)

    async def forget() -> None:
        await store.forget_deleted()
        await files.forget_marked(line.cases.marked)

    retention = Retention(
        line.cases,
        line.cursors,
        line.clock,
        forget,
        keeps_posts=lambda platform: line.brand.keeps_posts(platform),
        keeps_labels=lambda: line.brand.privacy.keep_labels,
    )
    running.bell.every(FORGET_EVERY_S, "forgetting", people.carry_out)
    running.bell.every(REREAD_EVERY_S, "retention", retention.sweep)


def _replay(brand: Brand, place: Place, clock: Clock) -> ReplayPlatform | None:
    """The replay platform, if the brand has it on: its recorded day is played as if it were today."""
    part = brand.platforms.get("replay")
    if part is None:
        return None
    path = DAY if part.file in (None, "bundled") else brand.source.parent / str(part.file)
    feed = load_feed(path, now=clock.now())
    record = ReplyRecord(place.folder / "replies.sqlite3")
    return ReplayPlatform(_as_today(feed, place.folder, clock), record, clock, own_handles=own_handles(brand))


def _as_today(feed: Feed, folder: Path, clock: Clock) -> Feed:
    if not feed.recorded:
        return feed
    started = folder / "replay-started"
    if not started.exists():
        folder.mkdir(parents=True, exist_ok=True)
        started.write_text(str(clock.now().timestamp()))
    first = feed.recorded[0].mention.created_at.timestamp()
    return shifted(feed, timedelta(seconds=float(started.read_text()) - first))


async def _follow_brand(line: Line, path: Path, slack: "SlackSide | None") -> None:
    """Adopt brand.yaml when it or a calendar changes; a wrong one is named and the old one stays in force."""
    told = ""
    while True:
        folders = line.brand.folders
        async for _ in awatch(*(folder for folder in folders if folder.is_dir()), recursive=False):
            before = line.brand
            wrong = adopt(line, path)
            if slack is not None and wrong and wrong != told:
                await slack.tell_trouble(wrong)
            if slack is not None and line.brand is not before:
                await slack.check_ladders(line.brand)
            told = wrong
            if line.brand.folders != folders:
                break


async def _follow_years(line: Line) -> None:
    """Ask for holidays and calendars again each year: they are known for few years ahead."""
    known = line.clock.now().year
    while True:
        await asyncio.sleep(ASK_YEAR_S)
        known = turn_year(line, known)


def turn_year(line: Line, known: int) -> int:
    """Go on under the same settings with the closed days of this year; returns the year they are of."""
    year = line.clock.now().year
    if year == known:
        return known
    try:
        line.adopt(line.brand)
    except (HeardError, OSError) as error:
        log.error("closed days", problem=f"kept those of {known}: {error}")
        return known
    log.info("closed days", year=year)
    return year


def adopt(line: Line, path: Path) -> str:
    """Go on under brand.yaml as it is now, or under the old one if it or what it names is wrong.

    Returns what is wrong, in words; nothing where nothing is.
    """
    brand, wrong = reload_if_valid(line.brand, path)
    if not wrong and brand.sha256 != line.brand.sha256:
        try:
            line.adopt(brand)
        except (HeardError, OSError) as error:
            wrong = f"kept the settings in force: {error}"
        else:
            log.info("brand file adopted", sha256=brand.sha256[:12])
    if wrong:
        log.error("brand file", problem=wrong)
    return wrong or ""
