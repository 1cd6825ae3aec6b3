"""The breakdown at its edges; its figures of a whole week are checked in tests/config/test_report.py."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from casework import moves
from casework.case import Case
from casework.mention import Author
from escalation.breakdown import Breakdown, Dimension, Group, Verdict, band, loudness
from escalation.figures import Cause, Within
from tests.fakes.cases import MINUTE, NOON, PROMISES, a_mention, heard

DAY = timedelta(days=1)
TODAY = Within(NOON - DAY / 2, NOON + DAY / 2)


def waits(count: int, minutes: float) -> Group:
    """So many people waited so long for a person."""
    group = Group()
    for _ in range(count):
        group.human.add(timedelta(minutes=minutes))
    return group


def a_breakdown(now: datetime = NOON + 90 * MINUTE) -> Breakdown:
    return Breakdown(TODAY, zone=ZoneInfo("UTC"), now=now)


@pytest.mark.parametrize(
    ("followers", "name"),
    [
        (0, "not told"),
        (1, "under 100"),
        (99, "under 100"),
        (100, "100 to 999"),
        (999, "100 to 999"),
        (1_000, "1,000 to 9,999"),
        (10_000, "10,000 or more"),
        (2**62, "10,000 or more"),
    ],
)
def test_each_author_is_in_one_group_of_followers(followers: int, name: str) -> None:
    assert band(Author("a", "a", followers=followers)) == name


@pytest.mark.parametrize(
    ("loud", "quiet", "verdict"),
    [
        (waits(20, 10), waits(20, 15), Verdict.LOUD_FIRST),
        (waits(20, 10), waits(20, 14.9), Verdict.ALIKE),
        (waits(20, 15), waits(20, 10), Verdict.QUIET_FIRST),
        (waits(20, 14.9), waits(20, 10), Verdict.ALIKE),
        (waits(19, 10), waits(200, 100), Verdict.TOO_FEW),
        (waits(200, 10), waits(19, 100), Verdict.TOO_FEW),
        (waits(20, 0), waits(20, 1), Verdict.LOUD_FIRST),
        (waits(20, 0), waits(20, 0), Verdict.ALIKE),
    ],
)
def test_loudness_is_judged_only_where_numbers_and_difference_allow(
    loud: Group, quiet: Group, verdict: Verdict
) -> None:
    """Twenty each, and one half as long again as the other."""
    assert loudness({"10,000 or more": loud, "under 100": quiet}).verdict is verdict


def test_loudness_compares_the_ends_that_have_enough_and_nobody_unknown() -> None:
    groups = {
        "10,000 or more": waits(3, 1),
        "1,000 to 9,999": waits(20, 10),
        "100 to 999": waits(30, 40),
        "under 100": waits(4, 500),
        "not told": waits(500, 900),
    }
    found = loudness(groups)

    assert (found.verdict, found.loud, found.quiet) == (Verdict.LOUD_FIRST, "1,000 to 9,999", "100 to 999")
    assert (found.loud_wait, found.quiet_wait) == (10 * MINUTE, 40 * MINUTE)
    assert loudness({"not told": waits(500, 900), "under 100": waits(500, 1)}).verdict is Verdict.TOO_FEW


def test_a_clock_that_is_wrong_in_the_future_breaks_no_calendar() -> None:
    """What is written in the last hour of the last year is counted under the hour in which it is read."""
    mention = replace(a_mention(), created_at=datetime(9999, 12, 31, 23, 30, tzinfo=UTC))
    case = moves.hear(mention, case_id="C-1", at=NOON, promises=PROMISES).case
    east = Breakdown(TODAY, zone=ZoneInfo("Pacific/Auckland"), now=NOON + 90 * MINUTE)

    assert east.count(case)
    assert list(east.groups(Dimension.HOUR)) == ["02:00"]
    assert east.all.mentions == 0


def test_a_case_is_late_once_however_many_promises_it_missed() -> None:
    tomorrow = a_breakdown(now=NOON + DAY)
    within = replace(TODAY, until=NOON + DAY)
    tomorrow.within = within

    assert tomorrow.count(heard())
    assert (dict(tomorrow.all.missed), tomorrow.all.late) == ({"first hour": 1, "same day": 1}, 1)


def test_what_slack_did_not_show_is_said_to_be_the_cause() -> None:
    counted = a_breakdown()
    case: Case = heard()
    counted.explain(case, (), undelivered="Slack is down")

    assert counted.causes == {Cause.NOT_DELIVERED: 1}


def test_a_case_that_missed_nothing_in_the_time_has_no_cause() -> None:
    """It was late yesterday; today's report says nothing of it."""
    counted = a_breakdown(now=NOON + DAY)
    counted.within = Within(NOON + DAY, NOON + 2 * DAY)

    assert not counted.count(heard())
    counted.explain(heard(), ())
    assert counted.causes == {}
