"""People at a desk in Slack: they click, fill in, send, close, type commands, and see what the app shows.

What a person does becomes the payload that Slack makes of it. What Slack's own client would prevent (a
required field left empty, a text longer than its field, a button that is not there) fails the test instead.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.slack_blocks import Json, elements_of, why_invalid
from tests.fakes.slack_socket import Delivery, Kind
from tests.fakes.slack_things import (
    APP,
    BOT_USER,
    DOMAIN,
    TEAM,
    VALUE_NAMES,
    Ephemeral,
    Message,
    Seen,
    View,
    options_of,
    state_of,
)
from tests.fakes.slack_wire import Refusal

if TYPE_CHECKING:
    from tests.fakes.slack_server import SlackServer

TROUBLE = "We had some trouble connecting. Try again?"
Target = Message | Seen | Ephemeral | View


@dataclass(frozen=True)
class Sight:
    """Everything one person sees of the app, beside the channels."""

    ephemerals: list[Ephemeral]
    home: View | None
    modal: View | None
    dms: list[Message]
    troubles: list[str]


@dataclass(eq=False)
class Person:
    """One member of the workspace, or of another team in a shared channel."""

    server: "SlackServer"
    id: str
    name: str
    team: str = TEAM
    guest: bool = False
    bot: bool = False
    gone: bool = False
    timezone: str = "Europe/Copenhagen"
    modals: list[View] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def handle(self) -> str:
        return self.name.lower().replace(" ", ".")

    @property
    def modal(self) -> View | None:
        """The dialog in front."""
        return self.modals[-1] if self.modals else None

    def as_json(self) -> Json:
        """``users.info``."""
        told: Json = {
            "id": self.id,
            "team_id": self.team,
            "name": self.handle,
            "deleted": self.gone,
            "profile": {
                "real_name": self.name,
                "real_name_normalized": self.name,
                "display_name": self.name,
                "display_name_normalized": self.name,
                "team": self.team,
            },
            "is_bot": self.bot,
            "is_app_user": False,
            "updated": 1_700_000_000,
        }
        if not self.gone:  # Slack tells little of people who left.
            told |= {
                "real_name": self.name,
                "tz": self.timezone,
                "tz_label": "Central European Time",
                "tz_offset": 3600,
                "is_admin": False,
                "is_owner": False,
                "is_primary_owner": False,
                "is_restricted": self.guest,
                "is_ultra_restricted": False,
            }
        return told | ({"is_stranger": True} if self.team != TEAM else {})

    def sees(self) -> Sight:
        """What is on this person's screen."""
        mine = [shown for shown in self.server.ephemerals if shown.user == self.id]
        dms = self.server.messages(f"D{self.id[1:]}")
        return Sight(mine, self.server.homes.get(self.id), self.modal, dms, list(self.troubles))

    # ── clicking ─────────────────────────────────────────────────────────────────────────────────

    async def clicks(
        self,
        target: Target,
        action_id: str,
        *,
        choose: str | None = None,
        block_id: str | None = None,
        value: str | None = None,
    ) -> Delivery:
        """Press what is there, or what was there in a ``Seen``.

        ``choose`` is an option's text or value, or an id; ``block_id`` and ``value``
        tell apart several elements with the same action.
        """
        assert not (isinstance(target, Message) and target.deleted), "the message is gone"
        blocks = target.version.blocks if isinstance(target, Seen) else target.blocks
        block, element = _the_one(blocks, action_id, block_id, value)
        action = _action(block, element, choose) | {"action_ts": self.server.next_ts()}
        place = (block["block_id"], action_id)
        typed = {place: action[VALUE_NAMES[element["type"]]]} if element["type"] in VALUE_NAMES else {}
        if isinstance(target, View):
            target.typed |= typed
        payload = {
            "type": "block_actions",
            "user": self._user(),
            **self._context(),
            "container": {},
            "trigger_id": self.server.trigger(self.id),
            "state": {"values": state_of(blocks, typed)},
            "actions": [action],
        } | self._where(target)
        return await self._does(payload)

    def _where(self, target: Target) -> Json:
        """The part of a press that says where it was."""
        if isinstance(target, View):
            view = target.as_json()
            return {"container": {"type": "view", "view_id": target.id}, "view": view, "state": view["state"]}
        message = target.message if isinstance(target, Seen) else target
        container: Json = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": isinstance(message, Ephemeral),
        } | ({"thread_ts": message.thread_ts} if message.thread_ts else {})
        where: Json = {
            "container": container,
            "channel": self._channel(message.channel),
            "response_url": self.server.response_url(self.id, message.channel, message),
        }
        if isinstance(message, Message):  # Of an ephemeral Slack keeps nothing that it could send.
            where["message"] = message.as_json(target.version if isinstance(target, Seen) else None)
        return where

    # ── dialogs ──────────────────────────────────────────────────────────────────────────────────

    def types(self, view: View, values: Mapping[str, Any]) -> None:
        """Fill in fields, each named by its action id or its block id; a choice by its text or value."""
        for name, value in values.items():
            block, element = _field(view.blocks, name)
            view.typed[(block["block_id"], element["action_id"])] = _filled(element, value)

    async def submits(self, view: View, values: Mapping[str, Any] | None = None) -> Delivery:
        """Fill in and send; what the app answers happens to the dialog."""
        self.types(view, values or {})
        _can_be_sent(view)
        payload = {
            "type": "view_submission",
            "user": self._user(),
            **self._context(),
            "trigger_id": self.server.trigger(self.id),
            "view": view.as_json(),
            "response_urls": [],
        }
        view.errors = {}
        delivery = await self._does(payload)
        if delivery.acknowledged:
            self._obeys(view, delivery.response or {})
        return delivery

    def _obeys(self, view: View, answer: Json) -> None:
        """``response_action``: what the app wants to become of the dialog."""
        does = answer.get("response_action")
        if does == "errors":
            fields = {block["block_id"] for block in view.blocks if block["type"] == "input"}
            if answer["errors"].keys() <= fields:
                view.errors = dict(answer["errors"])
            else:
                self.troubles.append(TROUBLE)
        elif does == "clear":
            self.leaves_modals()
        elif does in ("update", "push"):
            self._is_shown(view, does, answer.get("view"))
        elif view in self.modals:
            self._leaves(view)

    def _is_shown(self, view: View, does: str, given: Any) -> None:
        try:
            body = self.server.checked_view(given, "modal", instead_of=view if does == "update" else None)
        except Refusal as refusal:
            self.troubles.append(f"{TROUBLE} ({refusal.error}: {refusal.more})")
            return
        if does == "update":
            self.server.redraw(view, body)
        else:
            pushed = self.server.new_view(self.id, body, view)
            self.server.views[pushed.id] = pushed
            self.modals.append(pushed)

    async def closes(self, view: View, *, all_of_them: bool = False) -> Delivery | None:
        """Leave a dialog; the app hears of it only if it asked to."""
        payload = {
            "type": "view_closed",
            "user": self._user(),
            **self._context(),
            "view": view.as_json(),
            "is_cleared": all_of_them,
        }
        if all_of_them:
            self.leaves_modals()
        else:
            self._leaves(view)
        return await self._does(payload) if view.body.get("notify_on_close") else None

    def leaves_modals(self) -> None:
        """Nothing is in front any more."""
        for view in list(self.modals):
            self._leaves(view)

    def _leaves(self, view: View) -> None:
        view.is_open = False
        self.modals.remove(view)
        self.server.views.pop(view.id, None)

    # ── everything else ──────────────────────────────────────────────────────────────────────────

    async def runs(self, command: str, text: str = "", *, channel: str = "C0SOCIAL") -> Delivery:
        """A slash command; what the app answers at once is shown to this person alone, or to all."""
        where = self._channel(channel)
        payload = {
            "token": "verification-token",
            "team_id": self.team,
            "team_domain": DOMAIN,
            "channel_id": channel,
            "channel_name": where["name"],
            "user_id": self.id,
            "user_name": self.handle,
            "command": command,
            "text": text,
            "api_app_id": APP,
            "is_enterprise_install": "false",
            "response_url": self.server.response_url(self.id, channel),
            "trigger_id": self.server.trigger(self.id),
        }
        delivery = await self._does(payload, slash=True)
        self._reads(channel, delivery.response or {})
        return delivery

    def _reads(self, channel: str, answer: Json) -> None:
        """What a command was answered in its acknowledgement."""
        text, blocks = str(answer.get("text", "")), answer.get("blocks", [])
        reasons = why_invalid(blocks, "message")
        if reasons:
            self.troubles.append(f"{TROUBLE} (invalid_blocks: {reasons})")
        elif answer.get("response_type") == "in_channel":
            self.server.say(channel, BOT_USER, text, blocks=blocks)
        elif text or blocks:
            self.server.show(self.id, channel, text, self.server.with_ids(blocks))

    async def takes_shortcut(self, callback_id: str, on: Message | None = None) -> Delivery:
        """A global shortcut, or one ``on`` a message."""
        payload: Json = {
            "type": "shortcut" if on is None else "message_action",
            "user": self._user(),
            **self._context(),
            "callback_id": callback_id,
            "action_ts": self.server.next_ts(),
            "trigger_id": self.server.trigger(self.id),
        }
        if on is not None:
            payload |= {
                "channel": self._channel(on.channel),
                "message_ts": on.ts,
                "message": on.as_json(),
                "response_url": self.server.response_url(self.id, on.channel, on),
            }
        return await self._does(payload)

    async def opens_home(self) -> Delivery:
        """Look at the app's Home tab."""
        home = self.server.homes.get(self.id)
        event: Json = {
            "type": "app_home_opened",
            "user": self.id,
            "channel": self.server.dm_with(self.id).id,
            "tab": "home",
        }
        return await self.server.happens(event | ({"view": home.as_json()} if home else {}))

    def writes(self, channel: str, text: str, *, thread: Message | None = None) -> Message:
        """Say something in a channel or a thread; the app, which may not read, hears nothing of it."""
        return self.server.say(channel, self.id, text, thread_ts=thread.ts if thread else None)

    async def _does(self, payload: Json, *, slash: bool = False) -> Delivery:
        kind: Kind = "slash_commands" if slash else "interactive"
        delivery = await self.server.socket.deliver(kind, payload)
        if not delivery.acknowledged:
            command = payload.get("command")
            self.troubles.append(f"{command} failed with the error “dispatch_failed”" if command else TROUBLE)
        return delivery

    def _user(self) -> Json:
        return {"id": self.id, "username": self.handle, "name": self.handle, "team_id": self.team}

    def _context(self) -> Json:
        return {
            "api_app_id": APP,
            "token": "verification-token",
            "team": {"id": TEAM, "domain": DOMAIN},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _channel(self, channel_id: str) -> Json:
        channel = self.server.channels[channel_id]
        return {"id": channel.id, "name": "directmessage" if channel.with_person else channel.name}


def _the_one(
    blocks: list[Json], action_id: str, block_id: str | None, value: str | None
) -> tuple[Json, Json]:
    """The element that is meant; the test fails when it is not there, or not alone."""
    found = [
        (block, element)
        for block, element in elements_of(blocks)
        if element["action_id"] == action_id
        and block_id in (None, block["block_id"])
        and value in (None, element.get("value"))
    ]
    there = [f"{block['block_id']}/{element['action_id']}" for block, element in elements_of(blocks)]
    assert len(found) == 1, f"{len(found)} elements {action_id!r} to press; there are {there}"
    return found[0]


def _action(block: Json, element: Json, choose: str | None) -> Json:
    """One entry of ``actions``: the element as drawn, and what was chosen in it."""
    told = {"type", "action_id", "text", "value", "style", "placeholder", "confirm"}
    action = {name: copy.deepcopy(part) for name, part in element.items() if name in told}
    action["block_id"] = block["block_id"]
    if element["type"] in VALUE_NAMES:
        assert choose is not None, f"{element['action_id']} is a choice: say which"
        action[VALUE_NAMES[element["type"]]] = _filled(element, choose)
    return action


def _filled(element: Json, value: Any) -> Any:
    """A value as Slack tells it: options whole, everything else as it is."""
    name = VALUE_NAMES.get(element["type"], "value")
    if value is None or not options_of(element):
        return value
    if name == "selected_options":
        wanted = [value] if isinstance(value, str) else value
        return [_option(element, each) for each in wanted]
    return _option(element, value)


def _option(element: Json, wanted: str) -> Json:
    options = options_of(element)
    found = [each for each in options if wanted in (each["value"], each["text"]["text"])]
    assert len(found) == 1, f"no choice {wanted!r} among {[each['text']['text'] for each in options]}"
    return copy.deepcopy(found[0])


def _field(blocks: list[Json], name: str) -> tuple[Json, Json]:
    """The field of a dialog with this action id, else the one in this block."""
    fields = list(elements_of(blocks))
    found = [each for each in fields if each[1]["action_id"] == name]
    found = found or [each for each in fields if each[0]["block_id"] == name]
    assert len(found) == 1, (
        f"{len(found)} fields {name!r}; there are {[each['action_id'] for _, each in fields]}"
    )
    return found[0]


def _can_be_sent(view: View) -> None:
    """What Slack's client refuses before the app hears of it."""
    assert view.is_open, "the dialog is closed"
    assert "submit" in view.body, "the dialog has nothing to send it with"
    for block in view.blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        state = view.values[block["block_id"]][element["action_id"]]
        value = state[VALUE_NAMES.get(element["type"], "value")]
        assert value or block.get("optional"), f"{block['block_id']} is required, and empty"
        if isinstance(value, str) and "max_length" in element:
            assert len(value) <= element["max_length"], f"{block['block_id']} is too long to be sent"
