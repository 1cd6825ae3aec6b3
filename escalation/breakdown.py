"""A stretch of time group by group: promises kept and waits by platform, hour, loudness and more; why late.

Pure, and fed one case at a time, so that a store of any size can be counted: of a case only numbers stay.
Groups of fewer than five are counted and get no percentage, median or p90. A case counts under its first
author and under the labels it has now; hours and weekdays are of when a mention was written, by the brand's
clock.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from casework.case import Case
from casework.classification import Urgency
from casework.mention import Author
from casework.reply import Reply
from casework.sla import Promise
from casework.timeline import TimelineEntry
from escalation.figures import (
    SMALL,
    Cause,
    Forecast,
    Within,
    as_of,
    broke,
    by_people,
    late_because,
    nine_of_ten,
    share,
    waited,
    was_kept,
)


class Dimension(StrEnum):
    """What a stretch of time is broken down by."""

    PLATFORM = "platform"
    HOUR = "hour"
    WEEKDAY = "weekday"
    URGENCY = "urgency"
    INTENT = "intent"
    SENTIMENT = "sentiment"
    TOPIC = "topic"
    FOLLOWERS = "followers"


NOT_JUDGED: Final = "not judged"
NOT_TOLD: Final = "not told"
"""Whose followers nobody told: the platform does not say, or the author has none, which reads the same."""

BANDS: Final = ("under 100", "100 to 999", "1,000 to 9,999", "10,000 or more")
_EDGES: Final = (100, 1_000, 10_000)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS: Final = tuple(f"{hour:02d}:00" for hour in range(24))

_NATURAL: Final[Mapping[Dimension, Sequence[str]]] = {
    Dimension.HOUR: HOURS,
    Dimension.WEEKDAY: WEEKDAYS,
    Dimension.URGENCY: tuple(reversed(Urgency)),
    Dimension.FOLLOWERS: (*reversed(BANDS), NOT_TOLD),
}
"""The order of the groups that have one; others come the most mentioned first."""


def band(author: Author) -> str:
    """The group of an author by followers."""
    return BANDS[bisect_right(_EDGES, author.followers)] if author.followers > 0 else NOT_TOLD


# ── a group ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Waits:
    """Lengths of time, as seconds."""

    seconds: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, wait: timedelta) -> None:
        """One more."""
        self.seconds.append(wait.total_seconds())

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.seconds)

    @property
    def median(self) -> timedelta | None:
        """Half were no longer; None where there are too few to say."""
        return timedelta(seconds=median(self.seconds)) if self.count >= SMALL else None

    @property
    def p90(self) -> timedelta | None:
        """The shortest wait that nine of ten did not exceed; None where there are too few to say."""
        seconds = nine_of_ten(self.seconds) if self.count >= SMALL else None
        return None if seconds is None else timedelta(seconds=seconds)


@dataclass(slots=True)
class Group:
    """The figures of one group.

    ``mentions`` were written in the time. ``first`` are the waits for first replies that were posted in it,
    ``human`` for the first replies that a person decided on. ``kept`` and ``missed`` count promises by name,
    ``late`` the cases that missed one.
    """

    mentions: int = 0
    first: Waits = field(default_factory=Waits)
    human: Waits = field(default_factory=Waits)
    kept: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    late: int = 0

    def ended(self, promise: str) -> int:
        """How many promises of a name were kept or missed."""
        return self.kept[promise] + self.missed[promise]

    def share(self, promise: str) -> float | None:
        """The share kept of a promise; None where too few ended."""
        return share(self.kept[promise], self.ended(promise))


# ── all of them ──────────────────────────────────────────────────────────────────────────────────


class Breakdown:
    """The figures of a stretch of time, altogether and by group, as of ``now``; ``zone`` is the brand's."""

    def __init__(self, within: Within, *, zone: ZoneInfo, now: datetime) -> None:
        self.within = within
        self.now = now
        self.zone = zone
        self.all = Group()
        self.causes: Counter[Cause] = Counter()
        self.forecast = Forecast(now)
        self._groups: dict[Dimension, dict[str, Group]] = {dimension: {} for dimension in Dimension}

    def groups(self, dimension: Dimension) -> dict[str, Group]:
        """The groups of a dimension in the order people expect; only those with something in them."""
        found = self._groups[dimension]
        natural = _NATURAL.get(dimension, ())
        places = {name: place for place, name in enumerate(natural)}
        return dict(
            sorted(found.items(), key=lambda row: (places.get(row[0], len(places)), -row[1].mentions, row[0]))
        )

    @property
    def promises(self) -> tuple[str, ...]:
        """The names of the promises that were kept or missed, in order."""
        return tuple(sorted({*self.all.kept, *self.all.missed}))

    def count(self, case: Case) -> bool:
        """Take in one case; True where it broke a promise in the time, for `explain` to say why."""
        self.forecast.count(case)
        seen = as_of(case, self.now)
        labels = _labels(seen)
        for mention in seen.mentions:
            if mention.created_at in self.within:
                for group in self._of(labels, mention.created_at):
                    group.mentions += 1
        for reply, kind in _firsts(seen):
            if reply.posted_at in self.within:
                for group in self._of(labels, seen.mentions[0].created_at):
                    getattr(group, kind).add(waited(seen, reply))
        return self._count_promises(seen, labels)

    def explain(self, case: Case, timeline: Sequence[TimelineEntry], *, undelivered: str = "") -> None:
        """Count why a case broke the first of the promises that it broke in the time."""
        seen = as_of(case, self.now)
        broken = tuple(promise for promise in seen.promises if broke(promise, self.within))
        late = late_because(replace(seen, promises=broken), timeline, undelivered=undelivered)
        if late is not None:
            self.causes[late.cause] += 1

    def _count_promises(self, case: Case, labels: "_Labels") -> bool:
        late: set[int] = set()
        for promise in case.promises:
            missed = broke(promise, self.within)
            if not missed and not was_kept(promise, self.within):
                continue
            for group in self._of(labels, _written(promise, case)):
                (group.missed if missed else group.kept)[promise.name] += 1
                if missed and id(group) not in late:
                    late.add(id(group))
                    group.late += 1
        return bool(late)

    def _of(self, labels: "_Labels", written: datetime) -> Iterator[Group]:
        """The groups that something belongs to, everything first."""
        yield self.all
        for dimension, name in (*labels, *self._times(written)):
            yield self._groups[dimension].setdefault(name, Group())

    def _times(self, written: datetime) -> "_Labels":
        # A clock that is wrong in the future could be in no year that a calendar has.
        local = min(written, self.now).astimezone(self.zone)
        return ((Dimension.HOUR, HOURS[local.hour]), (Dimension.WEEKDAY, WEEKDAYS[local.weekday()]))


_Labels = tuple[tuple[Dimension, str], ...]


def _labels(case: Case) -> _Labels:
    judged = case.classification
    topics = dict.fromkeys(judged.topics) if judged else ()
    return (
        (Dimension.PLATFORM, case.platform),
        (Dimension.FOLLOWERS, band(case.author)),
        (Dimension.URGENCY, judged.urgency if judged else NOT_JUDGED),
        (Dimension.INTENT, judged.intent if judged else NOT_JUDGED),
        (Dimension.SENTIMENT, judged.sentiment if judged else NOT_JUDGED),
        *((Dimension.TOPIC, topic) for topic in topics),
    )


def _firsts(case: Case) -> Iterator[tuple[Reply, str]]:
    """The first reply, and the first that a person decided on: they may be the same."""
    replies = sorted(case.replies, key=lambda reply: reply.posted_at)
    yield from ((reply, "first") for reply in replies[:1])
    yield from ((reply, "human") for reply in [*filter(by_people, replies)][:1])


def _written(promise: Promise, case: Case) -> datetime:
    """When the mention was written that the promise is about."""
    written = (mention.created_at for mention in case.mentions if mention.key == promise.mention)
    return next(written, promise.started_at)


# ── the loudness check ───────────────────────────────────────────────────────────────────────────

ENOUGH: Final = 20
"""So many first replies by people make a group of followers worth comparing."""

APART: Final = 1.5
"""So many times longer must one median be than the other."""


class Verdict(StrEnum):
    """Who waits less for a person."""

    TOO_FEW = "too few"
    ALIKE = "alike"
    LOUD_FIRST = "loud first"
    QUIET_FIRST = "quiet first"


@dataclass(frozen=True, slots=True)
class Loudness:
    """Whether the loud are answered first: the groups with most and with fewest followers that can tell."""

    verdict: Verdict
    loud: str = ""
    quiet: str = ""
    loud_wait: timedelta | None = None
    quiet_wait: timedelta | None = None


def loudness(groups: Mapping[str, Group]) -> Loudness:
    """Compare the medians of two groups of followers, each of at least `ENOUGH`, that are `APART`."""
    enough = [(name, wait) for name in BANDS if (wait := _median_of_enough(groups.get(name))) is not None]
    if len(enough) < 2:
        return Loudness(Verdict.TOO_FEW)
    (quiet, quiet_wait), (loud, loud_wait) = enough[0], enough[-1]
    return Loudness(_verdict(loud_wait, quiet_wait), loud, quiet, loud_wait, quiet_wait)


def _median_of_enough(group: Group | None) -> timedelta | None:
    return group.human.median if group is not None and group.human.count >= ENOUGH else None


def _verdict(loud: timedelta, quiet: timedelta) -> Verdict:
    if quiet > loud and quiet >= APART * loud:
        return Verdict.LOUD_FIRST
    if loud > quiet and loud >= APART * quiet:
        return Verdict.QUIET_FIRST
    return Verdict.ALIKE
