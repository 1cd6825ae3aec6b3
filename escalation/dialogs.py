"""The dialogs behind the buttons that end in "…", and the only readers of what comes back from them.

Every dialog carries what its card showed (case, version, draft) and where the card is, so that what is
submitted decides about exactly that. What comes back is a stranger's JSON until a reader has read it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from casework.case import Case, due_next
from casework.classification import Intent, Sentiment, Urgency
from casework.decisions import LONGEST_NAME, Hard, Labels, way
from casework.reply import Way
from casework.sla import PromiseState
from casework.words import doubts_said, permission_words, platform_name, status_of, visible
from escalation.cards import Look, desk_address, due_words, full_name, labels_words, moment, percent, shown
from escalation.slack_payload import (
    INPUT,
    Block,
    Value,
    View,
    actions,
    alert,
    asks,
    button,
    choices,
    context,
    cut,
    esc,
    option,
    plain,
    quote,
    read_value,
    section,
    select,
    text_input,
    units,
    value_of,
    web,
)

LONGEST_REASON: Final = 500
LONGEST_METADATA: Final = 3_000

REJECT_REASONS: Final = {
    "facts": "The facts are wrong",
    "tone": "The tone is wrong",
    "policy": "Against our policy",
    "noreply": "It needs no reply",
    "irrelevant": "Not about us",
}
CLOSE_REASONS: Final = {
    "noreply": "It needs no reply",
    "irrelevant": "Not about us",
    "elsewhere": "Solved elsewhere",
    "spam": "Spam",
    "other": "Something else",
}


class Next(StrEnum):
    """What happens once a draft is rejected."""

    REDRAFT = "redraft"
    OWN = "own"
    CLOSE = "close"


_NEXTS: Final = {
    Next.REDRAFT: "Write another draft",
    Next.OWN: "I write it myself",
    Next.CLOSE: "Close without a reply",
}


# ── where a dialog came from ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Place:
    """Where the card is on which a dialog was opened; empty when it was opened elsewhere."""

    channel: str = ""
    ts: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a dialog is about, and where its card is."""

    value: Value
    place: Place


NOWHERE: Final = Place()


def metadata_of(case: Case, place: Place) -> str:
    """A dialog's private metadata."""
    fields = {"value": value_of(case), "ch": place.channel, "ts": place.ts}
    return json.dumps(fields, separators=(",", ":"))


def read_metadata(raw: object) -> Origin | None:
    """What `metadata_of` wrote; None for anything else."""
    if not isinstance(raw, str) or len(raw) > LONGEST_METADATA:
        return None
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, Mapping):
        return None
    value, channel, ts = read_value(fields.get("value")), fields.get("ch"), fields.get("ts")
    if value is None or not isinstance(channel, str) or not isinstance(ts, str):
        return None
    return Origin(value, Place(channel, ts))


# ── the dialogs ──────────────────────────────────────────────────────────────────────────────────


def edit(
    case: Case, look: Look, place: Place, *, objections: Sequence[str] = (), text: str | None = None
) -> View:
    """Where a reply is written. ``text`` is what was typed so far; else the draft is there to begin with.

    A text that Slack's box cannot hold is not offered in part: what was cut off would be lost unseen.
    """
    if text is None:
        text = case.draft.text if case.draft else ""
    seen: list[Block] = [quote(shown(case).text, "q"), _about(case, look)]
    if units(text) > INPUT:
        told = f"This reply is longer than Slack's box ({INPUT:,} characters). Edit it at the desk."
        return _view(
            "Edit reply", "edit.long", case, place, alert(told, "warn"), *seen, _at_the_desk(case, look)
        )
    used, limit = look.measure(case.platform, text)
    name = platform_name(case.platform)
    hint = f"{used:,} of {limit:,} characters as {name} counts. Counted again before anything is sent."
    box = text_input("text", lines=True, initial=text, placeholder="Write as a person")
    blocks = [*_warnings(objections), *seen, asks("Reply", "reply", box, hint=hint)]
    submit = "Send reply"
    if way(case) is Way.SEND and look.approvals(case) < 2:
        save = option("Only save it: a colleague approves it first", "review")
        blocks.append(asks("Options", "opts", choices("checkboxes", "o", [save]), optional=True))
    else:
        submit = "Save reply"
        review = "Who writes a reply does not approve it: others do." if way(case) is Way.SEND else ""
        told = review or permission_words(case.permission, case.platform)
        blocks.append(context("perm", plain(told, 500)))
    return _view("Edit reply", "edit.submit", case, place, *blocks, submit=submit, lock=True)


def reject(case: Case, place: Place) -> View:
    """Why the draft is wrong, for colleagues and for the next draft, and what happens now."""
    options = [option(words, value) for value, words in REJECT_REASONS.items()]
    nexts = [option(words, value) for value, words in _NEXTS.items()]
    return _view(
        "Reject the draft",
        "reject.submit",
        case,
        place,
        asks("What is wrong with it?", "reason", choices("radio_buttons", "r", options)),
        asks("Say more", "note", text_input("t", most=LONGEST_REASON, lines=True), optional=True),
        asks("What next?", "next", choices("radio_buttons", "n", nexts, nexts[0])),
        submit="Reject",
    )


def snooze(case: Case, look: Look, place: Place) -> View:
    """Until when the case rests. Its promises do not rest with it."""
    until = look.now.replace(second=0, microsecond=0) + timedelta(hours=1)
    picker: Block = {
        "type": "datetimepicker",
        "action_id": "at",
        "initial_date_time": int(until.timestamp()),
    }
    promise = due_next(case)
    told = "Nothing is owed in this case."
    if promise is not None:
        told = f"Promises do not rest: {esc(promise.name, 40)} is due {moment(promise.due_at, look)}."
    asked = asks("Until", "until", picker)
    return _view("Snooze", "snooze.submit", case, place, asked, context("due", told), submit="Snooze")


def relabel(case: Case, place: Place) -> View:
    """The labels that are right, in the place of the model's."""
    judged = case.classification
    return _view(
        "Wrong label",
        "relabel.submit",
        case,
        place,
        asks("What the customer wants", "intent", _labels("i", Intent, judged.intent if judged else None)),
        asks("Mood", "sentiment", _labels("s", Sentiment, judged.sentiment if judged else None)),
        asks("Urgency", "urgency", _labels("u", Urgency, judged.urgency if judged else None)),
        context("what", "The case is decided anew under these labels, and the draft goes."),
        submit="Correct",
    )


def close(case: Case, place: Place, *, reason: str = "noreply") -> View:
    """Why the case ends without (another) reply."""
    options = [option(words, value) for value, words in CLOSE_REASONS.items()]
    chosen = next((one for one in options if one["value"] == reason), options[0])
    return _view(
        "Close without a reply",
        "close.submit",
        case,
        place,
        asks("Why?", "reason", choices("radio_buttons", "r", options, chosen)),
        asks("Say more", "note", text_input("t", most=LONGEST_REASON, lines=True), optional=True),
        context("what", "What was promised in this case is no longer owed. The reason is kept."),
        submit="Close the case",
    )


def escalate(case: Case, place: Place, *, to: Sequence[str] = ("managers",)) -> View:
    """Who shall have the case, and why."""
    options = [option(cut(visible(who), LONGEST_NAME), who) for who in to if 0 < units(who) <= LONGEST_NAME]
    return _view(
        "Escalate",
        "escalate.submit",
        case,
        place,
        asks("To", "to", select("who", "Who?", options, options[0])),
        asks("Why?", "reason", text_input("t", most=LONGEST_REASON, lines=True)),
        submit="Hand it on",
    )


def note(case: Case, place: Place) -> View:
    """Words for colleagues."""
    asked = asks("Note for colleagues", "note", text_input("t", lines=True), hint="Never published.")
    return _view("Note", "note.submit", case, place, asked, submit="Save note")


def posted(case: Case, look: Look, place: Place) -> View:
    """What somebody posted on the platform themselves."""
    name, draft = platform_name(case.platform), case.draft.text if case.draft else ""
    box = text_input("text", lines=True, initial=draft if units(draft) <= INPUT else "")
    return _view(
        "I posted it",
        "posted.submit",
        case,
        place,
        asks(f"What you posted on {name}", "reply", box, hint="As it stands there, word by word."),
        _about(case, look),
        submit="I posted it",
    )


def assign(case: Case, place: Place) -> View:
    """Who shall have the case, of the people in Slack."""
    people: Block = {"type": "users_select", "action_id": "who", "placeholder": plain("Who?", 150)}
    asked = asks("Give the case to", "to", people)
    return _view("Assign", "assign.submit", case, place, asked, submit="Assign")


def explain(case: Case, look: Look, place: Place, *, rule_words: str = "") -> View:
    """Why the card is there: the labels and how sure, the rule as the brand wrote it, what was drawn on."""
    blocks = [section(labels_words(case.classification), "labels"), *_certainty(case)]
    if case.rule:
        blocks.append(section(f"*The rule that decided*  `{esc(case.rule, 60)}`", "rule"))
    if rule_words.strip():
        blocks.append(section(plain(rule_words), "rule-words"))
    if case.why:
        blocks.append(section(plain(cut(case.why, 1_000)), "why"))
    if case.draft is not None and case.draft.sources:
        cited = "\n".join(f"• {s.title} ({s.id})" for s in case.draft.sources)
        blocks += [section("*The draft is based on*", "sources"), section(plain(cited), "sources-words")]
    if case.rejections:
        told = "\n".join(f"• {reason}" for reason in case.rejections[-5:])
        blocks += [section("*Drafts were rejected*", "rejected"), section(plain(told), "rejected-words")]
    blocks += _promises(case, look)
    blocks.append(context("perm", plain(permission_words(case.permission, case.platform), 500)))
    if case.open:
        keep = button("Note…", "card.note", value_of(case), label="Leave a note for colleagues")
        end = button("Close…", "card.close", value_of(case), label="Close the case without a reply")
        give = button("Assign…", "card.assign", value_of(case), label="Give the case to somebody")
        blocks.append(actions("act", keep, give, end))
    return _view("Why this card?", "explain", case, place, *blocks)


def sending(case: Case, place: Place = NOWHERE) -> View:
    """What stands in a dialog between its submission and the outcome."""
    told = f"⏳ *Sending…*\nHeard is handing the reply to {platform_name(case.platform)}. You may close this."
    return _view("Sending…", "told", case, place, section(told, "told"))


def sent(case: Case, place: Place = NOWHERE) -> View:
    """The platform has the reply."""
    name, address = platform_name(case.platform), web(shown(case).url)
    blocks = [section(f"✔ *Sent*\nThe reply is on {name}.", "told")]
    if address:
        blocks.append(actions("act", button(f"View on {name}", "link.post", value_of(case), url=address)))
    return _view("Sent", "told", case, place, *blocks)


def done(title: str, words: str) -> View:
    """What became of a submission, in plain words."""
    return View("modal", (section(plain(words), "told"),), "told", cut(title, 24))


def failed(words: str, *, typed: str = "") -> View:
    """What went wrong, with the text that was typed still there to be copied."""
    blocks = [alert(words, "told", "error")]
    if units(words) > 200:
        blocks.append(section(plain(words), "words"))
    if typed.strip():
        blocks += [section("*What you wrote*", "yours"), quote(typed, "typed")]
    return View("modal", tuple(blocks), "told", "Not done")


def _view(
    title: str, callback: str, case: Case, place: Place, *blocks: Block, submit: str = "", lock: bool = False
) -> View:
    close = "Cancel" if submit else "Close"
    metadata = metadata_of(case, place)
    return View("modal", blocks, callback, title, submit, close, metadata, notify_on_close=lock)


def _about(case: Case, look: Look) -> Block:
    state = due_words(case, look) if case.open else status_of(case)
    return context("about", plain(full_name(case)), state)


def _warnings(objections: Sequence[str]) -> list[Block]:
    return [
        alert(words, f"warn{n}", "error" if isinstance(words, Hard) else "warning")
        for n, words in enumerate(objections[:3])
    ]


def _at_the_desk(case: Case, look: Look) -> Block:
    address = desk_address(case, look)
    if not address:
        return context("desk", f"Case {case.id}")
    return actions("desk", button("Open the desk", "link.desk", value_of(case), url=address))


def _labels(action_id: str, labels: type[StrEnum], now: StrEnum | None) -> Block:
    options = {label: option(str(label).capitalize(), label) for label in labels}
    return select(action_id, "Which?", list(options.values()), options[now] if now else None)


def _certainty(case: Case) -> list[Block]:
    judged = case.classification
    if judged is None:
        return []
    sure = judged.confidence
    told = (
        f"Sure of the intent to {percent(sure.intent)}, of the urgency to {percent(sure.urgency)}, "
        f"of the mood to {percent(sure.sentiment)}"
    )
    elements: list[str | Block] = [told, plain(f"Judged by {judged.model or 'nobody named'}", 200)]
    if judged.topics:
        elements.append(plain(f"Word rules found: {', '.join(judged.topics[:12])}", 300))
    if doubts := doubts_said(judged):
        elements.append(plain(f"Doubt: {doubts}", 200))
    if judged.truncated:
        elements.append("Only the beginning of the post was judged: it is longer than the model reads")
    return [context("sure", *elements)]


def _promises(case: Case, look: Look) -> list[Block]:
    told = []
    for promise in case.promises[:6]:
        name = esc(promise.name, 40)
        if promise.settled_at is None:
            told.append(f"*{name}*: due {moment(promise.due_at, look)}")
        else:
            told.append(f"*{name}*: {'kept' if promise.state is PromiseState.MET else 'not kept'}")
    return [section("\n".join(told), "promises")] if told else []


# ── what comes back ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Submitted:
    """What somebody filled in: of each dialog only the fields that it has.

    ``review`` asks that an edited reply is saved and not sent. ``to`` is a role's name, or of `assign`
    the id of a person in Slack.
    """

    text: str = ""
    reason: str = ""
    next: Next = Next.OWN
    until: datetime | None = None
    to: str = ""
    labels: Labels | None = None
    review: bool = False


class _Foreign(Exception):
    """The submission is none of this dialog."""


def read(callback_id: object, state: object) -> Submitted | None:
    """What was filled in, by the dialog's callback id; None for what no dialog of ours sends back.

    ``state`` is ``view.state`` of the `view_submission`.
    """
    reader = _READERS.get(callback_id) if isinstance(callback_id, str) else None
    if reader is None or not isinstance(state, Mapping):
        return None
    try:
        return reader(_Fields(state.get("values")))
    except _Foreign:
        return None


def edit_errors(objections: Sequence[str]) -> Block | None:
    """The answer that keeps the edit dialog open, with what refuses the text; None if nothing does."""
    hard = [words for words in objections if isinstance(words, Hard)]
    return errors("reply", " ".join(hard)) if hard else None


def errors(field: str, words: str) -> Block:
    """The answer that keeps a dialog open, with words beside one of its questions."""
    return {"response_action": "errors", "errors": {field: cut(visible(words), LONGEST_REASON)}}


_E = TypeVar("_E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The values of a submission, by block and action. Raises `_Foreign` where one is not as we asked it."""

    values: object

    def text(self, block: str, action: str, most: int, *, optional: bool = False) -> str:
        """Words that were typed. Slack's box held at most ``most`` of them."""
        written = self._answer(block, action).get("value")
        if written is None and optional:
            return ""
        if not isinstance(written, str) or units(written) > most or not (written.strip() or optional):
            raise _Foreign
        return written

    def chosen(self, block: str, action: str) -> str:
        """The value of the choice that was made."""
        return self._value(self._answer(block, action).get("selected_option"))

    def checked(self, block: str, action: str) -> set[str]:
        """The values of the boxes that were ticked."""
        ticked = self._answer(block, action).get("selected_options")
        if not isinstance(ticked, Sequence) or isinstance(ticked, str) or len(ticked) > 10:
            raise _Foreign
        return {self._value(one) for one in ticked}

    def instant(self, block: str, action: str) -> datetime:
        """The date and time that was picked."""
        picked = self._answer(block, action).get("selected_date_time")
        if type(picked) is not int:
            raise _Foreign
        try:
            return datetime.fromtimestamp(picked, UTC)
        except (ValueError, OverflowError, OSError):
            raise _Foreign from None

    def person(self, block: str, action: str) -> str:
        """The id of the person who was picked."""
        picked = self._answer(block, action).get("selected_user")
        if not isinstance(picked, str) or not re.fullmatch(r"[UW][A-Z0-9]{1,30}", picked):
            raise _Foreign
        return picked

    def label(self, block: str, action: str, labels: type[_E]) -> _E:
        """One of a closed set of words."""
        value = self.chosen(block, action)
        if value not in set(labels):
            raise _Foreign
        return labels(value)

    def has(self, block: str) -> bool:
        """Whether the dialog asked this at all."""
        return isinstance(self.values, Mapping) and block in self.values

    def _answer(self, block: str, action: str) -> Mapping[str, object]:
        asked = self.values.get(block) if isinstance(self.values, Mapping) else None
        answer = asked.get(action) if isinstance(asked, Mapping) else None
        if not isinstance(answer, Mapping):
            raise _Foreign
        return answer

    def _value(self, choice: object) -> str:
        value = choice.get("value") if isinstance(choice, Mapping) else None
        if not isinstance(value, str):
            raise _Foreign
        return value


def _read_edit(fields: _Fields) -> Submitted:
    review = "review" in fields.checked("opts", "o") if fields.has("opts") else True
    return Submitted(text=fields.text("reply", "text", INPUT), review=review)


def _read_reject(fields: _Fields) -> Submitted:
    return Submitted(reason=_reason(fields, REJECT_REASONS), next=fields.label("next", "n", Next))


def _read_close(fields: _Fields) -> Submitted:
    return Submitted(reason=_reason(fields, CLOSE_REASONS))


def _reason(fields: _Fields, reasons: Mapping[str, str]) -> str:
    chosen = fields.chosen("reason", "r")
    if chosen not in reasons:
        raise _Foreign
    more = fields.text("note", "t", LONGEST_REASON, optional=True).strip()
    return f"{reasons[chosen]}: {more}" if more else reasons[chosen]


def _read_snooze(fields: _Fields) -> Submitted:
    return Submitted(until=fields.instant("until", "at"))


def _read_relabel(fields: _Fields) -> Submitted:
    sentiment = fields.label("sentiment", "s", Sentiment)
    intent, urgency = fields.label("intent", "i", Intent), fields.label("urgency", "u", Urgency)
    return Submitted(labels=Labels(sentiment, intent, urgency))


def _read_escalate(fields: _Fields) -> Submitted:
    to = fields.chosen("to", "who")
    if not 0 < len(to) <= LONGEST_NAME or not to.isprintable():
        raise _Foreign
    return Submitted(to=to, reason=fields.text("reason", "t", LONGEST_REASON).strip())


def _read_note(fields: _Fields) -> Submitted:
    return Submitted(text=fields.text("note", "t", INPUT).strip())


def _read_posted(fields: _Fields) -> Submitted:
    return Submitted(text=fields.text("reply", "text", INPUT))


def _read_assign(fields: _Fields) -> Submitted:
    return Submitted(to=fields.person("to", "who"))


_READERS: Final[Mapping[str, Callable[[_Fields], Submitted]]] = {
    "edit.submit": _read_edit,
    "reject.submit": _read_reject,
    "snooze.submit": _read_snooze,
    "relabel.submit": _read_relabel,
    "close.submit": _read_close,
    "escalate.submit": _read_escalate,
    "note.submit": _read_note,
    "posted.submit": _read_posted,
    "assign.submit": _read_assign,
}
