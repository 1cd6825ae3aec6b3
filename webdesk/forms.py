"""What the pages' buttons do: every POST of the desk. Each carries the session's CSRF token."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from casework import words
from casework.decisions import LONGEST_NAME, Action, Ask, Refused, objections
from casework.errors import Conflict, HeardError, IllegalMove, NoSuchCase, NotAllowedHere, TextChanged
from webdesk.actions import edit_and_send, perform
from webdesk.pages import DONE, Reader
from webdesk.security import COOKIE, Session, check_csrf


def router(reader: Reader) -> APIRouter:
    """Everything on the pages that changes something."""
    routes = APIRouter(include_in_schema=False)
    _add_sign_in(routes, reader)
    _add_moves(routes, reader)
    _add_switch(routes, reader)
    return routes


async def _form(request: Request, session: Session) -> FormData:
    form = await request.form(max_files=0, max_fields=20)
    check_csrf(session, _field(form, "csrf"))
    return form


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    # Browsers send line ends as CRLF; a reply and its fingerprint have LF.
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def _here(address: str) -> str:
    """An address on this desk, or the queue."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"


# ── signing in ───────────────────────────────────────────────────────────────────────────────────


def _add_sign_in(routes: APIRouter, reader: Reader) -> None:
    pages, sessions = reader.pages, reader.sessions

    @routes.get("/login")
    async def login(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> Response:
        redeemed = sessions.redeem(token)
        if redeemed is None:
            if sessions.find(request):
                return RedirectResponse("/", status_code=303)
            said = "This login link was used already or is not right. Start Heard again for a fresh one."
            return pages.message(None, "Sign in", said, status=403)
        cookie, session = redeemed
        # A page, not a redirect: a strict cookie does not travel on one that began on another site.
        answer = pages.page("name.html", session, then="/", problem="")
        answer.set_cookie(
            COOKIE, cookie, httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/"
        )
        return answer

    @routes.get("/name")
    async def ask_name(
        session: Annotated[Session, Depends(reader.signed_in)],
        then: Annotated[str, Query(max_length=300)] = "/",
    ) -> Response:
        return pages.page("name.html", session, then=_here(then), problem="")

    @routes.post("/name")
    async def set_name(request: Request, session: Annotated[Session, Depends(reader.signed_in)]) -> Response:
        form = await _form(request, session)
        name, then = " ".join(_field(form, "name").split()), _here(_field(form, "then"))
        if not name or len(name) > LONGEST_NAME or not name.isprintable() or name.casefold() == "heard":
            problem = f"Write a name of 1 to {LONGEST_NAME} characters (and not heard: that is the bot)."
            return pages.page("name.html", session, status=422, then=then, problem=problem)
        session.name = name
        return RedirectResponse(then, status_code=303)

    @routes.post("/invite")
    async def invite(request: Request, session: Annotated[Session, Depends(reader.named)]) -> Response:
        await _form(request, session)
        link = f"{request.url.scheme}://{request.headers['host']}/login?token={sessions.invite()}"
        return pages.page("invite.html", session, link=link)

    @routes.post("/logout")
    async def logout(request: Request, session: Annotated[Session, Depends(reader.signed_in)]) -> Response:
        await _form(request, session)
        sessions.end(request)
        answer = pages.message(None, "Signed out", "Open a login link to come back.", status=200)
        answer.delete_cookie(COOKIE, path="/")
        return answer


# ── moves ────────────────────────────────────────────────────────────────────────────────────────


def _ask(reader: Reader, form: FormData, session: Session) -> Ask:
    version, minutes = _field(form, "version"), _field(form, "minutes")
    if not version.isdecimal() or len(version) > 15:
        raise Refused("This form has no version; reload the page.")
    until = None
    if minutes.isdecimal() and len(minutes) < 7:
        until = reader.desk.clock.now() + timedelta(minutes=int(minutes))
    return Ask(
        version=int(version),
        by=session.name,
        draft_sha256=_field(form, "draft_sha256"),
        text=_field(form, "text"),
        reason=_field(form, "reason"),
        until=until,
        to=_field(form, "to"),
    )


def _add_moves(routes: APIRouter, reader: Reader) -> None:
    @routes.post("/cases/{case_id}/check")
    async def check(
        case_id: str, request: Request, session: Annotated[Session, Depends(reader.named)]
    ) -> JSONResponse:
        form = await _form(request, session)
        case, text = await reader.desk.store.load(case_id), _field(form, "text")
        used, limit = reader.desk.measure(case.platform, text)
        return JSONResponse(
            {"used": used, "limit": limit, "objections": objections(reader.desk.circumstances(), case, text)}
        )

    @routes.post("/cases/{case_id}/{action}")
    async def move(
        case_id: str, action: str, request: Request, session: Annotated[Session, Depends(reader.named)]
    ) -> Response:
        form = await _form(request, session)
        bare = request.headers.get("accept") == "application/json"
        if action not in set(Action):
            raise NoSuchCase(f"{case_id}/{action}")
        typed = _field(form, "text") if action == Action.EDIT else None
        try:
            ask = _ask(reader, form, session)
            if action == Action.EDIT and _field(form, "send"):
                said = await _checked_then_sent(reader, case_id, ask)
            else:
                await perform(reader.desk, case_id, Action(action), ask)
                said = action
        except (Conflict, IllegalMove, NotAllowedHere, TextChanged, Refused) as error:
            return await _lost(reader, session, case_id, error, typed=typed, bare=bare)
        if bare:
            return JSONResponse({"message": DONE[said]})
        then = _here(_field(form, "then")) if _field(form, "then") else f"/cases/{case_id}?done={said}"
        return RedirectResponse(then, status_code=303)


async def _checked_then_sent(reader: Reader, case_id: str, ask: Ask) -> str:
    # Words that the checks speak against are saved and shown, and go out only on a second look.
    case = await reader.desk.store.load(case_id)
    if objections(reader.desk.circumstances(), case, ask.text):
        await perform(reader.desk, case_id, Action.EDIT, ask)
        return "edit"
    await edit_and_send(reader.desk, case_id, ask)
    return "approve"


async def _lost(
    reader: Reader, session: Session, case_id: str, error: HeardError, *, typed: str | None, bare: bool
) -> Response:
    case = await reader.desk.store.load(case_id)
    status, problems = 409, list[str]()
    if isinstance(error, Conflict):
        said = words.too_late(error, case.moved_at, now=reader.desk.clock.now(), you=session.name)
    elif isinstance(error, Refused):
        status, said, problems = 422, str(error), list(error.problems)
    else:
        said = words.refused(error)
    if bare:
        return JSONResponse({"message": said, "version": case.version}, status_code=status)
    return await reader.case_page(
        session, case, status=status, notice=said, kind="problem", text=typed, problems=problems
    )


# ── the switch ───────────────────────────────────────────────────────────────────────────────────


def _add_switch(routes: APIRouter, reader: Reader) -> None:
    @routes.post("/pause")
    async def pause(request: Request, session: Annotated[Session, Depends(reader.named)]) -> Response:
        await _form(request, session)
        await reader.desk.switch.pause(session.name)
        return RedirectResponse("/health", status_code=303)

    @routes.post("/resume")
    async def resume(request: Request, session: Annotated[Session, Depends(reader.named)]) -> Response:
        await _form(request, session)
        await reader.desk.switch.resume(session.name)
        return RedirectResponse("/health", status_code=303)
