"""What there is in a Slack workspace: channels, messages with all their versions, ephemerals, views."""

import copy
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.slack_blocks import Json, elements_of

TEAM = "T0AURORA"
DOMAIN = "auroraair"
APP = "A0HEARD"
BOT_USER = "U0HEARD"
BOT = "B0HEARD"
STRANGERS = "T0STRANGER"
# The name under which each kind of element tells its value.
VALUE_NAMES = {
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "checkboxes": "selected_options",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "overflow": "selected_option",
}
STATELESS = {"button", "overflow"}


@dataclass
class Channel:
    """A conversation; ``members`` are user ids, the app's among them when it was invited."""

    id: str
    name: str
    members: list[str]
    private: bool = False
    archived: bool = False
    with_person: str = ""
    for_everybody: bool = False

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.private and not self.with_person,
            "is_group": False,
            "is_im": bool(self.with_person),
            "is_mpim": False,
            "is_private": self.private,
            "is_archived": self.archived,
            "is_general": False,
            "is_shared": False,
            "is_ext_shared": False,
            "is_org_shared": False,
            "is_member": BOT_USER in self.members,
            "num_members": len(self.members),
            "context_team_id": TEAM,
            "creator": "U0BOSS",
        } | ({"user": self.with_person} if self.with_person else {})


@dataclass(frozen=True)
class Version:
    """What a message said from ``at`` on (seconds since the epoch, the server's clock)."""

    text: str
    blocks: list[Json]
    metadata: Json | None
    at: float


@dataclass(eq=False)
class Message:
    """A message and everything that it ever said."""

    channel: str
    ts: str
    user: str
    versions: list[Version]
    thread_ts: str | None = None
    deleted: bool = False
    edited: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict)

    @property
    def now(self) -> Version:
        """What it says now."""
        return self.versions[-1]

    @property
    def text(self) -> str:
        return self.now.text

    @property
    def blocks(self) -> list[Json]:
        return self.now.blocks

    @property
    def metadata(self) -> Json | None:
        return self.now.metadata

    @property
    def in_thread(self) -> bool:
        return self.thread_ts not in (None, self.ts)

    def seen(self) -> "Seen":
        """What somebody has on the screen now, to press it when it is old."""
        return Seen(self, self.now)

    def as_json(self, version: Version | None = None, *, metadata: bool = True) -> Json:
        """The message as Slack tells it, of today or as it was."""
        shown = version or self.now
        told: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": shown.text, "team": TEAM}
        if self.user == BOT_USER:
            told |= {"bot_id": BOT, "app_id": APP}
        if shown.blocks:
            told["blocks"] = copy.deepcopy(shown.blocks)
        if metadata and shown.metadata:
            told["metadata"] = copy.deepcopy(shown.metadata)
        if self.thread_ts:
            told["thread_ts"] = self.thread_ts
        if self.edited:
            told["edited"] = {"user": self.user, "ts": f"{shown.at:.6f}"}
        if self.reactions:
            told["reactions"] = [
                {"name": name, "users": list(users), "count": len(users)}
                for name, users in self.reactions.items()
            ]
        return told


@dataclass(frozen=True)
class Seen:
    """A message as it looked at some time."""

    message: Message
    version: Version


@dataclass(eq=False)
class Ephemeral:
    """What one person alone sees, until they reload."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json]
    thread_ts: str | None = None


@dataclass(eq=False)
class View:
    """A modal or a Home tab of one person; ``typed`` is what they filled in, by block and action."""

    id: str
    user: str
    body: Json
    hash: str
    root_id: str
    previous_id: str | None = None
    typed: dict[tuple[str, str], Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    is_open: bool = True
    published: int = 1

    @property
    def blocks(self) -> list[Json]:
        blocks: list[Json] = self.body["blocks"]
        return blocks

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def title(self) -> str:
        return str(self.body.get("title", {}).get("text", ""))

    @property
    def values(self) -> dict[str, Json]:
        """``state.values``: what is filled in now, else what it was drawn with."""
        return state_of(self.blocks, self.typed)

    def seen(self) -> "View":
        """What somebody has on the screen now, to press it when it was redrawn meanwhile."""
        return copy.copy(self)

    def as_json(self) -> Json:
        told: Json = {
            "id": self.id,
            "team_id": TEAM,
            "app_id": APP,
            "app_installed_team_id": TEAM,
            "bot_id": BOT,
            "hash": self.hash,
            "root_view_id": self.root_id,
            "previous_view_id": self.previous_id,
            "state": {"values": self.values},
            "callback_id": "",
            "external_id": "",
            "private_metadata": "",
            "title": {"type": "plain_text", "text": "View Title", "emoji": True},
            "close": None,
            "submit": None,
            "clear_on_close": False,
            "notify_on_close": False,
        }
        return told | copy.deepcopy(self.body)


def initial_of(element: Json) -> Any:
    """What an element was drawn with."""
    name = VALUE_NAMES.get(element["type"], "value")
    return element.get(name.replace("selected", "initial") if name != "value" else "initial_value")


def state_of(blocks: list[Json], typed: dict[tuple[str, str], Any]) -> dict[str, Json]:
    """``state.values`` of blocks: every element that has a value, by block id and action id."""
    values: dict[str, Json] = {}
    for block, element in elements_of(blocks):
        kind = element["type"]
        if kind in STATELESS:
            continue
        place = (block["block_id"], element["action_id"])
        value = typed.get(place, initial_of(element))
        if value is None and kind in ("checkboxes", "multi_static_select", "multi_users_select"):
            value = []
        values.setdefault(place[0], {})[place[1]] = {"type": kind, VALUE_NAMES.get(kind, "value"): value}
    return values


def options_of(element: Json) -> list[Json]:
    """Everything that can be chosen."""
    groups = element.get("option_groups") or [element]
    return [option for group in groups for option in group.get("options", [])]
