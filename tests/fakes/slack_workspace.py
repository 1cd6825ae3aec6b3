"""A Slack workspace: what is in it, what is shown to whom, and what lets the app answer a click."""

import copy
import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tests.fakes.slack_blocks import Json, Surface, elements_of, why_invalid, why_invalid_view
from tests.fakes.slack_people import Person
from tests.fakes.slack_things import BOT_USER, STRANGERS, TEAM, Channel, Ephemeral, Message, Version, View
from tests.fakes.slack_wire import Refusal, told_reasons

if TYPE_CHECKING:
    from tests.fakes.slack_server import SlackServer

MOST_VIEW_BYTES = 250_000


@dataclass
class Trigger:
    """What lets the app open a view, once, within three seconds."""

    user: str
    at: float
    used: bool = False


@dataclass
class ResponseUrl:
    """An address at which a click can be answered five times."""

    user: str
    channel: str
    source: Message | Ephemeral | None
    uses: int = 0


class Workspace:
    """Channels, members, messages, views; time is its own and can be let go by."""

    origin: str

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.channels: dict[str, Channel] = {}
        self.people: dict[str, Person] = {}
        self.groups: dict[str, tuple[str, list[str]]] = {}
        self.views: dict[str, View] = {}
        self.homes: dict[str, View] = {}
        self.ephemerals: list[Ephemeral] = []
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.refused_blocks: set[str] = set()
        self._clock = clock
        self._skipped_s = 0.0
        self._last_ts = 0
        self._messages: list[Message] = []

    def now(self) -> float:
        """Seconds since the epoch, as the server counts them."""
        return self._clock() + self._skipped_s

    def passes(self, seconds: float) -> None:
        """Time goes by, for limits, triggers and timestamps."""
        self._skipped_s += seconds

    # ── the workspace ────────────────────────────────────────────────────────────────────────────

    def channel(
        self,
        channel_id: str,
        name: str = "",
        *,
        members: Sequence[Person] | None = None,
        invited: bool = True,
        private: bool = False,
        archived: bool = False,
    ) -> Channel:
        """A channel of these people, else of everybody, those who come later too; the app is ``invited``."""
        there = self.people.values() if members is None else members
        ids = [BOT_USER] * invited + [person.id for person in there]
        channel = Channel(channel_id, name or channel_id.lower(), ids, private, archived)
        channel.for_everybody = members is None
        self.channels[channel_id] = channel
        return self.channels[channel_id]

    def person(
        self, name: str, *, guest: bool = False, bot: bool = False, stranger: bool = False, gone: bool = False
    ) -> Person:
        """Somebody in the workspace, made when first named, and a member of the channels for everybody."""
        user_id = f"U0{name.upper().replace(' ', '')}"
        if user_id not in self.people:
            team = STRANGERS if stranger else TEAM
            person = Person(
                cast("SlackServer", self), user_id, name, team=team, guest=guest, bot=bot, gone=gone
            )
            self.people[user_id] = person
            for channel in self.channels.values():
                if channel.for_everybody:
                    channel.members.append(user_id)
        return self.people[user_id]

    def group(self, group_id: str, handle: str, members: Sequence[Person]) -> None:
        """A user group."""
        self.groups[group_id] = (handle, [person.id for person in members])

    def dm_with(self, user_id: str) -> Channel:
        """The direct messages between the app and a person."""
        channel_id = f"D{user_id[1:]}"
        if channel_id not in self.channels:
            members = [BOT_USER, user_id]
            self.channels[channel_id] = Channel(channel_id, channel_id, members, with_person=user_id)
        return self.channels[channel_id]

    def messages(self, channel: str, *, deleted: bool = False) -> list[Message]:
        """Messages of a channel, oldest first, those in threads too."""
        return [each for each in self._messages if each.channel == channel and (deleted or not each.deleted)]

    def thread(self, parent: Message) -> list[Message]:
        """The replies to a message, oldest first."""
        return [
            each for each in self.messages(parent.channel) if each.in_thread and each.thread_ts == parent.ts
        ]

    def say(
        self, channel: str, user: str, text: str, *, blocks: list[Json] | None = None, **more: Any
    ) -> Message:
        """A message appears, whoever writes it."""
        version = Version(text, self.with_ids(blocks or []), more.pop("metadata", None), self.now())
        message = Message(channel, self.next_ts(), user, [version], **more)
        self._messages.append(message)
        return message

    def next_ts(self) -> str:
        """Slack's id of a message: when it came, no two alike."""
        self._last_ts = max(self._last_ts + 1, int(self.now() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def with_ids(self, blocks: list[Json]) -> list[Json]:
        """Blocks as Slack keeps them: what came without an id is given one."""
        kept = copy.deepcopy(blocks)
        for block in kept:
            block.setdefault("block_id", uuid.uuid4().hex[:5])
        for _, element in elements_of(kept):
            element.setdefault("action_id", uuid.uuid4().hex[:5])
        return kept

    def show(
        self, user: str, channel: str, text: str, blocks: list[Json], thread_ts: str | None = None
    ) -> Ephemeral:
        """One person alone is shown something."""
        shown = Ephemeral(channel, self.next_ts(), user, text, blocks, thread_ts)
        self.ephemerals.append(shown)
        return shown

    def trigger(self, user: str) -> str:
        """A trigger id that lives from now on."""
        trigger_id = f"{uuid.uuid4().int % 10**13}.{uuid.uuid4().int % 10**9}.{uuid.uuid4().hex}"
        self.triggers[trigger_id] = Trigger(user, self.now())
        return trigger_id

    def response_url(self, user: str, channel: str, source: Message | Ephemeral | None = None) -> str:
        """An address at which the app can answer what a person just did."""
        key = uuid.uuid4().hex
        self.response_urls[key] = ResponseUrl(user, channel, source)
        return f"{self.origin}/response/{key}"

    # ── what Slack would show ────────────────────────────────────────────────────────────────────

    def check_blocks(self, blocks: Any, surface: Surface) -> None:
        """Raise what Slack says to blocks that it does not show."""
        reasons = why_invalid(blocks, surface) or self._refused_types(blocks, "/blocks")
        if reasons:
            raise Refusal("invalid_blocks", told_reasons(reasons) | {"errors": reasons})

    def _refused_types(self, blocks: list[Json], at: str) -> list[str]:
        return [
            f"unsupported type: {block['type']} [json-pointer:{at}/{number}/type]"
            for number, block in enumerate(blocks)
            if block["type"] in self.refused_blocks
        ]

    def checked_view(self, given: Any, kind: str, instead_of: View | None = None) -> Json:
        """The body of a view that Slack would show."""
        reasons = why_invalid_view(given)
        if not reasons and given["type"] != kind:
            reasons = [f"unsupported type, expected {kind} [json-pointer:/view/type]"]
        reasons = reasons or self._refused_types(given["blocks"], "/view/blocks")
        if reasons:
            raise Refusal("invalid_arguments", told_reasons(reasons))
        if len(json.dumps(given)) > MOST_VIEW_BYTES:
            raise Refusal("view_too_large")
        other = self.by_external_id(given.get("external_id"))
        if other is not None and other is not instead_of:
            raise Refusal("duplicate_external_id")
        return {**given, "blocks": self.with_ids(given["blocks"])}

    def by_external_id(self, external_id: Any) -> View | None:
        """The view that the app named so."""
        shown = [*self.views.values(), *self.homes.values()]
        return next((v for v in shown if external_id and v.body.get("external_id") == external_id), None)

    def new_view(self, user: str, body: Json, over: View | None = None) -> View:
        """A view that nobody saw before."""
        view_id = f"V{uuid.uuid4().hex[:10].upper()}"
        root, previous = (over.root_id, over.id) if over else (view_id, None)
        return View(view_id, user, body, self._hash(), root, previous)

    def _hash(self) -> str:
        return f"{self.now():.0f}.{uuid.uuid4().hex[:8]}"

    def redraw(self, view: View, body: Json) -> None:
        """The same view shows something else; what was typed stays where block and action are the same."""
        view.body, view.hash = body, self._hash()
        view.errors = {}
        view.published += 1
