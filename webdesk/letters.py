"""Dead letters on the desk and in its API: what could not be handled, put back or dropped with a reason."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from casework.case import Case, Standing, standing
from casework.decisions import LONGEST_NAME, Refused
from casework.errors import HeardError
from streams.dead_letters import DeadLetter, DeadLetters
from webdesk.desk import Desk
from webdesk.pages import Reader
from webdesk.security import Session, check_csrf

SHOWN = 200
LONGEST_WHY = 500


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One dead letter on the page, and how its case stands, if it has one that is there."""

    letter: DeadLetter
    case: Case | None

    @property
    def standing(self) -> Standing | None:
        """How the case stands, in the words of the queue."""
        return standing(self.case) if self.case is not None else None


async def read(desk: Desk, dead: DeadLetters) -> list[LetterRow]:
    """All dead letters with their cases."""
    letters = [letter async for letter in dead.every()]
    ids = {letter.case_id for letter in letters[:SHOWN] if letter.case_id}
    cases = {case.id: case for case in await desk.store.load_readable(sorted(ids)) if case is not None}
    return [LetterRow(letter, cases.get(letter.case_id)) for letter in letters]


async def put_back(dead: DeadLetters, letter_id: str) -> str:
    """Put one back on its line; returns what is said of it."""
    done = await dead.retry(await dead.find(letter_id))
    return "Put back. It is handled again now." if done else "Somebody was faster: it is put back already."


async def throw_away(desk: Desk, dead: DeadLetters, letter_id: str, *, by: str, why: str) -> str:
    """Drop one; returns what is said of it."""
    if not why:
        raise Refused("Say why: it is noted on the case.")
    letter = await dead.find(letter_id)
    done = await dead.throw_away(letter, desk.store, by=by, why=why, at=desk.clock.now())
    return "Dropped. Its case says so." if done and letter.case_id else "Dropped."


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


def pages(reader: Reader, dead: DeadLetters) -> APIRouter:
    """The page and its two buttons."""
    routes = APIRouter(include_in_schema=False)

    async def page(
        session: Session, *, status: int = 200, said: str = "", kind: str = "done"
    ) -> HTMLResponse:
        rows = await read(reader.desk, dead)
        return reader.pages.page(
            "letters.html",
            session,
            status=status,
            page="health",
            paused=await reader.paused(),
            rows=rows[:SHOWN],
            more=max(0, len(rows) - SHOWN),
            notice=said,
            notice_kind=kind,
        )

    @routes.get("/dead-letters")
    async def listed(session: Annotated[Session, Depends(reader.named)]) -> HTMLResponse:
        return await page(session)

    @routes.post("/dead-letters")
    async def handled(request: Request, session: Annotated[Session, Depends(reader.named)]) -> Response:
        form = await request.form(max_files=0, max_fields=10)
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        check_csrf(session, fields.get("csrf", ""))
        letter_id, why = fields.get("letter", ""), fields.get("why", "").strip()[:LONGEST_WHY]
        try:
            if fields.get("do") == "drop":
                said = await throw_away(reader.desk, dead, letter_id, by=session.name, why=why)
            else:
                said = await put_back(dead, letter_id)
        except HeardError as error:
            return await page(session, status=409, said=str(error), kind="problem")
        return await page(session, said=said)

    return routes


# ── the API ──────────────────────────────────────────────────────────────────────────────────────


class LetterOut(BaseModel):
    """What could not be handled, and why. `raw` is a line of a feed that is no mention."""

    id: str
    at: str
    reason: str
    stage: str
    case_id: str
    where: str
    raw: str


class DropBody(BaseModel):
    """Who drops it, and why: noted on its case."""

    by: str = Field(min_length=1, max_length=LONGEST_NAME)
    why: str = Field(min_length=1, max_length=LONGEST_WHY)


class Said(BaseModel):
    """What was done."""

    message: str


def add_api(api: APIRouter, desk: Desk, dead: DeadLetters) -> None:
    """The routes of dead letters, on the API's own router."""

    @api.get("/dead-letters", summary="What could not be handled, with the reason")
    async def letters() -> Sequence[LetterOut]:
        return [_out(letter) async for letter in dead.every()]

    @api.post("/dead-letters/{partition}/{entry}/retry", summary="Put a dead letter back on its line")
    async def retry(partition: str, entry: str) -> Said:
        return Said(message=await _or_refused(put_back(dead, f"{partition}/{entry}")))

    @api.post("/dead-letters/{partition}/{entry}/drop", summary="Throw a dead letter away, with a reason")
    async def drop(partition: str, entry: str, body: DropBody) -> Said:
        done = throw_away(desk, dead, f"{partition}/{entry}", by=body.by.strip(), why=body.why.strip())
        return Said(message=await _or_refused(done))


async def _or_refused(done: Awaitable[str]) -> str:
    try:
        return await done
    except Refused:
        raise
    except HeardError as error:
        raise HTTPException(404, str(error)) from error


def _out(letter: DeadLetter) -> LetterOut:
    return LetterOut(
        id=letter.id,
        at=letter.at.isoformat(),
        reason=letter.reason,
        stage=letter.topic,
        case_id=letter.case_id,
        where=letter.where,
        raw=letter.raw,
    )
