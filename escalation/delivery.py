"""What Slack shows follows the cases: every card that is dirty is posted or drawn again, once, in time.

Nothing here decides anything. A message is posted in four steps (intent stored, posted, recorded, done), so
that wherever it all dies the next look finds what became of it by the message's metadata (rules 2.2). One
loop keeps Slack's pace, lets people's own actions go first, and tells a flood in one message.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from casework.case import WITH_PEOPLE, Case, Standing, standing
from casework.clock import Clock
from casework.errors import HeardError, TryAgainLater
from escalation.slack_payload import Block, Payload, link, section
from escalation.slack_web import (
    CASE_CARD,
    LINE,
    Auth,
    LoginRefused,
    Lost,
    NotPosted,
    RateLimited,
    Sent,
    SlackTrouble,
)
from platforms.limits import Budget, Limit
from streams.cards import LEASE, Card, CardIndex, Quote, Taken
from streams.case_store import CaseStore
from streams.connection import LOST, NO_STORE, end_if_cancelled

log = structlog.get_logger(__name__)

_RATES: Final = "docs.slack.dev/apis/web-api/rate-limits"
A_POST: Final = Limit("a post", 1, timedelta(seconds=1), _RATES)
POSTS: Final = Limit("posts", 240, timedelta(minutes=1), _RATES)
UPDATES: Final = Limit("updates", 40, timedelta(minutes=1), _RATES)
REST_OF_POSTS: Final = Limit("rest of posts", 100_000, timedelta(hours=1))
REST_OF_UPDATES: Final = Limit("rest of updates", 100_000, timedelta(hours=1))
"""These are never used up: they hold how long Slack asked us to wait, for every process."""
UPDATES_THAT_WAIT: Final = Limit("updates that wait", 30, timedelta(minutes=1))
"""What happens by itself leaves ten updates a minute to what people do."""
NEW_CARDS: Final = Limit("new cards", 20, timedelta(minutes=10))
"""More is a flood, told in one message."""

FLOOD_EVERY: Final = timedelta(seconds=45)
LOOK_AFTER: Final = timedelta(seconds=15)
"""A post that is not answered in 10 s may still arrive: posts of killed processes came up to 5 s later."""
PROBE: Final = timedelta(seconds=20)
AGAIN: Final = timedelta(minutes=10)
IDLE: Final = timedelta(milliseconds=250)
GIVE_WAY: Final = timedelta(milliseconds=200)
PATIENCE: Final = timedelta(seconds=5)
AT_ONCE: Final = 8
"""How many are taken in one step: what a person does meanwhile waits for no more than these."""
WORKSPACE: Final = "workspace"
"""The name under which the index keeps what is wrong with Slack as a whole."""

FLOOD: Final = "flood"
BREACH: Final = "breach"
GONE: Final = "gone"
_WORDS_GONE: Final = "The author deleted this post, so its words were removed here."
_UNSHOWABLE: Final = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "invalid_arguments", "msg_too_long", "msg_blocks_too_long"}
)
_CLOSED: Final = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "restricted_action_read_only_channel",
        "missing_scope",
    }
)
"""Refusals that every post to the channel would meet: one asks for all whether it is mended."""


class Messages(Protocol):
    """What is needed of `escalation.slack_web.Web`."""

    async def post(
        self, channel: str, payload: Payload, thread_ts: str = "", metadata: Block | None = None
    ) -> Sent:
        """A new message."""
        ...

    async def update(self, channel: str, ts: str, payload: Payload) -> Sent:
        """Another face for a message."""
        ...

    async def find_card(self, channel: str, case_id: str, oldest: datetime) -> str | None:
        """A case's card that was posted since."""
        ...

    async def find_line(self, channel: str, key: str, oldest: datetime, thread_ts: str = "") -> str | None:
        """Any other message of ours that was posted since."""
        ...

    async def channel_id(self, name: str) -> str:
        """The id of a channel or person."""
        ...

    async def auth(self) -> Auth:
        """Who we are."""
        ...


@dataclass(frozen=True, slots=True)
class Flood:
    """How many cases a flooded channel holds back, how they stand, and since when the oldest waits."""

    held_back: int
    at_risk: int = 0
    late: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """How everything looks; a card and a board may look things up to say so.

    ``page`` is a case's page on the desk, for when Slack cannot show its card. ``simpler`` is a board without
    what some workspaces cannot show yet; None where nothing is left out.
    """

    card: Callable[[Case], Awaitable[Payload]]
    flood: Callable[[Flood], Payload]
    breach: Callable[[Sequence[Case]], Awaitable[Payload]]
    page: Callable[[str], str | None] = lambda _case: None
    simpler: Callable[[Payload], Payload | None] = lambda _payload: None


@dataclass(frozen=True, slots=True)
class _Message:
    """Something that Slack is to show, and the cases that it quotes. Versions of a name only ever grow."""

    name: str
    channel: str
    payload: Payload
    version: int
    urgent: bool
    thread_ts: str = ""
    cases: tuple[Case, ...] = ()
    wanted: bool = True
    counted: bool = False

    @property
    def case(self) -> Case | None:
        """The case whose card this is."""
        return next((case for case in self.cases if case.id == self.name), None)

    @property
    def metadata(self) -> Block:
        """By what it is found again."""
        if self.case is not None:
            payload = {"case": self.case.id, "version": self.version}
            return {"event_type": CASE_CARD, "event_payload": payload}
        return {"event_type": LINE, "event_payload": {"key": self.name}}


class _NotYet(Exception):
    """It is not the time; ``why`` in words, if that is nothing ordinary."""

    def __init__(self, wait: timedelta, why: str = "") -> None:
        super().__init__(f"in {wait.total_seconds():.1f} s")
        self.wait = wait
        self.why = why


def board_name(channel: str, since: datetime) -> str:
    """The message for the promises that broke within a stretch of time."""
    return f"{BREACH}:{channel}:{int(since.timestamp())}"


def needs_people(case: Case) -> bool:
    """Whether a case that has no card is given one."""
    return case.status in WITH_PEOPLE


class Delivery:
    """Delivers what is dirty. Any number may run: what one has taken, no other touches.

    ``channel`` is where cards go, by name or id; ``wanted`` says which cases are given a card; ``sleep``
    takes seconds.
    """

    def __init__(
        self,
        web: Messages,
        cards: CardIndex,
        cases: CaseStore,
        budget: Budget,
        clock: Clock,
        *,
        channel: str,
        drawing: Drawing,
        wanted: Callable[[Case], bool] = needs_people,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._web = web
        self._cards = cards
        self._cases = cases
        self._budget = budget
        self._clock = clock
        self._channel = channel
        self._drawing = drawing
        self._wanted = wanted
        self._sleep = sleep
        self._team = ""
        self._rests_until = datetime.min.replace(tzinfo=UTC)
        self._closed: dict[str, tuple[datetime, str]] = {}
        self._too_rich: dict[str, str] = {}
        self._turns: dict[str, datetime] = {}
        self._in_line: dict[str, datetime] = {}
        self._callers: Counter[str] = Counter()
        # A trouble of an earlier process may be in the store.
        self._troubled = True
        self._last_trouble = ""

    def trouble(self) -> str:
        """Why the last call of Slack did not do it, in words; nothing once one does."""
        return self._last_trouble

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Deliver until cancelled, through lost connections."""
        while True:
            try:
                wait = await self.step()
            except LOST as error:
                log.warning("store lost, trying again", error=type(error).__name__)
                wait = timedelta(seconds=1)
            end_if_cancelled()
            await self._sleep(wait.total_seconds())

    async def step(self) -> timedelta:
        """Deliver what is next; returns how long nothing else can be done."""
        rest = self._rests_until - self._clock.now()
        if rest > timedelta(0):
            return rest
        taken = await self._cards.take_dirty(self._clock.now(), AT_ONCE)
        for one in taken:
            await self._deliver(one)
        return timedelta(0) if taken else IDLE

    async def _deliver(self, taken: Taken) -> None:
        """Show one, or say when and why not."""
        try:
            rest = self._rests_until - self._clock.now()
            if rest > timedelta(0):
                raise _NotYet(rest)
            await self._one(taken)
        except _NotYet as not_yet:
            if not_yet.why:
                await self._cards.trouble(taken.name, not_yet.why)
            await self._cards.later(taken, self._clock.now() + not_yet.wait)
        except SlackTrouble as trouble:
            wait = await self._met(trouble)
            # Not for what passes by itself: the desk shows reasons, no weather.
            if isinstance(trouble, NotPosted | LoginRefused):
                await self._cards.trouble(taken.name, str(trouble))
            await self._cards.later(taken, self._clock.now() + wait)
        except NO_STORE:
            raise
        except Exception as error:
            # A record that cannot be read, or a bug, is this card's trouble and nobody else's.
            log.error("card not delivered", case=taken.name, error=type(error).__name__)
            words = str(error) if isinstance(error, HeardError) else "Something went wrong in Heard."
            await self._cards.trouble(taken.name, words)
            await self._cards.later(taken, self._clock.now() + AGAIN)
        else:
            await self._cards.done(taken)

    async def _met(self, trouble: SlackTrouble) -> timedelta:
        """What a trouble means for everything else; returns when this one may be tried again."""
        log.warning("slack", method=trouble.method, reason=trouble.reason)
        self._last_trouble = str(trouble)
        now = self._clock.now()
        if isinstance(trouble, RateLimited):
            limit = {"chat.postMessage": REST_OF_POSTS, "chat.update": REST_OF_UPDATES}.get(trouble.method)
            if limit is not None:
                account = await self._workspace()
                await self._budget.told(account, limit, left=0, until=now + trouble.after)
        elif isinstance(trouble, LoginRefused):
            self._rests_until, self._troubled = now + trouble.after, True
            await self._cards.trouble(WORKSPACE, str(trouble))
        elif isinstance(trouble, NotPosted) and trouble.permanent:
            return PROBE if trouble.reason in _CLOSED else AGAIN
        return trouble.after

    async def _one(self, taken: Taken) -> None:
        kind, _, rest = taken.name.partition(":")
        if kind == FLOOD:
            await self._show_flood(taken.name, rest)
        elif kind == BREACH:
            await self._show_breach(taken.name, rest.rpartition(":")[0])
        elif kind == GONE:
            await self._take_words_away(rest)
        else:
            await self._show_card(taken)

    # ── cards ────────────────────────────────────────────────────────────────────────────────────

    async def _show_card(self, taken: Taken) -> None:
        (case,) = await self._cases.load_all([taken.name])
        if case is None:
            return
        channel = await self._web.channel_id(self._channel)
        card, wanted = await self._cards.of(case.id), self._wanted(case)
        by_hand = taken.urgent or case.owner is not None
        if card is None or not (card.ts or card.intent):
            if not wanted:
                await self._let_go(channel, case.id)
                return
            if not by_hand and await self._flooded(channel, case.id):
                # Its flood keeps it from here on.
                await self._cards.hold_back(channel, case.id, at=self._clock.now())
                await self._tell_flood(channel)
                return
        message = _Message(
            name=case.id,
            channel=channel,
            payload=await self._drawn(case),
            version=case.version,
            urgent=taken.urgent,
            cases=(case,),
            wanted=wanted,
            counted=not by_hand and (card is None or card.intent is None),
        )
        ts = await self._show(message)
        if ts is not None:
            await self._let_go(channel, case.id)

    async def _drawn(self, case: Case) -> Payload:
        try:
            return await self._drawing.card(case)
        except NO_STORE:
            raise
        except Exception as error:
            # Whatever a stranger wrote, a person sees that there is a case.
            log.error("card not drawn", case=case.id, error=type(error).__name__)
            return self._linked(case.id, f"This case waits for you. Case {case.id}.")

    def _linked(self, case_id: str, text: str) -> Payload:
        open_it = link(self._drawing.page(case_id), f"Open {case_id} on the web desk")
        told = f"{text}\nIts card cannot be shown in Slack. {open_it}"
        return Payload(text, (section(told, f"plain:{case_id}"),))

    # ── any message ──────────────────────────────────────────────────────────────────────────────

    async def _show(self, message: _Message) -> str | None:
        """Have Slack show a message once, at its newest; returns its ts, None if it is wanted no more."""
        card = await self._cards.of(message.name)
        if card is not None and card.intent is not None:
            card = await self._found(message, card, card.intent)
        if card is not None and card.ts:
            await self._update(message, card)
            return card.ts
        if not message.wanted:
            await self._cards.forget(message.name)
            return None
        return await self._post(message, card.intent if card else None)

    async def _found(self, message: _Message, card: Card, intent: datetime) -> Card | None:
        """What became of a post that nobody heard of: the card as it is now."""
        wait = intent + LOOK_AFTER - self._clock.now()
        if wait > timedelta(0):
            raise _NotYet(wait)
        try:
            ts = await self._look(message, card, intent)
        except NotPosted as refused:
            if not refused.permanent:
                raise
            # Without the scope to look: a card too many is ugly, a case that nobody sees is worse.
            log.warning("cannot look for a post", case=message.name, reason=refused.reason)
            return card
        if ts is None:
            return card
        await self._cards.posted(message.name, card.channel, ts, 0, at=self._clock.now())
        return await self._cards.of(message.name)

    async def _look(self, message: _Message, card: Card, since: datetime) -> str | None:
        if message.case is not None:
            return await self._web.find_card(card.channel, message.case.id, since)
        return await self._web.find_line(card.channel, message.name, since, message.thread_ts)

    async def _post(self, message: _Message, after: datetime | None) -> str:
        now = self._clock.now()
        closed_until, why = self._closed.get(message.channel, (now, ""))
        if now < closed_until and not message.urgent:
            raise _NotYet(closed_until - now, why)
        try:
            await self._may_post(message)
        except _NotYet as not_yet:
            if message.counted:
                self._in_line[message.name] = now + not_yet.wait
            raise
        if not await self._cards.intend(message.name, message.channel, now, after=after):
            raise _NotYet(LOOK_AFTER)
        try:
            sent = await self._web.post(
                message.channel, self._fitting(message), message.thread_ts, message.metadata
            )
        except Lost as lost:
            log.warning("slack", method=lost.method, reason=lost.reason)
            self._last_trouble = str(lost)
            raise _NotYet(LOOK_AFTER) from lost
        except SlackTrouble as trouble:
            await self._cards.drop_intent(message.name)
            if isinstance(trouble, NotPosted) and trouble.reason in _CLOSED:
                self._closed[message.channel] = (now + PROBE, str(trouble))
            self._refused(message, trouble)
            raise
        self._closed.pop(message.channel, None)
        if message.counted:
            await self._budget.take(f"{await self._workspace()}:{message.channel}", (NEW_CARDS,))
        await self._record(message, sent.channel, sent.ts)
        return sent.ts

    async def _update(self, message: _Message, card: Card) -> None:
        if card.shown > message.version:
            return
        if card.digest != _digest(message.payload):
            await self._may_update(urgent=message.urgent)
            try:
                await self._web.update(card.channel, card.ts, self._fitting(message))
            except NotPosted as refused:
                if refused.reason == "message_not_found":
                    # Somebody deleted it; whoever still needs it is given another.
                    await self._cards.forget(message.name)
                    raise _NotYet(timedelta(0)) from refused
                self._refused(message, refused)
                raise
        await self._record(message, card.channel, card.ts)

    def _refused(self, message: _Message, trouble: SlackTrouble) -> None:
        """Once more, with less, if Slack cannot show what it was sent."""
        digest = _digest(message.payload)
        if trouble.reason in _UNSHOWABLE and self._too_rich.get(message.name) != digest:
            self._too_rich[message.name] = digest
            raise _NotYet(timedelta(seconds=1)) from trouble

    def _fitting(self, message: _Message) -> Payload:
        if self._too_rich.get(message.name) != _digest(message.payload):
            return message.payload
        simpler = None if message.case else self._drawing.simpler(message.payload)
        return simpler or self._linked(message.case.id if message.case else "", message.payload.text)

    async def _record(self, message: _Message, channel: str, ts: str) -> None:
        """Slack shows it: so says the index, with whom it quotes."""
        self._last_trouble = ""
        digest = _digest(message.payload)
        keys = [mention.key for case in message.cases for mention in case.mentions]
        await self._cards.quotes(keys, Quote(channel, ts, message.name))
        now = self._clock.now()
        if not await self._cards.posted(message.name, channel, ts, message.version, digest, at=now):
            # Somebody drew a newer one meanwhile, and ours came after it.
            await self._cards.dirty(message.name, at=now, urgent=True)
        if self._too_rich.pop(message.name, None) == digest:
            await self._cards.trouble(message.name, "Slack cannot show this card whole. Open it on the desk.")
        if self._troubled:
            self._troubled = False
            await self._cards.forget(WORKSPACE)

    # ── pace ─────────────────────────────────────────────────────────────────────────────────────

    async def _workspace(self) -> str:
        """Whose budget it is; asked once, as a token never changes its workspace."""
        self._team = self._team or (await self._web.auth()).team_id
        return f"slack:{self._team}"

    async def _may_post(self, message: _Message) -> None:
        if self._callers[message.channel] and not message.urgent:
            raise _NotYet(GIVE_WAY)
        workspace = await self._workspace()
        account = f"{workspace}:{message.channel}"
        await self._spend(account, A_POST, urgent=message.urgent)
        await self._spend(workspace, POSTS, REST_OF_POSTS, urgent=message.urgent)

    async def _may_update(self, *, urgent: bool) -> None:
        more = () if urgent else (UPDATES_THAT_WAIT,)
        await self._spend(await self._workspace(), UPDATES, REST_OF_UPDATES, *more, urgent=urgent)

    async def _spend(self, account: str, *limits: Limit, urgent: bool) -> None:
        wait = await self._budget.take(account, limits)
        if wait is None:
            return
        if urgent:
            raise _NotYet(wait)
        # Each a turn behind the one before: a hundred that wait for one slot would ask a hundred times.
        slowest, now = max(limit.per / limit.amount for limit in limits), self._clock.now()
        line = f"{account}:{limits[0].name}"
        turn = max(self._turns.get(line, now), now + wait)
        self._turns[line] = turn + slowest
        raise _NotYet(turn - now)

    # ── floods ───────────────────────────────────────────────────────────────────────────────────

    async def _flooded(self, channel: str, name: str) -> bool:
        """Whether a new card must wait: too many came lately, or others wait and it is not its turn."""
        if self._in_line.pop(name, None):
            return await self._new_cards_left(channel) < 1
        held_back, waiting = await self._cards.turn_in_flood(channel, name)
        return (waiting > 0 and not held_back) or await self._room(channel) < 1

    async def _room(self, channel: str) -> int:
        """How many new cards a channel still takes, beside those that only wait for their second."""
        now = self._clock.now()
        self._in_line = {name: at for name, at in self._in_line.items() if at + LEASE > now}
        return await self._new_cards_left(channel) - len(self._in_line)

    async def _new_cards_left(self, channel: str) -> int:
        return await self._budget.left(f"{await self._workspace()}:{channel}", NEW_CARDS)

    async def _tell_flood(self, channel: str) -> None:
        await self._cards.dirty(f"{FLOOD}:{channel}", at=self._clock.now(), urgent=True)

    async def _let_go(self, channel: str, *names: str) -> None:
        if await self._cards.let_go(channel, *names):
            await self._tell_flood(channel)

    async def _show_flood(self, name: str, channel: str) -> None:
        """One message, drawn again at most every 45 s, until nothing is held back any more.

        It stays dirty as long, and lets out as many cards each time as the channel takes.
        """
        message, now = await self._cards.of(name), self._clock.now()
        if message is not None and message.shown_at is not None:
            wait = message.shown_at + FLOOD_EVERY - now
            if wait > timedelta(0):
                raise _NotYet(wait)
        waiting = await self._waiting_in(channel)
        if not waiting and (message is None or not (message.ts or message.intent)):
            return
        payload = self._drawing.flood(_counted(waiting))
        await self._show(_Message(name, channel, payload, version=_ms(now), urgent=True))
        if waiting:
            let_out = waiting[: max(0, await self._room(channel))]
            await self._cards.dirty_all([case.id for case in let_out], at=now)
            raise _NotYet(FLOOD_EVERY)
        await self._cards.forget(name)

    async def _waiting_in(self, channel: str) -> list[Case]:
        """The cases whose cards are held back, first come first; others are let go."""
        names = await self._cards.held_back(channel)
        cases = await self._cases.load_all(names)
        waiting = [case for case in cases if case is not None and self._wanted(case)]
        await self._cards.let_go(channel, *({*names} - {case.id for case in waiting}))
        return waiting

    async def in_flood(self, case_id: str) -> bool:
        """Whether a case has no card because its channel is flooded, and the channel was told so."""
        channel = await self._web.channel_id(self._channel)
        told = await self._cards.of(f"{FLOOD}:{channel}")
        held_back, _ = await self._cards.turn_in_flood(channel, case_id)
        return held_back and told is not None and bool(told.ts)

    # ── boards ───────────────────────────────────────────────────────────────────────────────────

    async def _show_breach(self, name: str, channel: str) -> None:
        late = await self._cards.gathered(name)
        if not late:
            return
        cases = tuple(case for case in await self._cases.load_all(late) if case is not None)
        payload = await self._drawing.breach(cases)
        await self._show(_Message(name, channel, payload, len(late), urgent=True, cases=cases))

    # ── deletions ────────────────────────────────────────────────────────────────────────────────

    async def redact(self, mention_key: str) -> None:
        """Take a mention's words off every message that shows them, also one that is being posted (X12).

        To be said once the case itself holds them no more; what is said is not forgotten.
        """
        known_as = await self._cards.shown_as(mention_key)
        await self._cards.gone(known_as)
        await self._cards.dirty(f"{GONE}:{known_as}", at=self._clock.now(), urgent=True)

    async def _take_words_away(self, mention_key: str) -> None:
        case_id = await self._cases.case_of(mention_key)
        drawn = {case_id} if case_id else set[str]()
        for quote in await self._cards.quoting(mention_key):
            if quote.name:
                drawn.add(quote.name)
            else:
                await self._blank(quote)
                await self._cards.quotes_no_more(mention_key, quote)
        await self._cards.dirty_all(drawn, at=self._clock.now(), urgent=True)

    async def _blank(self, quote: Quote) -> None:
        await self._may_update(urgent=True)
        payload = Payload(_WORDS_GONE, (section(f"🗑 {_WORDS_GONE}", f"gone:{quote.ts}"),))
        try:
            await self._web.update(quote.channel, quote.ts, payload)
        except NotPosted as refused:
            if refused.reason != "message_not_found":
                raise

    # ── threads ──────────────────────────────────────────────────────────────────────────────────

    async def say(self, case: Case, payload: Payload, key: str, quotes: Sequence[str] = ()) -> str:
        """Say something in a card's thread, once for each ``key`` of the case; returns its ts.

        A case that is given no card has it said in the channel. ``quotes`` are the keys of the mentions
        whose words it shows.

        Raises:
            TryAgainLater: the card is not posted yet, or `SlackTrouble`: call again with the same key.
        """
        name = f"line:{case.id}:{key}"
        line, card = await self._cards.of(name), await self._cards.of(case.id)
        if line is not None and line.ts:
            await self._quoted(quotes, line.channel, line.ts)
            return line.ts
        if (card is None or not card.ts) and self._wanted(case):
            raise TryAgainLater(f"the card of {case.id} is not in Slack yet", after=PATIENCE)
        thread = card if card is not None and card.ts else None
        channel = thread.channel if thread else await self._web.channel_id(self._channel)
        message = _Message(
            name, channel, payload, version=1, urgent=True, thread_ts=thread.ts if thread else ""
        )
        with self._calling(channel):
            ts = await self._insist(message)
        await self._quoted(quotes, channel, ts)
        return ts

    async def _quoted(self, mention_keys: Sequence[str], channel: str, ts: str) -> None:
        for key in mention_keys:
            if await self._cards.quotes([key], Quote(channel, ts)):
                await self.redact(key)

    @contextmanager
    def _calling(self, channel: str) -> Iterator[None]:
        """Somebody waits for their own words: what happens by itself gives way."""
        self._callers[channel] += 1
        try:
            yield
        finally:
            self._callers[channel] -= 1

    async def _insist(self, message: _Message) -> str:
        """Show it as soon as Slack's pace allows, if that is soon."""
        until = self._clock.now() + PATIENCE
        while True:
            try:
                ts = await self._show(message)
            except _NotYet as not_yet:
                if self._clock.now() + not_yet.wait > until:
                    raise TryAgainLater("Slack is busy", after=not_yet.wait) from not_yet
                await self._sleep(not_yet.wait.total_seconds())
            except SlackTrouble as trouble:
                await self._met(trouble)
                raise
            else:
                return ts or ""


def _counted(waiting: Sequence[Case]) -> Flood:
    stand = Counter(standing(case) for case in waiting)
    return Flood(
        held_back=len(waiting),
        at_risk=stand[Standing.AT_RISK],
        late=stand[Standing.LATE],
        oldest=min((case.opened_at for case in waiting), default=None),
    )


def _digest(payload: Payload) -> str:
    """What a message looks like, without its metadata: that alone is no reason to draw it again."""
    shown = json.dumps(replace(payload, metadata=None).as_json(), sort_keys=True)
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
