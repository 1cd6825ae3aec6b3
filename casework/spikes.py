"""Spikes: far more is said of the brand than usual, or far more of it is angry; each is told and ended once.

Counts of five minutes come in, oldest first, quiet ones too. What is usual is the median that this hour of
the week had in the last four weeks, on the brand's own clock; before two weeks are known, the median of the
last day or of this hour on the days so far, whichever is more. Medians, so that one burst, or one odd week,
does not become the usual.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import fmean, median
from typing import Final
from zoneinfo import ZoneInfo

SLOT: Final = timedelta(minutes=5)
WINDOW: Final = 3
"""How many counts are judged together: one of five minutes says little where a brand hears ten an hour."""

DAY: Final = 288
WEEK_HOURS: Final = 168
WEEKS: Final = 4
WEEKS_NEEDED: Final = 2
QUIETEST: Final = 0.5
"""What is usual where next to nothing is said: three posts in a quarter of an hour are no spike."""

PEAKS: Final = 14
PEAKS_NEEDED: Final = 3
ORDINARY: Final = 0.9
"""A burst that every tenth day brings is ordinary: brands that are much talked about have them daily."""

ALWAYS: Final = 3.0
"""So many times the brand's threshold is a spike however wild the last days were."""

GROWN: Final = 1.5
"""A day so many times above its usual is growth, and lifts the usual; less is chance."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What counts as a spike: the brand's ``automatic.pause_when``, and what no brand has to set.

    ``ratio`` is how many times the usual, ``negative`` the share (0 to 1) from which a spike is angry,
    ``least`` the number of mentions in a quarter of an hour below which nothing is a spike, ``calm`` how
    long it must have been calm before a spike is over.
    """

    ratio: float = 4.0
    negative: float = 0.6
    least: int = 15
    calm: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Spike:
    """Far more than usual: what was counted in the last quarter of an hour. ``at`` is its last count's end.

    ``of_negative`` says that the negative mentions alone spiked; ``angry`` that people should take over.
    """

    began: datetime
    at: datetime
    mentions: int
    negative: int
    usual: float
    ratio: float
    angry: bool
    of_negative: bool = False


@dataclass(frozen=True, slots=True)
class Over:
    """A spike's end: ``ended`` is when it was last above half the threshold; counts are of all of it."""

    began: datetime
    ended: datetime
    mentions: int
    negative: int
    peak: float
    angry: bool


@dataclass(frozen=True, slots=True)
class Event:
    """A spike that goes on. Once angry it stays so: calm words at its end do not undo what was said."""

    began: datetime
    hot_until: datetime
    mentions: int
    negative: int
    peak: float
    angry: bool


@dataclass(frozen=True, slots=True)
class Series:
    """What is known of one kind of count, newest last.

    ``day`` are the counts of the last day, ``hour`` those of the hour that runs, ``weeks`` what each hour of
    the week brought (per hour, Monday 00:00 first), ``recent`` the counts judged together, each with its
    usual, ``peaks`` the highest ratio of each of the last days and ``peak`` that of today.
    """

    day: tuple[int, ...] = ()
    hour: tuple[int, ...] = ()
    weeks: tuple[tuple[int, ...], ...] = ((),) * WEEK_HOURS
    recent: tuple[tuple[int, float], ...] = ()
    peaks: tuple[float, ...] = ()
    peak: float = 0.0

    @property
    def total(self) -> int:
        """What was counted in the time that is judged."""
        return sum(count for count, _ in self.recent)

    @property
    def usual(self) -> float:
        """What would have been usual in that time."""
        return sum(usual for _, usual in self.recent)

    @property
    def ratio(self) -> float:
        """How many times the usual; 0 while too little is known to say."""
        return self.total / self.usual if len(self.recent) == WINDOW else 0.0

    def usual_at(self, hour: int) -> float:
        """What five minutes of this hour of the week usually bring."""
        lately = median(self.day)
        if len(self.weeks[hour]) < WEEKS_NEEDED:
            same_hour = [_per_slot(known) for known in self.weeks[hour % 24 :: 24] if known]
            return max(lately, QUIETEST, median(same_hour) if same_hour else 0.0)
        # Without what the day itself has taught, or growth would hide in its own measure.
        last_day = [self.weeks[(hour - back) % WEEK_HOURS][:-1] for back in range(1, 24)]
        expected = median(_per_slot(known) for known in (self.weeks[hour], *last_day) if known)
        growth = lately / max(expected, QUIETEST)
        return max(_per_slot(self.weeks[hour]), QUIETEST) * (growth if growth >= GROWN else 1.0)

    def bar(self, ratio: float) -> float:
        """How many times the usual is a spike: ``ratio``, or more where such days are ordinary."""
        if len(self.peaks) < PEAKS_NEEDED:
            return ratio
        ordinary = sorted(self.peaks)[min(int(ORDINARY * len(self.peaks)), len(self.peaks) - 1)]
        return min(max(ratio, ordinary), ALWAYS * ratio)

    def turn_hour(self, hour: int) -> "Series":
        """An hour of the week has ended; one that was mostly not heard teaches nothing."""
        if len(self.hour) * SLOT < timedelta(minutes=30):
            return replace(self, hour=())
        brought = round(fmean(self.hour) * (timedelta(hours=1) / SLOT))
        known = (*self.weeks[hour], brought)[-WEEKS:]
        return replace(self, hour=(), weeks=(*self.weeks[:hour], known, *self.weeks[hour + 1 :]))

    def turn_day(self) -> "Series":
        """A day has ended."""
        return replace(self, peaks=(*self.peaks, self.peak)[-PEAKS:], peak=0.0)

    def hear(self, count: int, hour: int, least: int) -> "Series":
        """One more count. In its first day a series only learns."""
        seen = replace(self, day=(*self.day, count)[-DAY:], hour=(*self.hour, count))
        if len(self.day) < DAY:
            return seen
        seen = replace(seen, recent=(*self.recent, (count, self.usual_at(hour)))[-WINDOW:])
        return replace(seen, peak=max(seen.peak, seen.ratio)) if seen.total >= least else seen


@dataclass(frozen=True, slots=True)
class SpikeState:
    """All that a watch knows: two or three kilobytes, to be stored so that a restart goes on.

    ``at`` is when the last count began, ``hour`` the hour of the week and ``today`` the day it fell in.
    """

    at: datetime | None = None
    hour: int = 0
    today: str = ""
    mentions: Series = Series()
    negative: Series = Series()
    event: Event | None = None


class SpikeWatch:
    """Watches the counts of one brand or one topic. ``state`` is to be stored after each `add`."""

    def __init__(
        self, thresholds: Thresholds | None = None, timezone: str = "UTC", state: SpikeState | None = None
    ) -> None:
        self.thresholds = thresholds or Thresholds()
        self.zone = ZoneInfo(timezone)
        self.state = state or SpikeState()

    @property
    def angry(self) -> bool:
        """Whether a spike goes on that people should take over: automatic replies had better rest.

        A spike is told once, so one that turns angry later shows only here.
        """
        return self.state.event is not None and self.state.event.angry

    def add(self, at: datetime, count: int, negative: int = 0) -> Spike | Over | None:
        """The mentions of the five minutes that began at ``at`` (aware), and how many were negative.

        Counts that were heard before change nothing. Five minutes that nobody counted are unknown, not
        quiet: leave them out, and what stands on both sides of the gap is not judged together.
        """
        before = self.state
        if before.at is not None and at <= before.at:
            return None
        now = self._turned(at)
        least = self.thresholds.least
        now = replace(
            now,
            mentions=now.mentions.hear(count, now.hour, least),
            negative=now.negative.hear(min(negative, count), now.hour, least),
        )
        self.state, told = self._begin(now, at) if now.event is None else self._go_on(now, now.event, at)
        return told

    def _turned(self, at: datetime) -> SpikeState:
        """The state at the beginning of a count: hours and days ended, a gap noticed."""
        local, state = at.astimezone(self.zone), self.state
        hour, today = local.weekday() * 24 + local.hour, local.date().isoformat()
        series = [state.mentions, state.negative]
        if state.at is not None and at - state.at > 1.5 * SLOT:
            series = [replace(one, recent=()) for one in series]
        if state.at is not None and hour != state.hour:
            series = [one.turn_hour(state.hour) for one in series]
        if state.at is not None and today != state.today:
            series = [one.turn_day() for one in series]
        mentions, negative = series
        return replace(state, at=at, hour=hour, today=today, mentions=mentions, negative=negative)

    def _begin(self, now: SpikeState, at: datetime) -> tuple[SpikeState, Spike | None]:
        share = now.negative.total / max(now.mentions.total, 1)
        angry = share >= self.thresholds.negative
        for series in self._above(now, angry=angry):
            began = at - (len(_rise(series)) - 1) * SLOT
            spike = Spike(
                began=began,
                at=at + SLOT,
                mentions=now.mentions.total,
                negative=now.negative.total,
                usual=series.usual,
                ratio=series.ratio,
                angry=angry,
                of_negative=series is now.negative,
            )
            event = Event(
                began=began,
                hot_until=at + SLOT,
                mentions=sum(_rise(now.mentions, len(_rise(series)))),
                negative=sum(_rise(now.negative, len(_rise(series)))),
                peak=series.ratio,
                angry=angry,
            )
            return replace(now, event=event), spike
        return now, None

    def _above(self, now: SpikeState, *, angry: bool) -> Iterator[Series]:
        """What spikes: the mentions, or the negative ones where they are most of what is said."""
        for series in (now.mentions, now.negative) if angry else (now.mentions,):
            high = series.ratio >= series.bar(self.thresholds.ratio)
            if high and series.total >= self.thresholds.least:
                yield series

    def _go_on(self, now: SpikeState, event: Event, at: datetime) -> tuple[SpikeState, Over | None]:
        limits, share = self.thresholds, now.negative.total / max(now.mentions.total, 1)
        angry = event.angry or (share >= limits.negative and now.negative.total >= limits.least)
        warm = any(
            one.ratio >= limits.ratio / 2 and one.total >= limits.least / 2
            for one in (now.mentions, now.negative)
        )
        event = replace(
            event,
            hot_until=at + SLOT if warm else event.hot_until,
            mentions=event.mentions + now.mentions.day[-1],
            negative=event.negative + now.negative.day[-1],
            peak=max(event.peak, now.mentions.ratio),
            angry=angry,
        )
        # After a gap the first counts cannot be judged: a spike that outlasts it is still the same one.
        if len(now.mentions.recent) < WINDOW or at + SLOT - event.hot_until < limits.calm:
            return replace(now, event=event), None
        over = Over(
            event.began, event.hot_until, event.mentions, event.negative, event.peak, angry=event.angry
        )
        return replace(now, event=None), over


@lru_cache(maxsize=4096)
def _per_slot(known: tuple[int, ...]) -> float:
    return median(known) * (SLOT / timedelta(hours=1))


def _rise(series: Series, slots: int = 0) -> tuple[int, ...]:
    """The newest counts: so many, or from the first that was twice its usual on."""
    counts = tuple(count for count, _ in series.recent)
    if slots:
        return counts[-slots:]
    first = next((i for i, (count, usual) in enumerate(series.recent) if count >= 2 * usual), 0)
    return counts[first:]
