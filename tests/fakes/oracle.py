"""A second reading of the platforms' rules, to hold the table against: written from their prose alone.

Nothing here is taken from `platforms.rules` but the names of what it is asked with: plain facts are drawn
by chance, `broken` says what a person with the rules in hand would object to, and `as_case` and
`as_terms` tell the same facts to the code.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from casework.case import Case
from casework.classification import Classification, Confidence, Intent, Sentiment, Urgency
from casework.draft import ReplyKind
from casework.mention import Author, Mention
from casework.reply import Outgoing, Reply
from platforms.rules import Automatic, ReplyMode, Terms
from tests.fakes.cases import NOON

REFUSED, HAND_OFF = "never", "by hand"


@dataclass(frozen=True, slots=True)
class Before:
    """A reply that the customer has already."""

    kind: str
    automatic: bool
    here: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """One situation in plain values. ``alone`` says that no person decided on what is to be posted."""

    alone: bool
    platform: str = "x"
    spoke_to_us: bool = True
    is_bot: bool = False
    said_stop: bool = False
    url: str | None = "https://www.reddit.com/r/travel/comments/1/bag/"
    before: tuple[Before, ...] = ()
    another_on_its_way: bool = False
    in_submission_today: int = 0
    model_wrote_it: bool = False
    # What the classifier said; nothing at all where it was not asked.
    read: bool = True
    topics: tuple[str, ...] = ()
    feeling: str = "negative"
    wants: str = "complaint"
    sure: tuple[float, float, float] = (0.95, 0.95, 0.95)
    # The brand's settings.
    mode: str = "when_mentioned"
    welcome_in: tuple[str, ...] = ("travel",)
    profile_says_so: bool = True
    account: bool = True
    reference: str | None = "case 0417"
    ai_reference: str | None = None
    automatic_on: bool = True
    needs: tuple[float, float] = (0.9, 0.75)


# ── the oracle ───────────────────────────────────────────────────────────────────────────────────


def broken(f: Facts) -> set[tuple[str, str]]:
    """What speaks against posting: rule numbers, or nothing for the brand's own reasons, and how gravely.

    Empty: it may be posted.
    """
    alone = _alone(f) if f.alone else ()
    return {*_people(f), *_brand(f), *_platform(f), *alone}


def _people(f: Facts) -> Iterator[tuple[str, str]]:
    # "If a user says 'stop,' stop." On X; here everywhere.
    if f.said_stop or (f.read and "opt-out" in f.topics):
        yield "X5", REFUSED
    # "never answer accounts flagged bot"
    if f.is_bot:
        yield "T11", REFUSED
    # "Max 1 reply per interaction": the answer was the reply.
    if not f.alone and [b for b in f.before if b.here and b.kind == "answer"]:
        yield "X2", REFUSED


def _brand(f: Facts) -> Iterator[tuple[str, str]]:
    if f.mode == "never":
        yield "", REFUSED
    if f.mode == "manual" or not f.account:
        yield "", HAND_OFF


def _platform(f: Facts) -> Iterator[tuple[str, str]]:
    silent = not f.spoke_to_us
    match f.platform:
        # "only permitted if the replying account has been explicitly summoned"
        case "x" if silent:
            yield "X1", HAND_OFF
        # called by name, and in a sub that allows it
        case "reddit" if silent or _subreddit(f.url) not in [sub.casefold() for sub in f.welcome_in]:
            yield "R3", HAND_OFF
        # "please only interact … if the user has tagged the bot account"
        case "bluesky" if silent:
            yield "B1", HAND_OFF
        # "Bots must never mention other users unless the mentioned user has initiated it"
        case "mastodon" if silent:
            yield "M1", HAND_OFF
        case "forum" | "replay" if silent:
            yield "", HAND_OFF
    # AI replies require "prior approval".
    if f.platform == "x" and f.model_wrote_it and f.ai_reference in (None, ""):
        yield "X3", HAND_OFF
    # "You must request access and get explicit approval"
    if f.platform == "reddit" and f.reference in (None, ""):
        yield "R1", HAND_OFF


def _subreddit(url: str | None) -> str:
    parts = urlsplit(url or "")
    host = parts.hostname or ""
    path = parts.path.split("/")
    if host != "reddit.com" and not host.endswith(".reddit.com"):
        return "(elsewhere)"
    return path[2].casefold() if len(path) > 2 and path[1] == "r" else "(none)"


def _alone(f: Facts) -> Iterator[tuple[str, str]]:
    # "Max 1 reply per interaction", and one automatic one in a matter.
    if f.another_on_its_way or any(b.here or b.automatic for b in f.before):
        yield "X2", REFUSED
    # "autonomous text only from reviewed templates"
    if f.model_wrote_it:
        yield "T1", HAND_OFF
    # The profile says that nobody wrote this.
    if not f.profile_says_so:
        yield {"x": "X6", "bluesky": "B2", "mastodon": "M2", "reddit": "R3"}.get(f.platform, ""), HAND_OFF
    # "cap 1 per submission and day"
    if f.platform == "reddit" and f.in_submission_today:
        yield "R3", HAND_OFF
    if not f.automatic_on or not f.read:
        yield "", HAND_OFF
    if not f.read:
        return
    # "legal/safety/self-harm/press/data-breach words force escalation"
    if {"safety", "legal", "press", "self-harm", "threat", "data-breach", "grief"} & {*f.topics}:
        yield "T2", HAND_OFF
    sentiment, intent, urgency = f.sure
    if intent < f.needs[0] or urgency < f.needs[0] or sentiment < f.needs[1]:
        yield "", HAND_OFF
    if f.feeling == "positive" and f.wants in ("complaint", "bug", "churn"):
        yield "", HAND_OFF


# ── chance ───────────────────────────────────────────────────────────────────────────────────────

_URLS = (
    None,
    "https://reddit.com/r/Travel",
    "https://old.reddit.com/r/flights/comments/9/late/",
    "https://www.reddit.com/r/bags/comments/2/x/",
    "https://www.reddit.com/user/maya/comments/3/",
    "https://evil.example/r/travel/",
    "https://reddit.com.evil.example/r/travel/comments/4/",
    "https://notreddit.com/r/travel/",
)
_TOPICS = (
    *("safety", "legal", "press", "self-harm", "threat", "data-breach", "grief", "opt-out", "spam"),
    *("baggage", "refund"),
)
_SURE = (0.0, 0.5, 0.74, 0.75, 0.89, 0.9, 0.95, 1.0)


def situations(count: int, *, seed: int) -> Iterator[Facts]:
    """Situations by chance. Each thing that may be wrong mostly is not, so that each is wrong alone too."""
    chance = random.Random(seed)
    for _ in range(count):
        changes = {name: draw(chance) for name, (often, draw) in _ODD.items() if chance.random() < often}
        where, alone = chance.choice(_PLATFORMS), chance.random() < 0.6
        yield Facts(alone, where, **changes)  # type: ignore[arg-type]  # the keys are its fields


_PLATFORMS = ("x", "reddit", "reddit", "bluesky", "mastodon", "forum", "replay")


def _one(*values: object) -> Callable[[random.Random], object]:
    return lambda chance: chance.choice(values)


def _replies(chance: random.Random) -> object:
    kinds = ("acknowledgement", "answer")
    some = range(chance.choice((1, 1, 2, 3)))
    return tuple(Before(chance.choice(kinds), chance.random() < 0.5, chance.random() < 0.5) for _ in some)


_ODD: Mapping[str, tuple[float, Callable[[random.Random], object]]] = {
    "spoke_to_us": (0.1, _one(False)),
    "is_bot": (0.05, _one(True)),
    "said_stop": (0.05, _one(True)),
    "url": (0.3, _one(*_URLS)),
    "before": (0.15, _replies),
    "another_on_its_way": (0.05, _one(True)),
    "in_submission_today": (0.1, _one(1, 2, 9)),
    "model_wrote_it": (0.1, _one(True)),
    "read": (0.04, _one(False)),
    "topics": (0.2, lambda chance: tuple(chance.sample(_TOPICS, chance.choice((1, 1, 2, 3))))),
    "feeling": (0.3, _one("negative", "neutral", "positive")),
    "wants": (0.3, _one(*(str(intent) for intent in Intent))),
    "sure": (0.2, lambda chance: tuple(chance.choice(_SURE) for _ in range(3))),
    "mode": (0.1, _one("manual", "never")),
    "welcome_in": (0.3, _one((), ("Travel",), ("norway",), ("flights", "travel"))),
    "profile_says_so": (0.1, _one(False)),
    "account": (0.05, _one(False)),
    "reference": (0.1, _one(None, "")),
    "ai_reference": (0.5, _one("case 0417", "")),
    "automatic_on": (0.08, _one(False)),
    "needs": (0.1, lambda chance: (chance.choice(_SURE), chance.choice(_SURE))),
}


# ── the same facts, for the code ─────────────────────────────────────────────────────────────────


def as_terms(f: Facts) -> Terms:
    """The brand's settings."""
    return Terms(
        reply=ReplyMode(f.mode),
        allowed_places=frozenset(f.welcome_in),
        labelled=f.profile_says_so,
        account=f.account,
        approval=f.reference,
        ai_replies_approved=f.ai_reference,
        automatic=Automatic(f.automatic_on, f.needs[0], f.needs[1]),
    )


def as_case(f: Facts) -> Case:
    """The case, with whatever the customer got and will get."""
    author = Author(id="maya", handle="maya", bot=f.is_bot)
    older, mention = (
        Mention(
            platform=f.platform,
            id=post,
            author=author,
            text="My bag is lost!",
            created_at=NOON,
            addressed=f.spoke_to_us,
            url=f.url,
        )
        for post in ("older", "post")
    )
    return Case(
        id="C-100",
        platform=f.platform,
        author=author,
        opened_at=NOON,
        mentions=(older, mention),
        classification=_judgement(f) if f.read else None,
        replies=tuple(_reply(b, (mention if b.here else older).key) for b in f.before),
        outgoing=as_outgoing(f, mention, key="another") if f.another_on_its_way else None,
    )


def as_outgoing(f: Facts, mention: Mention, *, key: str = "this") -> Outgoing:
    """What is to be posted."""
    kind = ReplyKind.ACKNOWLEDGEMENT if f.alone else ReplyKind.ANSWER
    by = "heard" if f.alone else "Nina"
    return Outgoing(key, kind, "We are looking for it.", mention.key, by, NOON, automatic=f.alone)


def _judgement(f: Facts) -> Classification:
    return Classification(
        Sentiment(f.feeling), Intent(f.wants), Urgency.HIGH, Confidence(*f.sure), topics=f.topics
    )


def _reply(b: Before, answers: str) -> Reply:
    by = "heard" if b.automatic else "Nina"
    return Reply("k", ReplyKind(b.kind), "1", "", answers, by, NOON, automatic=b.automatic)
