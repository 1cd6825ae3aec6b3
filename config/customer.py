"""One customer: what is known of them, all of it in a file, and nothing any more (GDPR Art. 15 and 17)."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog

from casework.case import standing
from casework.clock import Clock, ManualClock, SystemClock
from casework.errors import HeardError
from config.logs import nowhere, set_up_logs
from config.places import Place
from config.readers import place_of, stored
from config.usage import WrongUsage
from platforms.private_files import sync_folder, write_private
from platforms.replay import ReplyRecord
from streams.forgetting import Forgotten, Known, Marked, People, Person, names_them
from streams.switch import Cursors

log = structlog.get_logger(__name__)

VERSION: Final = 1
KIND: Final = "customer"
BY: Final = "the command line"
REPLIES: Final = "replies.sqlite3"
EXPORTS: Final = frozenset({".json", ".jsonl", ".csv", ".html", ".txt"})
LABELS: Final = frozenset({"sentiment", "intent", "urgency"})
OURS: Final = frozenset({"store", "models", "logs", "locks", "knowledge", "templates", "wording"})
"""Folders of HEARD_HOME in which no export is looked for: they are the brand's own words, or no text."""

LARGEST: Final = 200_000_000


@dataclass(frozen=True, slots=True)
class HomeFiles:
    """What the files of a HEARD_HOME hold of people, outside of the store."""

    folder: Path

    async def forget_named(self, known: Known) -> None:
        """Take a person out of the exports that were made here."""
        await asyncio.to_thread(self._forget_in_exports, known)

    async def forget_marked(self, marked: Marked) -> None:
        """Take the words from the replay platform's record of replies to posts that are marks now."""
        path = self.folder / REPLIES
        if not path.exists():
            return
        record = ReplyRecord(path)
        keys = sorted({f"{reply.platform}:{reply.in_reply_to}" for reply in record.every() if reply.text})
        await asyncio.to_thread(record.forget, await marked(keys))

    def _forget_in_exports(self, known: Known) -> None:
        names = names_them(known)
        for path in self._exports():
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            if not names(text):
                continue
            lines = text.splitlines(keepends=True)
            if path.suffix == ".jsonl" and all(_is_row(line) for line in lines):
                kept = "".join(line for line in lines if not names(line))
                write_private(path, kept.encode(errors="surrogateescape"))
                log.info("export without the forgotten person", file=path.name)
            else:
                _delete_if_ours(path, text)

    def _exports(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [
            path
            for path in sorted(self.folder.rglob("*"))
            if path.suffix in EXPORTS
            and not OURS & set(path.relative_to(self.folder).parts[:-1])
            and path.name != "slack-manifest.json"
            and path.is_file()
            and path.stat().st_size < LARGEST
        ]


def _is_row(line: str) -> bool:
    """Whether a line is a row of `heard feedback`; the lines of a feed are counted by whoever plays it."""
    try:
        row = json.loads(line)
    except ValueError:
        return not line.strip()
    return isinstance(row, dict) and "text" in row and bool(LABELS & set(row)) and "author" not in row


def _delete_if_ours(path: Path, text: str) -> None:
    """Delete what `heard customer --export` wrote; what somebody else wrote is theirs to look at."""
    if f'"heard": "{KIND}"' not in text[:200]:
        log.warning("a file names a forgotten person and is not ours to delete", file=path.name)
        return
    path.unlink()
    sync_folder(path.parent)
    log.info("export deleted", file=path.name)


# ── who ──────────────────────────────────────────────────────────────────────────────────────────


async def whom(people: People, said: str) -> Person:
    """The person that somebody typed: ``platform:author-id``, or ``platform:@handle``.

    Raises:
        WrongUsage: it is neither.
        HeardError: nobody, or more than one, is known by this handle.
    """
    platform, _, name = said.partition(":")
    if not platform or not name.lstrip("@") or not platform.isalnum():
        raise WrongUsage(f"{said} names nobody: write platform:author-id or platform:@handle, as in x:@maya")
    if not name.startswith("@"):
        return Person(platform, name)
    found = await people.called(platform, name)
    if not found:
        raise HeardError(
            f"nobody called {name} on {platform} is known; after their posts' time a handle is gone: try "
            f"{platform}:AUTHOR-ID"
        )
    if len(found) > 1:
        ids = ", ".join(str(person) for person in found)
        raise HeardError(f"{len(found)} people were called {name} on {platform}: say which, {ids}")
    return found[0]


@asynccontextmanager
async def _opened(demo: bool) -> AsyncIterator[tuple[People, Place]]:
    async with stored(demo) as store, AsyncExitStack() as stack:
        place = place_of(demo)
        silent = stack.enter_context(nowhere())
        set_up_logs(place.folder, stream=silent)
        reached = await Cursors(store).reached()
        # On a recorded day it is as late as that day has come.
        clock: Clock = ManualClock(reached) if demo and reached else SystemClock()
        yield People(store, clock, elsewhere=HomeFiles(place.folder)), place


async def known(demo: bool, said: str) -> Known:
    """What is known of a person."""
    async with _opened(demo) as (people, _):
        return await people.known(await whom(people, said))


async def forget(demo: bool, said: str) -> tuple[Known, Forgotten]:
    """Forget a person; returns what was known, and what came of it."""
    async with _opened(demo) as (people, _):
        person = await whom(people, said)
        return await people.known(person), await people.forget(person, by=BY)


# ── in words ─────────────────────────────────────────────────────────────────────────────────────


def as_json(known: Known) -> dict[str, object]:
    """Everything as plain values: what a person may ask for (GDPR Art. 15)."""
    return {
        "heard": KIND,
        "version": VERSION,
        "person": {
            "platform": known.person.platform,
            "id": known.person.author_id,
            "handles": list(known.handles),
            "names": list(known.names),
            "asked_not_to_be_answered": known.opted_out,
            "forgotten_at": known.forgotten_at,
        },
        "cases": [
            {**asdict(case), "standing": standing(case), "timeline": [asdict(entry) for entry in timeline]}
            for case, timeline in zip(known.cases, known.timelines, strict=True)
        ],
        "heard_by_id": [{"post": key, "became": outcome} for key, outcome in known.heard],
        "dead_letters": [asdict(letter) for letter in known.letters],
    }


def text(known: Known) -> str:
    """What is known, on a terminal: counts and ids; the words themselves are in the export."""
    if known.nothing:
        lines = [f"Nothing is known of {known.person}."]
    else:
        mentions = sum(len(case.mentions) for case in known.cases)
        replies = sum(len(case.replies) for case in known.cases)
        who = ", ".join([f"@{handle}" for handle in known.handles] + list(known.names))
        lines = [f"{known.person}  {_plain(who)}".rstrip()]
        counts = [
            _count(len(known.cases), "case"),
            _count(mentions, "post"),
            _count(replies, "reply", "replies"),
        ]
        lines.append(", ".join(counts))
        lines += [
            f"{case.id:<10} {case.opened_at:%Y-%m-%d %H:%M} UTC  {standing(case)}" for case in known.cases
        ]
        if known.letters:
            lines.append(f"{_count(len(known.letters), 'dead letter')}")
    if known.opted_out:
        lines.append("Asked not to be answered, and is not.")
    if known.forgotten_at is not None:
        lines.append(f"Was forgotten on {known.forgotten_at:%Y-%m-%d %H:%M} UTC.")
    return "\n".join(lines)


def said_of(known: Known, done: Forgotten) -> str:
    """What forgetting came to, in sentences."""
    lines = []
    if known.nothing:
        lines.append(f"Nothing was known of {known.person}.")
    else:
        lines.append(
            f"Forgotten: {_count(done.cases, 'case')} and {_count(done.letters, 'dead letter')}. "
            "What remains is a mark for each id, and times."
        )
    if done.waiting:
        lines.append(
            f"{', '.join(done.waiting)} still waits for what became of a reply, or for an answer to what "
            "they wrote since. heard up forgets it then by itself; it needs no second command."
        )
    if known.opted_out:
        lines.append("They asked not to be answered; that stays so, under a mark.")
    if not done.written_anew:
        lines.append(
            "The store's files could not be written anew, so they may still hold words. heard up tries "
            "again; on a hosted server, ask for a rewrite of its append-only file and for the age of backups."
        )
    return "\n".join(lines)


def write_export(known: Known, path: Path, *, force: bool) -> None:
    """Write everything to a file that its owner alone can read.

    Raises:
        WrongUsage: it is there, and ``force`` does not say to put another in its place.
    """
    if os.path.lexists(path) and not force:
        raise WrongUsage(f"{path} is there already: say --force to put this in its place")
    written = json.dumps(as_json(known), ensure_ascii=False, indent=2, default=str)
    write_private(path, f"{written}\n".encode(errors="replace"))


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _plain(said: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in said)
