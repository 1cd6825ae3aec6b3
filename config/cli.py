"""The command line. Heavy imports stay inside commands, so that help is there at once.

Data goes to standard output, talk to standard error. Exit codes: 0 ok, 1 a problem was found, 2 wrong
usage, 130 interrupted.
"""

import json
import sys
from collections.abc import Coroutine, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from casework.errors import HeardError
from config.usage import WrongUsage

if TYPE_CHECKING:
    from classifier.labelled import LabelledRow
    from config.report import Report
    from config.whatif import WhatIf

T = TypeVar("T")


class Shape(StrEnum):
    """How a report is written."""

    TEXT = "text"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


app = typer.Typer(
    name="heard",
    help="Hear what people say about your brand and answer on time.\n\n"
    "New here? Run [bold]heard demo[/bold] - no keys, no Docker, nothing is published.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Check, show and explain the settings.", no_args_is_help=True)
store_app = typer.Typer(help="The store's own files.", no_args_is_help=True)
dead_app = typer.Typer(
    help="What could not be handled: list, show, put back, drop.", invoke_without_command=True
)
plugins_app = typer.Typer(
    help="Platforms: list those installed, begin one of your own.", no_args_is_help=True
)
feedback_app = typer.Typer(
    help="What people's corrections at the desk teach: write it to a file.", no_args_is_help=True
)
model_app = typer.Typer(help="The model that judges: list, choose, go back.", no_args_is_help=True)
slack_app = typer.Typer(help="Set up and try the Slack side.", no_args_is_help=True)
app.add_typer(store_app, name="store", rich_help_panel="Run it")
app.add_typer(slack_app, name="slack", rich_help_panel="Look inside")
app.add_typer(config_app, name="config", rich_help_panel="Look inside")
app.add_typer(plugins_app, name="plugins", rich_help_panel="Look inside")
app.add_typer(feedback_app, name="feedback", rich_help_panel="Look inside")
app.add_typer(model_app, name="model", rich_help_panel="Look inside")
app.add_typer(dead_app, name="dead-letters", rich_help_panel="Daily work")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Letters = Annotated[list[str], typer.Argument(help="The ids that the list shows, or all.")]
Demo = Annotated[bool, typer.Option("--demo", help="Look at the demo's store, not your own.")]
BrandFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="The brand file; HEARD_HOME/brand.yaml without one.")
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow a store that is reached without TLS or password.")
]


def main() -> None:
    """Run the command line; every error that Heard can explain is one plain sentence."""
    try:
        app(standalone_mode=True)
    except WrongUsage as error:
        _say(f"heard: {error}")
        sys.exit(2)
    except HeardError as error:
        _say(f"heard: {error}")
        sys.exit(1)
    except OSError as error:
        # A full disk, a folder of somebody else: the system says what, and where.
        _say(f"heard: {error.filename or 'this machine'}: {error.strerror or error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _say(words: str) -> None:
    typer.echo(words, err=True)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    import asyncio

    try:
        return asyncio.run(coroutine)
    except BaseExceptionGroup as group:
        # Tasks that ran side by side wrap even the one error that ended them all.
        raise _first(group) from group


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


# ── start here ───────────────────────────────────────────────────────────────────────────────────


@app.command(rich_help_panel="Start here")
def demo(
    speed: Annotated[
        float | None, typer.Option(min=1, max=36000, help="How many times faster time runs; 60.")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="To the end as fast as it goes, nobody at the desk.")
    ] = False,
    as_json: Json = False,
    open_desk: Annotated[bool, typer.Option("--open/--no-open", help="Open the desk in the browser.")] = True,
    minutes: Annotated[float | None, typer.Option(help="Stop by itself after this long.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Start the day over.")] = False,
    desk: Annotated[str | None, typer.Option(help="HOST:PORT of the desk.")] = None,
    weather: Annotated[
        str | None, typer.Option(help="How the platform misbehaves, e.g. lost=0.1,busy=0.05,error=0.05.")
    ] = None,
    slack_preview: Annotated[
        bool,
        typer.Option("--slack-preview", help="Show what Slack would show, on a page of the desk; 6 times."),
    ] = False,
) -> None:
    """Play a recorded day of mentions through the whole bot and open the desk. Needs nothing."""
    from config import commands

    if fast:
        summary, seconds = _run(commands.demo_fast(weather=weather, again=again))
        _print_summary(summary, seconds, as_json)
        return
    _run(
        commands.demo_live(
            speed=speed or (6 if slack_preview else 60),
            open_desk=open_desk,
            minutes=minutes,
            again=again,
            listen=desk,
            weather=weather,
            slack_preview=slack_preview,
        )
    )


@app.command(rich_help_panel="Start here")
def init(
    directory: Annotated[Path | None, typer.Argument(help="Where; HEARD_HOME without one.")] = None,
    brand: Annotated[str | None, typer.Option(help="Brand name; asked for if missing.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take the defaults, ask nothing.")] = False,
) -> None:
    """Ask a few questions; write brand.yaml, .env and slack-manifest.json."""
    from config import commands

    ask = sys.stdin.isatty() and not yes
    if brand is None and not ask:
        raise WrongUsage("say --brand NAME, or run it in a terminal to be asked")
    name = brand or typer.prompt("What is the brand called?")
    handle = typer.prompt("Its handle on X, without @ (empty for none)", default="") if ask else ""
    zone = typer.prompt("Its time zone", default="UTC") if ask else "UTC"
    for sentence in commands.init(directory, name, handle, zone):
        typer.echo(sentence)
    _say("Next: heard doctor, then heard up")


@app.command(rich_help_panel="Start here")
def doctor(config: BrandFile = None, as_json: Json = False) -> None:
    """Check settings, store, model and reply permissions. Says what to do for each problem."""
    from config import doctor as checks

    lines = _run(checks.examine(config))
    if as_json:
        _print_json([line.as_json() for line in lines])
    else:
        for line in lines:
            typer.echo(line.sentence())
    bad = sum(line.state == "bad" for line in lines)
    notes = sum(line.state == "warn" for line in lines)
    if not as_json:
        _say(f"{bad} problem{'' if bad == 1 else 's'}, {notes} note{'' if notes == 1 else 's'}.")
    raise typer.Exit(1 if bad else 0)


# ── run it ───────────────────────────────────────────────────────────────────────────────────────


@app.command(rich_help_panel="Run it")
def up(
    config: BrandFile = None,
    desk: Annotated[str | None, typer.Option(help="HOST:PORT of the desk; 127.0.0.1:8400.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only: listener, classifier, responder, sender, escalation, alerts, promises, desk."
        ),
    ] = None,
    insecure: Insecure = False,
) -> None:
    """Run the bot: listener, classifier, responder, sender, promise clock and desk in one process."""
    from config import commands

    _run(commands.up(config=config, listen=desk, only=tuple(only or ()), insecure=insecure))


@app.command(rich_help_panel="Start here")
def listen(
    platform: Annotated[str, typer.Argument(help="Such as bluesky, which needs no account.")],
    keyword: Annotated[
        list[str] | None, typer.Option("--keyword", "-k", help="A word to listen for; repeatable.")
    ] = None,
    config: BrandFile = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    as_json: Json = False,
) -> None:
    """Print what a platform says about a word, live. Stores nothing, answers nobody."""
    from config import commands

    _run(commands.listen(platform, tuple(keyword or ()), config=config, limit=limit, as_json=as_json))


@app.command(rich_help_panel="Run it")
def pause(insecure: Insecure = False) -> None:
    """Stop all sending now, in every process on this store. Drafts and promises go on."""
    from config import commands

    _run(commands.pause(insecure=insecure))
    typer.echo("Sending is stopped. heard resume lets it go on.")


@app.command(rich_help_panel="Run it")
def resume(insecure: Insecure = False) -> None:
    """Let sending go on, automatic replies that a spike paused too."""
    from config import commands

    _run(commands.resume(insecure=insecure))
    typer.echo("Sending goes on, automatic replies too where they are switched on.")


# ── daily work ───────────────────────────────────────────────────────────────────────────────────


@app.command(rich_help_panel="Daily work")
def queue(
    as_json: Json = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    demo: Demo = False,
) -> None:
    """List the cases that wait for people, most urgent first."""
    from config import readers

    rows = _run(readers.queue(demo, limit))
    if as_json:
        _print_json([row.as_json() for row in rows])
        return
    for row in rows:
        typer.echo(row.sentence())
    if not rows:
        _say("Nothing waits.")


@app.command(rich_help_panel="Daily work")
def case(
    case_id: Annotated[str, typer.Argument(help="Such as C-10423.")],
    as_json: Json = False,
    demo: Demo = False,
) -> None:
    """Show one case: posts, drafts, promises, who did what."""
    from config import readers

    shown = _run(readers.case(demo, case_id))
    if as_json:
        _print_json(shown.as_json())
    else:
        typer.echo(shown.text())


@app.command(rich_help_panel="Daily work")
def report(
    period: Annotated[
        str | None,
        typer.Argument(
            help="today, yesterday, week (the last 7 days), month (the last 30), a day such as 2026-11-03, "
            "or 2026-11-01..2026-11-07. Without one: everything in the store."
        ),
    ] = None,
    written_as: Annotated[Shape | None, typer.Option("--format", help="How it is written; text.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it there, not on standard output.")
    ] = None,
    as_json: Json = False,
    demo: Demo = False,
    config: BrandFile = None,
) -> None:
    """Promises kept, response times, who waits longest and why; what the next hour brings."""
    from casework.clock import SystemClock
    from config.periods import read_period

    if as_json and written_as not in (None, Shape.JSON):
        raise WrongUsage(f"--json and --format {written_as}: say one of them")
    asked = read_period(period)
    from config import report as reports

    made = _run(reports.make_report(asked, clock=SystemClock(), demo=demo, config=config))
    text = _drawn(made, Shape.JSON if as_json else written_as or Shape.TEXT)
    if out is None:
        typer.echo(text)
        return
    from platforms.private_files import write_private

    write_private(out, f"{text}\n".encode())
    _say(f"The report is in {out}.")


def _drawn(made: "Report", shape: Shape) -> str:
    from config import report_text

    match shape:
        case Shape.JSON:
            return json.dumps(report_text.as_json(made), ensure_ascii=False)
        case Shape.CSV:
            return report_text.as_csv(made).rstrip("\n")
        case Shape.HTML:
            from config.report_page import as_html

            return as_html(made)
        case Shape.TEXT:
            return report_text.as_text(made)


@dead_app.callback()
def dead_letters(context: typer.Context, as_json: Json = False, demo: Demo = False) -> None:
    """What could not be handled: list it (as without a command), show it, put it back, drop it."""
    if context.invoked_subcommand is None:
        dead_list(as_json, demo)


@dead_app.command("list")
def dead_list(as_json: Json = False, demo: Demo = False) -> None:
    """List what could not be handled, with the reason."""
    from config import letters

    found = _run(letters.every(demo))
    if as_json:
        _print_json([letter.as_json() for letter in found])
        return
    for letter in found:
        typer.echo(letter.sentence())
    if not found:
        _say("No dead letters.")


@dead_app.command("show")
def dead_show(
    letter: Annotated[str, typer.Argument(help="The id that the list shows.")],
    as_json: Json = False,
    demo: Demo = False,
) -> None:
    """Show one dead letter: what went wrong, and its case."""
    from config import letters

    shown = _run(letters.show(demo, letter))
    if as_json:
        _print_json(shown.as_json())
    else:
        typer.echo(shown.text())


@dead_app.command("retry")
def dead_retry(wanted: Letters, as_json: Json = False, demo: Demo = False) -> None:
    """Put dead letters back on their line."""
    from config import letters

    _counted(_run(letters.retry(demo, wanted)), "put back", as_json)


@dead_app.command("drop")
def dead_drop(
    wanted: Letters,
    why: Annotated[str, typer.Option("--why", help="Noted on their cases.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
    demo: Demo = False,
) -> None:
    """Throw dead letters away. Their cases stay where they are, and say who did it and why."""
    from config import letters

    if not yes:
        _say("What a dropped dead letter asked for is never done: a customer may get no answer.")
        _ask_to("Drop it?" if len(wanted) == 1 else "Drop them?")
    _counted(_run(letters.drop(demo, wanted, why=why or "no reason given")), "dropped", as_json)


def _ask_to(question: str) -> None:
    """Go on if whoever is at the terminal says yes."""
    if not sys.stdin.isatty():
        raise WrongUsage("nobody is there to say yes: say --yes")
    if not typer.confirm(question, err=True):
        _say("Nothing was changed.")
        raise typer.Exit(1)


def _counted(done: int, what: str, as_json: bool) -> None:
    if as_json:
        _print_json({what.replace(" ", "_"): done})
    else:
        typer.echo(f"{done} {what}")
    raise typer.Exit(0 if done else 1)


@store_app.command("mend")
def store_mend(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    demo: Demo = False,
) -> None:
    """Make a damaged store of Heard's own readable again: a copy is kept, the readable part stays."""
    from config import mending

    found = mending.examine(demo)
    if found is None:
        _say("Nothing is damaged.")
        return
    _say(mending.said(found))
    if not yes:
        _ask_to("Keep a copy, and drop what cannot be read?")
    _say(mending.mended(demo, found))


@app.command(rich_help_panel="Daily work")
def customer(
    person: Annotated[str, typer.Argument(help="platform:author-id or platform:@handle, such as x:@maya.")],
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write everything about them to a file, as JSON.")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Forget them, for good.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Let the export replace a file.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
    demo: Demo = False,
) -> None:
    """Say what is known of a person, write it all to a file, or forget them (GDPR Art. 15 and 17)."""
    from config import customer as customers

    known = _run(customers.known(demo, person))
    if export is not None:
        customers.write_export(known, export, force=force)
        _say(f"Everything about {known.person} is in {export}.")
    if not forget:
        if as_json:
            _print_json(customers.as_json(known))
        elif export is None:
            typer.echo(customers.text(known))
        return
    if not yes:
        _say(customers.text(known))
        _ask_to("Forget them? Nobody can bring it back.")
    before, done = _run(customers.forget(demo, str(known.person)))
    if as_json:
        _print_json(
            {
                "person": str(before.person),
                "cases": done.cases,
                "dead_letters": done.letters,
                "waiting": list(done.waiting),
                "files_written_anew": done.written_anew,
            }
        )
    else:
        typer.echo(customers.said_of(before, done))
    raise typer.Exit(0 if done.written_anew else 1)


# ── look inside ──────────────────────────────────────────────────────────────────────────────────


@app.command(rich_help_panel="Look inside")
def classify(
    text: Annotated[list[str], typer.Argument(help="Text, or - for lines on standard input.")],
    as_json: Json = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say which words mattered: a pass for each word.")
    ] = False,
) -> None:
    """Label text with sentiment, intent and urgency. Reads nothing else, sends nothing."""
    from config import commands

    lines = sys.stdin.buffer if text == ["-"] else [" ".join(text).encode("utf-8", "surrogateescape")]
    for row in commands.classify(lines, explain=explain):
        typer.echo(json.dumps(row.as_json(), ensure_ascii=False) if as_json else row.sentence())


@app.command(rich_help_panel="Look inside")
def replay(
    source: Annotated[
        Path | None,
        typer.Argument(help="A .jsonl or .csv file, a folder of conversations, or bundled: the demo's day."),
    ] = None,
    config: BrandFile = None,
    fast: Annotated[bool, typer.Option("--fast", help="As in the demo; a replay always is.")] = True,
    as_json: Json = False,
    columns: Annotated[
        str | None, typer.Option(help="Our fields from theirs: id=tweet_id,text=body,…")
    ] = None,
    platform: Annotated[str, typer.Option(help="The platform of lines that name none.")] = "x",
    again: Annotated[bool, typer.Option("--again", help="Start over, even if it was not finished.")] = False,
    weather: Annotated[str | None, typer.Option(help="How the platform misbehaves: lost=0.1,…")] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --diff: a changed brand file, to try.")
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show only what would differ under --policy, case by case.")
    ] = False,
    last: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="With --diff: your own cases of so long, such as 7d."),
    ] = None,
    answers_per_hour: Annotated[
        float | None,
        typer.Option(min=0.01, max=3600, help="With --diff: assume that people answer so many."),
    ] = None,
) -> None:
    """Play recorded mentions through the whole line, with nobody at the desk.

    With --policy and --diff: twice, under your policy and the changed one, on stores that are thrown away.
    """
    from config import commands

    del fast
    mapping = _columns(columns)
    if policy is not None and diff:
        _only_one_past(source, last)
        if again or weather:
            raise WrongUsage("--diff always starts over, in fair weather: leave out --again and --weather")
        found, notes = _run(
            commands.what_if(
                source,
                policy=policy,
                last=last,
                answers_per_hour=answers_per_hour,
                config=config,
                columns=mapping,
                platform=platform,
            )
        )
        for sentence in notes:
            _say(sentence)
        _print_what_if(found, as_json)
        return
    if policy is not None or diff or last is not None or answers_per_hour is not None:
        raise WrongUsage("to try a changed policy, write --policy FILE --diff")
    if source is None:
        raise WrongUsage("say what to play: a file, a folder, or bundled")
    played = _run(
        commands.replay(
            source, config=config, columns=mapping, platform=platform, again=again, weather=weather
        )
    )
    for sentence in played.warnings:
        _say(sentence)
    _print_summary(played.summary, played.seconds, as_json)


def _only_one_past(source: Path | None, last: str | None) -> None:
    if (source is None) == (last is None):
        raise WrongUsage("say what to play: a file, a folder or bundled, or your own cases with --last 7d")


@app.command(rich_help_panel="Look inside")
def evaluate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="JSON Lines, gzipped or not: text and any of sentiment, intent, urgency, source. "
            "Without one: ../shared/data/brandgold/validation.jsonl.gz.",
        ),
    ] = None,
    as_json: Json = False,
    training: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the training sets that TF-IDF learns from: brandgold/, tweeteval_sentiment/; "
            "../shared/data.",
        ),
    ] = None,
    with_feedback: Annotated[
        bool, typer.Option("--feedback", help="On the posts that the desk corrected or approved.")
    ] = False,
) -> None:
    """Measure the classifier on labelled posts, beside word lists, VADER and TF-IDF."""
    from classifier import evaluation_text
    from config import commands

    own = _feedback() if with_feedback else ()
    measured = commands.evaluate(files or [], training, own)
    if as_json:
        _print_json(evaluation_text.as_json(measured))
    else:
        typer.echo(evaluation_text.rendered(measured))


@app.command(rich_help_panel="Look inside")
def train(
    out: Annotated[Path, typer.Argument(help="The folder that the model is written into.")],
    data: Annotated[Path, typer.Option(help="The folder of the labelled sets.")] = Path("../shared/data"),
    base: Annotated[Path, typer.Option(help="The folder of the base weights.")] = Path("base"),
    recipe: Annotated[
        Path | None, typer.Option(help="A recipe of your own; without one, that of the bundled model.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than the recipe's.")] = None,
    with_feedback: Annotated[
        bool, typer.Option("--with-feedback", help="Also from the posts that the desk corrected or approved.")
    ] = False,
) -> None:
    """Train a model from the labelled sets, in about an hour. Goes on where it was cut off."""
    from config import training

    own = _feedback() if with_feedback else ()
    typer.echo(training.train(data, base, out, recipe, seed, own))


def _feedback() -> "Sequence[LabelledRow]":
    """What the desk's decisions teach, as labelled rows; it is an error if that is nothing."""
    from config import feedback

    gathered = _run(feedback.gather_here())
    for sentence in gathered.sentences():
        _say(sentence)
    if not gathered.rows:
        raise HeardError("the desk's decisions give no rows: learning.keep in brand.yaml says what is kept")
    return feedback.labelled(gathered.rows)


@feedback_app.command("export")
def feedback_export(
    file: Annotated[Path, typer.Argument(help="A new file, such as feedback.jsonl.")],
    config: BrandFile = None,
) -> None:
    """Write corrected and approved posts as labelled JSON Lines. Never those of X, Reddit or Mastodon."""
    from config import feedback

    gathered = _run(feedback.export(file, config))
    for sentence in gathered.sentences():
        _say(sentence)
    typer.echo(gathered.outcome(file))


@model_app.command("list")
def model_list(as_json: Json = False) -> None:
    """List the models of this machine, the one that judges with a star."""
    from config import commands

    found = commands.model_list()
    if as_json:
        _print_json([model.as_json() for model in found])
        return
    for model in found:
        typer.echo(model.sentence())


@model_app.command("use")
def model_use(
    wanted: Annotated[
        str, typer.Argument(metavar="NAME_OR_FOLDER", help="One that the list shows, or a folder to copy.")
    ],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Even if it is worse than the one in use.")
    ] = False,
    sets: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the labelled sets that both are measured on.")
    ] = Path("../shared/data"),
) -> None:
    """Let another model judge, once its files are verified; bundled is always there."""
    from config import commands

    _print_choice(commands.model_use(wanted, sets=sets, anyway=anyway))


@model_app.command("undo")
def model_undo() -> None:
    """Go back to the model before; once more goes forward again."""
    from config import commands

    _print_choice(commands.model_undo())


@slack_app.command("manifest")
def slack_manifest(config: BrandFile = None) -> None:
    """Print the app's manifest, and the link that makes the app with one click."""
    from config import commands

    made, link = commands.slack_manifest(config)
    typer.echo(made, nl=False)
    _say(f"Make the app with one click:\n{link}")


@slack_app.command("test")
def slack_test(
    channel: Annotated[str, typer.Argument(help='Such as "#social-care".')], config: BrandFile = None
) -> None:
    """Post one practice card to a channel and wait for a click. Nothing can be published by it."""
    from config import commands

    clicked = _run(commands.slack_test(channel, config))
    _say("The click arrived: Slack works both ways." if clicked else "No click arrived: heard doctor")
    raise typer.Exit(0 if clicked else 1)


@slack_app.command("preview")
def slack_preview(
    part: Annotated[str, typer.Argument(help="card, modal, alert, digest or home.")] = "card",
    config: BrandFile = None,
) -> None:
    """Print a link that shows one of Heard's messages in Slack's Block Kit Builder."""
    from config import commands

    typer.echo(_run(commands.slack_preview(part, config)))


@config_app.command("check")
def config_check(config: BrandFile = None) -> None:
    """Check the brand file; every problem names its line and what to write instead."""
    from config import commands

    brand = commands.load_brand(config)
    for warning in brand.warnings:
        _say(warning)
    typer.echo(f"{brand.source}: fine")


@config_app.command("show")
def config_show(config: BrandFile = None, as_json: Json = False) -> None:
    """Print the settings in force and where each comes from; secrets hidden."""
    from config import commands

    shown = commands.show(config)
    if as_json:
        _print_json(shown.as_json())
    else:
        typer.echo(shown.text())


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of the brand file, for editors."""
    from config.explain import schema

    typer.echo(json.dumps(schema(), indent=2, ensure_ascii=False))


@config_app.command("explain")
def config_explain(key: Annotated[str, typer.Argument(help="Such as promises.within.")]) -> None:
    """What a setting does, its default and an example."""
    from config.explain import explain

    typer.echo(explain(key))


@plugins_app.command("list")
def plugins_list(config: BrandFile = None, as_json: Json = False) -> None:
    """List the platforms that are installed, whether each is ready and what it can do."""
    from config import plugins

    found = _run(plugins.listed(config, tell=_say))
    if as_json:
        _print_json([platform.as_json() for platform in found])
        return
    for platform in found:
        typer.echo(platform.sentence())


@plugins_app.command("new")
def plugins_new(
    name: Annotated[str, typer.Argument(help="What mentions will call it, such as lemmy.")],
    directory: Annotated[Path | None, typer.Argument(help="Where; ./heard-NAME without one.")] = None,
) -> None:
    """Write a small package for a platform of your own: it runs and keeps the contract."""
    from config import plugins

    for file in plugins.new_plugin(name, directory):
        typer.echo(f"wrote {file}")
    _say("Next: its README.md")


def _columns(written: str | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in (written or "").split(",") if pair]
    if any(not ours or not theirs for ours, _, theirs in pairs):
        raise WrongUsage("write columns as id=tweet_id,text=body")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _print_choice(chosen: Any) -> None:
    for note in chosen.notes:
        _say(note)
    typer.echo(chosen.sentence())


def _print_what_if(found: "WhatIf", as_json: bool) -> None:
    from config import whatif_text

    if as_json:
        _print_json(whatif_text.as_json(found))
    else:
        typer.echo(whatif_text.rendered(found))


def _print_summary(summary: Any, seconds: float, as_json: bool) -> None:
    if as_json:
        _print_json({**summary.as_json(), "seconds": round(seconds, 2)})
        return
    from config.summary import spoken

    typer.echo(spoken(summary, seconds))


if __name__ == "__main__":
    main()
