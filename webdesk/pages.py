"""The pages that people read: the queue, a case, the promises and the health of every part."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from casework import words
from casework.case import Case, Status
from casework.decisions import allowed, objections, way
from platforms.composers import composer
from streams import away
from streams.connection import LOST
from webdesk import views
from webdesk.board import read_board
from webdesk.desk import PATIENCE_S, Desk, HealthLine
from webdesk.live import Live, position
from webdesk.render import Pages
from webdesk.security import Nameless, Session, Sessions, SignedOut
from webdesk.waiting import Waiting

ROWS = 200
MOST_ROWS = 5000
SNOOZES = (("15", "15 minutes"), ("60", "1 hour"), ("240", "4 hours"), ("1440", "1 day"))
DONE = {
    "approve": "Approved. It goes out now.",
    "edit": "Your text is saved as the draft. Approve it to send it.",
    "reject": "Draft rejected. The case needs a person's words.",
    "take": "This case is yours.",
    "release": "Released. Anybody may take it.",
    "snooze": "Snoozed. Its promises run on.",
    "await": "Its promises stand still until the customer writes or you go on.",
    "go-on": "Its promises run again.",
    "close": "Closed.",
    "note": "Note saved. Only colleagues see it.",
    "escalate": "Handed on.",
    "reopen": "Reopened.",
    "posted": "Noted: you answered this by hand.",
    "take-back": "It is being deleted on the platform. The case needs an answer again.",
    "hush": "Alarm acknowledged. Nobody further is told.",
}


class Reader:
    """What all pages need: the desk, the drawing, the sessions and the shared reading of the queue."""

    def __init__(self, desk: Desk, sessions: Sessions, waiting: Waiting) -> None:
        self.desk = desk
        self.sessions = sessions
        self.waiting = waiting
        self.pages = Pages(desk)

    def signed_in(self, request: Request) -> Session:
        """The session of a request, or its refusal."""
        session = self.sessions.find(request)
        if session is None:
            raise SignedOut("Open the login link that Heard printed at its start.")
        return session

    def named(self, request: Request) -> Session:
        """The session of somebody who has said who they are."""
        session = self.signed_in(request)
        if not session.name:
            raise Nameless("Say who you are first.")
        return session

    async def paused(self) -> bool:
        """Whether sending is stopped, for the banner."""
        return await self.desk.switch.paused()

    async def case_page(
        self,
        session: Session,
        case: Case,
        *,
        status: int = 200,
        notice: str = "",
        kind: str = "done",
        text: str | None = None,
        problems: Sequence[str] = (),
    ) -> HTMLResponse:
        """The page of one case. ``text`` is what the person typed, kept when it was not taken."""
        now, desk = self.desk.clock.now(), self.desk
        timeline = await desk.store.timeline(case.id)
        draft = case.draft.text if case.draft else ""
        written = draft if text is None else text
        used, limit = desk.measure(case.platform, written)
        return self.pages.page(
            "case.html",
            session,
            status=status,
            page="case",
            paused=await self.paused(),
            notice=notice,
            notice_kind=kind,
            case=case,
            row=views.row(case, now, you=session.name),
            said=views.conversation(case, timeline),
            happened=views.happenings(timeline),
            owed=views.owed(case, now),
            can=allowed(case),
            way=str(way(case)),
            permission=words.permission_words(case.permission, case.platform),
            link=views.safe_link(composer(case.last, draft)),
            draft_shown=words.visible(draft),
            trouble=await desk.trouble(case.id),
            approved_by=", ".join(words.visible(name) for name in case.approvals),
            approvals=desk.approvals(case),
            written=written,
            editing=text is not None,
            used=used,
            limit=limit,
            objections=list(problems) or (objections(desk.circumstances(), case, draft) if draft else []),
            snoozes=SNOOZES,
        )


async def _filters(
    platform: Annotated[str, Query(max_length=40)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    owner: Annotated[str, Query(max_length=10)] = "",
    q: Annotated[str, Query(max_length=200)] = "",
) -> views.Filters:
    return views.Filters(platform=platform, standing=state, owner=owner, words=q.strip())


def router(reader: Reader, live: Live) -> APIRouter:
    """All pages that are read; nothing changes here."""
    routes = APIRouter(include_in_schema=False)
    _add_queue(routes, reader)
    _add_cases(routes, reader)
    _add_boards(routes, reader)
    _add_live(routes, reader, live)
    _add_probes(routes, reader)
    return routes


def _add_queue(routes: APIRouter, reader: Reader) -> None:
    @routes.get("/")
    async def queue(
        session: Annotated[Session, Depends(reader.named)],
        filters: Annotated[views.Filters, Depends(_filters)],
        show: Annotated[int, Query(ge=1, le=MOST_ROWS)] = ROWS,
    ) -> HTMLResponse:
        waiting = await reader.waiting.read()
        rows = views.ranked(waiting, reader.desk.clock.now(), you=session.name)
        wanted = [row for row in rows if filters.match(row)]
        return reader.pages.page(
            "queue.html",
            session,
            page="queue",
            paused=await reader.paused(),
            rows=wanted[:show],
            more=max(0, len(wanted) - show),
            show=min(show + ROWS, MOST_ROWS),
            counts=views.counted(rows),
            filters=filters,
            platforms=sorted({(row.platform, row.platform_name) for row in rows}),
            states=list(words.SHAPES.items()),
        )

    @routes.get("/next")
    async def next_case(
        session: Annotated[Session, Depends(reader.named)], after: Annotated[str, Query(max_length=40)] = ""
    ) -> RedirectResponse:
        waiting = await reader.waiting.read()
        rows = views.ranked(waiting, reader.desk.clock.now(), you=session.name)
        ids = [row.id for row in rows]
        following = ids[ids.index(after) + 1 :] if after in ids else ids
        target = next((f"/cases/{case_id}" for case_id in following or ids if case_id != after), "/")
        return RedirectResponse(target, status_code=303)


def _add_cases(routes: APIRouter, reader: Reader) -> None:
    @routes.get("/cases/{case_id}")
    async def one_case(
        case_id: str,
        session: Annotated[Session, Depends(reader.named)],
        done: Annotated[str, Query(max_length=20)] = "",
    ) -> HTMLResponse:
        case = await reader.desk.store.load(case_id)
        return await reader.case_page(session, case, notice=DONE.get(done, ""))


def _add_boards(routes: APIRouter, reader: Reader) -> None:
    @routes.get("/promises")
    async def promises(session: Annotated[Session, Depends(reader.named)]) -> HTMLResponse:
        desk = reader.desk
        now = desk.clock.now()
        every = desk.store.every(tuple(set(Status) - {Status.ERASED}))
        board = await read_board(every, desk.promises.policies, now=now, timezone=desk.timezone)
        return reader.pages.page(
            "promises.html", session, page="promises", paused=await reader.paused(), board=board
        )

    @routes.get("/health")
    async def health(session: Annotated[Session, Depends(reader.named)]) -> HTMLResponse:
        checks = await reader.desk.health()
        paused, counts = False, dict[Status, int]()
        try:
            async with asyncio.timeout(PATIENCE_S):
                paused, counts = await reader.paused(), await reader.desk.store.counts()
            known = True
        except LOST:
            known = False
        return reader.pages.page(
            "health.html",
            session,
            page="health",
            paused=paused,
            known=known,
            lines=checks,
            counts=[(words.STATUS[status], number) for status, number in counts.items()],
        )


def _add_live(routes: APIRouter, reader: Reader, live: Live) -> None:
    @routes.get("/live", response_class=EventSourceResponse)
    async def stream(
        session: Annotated[Session, Depends(reader.named)],
        filters: Annotated[views.Filters, Depends(_filters)],
        after: Annotated[str, Query(max_length=40)] = "",
        last_event_id: Annotated[str, Header(max_length=40)] = "",
    ) -> AsyncIterator[ServerSentEvent]:
        events = live.stream(
            you=session.name,
            filters=filters,
            after=position(last_event_id or after),
            draw=lambda row: reader.pages.row(row, session),
        )
        async for event in events:
            yield event


def _add_probes(routes: APIRouter, reader: Reader) -> None:
    @routes.get("/livez")
    async def livez() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @routes.get("/readyz")
    async def readyz() -> Response:
        lines = [*await reader.desk.health()]
        if not any(line.name == "store" and line.state == "bad" for line in lines):
            lines += await _silent_store(reader)
        bad = [line for line in lines if line.state == "bad"]
        notes = [line.name for line in lines if line.state == "warn"]
        answer = {
            "ready": not bad,
            "bad": [line.name for line in bad],
            "notes": notes,
            "why": [f"{line.name}: {line.words}" for line in bad],
        }
        return JSONResponse(answer, status_code=503 if bad else 200)


async def _silent_store(reader: Reader) -> list[HealthLine]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await reader.desk.store.next_due()
    except LOST as error:
        gone = away.why(error)
        return [HealthLine("store", "bad", gone.words, gone.fix)]
    return []
