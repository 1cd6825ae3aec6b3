"""Ready cases, mentions and judgements for tests: plain values, no behaviour."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from casework import moves
from casework.case import IN_FLIGHT, Case, Status
from casework.classification import Classification, Confidence, Doubt, Intent, Sentiment, Urgency
from casework.draft import Draft, Source
from casework.forgetting import SECRET_BYTES, Marks
from casework.mention import Author, Mention
from casework.reply import Permission, Way
from casework.sla import MetBy, PromisePolicy, Promises
from casework.sla import Warning as EarlyWarning

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

FIRST_HOUR = PromisePolicy(
    name="first hour",
    within=timedelta(hours=1),
    met_by=MetBy.REPLY,
    urgencies=frozenset({Urgency.NORMAL, Urgency.HIGH, Urgency.CRITICAL}),
    warn_at=(EarlyWarning(share=0.5), EarlyWarning(share=0.8)),
)
SAME_DAY = PromisePolicy(
    name="same day",
    within=None,
    met_by=MetBy.ANSWER,
    urgencies=FIRST_HOUR.urgencies,
    warn_at=(EarlyWarning(left=timedelta(hours=2)),),
)
PROMISES = Promises((FIRST_HOUR, SAME_DAY))
MARKS = Marks(b"7" * SECRET_BYTES)
MAY_SEND = Permission(Way.SEND)
BY_HAND = Permission(Way.BY_HAND, rule="X1", why="X refuses replies unless the author mentioned you")


def a_mention(number: int = 1, text: str = "My bag is lost!", **changes: object) -> Mention:
    """A mention by Maya on X, a minute after the one before."""
    mention = Mention(
        platform="x",
        id=f"post-{number}",
        author=Author(id="maya", handle="maya", name="Maya R."),
        text=text,
        created_at=NOON + (number - 1) * MINUTE,
    )
    return replace(mention, **changes)  # type: ignore[arg-type]  # each caller names real fields


def judged(
    urgency: Urgency = Urgency.HIGH,
    intent: Intent = Intent.COMPLAINT,
    sentiment: Sentiment = Sentiment.NEGATIVE,
    topics: tuple[str, ...] = (),
    sure: float = 0.9,
    doubts: tuple[Doubt, ...] = (),
) -> Classification:
    """A judgement that is sure of itself."""
    sureness = Confidence(sure, sure, sure)
    return Classification(sentiment, intent, urgency, sureness, topics=topics, doubts=doubts)


def a_draft(text: str = "Hi Maya, we are looking for it.", answers: str = "x:post-1") -> Draft:
    """A draft that cites one article."""
    return Draft(id="draft-1", text=text, answers=answers, sources=(Source("KB-12", "Delayed bags"),))


def heard(mention: Mention | None = None, case_id: str = "C-100") -> Case:
    """A case just opened."""
    return moves.hear(mention or a_mention(), case_id=case_id, at=NOON, promises=PROMISES).case


def classified(judgement: Classification | None = None) -> Case:
    """A case just judged."""
    return moves.classify(heard(), judgement or judged(), at=NOON, promises=PROMISES).case


def drafted() -> Case:
    """A case with a draft before people."""
    return moves.propose(classified(), a_draft(), permission=MAY_SEND, rule="refunds", why="", at=NOON).case


def approved() -> Case:
    """A case whose draft a person approved."""
    case = drafted()
    return moves.approve(case, by="Nina", at=NOON, draft_sha256=a_draft().sha256).case


def sending() -> Case:
    """A case whose reply is on its way."""
    return moves.begin_sending(approved(), at=NOON, look_at=NOON + MINUTE).case


def in_status(status: Status) -> Case:
    """A case in any status, with what a case in it always has."""
    if status in IN_FLIGHT or status is Status.APPROVED:
        return replace(sending() if status in IN_FLIGHT else approved(), status=status)
    rested = Status.DRAFTED if status is Status.SNOOZED else None
    until = NOON + 30 * MINUTE if rested else None
    return replace(drafted(), status=status, rested=rested, snoozed_until=until)
