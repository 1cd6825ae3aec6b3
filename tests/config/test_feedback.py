"""Labelled rows out of a real store: what comes out, what never does, and the file that people ask for."""

import asyncio
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from casework import moves
from casework.classification import Intent, Sentiment, Urgency
from casework.decisions import Labels
from casework.errors import HeardError
from casework.feedback import Kind, LabelledRow, LearningTerms
from config.brand import load_brand
from config.feedback import gather, learning_terms, row_as_json, write_rows
from platforms.rules import LEARNABLE, RULES, no_learning
from streams import topics
from streams.case_store import CaseStore
from streams.connection import open_store
from tests.config.conftest import Command
from tests.fakes.cases import MAY_SEND, NOON, PROMISES, a_mention, judged

RIGHT = replace(judged(Urgency.NORMAL, Intent.QUESTION, Sentiment.NEUTRAL), model="a person, over m")
NEVER = ("x", "reddit", "mastodon", "lemmy", "")


def terms(folder: Path, *, keep: bool = True) -> LearningTerms:
    file = folder / "brand.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"brand: {{name: Aurora Air}}\nlearning: {{keep: {str(keep).lower()}}}\n")
    return learning_terms(load_brand(file))


async def corrected(cases: CaseStore, platform: str, number: int = 1, text: str = "Where is it?") -> str:
    """A case of the platform whose labels a person corrected."""
    mention = a_mention(number, text, platform=platform)
    case_id = topics.case_id(number, topics.partition_of(platform, "maya"))
    case = await cases.save(moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES))
    case = await cases.save(moves.classify(case, replace(judged(), model="m"), at=NOON, promises=PROMISES))
    case = await cases.save(moves.hold(case, permission=MAY_SEND, rule="r", why="", at=NOON))
    await cases.save(moves.relabel(case, RIGHT, by="Nina", at=NOON, promises=PROMISES))
    return case_id


def a_row(text: str = "Where is it?") -> LabelledRow:
    return LabelledRow(
        text=text,
        labels=Labels(Sentiment.NEUTRAL, Intent.QUESTION, Urgency.NORMAL),
        source="bluesky",
        brand="Aurora Air",
        kind=Kind.CORRECTION,
        model="m",
        at=NOON,
    )


# ── the platforms ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("platform", NEVER)
async def test_some_platforms_never_give_a_row(cases: CaseStore, tmp_path: Path, platform: str) -> None:
    """X (X14), Reddit (R4), Mastodon (M5), and whatever no rule allows: also when the brand wants them."""
    await corrected(cases, platform)
    gathered = await gather(cases, terms(tmp_path, keep=True))

    assert gathered.rows == ()
    assert sum(gathered.left_out.values()) == 1


@pytest.mark.parametrize("platform", sorted(LEARNABLE))
async def test_the_others_give_rows_when_the_brand_says_so(
    cases: CaseStore, tmp_path: Path, platform: str
) -> None:
    """And not before."""
    await corrected(cases, platform)
    kept = await gather(cases, terms(tmp_path, keep=True))
    not_kept = await gather(cases, terms(tmp_path, keep=False))
    (row,) = kept.rows

    assert (row.text, row.source, row.kind) == ("Where is it?", platform, Kind.CORRECTION)
    assert not_kept.rows == ()


def test_the_brand_does_not_learn_unless_it_says_so(tmp_path: Path) -> None:
    """That is the default."""
    file = tmp_path / "brand.yaml"
    file.write_text("brand: {name: Aurora Air}\n")

    assert not learning_terms(load_brand(file)).keep


@pytest.mark.parametrize(("platform", "number"), [("x", "X14"), ("reddit", "R4"), ("mastodon", "M5")])
def test_the_rule_that_forbids_it_is_named(platform: str, number: str) -> None:
    """As the desk names the rules."""
    objection = no_learning(platform)

    assert objection is not None
    assert (objection.rule, objection.why) == (number, RULES[number].sentence)


# ── people who are gone ──────────────────────────────────────────────────────────────────────────


async def test_nothing_is_left_of_an_erased_case(cases: CaseStore, tmp_path: Path) -> None:
    """Neither its row nor its words: no second copy was ever made."""
    case_id = await corrected(cases, "bluesky", text="My name is Maya")
    before = await gather(cases, terms(tmp_path))
    await cases.unname(case_id, lambda case, marks: moves.erase(case, by="Nina", at=NOON, marks=marks))
    after = await gather(cases, terms(tmp_path))

    assert (len(before.rows), after.rows) == (1, ())
    assert dict(after.left_out) == {}


async def test_nothing_is_left_of_a_deleted_post_or_of_whoever_opted_out(
    cases: CaseStore, tmp_path: Path
) -> None:
    """Each with its reason."""
    gone = await corrected(cases, "bluesky", 1)
    await cases.move(gone, lambda case: moves.withdraw(case, mention_key="bluesky:post-1", at=NOON))
    await corrected(cases, "replay", 2)
    await cases.opt_out("replay", "maya")
    gathered = await gather(cases, terms(tmp_path))

    assert gathered.rows == ()
    assert sorted(gathered.left_out.values()) == [1, 1]


async def test_many_cases_are_gathered_once_each(
    cases: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some at a time, the oldest decision first."""
    monkeypatch.setattr("config.feedback.READ_AT_ONCE", 2)
    for number in range(1, 6):
        await corrected(cases, "bluesky", number, f"post {number}")

    rows = (await gather(cases, terms(tmp_path))).rows
    assert [row.text for row in rows] == [f"post {number}" for number in range(1, 6)]


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


def test_a_file_holds_what_evaluate_reads_and_not_who_decided(tmp_path: Path) -> None:
    """One object a line; readable by its owner only."""
    file = tmp_path / "rows.jsonl"
    write_rows(file, [a_row("Hvor er den?\u2028Ærlig")])
    (line,) = file.read_text(encoding="utf-8").split("\n")[:-1]

    assert json.loads(line) == {
        "text": "Hvor er den?\u2028Ærlig",
        "sentiment": "neutral",
        "intent": "question",
        "urgency": "normal",
        "source": "bluesky",
        "brand": "Aurora Air",
        "kind": "correction",
    }
    assert set(row_as_json(a_row())) == set(json.loads(line))
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_file_is_written_over(tmp_path: Path) -> None:
    """Not by many at once either: one is first, the others are told."""
    file, refused = tmp_path / "rows.jsonl", list[str]()

    def write(number: int) -> None:
        try:
            write_rows(file, [a_row(f"row {number}")] * 50)
        except HeardError as error:
            refused.append(str(error))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(refused) == 3
    assert len(set(file.read_text().splitlines())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_export_says_how_many_and_why_not_more(heard: Command, server: str, home: Path) -> None:
    """The rows into the file, the counts to people, the reasons with the number of the rule."""
    terms(home)
    asyncio.run(_fill(server))
    ended = heard("feedback", "export", "rows.jsonl")

    assert (ended.code, ended.out) == (0, "1 row in rows.jsonl: 1 correction, 0 approvals.\n")
    assert "2 left out: X forbids training a model with its posts (rule X14)" in ended.err
    assert [json.loads(line)["source"] for line in Path("rows.jsonl").read_text().splitlines()] == ["bluesky"]

    again = heard("feedback", "export", "rows.jsonl")
    assert (again.code, "nothing is written over" in again.err) == (1, True)


def test_export_makes_no_empty_file(heard: Command, server: str, home: Path) -> None:
    """And says what stood against each row."""
    terms(home, keep=False)
    asyncio.run(_fill(server))
    ended = heard("feedback", "export", "rows.jsonl")

    assert (ended.code, ended.out) == (0, "No rows, so rows.jsonl was not written.\n")
    assert "1 left out: brand.yaml does not say learning.keep: true" in ended.err
    assert not Path("rows.jsonl").exists()


async def _fill(url: str) -> None:
    async with open_store(url, Path()) as store:
        for number, platform in enumerate(("x", "bluesky", "x"), start=1):
            await corrected(CaseStore(store), platform, number)
