"""Slack's Web API as Heard uses it: typed calls, one request each, and every failure in words with its fix.

slack_sdk posts twice when an answer is lost (measured, 3.48.0), so its retries are off: what became of a
post is for `escalation.delivery` to find out. Errors: docs.slack.dev/reference/methods, read in July 2026.
"""

import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Generic, NoReturn, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from casework.errors import TryAgainLater
from escalation.roles import Person
from escalation.slack_payload import Block, Payload, View

T = TypeVar("T")
CASE_CARD: Final = "case_card"
LINE: Final = "case_line"

TOTAL_S: Final = 10.0
CONNECT_S: Final = 5.0
KNOWN_S: Final = 300.0
KNOWN_AT_MOST: Final = 10_000
A_PAGE: Final = 200
AT_MOST_PAGES: Final = 25
AGAIN: Final = timedelta(seconds=15)
"""Until Slack is asked again after a trouble that may pass, where it does not say itself when."""
SKEW: Final = timedelta(minutes=1)
"""By how much Slack's clock may be behind ours when a post is looked for."""
_ID = re.compile(r"[CGDUW][A-Z0-9]{2,}", re.ASCII)
_GROUP_ID = re.compile(r"S[A-Z0-9]{2,}", re.ASCII)
_TS = re.compile(r"[0-9]+\.[0-9]+", re.ASCII)
_POINTER = re.compile(r"json-pointer:([/a-z0-9_]{1,80})")


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────


class SlackTrouble(TryAgainLater):
    """Slack did not do it. ``words`` say why, ``fix`` what to do, for people; ``reason`` is Slack's word."""

    def __init__(self, method: str, reason: str, words: str, fix: str = "", *, after: timedelta) -> None:
        super().__init__(f"{words} {fix}".strip(), after=after)
        self.method = method
        self.reason = reason
        self.words = words
        self.fix = fix


class RateLimited(SlackTrouble):
    """Too often: nothing was done, and the whole method must rest for ``after``."""

    def __init__(self, method: str, after: timedelta) -> None:
        said = f"Slack asks to wait {max(1, round(after.total_seconds()))} s."
        super().__init__(method, "ratelimited", said, after=after)


class NotPosted(SlackTrouble):
    """Refused: nothing was done. ``permanent``: until somebody mends it, or something else is sent."""

    def __init__(self, method: str, reason: str, words: str, fix: str = "", *, permanent: bool) -> None:
        after = timedelta(minutes=10) if permanent else AGAIN
        super().__init__(method, reason, words, fix, after=after)
        self.permanent = permanent


class Lost(SlackTrouble):
    """No answer: what was asked may have been done, or may still be."""

    def __init__(self, method: str, reason: str, status: int = 0) -> None:
        words = f"Slack answers with errors ({status})." if status >= 500 else "Slack does not answer."
        super().__init__(method, reason, words, after=timedelta(seconds=5))


class LoginRefused(SlackTrouble):
    """Slack does not take the token; nothing works until somebody gives a new one."""

    def __init__(self, method: str, reason: str, words: str, fix: str) -> None:
        super().__init__(method, reason, words, fix, after=timedelta(seconds=20))


_INSTALL_AGAIN: Final = (
    "Install the app again (api.slack.com/apps › Install App) and put the new xoxb- token into "
    "HEARD_SLACK__BOT_TOKEN."
)
_LOGIN: Final[Mapping[str, str]] = {
    "not_authed": "Slack was given no token.",
    "invalid_auth": "Slack does not know this token.",
    "token_revoked": "The token was revoked: the app was removed, or its token replaced.",
    "token_expired": "The token expired.",
    "account_inactive": "The app was removed from the workspace.",
    "not_allowed_token_type": "This is not a bot token.",
    "no_permission": "The workspace took the app's permission away.",
    "org_login_required": "The workspace is moving to an organisation and lets no app in.",
    "team_access_not_granted": "The app was not given access to this workspace.",
    "access_denied": "Slack denies the app access.",
    "ekm_access_denied": "The organisation suspended access to its messages.",
}
_INVITE: Final = "Write /invite @heard in the channel."
_CHANNEL: Final = "Check team › slack in brand.yaml; for a private channel, write /invite @heard in it."
_REFUSALS: Final[Mapping[str, tuple[str, str]]] = {
    "channel_not_found": ("Slack shows the app no such channel.", _CHANNEL),
    "not_in_channel": ("The app is not in the channel.", _INVITE),
    "is_archived": (
        "The channel is archived.",
        "Unarchive it, or name another at team › slack in brand.yaml.",
    ),
    "restricted_action": (
        "The workspace lets only some people post in this channel.",
        "Ask a workspace admin to let the app post there, or name another channel.",
    ),
    "restricted_action_read_only_channel": ("The channel is read-only.", "Name another channel."),
    "restricted_action_thread_only_channel": ("The channel takes replies only.", "Name another channel."),
    "restricted_action_non_threadable_channel": ("The channel takes no threads.", "Name another channel."),
    "messages_tab_disabled": (
        "Direct messages from the app are off.",
        "Turn the Messages tab on under App Home in the app's settings.",
    ),
    "user_not_found": ("Slack knows no such person.", "Check team in brand.yaml."),
    "users_not_found": ("Slack knows no such person.", "Check team in brand.yaml."),
    "user_not_in_channel": ("This person is not in the channel.", "Invite them to the channel."),
    "no_such_subteam": ("Slack knows no such user group.", "Check team › roles in brand.yaml."),
    "subteam_not_found": ("Slack knows no such user group.", "Check team › roles in brand.yaml."),
    "msg_too_long": ("The message is too long for Slack.", "Open the case on the web desk."),
    "msg_blocks_too_long": ("The message is too long for Slack.", "Open the case on the web desk."),
    "invalid_blocks": ("Slack cannot show this message.", "Open the case on the web desk, and report this."),
    "invalid_blocks_format": ("Slack cannot show this message.", "Open the case on the web desk."),
    "invalid_arguments": (
        "Slack does not take what was sent.",
        "Open the case on the web desk, report this.",
    ),
    "no_text": ("The message was empty.", "Open the case on the web desk, and report this."),
    "redirected": (
        "Something between here and Slack answers in its place.",
        "Check the proxy, and HEARD_SLACK__API_URL if you set it.",
    ),
    "message_not_found": ("Somebody deleted the message in Slack.", ""),
    "thread_not_found": ("Somebody deleted the message in Slack.", ""),
    "cant_update_message": (
        "The message belongs to another installation of the app.",
        "Open the case on the web desk; new cards can be updated.",
    ),
    "edit_window_closed": (
        "The workspace lets nobody change older messages.",
        "Ask a workspace admin to let apps edit their messages.",
    ),
    "cant_delete_message": ("The message belongs to another installation of the app.", "Delete it by hand."),
    "expired_trigger_id": ("The dialog came too late: Slack gives 3 seconds.", "Press again."),
    "exchanged_trigger_id": ("This press opened a dialog already.", "Press again."),
    "trigger_expired": ("The dialog came too late: Slack gives 3 seconds.", "Press again."),
    "trigger_exchanged": ("This press opened a dialog already.", "Press again."),
    "invalid_trigger_id": ("Slack does not know this press.", "Press again."),
    "not_found": ("The dialog was closed.", "Open it again."),
    "view_not_found": ("The dialog was closed.", "Open it again."),
    "hash_conflict": ("The dialog changed meanwhile.", ""),
    "push_limit_reached": ("Too many dialogs are open.", "Close some."),
    "view_too_large": ("The dialog is too large for Slack.", "Open the case on the web desk."),
    "duplicate_external_id": ("This dialog is open already.", "Close it first."),
    "not_enabled": ("The Home tab is off.", "Turn it on under App Home in the app's settings."),
}
ODD_BODY: Final = (ValueError, AttributeError, RecursionError)
"""What slack_sdk lets out over a body that is no JSON, text, a list, or too deep."""
_NO_ANSWER: Final = (aiohttp.ClientError, TimeoutError, OSError, *ODD_BODY)
_PASSING: Final[Mapping[str, str]] = {
    "service_unavailable": "Slack is unavailable.",
    "request_timeout": "Slack did not get the whole request.",
    "team_added_to_org": "The workspace is being moved.",
    "unreachable": "Slack cannot be reached.",
}
_FATE_UNKNOWN: Final = frozenset({"fatal_error", "internal_error"})
"""After these, Slack says, a part of it may have been done."""
_TOO_OFTEN: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded", "accesslimited"})


def trouble_of(method: str, status: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> SlackTrouble:
    """What an answer that is not ``ok`` means, from its HTTP status, its headers and its body."""
    reason = str(body.get("error") or "")
    if status == 429 or reason in _TOO_OFTEN:
        return RateLimited(method, _retry_after(headers))
    # Only a status of refusal refuses by itself; after 408, nobody knows how much Slack heard.
    refuses = 400 <= status < 500 and status != 408
    if status >= 500 or reason in _FATE_UNKNOWN or not (reason or refuses):
        return Lost(method, reason or f"http_{status}", status)
    return refusal(method, reason or f"http_{status}", body)


def refusal(method: str, reason: str, body: Mapping[str, Any] | None = None) -> SlackTrouble:
    """What Slack's word for a refusal means."""
    if reason in _LOGIN:
        return LoginRefused(method, reason, _LOGIN[reason], _INSTALL_AGAIN)
    if reason in _PASSING:
        return NotPosted(method, reason, _PASSING[reason], permanent=False)
    if reason == "missing_scope":
        scope = _plain_word((body or {}).get("needed"))
        fix = f"Add {scope} under OAuth & Permissions › Bot Token Scopes, and install the app again."
        return NotPosted(method, reason, f"The app lacks the scope {scope}.", fix, permanent=True)
    words, fix = _REFUSALS.get(reason, (f"Slack refused: {_plain_word(reason)}.", ""))
    return NotPosted(method, reason, words, fix, permanent=True)


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    said = str(headers.get("Retry-After", ""))
    if not (said.isascii() and said.isdigit()):
        return AGAIN
    return timedelta(seconds=min(max(int(said), 1), 3600))


def _plain_word(raw: object) -> str:
    """Slack's own word, fit to be shown: nothing that mrkdwn obeys."""
    return re.sub(r"[^a-z0-9_:.,-]", "", str(raw or "unknown").lower())[:60]


class _Redirected(Exception):
    """An answer sends us elsewhere."""


# ── what Slack tells ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that is in Slack. ``channel`` is its id, also where it was sent to a person."""

    ts: str
    channel: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A view that is on somebody's screen."""

    view_id: str
    hash: str


@dataclass(frozen=True, slots=True)
class Auth:
    """Who the token is, and what it may."""

    team: str
    team_id: str
    bot_id: str
    user_id: str
    scopes: frozenset[str]


class _Memory(Generic[T]):
    """What was found out lately."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[str, tuple[float, T]] = {}

    async def get(self, key: str, find: Callable[[], Awaitable[T]]) -> T:
        """What is known, or what is found out now. What could not be found out is not remembered."""
        known = self._known.get(key)
        if known is not None and self._now() - known[0] < KNOWN_S:
            return known[1]
        found = await find()
        if len(self._known) >= KNOWN_AT_MOST:
            self._known.clear()
        self._known[key] = (self._now(), found)
        return found

    def forget(self) -> None:
        """Ask anew."""
        self._known.clear()


class Web:
    """The Web API with one bot token. Every method raises `SlackTrouble` kinds and nothing else.

    ``url`` is the base of the API, for tests; ``now`` counts seconds, for how long answers are remembered.
    """

    def __init__(
        self, token: str, url: str = "https://slack.com/api/", *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = AsyncWebClient(
            token, base_url=url, retry_handlers=[], timeout=int(TOTAL_S), logger=_quiet()
        )
        self._people = _Memory[Person](now)
        self._groups = _Memory[dict[str, str]](now)
        self._members = _Memory[frozenset[str]](now)
        self._channels = _Memory[dict[str, str]](now)
        self._handles = _Memory[dict[str, str]](now)
        self._auth = _Memory[Auth](now)

    async def __aenter__(self) -> "Web":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._client.session is not None:
            await self._client.session.close()

    # ── messages ─────────────────────────────────────────────────────────────────────────────────

    async def post(
        self, channel: str, payload: Payload, thread_ts: str = "", metadata: Block | None = None
    ) -> Sent:
        """A new message; ``metadata`` instead of the payload's own. One request, whatever happens."""
        arguments = {"channel": channel, **payload.as_json()}
        if thread_ts:
            arguments["thread_ts"] = thread_ts
        if metadata is not None:
            arguments["metadata"] = metadata
        method = "chat.postMessage"
        sent = _sent(await self._write(method, arguments))
        if not _TS.fullmatch(sent.ts):
            # Without it there is nothing to draw again, and no proof that Slack gave this answer.
            raise Lost(method, "no_ts")
        return sent

    async def update(self, channel: str, ts: str, payload: Payload) -> Sent:
        """Another face for a message, always with its blocks: without them Slack takes them away."""
        arguments = {"channel": channel, "ts": ts, **payload.as_json()}
        return _sent(await self._write("chat.update", arguments))

    async def delete(self, channel: str, ts: str) -> None:
        """Take a message away."""
        await self._write("chat.delete", {"channel": channel, "ts": ts})

    async def ephemeral(self, channel: str, user: str, text: str, thread_ts: str = "") -> None:
        """Say something that one person alone sees; ``text`` is mrkdwn of our own."""
        arguments: Block = {"channel": channel, "user": user, "text": text, "link_names": False}
        if thread_ts:
            arguments["thread_ts"] = thread_ts
        await self._write("chat.postEphemeral", arguments)

    # ── views ────────────────────────────────────────────────────────────────────────────────────

    async def open_view(self, trigger: str, view: View) -> Shown:
        """A dialog, within three seconds of the press that ``trigger`` stands for."""
        return _shown(await self._write("views.open", {"trigger_id": trigger, "view": view.as_json()}))

    async def update_view(self, view_id: str, view: View, view_hash: str = "") -> Shown:
        """Another face for a dialog; with its hash, only if nobody changed it since."""
        return _shown(await self._write("views.update", _hashed({"view_id": view_id}, view, view_hash)))

    async def publish_home(self, user: str, view: View, view_hash: str = "") -> Shown:
        """Somebody's App Home."""
        return _shown(await self._write("views.publish", _hashed({"user_id": user}, view, view_hash)))

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    async def find_card(self, channel: str, case_id: str, oldest: datetime) -> str | None:
        """The ts of our newest card of a case that was posted since; None where there is none.

        Needs ``channels:history`` (``groups:history`` in a private channel).
        """
        messages = self._messages("conversations.history", {"channel": channel}, oldest)
        return await self._find(messages, CASE_CARD, "case", case_id)

    async def find_line(self, channel: str, key: str, oldest: datetime, thread_ts: str = "") -> str | None:
        """The ts of our message with this key: in a thread, or in the channel itself."""
        method, where = "conversations.history", {"channel": channel}
        if thread_ts:
            method, where = "conversations.replies", {"channel": channel, "ts": thread_ts}
        return await self._find(self._messages(method, where, oldest), LINE, "key", key)

    async def _find(
        self, messages: AsyncIterator[Mapping[str, Any]], kind: str, name: str, value: str
    ) -> str | None:
        me = (await self.auth()).user_id
        found = [
            str(message.get("ts"))
            async for message in messages
            # Any app may write metadata: only our own messages are ours.
            if message.get("user") == me and _payload(message, kind).get(name) == value
        ]
        return max(found, default=None)

    def _messages(
        self, method: str, where: Mapping[str, str], oldest: datetime
    ) -> AsyncIterator[Mapping[str, Any]]:
        since = f"{(oldest - SKEW).timestamp():.6f}"
        return self._pages(method, "messages", {**where, "oldest": since, "include_all_metadata": True})

    # ── the workspace ────────────────────────────────────────────────────────────────────────────

    async def auth(self) -> Auth:
        """Who this token is, remembered for five minutes."""
        return await self._auth.get("", self.check_auth)

    async def check_auth(self) -> Auth:
        """Who this token is, asked now."""
        answer, headers = await self._answer("auth.test", json={})
        scopes = str(headers.get("X-OAuth-Scopes", "")).split(",")
        return Auth(
            team=str(answer.get("team", "")),
            team_id=str(answer.get("team_id", "")),
            bot_id=str(answer.get("bot_id", "")),
            user_id=str(answer.get("user_id", "")),
            scopes=frozenset(scope.strip() for scope in scopes if scope.strip()),
        )

    async def person(self, user_id: str) -> Person:
        """Somebody, as Slack knows them; remembered for five minutes."""
        return await self._people.get(user_id, lambda: self._person(user_id))

    async def _person(self, user_id: str) -> Person:
        answer = await self._read("users.info", {"user": user_id})
        return _person(_mapping(answer.get("user")), user_id, (await self.auth()).team_id)

    async def channel_id(self, name: str) -> str:
        """The id of a ``#channel`` or of the ``@person`` whom a direct message reaches; ids pass through."""
        bare = name.strip().lstrip("#@").lower()
        if _ID.fullmatch(name.strip()):
            return name.strip()
        if name.strip().startswith("@"):
            return _known(await self._handles.get("", self._all_handles), bare, "user_not_found")
        channels = await self._channels.get("", self._all_channels)
        if bare not in channels:
            # Made, renamed or joined since we looked.
            self._channels.forget()
            channels = await self._channels.get("", self._all_channels)
        return _known(channels, bare, "channel_not_found")

    async def _all_channels(self) -> dict[str, str]:
        try:
            return await self._channels_of("public_channel,private_channel")
        except NotPosted as refused:
            if refused.reason != "missing_scope":
                raise
        # Without groups:read only public channels have names for us.
        return await self._channels_of("public_channel")

    async def _channels_of(self, types: str) -> dict[str, str]:
        listed = self._pages("conversations.list", "channels", {"types": types, "exclude_archived": True})
        return {str(channel.get("name")).lower(): str(channel.get("id")) async for channel in listed}

    async def _all_handles(self) -> dict[str, str]:
        names: dict[str, str] = {}
        async for user in self._pages("users.list", "members", {}):
            if not user.get("deleted"):
                shown = str(_mapping(user.get("profile")).get("display_name") or "").lower()
                names[str(user.get("name")).lower()] = str(user.get("id"))
                names.setdefault(shown, str(user.get("id")))
        return names

    async def group_id(self, handle: str) -> str:
        """The id of a user group, by its ``@handle`` or its id."""
        bare = handle.strip().lstrip("@")
        if _GROUP_ID.fullmatch(bare):
            return bare
        return _known(await self._groups.get("", self._all_groups), bare.lower(), "no_such_subteam")

    async def _all_groups(self) -> dict[str, str]:
        answer = await self._read("usergroups.list", {})
        groups = [_mapping(group) for group in answer.get("usergroups") or []]
        return {str(group.get("handle")).lower(): str(group.get("id")) for group in groups}

    async def group_members(self, group: str) -> frozenset[str]:
        """The user ids of a group, by its ``@handle`` or its id; remembered for five minutes."""
        return await self._members.get(group, lambda: self._group_members(group))

    async def _group_members(self, group: str) -> frozenset[str]:
        answer = await self._read("usergroups.users.list", {"usergroup": await self.group_id(group)})
        return frozenset(str(user) for user in answer.get("users") or [])

    # ── calling ──────────────────────────────────────────────────────────────────────────────────

    async def _pages(
        self, method: str, items: str, arguments: Mapping[str, object]
    ) -> AsyncIterator[Mapping[str, Any]]:
        cursor = ""
        for _ in range(AT_MOST_PAGES):
            more = {"cursor": cursor} if cursor else {}
            answer = await self._read(method, {**arguments, "limit": A_PAGE, **more})
            for item in answer.get(items) or []:
                yield _mapping(item)
            cursor = str(_mapping(answer.get("response_metadata")).get("next_cursor") or "")
            if not cursor:
                return

    async def _write(self, method: str, arguments: Mapping[str, object]) -> Mapping[str, Any]:
        answer, _ = await self._answer(method, json=dict(arguments))
        return answer

    async def _read(self, method: str, arguments: Mapping[str, object]) -> Mapping[str, Any]:
        # Slack's reading methods take no JSON.
        answer, _ = await self._answer(method, http_verb="GET", params=dict(arguments))
        return answer

    async def _answer(self, method: str, **request: Any) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        # Nothing is chained: slack_sdk's errors hold what Slack answered, aiohttp's the address.
        try:
            self._open()
            answer = await self._client.api_call(method, **request)
        except SlackApiError as error:
            raise _refused(method, error) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise refusal(method, "unreachable") from None
        except _Redirected:
            raise refusal(method, "redirected") from None
        except _NO_ANSWER as error:
            raise Lost(method, type(error).__name__) from None
        return _mapping(answer.data), answer.headers

    def _open(self) -> None:
        """A session of our own, made where the loop runs: slack_sdk's follows any redirect."""
        if self._client.session is None or self._client.session.closed:
            watch = aiohttp.TraceConfig()
            watch.on_request_redirect.append(_refuse_redirect)
            self._client.session = aiohttp.ClientSession(
                # A connection that was kept may be dead already, and a post on it is lost for nothing.
                connector=aiohttp.TCPConnector(force_close=True),
                timeout=aiohttp.ClientTimeout(total=TOTAL_S, sock_connect=CONNECT_S),
                trace_configs=[watch],
            )


async def _refuse_redirect(*_: object) -> NoReturn:
    raise _Redirected


def _quiet() -> logging.Logger:
    """slack_sdk logs whole messages at its lowest level, and takes "not set" for that."""
    logger = logging.getLogger("heard.slack_sdk")
    logger.setLevel(logging.WARNING)
    return logger


def _refused(method: str, error: SlackApiError) -> SlackTrouble:
    response: Any = error.response
    status: Any = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    headers = getattr(response, "headers", {})
    body = _mapping(getattr(response, "data", None))
    trouble = trouble_of(method, int(status), headers, body)
    messages = _mapping(body.get("response_metadata")).get("messages") or []
    pointers = _POINTER.findall(" ".join(map(str, messages)))
    if pointers and isinstance(trouble, NotPosted):
        # Where it is wrong, never what is there.
        words = f"{trouble.words} (at {', '.join(pointers[:3])})"
        return NotPosted(method, trouble.reason, words, trouble.fix, permanent=True)
    return trouble


def _known(names: Mapping[str, str], name: str, reason: str) -> str:
    found = names.get(name)
    if found is None:
        raise refusal("looking it up", reason)
    return found


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _payload(message: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    metadata = _mapping(message.get("metadata"))
    return _mapping(metadata.get("event_payload")) if metadata.get("event_type") == kind else {}


def _sent(answer: Mapping[str, Any]) -> Sent:
    return Sent(ts=str(answer.get("ts", "")), channel=str(answer.get("channel", "")))


def _shown(answer: Mapping[str, Any]) -> Shown:
    view = _mapping(answer.get("view"))
    return Shown(view_id=str(view.get("id", "")), hash=str(view.get("hash", "")))


def _hashed(where: Block, view: View, view_hash: str) -> Block:
    arguments = {**where, "view": view.as_json()}
    return {**arguments, "hash": view_hash} if view_hash else arguments


def _person(user: Mapping[str, Any], user_id: str, own_team: str) -> Person:
    profile = _mapping(user.get("profile"))
    name = (
        profile.get("display_name") or profile.get("real_name") or user.get("real_name") or user.get("name")
    )
    teams = _mapping(user.get("enterprise_user")).get("teams") or []
    team = own_team if own_team in teams else str(user.get("team_id") or profile.get("team") or "unknown")
    return Person(
        id=user_id,
        name=str(name or user_id),
        team=team,
        guest=any(user.get(flag) for flag in ("is_restricted", "is_ultra_restricted", "is_stranger")),
        bot=bool(user.get("is_bot") or user.get("is_workflow_bot") or user_id == "USLACKBOT"),
        deleted=bool(user.get("deleted")),
    )
