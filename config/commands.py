"""What the commands do, apart from reading their arguments and printing."""

import getpass
import os
import sys
import time
import webbrowser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from casework.classification import Classification, Urgency
from casework.clock import SystemClock
from casework.errors import HeardError
from casework.words import doubts_said, visible
from config import comparing, readers
from config.brand import Brand, BrandError
from config.brand import load_brand as load_brand_file
from config.explain import Shown
from config.init import start_files
from config.lengths import read_length
from config.logs import nowhere, set_up_logs
from config.models import BUNDLED_NAME, Choice, Listed, Models, WorseThan, models_of
from config.places import Place, brand_file, demo_brand, here, own_brand, quick_demo
from config.play import Progress as Told
from config.recorded import DAY, Recording, play_fast
from config.summary import Summary
from config.swapping import Explained, SwappingModel
from config.usage import WrongUsage
from config.wiring import Model
from platforms.feed import Feed, load_feed
from platforms.replay import Weather
from responder.knowledge import load_articles
from responder.wording import load_templates
from streams.case_store import CaseStore
from streams.connection import open_store
from streams.switch import PauseSwitch

if TYPE_CHECKING:
    from classifier.evaluate import Evaluation
    from classifier.explain import Mattered
    from classifier.labelled import LabelledRow
    from config.whatif import WhatIf

log = structlog.get_logger(__name__)

AT_ONCE: Final = 64
SHOWN_LINES: Final = 20
LABELLED_SETS: Final = Path("../shared/data")
"""Where the labelled sets are on a machine of Heard's developers."""


def load_model(brand: Brand | None = None) -> Model:
    """The model that the settings choose, or the chosen one; torch is imported here and not before."""
    from classifier.composed import load
    from config.judging import choice_of

    settings = here(brand=brand).settings
    wanted = choice_of(settings.classifier)

    def loaded(bundled: Path) -> Model:
        chosen = replace(wanted, bundled=bundled)
        return load(
            chosen,
            threads=settings.classifier.threads,
            say=lambda words: typer.echo(words, err=True),
        )

    if wanted.names_a_folder:
        return loaded(wanted.bundled)
    return SwappingModel(models_of(settings), loaded, clock=SystemClock(), tell=_say_of_the_model)


def _own_model() -> Model:
    """The brand's model, for the commands that need no brand."""
    return load_model(own_brand() if brand_file(None).exists() else None)


def _say_of_the_model(words: str) -> None:
    # What is printed on standard output is data: without a log, people are told on the other.
    if structlog.is_configured():
        log.warning("model", said=words)
    else:
        typer.echo(f"heard: {words}", err=True)


# ── recorded days ────────────────────────────────────────────────────────────────────────────────


async def demo_fast(*, weather: str | None = None, again: bool = False) -> tuple[Summary, float]:
    """The demo day to its end with nobody at the desk."""
    place = here(demo=True)
    # Not the folder of the live demo: what a person decided there is no part of a day with nobody there.
    recording = _demo(place, quick_demo(place), weather)
    return await _play(recording, place, again=again)


def _demo(place: Place, folder: Path, weather: str | None) -> Recording:
    return Recording(
        feed=load_feed(DAY, now=SystemClock().now()),
        brand=demo_brand(),
        folder=folder,
        redis_url=place.redis_url,
        weather=read_weather(weather),
    )


async def demo_live(
    *,
    speed: float,
    open_desk: bool,
    minutes: float | None,
    again: bool,
    listen: str | None,
    weather: str | None,
    slack_preview: bool = False,
) -> None:
    """The demo day on a clock that runs ``speed`` times faster, with the desk open."""
    from config import running

    place = here(demo=True)
    recording = _demo(place, place.folder, weather)
    with recording.held(again=again) as goes_on, nowhere() as unseen:
        set_up_logs(place.folder, level="info", stream=unseen)
        if goes_on:
            typer.echo("Going on with the day where it was left; --again starts it over.", err=True)
        await running.demo(
            recording,
            load_model(recording.brand),
            speed=speed,
            listen=listen or place.settings.desk.listen,
            minutes=minutes,
            place=place,
            opened_in=webbrowser.open if open_desk and sys.stdout.isatty() else None,
            slack_preview=slack_preview,
        )


@dataclass(frozen=True, slots=True)
class Played:
    """A replay that has ended."""

    summary: Summary
    seconds: float
    warnings: tuple[str, ...]


async def replay(
    source: Path,
    *,
    config: Path | None,
    columns: dict[str, str],
    platform: str,
    again: bool,
    weather: str | None,
) -> Played:
    """Recorded mentions through the whole line, on a store of their own under HEARD_HOME/replay."""
    place = here()
    brand = _brand_for_replay(config)
    feed = _feed_of(source, columns, platform)
    folder = place.folder / "replay" / Recording(feed, brand, place.folder).name
    recording = Recording(feed, brand, folder, place.redis_url, read_weather(weather))
    summary, seconds = await _play(recording, place, again=again)
    return Played(summary, seconds, _unreadable(feed))


async def what_if(
    source: Path | None,
    *,
    policy: Path,
    last: str | None,
    answers_per_hour: float | None,
    config: Path | None,
    columns: dict[str, str],
    platform: str,
) -> tuple["WhatIf", tuple[str, ...]]:
    """What a changed policy would have done with recorded mentions, or with the store's last days.

    Returns also what to say beside it: lines of the source that are no mentions, doubts about the policy.
    """
    from config.past import last_days
    from config.whatif import Past
    from config.whatif import what_if as compared

    brand, changed = _brand_for_replay(config), _changed(policy)
    place = here(brand=brand)
    model, now = load_model(brand), SystemClock().now()
    if source is not None:
        past = Past(_feed_of(source, columns, platform))
    else:
        since = now - _length(last or "")
        async with readers.stored() as store:
            past, model = await last_days(CaseStore(store), model, brand.topics, since=since, now=now)
    warnings = (*changed.warnings, *_unreadable(past.feed))
    with (
        TemporaryDirectory(prefix="heard-what-if-") as folder,
        nowhere() as unseen,
        _bar(past.feed) as told,
    ):
        set_up_logs(Path(folder), level=place.settings.log.level, stream=unseen)
        found = await compared(
            past, brand, changed, model, Path(folder), answers_per_hour=answers_per_hour, progress=told
        )
    return found, warnings


def _changed(policy: Path) -> Brand:
    """The changed policy; a file that cannot be used is a slip of whoever named it."""
    if not policy.exists():
        raise WrongUsage(f"there is no {policy}")
    try:
        return load_brand_file(policy)
    except BrandError as error:
        raise WrongUsage(str(error)) from None


def _length(written: str) -> timedelta:
    try:
        return read_length(written)
    except ValueError as error:
        raise WrongUsage(f"--last: {error}") from None


def _feed_of(source: Path, columns: dict[str, str], platform: str) -> Feed:
    """The feed in a file; `bundled` is the demo's day, as in brand.yaml."""
    path = DAY if str(source) == "bundled" and not source.exists() else source
    feed = load_feed(path, columns=columns, platform=platform, now=SystemClock().now())
    if not feed.lines:
        raise HeardError(f"{source} holds no mentions")
    return feed


def _brand_for_replay(config: Path | None) -> Brand:
    if brand_file(config).exists() or config is not None:
        return own_brand(config)
    typer.echo("No brand file: played under the demo's settings.", err=True)
    return demo_brand()


def _unreadable(feed: Feed) -> tuple[str, ...]:
    shown = tuple(f"{feed.name}: {line.why}" for line in feed.unreadable[:SHOWN_LINES])
    more = len(feed.unreadable) - len(shown)
    return (*shown, f"… and {more} more; all are dead letters") if more > 0 else shown


async def _play(recording: Recording, place: Place, *, again: bool) -> tuple[Summary, float]:
    started = time.perf_counter()
    with recording.held(again=again), nowhere() as unseen, _bar(recording.feed) as told:
        # Only the log file: standard output is the summary's, standard error the progress bar's.
        set_up_logs(recording.folder, level=place.settings.log.level, stream=unseen)
        summary = await play_fast(recording, load_model(recording.brand), progress=told)
    return summary, time.perf_counter() - started


@contextmanager
def _bar(feed: Feed) -> Iterator[Told]:
    """A progress bar on standard error, if that is a terminal."""
    with _progress() as bar:
        task = bar.add_task("mentions", total=feed.lines)

        def told(played: int, instant: datetime) -> None:
            bar.update(task, completed=played, description=f"{instant:%Y-%m-%d %H:%M}")

        yield told


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal)


def read_weather(written: str | None) -> Weather | None:
    """``lost=0.1,busy=0.05`` as the weather it describes.

    Raises:
        WrongUsage: it names something that weather has not, or a share that is none.
    """
    if not written:
        return None
    shares: dict[str, float] = {}
    for part in written.split(","):
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError:
            raise WrongUsage(f"weather: {part!r} is not NAME=SHARE, such as lost=0.1") from None
    unknown = set(shares) - {"lost", "error", "busy", "refuse"}
    if unknown or any(not 0 <= share <= 1 for share in shares.values()):
        raise WrongUsage("weather: name lost, error, busy or refuse, each with a share from 0 to 1")
    return Weather(
        lost=shares.get("lost", 0.0),
        error=shares.get("error", 0.0),
        busy=shares.get("busy", 0.0),
        refuse=shares.get("refuse", 0.0),
    )


# ── running ──────────────────────────────────────────────────────────────────────────────────────


async def up(*, config: Path | None, listen: str | None, only: tuple[str, ...], insecure: bool) -> None:
    """Everything, or only some stages, until it is stopped."""
    from config import running

    brand = own_brand(config)
    place = here(brand=brand)
    set_up_logs(place.folder, level=place.settings.log.level, style=place.settings.log.format)
    await running.up(
        brand,
        place,
        partial(load_model, brand),
        listen=listen or place.settings.desk.listen,
        only=only,
        insecure=insecure,
    )


async def listen(
    platform: str, words: tuple[str, ...], *, config: Path | None, limit: int | None, as_json: bool
) -> None:
    """Print live mentions until stopped; nothing is stored."""
    from config.listening import listen as heard

    brand = own_brand(config) if config is not None or brand_file(config).exists() else None
    if not words and brand is None:
        raise WrongUsage("say what to listen for: --keyword WORD")
    with nowhere() as unseen, TemporaryDirectory(prefix="heard-listen-") as folder:
        set_up_logs(Path(folder), level="error", stream=unseen)
        lines = heard(
            platform,
            words,
            brand,
            here(brand=brand),
            clock=SystemClock(),
            folder=Path(folder),
            limit=limit,
            say=lambda said: typer.echo(said, err=True),
        )
        async with aclosing(lines):
            async for line in lines:
                typer.echo(line.as_json() if as_json else line.sentence())


async def pause(*, insecure: bool) -> None:
    """Stop all sending on every store of this place: the brand's, and the demo's if one is there."""
    await _switch(paused=True, insecure=insecure)


async def resume(*, insecure: bool) -> None:
    """Let sending go on, automatic replies that a spike paused too."""
    await _switch(paused=False, insecure=insecure)


async def _switch(*, paused: bool, insecure: bool) -> None:
    for place in (here(), here(demo=True)):
        if place.redis_url is None and not (place.folder / "store").exists() and place.folder.name == "demo":
            continue
        async with open_store(place.redis_url, place.folder / "store", insecure=insecure) as store:
            switch = PauseSwitch(store)
            await (switch.pause("the command line") if paused else switch.resume("the command line"))


# ── Slack ────────────────────────────────────────────────────────────────────────────────────────


def slack_manifest(config: Path | None) -> tuple[str, str]:
    """The manifest of the brand's Slack app, and the link that makes it."""
    from config.slack_try import manifest

    return manifest(own_brand(config).name)


async def slack_test(channel: str, config: Path | None) -> bool:
    """Post a practice card and wait for a click."""
    from config.slack_try import try_channel

    brand = own_brand(config)
    return await try_channel(
        channel,
        brand,
        here(brand=brand),
        clock=SystemClock(),
        say=lambda words: typer.echo(words, err=True),
    )


async def slack_preview(part: str, config: Path | None) -> str:
    """A link to Slack's Block Kit Builder."""
    from config.slack_try import preview

    brand = own_brand(config)
    return await preview(part, brand, here(brand=brand), clock=SystemClock())


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Judged:
    """One line of text as the model reads it, or why it could not be read."""

    line: int
    verdict: Classification | None
    error: str = ""
    mattered: "Mapping[str, Sequence[Mattered]] | None" = None
    """The words that made each head decide as it did, the strongest first; None where nobody asked."""

    def as_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        verdict = self.verdict
        if verdict is None:
            return {"line": self.line, "error": self.error}
        return {
            "line": self.line,
            "sentiment": verdict.sentiment,
            "intent": verdict.intent,
            "urgency": verdict.urgency,
            "confidence": {
                "sentiment": round(verdict.confidence.sentiment, 4),
                "intent": round(verdict.confidence.intent, 4),
                "urgency": round(verdict.confidence.urgency, 4),
            },
            "topics": list(verdict.topics),
            "language": verdict.language,
            "truncated": verdict.truncated,
            "doubts": list(verdict.doubts),
            "model": verdict.model,
            **self._mattered_as_json(),
        }

    def _mattered_as_json(self) -> dict[str, object]:
        if self.mattered is None:
            return {}
        words = {
            head: [{"word": one.word, "start": one.start, "gave": round(one.gave, 4)} for one in found]
            for head, found in self.mattered.items()
        }
        return {"mattered": words}

    def sentence(self) -> str:
        """One line for a terminal."""
        verdict = self.verdict
        if verdict is None:
            return f"line {self.line}: {self.error}"
        sure = verdict.confidence
        topics = f"  [{', '.join(verdict.topics)}]" if verdict.topics else ""
        return (
            f"{verdict.sentiment:<8} {sure.sentiment:.0%}  {verdict.intent:<10} {sure.intent:.0%}  "
            f"{verdict.urgency:<8} {sure.urgency:.0%}  {verdict.language}{topics}{self._unsure(verdict)}"
            f"{self._why()}"
        )

    def _unsure(self, verdict: Classification) -> str:
        doubts = doubts_said(verdict)
        return f"  ({doubts})" if doubts else ""

    def _why(self) -> str:
        lines = [
            f"\n  {head:<9} "
            + (", ".join(f"{visible(one.word)} +{one.gave:.0%}" for one in found) or "no one word")
            for head, found in (self.mattered or {}).items()
        ]
        return "".join(lines)


def classify(lines: Iterable[bytes], *, explain: bool = False) -> Iterator[Judged]:
    """Each line judged, in order, many at a time; a line that is no text says so.

    ``explain`` adds which words mattered, which takes a pass for each word.
    """
    model, batch = _own_model(), list[tuple[int, bytes]]()
    for number, raw in enumerate(lines, start=1):
        batch.append((number, raw.rstrip(b"\r\n")))
        if len(batch) == AT_ONCE:
            yield from _judged(model, batch, explain)
            batch.clear()
    yield from _judged(model, batch, explain)


def _mattered(model: Explained, text: str, verdict: Classification) -> "dict[str, list[Mattered]]":
    from classifier.explain import explain, that_mattered

    labels = {
        "sentiment": str(verdict.sentiment),
        "intent": str(verdict.intent),
        "urgency": str(verdict.urgency),
    }
    if verdict.urgency is Urgency.CRITICAL:
        del labels["urgency"]  # The word rules raised it; the model has no such label.
    return {head: that_mattered(words) for head, words in explain(model, text, labels).items()}


def _judged(model: Model, batch: list[tuple[int, bytes]], explain: bool) -> list[Judged]:
    texts: dict[int, str] = {}
    errors: dict[int, str] = {}
    for number, raw in batch:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            errors[number] = "is not UTF-8"
            continue
        if text.strip():
            texts[number] = text
        else:
            errors[number] = "is empty"
    verdicts = dict(zip(texts, model.classify(list(texts.values())), strict=True))
    mattered = {}
    if explain:
        if not isinstance(model, Explained):
            raise HeardError(f"{model.name} does not give the probabilities that an explanation needs")
        mattered = {n: _mattered(model, texts[n], verdict) for n, verdict in verdicts.items()}
    return [
        Judged(number, verdicts.get(number), errors.get(number, ""), mattered.get(number))
        for number, _ in batch
    ]


def evaluate(
    files: Sequence[Path], training: Path | None, feedback: Sequence["LabelledRow"] = ()
) -> "Evaluation":
    """The model on labelled files, beside the baselines, which learn from the training sets of a folder.

    ``feedback`` are rows of the desk's own; with them alone no file is read.
    """
    from classifier.baselines import Training
    from classifier.evaluate import evaluate as measure
    from classifier.labelled import read_labelled

    files = files or ([] if feedback else [_labelled_file()])
    rows = [*(read_labelled(files) if files else ()), *feedback]
    learned_from = Training.of(training or (LABELLED_SETS if LABELLED_SETS.is_dir() else None))
    with _counting("posts judged", len(rows)) as judged:
        return measure(_own_model(), rows, learned_from, judged)


def _labelled_file() -> Path:
    found = LABELLED_SETS / "brandgold" / "validation.jsonl.gz"
    if not found.exists():
        raise WrongUsage("say which labelled file to measure on: heard evaluate FILE (JSON Lines)")
    return found


@contextmanager
def _counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, if that is a terminal; what it yields hears of so many more."""
    with _progress() as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)


# ── models ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice of a model as people are told of it."""

    choice: Choice
    notes: tuple[str, ...]

    def sentence(self) -> str:
        """What judges now, and the way back."""
        back = f" heard model undo goes back to {self.choice.previous}." if self._changed else ""
        return f"{self.choice.name} is chosen; a running heard up takes it within seconds.{back}"

    @property
    def _changed(self) -> bool:
        return self.choice.name != self.choice.previous


def model_list() -> tuple[Listed, ...]:
    """The models of this machine."""
    return _models().listed()


def model_use(wanted: str, *, sets: Path = LABELLED_SETS, anyway: bool = False) -> Chosen:
    """Choose a model; one that is worse than the one in use on the fixed sets only ``anyway``."""
    worse = None if anyway else comparison(sets)
    choice = _models().use(wanted, by=_me(), at=SystemClock().now(), worse_than=worse, anyway=anyway)
    compared = anyway or worse is not None or choice.name == BUNDLED_NAME
    notes = () if compared else (f"It was not compared with the model before: no fixed sets in {sets}.",)
    return Chosen(choice, (*notes, *_outvoted()))


def comparison(sets: Path) -> WorseThan | None:
    """How two models are compared on the fixed sets of a folder; None where there are none."""
    files = comparing.fixed_sets(sets)
    return partial(comparing.worse_than, sets=files) if files else None


def model_undo() -> Chosen:
    """Go back to the model before."""
    return Chosen(_models().undo(by=_me(), at=SystemClock().now()), _outvoted())


def _models() -> Models:
    return models_of(here().settings)


def _outvoted() -> tuple[str, ...]:
    """The setting that has the last word over any choice, if it is set."""
    wanted = here().settings.classifier.model
    if wanted == BUNDLED_NAME:
        return ()
    return (f"HEARD_CLASSIFIER__MODEL names {wanted}, and that judges as long as it does.",)


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # In a container nobody may have a name.
        return f"user {os.getuid()}"


def init(directory: Path | None, brand: str, handle: str, timezone: str) -> tuple[str, ...]:
    """Write the files that a new brand starts with; sentences say what became of each."""
    folder = directory or here().folder
    handles = {"x": handle.removeprefix("@")} if handle else {}
    return start_files(folder, brand=brand, handles=handles, timezone=timezone).sentences()


def load_brand(config: Path | None) -> Brand:
    """The brand of this place, checked with the articles and templates that it names."""
    brand = own_brand(config)
    load_articles(brand.knowledge)
    load_templates(brand.templates)
    return brand


@dataclass(frozen=True, slots=True)
class ShownSettings:
    """The settings in force, ready to print."""

    lines: tuple[Shown, ...]

    def text(self) -> str:
        """One a line."""
        return "\n".join(line.line() for line in self.lines)

    def as_json(self) -> dict[str, dict[str, str]]:
        """By key."""
        return {line.key: {"value": line.value, "origin": line.origin} for line in self.lines}


def show(config: Path | None) -> ShownSettings:
    """The settings in force, each with its origin; secrets hidden."""
    from config.explain import show as shown
    from config.settings import read_settings

    brand = own_brand(config)
    return ShownSettings(shown(brand, read_settings(brand), origin=True))
