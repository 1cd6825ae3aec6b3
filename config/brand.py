"""The brand's settings: reads brand.yaml, says everything that is wrong with it, and gives typed values.

Every problem names its line: ``brand.yaml:17: promises › first hour › within: write a length of time such
as 30m, 1h or 2d``. A file that is wrong is never half used.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from casework.classification import Intent, Sentiment, Topic, Urgency
from casework.clock import SystemClock
from casework.errors import HeardError
from casework.hours import OpeningHours, Span, merged
from casework.sla import LadderStep, MetBy, PromisePolicy, Promises, Since
from config.brand_file import (
    PLATFORMS,
    AutomaticPart,
    BrandFile,
    ClassifierPart,
    DeskPart,
    HoursPart,
    LearningPart,
    PlatformPart,
    PrivacyPart,
    PromisePart,
    RulePart,
    TeamPart,
    WhenPart,
    brief,
    nearest,
)
from config.calendars import BadCalendar, Closures, closures, read_calendar
from config.lengths import DAY, read_days, say_hours
from config.yaml_lines import Document, Location, Unreadable, read_document
from responder.policy import Action, Rule, When

DEFAULTS = Path(__file__).parent / "defaults"

REDDIT_KEEPS = timedelta(hours=48)
"""The longest that text from Reddit is kept, whatever the file says (R4)."""

DEFAULT_LADDER = (LadderStep(timedelta(0), "managers"), LadderStep(timedelta(minutes=15), "leads"))
"""Who is told of a broken promise: managers at once, the next manager a quarter of an hour later."""

_WEEK = 7 * DAY
_MONTH = 30 * DAY
_NIGHT = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the file: where, and what to write instead."""

    line: int | None
    place: str
    text: str

    def sentence(self, file: str) -> str:
        """``brand.yaml:17: promises › first hour › within: …``."""
        where = f"{file}:{self.line}" if self.line else file
        said = f"{where}: {self.place}: {self.text}" if self.place else f"{where}: {self.text}"
        return "".join(letter if letter.isprintable() else "·" for letter in said)


class BrandError(HeardError):
    """The brand file is wrong; ``problems`` are all that could be found, in the order of the file."""

    def __init__(self, source: Path, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        super().__init__("\n".join(problem.sentence(source.name) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Brand:
    """The brand's settings as typed values. ``sha256`` names exactly this text of the file and its calendars.

    ``calendars`` are the contents of the calendar files as they were read with it, ``warnings`` sentences
    about what is allowed but most likely not meant.
    """

    file: BrandFile
    source: Path
    sha256: str
    warnings: tuple[str, ...] = ()
    calendars: tuple[bytes, ...] = ()

    @property
    def name(self) -> str:
        """The brand's name, as customers know it."""
        return self.file.brand.name

    @property
    def handles(self) -> Mapping[str, tuple[str, ...]]:
        """The brand's own accounts by platform, without ``@`` or ``u/`` in front."""
        named = {platform: getattr(self.file.brand.handles, platform) for platform in PLATFORMS}
        bare = {platform: tuple(_bare(handle) for handle in handles) for platform, handles in named.items()}
        return MappingProxyType({platform: handles for platform, handles in bare.items() if handles})

    @property
    def watch(self) -> tuple[str, ...]:
        """The words to follow; the brand's name when the file names none."""
        return self.file.brand.watch or (self.name,)

    @property
    def ignore(self) -> tuple[str, ...]:
        """Posts with these words are passed over."""
        return self.file.brand.ignore

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that replies are written in, the preferred one first."""
        return self.file.brand.languages

    @property
    def voice(self) -> str:
        """How the brand sounds."""
        return self.file.brand.voice

    @property
    def timezone(self) -> str:
        """Where days and opening hours are read."""
        return self.file.hours.timezone

    @property
    def topics(self) -> Mapping[str, tuple[str, ...]]:
        """Topic names and the words that show each: Heard's own, then the brand's."""
        return MappingProxyType({**default_topics(), **self.file.topics})

    @property
    def automatic(self) -> AutomaticPart:
        """What may be published without a person."""
        return self.file.automatic

    @property
    def platforms(self) -> Mapping[str, PlatformPart]:
        """The platforms that are on, with what Heard does on each."""
        named = ((platform, getattr(self.file.platforms, platform)) for platform in PLATFORMS)
        return MappingProxyType({platform: part for platform, part in named if part and part.enabled})

    @property
    def team(self) -> TeamPart:
        """Who may do what, and where they are told."""
        return self.file.team

    @property
    def privacy(self) -> PrivacyPart:
        """How long things are kept, and what is masked."""
        return self.file.privacy

    @property
    def learning(self) -> LearningPart:
        """Whether the desk's corrections may become labelled rows."""
        return self.file.learning

    @property
    def desk(self) -> DeskPart:
        """The web desk, as the file wants it; `config.settings` has the last word."""
        return self.file.desk

    @property
    def classifier(self) -> ClassifierPart:
        """Which models judge, as the file wants it; `config.settings` has the last word."""
        return self.file.classifier

    @property
    def knowledge(self) -> Path:
        """The folder of articles, beside the file."""
        return self.source.parent / self.file.knowledge.folder

    @property
    def templates(self) -> Path:
        """The reviewed wording, beside the file."""
        return self.source.parent / self.file.knowledge.templates

    @property
    def folders(self) -> frozenset[Path]:
        """Where the file and its calendars lie."""
        paths = (self.source, *(_beside(self.source, name) for name in self.file.hours.calendars))
        return frozenset(path.parent for path in paths)

    def keeps_posts(self, platform: str) -> timedelta:
        """How long the text of a platform's posts is kept; Reddit's never longer than its rule allows."""
        part: PlatformPart | None = getattr(self.file.platforms, platform, None)
        kept = part.keep_posts if part and part.keep_posts is not None else self.privacy.keep_posts
        return min(kept, REDDIT_KEEPS) if platform == "reddit" else kept

    def hours(self, *, now: datetime | None = None) -> OpeningHours:
        """The opening hours, with what is closed in the years round ``now``."""
        return _opening_hours(self.file.hours, self.calendars, (now or SystemClock().now()).year)

    def promises(self, *, now: datetime | None = None) -> Promises:
        """The promises and the hours they are counted by.

        What is closed is known from the year before ``now`` to two years after it: ask again each year.
        """
        return Promises(
            policies=tuple(_policy(part) for part in self.file.promises), hours=self.hours(now=now)
        )

    def rules(self) -> tuple[Rule, ...]:
        """The policy. A line that asks for the intents ``spam`` or ``unrelated`` gives a rule for each."""
        return tuple(
            rule for index, part in enumerate(self.file.policy) for rule in _rules(part, rule_id(part, index))
        )


def load_brand(path: Path, *, now: datetime | None = None) -> Brand:
    """The brand in the file; what its calendar allows is judged from ``now`` on.

    Raises:
        BrandError: the file cannot be read or is wrong; its text lists every problem with its line.
    """
    try:
        document = read_document(path)
    except Unreadable as error:
        raise BrandError(path, [Problem(error.line, "", error.text)]) from None
    try:
        file = BrandFile.model_validate(document.values, context={"topics": _topic_names(document.values)})
    except ValidationError as error:
        raise BrandError(path, _problems(error, document)) from None
    now = now or SystemClock().now()
    calendars, broken = _calendars(file.hours, path, now.year)
    hours = _opening_hours(file.hours, () if broken else calendars, now.year)
    wrong = [*broken, *_contradictions(file, hours, now)]
    if wrong:
        raise BrandError(path, [_problem(document, location, text) for location, text in wrong])
    warnings = (_problem(document, location, text) for location, text in _doubts(file))
    return Brand(
        file=file,
        source=path,
        sha256=hashlib.sha256(b"".join((document.data, *calendars))).hexdigest(),
        warnings=tuple(warning.sentence(path.name) for warning in warnings),
        calendars=calendars,
    )


def reload_if_valid(current: Brand, path: Path) -> tuple[Brand, str | None]:
    """The brand now in the file; or the present one, and the sentence that says what is wrong."""
    try:
        return load_brand(path), None
    except BrandError as error:
        return current, f"kept the settings in force, as the new ones are wrong:\n{error}"


def said_at(brand: Brand, wrong: Iterable[tuple[Location, str]]) -> list[str]:
    """What was found wrong elsewhere with what a brand's file says, each with its line."""
    found = list(wrong)
    if not found:
        return []
    document = read_document(brand.source)
    return [_problem(document, location, text).sentence(brand.source.name) for location, text in found]


@lru_cache(maxsize=1)
def default_topics() -> Mapping[str, tuple[str, ...]]:
    """The topics that every brand has."""
    values = read_document(DEFAULTS / "topics.yaml").values
    return MappingProxyType({name: tuple(words) for name, words in values.items()})


def rule_id(part: RulePart, index: int) -> str:
    """The rule's name: its ``id``, or its place in the policy."""
    return part.id or f"rule {index + 1}"


# ── from the file's shape to the stages' values ──────────────────────────────────────────────────


def _bare(handle: str) -> str:
    return handle.removeprefix("/").removeprefix("u/").removeprefix("@")


def _topic_names(values: Mapping[str, Any]) -> tuple[str, ...]:
    own = values.get("topics")
    names = [*(topic.value for topic in Topic), *default_topics(), *(own if isinstance(own, dict) else ())]
    return tuple(dict.fromkeys(str(name) for name in names))


def _policy(part: PromisePart) -> PromisePolicy:
    return PromisePolicy(
        name=part.name,
        within=part.within.length,
        met_by=_met_by(part),
        urgencies=frozenset(Urgency(urgency) for urgency in part.for_.urgency),
        intents=frozenset(part.for_.intent),
        platforms=frozenset(part.for_.platform),
        opening_clock=part.clock == "opening",
        warn_at=part.warn_at,
        ladder=_ladder(part),
        target=part.target,
        since=Since(part.starts),
        timezone=part.timezone,
        quiet=part.quiet,
    )


def _met_by(part: PromisePart) -> MetBy:
    # An hour can only promise a sign of life; a day has time for an answer.
    if part.met_by is not None:
        return MetBy(part.met_by)
    short = part.within.length is not None and part.within.length <= DAY
    return MetBy.REPLY if short else MetBy.ANSWER


def _ladder(part: PromisePart) -> tuple[LadderStep, ...]:
    if part.ladder is None:
        return DEFAULT_LADDER
    return tuple(
        sorted(
            (LadderStep(step.after, step.to, step.every) for step in part.ladder), key=lambda step: step.after
        )
    )


def _week(part: HoursPart) -> tuple[tuple[Span, ...], ...]:
    by_day = {day: spans for days, spans in part.open.items() for day in read_days(days)}
    return tuple(by_day.get(day, ()) for day in range(7))


def _opening_hours(part: HoursPart, calendars: Sequence[bytes], year: int) -> OpeningHours:
    years = (year - 1, year, year + 1, year + 2)
    official = frozenset[date]().union(*(_holidays(code, years) for code in part.holidays))
    shut = [_closures(calendar, part.timezone, year) for calendar in calendars]
    return OpeningHours(
        timezone=part.timezone,
        week=_week(part),
        closed=official.union(*part.closed, *(each.days for each in shut)),
        closed_at=merged(stretch for each in shut for stretch in each.stretches),
    )


def _closures(calendar: bytes, timezone: str, year: int) -> Closures:
    return closures(calendar, timezone, date(year - 1, 1, 1), date(year + 3, 1, 1))


def _calendars(
    hours: HoursPart, source: Path, year: int
) -> tuple[tuple[bytes, ...], list[tuple[Location, str]]]:
    """The contents of the calendar files, and what is wrong with them."""
    contents: list[bytes] = []
    broken: list[tuple[Location, str]] = []
    for index, name in enumerate(hours.calendars):
        try:
            contents.append(read_calendar(_beside(source, name)))
            _closures(contents[-1], hours.timezone, year)
        except BadCalendar as error:
            broken.append((("hours", "calendars", index), str(error)))
    return tuple(contents), broken


def _beside(source: Path, name: str) -> Path:
    return source.parent / name


@lru_cache(maxsize=64)
def _holidays(code: str, years: tuple[int, ...]) -> frozenset[date]:
    # It takes a third of a second to import, and few commands need it.
    import holidays

    country, _, region = code.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=region or None, years=years))


def _rules(part: RulePart, name: str) -> Iterator[Rule]:
    when = part.when
    intents = frozenset(Intent(word) for word in when.intent if word in set(Intent))
    urgencies = frozenset(Urgency(word) for word in when.urgency)
    if intents or not when.intent:
        yield _rule(part, name, intents, urgencies, frozenset(when.topic))
    if "spam" in when.intent:
        yield _rule(part, name, frozenset(), urgencies, frozenset({Topic.SPAM.value}))
    if "unrelated" in when.intent and (not urgencies or Urgency.LOW in urgencies):
        # Nothing the model knows a word for, and nobody waits for an answer.
        yield _rule(part, name, frozenset({Intent.OTHER}), frozenset({Urgency.LOW}), frozenset(when.topic))


def _rule(
    part: RulePart,
    name: str,
    intents: frozenset[Intent],
    urgencies: frozenset[Urgency],
    topics: frozenset[str],
) -> Rule:
    when, sure = part.when, part.when.confidence
    action = Action(part.do)
    return Rule(
        id=name,
        do=action,
        when=When(
            topics=topics,
            intents=intents,
            urgencies=urgencies,
            sentiments=frozenset(Sentiment(word) for word in when.sentiment),
            platforms=frozenset(when.platform),
            languages=frozenset(when.language),
            addressed=when.addressed,
            confidence=sure.at_least if sure else None,
            below=sure.below if sure else None,
        ),
        template=part.template,
        to=part.to or ("managers" if action is Action.ESCALATE else None),
        approvers=part.approvers,
    )


# ── what is wrong ────────────────────────────────────────────────────────────────────────────────


def _contradictions(file: BrandFile, hours: OpeningHours, now: datetime) -> Iterator[tuple[Location, str]]:
    """Parts that are right alone and wrong together."""
    yield from _twice(("promises",), [part.name for part in file.promises], "promise")
    yield from _twice(("policy",), [rule_id(part, i) for i, part in enumerate(file.policy)], "rule")
    yield from _hours_twice(file.hours)
    never_open = not any(_week(file.hours))
    shut = not never_open and not _opens(hours, now)
    if shut:
        closing = next(key for key in ("calendars", "closed", "holidays") if getattr(file.hours, key))
        yield (
            ("hours", closing),
            "holidays, closed days and calendars together leave no open hour in the next year",
        )
    for index, part in enumerate(file.promises):
        if part.clock == "opening" and never_open:
            yield ("promises", index, "clock"), "the brand is never open, so this could not be kept"
        elif part.clock == "opening" and not shut and not _fits(part, hours, now):
            yield ("promises", index, "within"), "the opening hours leave no time to keep this within a year"
        yield from _in_circles(index, part)
        if part.timezone is not None and (part.within.length is not None or part.clock == "opening"):
            said = "a time zone of its own is for `within: day` on `clock: always`; others count the brand's"
            yield ("promises", index, "timezone"), said


def _twice(location: Location, names: Sequence[str], what: str) -> Iterator[tuple[Location, str]]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield (*location, index), f"there is already a {what} with this name; choose another"


def _in_circles(index: int, part: PromisePart) -> Iterator[tuple[Location, str]]:
    told = [step.to for step in part.ladder or ()]
    for place, who in enumerate(told):
        if who in told[:place]:
            said = f"the ladder comes back to {who}; a ladder only climbs: tell somebody again with `every`"
            yield ("promises", index, "ladder", place), said


def _hours_twice(hours: HoursPart) -> Iterator[tuple[Location, str]]:
    named: dict[int, str] = {}
    for days in hours.open:
        for day in read_days(days):
            if day in named:
                yield ("hours", "open", days), f"`{named[day]}` already gives hours for one of these days"
                return
            named[day] = days
    spans = sorted(
        (DAY * day + _since_midnight(span.start), DAY * day + _until(span), named[day])
        for day, spans_of_day in enumerate(_week(hours))
        for span in spans_of_day
    )
    around = [*spans, *((start + _WEEK, end + _WEEK, days) for start, end, days in spans[:1])]
    for (_, end, _), (start, _, days) in pairwise(around):
        if start < end:
            yield ("hours", "open", days), "these hours overlap with others; write each hour once"
            return


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute)


def _length(span: Span) -> timedelta:
    return _until(span) - _since_midnight(span.start)


def _until(span: Span) -> timedelta:
    end = _since_midnight(span.end)
    return end + DAY if span.end <= span.start else end


def _opens(hours: OpeningHours, now: datetime) -> bool:
    try:
        hours.opens(now)
    except ValueError:
        return False
    return True


def _fits(part: PromisePart, hours: OpeningHours, now: datetime) -> bool:
    """Whether the promise can be kept, in whichever month of the next year it begins."""
    policy = _policy(part)
    try:
        for month in range(12):
            policy.start("", now + month * _MONTH, hours)
    except ValueError:
        return False
    return True


def _doubts(file: BrandFile) -> Iterator[tuple[Location, str]]:
    """What is allowed but most likely not meant."""
    catch_all = None
    for index, part in enumerate(file.policy):
        if catch_all is not None:
            yield (
                ("policy", index),
                f"this rule is never reached, as `{catch_all}` above it matches everything",
            )
        elif part.when == WhenPart():
            catch_all = rule_id(part, index)
    for index, promise in enumerate(file.promises):
        urgencies = promise.for_.urgency
        if Urgency.HIGH in urgencies and Urgency.CRITICAL not in urgencies:
            yield ("promises", index, "for"), "this covers high but not critical; add critical if it should"
    yield from _doubtful_hours(file)
    for platform in PLATFORMS:
        named: PlatformPart | None = getattr(file.platforms, platform)
        if named and named.visibility and platform != "mastodon":
            yield ("platforms", platform, "visibility"), "only Mastodon knows this; it does nothing here"
        if named and named.file and platform != "replay":
            yield ("platforms", platform, "file"), "only replay reads a file; it does nothing here"


def _doubtful_hours(file: BrandFile) -> Iterator[tuple[Location, str]]:
    for days, spans in file.hours.open.items():
        for span in spans:
            if time(0) < span.end < span.start and _length(span) > _NIGHT:
                yield (
                    ("hours", "open", days),
                    f"{span.start:%H:%M}-{span.end:%H:%M} is open through the night until the next day; "
                    "swap the two times if that is not meant",
                )
    week = sum((_length(span) for spans in _week(file.hours) for span in spans), timedelta(0))
    for index, promise in enumerate(file.promises):
        length = promise.within.length
        if promise.clock == "opening" and length is not None and length > week:
            yield (
                ("promises", index, "within"),
                f"this is more than all opening hours of a week ({say_hours(week)}); with `clock: opening` "
                "only those count",
            )


def _problems(error: ValidationError, document: Document) -> list[Problem]:
    details = error.errors(include_url=False, include_input=True)
    return [_problem(document, _clean(detail["loc"]), _say(detail)) for detail in details]


def _clean(location: Location) -> Location:
    return tuple(part for part in location if part != "[key]")


def _problem(document: Document, location: Location, text: str) -> Problem:
    return Problem(document.line(location), _place(document.values, location), text)


def _place(values: Any, location: Location) -> str:
    """``promises › first hour › within``: list entries by their name."""
    names: list[str] = []
    node = values
    for part in location:
        if isinstance(part, int) and not isinstance(node, list):
            continue  # A single value where a list may stand.
        node = _child(node, part)
        names.append(_entry_name(node, part) if isinstance(part, int) else brief(part))
    return " › ".join(names)


def _child(node: Any, part: int | str) -> Any:
    try:
        return node[part]
    except (KeyError, IndexError, TypeError):
        return None


def _entry_name(node: Any, index: int) -> str:
    named = (node.get("name") or node.get("id")) if isinstance(node, dict) else node
    return named if isinstance(named, str) and len(named) <= 40 else f"#{index + 1}"


_PLAIN_SENTENCES: Mapping[str, str] = {
    "string_type": 'write text; put it in quotes if it looks like a number, such as "404"',
    "string_too_short": "write some text here, or leave the key out",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "model_type": "write settings below it, as `key: value`",
    "model_attributes_type": "write settings below it, as `key: value`",
    "dict_type": "write settings below it, as `key: value`",
    "tuple_type": "write a list, each entry on a line that begins with `- `",
}


def _say(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown_key(detail["loc"])
    if kind == "missing":
        return _missing(detail["loc"])
    if kind == "literal_error":
        known = tuple(word.strip(" '") for word in str(context["expected"]).replace(" or ", ", ").split(","))
        return f"there is no `{brief(detail['input'])}` here; {nearest(detail['input'], known)}"
    message = _PLAIN_SENTENCES.get(kind, detail["msg"])
    return message[0].lower() + message[1:].replace("Input should", "it should")


def _unknown_key(location: Location) -> str:
    model = _model_at(location[:-1])
    known = tuple(field.alias or name for name, field in model.model_fields.items()) if model else ()
    return f"there is no such setting; {nearest(location[-1], known)}"


def _missing(location: Location) -> str:
    model = _model_at(location[:-1])
    fields = model.model_fields if model else {}
    field = next((f for name, f in fields.items() if location[-1] in (name, f.alias)), None)
    example = f", for example `{location[-1]}: {field.examples[0]}`" if field and field.examples else ""
    return f"this is missing; write it{example}"


def _model_at(location: Sequence[int | str]) -> type[BaseModel] | None:
    model: type[BaseModel] | None = BrandFile
    for part in location:
        if isinstance(part, int) or model is None:
            continue
        field = next((f for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        model = _model_in(field.annotation) if field else None
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for arg in get_args(annotation) if (model := _model_in(arg))), None)
