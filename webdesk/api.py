"""The JSON API under ``/api/v1``: the same cases and moves as on the pages, for programs.

Every answer that is not a success is ``{"error": …, "message": a plain sentence, …}``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from casework import words
from casework.case import Status
from casework.decisions import IN_API, Action, Ask, Refused
from casework.errors import Conflict, HeardError, IllegalMove, NoSuchCase, NotAllowedHere, TextChanged
from streams.connection import LOST
from webdesk import letters
from webdesk.actions import perform
from webdesk.api_models import CaseOut, CasePage, HealthOut, HealthPage, MoveBody, case_out
from webdesk.desk import PATIENCE_S, Desk
from webdesk.security import Forbidden, bearer_ok

PREFIX = "/api/v1"
ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"description": "No token, or the wrong one."},
    404: {"description": "There is no such case."},
    409: {"description": "Somebody was faster (who won, and the present version), or the rules forbid it."},
    422: {"description": "The request is wrong; the message says what to mend."},
}
WHAT = {
    Action.APPROVE: "Send exactly the text whose fingerprint is `draft_sha256`.",
    Action.EDIT: "Put `text` in the draft's place; approve it next.",
    Action.REJECT: "Refuse the draft; `reason` is kept for the next one.",
    Action.TAKE: "Make the case yours.",
    Action.SNOOZE: "Let the case rest `until` an instant. Its promises run on.",
    Action.AWAIT: "The case waits for somebody else; `reason` says for whom. Its promises stand still.",
    Action.GO_ON: "The wait is over: its promises run again, with as much time left as before.",
    Action.CLOSE: "End the case without a reply; `reason` says why.",
    Action.NOTE: "Leave `text` for colleagues. Notes are never public.",
}


class _Unauthorized(Exception):
    """The bearer token is missing or wrong."""


def router(desk: Desk) -> APIRouter:
    """All routes of the API for one desk."""
    bearer = HTTPBearer(auto_error=False, description="The API token that Heard printed at its start.")

    async def signed_in(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        header = f"{given.scheme} {given.credentials}" if given else ""
        if not bearer_ok(header, desk.token):
            raise _Unauthorized

    api = APIRouter(prefix=PREFIX, dependencies=[Depends(signed_in)], responses=ERRORS)

    _add_readings(api, desk)
    _add_moves(api, desk)
    if desk.dead is not None:
        letters.add_api(api, desk, desk.dead)
    return api


async def _shown(desk: Desk, case_id: str) -> CaseOut:
    case = await desk.store.load(case_id)
    return case_out(case, now=desk.clock.now(), timeline=await desk.store.timeline(case_id))


def _add_readings(api: APIRouter, desk: Desk) -> None:
    @api.get("/health", summary="How every part is doing, and what mends it")
    async def health() -> HealthPage:
        lines = [HealthOut(name=h.name, state=h.state, words=h.words, fix=h.fix) for h in await desk.health()]
        ok = all(line.state != "bad" for line in lines)
        try:
            async with asyncio.timeout(PATIENCE_S):
                paused = await desk.switch.paused()
        except LOST:
            # The lines say that the store is away; they are asked for just then.
            return HealthPage(ok=False, paused=None, checks=lines)
        return HealthPage(ok=ok, paused=paused, checks=lines)

    @api.get("/summary", summary="What was heard, answered, kept and missed")
    async def summary() -> dict[str, Any]:
        return dict(await desk.summary())

    @api.get("/cases", summary="Cases, newest first, a page at a time")
    async def cases(
        status: Annotated[list[str] | None, Query(description="One or more statuses.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(description="The cursor of the page before.")] = None,
    ) -> CasePage:
        wanted = _statuses(status)
        try:
            page = await desk.store.page(wanted, limit=limit, cursor=cursor)
        except ValueError as error:
            raise Refused(f"cursor: {cursor!r} is not a cursor that a page gave.") from error
        except HeardError as error:
            raise Refused(words.refused(error)) from error
        now = desk.clock.now()
        return CasePage(cases=[case_out(case, now=now) for case in page.cases], cursor=page.cursor)

    @api.get("/cases/{case_id}", summary="One case with its draft, promises and timeline")
    async def one_case(case_id: str) -> CaseOut:
        return await _shown(desk, case_id)


def _add_moves(api: APIRouter, desk: Desk) -> None:
    def move(action: Action) -> Callable[..., Awaitable[CaseOut]]:
        async def moved(case_id: str, body: MoveBody) -> CaseOut:
            ask = Ask(
                version=body.version,
                by=body.by.strip(),
                draft_sha256=body.draft_sha256 or "",
                text=body.text or "",
                reason=body.reason or "",
                until=body.until,
            )
            await perform(desk, case_id, action, ask)
            return await _shown(desk, case_id)

        return moved

    for action in IN_API:
        api.add_api_route(
            f"/cases/{{case_id}}/{action}",
            move(action),
            methods=["POST"],
            name=f"{action}_case",
            summary=WHAT[action],
            operation_id=f"{action}_case",
        )


def _statuses(given: list[str] | None) -> list[Status]:
    asked = [part.strip() for value in given or [] for part in value.split(",") if part.strip()]
    unknown = [name for name in asked if name not in set(Status)]
    if unknown:
        raise Refused(f"status: {unknown[0]!r} is none of {', '.join(Status)}.")
    return [Status(name) for name in asked] or list(Status)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────


def _answer(code: int, error: str, message: str, **more: object) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if code == 401 else None
    return JSONResponse({"error": error, "message": message, **more}, status_code=code, headers=headers)


async def explain(desk: Desk, error: Exception) -> JSONResponse:
    """The JSON answer that an error deserves."""
    if isinstance(error, (Conflict, TextChanged, IllegalMove)):
        return await _outrun(desk, error)
    message = words.refused(error) if isinstance(error, HeardError) else str(error)
    if isinstance(error, NoSuchCase):
        return _answer(404, "no such case", message, case_id=error.case_id)
    if isinstance(error, NotAllowedHere):
        return _answer(
            409, "not allowed here", message, case_id=error.case_id, rule=error.rule, why=error.why
        )
    if isinstance(error, Refused):
        return _answer(422, "invalid", message, problems=list(error.problems))
    if isinstance(error, Forbidden):
        return _answer(403, "forbidden", message)
    return _answer(503, "unavailable", message)


async def _outrun(desk: Desk, error: Conflict | TextChanged | IllegalMove) -> JSONResponse:
    case = await desk.store.load(error.case_id)
    if isinstance(error, Conflict):
        kind, message = "conflict", words.too_late(error, case.moved_at, now=desk.clock.now())
    else:
        kind = "text changed" if isinstance(error, TextChanged) else "not now"
        message = words.refused(error)
    who = {"won_by": case.moved_by, "move": case.moved, "version": case.version, "status": case.status}
    return _answer(409, kind, message, case_id=case.id, **who)


def plain_problems(error: RequestValidationError) -> list[str]:
    """A validation error as plain sentences: where, and what to write there."""
    return [_problem(detail) for detail in error.errors()]


def _problem(detail: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in detail["loc"] if part not in ("body", "query", "path"))
    kind = str(detail["type"])
    if kind == "missing":
        return f"{place or 'the body'}: this is missing."
    if kind == "json_invalid":
        return "The body is not JSON."
    if kind == "extra_forbidden":
        return f"{place}: there is no such field."
    said = str(detail["msg"]).replace("Input should", "it should").replace("Value error, ", "")
    return f"{place or 'the body'}: {said[:1].lower() + said[1:]}."


def add_error_handlers(app: FastAPI) -> None:
    """Answer the API's errors as JSON sentences."""

    @app.exception_handler(_Unauthorized)
    async def unauthorized(_request: Request, _error: Exception) -> JSONResponse:
        return _answer(401, "unauthorized", "Send the API token as: Authorization: Bearer TOKEN.")


def invalid(error: RequestValidationError) -> JSONResponse:
    """The JSON answer to a request of the wrong shape."""
    problems = plain_problems(error)
    return _answer(422, "invalid", " ".join(problems), problems=problems)


def http_error(error: HTTPException) -> JSONResponse:
    """The JSON answer to an address or method that does not exist."""
    return _answer(error.status_code, "not found" if error.status_code == 404 else "http", str(error.detail))
