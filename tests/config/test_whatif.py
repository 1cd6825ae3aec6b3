"""What if: the command, and the last days of a store as something to play."""

import asyncio
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from casework import moves
from casework.case import Case
from casework.classification import Intent, Urgency
from casework.mention import Author
from config import commands
from config.brand import Brand, load_brand
from config.past import last_days
from config.recorded import DEMO
from config.whatif import Past, WhatIf, beside, what_if
from config.whatif_text import rendered
from config.wiring import Model
from streams.case_store import CaseStore
from streams.connection import open_store
from tests.config.conftest import Command
from tests.fakes.cases import MARKS, MAY_SEND, MINUTE, NOON, PROMISES, a_draft, a_mention, judged
from tests.fakes.model import LookUpModel

HOUR = timedelta(hours=1)
FEED = [
    {"id": "1", "author": "maya", "text": "@auroraair my bag is lost!", "created_at": "2026-11-03T12:00:00Z"},
    {"id": "2", "author": "omar", "text": "@auroraair thank you", "created_at": "2026-11-03T12:05:00Z"},
]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up model in place of the bundled one."""
    monkeypatch.setattr(commands, "load_model", lambda *_: LookUpModel())


@pytest.fixture
def feed(tmp_path: Path) -> str:
    """A recorded lunch."""
    (tmp_path / "feed.jsonl").write_text("\n".join(json.dumps(line) for line in FEED))
    return "feed.jsonl"


@pytest.fixture
def own(heard: Command, home: Path) -> Path:
    """A brand file of one's own."""
    assert heard("init", "--brand", "Aurora").code == 0
    return home / "brand.yaml"


def changed(own: Path, old: str, new: str) -> str:
    """A copy of the brand file, elsewhere, with some words replaced."""
    assert old in own.read_text()
    Path("new.yaml").write_text(own.read_text().replace(old, new))
    return "new.yaml"


# ── the command ──────────────────────────────────────────────────────────────────────────────────


def test_a_recording_under_a_changed_policy(heard: Command, model: None, own: Path, feed: str) -> None:
    """Case by case and in sum; the copy need not lie beside the articles and the wording."""
    new = changed(own, "within: 1h", "within: 15m")
    ended = heard("replay", feed, "--policy", new, "--diff")

    assert (ended.code, ended.err) == (0, "")
    assert "x:1  rule" in ended.out
    assert "1 of 2 cases would differ" in ended.out
    assert "Assumed: nobody answers" in ended.out
    assert "bag is lost" not in ended.out
    assert not (own.parent / "replay").exists()
    assert not (own.parent / "store").exists()


def test_articles_and_wording_are_looked_for_one_by_one(own: Path, tmp_path: Path) -> None:
    """A copy beside wording of its own still has the articles in force, and the other way round."""
    now_in_force = load_brand(own)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy = elsewhere / "new.yaml"
    copy.write_text(own.read_text())
    (elsewhere / "templates.yaml").write_text("templates: []")

    found = beside(load_brand(copy), now_in_force)

    assert found.templates == elsewhere / "templates.yaml"
    assert found.knowledge == now_in_force.knowledge.resolve()


def test_the_same_for_machines(heard: Command, model: None, own: Path, feed: str) -> None:
    """Instants in UTC, no text of a post."""
    new = changed(own, "within: 1h", "within: 15m")
    ended = heard("replay", feed, "--policy", new, "--diff", "--json", "--answers-per-hour", "6")
    told: dict[str, Any] = json.loads(ended.out)
    (case,) = told["cases"]
    first = [side["promises"][0] for side in (case["before"], case["after"])]

    assert ended.code == 0
    assert (told["differs"], told["compared"], case["mention"], case["case"]) == (True, 2, "x:1", None)
    assert [promise["due"] for promise in first] == ["2026-11-03T13:00:00+00:00", "2026-11-03T12:15:00+00:00"]
    assert set(told["sums"]["before"]) >= {"drafted", "acknowledged", "held", "ignored", "promises"}
    assert told["staffing"]["before"][first[0]["name"]]["peak"] == 1.0
    assert told["staffing"]["after"][first[0]["name"]]["peak"] == 4.0


def test_the_same_policy_changes_nothing(heard: Command, model: None, own: Path, feed: str) -> None:
    """And says so in plain words."""
    ended = heard("replay", feed, "--policy", str(own), "--diff")

    assert (ended.code, ended.out.splitlines()[-1]) == (0, "Nothing would differ.")


def test_a_wrong_policy_names_its_lines(heard: Command, model: None, own: Path, feed: str) -> None:
    """As heard config check does, and nothing is played."""
    new = changed(own, "schema: 1", "schema: 1\nshema: 2")
    (number,) = [
        n for n, line in enumerate(Path(new).read_text().splitlines(), 1) if line.startswith("shema")
    ]
    ended = heard("replay", feed, "--policy", new, "--diff")

    assert (ended.code, ended.out) == (2, "")
    assert f"new.yaml:{number}: shema: there is no such setting" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "nowhere.yaml", "--diff", "feed.jsonl"], "there is no nowhere.yaml"),
        (["feed.jsonl", "--diff"], "write --policy FILE --diff"),
        (["feed.jsonl", "--policy", "brand.yaml"], "write --policy FILE --diff"),
        (["feed.jsonl", "--last", "7d"], "write --policy FILE --diff"),
        (["--policy", "brand.yaml", "--diff"], "say what to play"),
        (["feed.jsonl", "--last", "7d", "--policy", "brand.yaml", "--diff"], "say what to play"),
        (["--last", "soon", "--policy", "brand.yaml", "--diff"], "--last: write a length of time"),
        (["feed.jsonl", "--again", "--policy", "brand.yaml", "--diff"], "always starts over"),
        ([], "say what to play"),
    ],
)
def test_what_does_not_go_together_is_said(
    heard: Command, model: None, own: Path, feed: str, arguments: list[str], said: str
) -> None:
    """With code 2."""
    shutil.copy(own, "brand.yaml")
    ended = heard("replay", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


async def _fill(url: str, since: datetime) -> None:
    async with open_store(url, Path()) as store:
        await a_case(CaseStore(store), 1, "my bag is lost", since)


def test_cases_of_the_last_days_by_their_own_ids(heard: Command, model: None, own: Path, server: str) -> None:
    """And the store afterwards is what it was, key by key and byte for byte."""
    asyncio.run(_fill(server, datetime.now(UTC) - 2 * 24 * HOUR))
    before = everything(server)
    new = changed(own, "within: 1h", "within: 15m")
    ended = heard("replay", "--last", "7d", "--policy", new, "--diff")
    older = heard("replay", "--last", "1d", "--policy", new, "--diff")

    assert ended.code == 0
    assert "  x:post-1  rule" in ended.out
    assert ended.out.startswith("C-")
    assert "People answered when they did" in ended.out
    assert everything(server) == before
    assert (older.code, "no case was opened since" in older.err) == (1, True)


def everything(url: str) -> dict[bytes, bytes]:
    """Every key of a store with its whole value."""
    client: Any = redis.Redis.from_url(url)
    return {key: client.dump(key) for key in client.scan_iter()}


# ── the last days ────────────────────────────────────────────────────────────────────────────────


async def a_case(
    cases: CaseStore,
    number: int,
    text: str,
    at: datetime,
    *,
    urgency: Urgency = Urgency.HIGH,
    topics: tuple[str, ...] = (),
) -> Case:
    """A judged and drafted case of an author of its own."""
    mention = a_mention(number, text, author=Author(f"author-{number}", f"author-{number}"), created_at=at)
    (new,) = await cases.new_ids([mention])
    case = await cases.save(moves.hear(mention, case_id=new, at=at, promises=PROMISES))
    labels = judged(urgency, Intent.COMPLAINT, topics=topics)
    case = await cases.save(moves.classify(case, labels, at=at, promises=PROMISES))
    draft = a_draft(answers=mention.key)
    return await cases.save(moves.propose(case, draft, permission=MAY_SEND, rule="r", why="", at=at))


@pytest.fixture
def brand(tmp_path: Path) -> Brand:
    """Aurora Air with one article, and automatic replies off."""
    (tmp_path / "own" / "knowledge").mkdir(parents=True)
    for name in ("brand.yaml", "templates.yaml", "knowledge/KB-15-delayed-bags.md"):
        shutil.copy(DEMO / name, tmp_path / "own" / name)
    return load_brand(tmp_path / "own" / "brand.yaml")


def with_words(brand: Brand, old: str, new: str) -> Brand:
    """The brand with some words of its file replaced, in a file beside it."""
    text = brand.source.read_text()
    assert old in text
    path = brand.source.with_name("new.yaml")
    path.write_text(text.replace(old, new))
    return load_brand(path)


async def looked_back(cases: CaseStore, brand: Brand) -> tuple[Past, Model]:
    """The day before eight in the evening."""
    return await last_days(
        cases, LookUpModel(), brand.topics, since=NOON - HOUR, now=NOON + timedelta(hours=8)
    )


async def tried(cases: CaseStore, brand: Brand, folder: Path, old: str, new: str) -> WhatIf:
    """What a change of words in the brand's file would have done to the store's cases."""
    past, model = await looked_back(cases, brand)
    return await what_if(past, brand, with_words(brand, old, new), model, folder)


async def test_people_answer_when_they_did(cases: CaseStore, brand: Brand, tmp_path: Path) -> None:
    """An answer after forty minutes keeps the hour and breaks the half."""
    case = await a_case(cases, 1, "my bag is gone", NOON)
    await cases.save(moves.post_by_hand(case, by="Nina", at=NOON + 40 * MINUTE, text="Here it is."))
    found = await tried(cases, brand, tmp_path, "within: 1h", "within: 30m")

    assert found.before.promises["first hour"] == {"kept": 1, "broken": 0, "open": 0}
    assert found.after.promises["first hour"] == {"kept": 0, "broken": 1, "open": 0}
    assert f"{case.id}  x:post-1" in rendered(found)
    assert "Here it is" not in rendered(found)


async def test_what_is_not_due_yet_is_open(cases: CaseStore, brand: Brand, tmp_path: Path) -> None:
    """The play stops at the present: no answer and no breach is made up."""
    await a_case(cases, 1, "my bag is gone", NOON)
    found = await tried(cases, brand, tmp_path, "within: 1h", "within: 9h")

    assert found.before.promises["first hour"]["broken"] == 1
    assert found.after.promises["first hour"] == {"kept": 0, "broken": 0, "open": 1}
    assert found.after.promises["same day"]["open"] == 1


async def test_a_persons_labels_stand(cases: CaseStore, brand: Brand, tmp_path: Path) -> None:
    """What a person corrected to chatter is ignored, whatever the model would say of it again."""
    case = await a_case(cases, 1, "my bag is lost", NOON)
    chatter = judged(Urgency.LOW, Intent.OTHER)
    await cases.save(moves.relabel(case, chatter, by="Nina", at=NOON + MINUTE, promises=PROMISES))
    found = await tried(
        cases, brand, tmp_path, "when: {urgency: low}", "when: {intent: praise, urgency: low}"
    )
    (difference,) = found.differences

    assert found.before.actions["ignored"] == 1
    assert difference.decisions[1] is not None
    assert difference.decisions[1].rule == "everything-else"


async def test_a_case_without_its_words_is_compared_by_its_labels(
    cases: CaseStore, brand: Brand, tmp_path: Path
) -> None:
    """Rules and deadlines need no words; whether a draft is found does, so that is not told."""
    case = await a_case(cases, 1, "my bag is lost", NOON)
    await cases.save(moves.expire(case, at=NOON + HOUR, why="kept for as long as it may be", marks=MARKS))
    found = await tried(cases, brand, tmp_path, "within: 1h", "within: 30m")

    assert (found.before.actions["drafted or held"], found.before.actions["held"]) == (1, 0)
    assert found.after.promises["first hour"]["broken"] == 1
    assert "1 post has lost its words" in rendered(found)


async def test_erased_cases_are_counted_and_left_out(cases: CaseStore, brand: Brand, tmp_path: Path) -> None:
    """Nothing of them is left to compare."""
    await a_case(cases, 1, "my bag is lost", NOON)
    gone = await a_case(cases, 2, "and mine", NOON)
    await cases.save(moves.erase(gone, by="Nina", at=NOON + MINUTE, marks=MARKS))
    found = await tried(cases, brand, tmp_path, "within: 1h", "within: 30m")

    assert found.past.unjudged == 1
    assert len(found.before.cases) == 1
    assert "1 case was erased or never judged, and is left out" in rendered(found)


async def test_a_topic_that_the_new_policy_names_is_looked_for(
    cases: CaseStore, brand: Brand, tmp_path: Path
) -> None:
    """Topics are words of the policy: labels that people gave stay, topics are found anew."""
    await a_case(cases, 1, "@auroraair my bag is lost", NOON, topics=("baggage",))
    await a_case(cases, 2, "@auroraair my umbrella is lost", NOON)
    old = "policy:\n"
    rule = "policy:\n  - {id: rain, when: {topic: rain}, do: escalate, to: managers}\n"
    text = brand.source.read_text().replace("topics:\n", "topics:\n  rain: [umbrella]\n", 1)
    path = brand.source.with_name("new.yaml")
    path.write_text(text.replace(old, rule, 1))
    past, model = await looked_back(cases, brand)
    found = await what_if(past, brand, load_brand(path), model, tmp_path)

    assert [case.mention for case in found.differences] == ["x:post-2"]
    assert found.differences[0].decisions[1] is not None
    assert found.differences[0].decisions[1].rule == "rain"


async def test_who_asked_not_to_be_answered_is_not_answered(
    cases: CaseStore, brand: Brand, tmp_path: Path
) -> None:
    """Also if they asked before the days that are looked at."""
    text = "@auroraair our flight was cancelled"
    case = await a_case(cases, 1, text, NOON, topics=("cancellation",))
    past, model = await looked_back(cases, brand)
    free = await what_if(past, brand, brand, model, tmp_path / "free")
    await cases.opt_out(case.platform, case.author.id)
    past, model = await looked_back(cases, brand)
    asked = await what_if(past, brand, brand, model, tmp_path / "asked")

    assert free.before.actions["acknowledged"] == 1
    assert asked.before.actions["acknowledged"] == 0
