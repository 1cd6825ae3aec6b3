"""Puts the desk together: `create_app` is the application, `serve` runs it until it is cancelled."""

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response

from casework import words
from casework.errors import HeardError, NoSuchCase
from streams import away
from streams.connection import LOST
from webdesk import api, forms, letters, pages, preview
from webdesk.desk import Desk
from webdesk.live import Live
from webdesk.render import STATIC
from webdesk.security import HEADERS, Forbidden, Gate, Nameless, Sessions, SignedOut
from webdesk.waiting import Waiting

STOP_PATIENCE_S = 3
AGAIN_S = 5

log = logging.getLogger("heard.webdesk")


def create_app(desk: Desk) -> FastAPI:
    """The web desk and its JSON API, for the values it is given."""
    waiting = Waiting(desk.store)
    reader = pages.Reader(desk, Sessions(desk.login_token), waiting)
    live = Live(desk, waiting)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await live.close()

    app = FastAPI(
        title=f"Heard for {desk.brand}",
        version="1",
        description="Cases, their drafts and promises, and what people do with them.",
        openapi_url=f"{api.PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.live = live
    app.include_router(api.router(desk))
    app.include_router(pages.router(reader, live))
    app.include_router(forms.router(reader))
    if desk.dead is not None:
        app.include_router(letters.pages(reader, desk.dead))
    if desk.preview is not None:
        app.include_router(preview.router(reader, desk.preview))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    api.add_error_handlers(app)
    _add_sign_in_handlers(app, reader)
    _add_error_handlers(app, desk, reader)
    app.add_middleware(Gate, hosts=desk.hosts)
    return app


def _add_sign_in_handlers(app: FastAPI, reader: pages.Reader) -> None:
    @app.exception_handler(SignedOut)
    async def signed_out(_request: Request, error: Exception) -> Response:
        return reader.pages.message(None, "Sign in", str(error), status=401)

    @app.exception_handler(Nameless)
    async def nameless(request: Request, _error: Exception) -> Response:
        then = quote(request.url.path) if request.method == "GET" and request.url.path != "/live" else "/"
        return RedirectResponse(f"/name?then={then}", status_code=303)


def _add_error_handlers(app: FastAPI, desk: Desk, reader: pages.Reader) -> None:
    @app.exception_handler(HeardError)
    async def heard(request: Request, error: Exception) -> Response:
        if _is_api(request):
            return await api.explain(desk, error)
        codes = {NoSuchCase: (404, "No such case"), Forbidden: (403, "Not allowed")}
        status, title = codes.get(type(error), (503, "Not now"))
        said = words.refused(error) if isinstance(error, HeardError) else str(error)
        return reader.pages.message(reader.sessions.find(request), title, said, status=status)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if _is_api(request):
            return api.http_error(error)
        title = "No such page" if error.status_code == 404 else "That did not work"
        return reader.pages.message(
            reader.sessions.find(request), title, str(error.detail), status=error.status_code
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        if _is_api(request):
            return api.invalid(error)
        said = " ".join(api.plain_problems(error))
        return reader.pages.message(reader.sessions.find(request), "That did not work", said, status=422)

    _add_lost_store(app, reader)
    _add_last_resort(app, reader)


def _add_lost_store(app: FastAPI, reader: pages.Reader) -> None:
    async def lost(request: Request, error: Exception) -> Response:
        said = f"{away.why(error).sentence} What you did may not be saved: look again in a moment."
        if _is_api(request):
            return JSONResponse({"error": "unavailable", "message": said}, status_code=503)
        answer = reader.pages.message(reader.sessions.find(request), "Not now", said, status=503)
        if request.method == "GET":
            # The page comes back by itself, as soon as it can.
            answer.headers["Refresh"] = str(AGAIN_S)
        return answer

    for kind in LOST[:2]:
        app.add_exception_handler(kind, lost)


def _add_last_resort(app: FastAPI, reader: pages.Reader) -> None:
    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        # The number ties what a person saw to the log, which never holds what they read.
        number = f"err-{secrets.token_hex(3)}"
        log.error("%s %s: %s (%s)", request.method, request.url.path, type(error).__name__, number)
        said = f"Something broke on our side. Look at the case again before you repeat a move ({number})."
        answer: Response = JSONResponse(
            {"error": "broken", "message": said, "number": number}, status_code=500
        )
        if not _is_api(request):
            answer = reader.pages.message(None, "Something broke", said, status=500)
        # This answer is given outside of the gate.
        answer.headers.update(HEADERS)
        return answer


def _is_api(request: Request) -> bool:
    return request.url.path.startswith(api.PREFIX)


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it, as the desk is one part of a process, and says when it answers."""

    def __init__(self, config: uvicorn.Config, started: asyncio.Event | None) -> None:
        super().__init__(config)
        self._answers = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets=sockets)
        if self._answers is not None:
            self._answers.set()


async def serve(
    desk: Desk,
    *,
    host: str = "127.0.0.1",
    port: int = 8400,
    sockets: Sequence[socket.socket] | None = None,
    started: asyncio.Event | None = None,
) -> None:
    """Serve the desk until this task is cancelled; open pages are let go at once.

    ``sockets``, already bound, win over ``host`` and ``port``. ``started`` is set once it answers.

    Raises:
        OSError: the address is taken or not this machine's.
    """
    bound = list(sockets or [_bind(host, port)])
    app = create_app(desk)
    # No access log: the login link carries its token, and a search the words of a customer.
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_PATIENCE_S,
        lifespan="on",
    )
    server = _Server(config, started)
    running = asyncio.create_task(server.serve(sockets=bound))
    try:
        await asyncio.shield(running)
    finally:
        await app.state.live.close()
        server.should_exit = True
        await running


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)
