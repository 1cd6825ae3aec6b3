"""A report as one page that stands alone: no script, nothing fetched, no word of any post; fit to mail."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from casework.words import visible
from config import report_text
from config.report import Report
from escalation.breakdown import HOURS, NOT_TOLD, WEEKDAYS, Dimension, Group, Waits

HERE: Final = Path(__file__).parent
STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 7200, 14400, 43200)
"""The distances in minutes between the lines of a chart."""

WIDE, HIGH, LEFT, TOP = 1000, 150, 56, 14
"""The size of a chart's field, and where it begins."""


@dataclass(frozen=True, slots=True)
class Column:
    """One group of a chart: two medians as heights of bars; None where there are too few to say."""

    label: str
    x: float
    width: float
    mentions: int
    first: float | None
    human: float | None
    said: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Medians side by side, with lines to read them by."""

    title: str
    columns: tuple[Column, ...]
    lines: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its length is of a hundred."""

    label: str
    said: str
    length: float


@dataclass(frozen=True, slots=True)
class Table:
    """One dimension: its groups, and the longest of the medians as a hundred."""

    title: str
    rows: tuple[tuple[str, tuple[str, ...], float | None], ...]


def as_html(report: Report) -> str:
    """The page."""
    jinja = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return jinja.get_template("report_page.html").render(
        report=report,
        brand=visible(report.brand) or "Heard",
        style=_style(),
        tiles=_tiles(report),
        waits=[("First reply", report.figures.all.first), ("By a person", report.figures.all.human)],
        length=report_text.length,
        forecast=report_text.forecast_words(report),
        loudness=report_text.loudness_words(report.loudness),
        loud=_loud(report),
        causes=_causes(report),
        charts=[chart for chart in _charts(report) if chart is not None],
        headings=report_text.headings(report),
        tables=[_table(report, dimension, title) for dimension, title in report_text.TITLES.items()],
        now=report.figures.now,
    )


def _style() -> Markup:
    """The desk's own style, and what only a report needs; no stranger's word is in them."""
    desk = files("webdesk").joinpath("static/desk.css").read_text("utf-8")
    return Markup(desk + HERE.joinpath("report_page.css").read_text("utf-8"))  # noqa: S704 (our own files)


@dataclass(frozen=True, slots=True)
class Tile:
    """One promise: the big number, and whether it is good."""

    name: str
    number: str
    good: bool | None
    small: str


def _tiles(report: Report) -> list[Tile]:
    group, tiles = report.figures.all, list[Tile]()
    for name in report.promises:
        share, target = group.share(name), report.targets.get(name)
        tiles.append(
            Tile(
                name=visible(name),
                number="–" if share is None else report_text.percent(share),
                good=None if share is None or target is None else share >= target,
                small=f"{group.kept[name]} kept, {group.missed[name]} missed"
                + ("" if target is None else f" · target {report_text.percent(target)}"),
            )
        )
    return tiles


# ── charts ───────────────────────────────────────────────────────────────────────────────────────


def _charts(report: Report) -> Iterable[Chart | None]:
    figures = report.figures
    yield _chart("Hour of the day", HOURS, figures.groups(Dimension.HOUR).get, lambda name: name[:2])
    yield _chart("Day of the week", WEEKDAYS, figures.groups(Dimension.WEEKDAY).get, lambda name: name[:3])


def _chart(
    title: str, names: Sequence[str], found: Callable[[str], Group | None], short: Callable[[str], str]
) -> Chart | None:
    """Medians by group, all groups in their places; None where nothing can be drawn."""
    groups = [(name, found(name) or Group()) for name in names]
    medians = [m for _, group in groups for m in (group.first.median, group.human.median) if m is not None]
    if not medians:
        return None
    most, lines = _scale(max(medians))
    step = WIDE / len(names)
    columns = tuple(
        Column(
            label=short(name),
            x=round(LEFT + place * step, 1),
            width=round(step, 1),
            mentions=group.mentions,
            first=_height(group.first, most),
            human=_height(group.human, most),
            said=f"{name}: {group.mentions} mentions; first reply {_said(group.first)}, "
            f"by a person {_said(group.human)}",
            shown=bool(group.mentions or group.first.count or group.human.count),
        )
        for place, (name, group) in enumerate(groups)
    )
    return Chart(title, columns, lines)


def _scale(longest: timedelta) -> tuple[float, tuple[tuple[float, str], ...]]:
    """The minutes that the field is high, and its lines from the bottom: heights and words."""
    minutes = max(longest / timedelta(minutes=1), 1.0)
    step = next((step for step in STEPS if minutes / step <= 4), STEPS[-1])
    count = int(-(-minutes // step))
    lines = [(round(HIGH * n / count, 1), _line_words(n * step)) for n in range(count + 1)]
    return float(count * step), tuple(lines)


def _line_words(minutes: int) -> str:
    if not minutes:
        return "0"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes / 60:g} h" if minutes < 48 * 60 else f"{minutes / 1440:g} d"


def _height(waits: Waits, most: float) -> float | None:
    return None if waits.median is None else round(HIGH * (waits.median / timedelta(minutes=1)) / most, 1)


def _said(waits: Waits) -> str:
    if not waits.count:
        return "none"
    return f"half within {report_text.length(waits.median)}" if waits.median else f"{waits.count}, too few"


# ── bars ─────────────────────────────────────────────────────────────────────────────────────────


def _causes(report: Report) -> list[Bar]:
    counted = report.figures.causes.most_common()
    most = max((count for _, count in counted), default=1)
    return [Bar(cause.capitalize(), str(count), 100 * count / most) for cause, count in counted]


def _loud(report: Report) -> list[Bar]:
    """What people with more and fewer followers waited for a person, the loudest first."""
    groups = report.figures.groups(Dimension.FOLLOWERS)
    longest = max((group.human.median or timedelta(0) for group in groups.values()), default=timedelta(0))
    return [
        Bar(_followers(name), _many(group.human), _part(group.human, longest))
        for name, group in groups.items()
    ]


def _followers(name: str) -> str:
    return "followers not told" if name == NOT_TOLD else f"{name} followers"


def _many(waits: Waits) -> str:
    replies = "1 reply" if waits.count == 1 else f"{waits.count} replies"
    return replies if waits.median is None else f"{report_text.length(waits.median)} · {replies}"


def _part(waits: Waits, longest: timedelta) -> float:
    return 100 * (waits.median / longest) if waits.median and longest else 0.0


def _table(report: Report, dimension: Dimension, title: str) -> Table:
    groups = report.figures.groups(dimension)
    longest = max((group.first.median or timedelta(0) for group in groups.values()), default=timedelta(0))
    rows = tuple(
        (
            report_text.title_of(dimension, name),
            tuple(report_text.cells(report, group)),
            _part(group.first, longest) if group.first.median else None,
        )
        for name, group in groups.items()
    )
    return Table(title, rows)
