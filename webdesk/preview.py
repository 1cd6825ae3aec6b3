"""The page on which the team's chat is played: what a person sees there, and what they press.

The desk knows nothing of that chat: what it is told goes to the page as it is, and back. The page draws
every word of it as text.
"""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse

from webdesk.desk import Preview
from webdesk.pages import Reader
from webdesk.security import Session, check_csrf


def router(reader: Reader, preview: Preview) -> APIRouter:
    """The page, what is on it now, and what is done on it."""
    routes = APIRouter(include_in_schema=False)
    _add_page(routes, reader)
    _add_state(routes, reader, preview)
    _add_presses(routes, reader, preview)
    return routes


def _add_page(routes: APIRouter, reader: Reader) -> None:
    @routes.get("/preview")
    async def page(session: Annotated[Session, Depends(reader.named)]) -> HTMLResponse:
        return reader.pages.page("preview.html", session, page="preview", paused=await reader.paused())


def _add_state(routes: APIRouter, reader: Reader, preview: Preview) -> None:
    @routes.get("/preview/state")
    async def state(
        session: Annotated[Session, Depends(reader.named)],
        since: Annotated[str, Query(max_length=40)] = "",
    ) -> JSONResponse:
        return JSONResponse(preview.sees(session.name, since))


def _add_presses(routes: APIRouter, reader: Reader, preview: Preview) -> None:
    @routes.post("/preview/press")
    async def press(request: Request, session: Annotated[Session, Depends(reader.named)]) -> JSONResponse:
        form = await request.form(max_files=0, max_fields=5)
        csrf, did = form.get("csrf"), form.get("did")
        check_csrf(session, csrf if isinstance(csrf, str) else "")
        told = _read(did) if isinstance(did, str) else None
        if told is None:
            return JSONResponse({"problem": "That could not be read, so nothing was done."}, status_code=422)
        return JSONResponse(await preview.press(session.name, told))


def _read(raw: str) -> dict[str, object] | None:
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None
