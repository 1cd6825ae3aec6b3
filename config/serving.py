"""Serves the web desk over a line: what it checks, counts and shows about health."""

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from casework.case import Case
from casework.decisions import Hard
from casework.errors import HeardError
from config.brand import Brand
from config.checks import Check
from config.usage import WrongUsage
from config.wiring import Line
from platforms.lengths import measure
from responder.guard import objections
from webdesk.app import serve
from webdesk.desk import Desk, HealthLine, Preview

TRIES = 20


@dataclass(frozen=True, slots=True)
class Address:
    """Where the desk listens, bound already, and the link that signs a person in."""

    bound: socket.socket
    host: str
    port: int
    login_token: str

    @property
    def link(self) -> str:
        """The link to open, good once."""
        return f"http://{self.host}:{self.port}/login?token={self.login_token}"


def bind(listen: str, *, any_port: bool = False) -> Address:
    """Take the desk's address; with ``any_port`` the next free one when it is taken.

    Raises:
        WrongUsage: it is not an address of this machine.
        HeardError: it is taken.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise WrongUsage(f"{listen} is not HOST:PORT, such as 127.0.0.1:8400")
    if host not in ("127.0.0.1", "localhost"):
        raise WrongUsage(
            f"the desk has no sign-in of its own and listens on 127.0.0.1 only, not on {host}: "
            "put a proxy with sign-in in front of it"
        )
    first = int(port)
    for number in range(first, first + (TRIES if any_port and first else 1)):
        bound = socket.socket(socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, number))
        except OSError as error:
            bound.close()
            reason = error.strerror
        else:
            return Address(bound, host, bound.getsockname()[1], secrets.token_urlsafe(24))
    raise HeardError(f"the desk cannot listen on {listen}: {reason}; choose another with --desk HOST:PORT")


async def serve_at(address: Address, shown: Desk, *, started: asyncio.Event) -> None:
    """Serve the desk there until this task is cancelled; ``started`` is set once it answers."""
    await serve(shown, sockets=[address.bound], started=started)


def desk(
    line: Line,
    address: Address,
    *,
    token: str,
    summary: Callable[[], Awaitable[Mapping[str, object]]],
    health: Callable[[], Awaitable[Sequence[Check]]],
    live: bool = True,
    speed: float = 1.0,
    trouble: Callable[[str], Awaitable[str]] | None = None,
    preview: Preview | None = None,
) -> Desk:
    """The desk over a line. ``token`` opens the API; a recorded day is not ``live``."""

    async def lines() -> Sequence[HealthLine]:
        return [HealthLine(check.name, check.state, check.words, check.fix) for check in await health()]

    return Desk(
        store=line.cases,
        clock=line.clock,
        promises=line.promises,
        brand=line.brand.name,
        timezone=line.brand.timezone,
        token=token,
        login_token=address.login_token,
        hosts=frozenset({f"{name}:{address.port}" for name in (address.host, "localhost", "127.0.0.1")}),
        check=check_text,
        measure=count,
        health=lines,
        summary=summary,
        switch=line.switch,
        live=live,
        speed=speed,
        approvals=approvals_of(line.brand),
        trouble=trouble or _no_trouble,
        preview=preview,
        dead=line.dead,
    )


async def _no_trouble(_case_id: str) -> str:
    return ""


def approvals_of(brand: Brand) -> Callable[[Case], int]:
    """How many people must approve a reply in a case: as its rule says, one where no rule does."""
    by_rule = {rule.id: rule.approvers for rule in brand.rules()}
    return lambda case: by_rule.get(case.rule, 1)


def count(platform: str, text: str) -> tuple[int, int]:
    """How long a text is and may be, by the platform's own counting."""
    length = measure(platform, text)
    return length.used, length.limit


def check_text(case: Case, text: str) -> Sequence[str]:
    """What speaks against a person's own words: only what the platform refuses is refused.

    A person may state facts that no article has; personal data is shown to them and left to them.
    """
    length = measure(case.platform, text)
    hard = [] if text.strip() else [Hard("the reply is empty")]
    hard += [] if length.fits else [Hard(f"the reply is too long: {length}")]
    found = objections(text, platform=case.platform, allowed=[text])
    return [*hard, *(objection.why for objection in found if length.fits and text.strip())]


def api_token(place: Path, given: str | None) -> str:
    """The API's bearer token: HEARD_DESK__TOKEN, or one made once and kept in the folder (0600)."""
    if given:
        return given
    path = place / "desk-token"
    if not path.exists():
        place.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(32))
        fresh.rename(path)
    return path.read_text().strip()
