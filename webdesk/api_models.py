"""The shapes of the JSON API: what a case looks like to a program, and what a move's body holds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from casework.case import Case, standing
from casework.moves import as_of
from casework.timeline import TimelineEntry


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AuthorOut(_Out):
    """The account that wrote a mention."""

    id: str
    handle: str
    name: str
    followers: int
    bot: bool


class MentionOut(_Out):
    """One public post, as received."""

    id: str
    key: str
    text: str
    created_at: datetime
    addressed: bool
    in_reply_to: str | None
    language: str | None
    url: str | None


class ConfidenceOut(_Out):
    """How sure each label is, 0 to 1."""

    sentiment: float
    intent: float
    urgency: float


class ClassificationOut(_Out):
    """What the model believes about the last mention."""

    sentiment: str
    intent: str
    urgency: str
    confidence: ConfidenceOut
    topics: list[str]
    language: str
    model: str
    truncated: bool
    doubts: list[str]


class SourceOut(_Out):
    """What a draft cites."""

    id: str
    title: str


class DraftOut(_Out):
    """The proposed reply. `sha256` is what an approval must carry."""

    id: str
    text: str
    sha256: str
    kind: str
    language: str
    answers: str
    sources: list[SourceOut]
    written_by: str


class PermissionOut(_Out):
    """How a reply may reach the customer, by which rule, and why."""

    way: str
    rule: str
    why: str


class PauseOut(_Out):
    """Since when, why and by whom the promises stand still."""

    since: datetime
    reason: str
    by: str


class OutgoingOut(_Out):
    """A reply that is decided and not yet known to be posted."""

    key: str
    kind: str
    text: str
    decided_by: str
    decided_at: datetime
    automatic: bool
    attempts: int


class ReplyOut(_Out):
    """A reply that the customer can see."""

    id: str
    kind: str
    text: str
    answers: str
    decided_by: str
    posted_at: datetime
    automatic: bool
    by_hand: bool


class PromiseOut(_Out):
    """One promise made to the customer."""

    name: str
    mention: str
    met_by: str
    state: str
    started_at: datetime
    due_at: datetime
    settled_at: datetime | None
    acknowledged_by: str | None


class TimelineOut(_Out):
    """One line of the case's history."""

    at: datetime
    what: str
    by: str
    detail: str
    version: int


class CaseOut(_Out):
    """One customer, one matter, as of `version`. The timeline comes with a single case, not in lists."""

    id: str
    version: int
    status: str
    standing: str
    platform: str
    author: AuthorOut
    opened_at: datetime
    mentions: list[MentionOut]
    classification: ClassificationOut | None
    draft: DraftOut | None
    permission: PermissionOut | None
    outgoing: OutgoingOut | None
    replies: list[ReplyOut]
    promises: list[PromiseOut]
    owner: str | None
    escalated_to: str | None
    why: str
    rule: str
    rejections: list[str]
    snoozed_until: datetime | None
    pause: PauseOut | None
    moved_by: str
    moved: str
    moved_at: datetime | None
    timeline: list[TimelineOut] | None = None


class CasePage(BaseModel):
    """A page of cases; `cursor` asks for the next one and is null on the last."""

    cases: list[CaseOut]
    cursor: str | None


class HealthOut(BaseModel):
    """One check: ok, warn or bad, in words, and what mends it."""

    name: str
    state: str
    words: str
    fix: str


class HealthPage(BaseModel):
    """All checks; `ok` is false when one is bad. `paused`: nothing is sent; null: the store does not say."""

    ok: bool
    paused: bool | None
    checks: list[HealthOut]


class MoveBody(BaseModel):
    """A move: `version` is the case's version that was seen, `by` the person's name."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, strict=True)]
    by: Annotated[str, Field(min_length=1, max_length=80)]
    draft_sha256: Annotated[str | None, Field(max_length=64, description="Needed to approve.")] = None
    text: Annotated[str | None, Field(max_length=20_000, description="Needed to edit and to note.")] = None
    reason: Annotated[str | None, Field(max_length=20_000, description="Needed to reject and to close.")] = (
        None
    )
    until: Annotated[AwareDatetime | None, Field(description="Needed to snooze; with its time zone.")] = None


def case_out(case: Case, *, now: datetime, timeline: Sequence[TimelineEntry] | None = None) -> CaseOut:
    """The case as a program sees it."""
    fields = {name: getattr(case, name) for name in CaseOut.model_fields if hasattr(case, name)}
    fields["standing"] = standing(as_of(case, now))
    fields["timeline"] = timeline
    return CaseOut.model_validate(fields)
