"""A press: what somebody in Slack clicked, sent or typed, read from Slack's payload into a plain value.

Anybody's payload may come: of an older Heard, of another app, of a workspace that was set up anew. What
cannot be read becomes `NotOurs`, with an answer for whoever pressed; reading never raises.
Shapes: docs.slack.dev/reference/interaction-payloads, read in July 2026.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec

from casework.decisions import Labels
from escalation import dialogs
from escalation.slack_payload import Value, read_value

Kind: TypeAlias = Literal["button", "view", "command", "shortcut", "event"]

COMMAND: Final = "/heard"
LONGEST_TEXT: Final = 20_000
LONGEST_WORD: Final = 200
LONGEST_VALUE: Final = 2_000
_CHOICE: Final = re.compile(r"[a-z-]{1,40}")
OLD: Final = "This button belongs to no card that Heard knows, so your click did nothing. Open the case anew."
UNREADABLE: Final = (
    "Heard could not read what Slack sent, so nothing was done. Try it again from a fresh card."
)


@dataclass(frozen=True, slots=True)
class Press:
    """One press. ``draft`` are the first 16 hex digits of the sha256 of the text that was shown.

    ``id`` is the same however often Slack delivers it. ``view`` is the dialog that it was sent from,
    ``then`` what shall follow (of a dialog), ``pressed_at`` when it came here.
    """

    id: str
    kind: Kind
    action: str
    by: str
    pressed_at: datetime
    name: str = ""
    team: str = ""
    channel: str = ""
    ts: str = ""
    thread_ts: str = ""
    view: str = ""
    case: str = ""
    version: int = 0
    draft: str = ""
    text: str = ""
    reason: str = ""
    until: datetime | None = None
    to: str = ""
    labels: Labels | None = None
    then: str = ""

    def to_bytes(self) -> bytes:
        """As it lies in the box."""
        return msgspec.json.encode(self)


@dataclass(frozen=True, slots=True)
class NotOurs:
    """A payload that is no press of ours: ``words`` answer it, to ``by`` in ``channel``, where known."""

    words: str
    by: str = ""
    channel: str = ""
    thread_ts: str = ""


def from_bytes(body: bytes) -> Press:
    """A press out of the box.

    Raises:
        ValueError: these bytes are none (an older or newer Heard wrote them).
    """
    try:
        return msgspec.json.decode(body, type=Press)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def read_press(body: Mapping[str, object], now: datetime | None = None) -> Press | NotOurs:
    """What Slack's payload says, or why it is nothing of ours. ``now`` is when it came."""
    try:
        return _read(body, now or datetime.now(UTC))
    # The one place where anything may come from outside in any shape: a listener must always answer.
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OverflowError):
        return NotOurs(UNREADABLE, by=_who(body)[0])


def _read(body: Mapping[str, object], now: datetime) -> Press | NotOurs:
    kind = body.get("type")
    if kind == "block_actions":
        return _button(body, now)
    if kind in ("view_submission", "view_closed"):
        return _view(body, now, closed=kind == "view_closed")
    if kind in ("shortcut", "message_action"):
        return _shortcut(body, now)
    if kind == "event_callback":
        return _event(body, now)
    if isinstance(body.get("command"), str):
        return _command(body, now)
    by, _, _ = _who(body)
    return NotOurs(UNREADABLE, by=by)


# ── the five kinds ───────────────────────────────────────────────────────────────────────────────


def _button(body: Mapping[str, object], now: datetime) -> Press | NotOurs:
    by, name, team = _who(body)
    action = _map(_list(body.get("actions"))[0])
    action_id, raw = _word(action.get("action_id")), _chosen(action)
    where = _where(body)
    if not action_id or not by:
        return NotOurs(OLD, by=by, channel=where.channel, thread_ts=where.thread_ts)
    value = read_value(raw)
    if value is None and _needs_case(action_id):
        return NotOurs(OLD, by=by, channel=where.channel, thread_ts=where.thread_ts)
    # Which choice of a menu was made is part of the action's name, as in "card.more.redraft".
    choice = value.action if value else raw if action.get("selected_option") else ""
    if _CHOICE.fullmatch(choice):
        action_id = f"{action_id}.{choice}"
    found = value or Value("")
    return Press(
        id=_name("button", by, _word(action.get("action_ts")), where.message, action_id, raw),
        kind="button",
        action=action_id,
        by=by,
        name=name,
        team=team,
        channel=where.channel,
        ts=where.ts,
        thread_ts=where.thread_ts,
        view=where.view,
        case=found.case,
        version=found.version,
        draft=found.draft,
        text="" if value else raw[:LONGEST_VALUE],
        pressed_at=now,
    )


def _view(body: Mapping[str, object], now: datetime, *, closed: bool) -> Press | NotOurs:
    by, name, team = _who(body)
    view = _map(body.get("view"))
    callback, state = _word(view.get("callback_id")), view.get("state")
    origin = dialogs.read_metadata(view.get("private_metadata"))
    given = dialogs.Submitted() if closed else dialogs.read(callback, state)
    if not callback or not by or origin is None or given is None:
        return NotOurs(OLD, by=by)
    action = f"{callback.removesuffix('.submit')}.closed" if closed else callback
    asked = _map(state).get("values")
    return Press(
        # What was filled in belongs to it: after a refusal the same dialog is sent again.
        id=_name("view", by, _word(view.get("id")), _word(view.get("hash")), action, json.dumps(asked)),
        kind="view",
        action=action,
        by=by,
        name=name,
        team=team,
        channel=origin.place.channel,
        ts=origin.place.ts,
        view=_word(view.get("id")),
        case=origin.value.case,
        version=origin.value.version,
        draft=origin.value.draft,
        # Slack's apps send line ends as they come: a reply and its fingerprint have LF.
        text=given.text.replace("\r\n", "\n"),
        reason=given.reason,
        until=given.until,
        to=given.to,
        labels=given.labels,
        then="review" if given.review else given.next,
        pressed_at=now,
    )


def _shortcut(body: Mapping[str, object], now: datetime) -> Press | NotOurs:
    by, name, team = _who(body)
    callback, message = _word(body.get("callback_id")), _map(body.get("message"))
    where = _where(body)
    if not callback or not by:
        return NotOurs(OLD, by=by, channel=where.channel)
    return Press(
        id=_name("shortcut", by, _word(body.get("action_ts")), _word(body.get("trigger_id")), callback, ""),
        kind="shortcut",
        action=callback,
        by=by,
        name=name,
        team=team,
        channel=where.channel,
        thread_ts=where.thread_ts,
        text=_long(message.get("text")),
        pressed_at=now,
    )


def _command(body: Mapping[str, object], now: datetime) -> Press | NotOurs:
    by, text = _word(body.get("user_id")), _long(body.get("text"))
    if not by:
        return NotOurs(UNREADABLE)
    command = _word(body.get("command"))
    return Press(
        id=_name("command", by, _word(body.get("trigger_id")), "", command, text),
        kind="command",
        action=command,
        by=by,
        name=_word(body.get("user_name")),
        team=_word(body.get("team_id")),
        channel=_word(body.get("channel_id")),
        text=text,
        pressed_at=now,
    )


def _event(body: Mapping[str, object], now: datetime) -> Press | NotOurs:
    event = _map(body.get("event"))
    kind, by = _word(event.get("type")), _word(event.get("user"))
    if not kind:
        return NotOurs(UNREADABLE)
    return Press(
        id=_name("event", by, _word(body.get("event_id")), _word(event.get("event_ts")), kind, ""),
        kind="event",
        action=kind,
        by=by,
        team=_word(body.get("team_id")),
        channel=_word(event.get("channel")),
        then=_word(event.get("tab")),
        pressed_at=now,
    )


# ── parts of a payload ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Where:
    """Where something was pressed, as far as Slack says."""

    channel: str = ""
    ts: str = ""
    thread_ts: str = ""
    view: str = ""

    @property
    def message(self) -> str:
        return f"{self.channel}/{self.ts}/{self.view}"


def _where(body: Mapping[str, object]) -> _Where:
    container, view = _map(body.get("container")), _map(body.get("view"))
    channel = _word(_map(body.get("channel")).get("id")) or _word(container.get("channel_id"))
    ts = _word(container.get("message_ts")) or _word(body.get("message_ts"))
    # An answer stands in the thread of the card; where the card is in none, the channel is its place.
    thread = _word(container.get("thread_ts")) or _word(_map(body.get("message")).get("thread_ts"))
    return _Where(channel, ts, thread, _word(view.get("id")) or _word(container.get("view_id")))


def _who(body: Mapping[str, object]) -> tuple[str, str, str]:
    """Who pressed: user id, handle, and their own workspace."""
    user = _map(body.get("user")) if isinstance(body, Mapping) else {}
    team = _word(user.get("team_id")) or (_word(_map(body.get("team")).get("id")) if user else "")
    return _word(user.get("id")), _word(user.get("name")) or _word(user.get("username")), team


def _chosen(action: Mapping[str, Any]) -> str:
    """What an element says: a button's value, or that of the choice that was made."""
    option = _map(action.get("selected_option"))
    found = option.get("value") if option else action.get("value")
    return found if isinstance(found, str) else ""


def _needs_case(action_id: str) -> bool:
    """Whether a press is meaningless without the case that its value names."""
    return action_id.startswith(("card.", "lease.")) or action_id in ("breach.row", "home.open")


def _name(kind: Kind, by: str, *parts: str) -> str:
    """The press's id: Slack's retries have another envelope, and the same of all this."""
    told = json.dumps([kind, by, *parts])
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:32]


def _map(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _list(raw: object) -> Sequence[Any]:
    return raw if isinstance(raw, list) and raw else [{}]


def _word(raw: object) -> str:
    """An id or a short word; nothing else is one."""
    return raw if isinstance(raw, str) and len(raw) <= LONGEST_WORD and raw.isprintable() else ""


def _long(raw: object) -> str:
    return raw[:LONGEST_TEXT] if isinstance(raw, str) else ""
