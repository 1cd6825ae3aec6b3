"""The report: a period's figures counted from the store, case by case, so that no size of it is too large."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from casework.case import Case
from casework.clock import Clock
from config.brand import Brand
from config.periods import Asked, Period
from config.places import brand_file, demo_brand, own_brand
from config.readers import stored
from config.summary import Summary, summarise
from escalation.breakdown import Breakdown, Dimension, Loudness, loudness
from streams.cards import CardIndex
from streams.case_store import READ_AT_ONCE, CaseStore
from streams.connection import Store
from streams.dead_letters import DeadLetters
from streams.switch import Cursors

UTC_WITHOUT_A_BRAND: Final = "UTC"


@dataclass(slots=True)
class Totals:
    """What is in the store altogether, whatever the period."""

    summary: Summary
    by_platform: Counter[str] = field(default_factory=Counter)
    by_intent: Counter[str] = field(default_factory=Counter)
    by_sentiment: Counter[str] = field(default_factory=Counter)
    waits_min: list[float] = field(default_factory=list)

    def count(self, found: Case) -> None:
        """Take one case into the numbers."""
        self.by_platform[found.platform] += 1
        if found.classification:
            self.by_intent[found.classification.intent] += 1
            self.by_sentiment[found.classification.sentiment] += 1
        if found.replies:
            waited = found.replies[0].posted_at - found.mentions[0].created_at
            self.waits_min.append(waited.total_seconds() / 60)

    @property
    def median_wait_min(self) -> float | None:
        """Minutes from the mention to the first reply, half of them shorter; None without replies."""
        waits = sorted(self.waits_min)
        return round(waits[len(waits) // 2], 1) if waits else None

    def as_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            **self.summary.as_json(),
            "by_platform": dict(self.by_platform),
            "by_intent": dict(self.by_intent),
            "by_sentiment": dict(self.by_sentiment),
            "first_reply_median_min": self.median_wait_min,
            "first_replies": len(self.waits_min),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """One period in numbers. ``targets`` are the brand's promises with the share it wants kept.

    ``totals`` are there where the period is everything. The forecast is of now: it says something only where
    the period reaches it.
    """

    brand: str
    timezone: str
    period: Period
    targets: dict[str, float]
    figures: Breakdown
    totals: Totals | None = None

    @property
    def promises(self) -> tuple[str, ...]:
        """The brand's promises in its order, then those that it made before and calls so no more."""
        return tuple(dict.fromkeys((*self.targets, *self.figures.promises)))

    @property
    def reaches_now(self) -> bool:
        """Whether the period is not over yet."""
        return self.figures.now in self.period.within

    @property
    def loudness(self) -> Loudness:
        """Whether those with many followers are answered first."""
        return loudness(self.figures.groups(Dimension.FOLLOWERS))


async def make_report(
    asked: Asked, *, clock: Clock, demo: bool = False, config: Path | None = None
) -> Report:
    """Count a period of this place's store, or of the demo's.

    Raises:
        WrongUsage: the period is still to come.
        HeardError: there is no store, or the brand file is wrong.
    """
    brand = _brand(demo, config)
    timezone = brand.timezone if brand else UTC_WITHOUT_A_BRAND
    async with stored(demo) as store:
        # A recorded day has an hour of its own.
        now = (await Cursors(store).reached() if demo else None) or clock.now()
        period = asked.at(now, timezone)
        figures = Breakdown(period.within, zone=ZoneInfo(timezone), now=now)
        totals = await _count(store, figures, everything=not asked.written)
    targets = {p.name: p.target for p in brand.promises(now=now).policies} if brand else {}
    return Report(brand.name if brand else "", timezone, period, targets, figures, totals)


def _brand(demo: bool, config: Path | None) -> Brand | None:
    if demo:
        return demo_brand()
    # A store can be looked at from a folder without a brand file: days are UTC's, targets nobody's.
    return own_brand(config) if config is not None or brand_file(None).exists() else None


async def _count(store: Store, figures: Breakdown, *, everything: bool) -> Totals | None:
    cases, late = CaseStore(store), list[str]()
    totals = Totals(Summary()) if everything else None

    def count(case: Case) -> None:
        if figures.count(case):
            late.append(case.id)
        if totals is not None:
            totals.count(case)

    if totals is not None:
        totals.summary = await summarise(cases, DeadLetters(store), each=count)
    else:
        async for case in cases.every():
            count(case)
    await _explain(store, figures, late)
    return totals


async def _explain(store: Store, figures: Breakdown, late: list[str]) -> None:
    """Why the late ones were late; some at a time, since timelines are long."""
    cases, index = CaseStore(store), CardIndex(store)
    for start in range(0, len(late), READ_AT_ONCE):
        ids = late[start : start + READ_AT_ONCE]
        for case, timeline in zip(await cases.load_all(ids), await cases.timelines(ids), strict=True):
            if case is not None:
                figures.explain(case, timeline, undelivered=await index.trouble_of(case.id))
