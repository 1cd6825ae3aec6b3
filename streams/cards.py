"""What Slack shows of each case, what it must still be told, and which of its messages quote whom.

A message has a name here: a case's id for its card, another word for any other. Before it is posted, the
intent is stored; so after any death it is known that it may be there, and since when. What must be posted or
drawn again is dirty, once however often that is said, and stays so until it is done.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from streams.connection import Store
from streams.marks import MarksOf

LEASE: Final = timedelta(seconds=60)
"""So long what is dirty stays with whoever took it; longer than any call of Slack's."""
BOARD_LASTS: Final = timedelta(days=400)
"""So long a board can be drawn again, without the words of a post that was deleted."""
_QUEUE: Final = tuple(f"{{cards}}:{name}" for name in ("ready", "later", "turns", "marks", "held", "count"))
_GONE: Final = "{cards}:gone"
# Turns are milliseconds since 1970: whatever people did is before whatever happened by itself.
_FIRST: Final = 10_000_000_000_000


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of one message. ``ts`` is empty until it is posted.

    ``intent`` is when somebody was about to post it, while nobody knows what became of that; ``shown`` is the
    version on it, and ``shown_at`` since when; ``trouble`` says why Slack does not show what it should.
    """

    case: str
    channel: str = ""
    ts: str = ""
    shown: int = 0
    digest: str = ""
    trouble: str = ""
    intent: datetime | None = None
    shown_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Something dirty, with whoever took it; ``token`` is the proof."""

    name: str
    urgent: bool
    token: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A message that shows a mention's words; ``name`` if it is one that can be drawn again without them."""

    channel: str
    ts: str
    name: str = ""


class CardIndex:
    """The messages of Slack, as the store knows them."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes
        self._marks = MarksOf(store)

    # ── one message ──────────────────────────────────────────────────────────────────────────────

    async def of(self, name: str) -> Card | None:
        """What is known of a message; None before anything is."""
        raw: Any = await self._writes.hgetall(_card_key(name))
        fields = {key.decode(): value.decode() for key, value in raw.items()}
        if not fields:
            return None
        return Card(
            case=name,
            channel=fields.get("channel", ""),
            ts=fields.get("ts", ""),
            shown=int(fields.get("shown", "0")),
            digest=fields.get("digest", ""),
            trouble=fields.get("trouble", ""),
            intent=_instant(fields.get("intent")),
            shown_at=_instant(fields.get("at")),
        )

    async def intend(self, name: str, channel: str, at: datetime, *, after: datetime | None = None) -> bool:
        """Claim the posting of a message; False when it is posted, or somebody else's to post.

        ``after`` is the intent that this one follows, once it is known that nothing came of it.
        """
        was = "" if after is None else str(_ms(after))
        args = (channel, str(_ms(at)), was)
        return bool(await self._writes.fcall("heard1_card_intend", 1, _card_key(name), *args))

    async def drop_intent(self, name: str) -> None:
        """Slack refused it: nothing was posted."""
        await self._writes.hdel(_card_key(name), "intent")

    async def posted(
        self, name: str, channel: str, ts: str, version: int, digest: str = "", *, at: datetime
    ) -> bool:
        """A message shows this version. False when it had shown a newer one: it must be drawn again."""
        args = (channel, ts, str(version), digest, str(_ms(at)))
        return bool(await self._writes.fcall("heard1_card_shown", 1, _card_key(name), *args))

    async def trouble(self, name: str, words: str) -> None:
        """Say why Slack does not show it; the next success takes that back."""
        await self._writes.hset(_card_key(name), "trouble", words)

    async def trouble_of(self, name: str) -> str:
        """Why Slack does not show a message; empty where it does, or need not."""
        known = await self.of(name)
        return known.trouble if known is not None else ""

    async def forget(self, name: str) -> None:
        """The message is no more."""
        await self._writes.delete(_card_key(name))

    # ── what quotes whom ─────────────────────────────────────────────────────────────────────────

    async def quotes(self, mention_keys: Sequence[str], quote: Quote) -> bool:
        """A message shows these mentions' words. True when one of them is gone: redact the message."""
        member = f"{quote.channel} {quote.ts} {quote.name}"
        if not mention_keys:
            return False
        marks = await self._marks.get()
        # Whoever is forgotten meanwhile is known by marks alone.
        async with self._writes.pipeline(transaction=True) as pipe:
            for key in mention_keys:
                pipe.smismember(_GONE, [key, marks.key(key)])
            answers: Any = await pipe.execute()
        async with self._writes.pipeline(transaction=True) as pipe:
            for key, (_, forgotten) in zip(mention_keys, answers, strict=True):
                pipe.sadd(_quotes_key(marks.key(key) if forgotten else key), member)
            for key in mention_keys:
                pipe.smismember(_GONE, [key, marks.key(key)])
            answers = await pipe.execute()
        return any(gone for both in answers[len(mention_keys) :] for gone in both)

    async def known_as(self, mention_key: str, mark: str, *, at: datetime) -> None:
        """A mention whose author is forgotten is known by a mark from now on, and every message that quotes
        it is drawn again without it.
        """
        await self.gone(mark)
        members: Any = await self._writes.smembers(_quotes_key(mention_key))
        async with self._writes.pipeline(transaction=True) as pipe:
            for member in members:
                pipe.sadd(_quotes_key(mark), member)
            pipe.delete(_quotes_key(mention_key))
            pipe.srem(_GONE, mention_key)
            for key in _QUEUE[:2]:
                pipe.zrem(key, f"gone:{mention_key}")
            for key in _QUEUE[2:5]:
                pipe.hdel(key, f"gone:{mention_key}")
            await pipe.execute()
        if members:
            await self.dirty(f"gone:{mark}", at=at, urgent=True)

    async def quoting(self, mention_key: str) -> list[Quote]:
        """Every message that shows a mention's words."""
        # Any: redis-py's stubs allow for answers that a client without decoding never gives.
        members: Any = await self._writes.smembers(_quotes_key(mention_key))
        return [Quote(*member.decode().split(" ")) for member in sorted(members)]

    async def quotes_no_more(self, mention_key: str, quote: Quote) -> None:
        """The message was redacted."""
        await self._writes.srem(_quotes_key(mention_key), f"{quote.channel} {quote.ts} {quote.name}")

    async def shown_as(self, mention_key: str) -> str:
        """By what a mention is known here: by its mark, once its author is forgotten."""
        mark = (await self._marks.get()).key(mention_key)
        return mark if await self._writes.sismember(_GONE, mark) else mention_key

    async def gone(self, mention_key: str) -> None:
        """The mention's words may be shown no more, also by what is posted from now on."""
        await self._writes.sadd(_GONE, mention_key)

    # ── what is dirty ────────────────────────────────────────────────────────────────────────────

    async def dirty(self, name: str, *, at: datetime, urgent: bool = False) -> None:
        """A message must be posted or drawn again; ``urgent`` when somebody waits to see it."""
        turn = _ms(at) - (_FIRST if urgent else 0)
        await self._queue("dirty", name, turn)

    async def dirty_all(self, names: Iterable[str], *, at: datetime, urgent: bool = False) -> None:
        """Many messages must be drawn again."""
        for name in sorted(names):
            await self.dirty(name, at=at, urgent=urgent)

    async def take_dirty(self, now: datetime, count: int) -> list[Taken]:
        """What is next: what people caused, then by age. It stays dirty until it is given back."""
        if count < 1:
            return []
        answers: Any = await self._queue("take", _ms(now), _ms(now + LEASE), count)
        return [Taken(name.decode(), float(turn) < 0, int(token)) for name, turn, token in answers]

    async def done(self, taken: Taken) -> None:
        """Slack shows it. What became dirty again meanwhile stays so."""
        await self._queue("give_back", taken.name, taken.token, "")

    async def later(self, taken: Taken, at: datetime) -> None:
        """Not now, but at an instant; or at once, if it became dirty again meanwhile."""
        await self._queue("give_back", taken.name, taken.token, _ms(at))

    async def waiting(self) -> int:
        """How many are dirty."""
        async with self._writes.pipeline(transaction=True) as pipe:
            pipe.zcard(_QUEUE[0])
            pipe.zcard(_QUEUE[1])
            return sum(await pipe.execute())

    async def _queue(self, function: str, *args: str | int) -> Any:
        return await self._writes.fcall(f"heard1_card_{function}", len(_QUEUE), *_QUEUE, *map(str, args))

    # ── boards, and cards that a flood holds back ────────────────────────────────────────────────

    async def gather(self, board: str, member: str) -> int:
        """Put something on a board; returns its place there from 1, which it keeps."""
        lasts = str(int(BOARD_LASTS.total_seconds()))
        place: Any = await self._writes.fcall("heard1_card_gather", 1, _board_key(board), member, lasts)
        return int(place)

    async def settled_on(self, matter: str, board: str) -> str:
        """The board that a matter was first meant for, whatever is said later."""
        key, lasts = f"{{cards}}:meant:{matter}", BOARD_LASTS
        await self._writes.set(key, board, nx=True, ex=lasts)
        raw: Any = await self._writes.get(key)
        return raw.decode() if isinstance(raw, bytes) else board

    async def gathered(self, board: str) -> list[str]:
        """What is on a board, by place."""
        raw: Any = await self._writes.hgetall(_board_key(board))
        return [member.decode() for member, _ in sorted(raw.items(), key=lambda item: int(item[1]))]

    async def hold_back(self, channel: str, name: str, *, at: datetime) -> None:
        """A card is not posted while its channel is flooded."""
        await self._writes.zadd(_back_key(channel), {name: _ms(at)}, nx=True)

    async def let_go(self, channel: str, *names: str) -> bool:
        """These cards are held back no more; returns whether any was."""
        return bool(names and await self._writes.zrem(_back_key(channel), *names))

    async def held_back(self, channel: str) -> list[str]:
        """Every card that a channel's flood holds back, first come first."""
        members: Any = await self._writes.zrange(_back_key(channel), 0, -1)
        return [member.decode() for member in members]

    async def turn_in_flood(self, channel: str, name: str) -> tuple[bool, int]:
        """Whether a card is held back, and how many are."""
        async with self._writes.pipeline(transaction=True) as pipe:
            pipe.zscore(_back_key(channel), name)
            pipe.zcard(_back_key(channel))
            score, count = await pipe.execute()
        return score is not None, int(count)


def _card_key(name: str) -> str:
    return f"{{cards}}:card:{name}"


def _quotes_key(mention_key: str) -> str:
    return f"{{cards}}:quotes:{mention_key}"


def _board_key(board: str) -> str:
    return f"{{cards}}:board:{board}"


def _back_key(channel: str) -> str:
    return f"{{cards}}:back:{channel}"


def _ms(instant: datetime) -> int:
    # Rounded: an instant that was read from here must be found here again.
    return round(instant.timestamp() * 1000)


def _instant(raw: str | None) -> datetime | None:
    return datetime.fromtimestamp(int(raw) / 1000, UTC) if raw else None
