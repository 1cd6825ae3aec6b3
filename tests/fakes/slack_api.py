"""Slack's Web API, method by method (docs.slack.dev/reference/methods), and how often each may be called."""

from collections import deque
from collections.abc import Callable

from tests.fakes.slack_blocks import Json
from tests.fakes.slack_people import Person
from tests.fakes.slack_socket import SocketMode
from tests.fakes.slack_things import (
    APP,
    BOT,
    BOT_USER,
    DOMAIN,
    TEAM,
    Channel,
    Ephemeral,
    Message,
    Version,
    View,
)
from tests.fakes.slack_wire import Refusal, has, in_time, is_ts, metadata_of, page, slow_down
from tests.fakes.slack_workspace import ResponseUrl, Trigger, Workspace

MINUTE_S = 60.0
TRIGGER_LIVES_S = 3.0
MOST_TEXT = 40_000
MOST_UPDATED_TEXT = 4_000
MOST_VIEWS = 3
RESPONSES_PER_URL = 5
NOT_SHOWN = "This content can't be displayed."
# Calls a minute of each method: Slack's tiers 2, 3 and 4 (docs.slack.dev/apis/web-api/rate-limits).
PER_MINUTE = {
    "chat.update": 50,
    "chat.delete": 50,
    "chat.postEphemeral": 100,
    "views.open": 100,
    "views.update": 100,
    "views.push": 100,
    "views.publish": 100,
    "users.info": 100,
    "users.list": 20,
    "usergroups.list": 20,
    "usergroups.users.list": 20,
    "conversations.list": 20,
    "conversations.info": 50,
    "conversations.members": 100,
    "conversations.history": 50,
    "conversations.replies": 50,
    "conversations.open": 50,
    "reactions.add": 50,
}
SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write",
    "users.info": "users:read",
    "users.list": "users:read",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
    "conversations.list": "channels:read",
    "conversations.info": "channels:read",
    "conversations.members": "channels:read",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.open": "im:write",
    "reactions.add": "reactions:write",
}
ALL_SCOPES = frozenset(SCOPES.values()) | {"commands", "channels:join", "groups:read", "files:write"}


class Limits:
    """How often Slack answers; ``post_every_s`` None: as many posts as anybody likes."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.post_every_s: float | None = 1.0
        self.per_minute: dict[str, int] = dict(PER_MINUTE)
        self._now = now
        self._post_free_at: dict[str, float] = {}
        self._recent: dict[str, deque[float]] = {}

    def spend(self, method: str) -> None:
        """One call more of a method in this minute."""
        at, allowed = self._now(), self.per_minute.get(method)
        if allowed is None:
            return
        recent = self._recent.setdefault(method, deque())
        while recent and recent[0] <= at - MINUTE_S:
            recent.popleft()
        if len(recent) >= allowed:
            raise slow_down(recent[0] + MINUTE_S - at)
        recent.append(at)

    def spend_post(self, channel: str) -> None:
        """A post a second, counted so that a pacer's jitter of a tenth is forgiven and never adds up."""
        if self.post_every_s is None:
            return
        now, free_at = self._now(), self._post_free_at.get(channel, 0.0)
        if now < free_at - self.post_every_s / 10:
            raise slow_down(free_at - now)
        self._post_free_at[channel] = max(now, free_at) + self.post_every_s


class WebApi:
    """What each method does."""

    def __init__(self, space: Workspace, socket: SocketMode, limits: Limits) -> None:
        self._space = space
        self._socket = socket
        self._limits = limits

    def methods(self) -> dict[str, Callable[[Json], Json]]:
        """Every method by its name; each takes arguments and gives what follows ``"ok": true``."""
        return {
            "auth.test": self._auth_test,
            "apps.connections.open": self._connections_open,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.postEphemeral": self._post_ephemeral,
            "views.open": self._views_open,
            "views.push": self._views_push,
            "views.update": self._views_update,
            "views.publish": self._views_publish,
            "users.info": self._users_info,
            "users.list": self._users_list,
            "usergroups.list": self._usergroups_list,
            "usergroups.users.list": self._usergroup_users,
            "conversations.list": self._conversations_list,
            "conversations.info": lambda given: {"channel": self._known_channel(given).as_json()},
            "conversations.members": self._conversations_members,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.open": self._conversations_open,
            "reactions.add": self._reactions_add,
        }

    def _auth_test(self, _: Json) -> Json:
        return {
            "url": f"https://{DOMAIN}.slack.com/",
            "team": "Aurora Air",
            "user": "heard",
            "team_id": TEAM,
            "user_id": BOT_USER,
            "bot_id": BOT,
            "is_enterprise_install": False,
        }

    def _connections_open(self, _: Json) -> Json:
        origin = self._space.origin.replace("http", "ws", 1)
        return {"url": f"{origin}/link/?ticket={self._socket.ticket()}&app_id={APP}"}

    # ── messages ─────────────────────────────────────────────────────────────────────────────────

    def _known_channel(self, given: Json) -> Channel:
        """The channel that is meant; the app knows nothing of private ones that it is not in."""
        named = str(given.get("channel", ""))
        if named in self._space.people:
            return self._space.dm_with(named)
        channel = self._space.channels.get(named) or next(
            (each for each in self._space.channels.values() if f"#{each.name}" == named), None
        )
        if channel is None or (channel.private and BOT_USER not in channel.members):
            raise Refusal("channel_not_found")
        return channel

    def _open_channel(self, given: Json) -> Channel:
        """A channel in which the app may speak."""
        channel = self._known_channel(given)
        if channel.archived:
            raise Refusal("is_archived")
        if BOT_USER not in channel.members:
            raise Refusal("not_in_channel")
        return channel

    def _content(self, given: Json, most_text: int) -> tuple[str, list[Json]]:
        """Text and blocks that Slack would show."""
        text, blocks = str(given.get("text") or ""), given.get("blocks") or []
        if not text and not blocks:
            raise Refusal("no_text")
        if len(text) > most_text:
            raise Refusal("msg_too_long")
        self._space.check_blocks(blocks, "message")
        return text or NOT_SHOWN, self._space.with_ids(blocks)

    def _post_message(self, given: Json) -> Json:
        channel = self._open_channel(given)
        text, blocks = self._content(given, MOST_TEXT)
        metadata = metadata_of(given)
        # A reply to what is gone is posted all the same, outside any thread (slack-go issue 1571).
        thread_ts = given.get("thread_ts")
        if thread_ts is not None and not is_ts(thread_ts):
            raise Refusal("invalid_thread_ts")
        parent = self._find(channel.id, str(thread_ts))
        thread_ts = (parent.thread_ts or parent.ts) if parent else None
        self._limits.spend_post(channel.id)
        message = self._space.say(
            channel.id, BOT_USER, text, blocks=blocks, metadata=metadata or None, thread_ts=thread_ts
        )
        return {"channel": channel.id, "ts": message.ts, "message": message.as_json()}

    def _find(self, channel: str, ts: str) -> Message | None:
        return next((each for each in self._space.messages(channel) if each.ts == ts), None)

    def _own(self, given: Json, refusal: str) -> Message:
        """A message of the app's own."""
        channel = self._open_channel(given)
        message = self._find(channel.id, str(given.get("ts")))
        if message is None:
            raise Refusal("message_not_found")
        if message.user != BOT_USER:
            raise Refusal(refusal)
        return message

    def _update(self, given: Json) -> Json:
        """Text alone removes the blocks; metadata that is not spoken of stays."""
        message = self._own(given, "cant_update_message")
        text, blocks = self._content(given, MOST_UPDATED_TEXT)
        metadata = metadata_of(given)
        kept = message.metadata if metadata is None else metadata or None
        message.versions.append(Version(text, blocks, kept, self._space.now()))
        message.edited = not blocks
        told = message.as_json()
        return {"channel": message.channel, "ts": message.ts, "text": text, "message": told}

    def _delete(self, given: Json) -> Json:
        message = self._own(given, "cant_delete_message")
        message.deleted = True
        return {"channel": message.channel, "ts": message.ts}

    def _post_ephemeral(self, given: Json) -> Json:
        channel = self._open_channel(given)
        user = str(given.get("user", ""))
        if user not in channel.members:
            raise Refusal("user_not_in_channel")
        text, blocks = self._content(given, MOST_TEXT)
        shown = self._space.show(user, channel.id, text, blocks, given.get("thread_ts"))
        return {"message_ts": shown.ts}

    # ── views ────────────────────────────────────────────────────────────────────────────────────

    def _triggered(self, given: Json) -> Trigger:
        trigger = self._space.triggers.get(str(given.get("trigger_id", "")))
        if trigger is None:
            raise Refusal("invalid_trigger_id")
        if trigger.used:
            raise Refusal("exchanged_trigger_id")
        if self._space.now() - trigger.at > TRIGGER_LIVES_S:
            raise Refusal("expired_trigger_id")
        return trigger

    def _views_open(self, given: Json) -> Json:
        trigger = self._triggered(given)
        body = self._space.checked_view(given.get("view"), "modal")
        trigger.used = True
        person = self._space.people[trigger.user]
        person.leaves_modals()
        return self._shown(person, self._space.new_view(person.id, body))

    def _views_push(self, given: Json) -> Json:
        trigger = self._triggered(given)
        person = self._space.people[trigger.user]
        if len(person.modals) >= MOST_VIEWS:
            raise Refusal("push_limit_reached")
        body = self._space.checked_view(given.get("view"), "modal")
        trigger.used = True
        return self._shown(person, self._space.new_view(person.id, body, person.modal))

    def _shown(self, person: Person, view: View) -> Json:
        self._space.views[view.id] = view
        person.modals.append(view)
        return {"view": view.as_json()}

    def _views_update(self, given: Json) -> Json:
        by_id = self._space.views.get(str(given.get("view_id", "")))
        view = by_id or self._space.by_external_id(given.get("external_id"))
        if view is None:
            raise Refusal("not_found")
        _not_changed(view, given)
        self._space.redraw(view, self._space.checked_view(given.get("view"), view.type, instead_of=view))
        return {"view": view.as_json()}

    def _views_publish(self, given: Json) -> Json:
        user = str(given.get("user_id", ""))
        if user not in self._space.people:
            raise Refusal("user_not_found")
        home = self._space.homes.get(user)
        body = self._space.checked_view(given.get("view"), "home", instead_of=home)
        if home is None:
            home = self._space.homes[user] = self._space.new_view(user, body)
        else:
            _not_changed(home, given)
            self._space.redraw(home, body)
        return {"view": home.as_json()}

    # ── members and conversations ────────────────────────────────────────────────────────────────

    def _users_info(self, given: Json) -> Json:
        person = self._space.people.get(str(given.get("user", "")))
        if person is None:
            raise Refusal("user_not_found")
        return {"user": person.as_json()}

    def _users_list(self, given: Json) -> Json:
        people = [person.as_json() for person in self._space.people.values()]
        return page("members", people, given, 200)

    def _usergroups_list(self, given: Json) -> Json:
        groups = [
            {
                "id": group_id,
                "team_id": TEAM,
                "name": handle,
                "handle": handle,
                "user_count": str(len(members)),
            }
            | ({"users": members} if has(given, "include_users") else {})
            for group_id, (handle, members) in self._space.groups.items()
        ]
        return {"usergroups": groups}

    def _usergroup_users(self, given: Json) -> Json:
        group = self._space.groups.get(str(given.get("usergroup", "")))
        if group is None:
            raise Refusal("no_such_subteam")
        return {"users": group[1]}

    def _conversations_list(self, given: Json) -> Json:
        kinds = str(given.get("types") or "public_channel").split(",")
        listed = [
            channel.as_json()
            for channel in self._space.channels.values()
            if _kind_of(channel) in kinds
            and not (channel.archived and has(given, "exclude_archived"))
            and not (channel.private and BOT_USER not in channel.members)
        ]
        return page("channels", listed, given, 100)

    def _conversations_members(self, given: Json) -> Json:
        return page("members", self._known_channel(given).members, given, 100)

    def _read_channel(self, given: Json) -> Channel:
        channel = self._known_channel(given)
        if BOT_USER not in channel.members:
            raise Refusal("not_in_channel")
        return channel

    def _history(self, given: Json) -> Json:
        """Newest first, without what was said in threads; metadata only when it is asked for."""
        channel = self._read_channel(given)
        told = [
            message.as_json(metadata=has(given, "include_all_metadata"))
            for message in reversed(self._space.messages(channel.id))
            if not message.in_thread and in_time(message.ts, given)
        ]
        return page("messages", told, given, 100)

    def _replies(self, given: Json) -> Json:
        """The parent and its replies, oldest first."""
        channel = self._read_channel(given)
        parent = self._find(channel.id, str(given.get("ts", "")))
        if parent is None:
            raise Refusal("thread_not_found")
        told = [parent, *(reply for reply in self._space.thread(parent) if in_time(reply.ts, given))]
        metadata = has(given, "include_all_metadata")
        return page("messages", [each.as_json(metadata=metadata) for each in told], given, 1000)

    def _conversations_open(self, given: Json) -> Json:
        users = str(given.get("users", ""))
        if users not in self._space.people:
            raise Refusal("user_not_found")
        known = f"D{users[1:]}" in self._space.channels
        channel = self._space.dm_with(users)
        return {"channel": {"id": channel.id}} | ({"no_op": True, "already_open": True} if known else {})

    def _reactions_add(self, given: Json) -> Json:
        channel = self._open_channel(given)
        message = self._find(channel.id, str(given.get("timestamp", "")))
        name = str(given.get("name", "")).strip(":")
        if message is None:
            raise Refusal("message_not_found")
        if not name:
            raise Refusal("invalid_name")
        users = message.reactions.setdefault(name, [])
        if BOT_USER in users:
            raise Refusal("already_reacted")
        users.append(BOT_USER)
        return {}

    # ── answers to a click, without a token ──────────────────────────────────────────────────────

    def answer_click(self, answering: ResponseUrl, given: Json) -> None:
        """``response_url``: replace, remove, or add something, for one person or for all."""
        source = answering.source
        if has(given, "delete_original"):
            self._take_away(source)
        elif has(given, "replace_original") and source is not None:
            self._replace(source, *self._content(given, MOST_TEXT))
        elif given.get("response_type") == "in_channel":
            text, blocks = self._content(given, MOST_TEXT)
            self._space.say(answering.channel, BOT_USER, text, blocks=blocks)
        else:
            self._space.show(answering.user, answering.channel, *self._content(given, MOST_TEXT))

    def _take_away(self, source: Message | Ephemeral | None) -> None:
        if isinstance(source, Message):
            source.deleted = True
        elif source in self._space.ephemerals:
            self._space.ephemerals.remove(source)

    def _replace(self, source: Message | Ephemeral, text: str, blocks: list[Json]) -> None:
        if isinstance(source, Message):
            source.versions.append(Version(text, blocks, source.metadata, self._space.now()))
        else:
            source.text, source.blocks = text, blocks


def _kind_of(channel: Channel) -> str:
    if channel.with_person:
        return "im"
    return "private_channel" if channel.private else "public_channel"


def _not_changed(view: View, given: Json) -> None:
    if given.get("hash") not in (None, view.hash):
        raise Refusal("hash_conflict")
