"""What each platform allows, as data: the table of rules, who may be answered, and what may go out alone.

The sender obeys it and the desk explains with it: every refusal names a rule by its number.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from casework.case import Case
from casework.classification import Classification, Intent, Sentiment, Topic
from casework.mention import Mention
from casework.reply import Permission, Way


@dataclass(frozen=True, slots=True)
class PlatformRule:
    """One rule of a platform, and where it was read. ``believed`` marks what was not read first-hand."""

    number: str
    platform: str
    sentence: str
    source: str
    believed: bool = False


def _of(platform: str, *rules: tuple[str, str, str]) -> tuple[PlatformRule, ...]:
    return tuple(PlatformRule(number, platform, sentence, source) for number, sentence, source in rules)


_X = _of(
    "x",
    (
        "X1",
        "X refuses API replies unless the author mentioned or quoted the account that replies.",
        "X docs, manage-tweets/integrate, and changelog of 2026-02-23",
    ),
    (
        "X2",
        "X allows one automated reply for each time that the author speaks to the account.",
        "X developer-guidelines",
    ),
    (
        "X3",
        "X wants its approval before replies written by a language model are sent.",
        "X developer-guidelines",
    ),
    (
        "X4",
        "X forbids reaching out to people who only complained in public.",
        "X developer-guidelines",
    ),
    (
        "X5",
        "X wants a request to stop honoured at once.",
        "X developer-guidelines",
    ),
    (
        "X6",
        "X wants an account that replies by itself to carry the automated label and to say so in its bio.",
        "X developer-guidelines",
    ),
    (
        "X7",
        "X offers no likes, follows or quotes by API, and forbids automated likes.",
        "X changelog of 2026-04-16",
    ),
    (
        "X8",
        "X charges for each read and each reply, most for a reply with a link, and blocks at zero credit.",
        "X docs, pricing",
    ),
    (
        "X9",
        "X's stream may repeat, reorder and lose posts, and allows one connection.",
        "X docs, filtered-stream",
    ),
    (
        "X10",
        "X allows 100 posts in 15 minutes; an older guide says 300 in three hours, and the stricter holds.",
        "X docs, rate-limits",
    ),
    (
        "X11",
        "X gives an edited post a new id, deletes all versions together, and lets no reply be edited.",
        "X docs, edit-posts",
    ),
    (
        "X12",
        "X wants what it or the author deletes to be deleted within 24 hours.",
        "X developer-guidelines",
    ),
    (
        "X13",
        "X forbids profiles of single people, matching outside X without consent, and large exports.",
        "X developer policy and restricted uses",
    ),
    (
        "X14",
        "X forbids training a model with its posts.",
        "X developer policy",
    ),
    (
        "X15",
        "X lets a refresh token be used once; using it again ends the whole login.",
        "trypostit/trypost#126 and gptme-contrib#285, seen in use",
    ),
)

_REDDIT = _of(
    "reddit",
    (
        "R1",
        "Reddit wants its approval before any use of its API.",
        "Reddit Responsible Builder Policy",
    ),
    (
        "R2",
        "Reddit allows 100 requests a minute for each registered application.",
        "r/modnews, 2023-07-01",
    ),
    (
        "R3",
        "Reddit wants bots to answer only those who called them, in communities that welcome them.",
        "r/Bottiquette",
    ),
    (
        "R4",
        "Reddit wants removed content deleted, within 48 hours, and no model trained with it.",
        "Reddit Data API wiki, as others cite it",
    ),
    (
        "R5",
        "Reddit limits comments by a rule it does not publish and says when the next may come.",
        "praw documentation, rate limits",
    ),
)

_BLUESKY = _of(
    "bluesky",
    (
        "B1",
        "Bluesky wants bots to answer only those who tagged the account or replied to it.",
        "Bluesky docs, starter templates: bots",
    ),
    (
        "B2",
        "Bluesky wants an account that replies by itself to carry the bot label.",
        "Bluesky docs, starter templates: bots",
    ),
    (
        "B3",
        "Bluesky allows 5,000 points an hour and 300 logins a day; a reply costs three points.",
        "Bluesky docs, rate-limits",
    ),
    (
        "B4",
        "Bluesky wants what its author deletes to be deletable here.",
        "Bluesky developer-guidelines",
    ),
    (
        "B5",
        "Bluesky's Jetstream is not signed, so a post is read again before it is answered.",
        "Bluesky blog, 2024-10-16",
    ),
)

_MASTODON = _of(
    "mastodon",
    (
        "M1",
        "Mastodon servers want bots to mention only people who mentioned them first.",
        "the rules of most servers, as collected in gist unascribed/f7c2f5",
    ),
    (
        "M2",
        "Mastodon wants an account that replies by itself to carry the bot flag.",
        "Mastodon docs, user/profile",
    ),
    (
        "M3",
        "A reply on Mastodon is never more public than the post it answers.",
        "good manners there; Heard's own rule",
    ),
    (
        "M4",
        "Mastodon allows 300 calls in five minutes.",
        "Mastodon docs, rate-limits",
    ),
)

_HEARD = _of(
    "",
    (
        "T1",
        "Only reviewed wording goes out by itself.",
        "Heard's own rule",
    ),
    (
        "T2",
        "Safety, law, press, threats, grief and stolen data belong to people, whatever the model says.",
        "Heard's own rule",
    ),
    (
        "T3",
        "Characters that hide text or turn it around never go out.",
        "Heard's own rule",
    ),
    (
        "T9",
        "Personal data is never repeated in public.",
        "Heard's own rule",
    ),
    (
        "T11",
        "Heard never answers another bot: two of them would thank each other for ever.",
        "Heard's own rule",
    ),
)

_ONLY_BELIEVED = frozenset({"R4", "M1"})

RULES: dict[str, PlatformRule] = {
    rule.number: PlatformRule(
        rule.number, rule.platform, rule.sentence, rule.source, rule.number in _ONLY_BELIEVED
    )
    for rule in (*_X, *_REDDIT, *_BLUESKY, *_MASTODON, *_HEARD)
}
"""Every rule by its number, in the words that people see beside what was not sent."""


class ReplyMode(StrEnum):
    """What the brand allows on a platform."""

    WHEN_MENTIONED = "when_mentioned"
    MANUAL = "manual"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Terms:
    """How the brand uses one platform: when Heard may reply, and in which places.

    ``allowed_places`` are the communities that welcome the brand's bot, without "r/"; only Reddit has
    such places, and an empty list means that Heard posts in none of them.
    """

    reply: ReplyMode = ReplyMode.WHEN_MENTIONED
    allowed_places: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Objection:
    """Why something must not go out, in a sentence for a person, and the rule that says so, if one does."""

    why: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Automatic:
    """What may go out without a person: nothing until ``enabled``.

    ``labelled`` names the platforms where the brand's profile says that it replies by itself.
    ``confidence`` is how sure the model must be of what the author wants and how soon,
    ``sentiment_confidence`` how sure of the feeling: an unsure feeling is how irony looks.
    """

    enabled: bool = False
    labelled: frozenset[str] = frozenset()
    confidence: float = 0.9
    sentiment_confidence: float = 0.75


_NOT_ADDRESSED = {"x": "X1", "reddit": "R3", "bluesky": "B1", "mastodon": "M1"}
_NOT_LABELLED = {"x": "X6", "bluesky": "B2", "mastodon": "M2", "reddit": "R3"}
_NAMES = {"x": "X", "reddit": "Reddit", "bluesky": "Bluesky", "mastodon": "Mastodon"}
_PLACE = re.compile(r"^https?://(?:[a-z]+\.)?reddit\.com/r/(\w{2,30})(?:/|$)", re.IGNORECASE)

FOR_PEOPLE = frozenset(
    {
        Topic.SAFETY,
        Topic.LEGAL,
        Topic.PRESS,
        Topic.SELF_HARM,
        Topic.THREAT,
        Topic.DATA_BREACH,
        Topic.GRIEF,
        Topic.OPT_OUT,
    }
)
"""Matters that no automatic reply ever touches, whatever the brand's rules say (T2)."""

_UNHAPPY = frozenset({Intent.COMPLAINT, Intent.BUG, Intent.CHURN})


def permission(mention: Mention, terms: Terms) -> Permission:
    """Whether Heard may post a reply to the mention itself, and if not, by which rule, in words."""
    name = _NAMES.get(mention.platform, mention.platform)
    if mention.author.bot:
        return _refusal(Way.NEVER, "T11")
    if terms.reply is ReplyMode.NEVER:
        return Permission(Way.NEVER, why=f"The brand's settings say that nobody is answered on {name}.")
    if terms.reply is ReplyMode.MANUAL:
        return Permission(Way.BY_HAND, why=f"The brand's settings say that people post on {name} themselves.")
    if not mention.addressed:
        return _refusal(
            Way.BY_HAND, _NOT_ADDRESSED.get(mention.platform, ""), f"{name} allows no such reply."
        )
    if mention.platform == "reddit" and place(mention) not in {p.lower() for p in terms.allowed_places}:
        return _refusal(Way.BY_HAND, "R3")
    return Permission(Way.SEND)


def place(mention: Mention) -> str | None:
    """The community on Reddit that the mention was posted in, in lower case; None where there is none."""
    found = _PLACE.match(mention.url or "") if mention.platform == "reddit" else None
    return found.group(1).lower() if found else None


def may_acknowledge(case: Case, *, allowed: Permission, automatic: Automatic) -> Objection | None:
    """Why Heard may not acknowledge the case's last mention by itself; None when it may.

    ``allowed`` is the `permission` for that mention. What this cannot know stays with the caller: the
    customer's own opt-out, how many went out this hour, a spike, and the kill switch.
    """
    judged = case.classification
    if not automatic.enabled:
        return Objection("Automatic replies are switched off.")
    if allowed.way is not Way.SEND:
        return Objection(allowed.why, allowed.rule)
    if not case.last.addressed:
        return _objection(_NOT_ADDRESSED.get(case.platform, "T1"))
    if case.platform not in automatic.labelled:
        return _objection(_NOT_LABELLED.get(case.platform, "T1"))
    if judged is None:
        return Objection("Nobody has read this yet.")
    return _spoken_already(case) or _matter_for_people(judged.topics) or _doubt(judged, automatic)


def _spoken_already(case: Case) -> Objection | None:
    if any(reply.automatic for reply in case.replies):
        return Objection("This customer already had an automatic reply in this matter.", "X2")
    if any(reply.answers == case.last.key for reply in case.replies):
        return Objection("This mention already has a reply.", "X2")
    if case.outgoing is not None:
        return Objection("A reply to this customer is already on its way.", "X2")
    return None


def _matter_for_people(topics: Iterable[str]) -> Objection | None:
    if Topic.OPT_OUT in topics:
        return _objection("X5")
    touched = sorted(FOR_PEOPLE & set(topics))
    return Objection(f"It touches {', '.join(touched)}: that is for people.", "T2") if touched else None


def _doubt(judged: Classification, automatic: Automatic) -> Objection | None:
    sure = judged.confidence
    if min(sure.intent, sure.urgency) < automatic.confidence:
        return Objection("The model is not sure what the customer wants.")
    if sure.sentiment < automatic.sentiment_confidence:
        return Objection("The model is not sure how this is meant; it may be irony.")
    if judged.sentiment is Sentiment.POSITIVE and judged.intent in _UNHAPPY:
        return Objection("A complaint in friendly words is often irony.")
    return None


def _refusal(way: Way, number: str, otherwise: str = "") -> Permission:
    rule = RULES.get(number)
    return Permission(way, rule=number, why=rule.sentence if rule else otherwise)


def _objection(number: str) -> Objection:
    return Objection(RULES[number].sentence, number)
