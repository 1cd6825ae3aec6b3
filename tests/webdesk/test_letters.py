"""Dead letters on the desk: seen with their case, put back, or dropped with a reason."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from casework.case import Case
from casework.clock import ManualClock
from streams.case_store import CaseStore
from streams.connection import Store
from streams.dead_letters import DeadLetter, DeadLetters
from tests.fakes.letters import bury_case, bury_line
from tests.webdesk.conftest import Person, browser, sign_in
from tests.webdesk.desks import TOKEN, a_desk, put_draft
from webdesk.app import create_app

V1 = "/api/v1/dead-letters"


@pytest.fixture
def app(store: Store, cases: CaseStore, clock: ManualClock) -> FastAPI:
    """A desk with a page for them."""
    return create_app(a_desk(cases, clock, dead=DeadLetters(store)))


@pytest.fixture
async def case(cases: CaseStore) -> Case:
    """Maya's case."""
    return await put_draft(cases)


@pytest.fixture
async def letter(store: Store, case: Case) -> DeadLetter:
    """A stage gave it up."""
    return await bury_case(store, case)


@pytest.fixture
async def nina(app: FastAPI) -> AsyncIterator[Person]:
    """Nina, signed in."""
    async with browser(app) as http:
        yield await sign_in(http, "Nina")


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A program with the API's token."""
    async with browser(app) as http:
        http.headers["Authorization"] = f"Bearer {TOKEN}"
        yield http


async def test_nothing_is_good_news(nina: Person) -> None:
    """And the health page leads there."""
    assert "everything could be handled" in (await nina.get("/dead-letters")).text
    assert 'href="/dead-letters"' in (await nina.get("/health")).text


async def test_each_is_shown_with_its_case_and_why(
    nina: Person, store: Store, case: Case, letter: DeadLetter
) -> None:
    """A line of a feed is shown as text, whatever is in it, and cannot be put back."""
    await bury_line(store, 7)
    await DeadLetters(store).bury_line("day:8", "<script>alert(1)</script>", "no JSON", at=letter.at)
    text = (await nina.get("/dead-letters")).text

    assert f'href="/cases/{case.id}"' in text
    assert "Maya R." in text
    assert "KeyError in stage" in text
    assert "line 7 is not JSON" in text
    assert "<script>alert" not in text
    assert text.count("Put back</button>") == 1


async def test_one_is_put_back_by_a_button(nina: Person, store: Store, letter: DeadLetter) -> None:
    """Twice is once, and the second is told so."""
    first = await nina.post("/dead-letters", letter=letter.id, do="retry")
    second = await nina.post("/dead-letters", letter=letter.id, do="retry")

    assert "Put back." in first.text
    assert (second.status_code, "there is no dead letter" in second.text) == (409, True)
    assert await DeadLetters(store).count() == 0


async def test_one_is_dropped_with_a_reason_and_not_without(
    nina: Person, store: Store, cases: CaseStore, letter: DeadLetter
) -> None:
    """The reason is on the case."""
    refused = await nina.post("/dead-letters", letter=letter.id, do="drop", why=" ")
    assert (refused.status_code, "Say why" in refused.text) == (409, True)
    assert await DeadLetters(store).count() == 1

    assert "Dropped." in (await nina.post("/dead-letters", letter=letter.id, do="drop", why="spam")).text
    assert await DeadLetters(store).count() == 0
    assert (await cases.timeline(letter.case_id))[-1].detail.endswith(": spam")


async def test_a_forged_form_changes_nothing(nina: Person, store: Store, letter: DeadLetter) -> None:
    """It has not the session's token."""
    nina.csrf = "forged"
    answer = await nina.post("/dead-letters", letter=letter.id, do="retry")

    assert answer.status_code == 403
    assert await DeadLetters(store).count() == 1


async def test_a_program_does_the_same(
    api: httpx2.AsyncClient, store: Store, cases: CaseStore, letter: DeadLetter
) -> None:
    """Listed, refused in words, dropped, and put back."""
    (listed,) = (await api.get(V1)).json()
    assert (listed["id"], listed["stage"], listed["case_id"]) == (letter.id, "classified", letter.case_id)

    unknown = await api.post(f"{V1}/7/1-0/retry")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "not found")
    unsaid = await api.post(f"{V1}/{letter.id}/drop", json={"by": "bot", "why": ""})
    assert unsaid.status_code == 422

    assert (await api.post(f"{V1}/{letter.id}/retry")).status_code == 200
    again = await bury_case(store, await cases.load(letter.case_id))
    dropped = await api.post(f"{V1}/{again.id}/drop", json={"by": "bot", "why": "a duplicate"})
    assert dropped.json()["message"] == "Dropped. Its case says so."
    assert (await api.get(V1)).json() == []
