"""The shape of brand.yaml: every setting with what it does, its default and an example.

Unknown keys are errors. Each reader raises one sentence that says how to write the value; `config.brand`
puts the line and the place in front of it. ``config explain`` and the JSON Schema are made from here.
"""

from collections.abc import Callable, Sequence
from datetime import time, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from casework.classification import Intent, Sentiment, Topic, Urgency
from casework.hours import Span
from casework.sla import BACKUP, OWNER
from casework.sla import Warning as EarlyWarning
from config.lengths import (
    ALL_DAY,
    WEEKDAYS,
    Bound,
    Cap,
    ClosedDays,
    Money,
    Within,
    read_bound,
    read_cap,
    read_closed,
    read_days,
    read_length,
    read_money,
    read_quiet,
    read_share,
    read_spans,
    read_time,
    read_times_usual,
    read_warning,
    read_within,
)
from platforms.setup import installed
from responder.policy import Action

BUILT_IN = ("x", "reddit", "bluesky", "mastodon", "replay")
"""The platforms that Heard itself brings."""

PLUGINS = tuple(sorted(name for name in installed() if name not in BUILT_IN and name.isidentifier()))
"""The platforms that installed plugins bring."""

PLATFORMS = (*BUILT_IN, *PLUGINS)
"""The platforms that Heard knows."""

INTENT_WORDS = ("spam", "unrelated")
"""Words that a rule's ``intent`` takes beside the model's: topic spam, and small talk that wants nothing."""

MASKS = ("email", "phone", "booking_reference", "card", "iban")
"""What can be masked in stored posts."""


class Also:
    """Adds to the JSON Schema what a reader takes besides the value itself."""

    def __init__(self, *schemas: dict[str, Any]) -> None:
        self.schemas = schemas

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The value's own schema, or one of the added ones."""
        return {"anyOf": [handler(core), *self.schemas]}


def nearest(word: object, known: Sequence[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, then all of them."""
    close = get_close_matches(brief(word).lower(), known, n=1, cutoff=0.6)
    meant = f"did you mean `{close[0]}`? " if close else ""
    return f"{meant}Known: {', '.join(known)}"


def brief(value: object) -> str:
    """The value as it is shown in a sentence: short."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _label(what: str, known: Sequence[str]) -> BeforeValidator:
    def read(value: object) -> object:
        if value not in known:
            raise ValueError(f"there is no {what} `{brief(value)}`; {nearest(value, known)}")
        return value

    return BeforeValidator(read)


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _written(example: str, *more: dict[str, Any]) -> WithJsonSchema:
    text: dict[str, Any] = {"type": "string", "examples": [example]}
    return WithJsonSchema({"anyOf": [text, *more]} if more else text)


_NUMBER = {"type": "number"}
_TEXT = {"type": "string"}
_TEXT_LIST = {"type": "array", "items": _TEXT}

Length = Annotated[timedelta, PlainValidator(read_length), _written("1h")]
WithinText = Annotated[Within, PlainValidator(read_within), _written("1h")]
Share = Annotated[float, PlainValidator(read_share), _written("90%", _NUMBER)]
WarningText = Annotated[EarlyWarning, PlainValidator(read_warning), _written("50%")]
TimeText = Annotated[time, PlainValidator(read_time), _written("17:30")]
QuietText = Annotated[Span, PlainValidator(read_quiet), _written("22:00-07:00")]
Spans = Annotated[tuple[Span, ...], PlainValidator(read_spans), _written("08:00-22:00", _TEXT_LIST)]
Closed = Annotated[ClosedDays, PlainValidator(read_closed), _written("2026-12-24..2026-12-31")]
MoneyText = Annotated[Money, PlainValidator(read_money), _written("5.00 USD")]
CapText = Annotated[Cap, PlainValidator(read_cap), _written("1 per day")]
TimesUsual = Annotated[float, PlainValidator(read_times_usual), _written("4x")]
BoundText = Annotated[Bound, PlainValidator(read_bound), _written(">=0.9")]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_list), Also({"type": "string"})]


def _values(labels: type[StrEnum]) -> tuple[str, ...]:
    return tuple(label.value for label in labels)


def _one_of(known: Sequence[str]) -> WithJsonSchema:
    return WithJsonSchema({"enum": list(known)})


def _or_one_of(known: Sequence[str]) -> Also:
    return Also({"enum": list(known)})


INTENTS = _values(Intent)
RULE_INTENTS = (*INTENTS, *INTENT_WORDS)
URGENCIES = _values(Urgency)
SENTIMENTS = _values(Sentiment)
ACTIONS = _values(Action)

IntentLabel = Annotated[str, _label("intent", INTENTS), _one_of(INTENTS)]
Intents = Annotated[tuple[IntentLabel, ...], BeforeValidator(_as_list), _or_one_of(INTENTS)]
RuleIntentLabel = Annotated[str, _label("intent", RULE_INTENTS), _one_of(RULE_INTENTS)]
RuleIntents = Annotated[tuple[RuleIntentLabel, ...], BeforeValidator(_as_list), _or_one_of(RULE_INTENTS)]
UrgencyLabel = Annotated[str, _label("urgency", URGENCIES), _one_of(URGENCIES)]
Urgencies = Annotated[tuple[UrgencyLabel, ...], BeforeValidator(_as_list), _or_one_of(URGENCIES)]
SentimentLabel = Annotated[str, _label("sentiment", SENTIMENTS), _one_of(SENTIMENTS)]
Sentiments = Annotated[tuple[SentimentLabel, ...], BeforeValidator(_as_list), _or_one_of(SENTIMENTS)]
PlatformLabel = Annotated[str, _label("platform", PLATFORMS), _one_of(PLATFORMS)]
Platforms = Annotated[tuple[PlatformLabel, ...], BeforeValidator(_as_list), _or_one_of(PLATFORMS)]
MaskLabel = Annotated[str, _label("mask", MASKS), _one_of(MASKS)]
Masks = Annotated[tuple[MaskLabel, ...], BeforeValidator(_as_list), _or_one_of(MASKS)]
ActionLabel = Annotated[str, _label("action", ACTIONS), _one_of(ACTIONS)]


MEANS_NOTHING = "ignore"
"""What a label of another model means that is none of ours."""

SENTIMENTS_OR_NONE = (*SENTIMENTS, MEANS_NOTHING)
INTENTS_OR_NONE = (*INTENTS, MEANS_NOTHING)
URGENCIES_OR_NONE = (*URGENCIES, MEANS_NOTHING)
SentimentMeaning = Annotated[str, _label("sentiment", SENTIMENTS_OR_NONE), _one_of(SENTIMENTS_OR_NONE)]
IntentMeaning = Annotated[str, _label("intent", INTENTS_OR_NONE), _one_of(INTENTS_OR_NONE)]
UrgencyMeaning = Annotated[str, _label("urgency", URGENCIES_OR_NONE), _one_of(URGENCIES_OR_NONE)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(
            f"there is no time zone `{brief(name)}`; write one such as Europe/Oslo or UTC"
        ) from None
    return name


def _holiday_code(code: str) -> str:
    import holidays

    country, _, region = code.partition("-")
    known = holidays.list_supported_countries(include_aliases=True)
    if country not in known:
        close = say_nearest(country.upper(), tuple(known))
        raise ValueError(
            f"there are no holidays for the country `{brief(country)}`{close}; write a code such as NO"
        )
    if region and region not in known[country]:
        some = ", ".join(known[country][:12]) or "none"
        raise ValueError(f"{country} has no region `{brief(region)}`; known regions: {some}")
    return code


def _calendar_path(path: str) -> str:
    if "://" in path:
        raise ValueError("write the path of a file on this machine; Heard never fetches a calendar")
    return path


def say_nearest(word: str, known: Sequence[str]) -> str:
    """``, did you mean `NO`?`` or nothing."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""


class Part(BaseModel):
    """A part of brand.yaml: unknown keys are errors, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class BuiltInHandles(Part):
    """The brand's own accounts, by platform."""

    x: Texts = Field(default=(), description="Accounts on X.", examples=["auroraair"])
    reddit: Texts = Field(default=(), description="Accounts on Reddit.", examples=["auroraair_help"])
    bluesky: Texts = Field(default=(), description="Accounts on Bluesky.", examples=["auroraair.com"])
    mastodon: Texts = Field(
        default=(),
        description="Accounts on Mastodon, with the server.",
        examples=["@auroraair@mastodon.social"],
    )
    replay: Texts = Field(default=(), description="Accounts in recorded days.", examples=["auroraair"])


def _with_plugins(name: str, base: type[Part], field: Callable[[str], tuple[Any, Any]]) -> type[Part]:
    """A part with one more setting for each plugin: checked, explained and in the JSON Schema like any."""
    fields: dict[str, Any] = {plugin: field(plugin) for plugin in PLUGINS}
    return create_model(name, __base__=base, __doc__=base.__doc__, **fields)


if TYPE_CHECKING:
    Handles = BuiltInHandles
else:
    Handles = _with_plugins(
        "Handles",
        BuiltInHandles,
        lambda name: (Texts, Field(default=(), description=f"Accounts on {name}.")),
    )


class BrandPart(Part):
    """Who the brand is, and what to listen for."""

    name: Text = Field(description="The brand's name, as customers know it.", examples=["Aurora Air"])
    handles: Handles = Field(default=Handles(), description="The brand's own accounts, by platform.")
    watch: Texts = Field(
        default=(),
        description="Words to follow besides the handles; the name if empty.",
        examples=["aurora air"],
    )
    ignore: Texts = Field(
        default=(), description="Posts with these words are passed over.", examples=["aurora borealis"]
    )
    languages: Texts = Field(
        default=("en",),
        description="Languages that replies are written in, the first one first.",
        examples=["en"],
    )
    voice: str = Field(
        default="", description="How the brand sounds, in a sentence.", examples=["Warm, plain, short."]
    )


def _days(text: str) -> str:
    read_days(text)
    return text


Days = Annotated[str, AfterValidator(_days)]


def _read_week(value: object) -> object:
    if value in ("24h", "always"):
        return dict.fromkeys(WEEKDAYS, (ALL_DAY,))
    return value


class HoursPart(Part):
    """When the brand is there. Only promises with ``clock: opening`` count these hours."""

    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="UTC", description="Where days and opening hours are read.", examples=["Europe/Oslo"]
    )
    open: Annotated[dict[Days, Spans], BeforeValidator(_read_week), Also({"enum": ["24h", "always"]})] = (
        Field(
            default=dict.fromkeys(WEEKDAYS, (ALL_DAY,)),
            description="Opening hours by weekday; a day not named is closed. Always open if left out.",
            examples=['{mon-fri: "08:00-22:00", sat: ["09:00-12:00", "13:00-18:00"]}'],
        )
    )
    holidays: Annotated[
        tuple[Annotated[str, AfterValidator(_holiday_code)], ...],
        BeforeValidator(_as_list),
        Also({"type": "string"}),
    ] = Field(
        default=(),
        description="Countries (`NO`) or regions (`DE-BY`) whose public holidays the brand is closed on.",
        examples=["NO"],
    )
    closed: Annotated[tuple[Closed, ...], BeforeValidator(_as_list), Also({"type": "string"})] = Field(
        default=(),
        description="Further days that the brand is closed on: single ones, or from the first to the last.",
        examples=["[2026-12-24, 2026-12-28..2026-12-31]"],
    )
    calendars: Annotated[
        tuple[Annotated[Text, AfterValidator(_calendar_path)], ...],
        BeforeValidator(_as_list),
        Also({"type": "string"}),
    ] = Field(
        default=(),
        description="Calendar files (iCal) beside this file. An all-day event closes its days, one with "
        "times those hours.",
        examples=["closures.ics"],
    )


class ForPart(Part):
    """Which mentions a promise is for; an empty list is for all."""

    urgency: Urgencies = Field(default=(), description="Urgencies that it covers.", examples=["high"])
    intent: Intents = Field(default=(), description="Intents that it covers.", examples=["complaint"])
    platform: Platforms = Field(default=(), description="Platforms that it covers.", examples=["x"])


_PEOPLE = (OWNER, BACKUP, "managers", "leads")
_LEAST_EVERY = timedelta(minutes=5)


def _somebody(who: str) -> str:
    if who not in _PEOPLE and not (who[0] in "#@" and len(who) > 1):
        raise ValueError(
            f"nobody is called `{brief(who)}`{say_nearest(who, _PEOPLE)}; write {', '.join(_PEOPLE)}, "
            "a #channel or a @person"
        )
    return who


class LadderPart(Part):
    """One step of the ladder: who is told of a broken promise, how long after, and how often again."""

    after: Length = Field(description="How long after the breach.", examples=["15m"])
    to: Annotated[Text, AfterValidator(_somebody)] = Field(
        description="Who is told: owner, backup, managers, leads, a #channel or a @person.",
        examples=["leads"],
    )
    every: Length | None = Field(
        default=None,
        description="How often they are told again until somebody says that they heard it; once if left out.",
        examples=["30m"],
    )

    @field_validator("every")
    @classmethod
    def _not_a_storm(cls, every: timedelta | None) -> timedelta | None:
        if every is not None and every < _LEAST_EVERY:
            raise ValueError("nobody reads an alarm that comes so often; write 5m or longer")
        return every


def _known_topic(topic: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("topics")
    if known is not None and topic not in known:
        raise ValueError(
            f"there is no topic `{brief(topic)}`; {nearest(topic, tuple(known))}. Your own go under `topics:`"
        )
    return topic


def _own_topic(topic: str) -> str:
    if topic in _values(Topic):
        raise ValueError("this topic is built in, with words of its own; choose another name")
    return topic


TopicLabels = Annotated[
    tuple[Annotated[Text, AfterValidator(_known_topic)], ...],
    BeforeValidator(_as_list),
    Also({"type": "string"}),
]


def _all_or(value: object) -> object:
    return {} if value in ("all", "any") else value


class PromisePart(Part):
    """One promise: what, for whom, on which clock, and who is told when it is in danger."""

    name: Text = Field(description="Its name, on cards and in reports.", examples=["first hour"])
    within: WithinText = Field(
        description="The time it gives, or `day` for the end of the day.", examples=["1h"]
    )
    for_: Annotated[ForPart, BeforeValidator(_all_or), Also({"const": "all"})] = Field(
        default=ForPart(),
        alias="for",
        description="Which mentions it is for: `all`, or by urgency, intent and platform.",
        examples=["{urgency: [high, normal]}"],
    )
    timezone: Annotated[str, AfterValidator(_known_zone)] | None = Field(
        default=None,
        description="Whose midnight ends a `day`, where that is not the brand's: no platform tells where a "
        "customer lives.",
        examples=["America/New_York"],
    )
    clock: Literal["always", "opening"] = Field(
        default="always", description="Count all hours, or only opening hours.", examples=["opening"]
    )
    starts: Literal["any mention", "first mention", "follow-up"] = Field(
        default="any mention",
        description="Which unanswered mention it runs from: any, only the first of a case, or only what the "
        "customer writes after a reply.",
        examples=["follow-up"],
    )
    met_by: Literal["reply", "human reply", "answer"] | None = Field(
        default=None,
        description="What keeps it: any reply, one that a person decided on, or only an answer. Without it, "
        "a reply keeps a promise of a length of up to one day, and only an answer one of a longer time or of "
        "`day`.",
        examples=["answer"],
    )
    warn_at: Annotated[tuple[WarningText, ...], BeforeValidator(_as_list), Also({"type": "string"})] = Field(
        default=(), description="When to warn before it breaks.", examples=["50%"]
    )
    target: Share = Field(default=0.9, description="The share that should be kept.", examples=["90%"])
    ladder: tuple[LadderPart, ...] | None = Field(
        default=None,
        description="Who is told once it is broken, in order: managers at once and leads after 15 minutes, "
        "unless somebody says that they heard it.",
        examples=["{after: 15m, to: leads, every: 30m}"],
    )
    quiet: QuietText | None = Field(
        default=None,
        description="When nobody is told of it, by the brand's clock; what comes due then is told after.",
        examples=["22:00-07:00"],
    )


class WhenPart(Part):
    """What a rule matches: each condition must hold; a list holds when one of it does."""

    topic: TopicLabels = Field(default=(), description="Topics of the post.", examples=["refund"])
    intent: RuleIntents = Field(default=(), description="What the customer wants.", examples=["complaint"])
    urgency: Urgencies = Field(default=(), description="How urgent it is.", examples=["low"])
    sentiment: Sentiments = Field(default=(), description="The mood of the post.", examples=["negative"])
    platform: Platforms = Field(default=(), description="Where it was posted.", examples=["bluesky"])
    language: Texts = Field(default=(), description="The language it is in.", examples=["nb"])
    addressed: bool | None = Field(
        default=None, description="Whether it speaks to the brand.", examples=["true"]
    )
    confidence: BoundText | None = Field(
        default=None,
        description="How sure the classifier is of intent and urgency, whichever is less.",
        examples=['">=0.9"'],
    )


class RulePart(Part):
    """One line of the policy."""

    when: Annotated[WhenPart, BeforeValidator(_all_or), Also({"const": "any"})] = Field(
        description="What it matches, or `any`.", examples=["{intent: praise}"]
    )
    do: ActionLabel = Field(description="What happens to the case.", examples=["draft"])
    id: Text | None = Field(
        default=None,
        description="Its name in the log and on cards; `rule 3` if left out.",
        examples=["refunds"],
    )
    template: Text | None = Field(
        default=None, description="The reviewed wording to use.", examples=["thanks"]
    )
    to: Text | None = Field(default=None, description="Who it is escalated to.", examples=["managers"])
    approvers: int = Field(
        default=1, ge=1, le=5, description="How many people must approve the reply.", examples=["2"]
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.do == Action.ACKNOWLEDGE and self.template is None:
            raise ValueError(
                "name the reviewed wording of an acknowledgement, such as template: ack-question"
            )
        if self.do == Action.IGNORE and (self.template or self.to):
            raise ValueError("a rule that ignores sends nothing; leave out template and to")
        if "spam" in self.when.intent and self.when.topic:
            raise ValueError(
                "spam is a topic too, and a rule cannot ask for it beside others; make two rules"
            )
        return self


class CapsPart(Part):
    """How much may be sent without a person."""

    per_customer: CapText = Field(
        default=Cap(1, timedelta(days=1)),
        description="Automatic replies to one person.",
        examples=["1 per day"],
    )
    per_hour: int = Field(default=20, ge=0, description="Automatic replies in an hour.", examples=["20"])
    per_day: int | None = Field(
        default=None, ge=0, description="Automatic replies in a day.", examples=["200"]
    )


class PausePart(Part):
    """What makes Heard stop automatic replies by itself."""

    spike: TimesUsual = Field(
        default=4.0, description="So many times the usual number of mentions.", examples=["4x"]
    )
    negative: BoundText = Field(
        default=Bound(at_least=0.6), description="Such a share of negative mentions.", examples=['">=60%"']
    )


class AutomaticPart(Part):
    """What may be published without a person: acknowledgements from reviewed templates only."""

    enabled: bool = Field(
        default=False,
        description="Nothing is published without a person until this is true.",
        examples=["true"],
    )
    confidence: Share = Field(
        default=0.9,
        description="How sure the model must be of what the customer wants and how soon.",
        examples=["90%"],
    )
    at_most: CapsPart = Field(default=CapsPart(), description="How much may be sent without a person.")
    pause_when: PausePart = Field(default=PausePart(), description="What stops automatic replies.")


class BudgetPart(Part):
    """What may be spent on a platform's API."""

    per_day: MoneyText | None = Field(default=None, description="At most in a day.", examples=["5.00 USD"])
    per_month: MoneyText | None = Field(default=None, description="At most in a month.", examples=["100 USD"])


def _listen(value: object) -> object:
    if isinstance(value, list | tuple):
        if not all(isinstance(item, str) and item.strip() for item in value):
            raise ValueError("write true, false, or a list of places such as [travel, auroraair]")
        return tuple(item.strip() for item in value)
    if not isinstance(value, bool):
        raise ValueError("write true, false, or a list of places such as [travel, auroraair]")
    return value


class PlatformPart(Part):
    """What Heard does on one platform."""

    enabled: bool = Field(
        default=True, description="Whether the platform is used at all.", examples=["false"]
    )
    listen: Annotated[
        bool | tuple[str, ...],
        PlainValidator(_listen),
        WithJsonSchema({"anyOf": [{"type": "boolean"}, _TEXT_LIST]}),
    ] = Field(default=True, description="Whether to listen there, or where (subreddits).", examples=["true"])
    reply: Literal["when_mentioned", "manual", "never"] = Field(
        default="when_mentioned",
        description="Reply from Heard when the author spoke to the brand; only by hand; or never.",
        examples=["manual"],
    )
    reply_in: Texts = Field(
        default=(),
        description="Communities where Heard may reply itself; none without one. Reddit only.",
        examples=["travel"],
    )
    labelled: bool = Field(
        default=False,
        description="Whether the account's profile says that it replies by itself.",
        examples=["true"],
    )
    stream: bool | None = Field(
        default=None,
        description="Whether to keep the platform's stream open beside the regular look. X charges for "
        "every post of it, so it is off there unless you say true.",
        examples=["true"],
    )
    visibility: Literal["public", "unlisted", "private", "direct"] | None = Field(
        default=None,
        description="How visible replies are; never more than the mention.",
        examples=["unlisted"],
    )
    budget: BudgetPart = Field(default=BudgetPart(), description="What may be spent on its API.")
    ai_replies_approved: bool = Field(
        default=False, description="X approved replies written by a model (rule X3).", examples=["true"]
    )
    approval_reference: Text | None = Field(
        default=None,
        description="The platform's approval of your use (rules X3, R1).",
        examples=["case 0417"],
    )
    keep_posts: Length | None = Field(
        default=None, description="Keep its posts so long; as in `privacy` if left out.", examples=["2d"]
    )
    file: Text | None = Field(
        default=None, description="The recorded day to replay: a file, or `bundled`.", examples=["bundled"]
    )
    speed: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="How many times faster a recorded day plays.",
        examples=["60"],
    )


class BuiltInPlatformsPart(Part):
    """The platforms; one that is not named is off."""

    x: PlatformPart | None = Field(default=None, description="X.")
    reddit: PlatformPart | None = Field(default=None, description="Reddit.")
    bluesky: PlatformPart | None = Field(default=None, description="Bluesky; listening needs no account.")
    mastodon: PlatformPart | None = Field(default=None, description="Mastodon.")
    replay: PlatformPart | None = Field(default=None, description="Recorded days.")


if TYPE_CHECKING:
    PlatformsPart = BuiltInPlatformsPart
else:
    PlatformsPart = _with_plugins(
        "PlatformsPart",
        BuiltInPlatformsPart,
        lambda name: (PlatformPart | None, Field(default=None, description=f"{name}, by a plugin.")),
    )


class RolesPart(Part):
    """Who may do what: Slack user groups or people. Membership of a channel is not permission."""

    viewer: Texts = Field(
        default=(), description="May see cases and write notes.", examples=["@everyone-in-care"]
    )
    responder: Texts = Field(
        default=(), description="May take and edit, and send for review.", examples=["@care"]
    )
    approver: Texts = Field(default=(), description="May publish.", examples=["@social-care"])
    manager: Texts = Field(
        default=(), description="May pause, assign and change policy.", examples=["@social-leads"]
    )


class SlackPart(Part):
    """Where cards, alerts and the digest go."""

    channel: Text | None = Field(default=None, description="Where cards go.", examples=["#social-care"])
    managers: Text | None = Field(
        default=None, description="Where broken promises go.", examples=["#social-leads"]
    )
    leads: Text | None = Field(
        default=None,
        description="Where the next step of the ladder goes; managers if left out.",
        examples=["@lena"],
    )
    backup: Text | None = Field(
        default=None,
        description="Who stands in for an owner: a @person or a user group; everybody on duty if left out.",
        examples=["@care-backup"],
    )
    digest: TimeText | None = Field(
        default=None, description="When the day's digest is posted.", examples=['"17:30"']
    )


class TeamPart(Part):
    """The people."""

    roles: RolesPart = Field(default=RolesPart(), description="Who may do what.")
    slack: SlackPart = Field(default=SlackPart(), description="Where cards, alerts and the digest go.")


class PrivacyPart(Part):
    """How long things are kept, and what is masked."""

    keep_posts: Length = Field(
        default=timedelta(days=30),
        description="Text of posts. Reddit's is kept 48 h at most.",
        examples=["30d"],
    )
    keep_labels: Length = Field(
        default=timedelta(days=395), description="Labels, without the author.", examples=["395d"]
    )
    keep_audit: Length = Field(
        default=timedelta(days=730), description="Who decided what, without the text.", examples=["2y"]
    )
    mask: Masks = Field(
        default=("email", "phone"), description="What is masked in stored posts.", examples=["email"]
    )


class LearningPart(Part):
    """Whether the desk's corrections may become labelled rows."""

    keep: bool = Field(
        default=False,
        description="Whether corrections and approvals may be exported as labelled rows, to measure and to "
        "train with. It needs a legal basis of yours (GDPR Art. 6) that your privacy notice names. Posts of "
        "X, Reddit and Mastodon are left out whatever you say (rules X14, R4, M5).",
        examples=["true"],
    )


def _host_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("write an address and a port such as 127.0.0.1:8400")
    return value


HostPort = Annotated[str, AfterValidator(_host_port)]


class DeskPart(Part):
    """The web desk."""

    listen: HostPort = Field(
        default="127.0.0.1:8400", description="Where the desk listens.", examples=["127.0.0.1:8400"]
    )


_ANOTHER_MODEL = "Another model for this head: a name on the model hub, or a folder that transformers wrote."
_ITS_REVISION = "The branch, tag or commit of the model; the hub's main one if left out."
_ITS_LABELS = "What each label of the model means, or `ignore`; ours by name need no line."


class HeadPart(Part):
    """A model made elsewhere that judges one head in the place of the bundled one."""

    model: Text = Field(description=_ANOTHER_MODEL, examples=["owner/model"])
    revision: Text | None = Field(default=None, description=_ITS_REVISION, examples=["refs/pr/1"])


class SentimentPart(HeadPart):
    """The model that judges the sentiment."""

    labels: dict[Text, SentimentMeaning] = Field(
        default={}, description=_ITS_LABELS, examples=["{LABEL_0: negative, LABEL_1: positive}"]
    )


class IntentPart(HeadPart):
    """The model that judges the intent."""

    labels: dict[Text, IntentMeaning] = Field(
        default={}, description=_ITS_LABELS, examples=["{refund_request: complaint, greeting: other}"]
    )


class UrgencyPart(HeadPart):
    """The model that judges the urgency. Word rules still raise what it says."""

    labels: dict[Text, UrgencyMeaning] = Field(
        default={}, description=_ITS_LABELS, examples=["{P1: high, P2: normal, P3: low}"]
    )


class HeadsPart(Part):
    """Models made elsewhere, by what they judge; what is not named stays with the bundled model."""

    sentiment: SentimentPart | None = Field(default=None, description="How the author feels.")
    intent: IntentPart | None = Field(default=None, description="What the author wants.")
    urgency: UrgencyPart | None = Field(default=None, description="How soon to answer.")

    def named(self) -> tuple[tuple[str, HeadPart], ...]:
        """The heads that are named, each with its model."""
        by_head = {"sentiment": self.sentiment, "intent": self.intent, "urgency": self.urgency}
        return tuple((head, part) for head, part in by_head.items() if part is not None)


class ClassifierPart(Part):
    """Which models judge. Read when Heard starts."""

    model: Text = Field(
        default="bundled",
        description=(
            "`bundled`, a folder that `make train` wrote, or another model by its name on the model hub or "
            "its folder: it judges what its labels tell, the bundled one the rest."
        ),
        examples=["bundled"],
    )
    heads: HeadsPart = Field(default=HeadsPart(), description="Other models for single heads.")


class KnowledgePart(Part):
    """Where drafts get their facts and wording from, beside brand.yaml."""

    folder: Text = Field(default="knowledge", description="The folder of articles.", examples=["knowledge"])
    templates: Text = Field(
        default="templates.yaml", description="The reviewed wording.", examples=["templates.yaml"]
    )


_DEFAULT_PROMISES = (
    PromisePart.model_validate(
        {
            "name": "first hour",
            "within": "1h",
            "for": {"urgency": ["critical", "high", "normal"]},
            "warn_at": ["50%", "80%"],
        }
    ),
    PromisePart.model_validate(
        {
            "name": "same day",
            "within": "day",
            "for": {"urgency": ["critical", "high", "normal"]},
            "warn_at": ["2h left"],
            "target": "98%",
        }
    ),
)


class BrandFile(Part):
    """brand.yaml: one file that a manager can read. Secrets do not belong here."""

    schema_: Literal[1] = Field(
        default=1, alias="schema", description="The version of this file's shape.", examples=["1"]
    )
    brand: BrandPart = Field(description="Who the brand is, and what to listen for.")
    hours: HoursPart = Field(default=HoursPart(), description="When the brand is there.")
    promises: tuple[PromisePart, ...] = Field(
        default=_DEFAULT_PROMISES,
        description="What the brand promises. If left out: a reply within the hour, an answer the same day.",
    )
    policy: tuple[RulePart, ...] = Field(default=(), description="The first rule that matches wins.")
    topics: dict[Annotated[str, AfterValidator(_own_topic)], Texts] = Field(
        default={},
        description="The brand's own topics, and the words that show each.",
        examples=["{baggage: [suitcase, luggage]}"],
    )
    automatic: AutomaticPart = Field(
        default=AutomaticPart(), description="What may be published without a person."
    )
    platforms: PlatformsPart = Field(default=PlatformsPart(), description="Where Heard listens and replies.")
    team: TeamPart = Field(default=TeamPart(), description="Who may do what, and where they are told.")
    privacy: PrivacyPart = Field(default=PrivacyPart(), description="How long things are kept.")
    learning: LearningPart = Field(
        default=LearningPart(), description="Whether the desk's corrections may become labelled rows."
    )
    desk: DeskPart = Field(default=DeskPart(), description="The web desk.")
    classifier: ClassifierPart = Field(
        default=ClassifierPart(), description="Which models judge what a post means."
    )
    knowledge: KnowledgePart = Field(
        default=KnowledgePart(), description="Where drafts get facts and wording from."
    )
