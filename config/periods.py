"""Which days a report is about: "week" or "2026-11-01..2026-11-07" as the brand's clock counts days."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from config.usage import WrongUsage
from escalation.figures import Within

EVER: Final = Within(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
DAYS: Final = {"today": (0, 0), "yesterday": (1, 1), "week": (6, 0), "month": (29, 0)}
"""How many days ago each begins and ends: a week is the last seven days and a month the last thirty."""

NO_EARLIER: Final = date(1970, 1, 1)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days where the brand is, ``first`` and ``last`` in it; everything where there are none."""

    name: str
    within: Within
    first: date | None = None
    last: date | None = None

    @property
    def words(self) -> str:
        """The days, for people."""
        if self.first is None or self.last is None:
            return "Everything so far"
        if self.first == self.last:
            return f"{self.last:%A} {_spoken(self.last)}"
        first = f"{self.first.day}"
        if self.first.year != self.last.year:
            first = _spoken(self.first)
        elif self.first.month != self.last.month:
            first = f"{self.first.day} {self.first:%B}"
        return f"{first} to {_spoken(self.last)}"


EVERYTHING: Final = Period("everything", EVER)


@dataclass(frozen=True, slots=True)
class Asked:
    """A period as it was asked for, before anybody knows what day it is."""

    written: str = ""
    first: date | None = None
    last: date | None = None

    def at(self, now: datetime, timezone: str) -> Period:
        """The days that are meant.

        Raises:
            WrongUsage: they are still to come.
        """
        if not self.written:
            return EVERYTHING
        zone = ZoneInfo(timezone)
        today = now.astimezone(zone).date()
        first, last = self.first, self.last
        if first is None or last is None:
            begins, ends = DAYS[self.written]
            first, last = today - timedelta(days=begins), today - timedelta(days=ends)
        if last > today:
            raise WrongUsage(f"{last} is still to come: it is {today} in {timezone}")
        within = Within(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))
        return Period(self.written, within, first, last)


def read_period(written: str | None) -> Asked:
    """What was written after ``heard report``.

    Raises:
        WrongUsage: it is no period.
    """
    if not written or written in DAYS:
        return Asked(written or "")
    first, dots, last = written.partition("..")
    days = _day(first), _day(last if dots else first)
    if days[0] is None or days[1] is None:
        raise WrongUsage(
            f"{written!r} is no period: write today, yesterday, week, month, "
            "or days such as 2026-11-01..2026-11-07"
        )
    if days[1] < days[0]:
        raise WrongUsage(f"{written} ends before it begins: write {last}..{first}")
    if days[0] < NO_EARLIER:
        raise WrongUsage(f"nobody posted anything on {days[0]}: begin in 1970 or later")
    return Asked(written, days[0], days[1])


def _day(written: str) -> date | None:
    if not _DAY.fullmatch(written):
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def _spoken(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
