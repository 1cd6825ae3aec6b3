"""A desk over an empty real store, and the two who use it: a program with a token, a person with a cookie."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
from fastapi import FastAPI

from casework.clock import ManualClock
from streams.case_store import CaseStore
from tests.webdesk.desks import LOGIN, TOKEN, SwitchInMemory, a_desk
from webdesk.app import create_app
from webdesk.desk import Desk

CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Person:
    """A signed-in browser without scripts."""

    http: httpx2.AsyncClient
    csrf: str

    async def get(self, path: str) -> httpx2.Response:
        """Read a page."""
        return await self.http.get(path)

    async def post(self, path: str, **fields: object) -> httpx2.Response:
        """Press a button."""
        form = {"csrf": self.csrf, **{name: str(value) for name, value in fields.items()}}
        return await self.http.post(path, data=form, headers={"Origin": "http://desk.test"})


@pytest.fixture
def switch() -> SwitchInMemory:
    """The kill switch."""
    return SwitchInMemory()


@pytest.fixture
def desk(cases: CaseStore, clock: ManualClock, switch: SwitchInMemory) -> Desk:
    """The desk."""
    return a_desk(cases, clock, switch=switch)


@pytest.fixture
def app(desk: Desk) -> FastAPI:
    """The application."""
    return create_app(desk)


def browser(app: FastAPI) -> httpx2.AsyncClient:
    """A browser that nobody signed in with."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://desk.test")


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that nobody signed in with."""
    async with browser(app) as http:
        yield http


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A program with the API's token."""
    async with browser(app) as http:
        http.headers["Authorization"] = f"Bearer {TOKEN}"
        yield http


async def sign_in(http: httpx2.AsyncClient, name: str, token: str = LOGIN) -> Person:
    """Open the login link and say a name."""
    answer = await http.get("/login", params={"token": token})
    found = CSRF.search(answer.text)
    assert found, answer.text
    person = Person(http, found[1])
    assert (await person.post("/name", name=name, then="/")).status_code == 303
    return person


@pytest.fixture
async def nina(app: FastAPI) -> AsyncIterator[Person]:
    """Nina, signed in."""
    async with browser(app) as http:
        yield await sign_in(http, "Nina")


@pytest.fixture
def nina_cookie(nina: Person) -> httpx2.AsyncClient:
    """Nina's browser as it is, cookie and all."""
    return nina.http
