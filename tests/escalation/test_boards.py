"""Boards: valid in Slack, facts that can be checked, one button for what comes next, and no post in any."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from casework import moves
from casework.case import Case
from casework.classification import Sentiment
from casework.draft import ReplyKind
from casework.mention import Author
from casework.reply import Reply
from casework.sla import Alert, PromiseState
from casework.spikes import Over, Spike
from escalation import boards
from escalation.boards import BreachRow, Day, Frame, Outlook
from escalation.figures import Cause, DraftFigure, Figures, Late, PromiseFigure, TopicFigure
from escalation.slack_payload import Payload, read_value
from tests.fakes import block_kit
from tests.fakes.cases import MINUTE, NOON, PROMISES, a_mention, classified
from tests.fakes.slack_blocks import why_invalid

DESK = "https://desk.example.com"
POST = "third time asking where my bag is <!channel> *now*"
NASTY = "<!channel> *Maya* <https://evil.example|brand> & `x` \u202egnp.exe" + "x" * 300
NOW = NOON + 80 * MINUTE
FRAME = Frame(NOW, "Europe/Oslo", DESK)
PEOPLE = ("U0NINA", "U0OLA", "U0BOSS")
Json = dict[str, Any]


def late_case(number: int, *, name: str = "Maya R.", waits: int = 80) -> Case:
    """A case whose first hour is over, as it was before the clock looked."""
    at = NOW - waits * MINUTE
    mention = a_mention(number, POST, created_at=at, author=Author("maya", "maya", name))
    return moves.hear(mention, case_id=f"C-{10_000 + number}", at=at, promises=PROMISES).case


def rows(count: int, **changes: str) -> list[BreachRow]:
    made = (late_case(number, waits=61 + number, **changes) for number in range(1, count + 1))
    return [BreachRow(case, Late(Cause.NEVER_OPENED, "never opened")) for case in made]


def settled(case: Case) -> Case:
    """The case with its answer."""
    reply = Reply("k", ReplyKind.ANSWER, "r", "Hi", case.last.key, "Nina", NOW)
    gone = tuple(promise.settle(NOW) for promise in case.promises)
    return replace(case, replies=(reply,), promises=gone)


def some_figures(**changes: object) -> Figures:
    made = Figures(
        since=NOON,
        until=NOON + timedelta(days=1),
        now=NOW,
        promises=(
            PromiseFigure("first hour", 0.9, kept=120, missed=12, owed=7, late=1),
            PromiseFigure("same day", 0.98, kept=131, missed=1, owed=7, late=0),
        ),
        mentions=132,
        wait=17 * MINUTE,
        wait_p90=48 * MINUTE,
        moods={Sentiment.NEGATIVE: 50, Sentiment.POSITIVE: 54, Sentiment.NEUTRAL: 28},
        topics=(
            TopicFigure("app login", 48, 41, 14 * MINUTE),
            TopicFigure("refund", 22, 20, 26 * MINUTE),
            TopicFigure("legal", 2, 2, None),
        ),
        missed=("C-10377", "C-10378", "C-10379", "C-10380"),
        automatic=31,
        drafts=DraftFigure(64, 29, 7),
        open=7,
        late=1,
        at_risk=2,
        will_break=4,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # each caller names real fields


SPIKE = Spike(NOON, NOON + 15 * MINUTE, 103, 91, usual=17.0, ratio=103 / 17, angry=True)
COUNTS = [(NOON + (i - 20) * 5 * MINUTE, 5 + i, 5.25) for i in range(24)]
DAYS = [Day(label, some_figures()) for label in ("Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Mon")]


def everything(frame: Frame = FRAME, name: str = "Maya R.") -> dict[str, Payload]:
    """One of each, with the odd ones; ``name`` is everywhere that a stranger's or colleague's name can be."""
    case = replace(late_case(1, name=name), owner=name)
    today = PromiseFigure("first hour", 0.9, 41, 5, 12, 3)
    outlook = Outlook(today, PEOPLE[:2], 12, 4, NOW + 15 * MINUTE, "U0BOSS")
    hushed = moves.wake(case, at=NOW)
    assert hushed is not None
    heard = moves.hush(hushed.case, by=name, at=NOW).case
    alert = Alert("first hour", PromiseState.AT_RISK, NOON, "owner")
    digest = boards.digest(
        "Daily report · Tuesday 3 November",
        some_figures(topics=(TopicFigure(name, 9, 3, None), *some_figures().topics)),
        frame,
        days=[replace(day, label=day.label + name) for day in DAYS],
        before=some_figures(wait=21 * MINUTE),
        worth=[("C-10340", name)],
        spent="X spend $1.84 of $5.00",
    )
    return {
        "breach": boards.breach_board(
            [BreachRow(case, Late(Cause.SNOOZED, f"snoozed by {name}"))], frame, outlook
        ),
        "breach of many": boards.breach_board(rows(25, name=name), frame, outlook),
        "breach, bare": boards.breach_board([BreachRow(late_case(1, name=name))], frame),
        "breach, acknowledged": boards.breach_board([BreachRow(heard, owner_id="U0NINA")], frame),
        "breach, answered": boards.breach_board([BreachRow(settled(case))], frame),
        "breach of none": boards.breach_board([], frame),
        "at risk": boards.due_line(case, alert, [*PEOPLE, name], frame),
        "at risk, unowned": boards.due_line(classified(), alert, [], frame),
        "still on it": boards.still_on_it(case, frame, since=NOON, until=NOW + 5 * MINUTE),
        "flood": boards.flood_message(23, frame, late=1, at_risk=3, oldest=NOON),
        "flood of one": boards.flood_message(1, frame),
        "flood over": boards.flood_message(0, frame),
        "spike": boards.spike_message(
            SPIKE, frame, about=name, counts=COUNTS, where={"x": 71, "reddit": 24}, paused=True
        ),
        "spike, bare": boards.spike_message(replace(SPIKE, of_negative=True), frame, about=name),
        "spike over": boards.spike_over(
            Over(NOON, NOW, 640, 500, 9.2, angry=True), frame, about=name, paused=True
        ),
        "digest": digest,
        "digest in letters": boards.without_charts(digest) or pytest.fail("it has charts"),
        "digest of nothing": boards.digest(
            "Daily report",
            some_figures(
                promises=(),
                mentions=0,
                wait=None,
                wait_p90=None,
                moods={},
                topics=(),
                missed=(),
                drafts=DraftFigure(),
            ),
            frame,
        ),
    }


@pytest.mark.parametrize(
    "frame", [FRAME, Frame(NOW), Frame(NOW, "Asia/Kathmandu", "https://desk.example.com/")]
)
@pytest.mark.parametrize("name", ["Maya R.", NASTY, "", "👩🏽‍🚒" * 200])
def test_every_board_is_one_that_slack_takes_and_obeys_nothing_in(frame: Frame, name: str) -> None:
    for what, payload in everything(frame, name).items():
        found = block_kit.problems(payload, said=POST, links=(DESK,), people=PEOPLE)
        assert found == [], what
        assert why_invalid(list(payload.blocks), "message") == [], what


def test_no_board_holds_a_word_of_a_post_and_each_says_a_sentence_where_only_text_is_shown() -> None:
    for what, payload in everything().items():
        assert "third time" not in json.dumps(payload.as_json()), what
        assert payload.text.endswith("."), what
        assert payload.text[0].isupper() or payload.text[0].isdigit(), what
        assert "Maya" not in payload.text or "pike" in payload.text, what


def test_only_known_actions_are_offered() -> None:
    offered = {element["action_id"] for payload in everything().values() for element in pressed(payload)}
    assert offered == {
        "breach.ack",
        "breach.row",
        "home.next",
        "spike.resume",
        "lease.yes",
        "lease.release",
        "link.desk",
    }


def pressed(payload: Payload) -> Iterator[Json]:
    """Everything that can be pressed in a message."""
    for block in json.loads(json.dumps(payload.blocks)):
        yield from block.get("elements", []) if block["type"] == "actions" else []
        yield from [block["accessory"]] if "accessory" in block else []


def words(payload: Payload) -> str:
    """All that is read in a message."""
    return json.dumps(payload.blocks, ensure_ascii=False)


def the(payload: Payload, action_id: str) -> Json:
    return next(element for element in pressed(payload) if element["action_id"] == action_id)


# ── broken promises ──────────────────────────────────────────────────────────────────────────────


def test_the_board_shows_the_ten_oldest_and_how_many_more() -> None:
    payload = boards.breach_board(rows(25), FRAME)
    shown = [str(block["block_id"]).split(":")[1] for block in payload.blocks if "accessory" in block]
    assert shown == [f"C-{10_000 + number}" for number in range(25, 15, -1)]
    assert "and 15 more" in words(payload)
    assert "Why: 25 of 25 never opened" in words(payload)
    assert payload.text == "25 customers waited longer than promised. The oldest waits since 12:54, on X."


def test_a_row_says_why_it_is_late_since_when_and_whose_it_is() -> None:
    case = replace(late_case(1), owner="Nina")
    snoozed = Late(Cause.SNOOZED, "snoozed by Nina 30 min before it was due")
    row = words(boards.breach_board([BreachRow(case, snoozed, "U0NINA")], FRAME))
    for said in ("*1. Maya R.* on X", "<@U0NINA>", "why: snoozed by Nina 30 min", "13:00>", "14:00>"):
        assert said in row


def test_each_row_opens_takes_or_gives_away_its_own_case() -> None:
    payload = boards.breach_board(rows(3), FRAME)
    for block in payload.blocks:
        if "accessory" in block:
            menu: Any = block["accessory"]
            values = [read_value(option["value"]) for option in menu["options"]]
            case_id = str(block["block_id"]).split(":")[1]
            assert [(v.case, v.action) for v in values if v] == [
                (case_id, action) for action in ("open", "take", "assign")
            ]


@pytest.mark.parametrize("count", [1, 3, 12, 60])
def test_one_press_acknowledges_all_that_its_button_can_name_the_oldest_first(count: int) -> None:
    """A press keeps 200 characters of what a button carries: an id cut in two would be another case's."""
    ack = the(boards.breach_board(rows(count), FRAME), "breach.ack")
    named = boards.read_cases(ack["value"])
    oldest = [f"C-{10_000 + number}" for number in range(count, 0, -1)]
    assert len(ack["value"]) <= 200
    assert list(named) == oldest[: len(named)]
    assert len(named) == count or (len(named) >= 15 and ack["text"]["text"].endswith(f"oldest {len(named)}"))


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"cs":"C-1"}',
        '{"cs":["C-1",2]}',
        '{"cs":["D-1"]}',
        '{"cs":["C-1","C-',
        "[" * 9_999,
    ],
)
def test_what_no_board_carries_names_no_case(raw: str) -> None:
    assert boards.read_cases(raw) == ()


def test_once_everything_is_acknowledged_nothing_is_left_to_press_and_the_board_says_by_whom() -> None:
    payload = everything()["breach, acknowledged"]
    assert "breach.ack" not in {element["action_id"] for element in pressed(payload)}
    assert "Maya R. acknowledged it." in words(payload)


def test_what_was_answered_since_leaves_the_board() -> None:
    two = rows(2)
    payload = boards.breach_board([two[0], replace(two[1], case=settled(two[1].case))], FRAME)
    assert "missed: 1 customer" in words(payload)
    assert "1 answered since" in words(payload)
    assert boards.breach_board([replace(r, case=settled(r.case)) for r in two], FRAME).text == (
        "Nobody waits longer than promised any more. 2 customers have an answer now, late."
    )


def test_a_board_drawn_again_later_is_the_same_board() -> None:
    """Times are instants: nothing grows stale, and nothing is sent to Slack for the passing of time."""
    drawn = boards.breach_board(rows(3), FRAME, Outlook(next_at=NOW, then="U0BOSS"))
    assert (
        boards.breach_board(
            rows(3), replace(FRAME, now=NOW + 5 * MINUTE), Outlook(next_at=NOW, then="U0BOSS")
        )
        == drawn
    )


def test_the_board_says_what_comes_next() -> None:
    said = words(everything()["breach"])
    assert "4 more will break in the next hour at the present pace" in said
    assert "<@U0BOSS> is told next" in said
    assert "on duty: <@U0NINA>, <@U0OLA>" in said
    assert "41 of 46 kept (89 %, target 90 %)" in said


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ("U0NINA", "<@U0NINA>"),
        ("S0CARE1", "<!subteam^S0CARE1>"),
        ("UWE", "UWE"),
        ("<!here>", "&lt;!here&gt;"),
    ],
)
def test_a_slack_id_is_called_and_a_name_is_not(who: str, shown: str) -> None:
    assert boards.ping(who) == shown


def test_a_flood_offers_the_next_case() -> None:
    payload = everything()["flood"]
    assert payload.text == "23 more cases wait for a person: 1 late, 3 at risk."
    assert "● 19 on time" in words(payload)
    assert the(payload, "home.next")["style"] == "primary"


def test_still_on_it_asks_about_one_case() -> None:
    payload = everything()["still on it"]
    for action in ("lease.yes", "lease.release"):
        value = read_value(the(payload, action)["value"])
        assert value is not None
        assert value.case == "C-10001"


def test_a_spike_shows_now_against_the_usual_for_the_last_hour() -> None:
    payload = everything()["spike"]
    drawn: Any = next(block for block in payload.blocks if block["type"] == "data_visualization")
    now, usual = drawn["chart"]["series"]
    assert [point["value"] for point in now["data"]] == list(range(17, 29))
    assert {point["value"] for point in usual["data"]} == {5.2}
    assert "X 71, Reddit 24" in words(payload)
    assert "confirm" in the(payload, "spike.resume")


def test_the_hour_that_comes_twice_has_no_label_twice() -> None:
    start = datetime.fromisoformat("2026-10-25T00:35:00+00:00")
    counts = [(start + i * 5 * MINUTE, 10, 5.0) for i in range(24)]
    payload = boards.spike_message(SPIKE, Frame(NOW, "Europe/Oslo"), about="Aurora", counts=counts)
    assert why_invalid(list(payload.blocks), "message") == []
    drawn: Any = next(block for block in payload.blocks if block["type"] == "data_visualization")
    labels = drawn["chart"]["axis_config"]["categories"]
    assert len(labels) == len(set(labels)) == 12


def test_the_digest_gives_shares_arrows_and_its_own_honesty() -> None:
    said = words(everything()["digest"])
    for fact in (
        "91 % (120 of 132)",
        "target 98 %",
        "17 min  ▼ 4",
        "nine of ten within 48 min",
        "38 % negative, 41 % positive",
        "drafts sent unchanged 64 %, edited 29 %, rejected 7 %",
        "C-10377>: missed its promise",
        "and 1 more missed",
        "Now: 7 open",
    ):
        assert fact in said
    few = some_figures(promises=(PromiseFigure("first hour", 0.9, 2, 1, 0, 0),), drafts=DraftFigure(2, 1, 0))
    said = words(boards.digest("Daily report", few, FRAME))
    assert "2 of 3\\n" in said
    assert "drafts sent unchanged 2, edited 1, rejected 0" in said


def test_a_small_topic_shows_no_percentage() -> None:
    table: Any = next(b for b in everything()["digest"].blocks if b["type"] == "data_table")
    cells = {row[0]["text"]: [cell["text"] for cell in row[1:]] for row in table["rows"]}
    assert cells["app login"] == ["48", "85", "14"]
    assert cells["legal"] == ["2", "–", "–"]


def test_a_chart_is_cut_to_what_slack_takes() -> None:
    series = {f"a series with a long name {n}": list(range(40)) for n in range(9)}
    block = boards.chart(
        "c", "t" * 90, "bar", ["the same long label of a day"] * 40, series, x="x" * 80, y=""
    )
    assert why_invalid([block], "message") == []
    drawn: Any = block["chart"]
    assert len(drawn["series"]) == 6
    assert len(drawn["axis_config"]["categories"]) == 20


@pytest.mark.parametrize("what", ["digest", "spike"])
def test_without_charts_the_same_facts_stand_in_letters(what: str) -> None:
    payload = everything()[what]
    simpler = boards.without_charts(payload)
    assert simpler is not None
    assert not {"data_table", "data_visualization"} & {block["type"] for block in simpler.blocks}
    letters = words(simpler)
    for fact in facts(json.loads(json.dumps(payload.blocks))):
        assert fact in letters
    assert [b["block_id"] for b in simpler.blocks] == [b["block_id"] for b in payload.blocks]
    assert boards.without_charts(simpler) is None


def facts(blocks: list[Json]) -> Iterator[str]:
    """Every word and number that charts and tables show."""
    for block in blocks:
        if block["type"] == "data_table":
            yield from (cell["text"] for row in block["rows"] for cell in row)
        if block["type"] == "data_visualization":
            yield from (line["name"] for line in block["chart"]["series"])
            yield from (f"{p['value']:g}" for line in block["chart"]["series"] for p in line["data"])
            yield from block["chart"]["axis_config"]["categories"]
            yield block["title"]


def test_what_has_no_charts_is_left_as_it_is() -> None:
    assert boards.without_charts(everything()["flood"]) is None
