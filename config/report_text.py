"""A report as a person reads it on a terminal, as JSON, and as the rows of a spreadsheet."""

import csv
import io
from datetime import datetime, timedelta
from typing import Final

from casework.words import platform_name, visible
from config.periods import EVERYTHING
from config.report import Report
from config.summary import spoken
from escalation.breakdown import APART, ENOUGH, Dimension, Group, Loudness, Verdict, Waits
from escalation.figures import SMALL

TITLES: Final = {
    Dimension.PLATFORM: "By platform",
    Dimension.FOLLOWERS: "By followers",
    Dimension.URGENCY: "By urgency",
    Dimension.INTENT: "By intent",
    Dimension.SENTIMENT: "By mood",
    Dimension.TOPIC: "By topic",
    Dimension.WEEKDAY: "By weekday",
    Dimension.HOUR: "By hour",
}
"""The tables in the order in which they are shown."""

FEW: Final = "few"
"""What stands where fewer than five would tell more about one customer than about the time."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS: Final = (
    "dimension", "group", "mentions",
    "first_replies", "first_reply_p50_min", "first_reply_p90_min",
    "human_replies", "human_reply_p50_min", "human_reply_p90_min",
    "late_cases",
)  # fmt: skip


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def title_of(dimension: Dimension, name: str) -> str:
    """A group's name for people; one that a stranger's plugin or a brand chose hides nothing."""
    return visible(platform_name(name) if dimension is Dimension.PLATFORM else name)


def length(wait: timedelta | None) -> str:
    """How long, roughly: "40 s", "12 min", "2.5 h", "3.2 d"."""
    if wait is None:
        return FEW
    minutes = wait / timedelta(minutes=1)
    if minutes < 1:
        return f"{wait.total_seconds():.0f} s"
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} d"


def percent(share: float) -> str:
    """A share, never rounded up to all or down to nothing."""
    whole = round(share * 100)
    if whole == 100 and share < 1:
        return f"{min(share * 100, 99.9):.1f} %"
    return f"{whole} %" if whole or not share else "under 1 %"


def kept_words(group: Group, promise: str) -> str:
    """How many were kept: "94 % of 120", or only "3 of 4" where there are few."""
    share, ended = group.share(promise), group.ended(promise)
    if share is None:
        return f"{group.kept[promise]} of {ended}" if ended else "–"
    return f"{percent(share)} of {ended}"


def forecast_words(report: Report) -> str:
    """What the next hour brings if people go on as they do; nothing where the period is over."""
    if not report.reaches_now:
        return ""
    forecast = report.figures.forecast
    if not forecast.due:
        return "No promise falls due within the next hour."
    pace = f"people answered {forecast.answered} in the last hour" if forecast.answered else "nobody answers"
    if not forecast.will_break:
        return f"None of the {forecast.due} due within the hour will break at the present pace: {pace}."
    more = f"{forecast.will_break} more" if forecast.late else str(forecast.will_break)
    return f"{more} of {forecast.due} due within the hour will break at the present pace: {pace}."


def loudness_words(found: Loudness) -> str:
    """One sentence on whether those who shout are answered first."""
    if found.verdict is Verdict.TOO_FEW:
        return f"Too few to say: two groups with {ENOUGH} first replies by people are needed."
    waits = (
        f"half of those with {found.loud} followers waited up to {length(found.loud_wait)} for a person, "
        f"half of those with {found.quiet} up to {length(found.quiet_wait)}"
    )
    if found.verdict is Verdict.LOUD_FIRST:
        return f"Those who shout loudest are answered first: {waits}."
    if found.verdict is Verdict.QUIET_FIRST:
        return f"The quiet are answered before the loud: {waits}."
    return f"No sign that the loud are answered first: {waits}, less than {APART} times apart."


def causes_words(report: Report) -> str:
    """How many cases were late for which reason."""
    said = [f"{count} {cause}" for cause, count in report.figures.causes.most_common()]
    return ", ".join(said) or "no case was"


# ── on a terminal ────────────────────────────────────────────────────────────────────────────────


def as_text(report: Report) -> str:
    """The whole report."""
    figures = report.figures
    heading = f"{report.period.words} ({report.timezone})"
    lines = [f"{visible(report.brand)}: {heading}" if report.brand else heading]
    if report.totals is not None:
        lines += ["", spoken(report.totals.summary, None)]
    lines += ["", f"mentions      {figures.all.mentions}"]
    lines += [f"{visible(name):<13} {_promise(report, name)}" for name in report.promises]
    lines += [
        f"first reply   {_waits(figures.all.first)}",
        f"by a person   {_waits(figures.all.human)}",
        f"why late      {causes_words(report)}",
        f"loudness      {loudness_words(report.loudness)}",
    ]
    if forecast := forecast_words(report):
        lines.append(f"next hour     {forecast}")
    for dimension, title in TITLES.items():
        lines += _table(report, dimension, title)
    return "\n".join(lines)


def _promise(report: Report, name: str) -> str:
    group, target = report.figures.all, report.targets.get(name)
    said = f"{group.kept[name]} kept, {group.missed[name]} missed"
    share = group.share(name)
    if share is not None:
        said += f": {percent(share)}"
    if target is not None:
        said += f", target {percent(target)}"
        said += "" if share is None else " ✔" if share >= target else " ✖"
    return said


def _waits(waits: Waits) -> str:
    if not waits.count:
        return "none yet"
    if waits.count < SMALL:
        return f"{waits.count}: too few for a median"
    return (
        f"half within {length(waits.median)}, nine of ten within {length(waits.p90)} ({waits.count} replies)"
    )


def headings(report: Report) -> list[str]:
    """The columns of each table that people read."""
    waits = ["First reply", "9 of 10", "By a person", "9 of 10"]
    return ["Mentions", *waits, *(visible(name) for name in report.promises)]


def cells(report: Report, group: Group) -> list[str]:
    """What stands in them for one group."""
    waits = [
        length(wait) if waits.count else "–"
        for waits in (group.first, group.human)
        for wait in (waits.median, waits.p90)
    ]
    return [str(group.mentions), *waits, *(kept_words(group, name) for name in report.promises)]


def _table(report: Report, dimension: Dimension, title: str) -> list[str]:
    groups = report.figures.groups(dimension)
    if not groups:
        return []
    rows = [[title_of(dimension, name), *cells(report, group)] for name, group in groups.items()]
    grid = [[title, *headings(report)], *rows]
    widths = [max(len(row[place]) for row in grid) for place in range(len(grid[0]))]
    return ["", *(_line(row, widths) for row in grid)]


def _line(row: list[str], widths: list[int]) -> str:
    first, *rest = (
        f"{cell:>{width}}" if place else f"{cell:<{width}}"
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *rest])


# ── for machines ─────────────────────────────────────────────────────────────────────────────────


def as_json(report: Report) -> dict[str, object]:
    """Plain values. Without a period, first what is in the store altogether."""
    figures, forecast, loudness = report.figures, report.figures.forecast, report.loudness
    return {
        **(report.totals.as_json() if report.totals else {}),
        "period": _period(report),
        "promises_kept": [_promise_row(report, name) for name in report.promises],
        "all": _group(report, figures.all),
        "groups": {
            dimension: {name: _group(report, group) for name, group in figures.groups(dimension).items()}
            for dimension in TITLES
        },
        "why_late": dict(figures.causes.most_common()),
        "loudness": {
            "verdict": loudness.verdict,
            "loud": loudness.loud or None,
            "quiet": loudness.quiet or None,
            "loud_p50_min": _minutes(loudness.loud_wait),
            "quiet_p50_min": _minutes(loudness.quiet_wait),
            "sentence": loudness_words(loudness),
        },
        "forecast": {
            "late": forecast.late,
            "due": forecast.due,
            "answered_last_hour": forecast.answered,
            "will_break": forecast.will_break,
        }
        if report.reaches_now
        else None,
    }


def _period(report: Report) -> dict[str, object]:
    period = report.period
    ever = period == EVERYTHING
    return {
        "name": period.name,
        "since": None if ever else _instant(period.within.since),
        "until": None if ever else _instant(period.within.until),
        "timezone": report.timezone,
        "now": _instant(report.figures.now),
    }


def _promise_row(report: Report, name: str) -> dict[str, object]:
    group = report.figures.all
    share, target = group.share(name), report.targets.get(name)
    return {
        "name": name,
        "target": target,
        "kept": group.kept[name],
        "missed": group.missed[name],
        "share": share,
        "on_target": None if share is None or target is None else share >= target,
    }


def _group(report: Report, group: Group) -> dict[str, object]:
    return {
        "mentions": group.mentions,
        "first_reply": _waits_row(group.first),
        "human_reply": _waits_row(group.human),
        "late_cases": group.late,
        "promises": {
            name: {"kept": group.kept[name], "missed": group.missed[name], "share": group.share(name)}
            for name in report.promises
        },
    }


def _waits_row(waits: Waits) -> dict[str, object]:
    return {"count": waits.count, "p50_min": _minutes(waits.median), "p90_min": _minutes(waits.p90)}


def _minutes(wait: timedelta | None) -> float | None:
    return None if wait is None else round(wait / timedelta(minutes=1), 1)


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


# ── for a spreadsheet ────────────────────────────────────────────────────────────────────────────


def as_csv(report: Report) -> str:
    """One row for everything, one for each group of each dimension, and one for each cause of being late."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    kept = (f"{name}: {part}" for name in report.promises for part in ("kept", "missed", "kept percent"))
    rows.writerow([*COLUMNS, *map(_harmless, kept)])
    rows.writerow(_csv_row(report, "all", "all", report.figures.all))
    for dimension in TITLES:
        for name, group in report.figures.groups(dimension).items():
            rows.writerow(_csv_row(report, dimension, name, group))
    for cause, count in report.figures.causes.most_common():
        blank = [""] * (len(COLUMNS) - 3)
        rows.writerow(["why late", cause, *blank, count, *[""] * (3 * len(report.promises))])
    return written.getvalue()


def _csv_row(report: Report, dimension: str, name: str, group: Group) -> list[object]:
    row: list[object] = [dimension, _harmless(name), group.mentions]
    for waits in (group.first, group.human):
        row += [waits.count, _minutes(waits.median), _minutes(waits.p90)]
    row.append(group.late)
    for promise in report.promises:
        share = group.share(promise)
        percentage = None if share is None else round(share * 100, 1)
        row += [group.kept[promise], group.missed[promise], percentage]
    return row


def _harmless(cell: str) -> str:
    """A text that no spreadsheet takes for a formula, whoever chose it."""
    shown = visible(cell)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) or shown.startswith(_FORMULA) else shown
