"""Slack played in memory, for the desk's preview page: what Slack would show, from the same payloads.

Nothing here knows what Heard's buttons mean. Whoever presses what is on their screen has the very payload
sent that Slack would send, to the same listeners: a shift in the preview is a shift in Slack. It checks
what Slack checks where Heard would notice (triggers, hashes, deleted messages); pace it does not keep.
"""

import hashlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from casework.clock import Clock
from escalation.preview_parts import (
    TOLD_AS,
    Body,
    NotThere,
    action_of,
    element_at,
    not_sendable,
    state_of,
    with_ids,
)
from escalation.roles import Person, Role, Team
from escalation.slack_payload import Block, Payload, View
from escalation.slack_web import CASE_CARD, LINE, SKEW, Auth, Sent, Shown, refusal

Deliver: TypeAlias = Callable[[Body], Awaitable[Body | None]]
"""Hands one payload to the listeners; what they acknowledged it with, None where they did not."""

APP: Final = "A0HEARD"
BOT_USER: Final = "U0HEARD"
BOT: Final = "B0HEARD"
COMMAND: Final = "/heard"
TRIGGER_LIVES_S: Final = 3.0
MOST_MESSAGES: Final = 3_000
"""So many are kept, the oldest go: a preview that runs for days stays small."""
FACES: Final = 8
"""So many former faces of a message can still be pressed by somebody whose page is behind."""
LONGEST_COMMAND: Final = 500
TROUBLE: Final = "We had some trouble connecting. Try again?"
CHANGED: Final = "This changed while you looked at it, so nothing was pressed. Look again."


def through(app: AsyncApp) -> Deliver:
    """The listeners of a bolt app, reached as Socket Mode reaches them."""

    async def deliver(body: Body) -> Body | None:
        answer = await app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))
        if answer.status != 200:
            return None
        told = json.loads(answer.body) if answer.body else {}
        return told if isinstance(told, dict) else {}

    return deliver


async def _nobody(_body: Body) -> Body | None:
    return None


@dataclass(frozen=True, slots=True)
class _Channel:
    """A conversation; ``of`` is whose direct messages with the app it is."""

    id: str
    name: str
    of: str = ""


@dataclass(eq=False, slots=True)
class _Message:
    """A message, or a note that ``to`` alone sees; its former faces by the change that drew them."""

    channel: str
    ts: str
    text: str
    thread: str
    to: str
    metadata: Block | None
    faces: dict[int, list[Body]] = field(default_factory=dict)
    changed: int = 0
    gone: bool = False

    def as_json(self) -> Body:
        """As Slack puts it into a press."""
        told: Body = {
            "type": "message",
            "user": BOT_USER,
            "bot_id": BOT,
            "app_id": APP,
            "ts": self.ts,
            "text": self.text,
            "blocks": self.faces[self.changed],
        }
        if self.thread:
            told["thread_ts"] = self.thread
        return told

    def on_screen(self) -> Body:
        """As the page draws it."""
        return {
            "channel": self.channel,
            "ts": self.ts,
            "thread": self.thread,
            "text": self.text,
            "blocks": self.faces.get(self.changed, []),
            "shown": self.changed,
            "private": bool(self.to),
            "gone": self.gone,
        }


@dataclass(eq=False, slots=True)
class _View:
    """A dialog, or somebody's Home."""

    id: str
    body: Body
    hash: str
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def blocks(self) -> list[Body]:
        blocks: list[Body] = self.body["blocks"]
        return blocks

    def as_json(self, team: str, values: Body) -> Body:
        """As Slack puts it into a press."""
        return {
            "id": self.id,
            "team_id": team,
            "app_id": APP,
            "app_installed_team_id": team,
            "bot_id": BOT,
            "hash": self.hash,
            "root_view_id": self.id,
            "previous_view_id": None,
            "state": {"values": values},
            "callback_id": "",
            "external_id": "",
            "private_metadata": "",
            "clear_on_close": False,
            "notify_on_close": False,
            **self.body,
        }

    def on_screen(self) -> Body:
        """As the page draws it: the metadata stays here."""
        shown: Body = {name: self.body[name] for name in ("title", "submit", "close") if name in self.body}
        return {"id": self.id, "hash": self.hash, "errors": self.errors, "blocks": self.blocks, **shown}


class PreviewSlack:
    """A workspace in memory: what Heard calls (as of `slack_web.Web`), and what people see and do.

    ``channels`` are names or ids as brand.yaml has them. Whoever comes is a member with the role
    ``visitors``; ``colleagues`` are there from the beginning. ``now`` counts seconds, for triggers.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        channels: Sequence[str],
        visitors: Role = Role.MANAGER,
        colleagues: Mapping[str, Role] | None = None,
        workspace: str = "Preview",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.team_id: Final = "T0PREVIEW"
        self._clock = clock
        self._workspace = workspace
        self._visitors = visitors
        self._now = now
        self._deliver: Deliver = _nobody
        self._epoch = secrets.token_hex(4)
        self._changes = 0
        self._last_ts = 0
        self._people: dict[str, Person] = {}
        self._roles: dict[str, Role] = {}
        self._groups: dict[str, str] = {}
        self._messages: OrderedDict[tuple[str, str], _Message] = OrderedDict()
        self._dialogs: dict[str, _View] = {}
        self._homes: dict[str, _View] = {}
        self._triggers: OrderedDict[str, tuple[str, float]] = OrderedDict()
        made = (_Channel(_channel_id(name), _bare(name)) for name in channels)
        self._channels = {channel.id: channel for channel in made}
        for name, role in (colleagues or {}).items():
            self._enters(name, role)

    def listens(self, deliver: Deliver) -> None:
        """From now on what people do goes there (`through` a bolt app)."""
        self._deliver = deliver

    def team(self) -> Team:
        """Who may do what: everybody here, by their role."""
        held: dict[Role, set[str]] = {}
        for user, role in self._roles.items():
            held.setdefault(role, set()).add(user)
        return Team(self.team_id, {role: frozenset(users) for role, users in held.items()})

    # ── what Heard calls ─────────────────────────────────────────────────────────────────────────

    async def post(
        self, channel: str, payload: Payload, thread_ts: str = "", metadata: Block | None = None
    ) -> Sent:
        """A new message, to a channel or a person."""
        where = self._place("chat.postMessage", channel)
        message = self._put(where, payload.text, thread_ts, metadata=metadata or payload.metadata)
        self._draw(message, payload.blocks)
        return Sent(message.ts, where)

    async def update(self, channel: str, ts: str, payload: Payload) -> Sent:
        """Another face for a message."""
        message = self._message("chat.update", channel, ts)
        message.text = payload.text
        self._draw(message, payload.blocks)
        return Sent(ts, channel)

    async def delete(self, channel: str, ts: str) -> None:
        """Take a message away."""
        message = self._message("chat.delete", channel, ts)
        message.gone, message.text = True, ""
        message.faces.clear()
        message.changed = self._change()

    async def ephemeral(self, channel: str, user: str, text: str, thread_ts: str = "") -> None:
        """Something that one person alone sees."""
        if user not in self._people:
            raise refusal("chat.postEphemeral", "user_not_in_channel")
        where = self._place("chat.postEphemeral", channel)
        self._draw(self._put(where, text, thread_ts, to=user), ())

    async def open_view(self, trigger: str, view: View) -> Shown:
        """A dialog for whoever pressed, in the place of the one they have open."""
        user, until = self._triggers.get(trigger, ("", 0.0))
        if not user:
            raise refusal("views.open", "invalid_trigger_id")
        if not until:
            raise refusal("views.open", "exchanged_trigger_id")
        if self._now() > until:
            raise refusal("views.open", "expired_trigger_id")
        self._triggers[trigger] = (user, 0.0)
        return self._shown(self._dialogs, user, _View(_random("V"), _body(view), ""))

    async def update_view(self, view_id: str, view: View, view_hash: str = "") -> Shown:
        """Another face for a dialog; with its hash, only if nobody changed it since."""
        for user, there in self._dialogs.items():
            if there.id == view_id:
                if view_hash and view_hash != there.hash:
                    raise refusal("views.update", "hash_conflict")
                return self._shown(self._dialogs, user, _View(view_id, _body(view), ""))
        raise refusal("views.update", "not_found")

    async def publish_home(self, user: str, view: View, view_hash: str = "") -> Shown:
        """Somebody's App Home."""
        if user not in self._people:
            raise refusal("views.publish", "user_not_found")
        there = self._homes.get(user)
        if view_hash and there is not None and view_hash != there.hash:
            raise refusal("views.publish", "hash_conflict")
        return self._shown(self._homes, user, _View(there.id if there else _random("V"), _body(view), ""))

    async def find_card(self, channel: str, case_id: str, oldest: datetime) -> str | None:
        """A case's newest card that was posted since."""
        return self._find(channel, CASE_CARD, "case", case_id, oldest, "")

    async def find_line(self, channel: str, key: str, oldest: datetime, thread_ts: str = "") -> str | None:
        """Any other message that was posted since, by its key."""
        return self._find(channel, LINE, "key", key, oldest, thread_ts)

    async def auth(self) -> Auth:
        """Who we are."""
        return Auth(self._workspace, self.team_id, BOT, BOT_USER, frozenset({"chat:write"}))

    async def check_auth(self) -> Auth:
        """Who we are, asked now."""
        return await self.auth()

    async def person(self, user_id: str) -> Person:
        """Somebody who is here."""
        person = self._people.get(user_id)
        if person is None:
            raise refusal("users.info", "user_not_found")
        return person

    async def channel_id(self, name: str) -> str:
        """The id of a ``#channel`` or of an ``@person``; ids pass through."""
        if name.strip().startswith("@"):
            wanted = _bare(name)
            for person in self._people.values():
                if wanted in (person.name.lower(), _handle(person)):
                    return person.id
            raise refusal("users.list", "user_not_found")
        found = _channel_id(name)
        if found not in self._channels and found == name.strip():
            return found
        if found not in self._channels:
            raise refusal("conversations.list", "channel_not_found")
        return found

    async def group_id(self, handle: str) -> str:
        """The id of a user group: any that is named is there."""
        bare = handle.strip().lstrip("@")
        if bare in self._groups:
            return bare
        made = f"S{_digits(bare.lower())}"
        self._groups[made] = bare
        return made

    async def group_members(self, group: str) -> frozenset[str]:
        """Everybody here is in every group."""
        await self.group_id(group)
        return frozenset(self._people)

    async def close(self) -> None:
        """Nothing is open."""

    # ── what people see ──────────────────────────────────────────────────────────────────────────

    def sees(self, name: str, since: str = "") -> Body:
        """What is on somebody's screen, as JSON values.

        ``since`` is the ``mark`` of what they have: only what changed after it is told; with ``fresh``,
        everything is.
        """
        me = self._enters(name)
        after = self._read_mark(since)
        told: Body = {"mark": f"{self._epoch}-{self._changes}", "fresh": after == 0}
        if after == self._changes:
            return told
        channels = [*self._channels.values(), _dm(me)]
        visible = {channel.id for channel in channels}
        home, dialog = self._homes.get(me.id), self._dialogs.get(me.id)
        return told | {
            "workspace": self._workspace,
            "you": {"id": me.id, "name": me.name, "role": self._roles[me.id].key},
            "people": [{"id": person.id, "name": person.name} for person in self._people.values()],
            "groups": self._groups,
            "channels": [{"id": one.id, "name": one.name, "app": bool(one.of)} for one in channels],
            "home": home.on_screen() if home else None,
            "dialog": dialog.on_screen() if dialog else None,
            "messages": [
                message.on_screen()
                for message in self._messages.values()
                if message.changed > after and message.channel in visible and message.to in ("", me.id)
            ],
        }

    def _read_mark(self, mark: str) -> int:
        epoch, _, number = mark.partition("-")
        known = epoch == self._epoch and number.isascii() and number.isdigit() and len(number) < 16
        return min(int(number), self._changes) if known else 0

    # ── what people do ───────────────────────────────────────────────────────────────────────────

    async def press(self, name: str, did: Mapping[str, object]) -> Body:
        """Somebody does something; ``problem`` says why nothing came of it.

        ``kind`` is one of:
        press (``channel``, ``ts``, ``shown`` of a message, or ``view``, ``hash``; ``block``, ``element``,
        ``value``, ``typed``), submit and close (``view``, ``hash``, ``typed``: value by action id by block
        id), command (``channel``, ``text``), home.
        """
        me = self._enters(name)
        does = {
            "press": self._presses,
            "submit": self._submits,
            "close": self._closes,
            "command": self._commands,
            "home": self._opens_home,
        }.get(_word(did, "kind"))
        try:
            if does is None:
                raise NotThere("The preview does not know how to do that.")
            await does(me, did)
        except NotThere as why:
            return {"problem": str(why)}
        return {}

    async def _presses(self, me: Person, did: Mapping[str, object]) -> None:
        seen = self._view_of(me, did) if "view" in did else self._message_of(me, did)
        blocks = seen.blocks if isinstance(seen, _View) else _face(seen, did.get("shown"))
        block, value = _word(did, "block"), did.get("value")
        element = element_at(blocks, block, _word(did, "element"))
        action = action_of(block, element, value, self._people) | {"action_ts": self._next_ts()}
        given = did.get("typed")
        typed = {**given} if isinstance(given, Mapping) else {}
        if element["type"] in TOLD_AS:
            typed[block] = {element["action_id"]: value}
        values = state_of(blocks, typed, self._people)
        where = self._in_view(seen, values) if isinstance(seen, _View) else self._on_message(seen)
        pressed = {"trigger_id": self._trigger(me), "state": {"values": values}, "actions": [action]}
        await self._tell({"type": "block_actions", **self._by(me), **pressed, **where})

    async def _submits(self, me: Person, did: Mapping[str, object]) -> None:
        view = self._dialog_of(me, did)
        values = state_of(view.blocks, did.get("typed"), self._people)
        view.errors = not_sendable(view.blocks, values)
        self._change()
        if view.errors:
            return
        sent = {
            "type": "view_submission",
            **self._by(me),
            "trigger_id": self._trigger(me),
            "view": view.as_json(self.team_id, values),
            "response_urls": [],
        }
        answer = await self._tell(sent)
        # What was drawn meanwhile, by the worker, is newer than this answer.
        if self._dialogs.get(me.id) is view:
            self._obey(me, view, answer)

    def _obey(self, me: Person, view: _View, answer: Body) -> None:
        """``response_action``: what shall become of the dialog."""
        does, drawn = answer.get("response_action"), answer.get("view")
        if does == "errors":
            view.errors = {str(block): str(words) for block, words in answer.get("errors", {}).items()}
            self._change()
        elif does in ("update", "push") and isinstance(drawn, Mapping):
            same = view.id if does == "update" else _random("V")
            body = {**drawn, "blocks": with_ids(drawn.get("blocks", []))}
            self._shown(self._dialogs, me.id, _View(same, body, ""))
        else:
            self._leaves(me)

    async def _closes(self, me: Person, did: Mapping[str, object]) -> None:
        view = self._dialogs.get(me.id)
        if view is None or view.id != _word(did, "view"):
            return
        self._leaves(me)
        if view.body.get("notify_on_close"):
            values = state_of(view.blocks, did.get("typed"), self._people)
            told = {"view": view.as_json(self.team_id, values), "is_cleared": False}
            await self._tell({"type": "view_closed", **self._by(me), **told})

    def _leaves(self, me: Person) -> None:
        self._dialogs.pop(me.id, None)
        self._change()

    async def _commands(self, me: Person, did: Mapping[str, object]) -> None:
        channel = self._channel_of(me, _word(did, "channel"))
        body = {
            "token": "preview",
            "team_id": self.team_id,
            "team_domain": "preview",
            "channel_id": channel.id,
            "channel_name": "directmessage" if channel.of else channel.name,
            "user_id": me.id,
            "user_name": _handle(me),
            "command": COMMAND,
            "text": _word(did, "text").strip()[:LONGEST_COMMAND],
            "api_app_id": APP,
            "is_enterprise_install": "false",
            "trigger_id": self._trigger(me),
        }
        words = (await self._tell(body)).get("text")
        if isinstance(words, str) and words:
            self._draw(self._put(channel.id, words, "", to=me.id), ())

    async def _opens_home(self, me: Person, _did: Mapping[str, object]) -> None:
        there = self._homes.get(me.id)
        event: Body = {
            "type": "app_home_opened",
            "user": me.id,
            "channel": _dm(me).id,
            "tab": "home",
            "event_ts": self._next_ts(),
        }
        if there is not None:
            event["view"] = there.as_json(self.team_id, {})
        await self._tell(
            {
                "type": "event_callback",
                "token": "preview",
                "team_id": self.team_id,
                "api_app_id": APP,
                "event": event,
                "event_id": _random("Ev"),
                "event_time": int(self._clock.now().timestamp()),
            }
        )

    async def _tell(self, body: Body) -> Body:
        answer = await self._deliver(body)
        if answer is None:
            raise NotThere(TROUBLE)
        return answer

    def _by(self, me: Person) -> Body:
        handle = _handle(me)
        return {
            "user": {"id": me.id, "username": handle, "name": handle, "team_id": self.team_id},
            "api_app_id": APP,
            "token": "preview",
            "team": {"id": self.team_id, "domain": "preview"},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _in_view(self, view: _View, values: Body) -> Body:
        container = {"type": "view", "view_id": view.id}
        return {"container": container, "view": view.as_json(self.team_id, values)}

    def _on_message(self, message: _Message) -> Body:
        channel = self._channels.get(message.channel)
        container: Body = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": False,
        }
        if message.thread:
            container["thread_ts"] = message.thread
        named = {"id": message.channel, "name": channel.name if channel else "directmessage"}
        return {"container": container, "channel": named, "message": message.as_json()}

    # ── who and what is there ────────────────────────────────────────────────────────────────────

    def _enters(self, name: str, role: Role | None = None) -> Person:
        user = f"U{_digits(name)}"
        if user not in self._people:
            self._people[user] = Person(user, name, self.team_id)
            self._roles[user] = self._visitors if role is None else role
            self._change()
        return self._people[user]

    def _channel_of(self, me: Person, channel: str) -> _Channel:
        dm = _dm(me)
        if channel == dm.id:
            return dm
        if channel not in self._channels:
            raise NotThere("There is no such channel here.")
        return self._channels[channel]

    def _message_of(self, me: Person, did: Mapping[str, object]) -> _Message:
        channel = self._channel_of(me, _word(did, "channel"))
        message = self._messages.get((channel.id, _word(did, "ts")))
        if message is None or message.gone or message.to not in ("", me.id):
            raise NotThere("That message is not there any more.")
        return message

    def _view_of(self, me: Person, did: Mapping[str, object]) -> _View:
        for view in (self._dialogs.get(me.id), self._homes.get(me.id)):
            if view is not None and view.id == did.get("view"):
                if view.hash != did.get("hash"):
                    raise NotThere(CHANGED)
                return view
        raise NotThere("That dialog is closed.")

    def _dialog_of(self, me: Person, did: Mapping[str, object]) -> _View:
        view = self._view_of(me, did)
        if view is not self._dialogs.get(me.id) or "submit" not in view.body:
            raise NotThere("That dialog has nothing to send.")
        return view

    def _place(self, method: str, channel: str) -> str:
        """The channel that is meant; somebody's id means their direct messages."""
        people = {channel, f"U{channel[1:]}"} & self._people.keys()
        if people and channel[:1] in ("U", "D"):
            return f"D{channel[1:]}"
        if channel not in self._channels:
            raise refusal(method, "channel_not_found")
        return channel

    def _message(self, method: str, channel: str, ts: str) -> _Message:
        message = self._messages.get((channel, ts))
        if message is None or message.gone or message.to:
            raise refusal(method, "message_not_found")
        return message

    def _find(
        self, channel: str, kind: str, name: str, value: str, oldest: datetime, thread: str
    ) -> str | None:
        since = f"{(oldest - SKEW).timestamp():.6f}"
        found = [
            message.ts
            for message in self._messages.values()
            if (message.channel, message.thread) == (channel, thread)
            and message.ts >= since
            and not message.gone
            and _said(message.metadata, kind).get(name) == value
        ]
        return max(found, default=None)

    # ── drawing ──────────────────────────────────────────────────────────────────────────────────

    def _change(self) -> int:
        self._changes += 1
        return self._changes

    def _put(
        self, channel: str, text: str, thread: str, *, to: str = "", metadata: Block | None = None
    ) -> _Message:
        message = _Message(channel, self._next_ts(), text, thread, to, metadata)
        self._messages[channel, message.ts] = message
        while len(self._messages) > MOST_MESSAGES:
            self._messages.popitem(last=False)
        return message

    def _draw(self, message: _Message, blocks: Sequence[Block]) -> None:
        message.changed = self._change()
        message.faces[message.changed] = with_ids(blocks)
        for old in list(message.faces)[:-FACES]:
            del message.faces[old]

    def _shown(self, views: dict[str, _View], user: str, view: _View) -> Shown:
        view.hash = f"{self._change()}.{secrets.token_hex(3)}"
        views[user] = view
        return Shown(view.id, view.hash)

    def _trigger(self, me: Person) -> str:
        trigger = _random("t")
        self._triggers[trigger] = (me.id, self._now() + TRIGGER_LIVES_S)
        while len(self._triggers) > 200:
            self._triggers.popitem(last=False)
        return trigger

    def _next_ts(self) -> str:
        """Slack's way of naming an instant, each once."""
        micros = self._clock.now() - datetime.fromtimestamp(0, tz=self._clock.now().tzinfo)
        self._last_ts = max(self._last_ts + 1, micros // timedelta(microseconds=1))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"


def _face(message: _Message, shown: object) -> list[Body]:
    face = message.faces.get(shown) if type(shown) is int else None
    if face is None:
        raise NotThere(CHANGED)
    return face


def _body(view: View) -> Body:
    return {**view.as_json(), "blocks": with_ids(view.blocks)}


def _dm(person: Person) -> _Channel:
    return _Channel(f"D{person.id[1:]}", "heard", of=person.id)


def _handle(person: Person) -> str:
    return ".".join(person.name.lower().split())[:80]


def _bare(name: str) -> str:
    return name.strip().lstrip("#@").lower()


def _channel_id(name: str) -> str:
    """The id of a channel by its name; an id stays what it is."""
    given = name.strip()
    if given[:1] in ("C", "G", "D", "U") and given.isascii() and given.isalnum() and given.isupper():
        return given
    return f"C{_digits(_bare(name))}"


def _digits(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10].upper()


def _random(kind: str) -> str:
    return f"{kind}{secrets.token_hex(6).upper()}"


def _word(did: Mapping[str, object], name: str) -> str:
    value = did.get(name)
    return value if isinstance(value, str) else ""


def _said(metadata: Block | None, kind: str) -> Mapping[str, Any]:
    told = metadata.get("event_payload") if metadata and metadata.get("event_type") == kind else None
    return told if isinstance(told, Mapping) else {}
