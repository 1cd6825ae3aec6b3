"""Spikes: a burst is told within a quarter of an hour, once, and ended once; ordinary days tell nothing."""

import math
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bench import spikes as bench
from casework.spikes import SLOT, Over, Spike, SpikeState, SpikeWatch, Thresholds

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")
DAY = timedelta(days=1)
RECORDED = Path("/work/shared/data/nab")
Count = tuple[datetime, int, int]
Told = list[tuple[datetime, Spike | Over]]


def days(
    count: float,
    *,
    at: datetime = MONDAY,
    level: Callable[[datetime], float] = lambda _at: 1.0,
    negative: float = 0.3,
    seed: int = 7,
) -> Iterator[Count]:
    """Counts of so many days, chance around a level of ten a slot; ``level`` multiplies it at an instant."""
    dice, end = random.Random(seed), at + count * DAY
    while at < end:
        mentions = _by_chance(dice, 10 * level(at))
        yield at, mentions, sum(dice.random() < negative for _ in range(mentions))
        at += SLOT


def _by_chance(dice: random.Random, mean: float) -> int:
    """How many come where so many come on average (Knuth)."""
    most, product, number = math.exp(-mean), dice.random(), 0
    while product > most:
        product *= dice.random()
        number += 1
    return number


def rhythm(at: datetime) -> float:
    """A tenth of the noon's posts at night, on Oslo's wall clock; weekends are half as loud."""
    local = at.astimezone(OSLO)
    hour = local.hour + local.minute / 60
    awake = max(0.1, math.sin(math.pi * (hour - 6) / 17)) if 6 <= hour <= 23 else 0.1
    return 2 * awake * (0.5 if local.weekday() >= 5 else 1.0)


def fed(watch: SpikeWatch, counts: Iterable[Count]) -> Told:
    """What the watch says of these counts, and at which."""
    return [(count[0], told) for count in counts if (told := watch.add(*count)) is not None]


def burst(start: datetime, length: timedelta, times: float) -> Callable[[datetime], float]:
    """Once the usual, and so many times it for a while."""
    return lambda at: times if start <= at < start + length else 1.0


@pytest.mark.parametrize("seed", range(2))
def test_a_daily_and_weekly_rhythm_raises_nothing(seed: int) -> None:
    """Three weeks with loud days, quiet nights and quieter weekends, from the first morning on."""
    assert fed(SpikeWatch(timezone="Europe/Oslo"), days(21, level=rhythm, seed=seed)) == []


@pytest.mark.parametrize("after", [1.5, 4, 20])
def test_a_burst_of_six_times_is_found_within_a_quarter_of_an_hour(after: float) -> None:
    start = MONDAY + after * DAY
    level = burst(start, timedelta(hours=1), 6)
    (_, spike), *_ = fed(SpikeWatch(), days(after + 0.2, level=level))
    assert isinstance(spike, Spike)
    assert spike.at - start <= timedelta(minutes=15)
    assert abs(spike.began - start) <= SLOT
    assert spike.ratio >= 4
    assert not spike.angry


def test_a_burst_is_told_once_and_ended_once_though_it_wavers() -> None:
    """Two hours that swing between six times and once the usual are one event."""
    start = MONDAY + 3 * DAY

    def wavering(at: datetime) -> float:
        swing = 6.0 if (at - start) % timedelta(minutes=40) < timedelta(minutes=25) else 1.0
        return swing if start <= at < start + timedelta(hours=2) else 1.0

    (_, spike), (_, over) = fed(SpikeWatch(), days(4, level=wavering))
    assert isinstance(spike, Spike)
    assert isinstance(over, Over)
    assert over.began == spike.began
    # The quarter of an hour that is judged reaches ten minutes past the last loud count.
    assert timedelta(0) <= over.ended - (start + timedelta(hours=1, minutes=45)) <= timedelta(minutes=30)
    assert over.peak >= 4


def test_the_end_counts_everything_from_the_beginning_on() -> None:
    steady = [(MONDAY + i * SLOT, 10, 6) for i in range(576)]
    loud = [(MONDAY + (576 + i) * SLOT, 80, 57) for i in range(6)]
    calm = [(MONDAY + (582 + i) * SLOT, 10, 6) for i in range(24)]
    (_, spike), (_, over) = fed(SpikeWatch(), [*steady, *loud, *calm])
    assert spike == Spike(
        began=loud[0][0],
        at=loud[1][0] + SLOT,
        mentions=170,
        negative=120,
        usual=30.0,
        ratio=170 / 30,
        angry=True,
    )
    assert isinstance(over, Over)
    counted = [c for c in (*loud, *calm) if c[0] < over.ended + timedelta(hours=1)]
    assert (over.mentions, over.negative) == (sum(c[1] for c in counted), sum(c[2] for c in counted))
    assert over.peak == 8.0


def test_a_slow_drift_raises_nothing() -> None:
    """The brand becomes five times as loud within three weeks."""
    assert fed(SpikeWatch(), days(21, level=lambda at: 1 + 4 * ((at - MONDAY) / (21 * DAY)))) == []


def test_a_new_level_that_stays_is_a_spike_once_and_then_the_usual() -> None:
    told = fed(SpikeWatch(), days(28, level=lambda at: 6.0 if at >= MONDAY + 20 * DAY else 1.0))
    assert [type(what) for _, what in told] == [Spike, Over]
    assert told[1][0] - told[0][0] < timedelta(hours=14)


def test_a_gap_in_the_counts_raises_nothing() -> None:
    """A quarter of an hour, three hours, a day and more than a week, each followed by two days."""
    counts, lost = list(days(23, level=rhythm)), MONDAY + 12.3 * DAY
    watch = SpikeWatch(timezone="Europe/Oslo")
    assert fed(watch, (count for count in counts if count[0] < lost)) == []
    for hours in (0.25, 3, 30, 200):
        back = lost + timedelta(hours=hours)
        after = SpikeWatch(timezone="Europe/Oslo", state=watch.state)
        assert fed(after, (count for count in counts if back <= count[0] < back + 2 * DAY)) == []


def test_one_loud_count_on_each_side_of_a_gap_is_not_one_burst() -> None:
    steady = [(MONDAY + i * SLOT, 10, 2) for i in range(576)]
    end = steady[-1][0]
    around = [
        (end + SLOT, 55, 10),
        (end + timedelta(hours=5), 55, 10),
        (end + timedelta(hours=5) + SLOT, 10, 2),
    ]
    assert fed(SpikeWatch(), [*steady, *around]) == []


def test_a_gap_within_a_spike_does_not_make_it_two() -> None:
    start = MONDAY + 3 * DAY
    level = burst(start, timedelta(hours=6), 6)
    lost = start + timedelta(hours=2)
    counts = [c for c in days(4, level=level) if not lost <= c[0] < lost + timedelta(hours=2)]
    assert [type(what) for _, what in fed(SpikeWatch(), counts)] == [Spike, Over]


@pytest.mark.parametrize("change", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_the_clock_change_raises_nothing(change: datetime) -> None:
    """Two weeks before and some days after: people keep to the wall clock, and so does the watch."""
    counts = days(19, at=change - 15 * DAY, level=rhythm)
    assert fed(SpikeWatch(timezone="Europe/Oslo"), counts) == []


def test_a_burst_on_the_night_of_the_clock_change_is_found() -> None:
    start = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)  # 02:15 for the second time
    high = burst(start, timedelta(hours=1), 12)
    counts = days(15.5, at=start - 15 * DAY, level=lambda at: rhythm(at) * high(at))
    (_, spike), _ = fed(SpikeWatch(timezone="Europe/Oslo"), counts)
    assert isinstance(spike, Spike)
    assert spike.at - start <= timedelta(minutes=15)


def test_a_burst_at_night_is_measured_by_the_night() -> None:
    """Eight times a quiet night is less than a usual noon: only the hour of the week tells it."""
    start = MONDAY + 15 * DAY + timedelta(hours=2)
    high = burst(start, timedelta(hours=1), 8)
    counts = days(15.5, level=lambda at: rhythm(at) * high(at))
    (_, spike), _ = fed(SpikeWatch(timezone="Europe/Oslo"), counts)
    assert isinstance(spike, Spike)
    assert spike.mentions < 3 * 20


def test_few_mentions_are_no_spike_however_few_are_usual() -> None:
    quiet = [(MONDAY + i * SLOT, 0, 0) for i in range(600)]
    after = quiet[-1][0]
    few = [(after + (i + 1) * SLOT, 4, 4) for i in range(3)]
    many = [(after + (i + 4) * SLOT, 7, 7) for i in range(3)]
    watch = SpikeWatch()
    assert fed(watch, [*quiet, *few]) == []
    (_, spike), *_ = fed(watch, many)
    assert isinstance(spike, Spike)
    assert spike.angry


def test_anger_alone_is_a_spike() -> None:
    """Twice the mentions is nothing, but four of five are negative where it is one of ten."""
    steady = [(MONDAY + i * SLOT, 10, 1) for i in range(600)]
    end = steady[-1][0]
    angry = [(end + (i + 1) * SLOT, 20, 16) for i in range(3)]
    cheerful = [(end + (i + 1) * SLOT, 20, 3) for i in range(3)]
    assert fed(SpikeWatch(), [*steady, *cheerful]) == []
    (_, spike), *_ = fed(SpikeWatch(), [*steady, *angry])
    assert isinstance(spike, Spike)
    assert spike.of_negative
    assert spike.angry


def test_a_cheerful_spike_that_turns_angry_is_not_told_again_but_stops_automatic_replies() -> None:
    watch = SpikeWatch()
    steady = [(MONDAY + i * SLOT, 10, 1) for i in range(600)]
    end = steady[-1][0]
    praise = [(end + (i + 1) * SLOT, 60, 6) for i in range(4)]
    anger = [(end + (i + 5) * SLOT, 60, 50) for i in range(4)]
    said = []
    for counts in ([*steady, *praise], anger, [(end + (i + 9) * SLOT, 10, 1) for i in range(24)]):
        told = [what for _, what in fed(watch, counts)]
        said.append((*map(type, told), watch.angry, *(one.angry for one in told)))
    assert said == [(Spike, False, False), (True,), (Over, False, True)]


def test_a_burst_that_every_day_brings_becomes_ordinary_and_a_far_bigger_one_does_not() -> None:
    """Seven times the usual each day: it is told at the beginning, and seldom after."""

    def lunch(at: datetime) -> float:
        day = (at - MONDAY) // DAY
        # The hour wanders, or the hour of the week would know it.
        start = MONDAY + day * DAY + timedelta(hours=8 + day * 5 % 12)
        return 7.0 if start <= at < start + timedelta(minutes=20) else 1.0

    watch = SpikeWatch()
    spikes = [at for at, told in fed(watch, days(14, level=lunch)) if isinstance(told, Spike)]
    assert len([at for at in spikes if at > MONDAY + 4 * DAY]) <= 2
    start = MONDAY + 14 * DAY
    (_, spike), *_ = fed(watch, days(0.2, at=start, level=lambda _at: 15.0))
    assert isinstance(spike, Spike)


def test_wild_days_do_not_make_the_watch_deaf() -> None:
    """Three times the brand's threshold is told though every day before had thirty times the usual."""

    def wild(at: datetime) -> float:
        start = MONDAY + (at - MONDAY) // DAY * DAY + timedelta(hours=(at - MONDAY) // DAY * 5 % 12)
        return 30.0 if start <= at < start + timedelta(minutes=20) else 1.0

    watch = SpikeWatch()
    fed(watch, days(6, level=wild))
    (_, spike), *_ = fed(watch, days(0.2, at=MONDAY + 6 * DAY, level=lambda _at: 14.0))
    assert isinstance(spike, Spike)


def test_the_brands_own_threshold_decides() -> None:
    level = burst(MONDAY + 3 * DAY, timedelta(hours=1), 6)
    assert fed(SpikeWatch(Thresholds(ratio=10)), days(3.2, level=level)) == []
    (_, spike), *_ = fed(SpikeWatch(Thresholds(negative=0.2)), days(3.2, level=level))
    assert isinstance(spike, Spike)
    assert spike.angry


def test_what_is_counted_twice_or_late_changes_nothing() -> None:
    watch = SpikeWatch()
    fed(watch, days(2))
    state = watch.state
    assert fed(watch, [(at, 1_000, 0) for at, *_ in islice(days(2), 300)]) == []
    assert watch.state is state


def test_a_watch_that_is_stored_and_restarted_at_every_count_says_the_same() -> None:
    level = burst(MONDAY + 2 * DAY, timedelta(hours=1), 6)
    counts = list(days(2.5, level=level))
    through = fed(SpikeWatch(), counts)
    state, restarted = SpikeState(), []
    for count in counts:
        raw = msgspec.msgpack.encode(state)
        watch = SpikeWatch(state=msgspec.msgpack.decode(raw, type=SpikeState))
        if (told := watch.add(*count)) is not None:
            restarted.append((count[0], told))
        state = watch.state
    assert [type(what) for _, what in through] == [Spike, Over]
    assert restarted == through


def test_what_is_stored_is_small() -> None:
    watch = SpikeWatch(timezone="Europe/Oslo")
    fed(watch, days(30, level=lambda at: 4 * rhythm(at)))
    assert len(msgspec.msgpack.encode(watch.state)) < 6_000


@pytest.mark.skipif(not RECORDED.exists(), reason=f"no recorded counts in {RECORDED}")
def test_every_labelled_event_of_a_recorded_brand_is_found_with_about_two_false_alarms_a_week() -> None:
    """Two months of one brand with daily bursts; `bench.spikes` measures all of them."""
    series = bench.read_series(RECORDED / "Twitter_volume_KO.csv")
    fired = bench.fires(series, None)
    learnt = 750
    windows = [w for w in bench.windows_of(RECORDED, "Twitter_volume_KO.csv", series) if w[0] >= learnt]
    figures = bench.score("KO", series, windows, fired)
    assert figures.found == figures.windows == 3
    assert figures.false / figures.weeks < 2.5


def test_the_score_of_never_firing_is_0_and_of_firing_at_each_beginning_100() -> None:
    series = [(MONDAY + i * SLOT, 1) for i in range(10_000)]
    windows = [(2_000, 2_400), (6_000, 6_500)]
    never = bench.score("a", series, windows, [])
    perfect = bench.score("b", series, windows, [100, 2_000, 2_200, 6_000])
    assert bench.SpikeFigures((never,), 0.0).score == 0
    assert bench.SpikeFigures((perfect,), 0.0).score == pytest.approx(100)
    assert (perfect.found, perfect.false) == (2, 0)
    late = bench.score("c", series, windows, [1_000, 9_500, 6_499])
    assert late.raw == pytest.approx(-0.11 * 2 - 1 + 0.01, abs=0.01)
