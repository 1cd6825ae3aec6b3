"""What the reading commands show: the queue and one case. `config.report` and `config.letters` have more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from casework.case import WITH_PEOPLE, Case, due_next, standing
from casework.errors import HeardError
from casework.timeline import TimelineEntry
from config.places import Place, here, quick_demo
from streams.case_store import CaseStore
from streams.connection import Store, open_store


@asynccontextmanager
async def stored(demo: bool = False) -> AsyncIterator[Store]:
    """The store of this place, or the demo's: of the day that was played live, or else of the quick one."""
    place = place_of(demo)
    if place.redis_url is None and not (place.folder / "store").exists():
        raise HeardError(f"there is no store in {place.folder} yet: heard demo or heard up makes one")
    async with open_store(place.redis_url, place.folder / "store", insecure=True) as store:
        yield store


def place_of(demo: bool) -> Place:
    """The place whose store a command looks at; the demo's is the day that was played live, if one was."""
    place = here(demo=demo)
    quick = quick_demo(place)
    if demo and not (place.folder / "store").exists() and (quick / "store").exists():
        return replace(place, folder=quick)
    return place


# ── the queue ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One case that waits for a person."""

    case: Case

    def as_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        case, due = self.case, due_next(self.case)
        judged = case.classification
        return {
            "id": case.id,
            "version": case.version,
            "standing": standing(case),
            "status": case.status,
            "platform": case.platform,
            "author": case.author.handle,
            "intent": judged.intent if judged else None,
            "urgency": judged.urgency if judged else None,
            "due": due.due_at if due else None,
            "promise": due.name if due else None,
            "owner": case.owner,
            "why": case.why,
        }

    def sentence(self) -> str:
        """One line for a terminal."""
        case, due = self.case, due_next(self.case)
        judged = case.classification
        owed = "stands still" if case.pause else "nothing owed"
        when = f"{due.due_at:%Y-%m-%d %H:%M} UTC" if due else owed
        what = f"{judged.intent}, {judged.urgency}" if judged else "not judged"
        return (
            f"{standing(case):<9} {when:<21} {case.id:<9} {case.platform:<9} {what:<22} "
            f"{case.owner or '–':<10} {case.why}"
        )


async def queue(demo: bool, limit: int) -> list[QueueRow]:
    """The cases that wait for people, the earliest promise first."""
    async with stored(demo) as store:
        waiting = [case async for case in CaseStore(store).every(sorted(WITH_PEOPLE))]
    return [QueueRow(case) for case in sorted(waiting, key=_by_due)[:limit]]


def _by_due(case: Case) -> tuple[bool, datetime]:
    due = due_next(case)
    return due is None, due.due_at if due else case.opened_at


# ── one case ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CaseShown:
    """One case and its timeline."""

    case: Case
    timeline: list[TimelineEntry]

    def as_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        draft = self.case.draft
        sha256 = {"draft_sha256": draft.sha256} if draft else {}
        return {
            **asdict(self.case),
            **sha256,
            "standing": standing(self.case),
            "timeline": [asdict(e) for e in self.timeline],
        }

    def text(self) -> str:
        """The whole case on a terminal; control characters of posts are made visible."""
        case = self.case
        lines = [f"{case.id}  {standing(case)} ({case.status})  {case.platform}  @{case.author.handle}"]
        lines += [f"why        {case.why}"] if case.why else []
        if case.pause:
            since = f"{case.pause.since:%m-%d %H:%M}"
            lines.append(f"paused     since {since} by {case.pause.by}: {plain(case.pause.reason)}")
        lines += [f"allowed    {case.permission.way}  {case.permission.why}"] if case.permission else []
        lines += [f"{m.created_at:%m-%d %H:%M}  “{plain(m.text)}”" for m in case.mentions]
        if case.classification:
            judged = case.classification
            lines.append(f"judged     {judged.sentiment}, {judged.intent}, {judged.urgency}")
        if case.draft:
            sources = ", ".join(f"{s.id} {s.title}" for s in case.draft.sources)
            lines += [f"draft      {plain(case.draft.text)}", f"based on   {sources or '–'}"]
        lines += [f"{r.kind:<10} {r.posted_at:%m-%d %H:%M}  {plain(r.text)}" for r in case.replies]
        lines += [f"promise    {p.name}: {p.state}, due {p.due_at:%m-%d %H:%M} UTC" for p in case.promises]
        lines += [f"{e.at:%m-%d %H:%M}  {e.by}: {e.what} {plain(e.detail)}" for e in self.timeline]
        return "\n".join(lines)


def plain(text: str) -> str:
    """A text for a terminal."""
    # A post must not be able to move the cursor or colour the terminal it is shown on.
    return "".join(c if c.isprintable() else " " if c == "\n" else f"\\u{ord(c):04x}" for c in text)


async def case(demo: bool, case_id: str) -> CaseShown:
    """One case with its timeline."""
    async with stored(demo) as store:
        cases = CaseStore(store)
        return CaseShown(await cases.load(case_id), await cases.timeline(case_id))
