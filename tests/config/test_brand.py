# ruff: noqa: E501 - sample lines and sentences stand as people write and read them.
"""brand.yaml: what a manager writes becomes typed values, and whatever is wrong is said with its line."""

import contextlib
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.classification import Intent, Urgency
from casework.hours import Span
from casework.sla import LadderStep, MetBy, PromisePolicy, Since
from casework.sla import Warning as EarlyWarning
from config.brand import Brand, BrandError, load_brand, reload_if_valid
from config.lengths import read_length, say_length
from responder.policy import Action

ROOT = Path(__file__).parents[2]
OSLO = ZoneInfo("Europe/Oslo")
HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

AURORA = """\
# yaml-language-server: $schema=https://docs.example.com/schema/brand-1.json
schema: 1
brand:
  name: Aurora Air
  handles: {x: auroraair, bluesky: auroraair.com, mastodon: "@auroraair@mastodon.social", reddit: auroraair_help}
  watch: ["aurora air", auroraair, "#auroraair"]
  ignore: ["aurora borealis", "aurora, colorado"]
  languages: [en, nb]
  voice: Warm, plain, short. Sign with a first name. Never joke about delays.

hours:                       # promises count these hours only when a promise says so
  timezone: Europe/Oslo
  open: {mon-fri: "08:00-22:00", sat-sun: "09:00-18:00"}
  holidays: [NO]             # stays the text NO (YAML 1.2)

promises:
  - {name: first hour, within: 1h,  for: {urgency: [high, normal]}, clock: always,  warn_at: [50%, 80%], target: 90%}
  - {name: same day,   within: day, for: all,                        clock: opening, warn_at: [2h left],  target: 98%}

policy:                      # first rule that matches wins; the last line catches the rest
  - {when: {topic: [safety, legal, press, self-harm]},            do: escalate, to: managers}
  - {when: {intent: complaint, topic: refund},                    do: draft,    approvers: 1, id: refunds}
  - {when: {intent: praise},                                      do: draft,    template: thanks}
  - {when: {intent: question, urgency: low, confidence: ">=0.9"}, do: acknowledge, template: ack-question}
  - {when: {intent: [spam, unrelated]},                           do: ignore}
  - {when: any,                                                   do: draft}

automatic:
  enabled: false             # nothing is published without a person until you say true
  at_most: {per_customer: 1 per day, per_hour: 20}
  pause_when: {spike: 4x, negative: ">=60%"}

platforms:
  x:        {listen: true, reply: when_mentioned, budget: {per_day: 5.00 USD}}
  reddit:   {listen: [travel, auroraair], reply: manual}
  bluesky:  {listen: true, reply: when_mentioned}
  mastodon: {listen: true, reply: when_mentioned, visibility: unlisted}
  replay:   {enabled: false, file: bundled}

team:
  roles:
    approver: ["@social-care"]          # Slack user groups or people
    manager:  ["@social-leads"]
  slack: {channel: "#social-care", managers: "#social-leads", digest: "17:30"}

privacy: {keep_posts: 90d, keep_audit: 2y, mask: [email, phone, booking_reference]}
desk: {listen: 127.0.0.1:8400}
"""

SMALL = "brand: {name: A}\n"


@pytest.fixture
def aurora(tmp_path: Path) -> Brand:
    return brand(tmp_path, AURORA)


def brand(folder: Path, text: str) -> Brand:
    path = folder / "brand.yaml"
    path.write_text(text, encoding="utf-8")
    return load_brand(path)


def wrong(folder: Path, text: str | bytes) -> str:
    path = folder / "brand.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BrandError) as caught:
        load_brand(path, now=NOW)
    return str(caught.value)


def promised(folder: Path, promise: str, hours: str = "{}") -> PromisePolicy:
    text = f"{SMALL}hours: {hours}\npromises:\n  - {{name: p, {promise}}}\n"
    return brand(folder, text).promises(now=NOW).policies[0]


def oslo(*when: int) -> datetime:
    year, month, day, hour, minute = when
    return datetime(year, month, day, hour, minute, tzinfo=OSLO).astimezone(UTC)


# ── what a right file gives ──────────────────────────────────────────────────────────────────────


def test_the_sample_gives_typed_values(aurora: Brand) -> None:
    """The sample of the documentation loads, and every part of it arrives."""
    assert (aurora.name, aurora.languages, aurora.timezone) == ("Aurora Air", ("en", "nb"), "Europe/Oslo")
    assert aurora.watch == ("aurora air", "auroraair", "#auroraair")
    assert aurora.ignore == ("aurora borealis", "aurora, colorado")
    assert aurora.voice.startswith("Warm")
    assert aurora.automatic.at_most.per_customer.count == 1
    assert aurora.automatic.pause_when.spike == 4.0
    assert aurora.team.slack.digest == time(17, 30)
    assert aurora.team.roles.approver == ("@social-care",)
    assert aurora.privacy.keep_audit == timedelta(days=730)
    assert str(aurora.platforms["x"].budget.per_day) == "5.00 USD"
    assert aurora.platforms["reddit"].listen == ("travel", "auroraair")
    assert aurora.desk.listen == "127.0.0.1:8400"


def test_the_demo_file_loads_without_a_doubt() -> None:
    """The file of `heard demo` is right and raises no warning."""
    demo = load_brand(ROOT / "config" / "demo" / "brand.yaml")
    assert not demo.warnings
    assert demo.rules()[-1].id == "everything-else"
    assert demo.templates.is_file()
    assert demo.knowledge.is_dir()


def test_a_name_alone_is_enough(tmp_path: Path) -> None:
    """With only a brand name there are two promises, words to watch, and nothing published by itself."""
    small = brand(tmp_path, SMALL)
    assert [policy.name for policy in small.promises(now=NOW).policies] == ["first hour", "same day"]
    assert small.watch == ("A",)
    assert not small.automatic.enabled
    assert not small.platforms


def test_handles_lose_their_decoration(aurora: Brand) -> None:
    """`@name` and `u/name` are ways of writing a name."""
    assert aurora.handles["mastodon"] == ("auroraair@mastodon.social",)
    assert "replay" not in aurora.handles


def test_platforms_that_are_off_are_not_there(aurora: Brand) -> None:
    """`enabled: false` is as good as leaving a platform out."""
    assert set(aurora.platforms) == {"x", "reddit", "bluesky", "mastodon"}


def test_no_stays_norway(tmp_path: Path) -> None:
    """`NO` and `no` are texts: Norway and Norwegian, not false."""
    norse = brand(tmp_path, "brand: {name: A, languages: [no]}\nhours: {holidays: NO}\n")
    assert norse.languages == ("no",)
    assert norse.file.hours.holidays == ("NO",)
    assert date(2026, 5, 17) in norse.hours(now=NOW).closed


def test_the_file_is_known_by_its_text(aurora: Brand, tmp_path: Path) -> None:
    """Another text has another fingerprint, so that a decision names exactly the policy it came from."""
    assert len(aurora.sha256) == 64
    assert brand(tmp_path, AURORA + "# a remark\n").sha256 != aurora.sha256


def test_own_topics_stand_beside_the_usual_ones(tmp_path: Path) -> None:
    """A brand's topic of a usual name takes its place; the others stay."""
    topics = brand(tmp_path, f"{SMALL}topics: {{refund: voucher, baggage: [bag, suitcase]}}\n").topics
    assert topics["refund"] == ("voucher",)
    assert topics["baggage"] == ("bag", "suitcase")
    assert "money back" not in topics["refund"]
    assert "delivery" in topics


@pytest.mark.parametrize(("platform", "kept"), [("x", 90), ("reddit", 2)])
def test_posts_from_reddit_are_kept_no_longer_than_its_rule_allows(
    aurora: Brand, platform: str, kept: int
) -> None:
    """48 hours, whatever the file says (R4)."""
    assert aurora.keeps_posts(platform) == timedelta(days=kept)


# ── promises ─────────────────────────────────────────────────────────────────────────────────────


def test_promises_are_as_written(aurora: Brand) -> None:
    """Target, urgencies, clock, warnings and ladder arrive as the responder's and the clock's values."""
    hour, day = aurora.promises(now=NOW).policies
    assert (hour.within, hour.target, hour.opening_clock) == (HOUR, 0.9, False)
    assert hour.urgencies == {Urgency.HIGH, Urgency.NORMAL}
    assert hour.warn_at == (EarlyWarning(share=0.5), EarlyWarning(share=0.8))
    assert hour.ladder == (LadderStep(timedelta(0), "managers"), LadderStep(timedelta(minutes=15), "leads"))
    assert (day.within, day.opening_clock, day.urgencies) == (None, True, frozenset())
    assert day.warn_at == (EarlyWarning(left=2 * HOUR),)


@pytest.mark.parametrize(
    ("written", "met_by"),
    [
        ("within: 1h", MetBy.REPLY),
        ("within: 1d", MetBy.REPLY),
        ("within: 2d", MetBy.ANSWER),
        ("within: day", MetBy.ANSWER),
        ("within: 1h, met_by: answer", MetBy.ANSWER),
        ("within: day, met_by: reply", MetBy.REPLY),
        ("within: 1h, met_by: human reply", MetBy.HUMAN_REPLY),
    ],
)
def test_what_keeps_a_promise(tmp_path: Path, written: str, met_by: MetBy) -> None:
    """A short one is kept by any reply, one of a day or longer by an answer, unless the file says."""
    assert promised(tmp_path, written).met_by is met_by


def test_a_promise_says_what_it_runs_from_and_when_nobody_is_told(tmp_path: Path) -> None:
    """It runs from any mention and rings at any hour unless the file says otherwise."""
    plain = promised(tmp_path, "within: 1h")
    assert (plain.since, plain.quiet) == (Since.ANY, None)

    told = promised(tmp_path, 'within: 4h, starts: follow-up, quiet: "22:00-07:00"')
    assert (told.since, told.quiet) == (Since.FOLLOW_UP, Span(time(22), time(7)))


def test_a_ladder_of_your_own_is_put_in_order(tmp_path: Path) -> None:
    """The steps may stand in any order."""
    ladder = promised(
        tmp_path, 'within: 1h, ladder: [{after: 1h, to: "@lena", every: 30m}, {after: 0m, to: managers}]'
    ).ladder
    assert [(step.who, step.every) for step in ladder] == [
        ("managers", None),
        ("@lena", timedelta(minutes=30)),
    ]


@pytest.mark.parametrize(
    ("heard", "due"),
    [
        (oslo(2026, 3, 28, 17, 30), oslo(2026, 3, 29, 9, 30)),
        (oslo(2026, 10, 24, 17, 30), oslo(2026, 10, 25, 9, 30)),
    ],
    ids=["spring", "autumn"],
)
def test_promises_hold_over_clock_changes(tmp_path: Path, heard: datetime, due: datetime) -> None:
    """An hour of opening time over the night of a clock change is an hour of people being there."""
    hours = '{timezone: Europe/Oslo, open: {mon-fri: "08:00-22:00", sat-sun: "09:00-18:00"}}'
    text = f"{SMALL}hours: {hours}\npromises: [{{name: p, within: 1h, clock: opening}}]\n"
    promises = brand(tmp_path, text).promises(now=heard)
    (promise,) = promises.owed((), mention="x:1", at=heard, platform="x", classification=None)
    assert promise.due_at == due


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, 23), (10, 25, 25)], ids=["spring", "autumn"])
def test_the_day_of_a_clock_change_ends_at_its_midnight(
    tmp_path: Path, month: int, day: int, hours: int
) -> None:
    """The same day is 23 hours long in spring and 25 in autumn."""
    text = f"{SMALL}hours: {{timezone: Europe/Oslo}}\npromises: [{{name: p, within: day}}]\n"
    at = oslo(2026, month, day, 0, 0)
    promise = (
        brand(tmp_path, text)
        .promises(now=at)
        .policies[0]
        .start("x:1", at, brand(tmp_path, text).hours(now=at))
    )
    assert promise.due_at - at == timedelta(hours=hours)


def test_hours_may_span_midnight_and_have_breaks(tmp_path: Path) -> None:
    """Several spans a day, one of them over midnight; days that are not named are closed."""
    text = f'{SMALL}hours: {{open: {{fri: ["09:00-12:00", "20:00-04:00"], sat-sun: closed, mon: 24h}}}}\n'
    week = brand(tmp_path, text).hours(now=NOW).week
    assert week[4] == (Span(time(9), time(12)), Span(time(20), time(4)))
    assert week[0] == (Span(time(0), time(0)),)
    assert week[1] == week[5] == ()


def test_nobody_is_expected_on_a_holiday(tmp_path: Path) -> None:
    """Heard in the evening before Norway's national day: due on the first day after it."""
    hours = '{timezone: Europe/Oslo, open: {mon-sun: "09:00-18:00"}, holidays: [NO], closed: [2027-05-18]}'
    text = f"{SMALL}hours: {hours}\npromises: [{{name: p, within: 1h, clock: opening}}]\n"
    heard = oslo(2027, 5, 15, 17, 30)
    promises = brand(tmp_path, text).promises(now=heard)
    (promise,) = promises.owed((), mention="x:1", at=heard, platform="x", classification=None)
    assert promise.due_at == oslo(2027, 5, 19, 9, 30)


def test_holidays_of_a_region_are_those_of_its_country_and_its_own(tmp_path: Path) -> None:
    """Bavaria has Epiphany, Berlin has not; a code such as NO-03 is as good as its country."""
    bavaria = brand(tmp_path, f"{SMALL}hours: {{holidays: [DE-BY]}}\n").hours(now=NOW)
    berlin = brand(tmp_path, f"{SMALL}hours: {{holidays: [DE-BE]}}\n").hours(now=NOW)
    assert date(2027, 1, 6) in bavaria.closed - berlin.closed
    assert date(2026, 5, 17) in brand(tmp_path, f"{SMALL}hours: {{holidays: NO-03}}\n").hours(now=NOW).closed


# ── rules ────────────────────────────────────────────────────────────────────────────────────────


def test_holidays_of_several_countries_and_regions_add_up(tmp_path: Path) -> None:
    """A brand with people in Oslo and Munich is closed on the holidays of both."""
    both = brand(tmp_path, f"{SMALL}hours: {{holidays: [NO, DE-BY]}}\n").hours(now=NOW).closed
    norse = brand(tmp_path, f"{SMALL}hours: {{holidays: [NO]}}\n").hours(now=NOW).closed
    bavarian = brand(tmp_path, f"{SMALL}hours: {{holidays: [DE-BY]}}\n").hours(now=NOW).closed
    assert both == norse | bavarian
    assert {date(2027, 5, 17), date(2027, 1, 6)} <= both


def test_holidays_are_those_of_the_years_round_now(tmp_path: Path) -> None:
    """Asked again in another year, that year's are known: Easter moves."""
    norse = brand(tmp_path, f"{SMALL}hours: {{holidays: [NO]}}\n")
    good_friday_2031 = date(2031, 4, 11)
    assert good_friday_2031 not in norse.hours(now=NOW).closed
    assert good_friday_2031 in norse.hours(now=datetime(2030, 7, 1, tzinfo=UTC)).closed


def test_closed_days_may_be_from_one_day_to_another(tmp_path: Path) -> None:
    """Both of them are closed too, over the end of a year; single days stand beside."""
    text = f"{SMALL}hours: {{closed: [2026-12-30..2027-01-02, 2027-06-01]}}\n"
    days = [date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 2), date(2027, 6, 1)]
    assert brand(tmp_path, text).hours(now=NOW).closed == frozenset(days)


def test_rules_are_as_written(aurora: Brand) -> None:
    """Each line becomes a rule with an id; a line without one is known by its place."""
    rules = aurora.rules()
    assert [rule.id for rule in rules] == [
        "rule 1",
        "refunds",
        "rule 3",
        "rule 4",
        "rule 5",
        "rule 5",
        "rule 6",
    ]
    assert (rules[0].do, rules[0].to) == (Action.ESCALATE, "managers")
    assert rules[0].when.topics == {"safety", "legal", "press", "self-harm"}
    assert (rules[3].when.confidence, rules[3].template) == (0.9, "ack-question")
    assert rules[-1].when == rules[-1].when.__class__()


def test_spam_and_unrelated_are_words_for_what_the_model_says(aurora: Brand) -> None:
    """Spam is a topic of the word rules; unrelated is neither a known intent nor anything to answer."""
    spam, unrelated = (rule.when for rule in aurora.rules() if rule.id == "rule 5")
    assert spam.topics == {"spam"}
    assert unrelated.intents == {Intent.OTHER}
    assert unrelated.urgencies == {Urgency.LOW}


@pytest.mark.parametrize(
    ("written", "at_least", "below"), [(">=0.9", 0.9, None), ("<0.6", None, 0.6), (">=90%", 0.9, None)]
)
def test_confidence_is_a_bound(
    tmp_path: Path, written: str, at_least: float | None, below: float | None
) -> None:
    """At least so sure, or less sure than that."""
    text = f'{SMALL}policy: [{{when: {{confidence: "{written}", addressed: no}}, do: draft}}]\n'
    when = brand(tmp_path, text).rules()[0].when
    assert (when.confidence, when.below, when.addressed) == (at_least, below, False)


def test_a_rule_that_is_never_reached_is_doubted(tmp_path: Path) -> None:
    """After `when: any` nothing matches any more; the file is right, but hardly what was meant."""
    text = f"{SMALL}policy:\n  - {{id: all, when: any, do: draft}}\n  - {{id: late, when: {{topic: refund}}, do: ignore}}\n"
    assert brand(tmp_path, text).warnings == (
        "brand.yaml:4: policy › late: this rule is never reached, as `all` above it matches everything",
    )


def test_a_promise_that_forgets_the_most_urgent_is_doubted(aurora: Brand) -> None:
    """High but not critical is hardly what anybody means."""
    (doubt,) = aurora.warnings
    assert doubt.startswith("brand.yaml:17: promises › first hour › for: ")


# ── what is wrong is said with its line ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("schema: 2\n" + SMALL, "brand.yaml:1: schema: there is no `2` here; Known: 1"),
        (
            "brand:\n  name: 7\n",
            'brand.yaml:2: brand › name: write text; put it in quotes if it looks like a number, such as "404"',
        ),
        (
            "brand:\n  watch: [a]\n",
            "brand.yaml:1: brand › name: this is missing; write it, for example `name: Aurora Air`",
        ),
        (
            "brand:\n  name: A\n  handels: {}\n",
            "brand.yaml:3: brand › handels: there is no such setting; did you mean `handles`? "
            "Known: name, handles, watch, ignore, languages, voice",
        ),
        (
            SMALL + "hours:\n  timezone: Europe/Olso\n",
            "brand.yaml:3: hours › timezone: there is no time zone `Europe/Olso`; write one such as Europe/Oslo or UTC",
        ),
        (
            SMALL + "hours:\n  open:\n    mon-fry: 24h\n",
            "brand.yaml:4: hours › open › mon-fry: write weekdays such as mon, sat-sun or mon-fri",
        ),
        (
            SMALL + 'hours:\n  open:\n    mon: "8-22"\n',
            'brand.yaml:4: hours › open › mon: write opening hours such as "08:00-22:00", a list of them, 24h or closed',
        ),
        (
            SMALL + "hours:\n  holidays:\n    - NO\n    - XX\n",
            "brand.yaml:5: hours › holidays › XX: there are no holidays for the country `XX`",
        ),
        (
            SMALL + "hours:\n  closed:\n    - xmas\n",
            "brand.yaml:4: hours › closed › xmas: write a day such as 2026-12-24, or days such as 2026-12-24..2026-12-31",
        ),
        (
            SMALL + "hours:\n  closed:\n    - 2026-12-24\n    - 2026-12-31..2026-12-25\n",
            "brand.yaml:5: hours › closed › 2026-12-31..2026-12-25: 2026-12-31..2026-12-25 ends before it begins; "
            "write the earlier day first",
        ),
        (
            SMALL + "hours:\n  closed: 2026-01-01..9999-12-31\n",
            "brand.yaml:3: hours › closed: write fewer days: these are more than five years",
        ),
        (
            SMALL + "hours:\n  closed: 2026-02-30\n",
            "brand.yaml:3: hours › closed: write a day such as 2026-12-24",
        ),
        (
            SMALL + "hours:\n  holidays:\n    - NO\n    - DE-BX\n",
            "brand.yaml:5: hours › holidays › DE-BX: DE has no region `BX`; known regions: BB, BE, BW, BY",
        ),
        (
            SMALL + "hours:\n  holidays: no\n",
            "brand.yaml:3: hours › holidays: there are no holidays for the country `no` (did you mean `NO`?); "
            "write a code such as NO",
        ),
        (
            SMALL + 'hours:\n  open:\n    mon: ["09:00-13:00", "12:30-17:00"]\n',
            "brand.yaml:4: hours › open › mon: these hours overlap with others; write each hour once",
        ),
        (
            SMALL + 'hours:\n  open:\n    mon: ["13:00-09:00", "14:00-17:00"]\n',
            "brand.yaml:4: hours › open › mon: these hours overlap with others; write each hour once",
        ),
        (
            SMALL + 'hours:\n  open:\n    mon: "00:00-04:00"\n    sun: "20:00-02:00"\n',
            "brand.yaml:4: hours › open › mon: these hours overlap with others; write each hour once",
        ),
        (
            SMALL + 'hours:\n  open:\n    mon: "09:00-09:00"\n',
            "brand.yaml:4: hours › open › mon: 09:00-09:00 opens and closes at the same minute; write 24h",
        ),
        (
            SMALL
            + 'hours: {open: {mon: "09:00-10:00"}}\npromises:\n  - {name: p, within: 60h, clock: opening}\n',
            "brand.yaml:4: promises › p › within: the opening hours leave no time to keep this within a year",
        ),
        (
            SMALL + "hours:\n  open: {mon: 24h}\n  holidays: NO\n  closed: 2026-11-01..2027-12-31\n",
            "brand.yaml:5: hours › closed: holidays, closed days and calendars together leave no open hour",
        ),
        (
            SMALL + "promises:\n  - name: first hour\n    within: soon\n",
            "brand.yaml:4: promises › first hour › within: write a length of time such as 30m, 1h or 2d",
        ),
        (
            SMALL + "promises:\n  - name: p\n    within: 1h\n    warn_at:\n      - 50%\n      - soon\n",
            "brand.yaml:7: promises › p › warn_at › soon: write a warning such as 50% (of the time gone) or 2h left",
        ),
        (
            SMALL + "promises:\n  - name: p\n    within: 1h\n    ladder:\n      - {after: 0m, to: manager}\n",
            "brand.yaml:6: promises › p › ladder › #1 › to: nobody is called `manager` (did you mean `managers`?)",
        ),
        (
            SMALL
            + "promises:\n  - name: p\n    within: 1h\n    ladder:\n      - {after: 0m, to: managers}\n"
            + "      - {after: 15m, to: leads}\n      - {after: 30m, to: managers}\n",
            "brand.yaml:8: promises › p › ladder › #3: the ladder comes back to managers",
        ),
        (
            SMALL
            + "promises:\n  - name: p\n    within: 1h\n    ladder: [{after: 0m, to: leads, every: 5s}]\n",
            "brand.yaml:5: promises › p › ladder › #1 › every: nobody reads an alarm that comes so often",
        ),
        (
            SMALL + "promises:\n  - name: p\n    within: 1h\n    timezone: Europe/Oslo\n",
            "brand.yaml:5: promises › p › timezone: a time zone of its own is for `within: day`",
        ),
        (
            SMALL + 'promises:\n  - name: p\n    within: 1h\n    quiet: "00:00-00:00"\n',
            "brand.yaml:5: promises › p › quiet: quiet hours that never end would hide every broken promise",
        ),
        (
            SMALL + "promises:\n  - {name: p, within: 1h, target: 900%}\n",
            "brand.yaml:3: promises › p › target: write a share such as 90%",
        ),
        (
            SMALL + "promises:\n  - {name: p, within: 1h}\n  - {name: p, within: 2h}\n",
            "brand.yaml:4: promises › p: there is already a promise with this name; choose another",
        ),
        (
            SMALL + "policy:\n  - when: {intent: prase}\n    do: draft\n",
            "brand.yaml:3: policy › #1 › when › intent: there is no intent `prase`; did you mean `praise`? "
            "Known: churn, bug, question, complaint, suggestion, purchase, praise, other, spam, unrelated",
        ),
        (
            SMALL + "policy:\n  - when:\n      topic:\n        - refund\n        - refnd\n    do: draft\n",
            "brand.yaml:6: policy › #1 › when › topic › refnd: there is no topic `refnd`; did you mean `refund`?",
        ),
        (
            SMALL + "policy:\n  - {id: a, when: any, do: repply}\n",
            "brand.yaml:3: policy › a › do: there is no action `repply`; Known: ignore, acknowledge, draft, escalate",
        ),
        (
            SMALL + "policy:\n  - {id: a, when: any, do: acknowledge}\n",
            "brand.yaml:3: policy › a: name the reviewed wording",
        ),
        (SMALL + "topics:\n  legal: [court]\n", "brand.yaml:3: topics › legal: this topic is built in"),
        (
            SMALL + "platforms:\n  twitter: {}\n",
            "brand.yaml:3: platforms › twitter: there is no such setting; Known: x,",
        ),
        (
            SMALL + "platforms:\n  x:\n    reply: always\n",
            "brand.yaml:4: platforms › x › reply: there is no `always` here; Known: when_mentioned, manual, never",
        ),
        (
            SMALL + "platforms:\n  x: {budget: {per_day: 5}}\n",
            "brand.yaml:3: platforms › x › budget › per_day: write an amount with its currency, such as 5.00 USD",
        ),
        (
            SMALL + "automatic:\n  enabled: perhaps\n",
            "brand.yaml:3: automatic › enabled: write true or false",
        ),
        (
            SMALL + "automatic:\n  at_most: {per_customer: once}\n",
            "brand.yaml:3: automatic › at_most › per_customer: write a limit such as 1 per day",
        ),
        (
            SMALL + "team:\n  slack: {digest: 25:00}\n",
            "brand.yaml:3: team › slack › digest: write a time of day",
        ),
        (
            SMALL + "privacy:\n  keep_posts: ever\n",
            "brand.yaml:3: privacy › keep_posts: write a length of time",
        ),
        (SMALL + "desk:\n  listen: localhost\n", "brand.yaml:3: desk › listen: write an address and a port"),
        (SMALL + "desk: 8400\n", "brand.yaml:2: desk: write settings below it, as `key: value`"),
        (
            SMALL + 'hours:\n  open:\n    mon: "20:00-04:00"\n    tue: "02:00-10:00"\n',
            "brand.yaml:5: hours › open › tue: these hours overlap with others; write each hour once",
        ),
        (
            SMALL + "hours:\n  open:\n    mon-fri: 24h\n    fri: 24h\n",
            "brand.yaml:5: hours › open › fri: `mon-fri` already gives hours for one of these days",
        ),
        (
            SMALL + "hours: {open: {}}\npromises:\n  - name: p\n    within: 1h\n    clock: opening\n",
            "brand.yaml:6: promises › p › clock: the brand is never open, so this could not be kept",
        ),
    ],
)
def test_every_problem_names_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    """Line, place, and how to write it."""
    assert wrong(tmp_path, text).startswith(sentence)


def test_all_problems_are_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Nobody mends a file one error at a time."""
    text = "brand:\n  nme: A\npromises:\n  - {within: soon}\ndesk: {listen: x}\n"
    lines = [line.split(":")[1] for line in wrong(tmp_path, text).splitlines()]
    assert lines == ["1", "2", "4", "4", "5"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "brand.yaml: the file is empty; `heard init` writes one to start from"),
        (b"# only a remark\n", "brand.yaml: the file is empty; `heard init` writes one to start from"),
        (b"- a\n- b\n", "brand.yaml:1: write settings as `key: value` lines, as in `heard init`"),
        (b"just text", "brand.yaml:1: write settings as `key: value` lines, as in `heard init`"),
        (b"brand:\n  name: A\n  name: B\n", "brand.yaml:3: `name` is written twice; keep one"),
        (b"brand:\n\tname: A\n", "brand.yaml:2: this is not valid YAML: found character '\\t'"),
        (b"brand: {name: A\n", "brand.yaml:2: this is not valid YAML: "),
        (b"brand:\n  name: Caf\xe9\n", "brand.yaml:2: the file is not UTF-8 text; save it as UTF-8"),
        (b"a: 1\n---\nb: 1\n", "brand.yaml:2: this is not valid YAML: but found another document"),
        (b"a: \x00\n", "brand.yaml: this is not valid YAML: "),
        (b"x" * 1_000_001, "brand.yaml: the file is larger than 1 MB, so it is no settings file"),
    ],
)
def test_what_is_no_settings_file_is_said_in_a_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    """Empty, broken, double, wrong encoding: a plain sentence each, with the line where there is one."""
    assert wrong(tmp_path, content).startswith(sentence)


def test_a_file_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    """And the sentence says how to get one."""
    with pytest.raises(BrandError, match="`heard init` writes one"):
        load_brand(tmp_path / "brand.yaml")
    with pytest.raises(BrandError, match="this is a folder, not a file"):
        load_brand(tmp_path)


def test_a_file_that_refers_to_itself_ends(tmp_path: Path) -> None:
    """References that grow without end are refused, not followed."""
    layers = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 8))
    assert "nested too deeply" in wrong(tmp_path, f"l0: &l0 [x]\n{layers}")
    assert "brand.yaml" in wrong(tmp_path, "a: &a {b: *a}\n")


def test_long_and_hidden_letters_do_not_spoil_the_sentence(tmp_path: Path) -> None:
    """A sentence stays a line of a length that one reads."""
    text = SMALL + f'policy:\n  - {{id: a, when: {{intent: "{"x" * 900}"}}, do: "\\e[2J\\n"}}\n'
    sentences = wrong(tmp_path, text).splitlines()
    assert len(sentences) == 2
    assert all(len(sentence) < 250 and sentence.isprintable() for sentence in sentences)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Some editors write one."""
    (tmp_path / "brand.yaml").write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load_brand(tmp_path / "brand.yaml").name == "A"


@given(st.binary(max_size=300))
def test_any_file_gives_a_brand_or_sentences(content: bytes) -> None:
    """Whatever is in the file, nothing else escapes."""
    _load_anything(content)


@given(st.text(alphabet="abn:{}[]-,.'\"#&*!|>%\n 0123456789", max_size=200))
def test_any_yaml_gives_a_brand_or_sentences(text: str) -> None:
    """Also for what looks like YAML."""
    _load_anything(text.encode())
    _load_anything(f"brand: {{name: A}}\npromises: {text}\n".encode())


def _load_anything(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "brand.yaml"
        path.write_bytes(content)
        with contextlib.suppress(BrandError):
            assert load_brand(path).name


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (
            'hours: {open: {mon-fri: "08:00-16:00"}}\npromises:\n  - {name: p, within: 41h, clock: opening}\n',
            "brand.yaml:4: promises › p › within: this is more than all opening hours of a week (40h); with "
            "`clock: opening` only those count",
        ),
        (
            'hours:\n  open: {mon: "18:00-08:00"}\n',
            "brand.yaml:3: hours › open › mon: 18:00-08:00 is open through the night until the next day; swap the "
            "two times if that is not meant",
        ),
    ],
)
def test_hours_that_are_most_likely_not_meant_are_doubted(tmp_path: Path, text: str, doubt: str) -> None:
    """They are taken as they stand, and `heard config check` says so."""
    assert doubt in brand(tmp_path, SMALL + text).warnings


def test_usual_weeks_are_not_doubted(tmp_path: Path) -> None:
    """A bar's night, a promise of a week on the plain clock, a target of exactly the opening week."""
    text = (
        f'{SMALL}hours: {{open: {{mon-fri: "20:00-04:00"}}}}\npromises:\n'
        "  - {name: p, within: 41h}\n  - {name: q, within: 40h, clock: opening}\n"
    )
    assert brand(tmp_path, text).warnings == ()


def test_a_promise_must_fit_in_whichever_month_it_begins(tmp_path: Path) -> None:
    """It fits today, but not in the months before a year without anybody: there would be no deadline then."""
    text = (
        f'{SMALL}hours: {{open: {{mon: "09:00-10:00"}}, closed: [2027-03-01..2028-05-31]}}\n'
        "promises:\n  - {name: p, within: 10h, clock: opening}\n"
    )
    assert wrong(tmp_path, text).startswith("brand.yaml:4: promises › p › within: the opening hours leave no")


# ── reading again ────────────────────────────────────────────────────────────────────────────────


def test_a_changed_file_that_is_right_takes_over(aurora: Brand) -> None:
    """The new settings, and nothing to say."""
    aurora.source.write_text(AURORA.replace("Aurora Air", "Boreal Air"), encoding="utf-8")
    fresh, said = reload_if_valid(aurora, aurora.source)
    assert (fresh.name, said) == ("Boreal Air", None)


def test_a_changed_file_that_is_wrong_changes_nothing(aurora: Brand) -> None:
    """The settings in force stay, and a sentence says what is wrong and where."""
    aurora.source.write_text(AURORA.replace("within: 1h", "within: soon"), encoding="utf-8")
    kept, said = reload_if_valid(aurora, aurora.source)
    assert kept is aurora
    assert said is not None
    assert "kept the settings in force" in said
    assert "brand.yaml:17: promises › first hour › within" in said


@given(st.integers(min_value=0, max_value=10**8).map(lambda seconds: timedelta(seconds=seconds)))
def test_lengths_of_time_read_as_they_are_said(length: timedelta) -> None:
    """What is shown can be written into the file."""
    assert read_length(say_length(length)) == length
