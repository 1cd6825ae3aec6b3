"""Slack's requests, through bolt: read, stored on disk, and only then acknowledged. Nothing is decided here.

What needs a dialog gets it at once, as a trigger lives for three seconds. Everything else waits in the box
for `escalation.press_worker`. Bolt would acknowledge before anything is stored (S3): here the order is put,
then ack. Every press is answered, also one that nobody knows.
"""

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from casework.case import Case
from casework.decisions import Action, Ask, objections, problems_of
from casework.words import clock_time
from escalation import cards, commands, dialogs, home
from escalation.cards import Look
from escalation.press_plans import OPENS, STAYS_OPEN
from escalation.presses import COMMAND, NotOurs, Press, read_press
from escalation.roles import Person
from escalation.slack_desk import SlackDesk, place_of
from escalation.slack_payload import Block, Payload, View, esc, section
from escalation.slack_web import SlackTrouble
from streams.connection import NO_STORE
from streams.locks import lease

log = structlog.get_logger(__name__)

Ack: TypeAlias = Callable[..., Awaitable[Any]]
Body: TypeAlias = dict[str, Any]

STORE_LOST: Final = (
    "Heard cannot reach its store just now, so your click was not taken. Press again in a moment."
)
GONE: Final = "This card belongs to a case that is not here any more."
_ANY: Final = re.compile(r"[\s\S]*")
AT_ONCE: Final = 16
"""So many requests use the store at a time: redis-py refuses the 101st connection, and a click with it."""


def build_app(
    desk: SlackDesk,
    *,
    token: str,
    api_url: str = "https://slack.com/api/",
    signing_secret: str = "",
) -> AsyncApp:
    """The bolt app over a desk; ``signing_secret`` is needed for HTTP alone."""
    app = AsyncApp(
        # Bolt silences the logger of this name, and with it every one below it.
        name="slack_bolt_app",
        client=AsyncWebClient(token, base_url=api_url, retry_handlers=[], timeout=10, logger=_quiet()),
        authorize=_as_ourselves(token),
        signing_secret=signing_secret,
        # Socket Mode's requests are not signed; without a secret there is no HTTP.
        request_verification_enabled=bool(signing_secret),
        logger=_quiet(),
    )
    listeners = _Listeners(desk)
    app.action(_ANY)(listeners.pressed)
    app.view(_ANY)(listeners.pressed)
    app.view_closed(_ANY)(listeners.pressed)
    app.shortcut(_ANY)(listeners.pressed)
    app.command(_ANY)(listeners.pressed)
    app.event(_ANY)(listeners.happened)
    app.error(listeners.went_wrong)
    return app


def _as_ourselves(token: str) -> Callable[..., Awaitable[AuthorizeResult]]:
    """Whose requests these are: one workspace's. Bolt's own way asks Slack first, who may be out of reach."""

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token)

    return authorize


class _Listeners:
    """What bolt calls."""

    def __init__(self, desk: SlackDesk) -> None:
        self._desk = desk
        self._telling = set[asyncio.Task[None]]()
        self._room = asyncio.Semaphore(AT_ONCE)

    async def pressed(self, body: Body, ack: Ack) -> None:
        """A click, a dialog, a shortcut or a command."""
        press = read_press(body, self._desk.clock.now())
        if isinstance(press, NotOurs):
            await ack()
            await self._answer(press.by, press.channel, press.words, press.thread_ts)
        elif press.action.startswith("link."):
            # The browser is open already; Slack only tells.
            await ack()
        elif await self._opened(press, str(body.get("trigger_id") or "")):
            await ack()
        else:
            await self._keep(press, ack)

    async def happened(self, body: Body) -> None:
        """An event: bolt acknowledges it by itself, so nothing may hang on it that must not be lost."""
        press = read_press(body, self._desk.clock.now())
        if (
            not isinstance(press, Press)
            or press.action != "app_home_opened"
            or press.then not in ("", "home")
        ):
            return
        person = await self._desk.web.person(press.by)
        if self._desk.team().objection(person, commands.NEEDS["queue"]) is not None:
            view = home.first_run(self._desk.look(), await self._desk.steps(), guide=self._desk.guide)
        else:
            page = home.read_page(_mapping(_mapping(body.get("event")).get("view")).get("private_metadata"))
            view = await self._desk.home_of(await self._desk.name(person), page)
        await self._desk.web.publish_home(press.by, view)

    async def _keep(self, press: Press, ack: Ack) -> None:
        async with self._room:
            refusal = await self._refusal(press)
            if refusal is None:
                await self._desk.box.put(press.id, press.to_bytes())
        if refusal is not None:
            await ack(**refusal)
            return
        if press.action in STAYS_OPEN:
            await ack(response_action="update", view=_waits(press).as_json())
        else:
            await ack()

    async def _refusal(self, press: Press) -> Block | None:
        """What is wrong with what was filled in, to be said beside it while it is still there."""
        if press.action == "snooze.submit":
            ask = Ask(press.version, by=press.by, until=press.until)
            problems = problems_of(Action.SNOOZE, ask, self._desk.clock.now())
            return dialogs.errors("until", " ".join(problems)) if problems else None
        if press.action != "edit.submit":
            return None
        (case,) = await self._desk.cases.load_all([press.case])
        if case is None:
            return None
        return dialogs.edit_errors(objections(self._desk.circumstances(), case, press.text))

    # ── dialogs ──────────────────────────────────────────────────────────────────────────────────

    async def _opened(self, press: Press, trigger: str) -> bool:
        """Open the dialog that a press asks for; False where it asks for none."""
        if press.action == "practice.show" or press.action == "home.more.practice":
            await self._open(press, trigger, _shows(home.practice_card(self._desk.look()), "Practice"))
            return True
        wanted = _dialog_of(press)
        if wanted is None:
            return False
        action, case_id = wanted
        try:
            person = await self._desk.web.person(press.by)
        except SlackTrouble as trouble:
            await self._answer(press.by, press.channel, esc(str(trouble), 300), press.thread_ts)
            return True
        # Before anybody types in vain.
        objection = self._desk.team().objection(person, OPENS[action])
        if objection is not None:
            await self._answer(press.by, press.channel, objection, press.thread_ts)
            return True
        async with self._room:
            (case,) = await self._desk.cases.load_all([case_id])
        if case is None:
            await self._answer(press.by, press.channel, GONE, press.thread_ts)
        elif action == "card.edit":
            await self._edit(press, trigger, case, person)
        else:
            look = await self._desk.look_at(case.id)
            await self._open(press, trigger, _view(self._desk, action, press, case, look))
        return True

    async def _edit(self, press: Press, trigger: str, case: Case, person: Person) -> None:
        """Open the editor, unless a colleague has it open."""
        desk, look = self._desk, self._desk.look()
        held = await desk.locks.take(case.id, lease(press.by, await desk.name(person), desk.clock.now()))
        if held.owner != press.by:
            since = clock_time(held.since, look.timezone, look.now)
            words = f"{esc(held.by, 80)} is editing since {since}, so nobody answers twice. "
            await self._answer(
                press.by, press.channel, f"{words}The card lets you take over.", press.thread_ts
            )
        else:
            text = case.draft.text if case.draft else ""
            found = objections(desk.circumstances(), case, text) if text else []
            view = dialogs.edit(case, look, place_of(press), objections=found)
            # A text too long for Slack's box is shown where it can be edited: nobody edits it here.
            if not await self._open(press, trigger, view) or not view.submit:
                await desk.locks.release(case.id, press.by)
        await desk.changed(case.id)

    async def _open(self, press: Press, trigger: str, view: View) -> bool:
        try:
            await self._desk.web.open_view(trigger, view)
        except SlackTrouble as trouble:
            await self._answer(press.by, press.channel, esc(str(trouble), 300), press.thread_ts)
            return False
        return True

    # ── answering ────────────────────────────────────────────────────────────────────────────────

    async def _answer(self, by: str, channel: str, words: str, thread_ts: str = "") -> None:
        """Say something to whoever pressed, as far as Slack lets us; ``words`` are mrkdwn of our own."""
        if not by:
            return
        try:
            if channel and not channel.startswith("D"):
                await self._desk.web.ephemeral(channel, by, words, thread_ts)
                return
        except SlackTrouble as trouble:
            log.info("answered in a direct message", reason=trouble.reason)
        try:
            await self._desk.web.post(by, Payload(words, (section(words, "told"),)))
        except SlackTrouble as trouble:
            log.warning("nobody could be answered", reason=trouble.reason)

    async def went_wrong(
        self, error: Exception, body: Body, response: BoltResponse | None
    ) -> BoltResponse | None:
        """Whatever a listener raised: a number for the person and the log, never an exception.

        What was not stored for want of the store is not acknowledged: Slack says so, or sends it again.
        """
        lost = isinstance(error, NO_STORE)
        press = read_press(body, self._desk.clock.now())
        known = isinstance(press, Press)
        number = f"err-{press.id[:6] if isinstance(press, Press) else uuid.uuid4().hex[:6]}"
        action = press.action if isinstance(press, Press) else "not ours"
        log.error("slack request failed", number=number, error=type(error).__name__, action=action)
        words = f"Something went wrong, and nothing was done. Quote `{number}` to your admin."
        if lost:
            words = STORE_LOST
        # Beside the answer to Slack, which must not wait for another call.
        telling = asyncio.create_task(self._answer(press.by, press.channel, words, press.thread_ts))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        if response is None:
            return None
        return BoltResponse(status=503 if lost and known else 200, body="")


def _dialog_of(press: Press) -> tuple[str, str] | None:
    """The dialog that a press asks for, and the case that it is about."""
    if press.action in OPENS:
        return press.action, press.case
    command = commands.read_command(press.text) if press.action == COMMAND else None
    if command is not None and command.word == "case" and command.case:
        return "home.open", command.case
    return None


def _view(desk: SlackDesk, action: str, press: Press, case: Case, look: Look) -> View:
    """A dialog about a case."""
    place = place_of(press)
    made: Mapping[str, Callable[[], View]] = {
        "card.reject": lambda: dialogs.reject(case, place),
        "card.close": lambda: dialogs.close(case, place),
        "card.note": lambda: dialogs.note(case, place),
        "card.posted": lambda: dialogs.posted(case, look, place),
        "card.assign": lambda: dialogs.assign(case, place),
        "card.snooze.until": lambda: dialogs.snooze(case, look, place),
        "card.more.relabel": lambda: dialogs.relabel(case, place),
        "card.more.escalate": lambda: dialogs.escalate(case, place, to=desk.escalate_to),
        "card.more.explain": lambda: dialogs.explain(
            case, look, place, rule_words=desk.rule_words(case.rule)
        ),
        "breach.row.assign": lambda: dialogs.assign(case, place),
    }
    draw = made.get(action)
    return draw() if draw else _shows(cards.card(case, look), case.id)


def _shows(card: Payload, title: str) -> View:
    """A card as a dialog: the same words, the same buttons."""
    return View("modal", card.blocks, "card", title)


def _waits(press: Press) -> View:
    words = "Heard looks whether this may go out…" if press.action == "edit.submit" else "Saving…"
    return dialogs.done("One moment", words)


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _quiet() -> logging.Logger:
    # Bolt and the SDK write whole payloads into their logs: people's words.
    logger = logging.getLogger("heard.slack_bolt")
    logger.setLevel(logging.CRITICAL)
    return logger
