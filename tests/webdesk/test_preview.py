"""The preview page for browsers and against them: who gets in, what is told, and what is refused."""

import json
from collections.abc import Mapping

import httpx2
import pytest

from casework.clock import ManualClock
from streams.case_store import CaseStore
from tests.webdesk.conftest import Person, browser, sign_in
from tests.webdesk.desks import a_desk
from webdesk.app import create_app
from webdesk.desk import Desk
from webdesk.render import STATIC

HOSTILE = '<img src=x onerror=alert(1)></script><script>alert(1)</script> <!channel> "\u202e'
PRESS = {"kind": "press", "channel": "C1", "ts": "1.1", "value": "a\nb"}


class Chat:
    """Shows one hostile message, and remembers what it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.did: list[tuple[str, Mapping[str, object]]] = []

    def sees(self, name: str, since: str) -> Mapping[str, object]:
        """What the page is told."""
        self.asked.append((name, since))
        return {"mark": "e-1", "messages": [{"text": HOSTILE}]}

    async def press(self, name: str, did: Mapping[str, object]) -> Mapping[str, object]:
        """What a person did."""
        self.did.append((name, did))
        return {"problem": HOSTILE} if did.get("kind") == "odd" else {}


@pytest.fixture
def chat() -> Chat:
    """The chat."""
    return Chat()


@pytest.fixture
def desk(cases: CaseStore, clock: ManualClock, chat: Chat) -> Desk:
    """A desk with a preview."""
    return a_desk(cases, clock, preview=chat)


async def pressed(person: Person, did: object, **headers: str) -> httpx2.Response:
    """Tell what somebody did, as the page's script does."""
    form = {"csrf": person.csrf, "did": did if isinstance(did, str) else json.dumps(did)}
    sent = {"Origin": "http://desk.test", **headers}
    return await person.http.post("/preview/press", data=form, headers=sent)


async def test_the_page_is_there_and_leads_to_itself(nina: Person) -> None:
    """One heading, its own scripts, and a link in the navigation of every page."""
    page = await nina.get("/preview")

    assert page.status_code == 200
    assert page.text.count("<h1>") == 1
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert 'href="/preview"' in (await nina.get("/")).text


async def test_what_somebody_sees_is_asked_in_their_name(nina: Person, chat: Chat) -> None:
    """With the mark that their page has; the answer is JSON that nobody sniffs as a page."""
    answer = await nina.get("/preview/state?since=e-0")

    assert chat.asked == [("Nina", "e-0")]
    assert answer.json()["messages"] == [{"text": HOSTILE}]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_press_is_told_as_it_was_done(nina: Person, chat: Chat) -> None:
    """Letter by letter, line ends too."""
    answer = await pressed(nina, PRESS)

    assert (answer.status_code, answer.json()) == (200, {})
    assert chat.did == [("Nina", PRESS)]


async def test_a_problem_is_words(nina: Person) -> None:
    """They go to the page as JSON, and are drawn there as text."""
    assert (await pressed(nina, {"kind": "odd"})).json() == {"problem": HOSTILE}


async def test_a_press_without_the_sessions_token_does_nothing(nina: Person, chat: Chat) -> None:
    """As every form of the desk."""
    for csrf in ("", "guess"):
        nina.csrf = csrf
        assert (await pressed(nina, PRESS)).status_code == 403

    assert chat.did == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Origin": "", "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_press_from_elsewhere_does_nothing(nina: Person, chat: Chat, headers: dict[str, str]) -> None:
    """Another site's page and a rebound name are refused before the form is read."""
    assert (await pressed(nina, PRESS, **headers)).status_code == 403
    assert chat.did == []


@pytest.mark.parametrize("did", ["", "{", "[]", "3", '"press"', "[" * 50_000])
async def test_what_is_no_press_is_refused(nina: Person, chat: Chat, did: str) -> None:
    """Nothing of it arrives."""
    assert (await pressed(nina, did)).status_code == 422
    assert chat.did == []


async def test_a_press_that_is_too_large_is_refused(nina: Person, chat: Chat) -> None:
    """Before it is read."""
    assert (await pressed(nina, {"kind": "x" * 300_000})).status_code == 413
    assert chat.did == []


@pytest.mark.parametrize("path", ["/preview", "/preview/state"])
async def test_without_a_session_nothing_is_shown(
    stranger: httpx2.AsyncClient, chat: Chat, path: str
) -> None:
    """The login link first."""
    assert (await stranger.get(path)).status_code == 401
    answer = await stranger.post("/preview/press", data={"did": "{}"}, headers={"Origin": "http://desk.test"})
    assert answer.status_code == 401
    assert (chat.asked, chat.did) == ([], [])


async def test_without_a_preview_there_is_no_such_page(cases: CaseStore, clock: ManualClock) -> None:
    """Nor a link to it."""
    async with browser(create_app(a_desk(cases, clock))) as http:
        nina = await sign_in(http, "Nina")
        assert (await nina.get("/preview")).status_code == 404
        assert "/preview" not in (await nina.get("/")).text


def test_the_scripts_never_make_markup_of_words() -> None:
    """Payloads hold strangers' words: no script has a way to have them parsed."""
    scripts = sorted(STATIC.glob("preview*.js"))
    assert len(scripts) == 4
    for script in scripts:
        text = script.read_text()
        for way in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "createContextualFragment",
            "DOMParser",
            "setHTML",
            "srcdoc",
        ):
            assert way not in text, f"{script.name}: {way}"
