"""What each platform allows: one table of rules, and `may`, the one question that everybody asks of it.

A rule is a line: its number, what it forbids and when, what happens instead, in which words, and where it
was read. The responder, the sender and the desk read the same lines, so that whatever is not sent names
the rule that kept it in. Rules that no single reply can break stand in the table too, with where in the
code they are kept. docs/platform-rules.md is this table for people.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

from casework.case import Case
from casework.classification import Classification, Intent, Sentiment, Topic
from casework.draft import ReplyKind
from casework.mention import Mention
from casework.reply import Outgoing, Permission, Way

# ── what is asked ────────────────────────────────────────────────────────────────────────────────


class Action(StrEnum):
    """What is to be posted: a reply that a person decided on, or an acknowledgement by Heard itself."""

    REPLY = "reply"
    ACKNOWLEDGE = "acknowledge"


class ReplyMode(StrEnum):
    """What the brand allows on a platform."""

    WHEN_MENTIONED = "when_mentioned"
    MANUAL = "manual"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Automatic:
    """What may go out without a person: nothing until ``enabled``.

    ``confidence`` is how sure the model must be of what the author wants and how soon,
    ``sentiment_confidence`` how sure of the feeling: an unsure feeling is how irony looks.
    """

    enabled: bool = False
    confidence: float = 0.9
    sentiment_confidence: float = 0.75


@dataclass(frozen=True, slots=True)
class Terms:
    """How the brand uses one platform.

    ``allowed_places`` are the communities that welcome the brand's bot, without "r/"; only Reddit has
    such places, and an empty list means that Heard posts in none of them. ``labelled`` says that the
    account's profile tells that it replies by itself, ``account`` that an account which may post is
    connected. ``approval`` is the platform's reference for its approval of the use (R1), and
    ``ai_replies_approved`` that for replies written by a language model (X3).
    """

    reply: ReplyMode = ReplyMode.WHEN_MENTIONED
    allowed_places: frozenset[str] = frozenset()
    labelled: bool = False
    account: bool = True
    approval: str | None = None
    ai_replies_approved: str | None = None
    automatic: Automatic = Automatic()


TermsOf = Callable[[str], Terms]
"""How the brand uses a platform, by its name."""


@dataclass(frozen=True, slots=True)
class Situation:
    """The facts that the rules turn on, for one mention.

    ``has_reply`` and ``has_answer`` are about this mention, ``had_automatic`` and ``on_its_way`` about the
    whole matter. ``automatic_in_thread`` counts the automatic replies of the last day in the same thread,
    to whomever. ``written_by_model`` says that a language model wrote what is to be posted; nothing in
    Heard does so today.
    """

    mention: Mention
    terms: Terms
    classification: Classification | None = None
    opted_out: bool = False
    has_reply: bool = False
    has_answer: bool = False
    had_automatic: bool = False
    on_its_way: bool = False
    automatic_in_thread: int = 0
    written_by_model: bool = False

    @classmethod
    def of(
        cls,
        case: Case,
        mention: Mention,
        terms: Terms,
        *,
        opted_out: bool = False,
        sending: Outgoing | None = None,
    ) -> Self:
        """The case as it stands, seen from one of its mentions.

        ``sending`` is the reply that is being asked about, which does not stand in its own way.
        """
        here = [reply for reply in case.replies if reply.answers == mention.key]
        return cls(
            mention=mention,
            terms=terms,
            classification=case.classification,
            opted_out=opted_out,
            has_reply=bool(here),
            has_answer=any(reply.kind == ReplyKind.ANSWER for reply in here),
            had_automatic=any(reply.automatic for reply in case.replies),
            on_its_way=case.outgoing is not None and case.outgoing != sending,
        )


@dataclass(frozen=True, slots=True)
class Objection:
    """Why something must not go out, in a sentence for a person, and the rule that says so, if one does."""

    why: str
    rule: str = ""


# ── the conditions ───────────────────────────────────────────────────────────────────────────────

FOR_PEOPLE: Final = frozenset(
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

_UNHAPPY: Final = frozenset({Intent.COMPLAINT, Intent.BUG, Intent.CHURN})
_NAMES: Final = {"x": "X", "reddit": "Reddit", "bluesky": "Bluesky", "mastodon": "Mastodon"}
_PLACE: Final = re.compile(r"^https?://(?:[a-z]+\.)?reddit\.com/r/(\w{2,30})(?:/|$)", re.IGNORECASE)


def place(mention: Mention) -> str | None:
    """The community on Reddit that the mention was posted in, in lower case; None where there is none."""
    found = _PLACE.match(mention.url or "") if mention.platform == "reddit" else None
    return found.group(1).lower() if found else None


def _by_no_reply(_: Situation) -> bool:
    """No single reply breaks the rule: it is kept elsewhere."""
    return False


def _not_addressed(s: Situation) -> bool:
    return not s.mention.addressed


def _not_labelled(s: Situation) -> bool:
    return not s.terms.labelled


def _not_welcome(s: Situation) -> bool:
    return place(s.mention) not in {name.lower() for name in s.terms.allowed_places}


def _topics(s: Situation) -> frozenset[str]:
    return frozenset(s.classification.topics if s.classification else ())


def _asked_to_stop(s: Situation) -> bool:
    return s.opted_out or Topic.OPT_OUT in _topics(s)


def _unsure_of_the_matter(s: Situation) -> bool:
    judged, least = s.classification, s.terms.automatic.confidence
    return judged is not None and min(judged.confidence.intent, judged.confidence.urgency) < least


def _unsure_of_the_feeling(s: Situation) -> bool:
    judged, least = s.classification, s.terms.automatic.sentiment_confidence
    return judged is not None and judged.confidence.sentiment < least


def _friendly_complaint(s: Situation) -> bool:
    judged = s.classification
    return judged is not None and judged.sentiment is Sentiment.POSITIVE and judged.intent in _UNHAPPY


def _touches(s: Situation) -> str:
    return f"It touches {', '.join(sorted(FOR_PEOPLE & _topics(s)))}: that is for people."


# ── the table ────────────────────────────────────────────────────────────────────────────────────

_ANY: Final = frozenset(Action)
_BY_ITSELF: Final = frozenset({Action.ACKNOWLEDGE})
_BY_A_PERSON: Final = frozenset({Action.REPLY})


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: where ``applies`` holds, the actions are not done but ``effect`` happens.

    ``platform`` is whose rule it is, empty for Heard's own; ``everywhere`` says that Heard keeps it on all
    platforms. `Way.BY_HAND` leaves the post to people, `Way.NEVER` refuses it. ``sentence`` is what people
    read, unless ``words`` makes a more exact one. ``kept_by`` is where the code keeps the rule, or the
    rest of it, apart from this table. ``read`` is the month in which the source was read: None for that
    of its chapter, empty where nobody noted it. ``believed`` marks what was not read first-hand.
    """

    number: str
    sentence: str
    source: str
    applies: Callable[[Situation], bool] = _by_no_reply
    actions: frozenset[Action] = _ANY
    effect: Way = Way.BY_HAND
    words: Callable[[Situation], str] | None = field(default=None, compare=False)
    kept_by: str = ""
    platform: str = ""
    everywhere: bool = False
    read: str | None = None
    believed: bool = False

    @property
    def evaluated(self) -> bool:
        """Whether a single reply can break it, so that `may` looks at it."""
        return self.applies is not _by_no_reply

    def forbids(self, situation: Situation, action: Action) -> bool:
        """Whether the action would break it."""
        here = self.everywhere or self.platform in ("", situation.mention.platform)
        return here and action in self.actions and self.applies(situation)

    def why(self, situation: Situation) -> str:
        """The sentence for people."""
        return self.words(situation) if self.words else self.sentence


def _of(platform: str, read: str, *rules: Rule) -> tuple[Rule, ...]:
    dated = (rule if rule.read is not None else replace(rule, read=read) for rule in rules)
    return tuple(replace(rule, platform=platform) for rule in dated)


_X = _of(
    "x",
    "2026-08",
    Rule(
        "X1",
        "X refuses API replies unless the author mentioned or quoted the account that replies.",
        "X docs, manage-tweets/integrate, and changelog of 2026-02-23",
        applies=_not_addressed,
    ),
    Rule(
        "X2",
        "This post has its answer already, and X allows one reply for each time that the author speaks.",
        "X developer-guidelines",
        applies=lambda s: s.has_answer,
        actions=_BY_A_PERSON,
        effect=Way.NEVER,
        everywhere=True,
    ),
    Rule(
        "X2",
        "This customer already had an automatic reply in this matter.",
        "X developer-guidelines",
        applies=lambda s: s.had_automatic,
        actions=_BY_ITSELF,
        effect=Way.NEVER,
        everywhere=True,
        kept_by="responder.worker: caps for each customer, over all matters",
    ),
    Rule(
        "X2",
        "This mention already has a reply.",
        "X developer-guidelines",
        applies=lambda s: s.has_reply,
        actions=_BY_ITSELF,
        effect=Way.NEVER,
        everywhere=True,
    ),
    Rule(
        "X2",
        "A reply to this customer is already on its way.",
        "X developer-guidelines",
        applies=lambda s: s.on_its_way,
        actions=_BY_ITSELF,
        effect=Way.NEVER,
        everywhere=True,
    ),
    Rule(
        "X3",
        "X wants its approval before replies written by a language model are sent.",
        "X developer-guidelines",
        applies=lambda s: s.written_by_model and not s.terms.ai_replies_approved,
    ),
    Rule(
        "X4",
        "X forbids reaching out to people who only complained in public.",
        "X developer-guidelines",
        kept_by="rule X1: who did not speak to the account is left to people",
    ),
    Rule(
        "X5",
        "The author asked not to be answered; X wants that honoured at once, and Heard does so everywhere.",
        "X developer-guidelines",
        applies=_asked_to_stop,
        effect=Way.NEVER,
        everywhere=True,
        kept_by="responder.worker: remembers who asked",
    ),
    Rule(
        "X6",
        "X wants an account that replies by itself to carry the automated label and to say so in its bio.",
        "X developer-guidelines",
        applies=_not_labelled,
        actions=_BY_ITSELF,
    ),
    Rule(
        "X7",
        "X offers no likes, follows or quotes by API, and forbids automated likes.",
        "X changelog of 2026-04-16",
        kept_by="nothing in Heard can like, follow or quote",
    ),
    Rule(
        "X8",
        "X charges for each read and each reply, most for a reply with a link, and blocks at zero credit.",
        "X docs, pricing",
        kept_by="platforms.x: spend meter",
    ),
    Rule(
        "X9",
        "X's stream may repeat, reorder and lose posts, and allows one connection.",
        "X docs, filtered-stream",
        kept_by="platforms.listening: stream and sweep; streams: each mention once",
    ),
    Rule(
        "X10",
        "X allows 100 posts in 15 minutes; an older guide says 300 in three hours, and the stricter holds.",
        "X docs, rate-limits",
        kept_by="platforms.x: limits",
    ),
    Rule(
        "X11",
        "X gives an edited post a new id, deletes all versions together, and lets no reply be edited.",
        "X docs, edit-posts",
        kept_by="responder.sender: reads again before it posts; casework.moves: amend",
    ),
    Rule(
        "X12",
        "X wants what it or the author deletes to be deleted within 24 hours.",
        "X developer-guidelines",
        kept_by="casework.moves: withdraw, for each deletion that is heard of",
    ),
    Rule(
        "X13",
        "X forbids profiles of single people, matching outside X without consent, and large exports.",
        "X developer policy and restricted uses",
        kept_by="casework: labels belong to a case, never to an author",
    ),
    Rule(
        "X14",
        "X forbids training a model with its posts.",
        "X developer policy",
        kept_by="platforms.rules: no_learning, asked for each row by casework.feedback",
    ),
    Rule(
        "X15",
        "X lets a refresh token be used once; using it again ends the whole login.",
        "trypostit/trypost#126 and gptme-contrib#285, seen in use",
        read="",
        kept_by="platforms.x: signs with keys that are never refreshed",
    ),
)

_REDDIT = _of(
    "reddit",
    "",
    Rule(
        "R1",
        "Reddit wants its approval before any use of its API.",
        "Reddit Responsible Builder Policy",
        applies=lambda s: not s.terms.approval,
        kept_by="platforms.reddit: does not even listen without it",
    ),
    Rule(
        "R2",
        "Reddit allows 100 requests a minute for each registered application.",
        "r/modnews, 2023-07-01",
        kept_by="platforms.reddit: limits",
    ),
    Rule(
        "R3",
        "Reddit wants bots to answer only those who called them.",
        "r/Bottiquette",
        applies=_not_addressed,
    ),
    Rule(
        "R3",
        "Reddit wants bots only in communities that welcome them, and this one is not on the brand's list.",
        "r/Bottiquette",
        applies=_not_welcome,
    ),
    Rule(
        "R3",
        "Reddit wants a bot to say that it is one, and the account's profile does not.",
        "r/Bottiquette",
        applies=_not_labelled,
        actions=_BY_ITSELF,
    ),
    Rule(
        "R3",
        "Reddit wants few replies of a bot below one submission; Heard sends one a day by itself.",
        "r/Bottiquette, which allows five to ten; Heard is stricter",
        applies=lambda s: s.automatic_in_thread > 0,
        actions=_BY_ITSELF,
    ),
    Rule(
        "R4",
        "Reddit wants removed content deleted, within 48 hours, and no model trained with it.",
        "Reddit Data API wiki, as others cite it",
        believed=True,
        kept_by="casework.moves: withdraw, for each deletion that is heard of; platforms.rules: no_learning",
    ),
    Rule(
        "R5",
        "Reddit limits comments by a rule it does not publish and says when the next may come.",
        "praw documentation, rate limits",
        kept_by="platforms.reddit: comes back when it is told to",
    ),
)

_BLUESKY = _of(
    "bluesky",
    "2026-04",
    Rule(
        "B1",
        "Bluesky wants bots to answer only those who tagged the account or replied to it.",
        "Bluesky docs, starter templates: bots",
        applies=_not_addressed,
    ),
    Rule(
        "B2",
        "Bluesky wants an account that replies by itself to carry the bot label.",
        "Bluesky docs, starter templates: bots",
        applies=_not_labelled,
        actions=_BY_ITSELF,
    ),
    Rule(
        "B3",
        "Bluesky allows 5,000 points an hour and 300 logins a day; a reply costs three points.",
        "Bluesky docs, rate-limits",
        kept_by="platforms.bluesky: limits, and a login that is kept",
    ),
    Rule(
        "B4",
        "Bluesky wants what its author deletes to be deletable here.",
        "Bluesky developer-guidelines",
        kept_by="casework.moves: withdraw, for each deletion that is heard of",
    ),
    Rule(
        "B5",
        "Bluesky's Jetstream is not signed, so a post is read again before it is answered.",
        "Bluesky blog, 2024-10-16",
        kept_by="responder.sender: reads again before it posts",
    ),
    Rule(
        "B6",
        "Bluesky forbids nobody to learn from its posts, which are public: the brand must say that it may.",
        "Bluesky docs; user intents for reuse are a proposal so far (0008)",
        read="",
        believed=True,
        kept_by="casework.feedback: only with learning.keep in brand.yaml",
    ),
)

_MASTODON = _of(
    "mastodon",
    "2026-07",
    Rule(
        "M1",
        "Mastodon servers want bots to mention only people who mentioned them first.",
        "the rules of most servers, as collected in gist unascribed/f7c2f5",
        read="",
        applies=_not_addressed,
        believed=True,
    ),
    Rule(
        "M2",
        "Mastodon wants an account that replies by itself to carry the bot flag.",
        "Mastodon docs, user/profile",
        applies=_not_labelled,
        actions=_BY_ITSELF,
    ),
    Rule(
        "M3",
        "A reply on Mastodon is never more public than the post it answers.",
        "good manners there; Heard's own rule",
        read="",
        kept_by="platforms.mastodon: visibility",
    ),
    Rule(
        "M4",
        "Mastodon allows 300 calls in five minutes.",
        "Mastodon docs, rate-limits",
        kept_by="platforms.mastodon: limits",
    ),
    Rule(
        "M5",
        "Mastodon's largest servers forbid training a model with posts, and each author's server decides.",
        "mastodon.social terms of 2025-07-01, as others cite them",
        read="",
        believed=True,
        kept_by="platforms.rules: no_learning",
    ),
)

_HEARD = _of(
    "",
    "",
    Rule(
        "T1",
        "Only reviewed wording goes out by itself.",
        "Heard's own rule",
        applies=lambda s: s.written_by_model,
        actions=_BY_ITSELF,
        kept_by="responder.drafting and responder.guard: templates, and what they may carry",
    ),
    Rule(
        "T2",
        "Safety, law, press, threats, grief and stolen data belong to people, whatever the model says.",
        "Heard's own rule",
        applies=lambda s: bool(FOR_PEOPLE & _topics(s)),
        actions=_BY_ITSELF,
        words=_touches,
        kept_by="responder.worker: brings them to the managers",
    ),
    Rule(
        "T3",
        "Characters that hide text or turn it around never go out.",
        "Heard's own rule",
        kept_by="responder.guard",
    ),
    Rule(
        "T5",
        "An approval is for exactly the text that was read.",
        "Heard's own rule",
        kept_by="casework.moves: approve",
    ),
    Rule(
        "T9",
        "Personal data is never repeated in public.",
        "Heard's own rule",
        kept_by="responder.guard",
    ),
    Rule(
        "T10",
        "A flood of posts never becomes a flood of automatic replies.",
        "Heard's own rule",
        kept_by="responder.worker: caps for each hour",
    ),
    Rule(
        "T11",
        "Heard never answers another bot: two of them would thank each other for ever.",
        "Heard's own rule",
        applies=lambda s: s.mention.author.bot,
        effect=Way.NEVER,
    ),
    Rule(
        "T15",
        "Whoever pauses sending stops it at once.",
        "Heard's own rule",
        kept_by="responder.sender: asks the switch last before each post",
    ),
)

TABLE: Final = (*_X, *_REDDIT, *_BLUESKY, *_MASTODON, *_HEARD)
"""Every rule that has a number. A number with several conditions has a line for each."""

RULES: Final = {rule.number: rule for rule in reversed(TABLE)}
"""The first line of each number."""


# ── learning ─────────────────────────────────────────────────────────────────────────────────────

LEARNABLE: Final = frozenset({"bluesky", "replay"})
"""The platforms from whose posts a brand may learn if it says so (B6); a recorded feed is the brand's own.

Never from any other: what no rule allows counts as forbidden, a plugin's platform too.
"""

_NO_LEARNING: Final = {"x": "X14", "reddit": "R4", "mastodon": "M5"}


def no_learning(platform: str) -> Objection | None:
    """Why nothing may be learned from a platform's posts, whatever the brand says; None if it may."""
    if platform in LEARNABLE:
        return None
    number = _NO_LEARNING.get(platform, "")
    if number:
        return Objection(RULES[number].sentence, number)
    return Objection(f"No rule that Heard knows allows training a model with posts of {platform}.")


# ── the brand's own ──────────────────────────────────────────────────────────────────────────────


def _own(
    sentence: str,
    applies: Callable[[Situation], bool],
    *,
    actions: frozenset[Action] = _ANY,
    effect: Way = Way.BY_HAND,
) -> Rule:
    """A line without a number: no platform's rule. Its sentence may name the platform, ``{platform}``."""

    def words(s: Situation) -> str:
        name = s.mention.platform
        return sentence.format(platform=_NAMES.get(name, name))

    return Rule("", sentence, "Heard's own", applies, actions, effect, words=words)


SETTINGS: Final = (
    _own(
        "The brand's settings say that nobody is answered on {platform}.",
        lambda s: s.terms.reply is ReplyMode.NEVER,
        effect=Way.NEVER,
    ),
    _own(
        "The brand's settings say that people post on {platform} themselves.",
        lambda s: s.terms.reply is ReplyMode.MANUAL,
    ),
    _own(
        "No account is connected on {platform}, so people post there themselves.",
        lambda s: not s.terms.account,
    ),
    _own(
        "Automatic replies are switched off.",
        lambda s: not s.terms.automatic.enabled,
        actions=_BY_ITSELF,
    ),
)
"""What the brand chose. Asked before the platforms' rules, except for those that refuse."""

DOUBTS: Final = (
    # A platform that the table does not know is no reason to be bolder than on those it knows.
    _own("{platform} allows no such reply.", _not_addressed),
    _own("The account's profile does not say that it replies by itself.", _not_labelled, actions=_BY_ITSELF),
    _own("Nobody has read this yet.", lambda s: s.classification is None, actions=_BY_ITSELF),
    _own("The model is not sure what the customer wants.", _unsure_of_the_matter, actions=_BY_ITSELF),
    _own(
        "The model is not sure how this is meant; it may be irony.",
        _unsure_of_the_feeling,
        actions=_BY_ITSELF,
    ),
    _own("A complaint in friendly words is often irony.", _friendly_complaint, actions=_BY_ITSELF),
)
"""What makes Heard hesitate where no rule forbids."""


# ── the question ─────────────────────────────────────────────────────────────────────────────────


def in_order(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The lines that a reply can break, those that refuse it first."""
    evaluated = [rule for rule in rules if rule.evaluated]
    return tuple(sorted(evaluated, key=lambda rule: rule.effect is not Way.NEVER))


LINES: Final = in_order((*SETTINGS, *TABLE, *DOUBTS))
"""Every line that `may` looks at, in its order."""


def may(situation: Situation, action: Action, lines: Sequence[Rule] = LINES) -> Permission:
    """Whether Heard may do it: `Way.SEND`, or the first line that speaks against it.

    Pure and the same for everybody who asks. What it cannot know stays with the caller: how many
    automatic replies went out this hour, what the text says, and whether sending is paused.
    """
    against = next((line for line in lines if line.forbids(situation, action)), None)
    if against is None:
        return Permission(Way.SEND)
    return Permission(against.effect, rule=against.number, why=against.why(situation))


def said(no: Permission | Objection) -> str:
    """Why not, with the number of the rule, as the timeline says it."""
    return f"{no.why.removesuffix('.')} (rule {no.rule})" if no.rule else no.why
