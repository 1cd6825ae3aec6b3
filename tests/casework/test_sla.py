"""Promises: when each is due, who is warned, who is told once it is broken, and each of it only once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.classification import Classification, Confidence, Intent, Sentiment, Urgency
from casework.draft import ReplyKind
from casework.hours import OpeningHours, Span
from casework.reply import Reply
from casework.sla import (
    Alert,
    LadderStep,
    MetBy,
    Promise,
    PromisePolicy,
    Promises,
    PromiseState,
    raise_due,
    release,
)
from casework.sla import Warning as EarlyWarning

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OSLO = ZoneInfo("Europe/Oslo")
WORKDAYS = (Span(time(8), time(22)),)
WEEKEND = (Span(time(9), time(18)),)
STAFFED = OpeningHours("Europe/Oslo", (WORKDAYS,) * 5 + (WEEKEND,) * 2)

FIRST_HOUR = PromisePolicy(
    name="first hour",
    within=HOUR,
    met_by=MetBy.REPLY,
    warn_at=(EarlyWarning(share=0.5), EarlyWarning(share=0.8)),
    ladder=(LadderStep(timedelta(0), "managers"), LadderStep(15 * MINUTE, "leads")),
)
SAME_DAY = PromisePolicy(
    name="same day", within=None, met_by=MetBy.ANSWER, warn_at=(EarlyWarning(left=2 * HOUR),)
)


def begun(policy: PromisePolicy = FIRST_HOUR, at: datetime = NOON) -> Promise:
    return policy.start("x:1", at, OpeningHours())


def replied(kind: ReplyKind = ReplyKind.ANSWER, *, automatic: bool = False) -> Reply:
    return Reply("c:1", kind, "r-1", "Hi!", "x:1", "Nina", NOON, automatic=automatic)


def oslo(*when: int, fold: int = 0) -> datetime:
    year, month, day, hour, minute = when
    return datetime(year, month, day, hour, minute, tzinfo=OSLO, fold=fold).astimezone(UTC)


def judged(urgency: Urgency = Urgency.NORMAL, intent: Intent = Intent.QUESTION) -> Classification:
    return Classification(Sentiment.NEUTRAL, intent, urgency, Confidence(0.9, 0.9, 0.9))


def raised_at(promise: Promise, instants: Sequence[datetime]) -> tuple[Promise, list[Alert]]:
    alerts: list[Alert] = []
    for instant in instants:
        promise, new = raise_due(promise, instant)
        alerts += new
    return promise, alerts


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        (oslo(2026, 11, 3, 7, 59), False),
        (oslo(2026, 11, 3, 8, 0), True),
        (oslo(2026, 11, 3, 21, 59), True),
        (oslo(2026, 11, 3, 22, 0), False),
        (oslo(2026, 11, 7, 8, 30), False),
        (oslo(2026, 11, 7, 9, 30), True),
        (oslo(2026, 12, 25, 12, 0), False),
    ],
)
def test_the_brand_is_there_within_its_hours(instant: datetime, is_open: bool) -> None:
    """On its own clock, on weekends as on weekends, and not on its holidays."""
    hours = replace(STAFFED, closed=frozenset({date(2026, 12, 25)}))

    assert hours.is_open(instant) is is_open


def test_a_night_shift_is_open_past_midnight() -> None:
    """Also on the morning of a closed day: the span belongs to the day before."""
    night = OpeningHours("Europe/Oslo", ((Span(time(20), time(4)),),) * 7, frozenset({date(2026, 11, 4)}))

    assert [night.is_open(oslo(2026, 11, 4, hour, 0)) for hour in (3, 5, 21)] == [True, False, False]
    assert OpeningHours().is_open(oslo(2026, 11, 4, 3, 0))
    assert not OpeningHours("UTC", ((),) * 7).is_open(NOON)


# ── warnings, breaches, the ladder ───────────────────────────────────────────────────────────────


def test_nothing_is_raised_before_its_time() -> None:
    """A promise with time left is quiet, and wakes at its first warning."""
    promise = begun()
    assert raise_due(promise, NOON + 29 * MINUTE) == (promise, ())
    assert promise.next_wake == NOON + 30 * MINUTE


def test_people_are_warned_before_a_promise_breaks() -> None:
    """At half of its time the owner hears that it is at risk; it can still be kept."""
    promise, alerts = raise_due(begun(), NOON + 30 * MINUTE)
    at = NOON + 30 * MINUTE
    assert alerts == (Alert("first hour", PromiseState.AT_RISK, NOON + HOUR, "owner", at),)
    assert promise.state is PromiseState.AT_RISK
    assert promise.next_wake == NOON + 48 * MINUTE


def test_missed_warnings_are_raised_as_one() -> None:
    """After a stop past both warnings one alert says what people need to know."""
    promise, alerts = raise_due(begun(), NOON + 55 * MINUTE)
    assert len(alerts) == 1
    assert promise.next_wake == NOON + HOUR


def test_a_promise_breaks_once() -> None:
    """At its deadline managers are told, and the next look tells nobody."""
    promise, alerts = raise_due(begun(), NOON + HOUR)
    assert promise.state is PromiseState.BREACHED
    assert [alert.to for alert in alerts] == ["managers"]
    assert raise_due(promise, NOON + HOUR + MINUTE) == (promise, ())


def test_the_ladder_climbs_until_its_end_once_each() -> None:
    """Each step is told at its time, once; then nothing is left to wake for."""
    promise, alerts = raised_at(begun(), [NOON + n * MINUTE for n in range(0, 300, 5)])
    assert [alert.to for alert in alerts if alert.state is PromiseState.BREACHED] == ["managers", "leads"]
    assert promise.next_wake is None


def test_a_long_stop_jumps_over_warnings_and_tells_every_step() -> None:
    """What came due while nothing ran is raised on return: the breach, not the warnings before it."""
    promise, alerts = raise_due(begun(), NOON + timedelta(days=3))
    assert [(alert.state, alert.to) for alert in alerts] == [
        (PromiseState.BREACHED, "managers"),
        (PromiseState.BREACHED, "leads"),
    ]
    assert not promise.ladder
    assert not promise.warn_at


def test_a_ladder_in_any_order_tells_each_step_at_its_own_time() -> None:
    """A policy that lists the later step first still tells managers first, and each once."""
    policy = replace(FIRST_HOUR, ladder=tuple(reversed(FIRST_HOUR.ladder)))
    promise, at_once = raise_due(begun(policy), NOON + HOUR)
    _, later = raise_due(promise, NOON + HOUR + 15 * MINUTE)
    assert [alert.to for alert in (*at_once, *later)] == ["managers", "leads"]


def test_a_promise_that_begins_late_in_the_day_is_at_risk_from_the_start() -> None:
    """Heard at 23:00 with a warning two hours before midnight: people hear of it before it breaks."""
    at = datetime(2026, 11, 24, 23, tzinfo=UTC)
    promise, alerts = raise_due(begun(SAME_DAY, at), at)
    assert [alert.state for alert in alerts] == [PromiseState.AT_RISK]
    assert promise.due_at == datetime(2026, 11, 25, tzinfo=UTC)


def test_a_policy_without_warnings_or_ladder_only_breaks() -> None:
    """No warning and no step: the promise breaks in silence, and is known to be broken."""
    promise, alerts = raise_due(begun(replace(FIRST_HOUR, warn_at=(), ladder=())), NOON + HOUR)
    assert (promise.state, alerts, promise.next_wake) == (PromiseState.BREACHED, (), None)


# ── keeping a promise ────────────────────────────────────────────────────────────────────────────


def test_a_reply_in_time_keeps_a_promise_for_good() -> None:
    """Once kept it is never raised again, however late anybody looks."""
    promise = begun().settle(NOON + 59 * MINUTE)
    assert promise.state is PromiseState.MET
    assert raise_due(promise, NOON + timedelta(days=9)) == (promise, ())
    assert promise.next_wake is None


def test_a_reply_at_the_deadline_is_late() -> None:
    """The hour is over when it is over; the sweep says the same."""
    assert begun().settle(NOON + HOUR).state is PromiseState.BREACHED


def test_a_late_reply_ends_the_ladder_but_not_the_breach() -> None:
    """A broken promise stays broken; nobody else is called once the customer has a reply."""
    broken, _ = raise_due(begun(), NOON + HOUR)
    settled = broken.settle(NOON + HOUR + MINUTE)
    assert (settled.state, settled.ladder) == (PromiseState.BREACHED, ())
    assert settled.settle(NOON + 5 * HOUR) is settled


@pytest.mark.parametrize(
    ("policy", "kind", "keeps"),
    [
        (FIRST_HOUR, ReplyKind.ACKNOWLEDGEMENT, True),
        (FIRST_HOUR, ReplyKind.ANSWER, True),
        (SAME_DAY, ReplyKind.ACKNOWLEDGEMENT, False),
        (SAME_DAY, ReplyKind.ANSWER, True),
    ],
)
def test_only_an_answer_keeps_a_promise_of_an_answer(
    policy: PromisePolicy, kind: ReplyKind, keeps: bool
) -> None:
    """A hollow acknowledgement never hides a customer without an answer."""
    assert begun(policy).kept_by(replied(kind)) is keeps


def test_what_is_no_longer_owed_goes_and_what_broke_stays() -> None:
    """A case that is closed owes nothing more, but its broken promise is still counted."""
    running, broken = begun(), raise_due(begun(), NOON + HOUR)[0]
    kept = begun().settle(NOON + MINUTE)
    assert release((running, broken, kept), NOON + 2 * HOUR) == (broken.settle(NOON + 2 * HOUR), kept)


# ── what is owed ─────────────────────────────────────────────────────────────────────────────────

BOTH = Promises((FIRST_HOUR, SAME_DAY))


def owed(promises: Promises, running: Sequence[Promise] = (), at: datetime = NOON) -> tuple[Promise, ...]:
    return promises.owed(running, mention="x:2", at=at, platform="x", classification=None)


def test_a_later_mention_never_moves_a_deadline() -> None:
    """The oldest mention without a reply keeps its promises."""
    first = owed(BOTH)
    assert owed(BOTH, first, NOON + 10 * MINUTE) == first


def test_a_mention_after_a_kept_promise_is_promised_anew() -> None:
    """The one that is settled stays in the record beside the new one."""
    hour, day = owed(BOTH)
    kept = hour.settle(NOON + MINUTE)
    again = owed(BOTH, (kept, day), NOON + 2 * MINUTE)
    assert again[:2] == (kept, day)
    assert [promise.started_at for promise in again[2:]] == [NOON + 2 * MINUTE]


def test_a_mention_that_nobody_judged_yet_is_promised_everything_its_platform_has() -> None:
    """Silence of the classifier must not hide a customer; another platform's promise is not theirs."""
    picky = replace(FIRST_HOUR, urgencies=frozenset({Urgency.CRITICAL}))
    elsewhere = replace(SAME_DAY, platforms=frozenset({"reddit"}))
    assert [promise.name for promise in owed(Promises((picky, elsewhere)))] == ["first hour"]


@pytest.mark.parametrize(
    ("policy", "classification", "still"),
    [
        (replace(FIRST_HOUR, urgencies=frozenset({Urgency.HIGH})), judged(Urgency.HIGH), True),
        (replace(FIRST_HOUR, urgencies=frozenset({Urgency.HIGH})), judged(Urgency.LOW), False),
        (replace(FIRST_HOUR, intents=frozenset({"question"})), judged(), True),
        (replace(FIRST_HOUR, intents=frozenset({"praise"})), judged(), False),
    ],
)
def test_judging_drops_what_was_not_promised(
    policy: PromisePolicy, classification: Classification, still: bool
) -> None:
    """Once judged, a mention keeps the promises that are for its urgency and intent."""
    promises = Promises((policy,))
    left = promises.still_owed(owed(promises), platform="x", classification=classification)
    assert bool(left) is still


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────


def test_an_hour_of_opening_time_goes_on_in_the_morning() -> None:
    """Heard at 21:30 with half an hour left to closing: due at 8:30."""
    policy = replace(FIRST_HOUR, opening_clock=True)
    promise = policy.start("x:1", oslo(2026, 11, 24, 21, 30), STAFFED)
    assert promise.due_at == oslo(2026, 11, 25, 8, 30)


def test_a_warning_of_time_left_falls_in_opening_hours() -> None:
    """Of an hour that ends at 8:30, 45 minutes are left at 21:45 the evening before, not at 7:45."""
    policy = replace(FIRST_HOUR, opening_clock=True, warn_at=(EarlyWarning(left=45 * MINUTE),))
    promise = policy.start("x:1", oslo(2026, 11, 24, 21, 30), STAFFED)
    assert promise.warn_at == (oslo(2026, 11, 24, 21, 45),)


def test_closed_days_are_jumped_over() -> None:
    """Heard at Christmas: the clock starts when the brand opens again."""
    hours = replace(STAFFED, closed=frozenset({date(2026, 12, 25), date(2026, 12, 26)}))
    assert hours.add(oslo(2026, 12, 25, 10, 0), HOUR) == oslo(2026, 12, 27, 10, 0)


def test_several_spans_a_day_leave_the_break_out() -> None:
    """Half an hour before a lunch break, an hour ends half an hour after it."""
    spans = (Span(time(9), time(12)), Span(time(13), time(17)))
    hours = OpeningHours("Europe/Oslo", (spans,) * 7)
    assert hours.add(oslo(2026, 11, 24, 11, 30), HOUR) == oslo(2026, 11, 24, 13, 30)


def test_hours_across_midnight_belong_to_the_day_they_began_on() -> None:
    """A bar open from 20:00 to 4:00 is open at 1:00, and its Monday ends on Tuesday at 4:00."""
    hours = OpeningHours("Europe/Oslo", ((Span(time(20), time(4)),),) * 7)
    late = oslo(2026, 11, 24, 1, 0)
    assert hours.add(late, HOUR) == oslo(2026, 11, 24, 2, 0)
    assert hours.end_of_open_day(late) == oslo(2026, 11, 24, 4, 0)
    assert hours.add(oslo(2026, 11, 24, 3, 30), HOUR) == oslo(2026, 11, 24, 20, 30)


def test_a_brand_that_never_opens_says_so() -> None:
    """There is no deadline in opening time without opening time."""
    never = OpeningHours("UTC", ((),) * 7)
    with pytest.raises(ValueError, match="opening hours"):
        never.add(NOON, HOUR)
    with pytest.raises(ValueError, match="opening hours"):
        never.end_of_open_day(NOON)


def test_the_end_of_the_day_is_local_midnight() -> None:
    """At 23:30 UTC it is tomorrow in Oslo already."""
    hours = OpeningHours("Europe/Oslo")
    assert hours.end_of_day(datetime(2026, 11, 24, 23, 30, tzinfo=UTC)) == oslo(2026, 11, 26, 0, 0)


def test_the_open_day_ends_at_closing_time() -> None:
    """In hours: today's closing. After hours: that of the next open day."""
    assert STAFFED.end_of_open_day(oslo(2026, 11, 24, 12, 0)) == oslo(2026, 11, 24, 22, 0)
    assert STAFFED.end_of_open_day(oslo(2026, 11, 24, 22, 0)) == oslo(2026, 11, 25, 22, 0)


@pytest.mark.parametrize(
    ("noon", "hours_in_day"),
    [(oslo(2026, 3, 29, 12, 0), 23), (oslo(2026, 10, 25, 12, 0), 25), (oslo(2026, 6, 1, 12, 0), 24)],
    ids=["spring", "autumn", "summer"],
)
def test_days_have_23_and_25_hours_when_the_clock_changes(noon: datetime, hours_in_day: int) -> None:
    """A brand that is open around the clock is open for exactly the hours that the day has."""
    hours = OpeningHours("Europe/Oslo")
    begins = hours.end_of_day(noon - timedelta(days=1))
    assert hours.end_of_day(noon) - begins == timedelta(hours=hours_in_day)
    assert hours.add(begins, timedelta(hours=hours_in_day)) == hours.end_of_day(noon)


@pytest.mark.parametrize("day", [(2026, 3, 28), (2026, 10, 24)], ids=["spring", "autumn"])
def test_opening_time_over_the_night_of_a_clock_change_is_the_usual(day: tuple[int, int, int]) -> None:
    """Saturday 17:30 plus an hour is Sunday 9:30, whatever the clock did in the night."""
    year, month, of_month = day
    assert STAFFED.add(oslo(year, month, of_month, 17, 30), HOUR) == oslo(year, month, of_month + 1, 9, 30)


def test_an_hour_on_the_plain_clock_is_an_hour_when_the_clock_goes_back() -> None:
    """Heard at 2:30 the first time round: due at 2:30 the second time."""
    promise = FIRST_HOUR.start("x:1", oslo(2026, 10, 25, 2, 30), OpeningHours("Europe/Oslo"))
    assert promise.due_at == oslo(2026, 10, 25, 2, 30, fold=1)


def test_an_hour_that_the_clock_skips_is_not_counted_twice() -> None:
    """In spring 2:00 to 3:00 does not exist: open 2:00-2:30 and 3:00-4:00 is one hour, not one and a half."""
    spans = (Span(time(2), time(2, 30)), Span(time(3), time(4)))
    hours = OpeningHours("Europe/Oslo", (spans,) * 7)
    midnight = oslo(2026, 3, 29, 0, 0)
    assert hours.add(midnight, HOUR) == oslo(2026, 3, 29, 4, 0)


# ── whatever happens ─────────────────────────────────────────────────────────────────────────────

lengths = st.integers(min_value=1, max_value=48 * 60).map(lambda minutes: minutes * MINUTE)
warnings = st.one_of(
    st.floats(min_value=0.01, max_value=0.99).map(lambda share: EarlyWarning(share=share)),
    lengths.map(lambda left: EarlyWarning(left=left)),
)
steps = st.builds(
    LadderStep,
    after=st.integers(min_value=0, max_value=600).map(lambda minutes: minutes * MINUTE),
    who=st.sampled_from(["managers", "leads", "lena"]),
)
policies = st.builds(
    PromisePolicy,
    name=st.just("a promise"),
    within=st.one_of(st.none(), lengths),
    met_by=st.sampled_from(MetBy),
    opening_clock=st.booleans(),
    warn_at=st.lists(warnings, max_size=4).map(tuple),
    ladder=st.lists(steps, max_size=4).map(tuple),
)
# Hypothesis wants the bounds without a time zone, and adds it itself.
instants = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001
    datetime(2027, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
looks = st.lists(
    st.integers(min_value=0, max_value=8 * 24 * 60).map(lambda minutes: minutes * MINUTE), min_size=1
)


@given(policies, instants, looks)
def test_looking_often_leaves_the_promise_as_looking_once_at_the_end(
    policy: PromisePolicy, at: datetime, later: list[timedelta]
) -> None:
    """A process that was down for any time ends where one that never stopped is."""
    promise = policy.start("x:1", at, STAFFED)
    often, _ = raised_at(promise, [at + look for look in sorted(later)])
    once, _ = raise_due(promise, at + max(later))
    assert often == once


@given(policies, instants, looks)
def test_nothing_is_raised_twice(policy: PromisePolicy, at: datetime, later: list[timedelta]) -> None:
    """Each warning and each step of the ladder is raised at most once, also when the clock runs wild."""
    promise = policy.start("x:1", at, STAFFED)
    _, alerts = raised_at(promise, [at + look for look in later])
    told = sorted(alert.to for alert in alerts if alert.state is PromiseState.BREACHED)
    everybody = sorted(step.who for step in policy.ladder)
    assert sum(alert.state is PromiseState.AT_RISK for alert in alerts) <= len(promise.warn_at)
    assert all(told.count(who) <= everybody.count(who) for who in told)


@given(policies, instants)
def test_the_clock_is_told_every_instant_it_must_look_at(policy: PromisePolicy, at: datetime) -> None:
    """Looking only when told to raises the breach at its deadline, and every step by its own time."""
    promise = policy.start("x:1", at, STAFFED)
    told: list[tuple[datetime, str]] = []
    for _ in range(20):
        wake = promise.next_wake
        if wake is None:
            break
        promise, new = raise_due(promise, wake)
        told += [(wake, alert.to) for alert in new if alert.state is PromiseState.BREACHED]
    assert promise.next_wake is None
    due = policy.start("x:1", at, STAFFED).due_at
    assert sorted(told) == sorted((due + step.after, step.who) for step in policy.ladder)


@given(policies, instants)
def test_warnings_come_before_the_deadline_and_not_before_the_promise(
    policy: PromisePolicy, at: datetime
) -> None:
    """Whatever the policy, a warning leaves time, and the deadline comes after the mention."""
    promise = policy.start("x:1", at, STAFFED)
    assert all(at <= warning < promise.due_at for warning in promise.warn_at)
    assert promise.due_at > at


@given(instants, lengths, lengths)
def test_opening_time_adds_up(at: datetime, first: timedelta, then: timedelta) -> None:
    """Adding two lengths one after the other is adding their sum."""
    assert STAFFED.add(STAFFED.add(at, first), then) == STAFFED.add(at, first + then)
