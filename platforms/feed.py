"""Recorded feeds: JSON Lines, CSV with a column mapping, and customer-care conversations, line by line.

Every line becomes a mention or an `Unreadable` that names the line; none is dropped, none is fatal.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from casework.errors import HeardError
from casework.mention import Author, Mention
from platforms.platform import Unreadable

LONGEST: Final = 40_000
"""Characters of the longest text that any of the platforms allows (Reddit); more is no post."""
SLACK: Final = timedelta(minutes=5)
FIELDS: Final = frozenset(
    [
        "id",
        "author",
        "text",
        "created_at",
        "platform",
        "in_reply_to",
        "conversation",
        "repost_of",
        "cross_post_of",
        "mentions_brand",
        "lang",
        "url",
        "deleted_at",
        "edited_at",
        "edited_text",
    ]
)
REQUIRED: Final = ("id", "author", "text", "created_at")
AUTHOR_FIELDS: Final = frozenset({"id", "handle", "name", "followers", "bot"})


class FeedError(HeardError):
    """A feed that cannot be played at all."""


class _BadLine(Exception):
    """What is wrong with one line."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded mention, and what its author did with it later."""

    mention: Mention
    line: int
    deleted_at: datetime | None = None
    edited_at: datetime | None = None
    edited_text: str | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """A recorded feed in the order of its times, with the lines that are no mentions."""

    name: str
    recorded: tuple[Recorded, ...]
    unreadable: tuple[Unreadable, ...] = ()
    lines: int = 0
    by_key: Mapping[str, Recorded] = field(default_factory=dict)


def load_feed(
    path: Path, *, columns: Mapping[str, str] | None = None, platform: str = "replay", now: datetime
) -> Feed:
    """The feed in a file or folder: ``.jsonl``, ``.csv`` (also gzipped), or conversations.

    ``columns`` maps our field names to the file's. ``now`` is the machine's present: a post from after
    it has a wrong clock.

    Raises:
        FeedError: there is no such file, or it is of no kind that can be played.
    """
    try:
        if path.is_dir():
            return _conversations(path)
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise FeedError(f"cannot read {path}: {error}") from error
    rows = _csv_rows(raw) if ".csv" in path.suffixes else _json_rows(raw)
    return _collect(path.name, rows, columns or {}, platform, now)


def shifted(feed: Feed, by: timedelta) -> Feed:
    """The same feed, written so much later: a recorded day can be played as if it were today."""

    def later(instant: datetime | None) -> datetime | None:
        return instant + by if instant else None

    moved = tuple(
        replace(
            item,
            mention=replace(item.mention, created_at=item.mention.created_at + by),
            deleted_at=later(item.deleted_at),
            edited_at=later(item.edited_at),
        )
        for item in feed.recorded
    )
    return replace(feed, recorded=moved, by_key={item.mention.key: item for item in moved})


# ── lines ────────────────────────────────────────────────────────────────────────────────────────

_Row = tuple[int, str, dict[str, Any] | _BadLine]


def _json_rows(raw: bytes) -> Iterator[_Row]:
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        shown = line.decode("utf-8", errors="replace")
        try:
            parsed = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError:
            yield number, shown, _BadLine("is not UTF-8")
        except (ValueError, RecursionError) as error:
            yield number, shown, _BadLine(f"is not JSON: {error}")
        else:
            is_object = isinstance(parsed, dict)
            yield number, shown, parsed if is_object else _BadLine("is not a JSON object")


def _csv_rows(raw: bytes) -> Iterator[_Row]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].count(b"\n") + 1
        raise FeedError(f"line {before} is not UTF-8: save the file as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        for row in reader:
            shown = json.dumps(row, ensure_ascii=False, default=str)
            if None in row or None in row.values():
                yield reader.line_num, shown, _BadLine("has more or fewer columns than the header")
            else:
                yield reader.line_num, shown, {str(k): v for k, v in row.items() if v != ""}
    except csv.Error as error:
        yield reader.line_num, "", _BadLine(f"is not CSV: {error}")


def _collect(
    name: str, rows: Iterable[_Row], columns: Mapping[str, str], platform: str, now: datetime
) -> Feed:
    recorded: list[Recorded] = []
    unreadable: list[Unreadable] = []
    first_line: dict[str, int] = {}
    lines = 0
    for number, raw, row in rows:
        lines += 1
        try:
            if isinstance(row, _BadLine):
                raise row
            item = _recorded(number, _renamed(row, columns), platform, now)
            key = item.mention.key
            if key in first_line:
                raise _BadLine(f"has the id {item.mention.id!r} of line {first_line[key]}")
        except _BadLine as problem:
            unreadable.append(Unreadable(f"{name}:{number}", raw, f"line {number} {problem}", ""))
        else:
            first_line[key] = number
            recorded.append(item)
    return _feed(name, recorded, unreadable, lines)


def _feed(name: str, recorded: list[Recorded], unreadable: list[Unreadable], lines: int) -> Feed:
    ordered = tuple(sorted(recorded, key=lambda item: (item.mention.created_at, item.line)))
    by_key = {item.mention.key: item for item in ordered}
    return Feed(name, ordered, tuple(unreadable), lines, by_key)


# ── one line ─────────────────────────────────────────────────────────────────────────────────────


def _renamed(row: dict[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """The row under our names. A mapped feed has columns that we were not asked to read: those stay out."""
    if not columns:
        return row
    missing = [theirs for theirs in columns.values() if theirs not in row]
    absent = [theirs for ours, theirs in columns.items() if ours in REQUIRED and theirs in missing]
    if absent:
        raise _BadLine(f"has nothing in {', '.join(absent)}")
    return {ours: row[theirs] for ours, theirs in columns.items() if theirs in row}


def _recorded(line: int, row: dict[str, Any], platform: str, now: datetime) -> Recorded:
    unknown = sorted(set(row) - FIELDS)
    if unknown:
        raise _BadLine(f"has the unknown field {unknown[0]!r}; map or remove it")
    missing = [name for name in REQUIRED if row.get(name) in (None, "")]
    if missing:
        raise _BadLine(f"has no {missing[0]}")
    created_at = _instant(row, "created_at")
    if created_at is None or created_at > now + SLACK:
        raise _BadLine(f"was written in the future ({row['created_at']}): its clock is wrong")
    mention = Mention(
        platform=_text(row, "platform") or platform,
        id=_id(row, "id") or "",
        author=_author(row["author"]),
        text=_post_text(row["text"]),
        created_at=created_at,
        addressed=_flag(row.get("mentions_brand", True)),
        in_reply_to=_id(row, "in_reply_to"),
        conversation=_id(row, "conversation"),
        repost_of=_id(row, "repost_of"),
        cross_post_of=_id(row, "cross_post_of"),
        language=_text(row, "lang"),
        url=_text(row, "url"),
    )
    edited_at, edited_text = _instant(row, "edited_at"), _text(row, "edited_text")
    return Recorded(mention, line, _instant(row, "deleted_at"), edited_at, edited_text)


def _author(raw: object) -> Author:
    if isinstance(raw, str):
        return Author(id=raw, handle=raw)
    if not isinstance(raw, dict) or not raw.get("id"):
        raise _BadLine("has an author without an id")
    unknown = sorted(set(raw) - AUTHOR_FIELDS)
    if unknown:
        raise _BadLine(f"has the unknown author field {unknown[0]!r}; map or remove it")
    followers = raw.get("followers", 0)
    if not isinstance(followers, int) or not 0 <= followers < 2**63:
        raise _BadLine("has a number of followers that is no number")
    author_id = _id(raw, "id") or ""
    return Author(
        author_id,
        handle=_text(raw, "handle") or author_id,
        name=_text(raw, "name") or "",
        followers=followers,
        bot=_flag(raw.get("bot", False)),
    )


def _post_text(raw: object) -> str:
    if not isinstance(raw, str):
        raise _BadLine("has a text that is no text")
    if not raw.strip():
        raise _BadLine("has an empty text")
    if len(raw) > LONGEST:
        raise _BadLine(f"has a text of {len(raw):,} characters; the longest post anywhere has {LONGEST:,}")
    return _valid(raw, "text")


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _BadLine(f"has a {name} that is no text")
    return _valid(value, name)


def _id(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > 300:
        raise _BadLine(f"has a {name} that is no id")
    return _valid(str(value), name)


def _valid(value: str, name: str) -> str:
    # JSON can spell half a surrogate pair; no store or platform can carry it.
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _BadLine(f"has a {name} with half a character in it") from error
    return value


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false", "yes", "no", "1", "0"):
        return value.lower() in ("true", "yes", "1")
    raise _BadLine(f"has {value!r} where true or false belongs")


def _instant(row: Mapping[str, Any], name: str) -> datetime | None:
    value = row.get(name)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(str(value))
        if instant.tzinfo is None:
            raise _BadLine(f"has a {name} without a time zone: {value}")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _BadLine(f"has a {name} that is no time: {str(value)[:40]}") from error


# ── conversations ────────────────────────────────────────────────────────────────────────────────


def _conversations(folder: Path) -> Feed:
    """Customer-care conversations, one a line: ``brand``, ``turns`` of ``who``, ``text``, ``at``.

    The customers' turns are played; what the companies answered then is not, as Heard answers now.
    """
    recorded: list[Recorded] = []
    unreadable: list[Unreadable] = []
    lines = 0
    files = sorted(folder.glob("*.jsonl.gz"))
    if not files:
        raise FeedError(f"{folder} holds no conversations (*.jsonl.gz)")
    for file in files:
        split = file.name.removesuffix(".jsonl.gz")
        for number, raw, row in _json_rows(gzip.decompress(file.read_bytes())):
            try:
                if isinstance(row, _BadLine):
                    raise row
                turns = list(_customer_turns(f"{split}-{number - 1}", number, row))
            except _BadLine as problem:
                lines += 1
                where = f"{file.name}:{number}"
                unreadable.append(Unreadable(where, raw, f"line {number} {problem}", ""))
            else:
                lines += len(turns)
                recorded += turns
    return _feed(folder.name, recorded, unreadable, lines)


def _customer_turns(name: str, line: int, row: dict[str, Any]) -> Iterator[Recorded]:
    turns = row.get("turns")
    if not isinstance(turns, list) or not turns:
        raise _BadLine("has no turns")
    before: str | None = None
    for number, turn in enumerate(turns):
        if not isinstance(turn, dict) or turn.get("who") not in ("customer", "agent"):
            raise _BadLine(f"has a turn {number} that is neither the customer's nor the agent's")
        if turn["who"] == "agent":
            continue
        at = _instant(turn, "at")
        if at is None:
            raise _BadLine(f"has a customer's turn {number} without a time")
        mention = Mention(
            platform="x",
            id=f"{name}-{number}",
            author=Author(id=f"customer-{name}", handle=f"customer-{name}"),
            text=_post_text(turn.get("text")),
            created_at=at,
            in_reply_to=before,
            conversation=f"{name}-0",
        )
        before = mention.id
        yield Recorded(mention, line)
