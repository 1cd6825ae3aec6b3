"""A case as one Slack message: a pure function, so that drawing it again gives the same card.

What a stranger wrote stands in rich text or plain text alone; the fallback text, which notifications and
screen readers get, holds none of it, as a deletion must not leave it on a phone (S7). Times are instants
in the reader's own zone: a message is not redrawn each minute, so "18 min left" would soon be a lie.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import regex  # type: ignore[import-untyped]

from casework import moves
from casework.case import (
    IN_FLIGHT,
    WITH_PEOPLE,
    WITH_THE_SENDER,
    Case,
    Move,
    Standing,
    Status,
    due_next,
    standing,
)
from casework.classification import Classification, Topic
from casework.decisions import allowed, way
from casework.draft import Draft, ReplyKind
from casework.mention import Mention
from casework.reply import Reply, Way
from casework.sla import MetBy, PromiseState
from casework.timeline import TimelineEntry
from casework.words import (
    DONE,
    SHAPES,
    STATUS,
    clock_time,
    doubts_said,
    permission_words,
    person,
    platform_name,
    visible,
)
from escalation.slack_payload import (
    SECTION,
    Block,
    Payload,
    actions,
    button,
    confirm,
    context,
    cut,
    date,
    divider,
    esc,
    link,
    option,
    overflow,
    plain,
    quote,
    section,
    select,
    units,
    value_of,
    web,
)
from platforms.lengths import graphemes, links

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]++(?:['’-][\p{L}\p{M}\p{N}]++)?")

DOT: Final = "  ·  "
LONGEST_SHOWN: Final = 2 * SECTION
"""A draft longer than this is approved where it can be read whole (T5): at the desk."""
DELICATE: Final = frozenset(Topic) - {Topic.OPT_OUT, Topic.SPAM}
"""Matters where approving asks once more."""
PRICE: Final = "about $0.20"
"""What a post with a link costs on X (rule X8); one without costs a tenth of it or less."""

RESTS: Final[dict[str, tuple[str, timedelta | None]]] = {
    "half-hour": ("30 minutes", timedelta(minutes=30)),
    "one-hour": ("1 hour", timedelta(hours=1)),
    "two-hours": ("2 hours", timedelta(hours=2)),
    "tomorrow": ("Tomorrow 09:00", None),
    "until": ("Until…", None),
}
"""The choices of Snooze: what each is called, and how long it is; "until" opens a dialog."""


@dataclass(frozen=True, slots=True)
class Editing:
    """Somebody has the edit dialog open: who, and since when."""

    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """What a card is drawn under, beside the case.

    ``measure`` counts a text as the platform does: used, limit. ``link`` is the platform's own page for
    writing the reply. ``approvals`` is how many people must approve a reply in the case. ``practice``
    makes the buttons such that nothing they carry can decide anything.
    """

    now: datetime
    brand: str
    timezone: str
    desk_url: str | None
    measure: Callable[[str, str], tuple[int, int]]
    link: Callable[[Case], str | None]
    editing: Editing | None = None
    practice: bool = False
    approvals: Callable[[Case], int] = lambda _case: 1


def card(case: Case, look: Look) -> Payload:
    """The case as a message: what is owed until when, what was said, what is proposed, what can be done."""
    blocks = _emptied(case, look) if _is_empty(case) else _whole(case, look)
    if look.practice:
        told = "🎓 *Practice*  ·  this customer does not exist, and nothing here is ever published"
        return Payload(f"Practice. {_fallback(case, look)}", (context(_id("practice", case), told), *blocks))
    metadata: Block = {
        "event_type": "case_card",
        "event_payload": {"case": case.id, "version": case.version},
    }
    return Payload(_fallback(case, look), tuple(blocks), metadata)


def _whole(case: Case, look: Look) -> list[Block]:
    blocks = [_head(case, look), _who(case, look), quote(shown(case).text or " ", _id("quote", case))]
    if case.open:
        blocks += [*_history(case, look), *_why(case)]
    blocks += [*_reply(case, look), *_notices(case, look)]
    row = _Row(case, look).buttons()
    if row:
        blocks.append(actions(_id("act", case), *row))
    return [*blocks, _foot(case, look)]


def _emptied(case: Case, look: Look) -> list[Block]:
    if case.status is Status.ERASED:
        told = "🗑 *Erased*  ·  nothing of what was written here is kept"
    else:
        ends = "a reply was already on its way" if case.status in IN_FLIGHT else STATUS[case.status].lower()
        told = (
            f"🗑 *The author deleted this post*  ·  {ends}\n"
            "Its words were removed here and from storage, as the platform requires."
        )
    foot = f"Case {_case_link(case, look)} keeps only times and decisions"
    return [section(told, _id("head", case)), context(_id("foot", case), foot)]


# ── what is on it ────────────────────────────────────────────────────────────────────────────────


def gone(mention: Mention) -> bool:
    """Whether a deletion took the mention's words; a post of a picture alone has an author still."""
    return not mention.text and not mention.author.handle


def stands_at(case: Case, now: datetime) -> Standing:
    """How the case stands at an instant, even where the promise clock has not come round yet."""
    return standing(moves.as_of(case, now))


def due_words(case: Case, look: Look) -> str:
    """The state's shape and word, and when a reply is due, in mrkdwn of our own."""
    stands = stands_at(case, look.now)
    head, promise = f"{SHAPES[stands][1]} *{stands}*", due_next(case)
    if case.pause is not None:
        head = f"{head}{DOT}paused by {esc(person(case.pause.by), 80)}: {esc(case.pause.reason, 80)}"
    if promise is None:
        return head
    what = "full answer" if _acknowledged(case) and promise.met_by is MetBy.ANSWER else "reply"
    verb = "was due" if promise.due_at <= look.now else "due"
    return f"{head}{DOT}{what} {verb} {moment(promise.due_at, look)} ({esc(promise.name, 40)})"


def moment(instant: datetime, look: Look) -> str:
    """An instant in the reader's zone, with the day unless it is today on the brand's clock."""
    zone = ZoneInfo(look.timezone)
    today = instant.astimezone(zone).date() == look.now.astimezone(zone).date()
    form = "{time}" if today else "{date_short_pretty} {time}"
    return date(instant, clock_time(instant, look.timezone, look.now), form)


def labels_words(judged: Classification | None) -> str:
    """What the model says it is, in mrkdwn of our own."""
    if judged is None:
        return "Not judged yet"
    topics = [esc(topic, 40) for topic in judged.topics[:5]]
    parts = [
        f"*{str(judged.intent).capitalize()}*",
        *topics,
        f"urgency *{judged.urgency}*",
        str(judged.sentiment),
    ]
    return DOT.join(parts)


def full_name(case: Case) -> str:
    """Who wrote, for plain text: "Maya R. (@maya) on X"."""
    author = case.author
    name, handle = cut(visible(author.name).strip(), 60), cut(visible(author.handle), 60)
    if not (name or handle):
        return f"A deleted author on {platform_name(case.platform)}"
    at = "u/" if case.platform == "reddit" else "@"
    who = f"{name} ({at}{handle})" if name and handle and name != handle else name or f"{at}{handle}"
    return f"{who} on {platform_name(case.platform)}"


def first_name(case: Case) -> str:
    """Who wrote, for a sentence that Slack parses and phones keep: one word, since a name may be a text."""
    found = _WORD.search(case.author.name) or _WORD.search(case.author.handle)
    return esc(found[0], 24) if found else "a customer"


def _id(name: str, case: Case) -> str:
    # Slack asks for other ids when a message is drawn anew.
    return f"{name}:{case.id}:{case.version}"


def _is_empty(case: Case) -> bool:
    return case.status is Status.ERASED or all(gone(mention) for mention in case.mentions)


def shown(case: Case) -> Mention:
    """The last mention whose words are still there."""
    return next((mention for mention in reversed(case.mentions) if not gone(mention)), case.last)


def _acknowledged(case: Case) -> Reply | None:
    """The acknowledgement that Heard sent by itself, while the answer is still owed."""
    last = case.replies[-1] if case.replies else None
    return last if case.open and last and last.kind is ReplyKind.ACKNOWLEDGEMENT else None


def _answer(case: Case) -> Reply | None:
    return next((reply for reply in reversed(case.replies) if reply.kind is ReplyKind.ANSWER), None)


def desk_address(case: Case, look: Look) -> str:
    """The case's page at the desk; nothing where there is none that a browser could open."""
    return web(f"{look.desk_url.rstrip('/')}/cases/{case.id}") if look.desk_url and not look.practice else ""


def _case_link(case: Case, look: Look) -> str:
    return link(desk_address(case, look), case.id)


def percent(probability: float) -> str:
    """A probability as people read it."""
    return f"{round(100 * probability)} %"


def lasted(length: timedelta) -> str:
    """A length of time as people say it: "44 min", "3 h 5 min", "2 d 4 h"."""
    minutes = max(0, int(length.total_seconds())) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min" if minutes else "under a minute"


# ── the head ─────────────────────────────────────────────────────────────────────────────────────


def _head(case: Case, look: Look) -> Block:
    told = f"{_HEADS.get(case.status, due_words)(case, look)}\n{labels_words(case.classification)}"
    menu = None if look.editing and case.status in WITH_PEOPLE else _Row(case, look).menu()
    return section(told, _id("head", case), menu)


def _decided_by(case: Case) -> str:
    by = esc(person(case.outgoing.decided_by)) if case.outgoing else ""
    return (
        f"approved by {by}" if by and not (case.outgoing and case.outgoing.automatic) else "by Heard itself"
    )


def _head_approved(case: Case, look: Look) -> str:
    if case.look_at is None:
        return f"⏳ *Approved, about to be sent*{DOT}{_decided_by(case)}"
    name = platform_name(case.platform)
    return f"⏳ *Waits its turn*{DOT}{name} takes it at {moment(case.look_at, look)}{DOT}{_decided_by(case)}"


def _head_sending(case: Case, _look: Look) -> str:
    return f"⏳ *Sending…*{DOT}{_decided_by(case)}"


def _head_unknown(case: Case, look: Look) -> str:
    when = f" at {moment(case.look_at, look)}" if case.look_at else ""
    told = f"looks for the reply on {platform_name(case.platform)}{when} before anything is sent again"
    return f"⏳ *Sent? Nobody knows yet*{DOT}Heard {told}"


def _head_answered(case: Case, _look: Look) -> str:
    reply, shape = _answer(case), SHAPES[Standing.ANSWERED][1]
    if reply is None:
        return f"{shape} *Answered*"
    asked = next((m for m in case.mentions if m.key == reply.answers), case.last)
    how = "by hand, by " if reply.by_hand else "" if reply.automatic else "by "
    told = f"{shape} *Answered in {lasted(reply.posted_at - asked.created_at)}*"
    return f"{told}{_kept(case, reply)}{DOT}{how}{esc(person(reply.decided_by))}"


def _kept(case: Case, reply: Reply) -> str:
    """Whether the reply was in time, by the promises that it settled."""
    settled = [promise for promise in case.promises if promise.settled_at == reply.posted_at]
    broken = [esc(p.name, 40) for p in settled if p.state is PromiseState.BREACHED]
    kept = [esc(p.name, 40) for p in settled if p.state is PromiseState.MET]
    if broken:
        return f" – too late for *{'* and *'.join(broken)}*"
    return f" – in time for *{'* and *'.join(kept)}*" if kept else ""


def _head_failed(case: Case, look: Look) -> str:
    promise = due_next(case)
    owed = f" The promise still runs: due {moment(promise.due_at, look)}." if promise else ""
    why = esc(case.why, 300) or f"{platform_name(case.platform)} refused the reply"
    return f"{SHAPES[Standing.NOT_SENT][1]} *Not sent*{DOT}{why}\nNothing was published.{owed}"


def _head_snoozed(case: Case, look: Look) -> str:
    by = f" by {esc(person(case.moved_by))}" if case.moved == Move.SNOOZE else ""
    until = f" until {moment(case.snoozed_until, look)}" if case.snoozed_until else ""
    rests = f"{SHAPES[Standing.SNOOZED][1]} *Snoozed{until}*{by}"
    return f"{rests}\n{due_words(case, look)}: promises do not rest" if due_next(case) else rests


def _head_ended(case: Case, _look: Look) -> str:
    by = f" by {esc(person(case.moved_by))}" if case.moved == Move.CLOSE else ""
    why = f"{DOT}{esc(case.why, 300)}" if case.why else ""
    return f"{SHAPES[Standing.CLOSED][1]} *{STATUS[case.status]}*{by}{why}"


_HEADS: Final[dict[Status, Callable[[Case, Look], str]]] = {
    Status.APPROVED: _head_approved,
    Status.SENDING: _head_sending,
    Status.UNKNOWN: _head_unknown,
    Status.ANSWERED: _head_answered,
    Status.FAILED: _head_failed,
    Status.SNOOZED: _head_snoozed,
    Status.CLOSED: _head_ended,
    Status.IGNORED: _head_ended,
}


# ── the evidence ─────────────────────────────────────────────────────────────────────────────────


def _who(case: Case, look: Look) -> Block:
    mention = shown(case)
    posted = f"{link(mention.url, 'posted')} {moment(mention.created_at, look)}"
    return context(_id("who", case), plain(full_name(case)), posted)


def _history(case: Case, look: Look) -> list[Block]:
    """What waits, then who it is: followers last, so that nobody is served for being loud."""
    waiting, told = case.unanswered(), []
    if len(case.mentions) > 1:
        told.append(f"🔁 {len(case.mentions)} posts in this case")
        if waiting:
            told.append(f"⏳ waiting since {moment(waiting[0].created_at, look)}")
    if case.author.followers:
        told.append(f"{case.author.followers:,} followers")
    return [context(_id("hist", case), DOT.join(told))] if told else []


def _why(case: Case) -> list[Block]:
    """Why a person is asked: the rule, what the model says and how surely, what else was found."""
    if case.status not in WITH_PEOPLE:
        return []
    rule = f"Needs a person: rule `{esc(case.rule, 60)}`" if case.rule else "Needs a person"
    told, judged = [rule], case.classification
    if judged is not None:
        sure = judged.confidence
        told.append(
            f"{judged.intent} {percent(sure.intent)}, {judged.urgency} urgency {percent(sure.urgency)}, "
            f"{judged.sentiment} {percent(sure.sentiment)}"
        )
        if doubts := doubts_said(judged):
            told.append(f"🤔 *{doubts}*: read it yourself")
        if judged.truncated:
            told.append("only the beginning was judged")
    elements: list[str | Block] = [DOT.join(told)]
    # A person's reason may quote the customer, and a platform's may say anything.
    if case.why and case.why != f"rule {case.rule}" and case.status is not Status.FAILED:
        elements.append(plain(cut(case.why, 300)))
    return [context(_id("why", case), *elements)]


def _reply(case: Case, look: Look) -> list[Block]:
    """The reply: what was sent, what is on its way, or what is proposed."""
    if case.status in WITH_THE_SENDER and case.outgoing:
        return [divider(), *_text(case.outgoing.text, case)]
    answer = None if case.open else _answer(case)
    if answer and answer.text:
        return [divider(), *_text(answer.text, case)]
    if not case.open or case.status not in WITH_PEOPLE:
        return []
    if case.draft is None:
        return [divider(), section("*No draft*" + DOT + "write the reply yourself", _id("dh", case))]
    return [divider(), _above(case, case.draft, look), *_text(case.draft.text, case)]


def _above(case: Case, draft: Draft, look: Look) -> Block:
    used, limit = look.measure(case.platform, draft.text)
    by = "Suggested reply" if draft.written_by == moves.HEARD else f"Reply by {esc(draft.written_by, 80)}"
    over = f"*{used - limit} too long*{DOT}" if used > limit else ""
    told = f"*{by}*{DOT}{over}{used:,} of {limit:,} characters{DOT}{esc(draft.language, 20)}"
    cited = ", ".join(f"{esc(s.title, 60)} ({esc(s.id, 30)})" for s in draft.sources[:4])
    return section(f"{told}\nBased on {cited}" if cited else told, _id("dh", case))


def _text(text: str, case: Case) -> list[Block]:
    """Our own words, whole, never parsed: Slack takes 3,000 characters a paragraph."""
    return [
        section(plain(part), f"draft{'' if n == 0 else n}:{case.id}:{case.version}")
        for n, part in enumerate(_parts(cut(visible(text), LONGEST_SHOWN)))
    ]


def _parts(text: str) -> list[str]:
    parts, room = [""], SECTION
    # One letter may be longer than a paragraph: nobody limits the marks on it.
    letters = (
        piece for letter in graphemes(text) for piece in ([letter] if units(letter) < SECTION else letter)
    )
    for letter in letters:
        size = units(letter)
        if size > room:
            parts, room = [*parts, ""], SECTION
        parts[-1] += letter
        room -= size
    return [part for part in parts if part.strip()] or [" "]


def readable(text: str) -> bool:
    """Whether a card shows the text whole, so that an approval there covers what was read (T5)."""
    return units(visible(text)) <= LONGEST_SHOWN


def _notices(case: Case, look: Look) -> list[Block]:
    """What the buttons below depend on: the platform's rules, colleagues, length."""
    if case.status not in WITH_PEOPLE:
        return []
    signs = {Way.SEND: "✔", Way.BY_HAND: "✋", Way.NEVER: "⛔"}
    allowed_words = permission_words(case.permission, case.platform)
    told = [plain(cut(f"{signs[way(case)]} {allowed_words}", 500))]
    if case.draft is not None and not readable(case.draft.text):
        told.append(plain("Too long to be read here whole: approve it at the desk."))
    told += _second_pair_of_eyes(case, look)
    acknowledged = _acknowledged(case)
    if acknowledged is not None:
        by = "automatically" if acknowledged.automatic else f"by {cut(person(acknowledged.decided_by), 80)}"
        when = clock_time(acknowledged.posted_at, look.timezone, look.now)
        told.append(plain(f"🤖 Acknowledged {by} at {when}; the answer is still due."))
    if look.editing is not None:
        since = clock_time(look.editing.since, look.timezone, look.now)
        told.append(
            plain(f"✏️ {cut(person(look.editing.by), 80)} is editing since {since}: nobody answers twice.")
        )
    return [context(_id("perm", case), *told)]


def _second_pair_of_eyes(case: Case, look: Look) -> list[Block]:
    needed = look.approvals(case)
    if needed < 2 or case.draft is None:
        return []
    names = ", ".join(cut(visible(name), 40) for name in case.approvals[:5]) or "nobody yet"
    return [
        plain(f"👥 {len(case.approvals)} of {needed} approvals: {names}. Who wrote the text does not count.")
    ]


def _foot(case: Case, look: Look) -> Block:
    freed = f" since {esc(person(case.moved_by), 80)} released it" if case.moved == Move.RELEASE else ""
    owner = f"{esc(case.owner, 80)} has it" if case.owner else f"unassigned{freed}"
    told = [f"Case {_case_link(case, look)}"]
    if case.open:
        told.append(owner)
    if case.open and case.escalated_to:
        told.append(f"handed to {esc(case.escalated_to, 80)}")
    first = due_next(case)
    later = [p for p in case.promises if p.running and p is not first]
    if case.open and later:
        last = max(later, key=lambda promise: promise.due_at)
        told.append(f"{esc(last.name, 40)} ends {moment(last.due_at, look)}")
    told.append("what is written in this thread stays among colleagues")
    return context(_id("foot", case), DOT.join(told))


# ── the buttons ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Row:
    """The buttons of a card: only what the case allows, and at most one that stands out."""

    case: Case
    look: Look

    def buttons(self) -> list[Block]:
        """The row below the card."""
        case, row = self.case, list[Block | None]()
        if case.status in WITH_PEOPLE and self.look.editing is not None:
            row = [self._take_over(self.look.editing)]
        elif case.status in WITH_PEOPLE:
            row = self._with_people()
        elif case.status in (Status.NEW, Status.CLASSIFIED):
            row = [self._take(), self._note()]
        elif case.status is Status.APPROVED and case.look_at is not None:
            row = [self._close("Stop it…")]
        elif not case.open:
            row = [self._view(), self._reopen(), self._take_back(), self._note()]
        return [one for one in row if one is not None]

    def menu(self) -> Block | None:
        """What is rarer, behind ⋯."""
        if self.case.status not in WITH_PEOPLE:
            return None
        can = allowed(self.case)
        options = [
            option("Different draft", self._value("redraft")) if Move.REJECT in can else None,
            option("Wrong label…", self._value("relabel"), "decides the case anew"),
            option("Not about us", self._value("irrelevant"), "closes the case without a reply"),
            option("Escalate to manager", self._value("escalate")),
            option("Why this card?", self._value("explain")),
        ]
        return overflow(self._action("more"), [one for one in options if one is not None])

    def _with_people(self) -> list[Block | None]:
        case = self.case
        if case.pause is None:
            return self._running()
        return [self._press("Go on", "goon", "Let its promises run again"), *self._running()]

    def _running(self) -> list[Block | None]:
        case = self.case
        if case.status is Status.SNOOZED:
            return [self._press("Wake now", "wake", "End the snooze now"), self._take()]
        if case.status is Status.FAILED:
            open_it = self._copy_and_open()
            again = self._approve("Try again", "retry", primary=open_it is None)
            return [open_it, self._posted(), again, self._edit(), self._take(), self._snooze()]
        if way(case) is Way.NEVER:
            return [self._take(), self._close("Close…"), self._note()]
        if way(case) is Way.BY_HAND:
            first = [self._copy_and_open(), self._posted(), self._edit(), self._reject()]
            return [*first, self._take(), self._snooze()]
        if case.draft is None:
            return [self._edit(), self._take(), self._snooze(), self._close("Close…"), self._note()]
        words = "Approve" if len(case.approvals) + 1 < self.look.approvals(case) else "Approve & send"
        first = [self._approve(words, "approve"), self._edit(), self._reject()]
        return [*first, self._take(), self._snooze()]

    def _value(self, action: str = "") -> str:
        # A practice card carries nothing that a case could be found by.
        return f"practice.{action}" if self.look.practice else value_of(self.case, action)

    def _action(self, name: str) -> str:
        return f"{'practice' if self.look.practice else 'card'}.{name}"

    def _press(
        self,
        text: str,
        name: str,
        label: str,
        *,
        style: Literal["", "primary"] = "",
        asks: Block | None = None,
    ) -> Block:
        return button(text, self._action(name), self._value(), style=style, label=label, confirm=asks)

    def _approve(self, text: str, name: str, *, primary: bool = True) -> Block | None:
        case = self.case
        if Move.APPROVE not in allowed(case) or case.draft is None or not readable(case.draft.text):
            return None
        label = f"{text.removesuffix(' & send')} this reply on {platform_name(case.platform)}"
        return self._press(
            text, name, label, style="primary" if primary else "", asks=self._costs(case.draft)
        )

    def _costs(self, draft: Draft) -> Block | None:
        """The question before an approval that weighs more than others."""
        judged, told = self.case.classification, []
        found = sorted(DELICATE & set(judged.topics if judged else ()))
        if found:
            told.append(f"This touches {', '.join(found)}.")
        if self.case.platform == "x" and links(draft.text):
            told.append(f"A reply with a link costs {PRICE} on X (rule X8).")
        return (
            confirm("Send this reply?", " ".join([*told, "It will be public."]), "Send it") if told else None
        )

    def _edit(self) -> Block:
        if self.case.draft is not None:
            return self._press("Edit…", "edit", "Edit the reply before it is sent")
        label = "Write the reply to this customer"
        stands_out: Literal["", "primary"] = "primary" if self.case.status is not Status.FAILED else ""
        words = "Write the answer…" if self.case.status is Status.ACKNOWLEDGED else "Write the reply…"
        return self._press(words, "edit", label, style=stands_out if way(self.case) is Way.SEND else "")

    def _reject(self) -> Block | None:
        if Move.REJECT not in allowed(self.case):
            return None
        return self._press("Reject…", "reject", "Reject this draft; nothing is sent")

    def _take(self) -> Block:
        words = "Take over" if self.case.owner else "Assign to me"
        return self._press(words, "take", f"{words}: case {self.case.id}")

    def _take_over(self, editing: Editing) -> Block:
        since = clock_time(editing.since, self.look.timezone, self.look.now)
        told = f"{cut(person(editing.by), 80)} has been editing since {since}."
        asked = confirm("Take over?", f"{told} What was not saved is lost.", "Take over", "Leave it")
        return self._press("Take over", "take", f"Take over case {self.case.id}", asks=asked)

    def _snooze(self) -> Block:
        options = [
            option(words, self._value(choice), self._passes(choice)) for choice, (words, _) in RESTS.items()
        ]
        if self.case.pause is None:
            options.append(
                option("Until the customer writes", self._value("await"), "its promises stand still")
            )
        return select(self._action("snooze"), "Snooze…", options)

    def _passes(self, choice: str) -> str:
        until, promise = rest(choice, self.look.now, self.look.timezone), due_next(self.case)
        if until is None or promise is None or promise.due_at > until:
            return ""
        return f"past the promise {cut(visible(promise.name), 40)}"

    def _copy_and_open(self) -> Block | None:
        case, name = self.case, platform_name(self.case.platform)
        address = web(self.look.link(case)) or web(case.last.url)
        if not address or self.look.practice:
            return None
        words = f"Copy & open {name}" if case.draft else f"Open {name}"
        label = f"Open {name}; copy the reply from this card"
        return button(words, "link.post", self._value(), style="primary", url=address, label=label)

    def _posted(self) -> Block:
        return self._press("I posted it…", "posted", "Say that you posted the reply yourself")

    def _view(self) -> Block | None:
        address, name = web(shown(self.case).url), platform_name(self.case.platform)
        if not address or self.look.practice:
            return None
        return button(f"View on {name}", "link.post", self._value(), url=address, label=f"Open it on {name}")

    def _reopen(self) -> Block:
        return self._press("Reopen", "reopen", f"Reopen case {self.case.id}")

    def _take_back(self) -> Block | None:
        if not any(reply.id for reply in self.case.replies):
            return None
        name = platform_name(self.case.platform)
        asks = confirm(
            "Delete our reply?",
            f"It disappears from {name} for everybody, and the customer is owed an answer again.",
            "Delete it",
        )
        return self._press("Delete the reply…", "takeback", f"Delete our reply on {name}", asks=asks)

    def _note(self) -> Block:
        return self._press("Note…", "note", "Leave a note for colleagues")

    def _close(self, words: str) -> Block:
        return self._press(words, "close", "Close the case without a reply")


def rest(choice: str, now: datetime, timezone: str) -> datetime | None:
    """Until when a choice of Snooze lets the case rest; None for "until" and for what is no choice."""
    if choice == "tomorrow":
        local = now.astimezone(ZoneInfo(timezone))
        nine = datetime.combine(local.date() + timedelta(days=1), time(9), tzinfo=local.tzinfo)
        return nine.astimezone(now.tzinfo)
    length = RESTS[choice][1] if choice in RESTS else None
    return now + length if length else None


# ── without a word of the post ───────────────────────────────────────────────────────────────────


def _fallback(case: Case, look: Look) -> str:
    """One sentence for notifications and screen readers. Slack parses it."""
    name = platform_name(case.platform)
    end = f"Case {case.id}."
    if case.status is Status.ERASED:
        return f"This case was erased. {end}"
    if _is_empty(case):
        return f"The author deleted this post. {end}"
    if case.status in WITH_PEOPLE - {Status.FAILED, Status.SNOOZED} or case.status not in _HEADS:
        return f"{_waiting(case, look)} {end}"
    spoken = {
        Status.APPROVED: f"The reply to {first_name(case)} on {name} is approved.",
        Status.SENDING: f"Sending the reply to {first_name(case)} on {name}.",
        Status.UNKNOWN: f"Heard looks on {name} for the reply to {first_name(case)}.",
        Status.ANSWERED: f"Answered: {first_name(case)} on {name}.",
        Status.FAILED: f"Not sent: the reply to {first_name(case)} on {name}. Nothing was published.",
        Status.SNOOZED: f"Snoozed: {first_name(case)} on {name}.",
        Status.CLOSED: f"Closed: {first_name(case)} on {name}.",
        Status.IGNORED: f"No reply is needed for {first_name(case)} on {name}.",
    }
    return f"{spoken[case.status]} {end}"


def _waiting(case: Case, look: Look) -> str:
    judged, promise = case.classification, due_next(case)
    what = str(judged.intent) if judged else "a post"
    told = f"{stands_at(case, look.now)}: {what} from {first_name(case)} on {platform_name(case.platform)}."
    if promise is not None:
        verb = "was" if promise.due_at <= look.now else "is"
        told += f" A reply {verb} due at {clock_time(promise.due_at, look.timezone, look.now)}."
    return told if way(case) is Way.SEND else f"{told} It cannot be sent from here."


# ── the thread ───────────────────────────────────────────────────────────────────────────────────

_TOLD: Final = frozenset(
    {
        Move.JOIN,
        Move.RELABEL,
        Move.IGNORE,
        Move.ACKNOWLEDGE,
        Move.APPROVE,
        Move.EDIT,
        Move.REJECT,
        Move.TAKE,
        Move.RELEASE,
        Move.SNOOZE,
        Move.PAUSE,
        Move.RESUME,
        Move.RECOUNT,
        Move.CLOSE,
        Move.NOTE,
        Move.REOPEN,
        Move.ESCALATE,
        Move.POST_BY_HAND,
        Move.STOP_SENDING,
        Move.SENT,
        Move.REFUSE,
        Move.LOSE_TRACK,
        Move.WAIT,
        Move.HUSH,
        Move.AMEND,
        Move.WITHDRAW,
        Move.ERASE,
    }
)
"""What the thread tells; the rest is Heard talking to itself."""

_WITH_DETAIL: Final = frozenset(
    {
        Move.REJECT,
        Move.TAKE,
        Move.RELEASE,
        Move.PAUSE,
        Move.RESUME,
        Move.CLOSE,
        Move.ESCALATE,
        Move.RELABEL,
        Move.STOP_SENDING,
        Move.REFUSE,
        Move.LOSE_TRACK,
        Move.WAIT,
    }
)
"""The moves whose detail is words for people; of the others it is ids."""


def thread_line(case: Case, entry: TimelineEntry) -> Payload | None:
    """What the card's thread says of a line of the timeline; None where it says nothing."""
    if entry.what not in _TOLD:
        return None
    move = Move(entry.what)
    spoken = _spoken(case, entry, move)
    blocks = [section(f"{_sign(move)} {spoken}", f"line:{case.id}:{entry.version}")]
    said = _said(case, entry, move)
    if said:
        blocks.append(quote(said, f"said:{case.id}:{entry.version}"))
    metadata: Block = {
        "event_type": "case_line",
        "event_payload": {"case": case.id, "version": entry.version},
    }
    return Payload(f"{_short(case, entry, move)} Case {case.id}.", tuple(blocks), metadata)


def _spoken(case: Case, entry: TimelineEntry, move: Move) -> str:
    short = _short(case, entry, move)
    if move is Move.SNOOZE:
        return f"{short[:-1]}{_until(entry.detail)}."
    if move is Move.APPROVE and " of " in entry.detail:
        return f"{short[:-1]}: {esc(entry.detail.rpartition(', ')[2], 60)}."
    if move in _WITH_DETAIL and entry.detail:
        return f"{short[:-1]}: {esc(entry.detail, 300)}"
    return short


def _short(case: Case, entry: TimelineEntry, move: Move) -> str:
    if move is Move.JOIN:
        return f"{first_name(case)} wrote again."
    if move is Move.AMEND:
        return "The author edited a post, so it is judged anew."
    if move is Move.WITHDRAW:
        return "The author deleted a post, and its words are removed everywhere."
    if move is Move.REFUSE:
        return f"{platform_name(case.platform)} did not take the reply; nothing was published."
    return f"{esc(person(entry.by), 80)} {DONE[move]}."


def _until(detail: str) -> str:
    """What a snooze's detail says: "until 2026-11-03T12:30:00+00:00, past the promise first hour"."""
    instant, _, passes = detail.removeprefix("until ").partition(", ")
    try:
        until = datetime.fromisoformat(instant)
    except ValueError:
        return ""
    words = date(until, f"{until:%d %b %H:%M %Z}", "{date_short_pretty} {time}")
    return f" until {words}, {esc(passes, 200)}" if passes else f" until {words}"


def _said(case: Case, entry: TimelineEntry, move: Move) -> str:
    if move is Move.NOTE:
        return entry.detail
    if move is Move.JOIN:
        return next((mention.text for mention in case.mentions if mention.key == entry.detail), "")
    return ""


_SIGNS: Final = {
    Move.JOIN: "💬",
    Move.NOTE: "📝",
    Move.SENT: "✔",
    Move.POST_BY_HAND: "✔",
    Move.REFUSE: "✖",
    Move.STOP_SENDING: "✖",
    Move.WITHDRAW: "🗑",
    Move.ERASE: "🗑",
}


def _sign(move: Move) -> str:
    return _SIGNS.get(move, "·")
