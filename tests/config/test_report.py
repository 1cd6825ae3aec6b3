"""The report on a recorded week: each figure against the same one worked out another way; its forms."""

import csv
import io
import json
import math
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from casework.clock import ManualClock
from casework.timeline import TimelineEntry
from config import report as reports
from config import report_page, report_text
from config.periods import read_period
from config.report import Report, make_report
from config.usage import WrongUsage
from escalation.breakdown import Dimension
from streams.case_store import CaseStore
from streams.connection import open_store
from streams.switch import Cursors
from tests.config.conftest import Command
from tests.fakes.recorded_week import NOW, Story, Week

BRAND = """
schema: 1
brand: {name: "Aurora <Air>", watch: [aurora]}
hours: {timezone: Europe/Oslo}
promises:
  - {name: first hour, within: 1h, for: {urgency: &soon [normal, high, critical]}, met_by: reply, target: 50%}
  - {name: same day, within: day, for: {urgency: *soon}, met_by: answer, target: 98%}
"""
HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 10, 18, 22, 0, tzinfo=UTC)
"""Midnight in Oslo, where the clocks went back in the last night of the week."""

WEEK = (MONDAY, MONDAY + timedelta(days=7, hours=1))
WEEK_WRITTEN = "2026-10-19..2026-10-25"


@pytest.fixture(scope="module")
def week() -> Week:
    return Week(450)


@pytest.fixture
def brand(home: Path) -> None:
    """A brand in Oslo."""
    home.mkdir(exist_ok=True)
    (home / "brand.yaml").write_text(BRAND)


@pytest.fixture
async def recorded(server: str, brand: None, week: Week) -> AsyncIterator[Week]:
    """The week in this place's store."""
    async with open_store(server, Path(), insecure=True) as store:
        await week.record(CaseStore(store))
    yield week
    async with open_store(server, Path(), insecure=True) as store:
        await store.writes.flushall()


async def the_report(period: str | None = WEEK_WRITTEN, now: datetime = NOW) -> Report:
    return await make_report(read_period(period), clock=ManualClock(now))


# ── worked out another way ───────────────────────────────────────────────────────────────────────


def oslo(at: datetime) -> datetime:
    """The wall clock of Oslo that autumn, without asking anybody."""
    back = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    return (at + HOUR * (2 if at < back else 1)).replace(tzinfo=None)


def midnight_after(at: datetime) -> datetime:
    """The end of the day in Oslo: the next instant at which its clock shows nought."""
    step = at.replace(minute=0, second=0, microsecond=0)
    while True:
        step += HOUR
        if oslo(step).hour == 0:
            return step


Ended = tuple[str, bool, datetime, datetime]
"""A promise that ended: its name, whether kept, when that was, and when the mention was written."""


class Owed:
    """What one customer is owed: since when the mention waits that each promise is about."""

    def __init__(self) -> None:
        self.since: dict[str, datetime] = {}
        self.ended: list[Ended] = []

    def due(self, name: str) -> datetime:
        return self.since[name] + HOUR if name == "first hour" else midnight_after(self.since[name])

    def begin(self, written: datetime) -> None:
        for name in ("first hour", "same day"):
            self.since.setdefault(name, written)

    def end(self, at: datetime, names: Sequence[str], *, replied: bool) -> None:
        for name in {*names} & {*self.since}:
            if at >= self.due(name):
                self.ended.append((name, False, self.due(name), self.since[name]))
            elif replied:
                self.ended.append((name, True, at, self.since[name]))
            del self.since[name]


def promises_by_hand(story: Story) -> list[Ended]:
    """What was promised and how it ended, from the timeline and the replies alone."""
    written = {mention.key: mention.created_at for mention in story.case.mentions}
    replies, owed, both = iter(story.case.replies), Owed(), ("first hour", "same day")
    for entry in story.timeline:
        if entry.what in ("hear", "join"):
            owed.begin(written[entry.detail])
        elif entry.what == "classify" and entry.detail.endswith(", low"):
            owed.since.clear()
        elif entry.what in ("be sent", "post by hand"):
            reply = next(replies)
            owed.end(reply.posted_at, both if reply.kind == "answer" else both[:1], replied=True)
        elif entry.what in ("close", "ignore"):
            owed.end(entry.at, both, replied=False)
    late = [name for name in owed.since if owed.due(name) <= NOW]
    owed.end(NOW, late, replied=False)
    return owed.ended


def cause_by_hand(timeline: Sequence[TimelineEntry], due: datetime, since: datetime) -> str:
    """Read forwards: whatever was last done to it before it was due."""
    heard = next(e.at for e in timeline if e.what in ("hear", "join") and e.at >= since)
    if heard >= due:
        return "heard of too late"
    said = "never opened"
    for entry in timeline:
        if since <= entry.at < due and entry.by in ("Nina", "Ola"):
            said = {"take": "taken, then left", "snooze": "snoozed"}.get(entry.what, "worked on, not in time")
            said = "never opened" if entry.what in ("close", "post by hand") else said
    return said


def band_by_hand(followers: int) -> str:
    for least, name in ((10_000, "10,000 or more"), (1_000, "1,000 to 9,999"), (100, "100 to 999")):
        if followers >= least:
            return name
    return "under 100" if followers else "not told"


def labels_by_hand(story: Story) -> dict[str, list[str]]:
    """The groups of a case whatever the hour, from the last judgement on its timeline."""
    said = [entry.detail for entry in story.timeline if entry.what == "classify"]
    mood, intent, urgency = said[-1].split(", ") if said else ["not judged"] * 3
    judged = story.case.classification
    return {
        "platform": [story.case.platform],
        "followers": [band_by_hand(story.case.mentions[0].author.followers)],
        "urgency": [urgency],
        "intent": [intent],
        "sentiment": [mood],
        "topic": list(judged.topics) if judged else [],
    }


def groups_of(story: Story, written: datetime) -> list[tuple[str, str]]:
    local = oslo(written)
    timed = {"hour": [f"{local.hour:02d}:00"], "weekday": [f"{local:%A}"], "all": ["all"]}
    found = labels_by_hand(story) | timed
    return [(dimension, name) for dimension, names in found.items() for name in names]


def waits_by_hand(seconds: Sequence[float]) -> dict[str, Any]:
    """Counted and percentiled the slow way."""
    few = len(seconds) < 5
    ranked = sorted(seconds)
    middle = None if few else (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2
    enough = [s for s in ranked if sum(other <= s for other in ranked) >= 0.9 * len(ranked)]
    return {
        "count": len(seconds),
        "p50_min": None if middle is None else round(middle / 60, 1),
        "p90_min": None if few else round(enough[0] / 60, 1),
    }


def figures_by_hand(
    stories: Sequence[Story], since: datetime, until: datetime
) -> dict[tuple[str, str], dict[str, Any]]:
    """Every figure of every group: everything that happened as rows, then each group's rows picked out."""
    rows: list[tuple[list[tuple[str, str]], str, Any]] = []
    for story in stories:
        case = story.case
        rows += [
            (groups_of(story, m.created_at), "mention", 1)
            for m in case.mentions
            if since <= m.created_at < until
        ]
        first_written = case.mentions[0].created_at
        by_people = [reply for reply in case.replies if reply.decided_by != "heard"]
        for what, replies in (("first", case.replies), ("human", by_people)):
            if replies and since <= replies[0].posted_at < until:
                wait = (replies[0].posted_at - first_written).total_seconds()
                rows.append((groups_of(story, first_written), what, wait))
        for name, kept, at, written in promises_by_hand(story):
            if since <= at < until:
                rows.append((groups_of(story, written), "kept" if kept else "missed", (name, case.id)))
    figures = {}
    for key in {key for keys, _, _ in rows for key in keys}:
        own = [(what, value) for keys, what, value in rows if key in keys]
        figures[key] = {
            "mentions": sum(what == "mention" for what, _ in own),
            "first_reply": waits_by_hand([value for what, value in own if what == "first"]),
            "human_reply": waits_by_hand([value for what, value in own if what == "human"]),
            "late_cases": len({value[1] for what, value in own if what == "missed"}),
            "promises": {name: tally_by_hand(own, name) for name in ("first hour", "same day")},
        }
    return figures


def tally_by_hand(own: Sequence[tuple[str, Any]], name: str) -> dict[str, Any]:
    kept = sum(what == "kept" and value[0] == name for what, value in own)
    missed = sum(what == "missed" and value[0] == name for what, value in own)
    return {"kept": kept, "missed": missed, "share": kept / (kept + missed) if kept + missed >= 5 else None}


def flat(told: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """The groups of a report in one table."""
    groups = {(d, name): group for d, named in told["groups"].items() for name, group in named.items()}
    return groups | {("all", "all"): told["all"]}


# ── the figures ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("period", "since", "until"),
    [
        (WEEK_WRITTEN, *WEEK),
        ("week", *WEEK),
        ("today", WEEK[1] - timedelta(hours=25), WEEK[1]),
        ("yesterday", WEEK[1] - timedelta(hours=49), WEEK[1] - timedelta(hours=25)),
        ("2026-10-20", MONDAY + 24 * HOUR, MONDAY + 48 * HOUR),
        (None, MONDAY - timedelta(days=99), MONDAY + timedelta(days=99)),
    ],
)
async def test_every_figure_of_a_recorded_week_is_the_one_worked_out_by_hand(
    recorded: Week, period: str | None, since: datetime, until: datetime
) -> None:
    """All dimensions, all groups, all counts, medians, ninths and shares; days of 24 hours and of 25."""
    told = report_text.as_json(await the_report(period))
    expected = figures_by_hand(recorded.stories, since, until)

    assert flat(told) == expected
    assert {dimension for dimension, _ in expected} >= {"platform", "hour", "weekday", "urgency", "topic"}
    if period in (WEEK_WRITTEN, "week", None):
        assert len(expected) > 60


async def test_why_late_is_counted_by_what_had_last_happened(recorded: Week) -> None:
    """One cause a case: that of the first promise which it missed in the week."""
    expected: dict[str, int] = {}
    for story in recorded.stories:
        missed = [p for p in promises_by_hand(story) if not p[1] and WEEK[0] <= p[2] < WEEK[1]]
        if missed:
            _, _, due, since = min(missed, key=lambda p: p[2])
            cause = cause_by_hand(story.timeline, due, since)
            expected[cause] = expected.get(cause, 0) + 1
    told = report_text.as_json(await the_report())

    assert told["why_late"] == expected
    assert set(expected) >= {"never opened", "snoozed", "taken, then left", "heard of too late"}


async def test_promises_are_held_against_the_brands_targets(recorded: Week) -> None:
    figures = figures_by_hand(recorded.stories, *WEEK)["all", "all"]["promises"]
    rows: Any = report_text.as_json(await the_report())["promises_kept"]

    assert [(row["name"], row["target"]) for row in rows] == [("first hour", 0.5), ("same day", 0.98)]
    for row in rows:
        expected = figures[row["name"]]
        assert {key: row[key] for key in ("kept", "missed", "share")} == expected
        assert row["on_target"] == (expected["share"] >= row["target"])
    assert [row["on_target"] for row in rows] == [True, False]


async def test_the_next_hour_is_played_out_one_case_after_the_other(recorded: Week) -> None:
    """At the pace of the last hour, the first due first; only where the period is not over."""
    told: Any = report_text.as_json(await the_report("today"))["forecast"]
    due = sorted(
        min(p.due_at for p in story.case.promises if p.settled_at is None)
        for story in recorded.stories
        if story.case.open and any(p.settled_at is None for p in story.case.promises)
    )
    pace = sum(
        any(NOW - HOUR < r.posted_at <= NOW and r.decided_by != "heard" for r in story.case.replies)
        for story in recorded.stories
    )
    clock, broken = NOW, 0
    for at in due:
        clock += HOUR / pace
        broken += NOW < at <= NOW + HOUR and clock >= at
    soon = [at for at in due if NOW < at <= NOW + HOUR]

    assert told == {
        "late": sum(at <= NOW for at in due),
        "due": len(soon),
        "answered_last_hour": pace,
        "will_break": broken,
    }
    assert min(told.values()) > 0
    said = report_text.forecast_words(await the_report("today"))
    assert said.startswith(f"{broken} more of {len(soon)} due within the hour will break at the present pace")
    assert report_text.as_json(await the_report("yesterday"))["forecast"] is None


async def test_the_loud_were_served_first_and_the_report_says_so(recorded: Week) -> None:
    """The people of this week are quicker with the loud; their medians are the table's."""
    told: Any = report_text.as_json(await the_report())
    bands = told["groups"]["followers"]
    loud, quiet = (bands[name]["human_reply"]["p50_min"] for name in ("10,000 or more", "under 100"))

    assert quiet >= 1.5 * loud
    assert told["loudness"]["verdict"] == "loud first"
    assert (told["loudness"]["loud_p50_min"], told["loudness"]["quiet_p50_min"]) == (loud, quiet)
    assert "Those who shout loudest are answered first" in report_text.as_text(await the_report())


async def test_without_a_period_everything_in_the_store_is_told_as_before(recorded: Week) -> None:
    told: Any = report_text.as_json(await the_report(None))
    cases = [story.case for story in recorded.stories]

    assert told["cases"] == len(cases)
    assert told["by_platform"] == {p: sum(c.platform == p for c in cases) for p in told["by_platform"]}
    assert told["first_replies"] == sum(bool(c.replies) for c in cases)
    assert (told["period"]["since"], told["period"]["until"]) == (None, None)
    assert "cases" not in report_text.as_json(await the_report("week"))


async def test_a_store_of_many_cases_is_read_in_pages(
    recorded: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither cases nor timelines are ever asked for all at once, and the figures do not depend on it."""
    asked: list[int] = []
    for name in ("load_all", "timelines"):
        loads: Callable[..., Any] = getattr(CaseStore, name)

        async def counted(store: CaseStore, ids: Sequence[str], loads: Callable[..., Any] = loads) -> Any:
            asked.append(len(ids))
            return await loads(store, ids)

        monkeypatch.setattr(CaseStore, name, counted)
    whole = report_text.as_json(await the_report())
    monkeypatch.setattr(reports, "READ_AT_ONCE", 7)
    monkeypatch.setattr("streams.case_store.READ_AT_ONCE", 7)
    asked.clear()

    assert report_text.as_json(await the_report()) == whole
    assert max(asked) == 7


# ── its forms ────────────────────────────────────────────────────────────────────────────────────


async def test_the_spreadsheet_has_one_row_for_each_group_with_the_same_figures(recorded: Week) -> None:
    report = await the_report()
    told: Any = report_text.as_json(report)
    head, *rows = csv.reader(io.StringIO(report_text.as_csv(report)))

    assert head[: len(report_text.COLUMNS)] == list(report_text.COLUMNS)
    assert head[-3:] == ["same day: kept", "same day: missed", "same day: kept percent"]
    assert {len(row) for row in rows} == {len(head)}
    groups, causes = flat(told), told["why_late"]
    assert len(rows) == len(groups) + len(causes)
    for row in (dict(zip(head, row, strict=True)) for row in rows):
        if row["dimension"] == "why late":
            assert int(row["late_cases"]) == causes[row["group"]]
            continue
        group = groups[row["dimension"], row["group"].removeprefix("'")]
        assert int(row["mentions"]) == group["mentions"]
        assert int(row["first_replies"]) == group["first_reply"]["count"]
        assert row["human_reply_p90_min"] == str(group["human_reply"]["p90_min"] or "")
        share = group["promises"]["same day"]["share"]
        assert row["same day: kept percent"] == ("" if share is None else str(round(share * 100, 1)))


async def test_no_cell_of_the_spreadsheet_is_a_formula(recorded: Week) -> None:
    """A topic is called "=refund"; whoever opens the file must not run it."""
    report = await the_report()
    report.targets["@SUM(A1)"] = 0.5
    cells = [cell for row in csv.reader(io.StringIO(report_text.as_csv(report))) for cell in row]

    assert "'=refund" in cells
    assert "'@SUM(A1): kept" in cells
    assert not [cell for cell in cells if cell.lstrip()[:1] in ("=", "+", "-", "@")]


class Page(HTMLParser):
    """What a page is made of: its elements, whatever points elsewhere, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.points: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.points += [
            f"{n}={v}" for n, v in attrs if n in ("src", "href", "action", "style") or n[:2] == "on"
        ]

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


async def test_the_page_stands_alone_and_shows_the_figures(recorded: Week) -> None:
    """No script, nothing fetched, nobody's words or name; the numbers are those of the other forms."""
    report = await the_report()
    page = report_page.as_html(report)
    read = Page(page)

    assert read.points == []
    assert not read.elements & {"script", "link", "img", "iframe", "object", "form", "a"}
    assert not re.search(r"url\(|@import|https?:", page)
    assert "default-src 'none'" in page
    assert "Secret words" not in page
    assert "cmd()" not in page
    assert "Aurora <Air>" not in page
    assert "Aurora &lt;Air&gt;" in page
    shown = set(read.words)
    for group in report.figures.groups(Dimension.HOUR).values():
        assert shown >= set(report_text.cells(report, group))
    assert {"19 to 25 October 2026", report_text.loudness_words(report.loudness)} <= shown


async def test_no_form_of_the_report_holds_a_post_or_a_person(recorded: Week) -> None:
    report = await the_report(None)
    forms = [
        report_text.as_text(report),
        report_text.as_csv(report),
        report_page.as_html(report),
        json.dumps(report_text.as_json(report)),
    ]
    for form in forms:
        assert not re.search(r"Secret words|cmd\(\)|Nina|Ola\b|author-\d|post-\d", form)


async def test_fewer_than_five_are_counted_and_nothing_more(server: str, home: Path) -> None:
    """No percentage, median or ninth in any form; the store is a few cases old."""
    few = Week(6, seed=3)
    async with open_store(server, Path(), insecure=True) as store:
        await few.record(CaseStore(store))
    report = await the_report("month")
    told = flat(report_text.as_json(report))

    assert len(told) > 10
    for group in told.values():
        for waits in (group["first_reply"], group["human_reply"]):
            assert (waits["p50_min"] is None) == (waits["p90_min"] is None) == (waits["count"] < 5)
        for tally in group["promises"].values():
            assert (tally["share"] is None) == (tally["kept"] + tally["missed"] < 5)
    small = [group for key, group in told.items() if key[0] == "hour"]
    assert all(group["first_reply"]["p50_min"] is None for group in small)
    assert "too few" in report_page.as_html(report)
    hours = [row for row in report_text.as_csv(report).splitlines() if row.startswith("hour,")]
    assert hours
    assert all(row.split(",")[4:6] == ["", ""] for row in hours)


async def test_an_empty_store_makes_an_empty_report(server: str) -> None:
    """In every form, without a brand file."""
    report = await the_report("week")

    assert "First reply" not in report_text.as_text(report)
    assert len(report_text.as_csv(report).splitlines()) == 2
    assert "none yet" in report_text.as_text(report)
    assert "No promise falls due" in report_page.as_html(report)
    assert report.timezone == "UTC"


async def test_promises_that_are_called_otherwise_now_are_still_told(recorded: Week, home: Path) -> None:
    """Without a target: nobody wants anything of them any more."""
    (home / "brand.yaml").write_text(BRAND.replace("first hour", "quick word"))
    rows: Any = report_text.as_json(await the_report())["promises_kept"]

    assert [row["name"] for row in rows] == ["quick word", "same day", "first hour"]
    assert [row["target"] for row in rows] == [0.5, 0.98, None]
    assert (rows[0]["kept"], rows[0]["share"], rows[2]["on_target"]) == (0, None, None)
    assert rows[2]["kept"] > 0


async def test_the_demos_day_has_an_hour_of_its_own(recorded: Week, server: str) -> None:
    """What the machine's clock says is nothing to a day that plays faster."""
    async with open_store(server, Path(), insecure=True) as store:
        await Cursors(store).reach(NOW)
    years_later = ManualClock(NOW + timedelta(days=999))
    report = await make_report(read_period("today"), clock=years_later, demo=True)

    assert report.figures.now == NOW
    assert (report.brand, str(report.period.first)) == ("Aurora Air", "2026-10-25")
    assert (
        report_text.as_json(report)["forecast"] == report_text.as_json(await the_report("today"))["forecast"]
    )


def test_a_brand_file_that_is_wrong_is_named_with_its_line(
    heard: Command, server: str, home: Path, brand: None
) -> None:
    (home / "brand.yaml").write_text(BRAND.replace("Europe/Oslo", "Oslo"))
    ended = heard("report")

    assert (ended.code, ended.out) == (1, "")
    assert "brand.yaml:4" in ended.err


# ── the command ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("lately", "'lately' is no period"),
        ("2026-13-01", "'2026-13-01' is no period"),
        ("2026-10-19..", "'2026-10-19..' is no period"),
        ("20261019..20261020", "is no period"),
        ("2026-10-25..2026-10-19", "ends before it begins: write 2026-10-19..2026-10-25"),
        ("9998-01-01..9999-12-30", "9999-12-30 is still to come"),
        ("9999-12-31", "9999-12-31 is still to come"),
        ("0001-01-01..2026-01-01", "nobody posted anything on 0001-01-01"),
    ],
)
def test_a_period_that_means_nothing_is_one_sentence_and_code_2(
    heard: Command, server: str, written: str, said: str
) -> None:
    ended = heard("report", written)

    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


def test_two_formats_at_once_are_one_too_many(heard: Command, server: str) -> None:
    assert heard("report", "--json", "--format", "csv").code == 2
    assert heard("report", "--format", "pdf").code == 2
    assert heard("report", "--json", "--format", "json").code == 0


@pytest.mark.parametrize(
    ("shape", "begins"),
    [("text", "Everything so far"), ("html", "<!doctype html>"), ("csv", "dimension,"), ("json", "{")],
)
def test_the_report_goes_to_standard_output_or_into_a_file(
    heard: Command, server: str, tmp_path: Path, shape: str, begins: str
) -> None:
    """The same words in both."""
    there = tmp_path / "reports" / "all"
    printed = heard("report", "--format", shape)
    written = heard("report", "--format", shape, "--out", str(there))

    assert (printed.code, written.code, written.out) == (0, 0, "")
    assert printed.out.startswith(begins)
    assert str(there) in written.err
    if shape != "html":  # a page says when it was made
        assert re.sub(r'"now": "[^"]*"', "", there.read_text()) == re.sub(r'"now": "[^"]*"', "", printed.out)


def test_a_file_that_cannot_be_written_is_one_sentence(heard: Command, server: str, tmp_path: Path) -> None:
    ended = heard("report", "--out", str(tmp_path))

    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize(
    ("now", "today", "hours"),
    [
        (datetime(2026, 10, 24, 22, 30, tzinfo=UTC), "2026-10-25", 25),
        (datetime(2026, 10, 24, 21, 59, tzinfo=UTC), "2026-10-24", 24),
        (datetime(2026, 3, 29, 12, 0, tzinfo=UTC), "2026-03-29", 23),
    ],
)
def test_days_are_the_brands_whatever_their_length(now: datetime, today: str, hours: int) -> None:
    period = read_period("today").at(now, "Europe/Oslo")

    assert str(period.first) == str(period.last) == today
    assert period.within.until - period.within.since == timedelta(hours=hours)
    assert period.within == read_period(today).at(now, "Europe/Oslo").within
    with pytest.raises(WrongUsage, match="still to come"):
        read_period(f"{today}..2026-12-31").at(now, "Europe/Oslo")


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ("2026-10-20", "Tuesday 20 October 2026"),
        ("2026-10-19..2026-10-25", "19 to 25 October 2026"),
        ("2026-09-28..2026-10-04", "28 September to 4 October 2026"),
        ("2025-12-29..2026-01-04", "29 December 2025 to 4 January 2026"),
    ],
)
def test_a_period_is_named_as_people_name_it(days: str, said: str) -> None:
    assert read_period(days).at(NOW, "UTC").words == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (1.0, "100 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.9 %"),
        (0.945, "94 %"),
        (0.0, "0 %"),
        (0.001, "under 1 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, said: str) -> None:
    assert report_text.percent(share) == said
    assert math.isfinite(share)
