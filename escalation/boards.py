"""Messages about many cases: broken promises, warnings, spikes, the digest, a flood, and "still on it?".

Pure, as cards are, and without one word of a post: a board is read by many and redrawn by few. Times are
instants in the reader's own zone. Charts are Slack's own blocks; `without_charts` says the same in letters.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from casework.case import Case, due_next
from casework.classification import Sentiment
from casework.sla import Alert, Promise, PromiseState
from casework.spikes import SLOT, Over, Spike
from casework.words import clock_time, platform_name
from escalation.cards import DOT, lasted, percent
from escalation.figures import DraftFigure, Figures, Late, PromiseFigure, TopicFigure, as_of, share
from escalation.slack_payload import (
    Block,
    Payload,
    actions,
    button,
    confirm,
    context,
    cut,
    date,
    esc,
    header,
    link,
    option,
    overflow,
    quote,
    section,
    value_of,
    web,
)

ROWS: Final = 10
VALUE: Final = 200
"""How much of a button's value a press keeps: `read_cases` must get it whole."""

TITLE, NAME, LABEL = 50, 20, 20
SERIES, CATEGORIES = 6, 20
"""Slack's limits for a chart (UX 5): its own page says 6 series where its validator takes 12."""

TABLE_ROWS: Final = 10
_SLACK_ID = re.compile(r"(?=.*[0-9])[UWS][A-Z0-9]{3,20}")
LAST_HOUR: Final = 12
"""The counts that a spike shows: no more, or labels repeat when the clock is turned back."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a board is drawn under: the instant, the brand's time zone, the desk's address if there is one."""

    now: datetime
    timezone: str = "UTC"
    desk_url: str | None = None

    def at(self, instant: datetime) -> str:
        """An instant in the reader's own zone."""
        return date(instant, self.clock(instant))

    def clock(self, instant: datetime) -> str:
        """An instant on the brand's wall clock, for text that Slack does not parse."""
        return clock_time(instant, self.timezone, self.now)

    def page(self, path: str) -> str:
        """A page of the desk; nothing where there is no desk to open."""
        return web(f"{self.desk_url.rstrip('/')}/{path}") if self.desk_url else ""

    def case(self, case_id: str) -> str:
        """A case's id, as a link where there is a desk."""
        return link(self.page(f"cases/{case_id}"), case_id)

    def desk(self, path: str = "", words: str = "Open the desk") -> list[Block]:
        """The button to a page of the desk, if there is one."""
        address = self.page(path)
        return [button(words, "link.desk", "desk", url=address)] if address else []


def ping(who: str) -> str:
    """Somebody by their Slack id, so that they are told; anything else is a name, which tells nobody."""
    if not _SLACK_ID.fullmatch(who):
        return esc(who, 60)
    return f"<!subteam^{who}>" if who.startswith("S") else f"<@{who}>"


# ── broken promises ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class BreachRow:
    """One case on the board: why it is late, and its owner's Slack id where that is known."""

    case: Case
    why: Late | None = None
    owner_id: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What stands round the rows: today's figure, who is on duty (Slack ids), what else waits and comes next.

    ``will_break`` is how many more break within the hour, ``then`` who is told next at ``next_at`` unless
    somebody acknowledges.
    """

    today: PromiseFigure | None = None
    on_duty: tuple[str, ...] = ()
    waiting: int | None = None
    will_break: int | None = None
    next_at: datetime | None = None
    then: str = ""


def breach_board(rows: Sequence[BreachRow], frame: Frame, outlook: Outlook | None = None) -> Payload:
    """The broken promises of a quarter of an hour, in one message that is updated, the oldest first."""
    outlook, held = outlook or Outlook(), [replace(row, case=as_of(row.case, frame.now)) for row in rows]
    late = sorted((row for row in held if _broken(row.case)), key=lambda row: _since(row.case))
    if not late:
        return _all_answered(len(held), frame)
    names = sorted({promise.name for row in late for promise in _broken(row.case)})
    name = cut(names[0], 40) if len(names) == 1 else "A"
    alarmed = [row.case for row in late if _alarmed(row.case)]
    count = _count(len(late), "customer")
    blocks = [header(f"🔴 {name.capitalize()} promise missed: {count}", "head")]
    blocks += [context("today", said)] if (said := _today(outlook)) else []
    blocks += [_breach_row(number, row, frame) for number, row in enumerate(late[:ROWS], start=1)]
    blocks.append(context("why", DOT.join(_around(late, len(held) - len(late), outlook))))
    blocks += _buttons([*_acknowledge(alarmed), *frame.desk("promises", "Open the promises")])
    blocks.append(context("next", _what_next(late, alarmed, outlook, frame)))
    oldest = late[0].case
    text = (
        f"{count} waited longer than promised. The oldest waits since {frame.clock(_since(oldest))}, "
        f"on {platform_name(oldest.platform)}."
    )
    return Payload(text, tuple(blocks))


def read_cases(raw: str) -> tuple[str, ...]:
    """The cases that an Acknowledge button names; none for anything that no board carries."""
    try:
        value: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(value, dict):
        return ()
    cases = value.get("cs", [value.get("c")])
    named = isinstance(cases, list) and all(isinstance(c, str) and _is_case(c) for c in cases)
    return tuple(dict.fromkeys(cases)) if named else ()


def _is_case(text: str) -> bool:
    return text.startswith("C-") and text.isascii() and text[2:].isdigit() and len(text) <= 20


def _broken(case: Case) -> list[Promise]:
    """The promises still owed that are broken, the oldest first."""
    owed = [p for p in case.promises if p.running and p.state is PromiseState.BREACHED] if case.open else []
    return sorted(owed, key=lambda p: p.due_at)


def _alarmed(case: Case) -> bool:
    return any(not promise.acknowledged_by for promise in _broken(case))


def _since(case: Case) -> datetime:
    return min(promise.started_at for promise in _broken(case))


def _all_answered(count: int, frame: Frame) -> Payload:
    said = (
        "1 customer has an answer now, late."
        if count == 1
        else f"{count} customers have an answer now, late."
    )
    said = said if count else "No promise is broken."
    blocks = [header("✅ Nobody waits longer than promised", "head"), context("why", said)]
    blocks += _buttons(frame.desk("promises", "Open the promises"))
    return Payload(f"Nobody waits longer than promised any more. {said}", tuple(blocks))


def _today(outlook: Outlook) -> str:
    figure, said = outlook.today, []
    if figure is not None and figure.ended:
        said.append(f"Today: {figure.kept} of {figure.ended} kept{_of_target(figure)}")
    if outlook.on_duty:
        said.append(f"on duty: {', '.join(ping(who) for who in outlook.on_duty[:10])}")
    if outlook.waiting is not None:
        said.append(f"{_count(outlook.waiting, 'case')} waiting")
    return DOT.join(said)


def _of_target(figure: PromiseFigure) -> str:
    shown = "" if figure.share is None else f"{percent(figure.share)}, "
    return f" ({shown}target {percent(figure.target)})"


def _breach_row(number: int, row: BreachRow, frame: Frame) -> Block:
    case, broken = row.case, _broken(row.case)[0]
    who = esc(case.author.name or case.author.handle, 60) or "deleted author"
    owner = ping(row.owner_id) if row.owner_id else esc(case.owner, 60) if case.owner else "unassigned"
    judged = case.classification
    about = [f"{judged.intent}, {judged.urgency} urgency"] if judged else ["not judged yet"]
    about += [owner, "draft ready" if case.draft else "no draft"]
    about += [f"why: {esc(row.why.words, 160)}"] if row.why else []
    about += [f"acknowledged by {esc(broken.acknowledged_by, 60)}"] if broken.acknowledged_by else []
    head = f"*{number}. {who}* on {platform_name(case.platform)}{DOT}{frame.case(case.id)}"
    due = f"waiting since {frame.at(broken.started_at)}, due {frame.at(broken.due_at)}"
    menu = overflow(
        "breach.row",
        [
            option("Open case", value_of(case, "open")),
            option("Take it myself", value_of(case, "take")),
            option("Assign…", value_of(case, "assign")),
        ],
    )
    return section(f"{head}{DOT}{due}\n{DOT.join(about)}", f"row:{case.id}:{case.version}", menu)


def _around(late: Sequence[BreachRow], answered: int, outlook: Outlook) -> list[str]:
    said = [f"and {len(late) - ROWS} more"] if len(late) > ROWS else []
    causes = Counter(row.why.cause for row in late if row.why)
    if causes and len(late) > 1:
        cause, times = causes.most_common(1)[0]
        said.append(f"Why: {times} of {len(late)} {cause}")
    if answered:
        said.append(f"{answered} answered since")
    if outlook.will_break is not None:
        soon = f"{outlook.will_break} more" if outlook.will_break else "none more"
        said.append(f"{soon} will break in the next hour at the present pace")
    return said or ["Oldest first"]


def _acknowledge(alarmed: Sequence[Case]) -> list[Block]:
    """One press stops the ladder for all that the button can name, the oldest first."""
    if not alarmed:
        return []
    named = [case.id for case in alarmed]
    while len(value := json.dumps({"cs": named}, separators=(",", ":"))) > VALUE:
        named.pop()
    if len(alarmed) == 1:
        value = value_of(alarmed[0])
    words = "Acknowledge" if len(named) == len(alarmed) else f"Acknowledge the oldest {len(named)}"
    looking = f"Acknowledge: I am looking at {_count(len(named), 'case')}"
    return [button(words, "breach.ack", value, style="primary", label=looking)]


def _what_next(late: Sequence[BreachRow], alarmed: Sequence[Case], outlook: Outlook, frame: Frame) -> str:
    said = ["One message for a quarter of an hour; it is updated, not repeated."]
    if not alarmed:
        who = {p.acknowledged_by for row in late for p in _broken(row.case) if p.acknowledged_by}
        said.append(f"{', '.join(esc(one, 60) for one in sorted(who)[:5])} acknowledged it.")
    elif outlook.next_at is not None and outlook.then:
        said.append(
            f"If nobody acknowledges by {frame.at(outlook.next_at)}, {ping(outlook.then)} is told next."
        )
    return " ".join(said)


# ── the settings ─────────────────────────────────────────────────────────────────────────────────


def settings_trouble(words: str) -> Payload:
    """What is wrong with brand.yaml, for managers: the settings in force go on."""
    said = "⚠ *Something in brand.yaml is wrong.* What was in force goes on until it is mended."
    text = "Something in brand.yaml is wrong; what was in force goes on."
    return Payload(text, (section(said, "settings"), quote(words, "settings:what")))


def letters(words: str) -> Payload:
    """What is to say of dead letters, for managers."""
    return Payload(words.replace("*", "").replace("`", ""), (section(words, "letters"),))


# ── at risk, still on it ─────────────────────────────────────────────────────────────────────────


def due_line(case: Case, alert: Alert, who: Sequence[str], frame: Frame) -> Payload:
    """The line in a card's thread that tells people, by their Slack ids, of a reply that is or was due."""
    called = " ".join(ping(one) for one in who[:10])
    nobody = "" if case.owner else "nobody has this yet, and "
    late = alert.state is PromiseState.BREACHED
    is_due = "a reply was due" if late else "a reply is due"
    due = f"{is_due} at {frame.at(alert.due_at)} ({esc(alert.promise, 60)})"
    said = f"{'🔴' if late else '🟠'} {called}{': ' if called else ''}{nobody}{due}. {frame.case(case.id)}"
    stands = "Late" if late else "At risk"
    text = f"{stands}: {nobody}{is_due} at {frame.clock(alert.due_at)}. Case {case.id}."
    return Payload(text, (section(said, f"risk:{case.id}:{case.version}"),))


def still_on_it(case: Case, frame: Frame, *, since: datetime, until: datetime) -> Payload:
    """Asks whoever has a case and said nothing on it for a while; no answer until then gives it back."""
    due = due_next(case)
    who = esc(case.author.name or case.author.handle, 60) or "a deleted author"
    owed = f" The reply is due at {frame.at(due.due_at)}." if due else ""
    said = (
        f"*Still on it?* You have {frame.case(case.id)} ({who} on {platform_name(case.platform)}) "
        f"since {frame.at(since)}.{owed}\nWithout an answer by {frame.at(until)} it goes back to everybody."
    )
    buttons = (
        button("Yes, I am on it", "lease.yes", value_of(case), style="primary"),
        button("Release it", "lease.release", value_of(case)),
    )
    blocks = (section(said, f"lease:{case.id}:{case.version}"), actions("act", *buttons))
    text = f"Are you still on case {case.id}? It goes back to everybody at {frame.clock(until)}."
    return Payload(text, blocks)


# ── floods ───────────────────────────────────────────────────────────────────────────────────────


def flood_message(
    held_back: int, frame: Frame, *, late: int = 0, at_risk: int = 0, oldest: datetime | None = None
) -> Payload:
    """One message in the place of many cards: how many wait, and the way to the next one."""
    if not held_back:
        over = "Every case has its own card again."
        return Payload(f"The flood is over. {over}", (section(f"✅ *The flood is over.* {over}", "flood"),))
    counts = [f"■ {late} late", f"▲ {at_risk} at risk", f"● {max(0, held_back - late - at_risk)} on time"]
    said = [f"*{_count(held_back, 'more case')} {_wait(held_back)}*", DOT.join(counts)]
    said += [f"The oldest waits since {frame.at(oldest)}."] if oldest else []
    said.append("More came than can be shown as cards; none is lost.")
    take = button(
        "Take the next one", "home.next", "next", style="primary", label="Take the case that is due next"
    )
    blocks = (section("🌊 " + "\n".join(said), "flood"), actions("act", take, *frame.desk()))
    text = f"{_count(held_back, 'more case')} {_wait(held_back)}: {late} late, {at_risk} at risk."
    return Payload(text, blocks)


def _wait(count: int) -> str:
    return "waits for a person" if count == 1 else "wait for a person"


# ── spikes ───────────────────────────────────────────────────────────────────────────────────────


def spike_message(
    spike: Spike,
    frame: Frame,
    *,
    about: str,
    counts: Sequence[tuple[datetime, int, float]] = (),
    where: Mapping[str, int] | None = None,
    paused: bool = False,
) -> Payload:
    """Far more than usual is said ``about`` the brand or a topic, and what was done.

    ``counts`` are five minutes each: when they began, the mentions, the usual; ``where`` the mentions by
    platform. ``paused`` says that automatic replies rest because of it.
    """
    what = "negative mentions" if spike.of_negative else "mentions"
    times, name = f"{spike.ratio:.0f}×", esc(about, 60)
    mood = percent(spike.negative / spike.mentions) if spike.mentions else "0 %"
    fields = [
        f"*Since*\n{frame.at(spike.began)}",
        f"*Mentions*\n{spike.mentions} in 15 minutes (usual {spike.usual:.0f}"
        f"{' negative ones' if spike.of_negative else ''})",
        f"*Mood*\n{mood} negative ({spike.negative} of {spike.mentions})",
    ]
    most = sorted((where or {}).items(), key=lambda place: -place[1])
    spread = ", ".join(f"{platform_name(place)} {count}" for place, count in most)
    fields += [f"*Where*\n{esc(spread, 200)}"] if spread else []
    done = "Automatic replies are paused until somebody resumes them." if paused else "Nothing was paused."
    blocks = [header(f"📈 Spike: “{cut(about, 60)}” at {times} the usual", "head"), _fields("facts", fields)]
    blocks += [_spike_chart(counts[-LAST_HOUR:], frame)] if counts else []
    blocks.append(context("done", f"{done} One message for one spike; its end is told here too."))
    blocks += _buttons([*([_resume(about)] if paused else []), *frame.desk()])
    since = frame.clock(spike.began)
    text = f"Spike: {what} about {name} are {times} the usual since {since}. {mood} are negative. {done}"
    return Payload(text, tuple(blocks))


def spike_over(over: Over, frame: Frame, *, about: str, paused: bool = False) -> Payload:
    """A spike has ended; automatic replies rest until a person lets them go on."""
    name, length = esc(about, 60), lasted(over.ended - over.began)
    mood = f", {percent(over.negative / over.mentions)} negative" if over.mentions else ""
    said = (
        f"From {frame.at(over.began)} to {frame.at(over.ended)} ({length}), {over.mentions} mentions{mood}, "
        f"{over.peak:.0f}× the usual at its height."
    )
    rest = "Automatic replies are still paused." if paused else ""
    blocks = [section(f"📉 *Spike over: “{name}”*\n{said} {rest}".rstrip(), "over")]
    blocks += _buttons([*([_resume(about)] if paused else []), *frame.desk()])
    return Payload(f"The spike about {name} is over after {length}. {rest}".rstrip(), tuple(blocks))


def _resume(about: str) -> Block:
    question = "Automatic replies to simple mentions go out again, to those who were in this spike too."
    asked = confirm("Resume automatic replies?", question, "Resume", "Stay paused")
    return button("Resume automatic replies", "spike.resume", cut(about, 150), confirm=asked)


def _spike_chart(counts: Sequence[tuple[datetime, int, float]], frame: Frame) -> Block:
    zone = ZoneInfo(frame.timezone)
    labels = [f"{at.astimezone(zone):%H:%M}" for at, _, _ in counts]
    series: dict[str, list[int | float]] = {
        "Now": [count for _, count, _ in counts],
        "Usual": [round(usual, 1) for _, _, usual in counts],
    }
    minutes = int(SLOT.total_seconds() // 60)
    title = f"Mentions per {minutes} minutes"
    return chart("chart", title, "line", labels, series, x=f"Time ({frame.timezone})", y="Mentions")


# ── the digest ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Day:
    """One bar of the digest's chart: what the day is called there, and its figures."""

    label: str
    figures: Figures


def digest(
    title: str,
    figures: Figures,
    frame: Frame,
    *,
    days: Sequence[Day] = (),
    before: Figures | None = None,
    worth: Sequence[tuple[str, str]] = (),
    spent: str = "",
) -> Payload:
    """The report of a day or a week, with what it was ``before``. No ranking of colleagues.

    ``worth`` are cases to read, each with words of our own; ``spent`` says what the platforms cost.
    """
    blocks = [header(title, "head"), _fields("facts", _facts(figures, before))]
    blocks += [_days_chart(days)] if days else []
    blocks += [_topics_table(figures.topics)] if figures.topics else []
    reading = [f"• {frame.case(case_id)}: missed its promise" for case_id in figures.missed[:3]]
    more = len(figures.missed) - 3
    reading += [f"• and {more} more missed"] if more > 0 else []
    reading += [f"• {frame.case(case_id)}: {esc(words, 200)}" for case_id, words in worth[:3]]
    blocks += [section("*Worth your eyes*\n" + "\n".join(reading), "worth")] if reading else []
    blocks += [context("now", _now(figures)), context("machine", DOT.join(_machine(figures, spent)))]
    blocks += _buttons(frame.desk("promises", "Open the promises"))
    return Payload(_digest_text(title, figures), tuple(blocks))


def _facts(figures: Figures, before: Figures | None) -> list[str]:
    earlier = {figure.name: figure for figure in before.promises} if before else {}
    facts = [
        f"*{esc(one.name, 60).capitalize()}*\n{_kept(one)}{_arrow(one, earlier.get(one.name))}\n"
        f"target {percent(one.target)}"
        for one in figures.promises[:7]
    ]
    wait = "nobody was answered" if figures.wait is None else lasted(figures.wait)
    if figures.wait is not None and before is not None and before.wait is not None:
        wait += _turn(round((figures.wait - before.wait) / timedelta(minutes=1)))
    if figures.wait_p90 is not None:
        wait += f"\nnine of ten within {lasted(figures.wait_p90)}"
    return [*facts, f"*Usual wait* (median)\n{wait}", f"*Mood*\n{_mood(figures)}"]


def _kept(figure: PromiseFigure) -> str:
    if not figure.ended:
        return "none was due"
    counted = f"{figure.kept} of {figure.ended}"
    return counted if figure.share is None else f"{percent(figure.share)} ({counted})"


def _arrow(figure: PromiseFigure, before: PromiseFigure | None) -> str:
    if before is None or figure.share is None or before.share is None:
        return ""
    return _turn(round(100 * figure.share) - round(100 * before.share))


def _turn(change: int) -> str:
    return f"  {'▲' if change > 0 else '▼'} {abs(change)}" if change else ""


def _mood(figures: Figures) -> str:
    judged, feelings = sum(figures.moods.values()), (Sentiment.NEGATIVE, Sentiment.POSITIVE)
    if not judged:
        return "nothing was judged"
    shares = [(feeling, figures.mood(feeling)) for feeling in feelings]
    return ", ".join(
        f"{figures.moods.get(feeling, 0)} of {judged} {feeling}"
        if part is None
        else f"{percent(part)} {feeling}"
        for feeling, part in shares
    )


def _now(figures: Figures) -> str:
    more = f"{figures.will_break or 'none'} more will break in the next hour at the present pace"
    stand = [f"Now: {figures.open} open", f"{figures.late} late", f"{figures.at_risk} at risk", more]
    return DOT.join(stand)


def _machine(figures: Figures, spent: str) -> list[str]:
    said = [f"Automatic replies {figures.automatic}", _draft_words(figures.drafts)]
    return [*said, esc(spent, 120)] if spent else said


def _draft_words(drafts: DraftFigure) -> str:
    of, kinds = drafts.decided, ("sent unchanged", "edited", "rejected")
    if not of:
        return "no drafts were decided"
    counts = (drafts.unchanged, drafts.edited, drafts.rejected)
    shown = [str(one) if (part := share(one, of)) is None else percent(part) for one in counts]
    return "drafts " + ", ".join(f"{kind} {count}" for kind, count in zip(kinds, shown, strict=True))


def _digest_text(title: str, figures: Figures) -> str:
    kept = ", ".join(f"{esc(one.name, 60)}: {_kept(one)}" for one in figures.promises)
    missed = f"{len(figures.missed)} missed" if figures.missed else "none missed"
    return f"{esc(title, 120)}: {_count(figures.mentions, 'mention')}{f', {kept}' if kept else ''}, {missed}."


def _days_chart(days: Sequence[Day]) -> Block:
    shown = days[-CATEGORIES:]
    names = [one.name for one in shown[-1].figures.promises][: SERIES - 1]
    series: dict[str, list[int | float]] = {
        name: [next((p.kept for p in day.figures.promises if p.name == name), 0) for day in shown]
        for name in names
    }
    series["Missed"] = [sum(p.missed for p in day.figures.promises) for day in shown]
    title = f"Promises kept, last {_count(len(shown), 'day')}"
    return chart("chart", title, "bar", [day.label for day in shown], series, y="Promises")


def _topics_table(topics: Sequence[TopicFigure]) -> Block:
    head = ("Topic", "Mentions", "Negative %", "Usual wait, min")
    rows: list[list[Block]] = [[_cell(text) for text in head]]
    for topic in topics[:TABLE_ROWS]:
        part, wait = topic.negative_share, topic.wait
        rows.append(
            [
                _cell(cut(topic.name, 60)),
                _number(topic.mentions),
                _cell("–") if part is None else _number(round(100 * part)),
                _cell("–") if wait is None else _number(round(wait / timedelta(minutes=1))),
            ]
        )
    return {"type": "data_table", "block_id": "topics", "caption": "Topics", "page_size": 5, "rows": rows}


def _cell(text: str) -> Block:
    return {"type": "raw_text", "text": text or "–"}


def _number(value: int) -> Block:
    return {"type": "raw_number", "value": value, "text": str(value)}


# ── charts ───────────────────────────────────────────────────────────────────────────────────────


def chart(
    block_id: str,
    title: str,
    kind: str,
    categories: Sequence[str],
    series: Mapping[str, Sequence[int | float]],
    *,
    x: str = "",
    y: str = "",
) -> Block:
    """A native chart, cut to Slack's limits; every series has a value for every category."""
    labels = _apart([cut(one or "–", LABEL) for one in categories[:CATEGORIES]], LABEL)
    shown = list(series.items())[:SERIES]
    names = _apart([cut(name or "–", NAME) for name, _ in shown], NAME)
    lines = [
        {"name": name, "data": [{"label": at, "value": v} for at, v in zip(labels, values, strict=False)]}
        for name, (_, values) in zip(names, shown, strict=True)
    ]
    axes: Block = {"categories": labels}
    axes |= {name: cut(words, TITLE) for name, words in (("x_label", x), ("y_label", y)) if words}
    drawn = {"type": kind, "series": lines, "axis_config": axes}
    return {"type": "data_visualization", "block_id": block_id, "title": cut(title, TITLE), "chart": drawn}


def _apart(labels: Sequence[str], most: int) -> list[str]:
    """The labels, each different: Slack matches values to categories by their words."""
    seen: Counter[str] = Counter()
    apart = []
    for label in labels:
        seen[label] += 1
        number = f" {seen[label]}" if seen[label] > 1 else ""
        apart.append(cut(label, most - len(number)) + number)
    return apart


def without_charts(payload: Payload) -> Payload | None:
    """The same facts in letters, for a workspace that refuses charts; None where there are none.

    The table is preformatted rich text: Slack parses nothing in it.
    """
    drawn = {"data_visualization": _chart_rows, "data_table": _table_rows}
    if not any(block["type"] in drawn for block in payload.blocks):
        return None
    blocks = [
        _in_letters(block, *drawn[str(block["type"])](block)) if block["type"] in drawn else block
        for block in payload.blocks
    ]
    return replace(payload, blocks=tuple(blocks))


def _chart_rows(block: Block) -> tuple[str, list[list[str]]]:
    drawn: Any = block["chart"]
    names = [line["name"] for line in drawn["series"]]
    values = [[f"{point['value']:g}" for point in line["data"]] for line in drawn["series"]]
    rows = [list(row) for row in zip(drawn["axis_config"]["categories"], *values, strict=True)]
    return str(block["title"]), [["", *names], *rows]


def _table_rows(block: Block) -> tuple[str, list[list[str]]]:
    rows: Any = block["rows"]
    return str(block["caption"]), [[cell["text"] for cell in row] for row in rows]


def _in_letters(block: Block, title: str, rows: Sequence[Sequence[str]]) -> Block:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    bold = {"type": "text", "text": title, "style": {"bold": True}}
    return {
        "type": "rich_text",
        "block_id": block["block_id"],
        "elements": [
            {"type": "rich_text_section", "elements": [bold]},
            {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "\n".join(lines)}]},
        ],
    }


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _fields(block_id: str, fields: Sequence[str]) -> Block:
    """Up to ten short paragraphs beside each other."""
    said = [{"type": "mrkdwn", "text": cut(one, 2_000), "verbatim": True} for one in fields[:10]]
    return {"type": "section", "block_id": block_id, "fields": said}


def _buttons(buttons: Sequence[Block]) -> list[Block]:
    """A row of buttons; nothing where there are none, as Slack refuses an empty one."""
    return [actions("act", *buttons)] if buttons else []


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
