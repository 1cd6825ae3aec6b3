"""Who gets in, from where, and what a browser is told to refuse (T6)."""

import httpx2
import pytest
from fastapi import FastAPI

from casework.case import Status
from streams.case_store import CaseStore
from tests.webdesk.conftest import Person, browser, sign_in
from tests.webdesk.desks import LOGIN, SwitchInMemory, put_draft

PAGES = ("/", "/promises", "/health", "/next", "/live", "/cases/C-1")


async def test_a_login_link_works_once(app: FastAPI, nina: Person) -> None:
    """The printed link lets one browser in; whoever finds it later is refused."""
    async with browser(app) as second:
        answer = await second.get("/login", params={"token": LOGIN})

    assert answer.status_code == 403
    assert "used already" in answer.text
    assert "set-cookie" not in answer.headers


async def test_the_cookie_is_out_of_reach_of_pages(stranger: httpx2.AsyncClient) -> None:
    """No script reads it and no other site's request carries it."""
    answer = await stranger.get("/login", params={"token": LOGIN})

    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert LOGIN not in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_session_nothing_is_shown(stranger: httpx2.AsyncClient, path: str) -> None:
    """Every page asks for the login link first, and a guessed cookie helps nobody."""
    stranger.cookies.set("heard_session", "guess")

    answer = await stranger.get(path)

    assert answer.status_code == 401
    assert "login link" in answer.text


async def test_a_name_is_asked_before_anything_else(stranger: httpx2.AsyncClient) -> None:
    """Without a name no page opens, as the timeline must say who."""
    await stranger.get("/login", params={"token": LOGIN})

    answer = await stranger.get("/health")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/name?then=/health"


@pytest.mark.parametrize("name", ["", "   ", "heard", "x" * 81, "Ni\u202ena"])
async def test_a_name_that_is_none_is_asked_again(nina: Person, name: str) -> None:
    """Empty, too long, invisible, or the bot's own name is no name."""
    answer = await nina.post("/name", name=name, then="/")

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "then", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"]
)
async def test_signing_in_leads_nowhere_else(nina: Person, then: str) -> None:
    """The address to go on to is on this desk."""
    answer = await nina.post("/name", name="Nina", then=then)

    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("host", ["evil.example", "desk.test.evil.example", "", "desk.test@evil.example"])
async def test_another_host_name_is_refused(nina: Person, host: str) -> None:
    """A name that resolves to us by a rebound DNS is not ours."""
    answer = await nina.http.get("/", headers={"Host": host})

    assert answer.status_code == 403


async def test_our_host_is_known_with_any_port(nina: Person) -> None:
    """A host given without a port stands for all of them."""
    assert (await nina.http.get("/", headers={"Host": "desk.test:8400"})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://desk.test.evil.example"},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_from_another_site_does_nothing(
    nina: Person, cases: CaseStore, headers: dict[str, str]
) -> None:
    """Even with the cookie and the right CSRF token."""
    case = await put_draft(cases)
    form = {"csrf": nina.csrf, "version": str(case.version)}

    answer = await nina.http.post(f"/cases/{case.id}/take", data=form, headers=headers)

    assert answer.status_code == 403
    assert await cases.load(case.id) == case


async def test_our_own_form_under_no_referrer_is_taken(nina: Person, cases: CaseStore) -> None:
    """Browsers send `Origin: null` from a no-referrer page, and say that it was the same site."""
    case = await put_draft(cases)
    form = {"csrf": nina.csrf, "version": str(case.version)}
    headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}

    answer = await nina.http.post(f"/cases/{case.id}/take", data=form, headers=headers)

    assert answer.status_code == 303


@pytest.mark.parametrize(
    "path", ["/cases/C-64/take", "/cases/C-64/check", "/pause", "/resume", "/invite", "/logout", "/name"]
)
@pytest.mark.parametrize("token", ["", "wrong", "é"])
async def test_every_form_needs_its_csrf_token(
    nina: Person, switch: SwitchInMemory, path: str, token: str
) -> None:
    """A form without the session's token does nothing."""
    nina.csrf = token

    answer = await nina.post(path, name="Eve", version=1)

    assert answer.status_code == 403
    assert switch.by == []


@pytest.mark.parametrize("path", ["/pause", "/resume", "/invite", "/logout", "/cases/C-64/approve"])
async def test_nothing_changes_on_reading(nina: Person, switch: SwitchInMemory, path: str) -> None:
    """An address that acts is not an address to read."""
    answer = await nina.get(path)

    assert answer.status_code in (404, 405)
    assert switch.by == []


async def test_every_answer_tells_the_browser_what_to_refuse(nina: Person) -> None:
    """Pages, refusals and files alike carry the policy."""
    for path in ("/", "/nothing", "/static/desk.js", "/api/v1/cases", "/livez"):
        headers = (await nina.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_pages_have_no_inline_script_or_style(nina: Person, cases: CaseStore) -> None:
    """What the policy forbids the pages do not need."""
    case = await put_draft(cases)
    for path in ("/", f"/cases/{case.id}", "/promises", "/health", "/name"):
        text = (await nina.get(path)).text
        assert " style=" not in text
        assert " onclick=" not in text
        assert "<style" not in text
        assert text.count("<script") == 1


async def test_a_body_too_long_is_refused_unread(nina: Person) -> None:
    """A megabyte is no name."""
    answer = await nina.post("/name", name="x" * 1_000_000, then="/")

    assert answer.status_code == 413


async def test_a_colleague_comes_in_by_a_link_of_their_own(app: FastAPI, nina: Person) -> None:
    """A made link lets one more browser in, once, under its own name."""
    page = await nina.post("/invite")
    token = page.text.split("/login?token=")[1].split('"')[0]

    async with browser(app) as http:
        omar = await sign_in(http, "Omar", token)
        assert "Omar" in (await omar.get("/")).text
    async with browser(app) as http:
        assert (await http.get("/login", params={"token": token})).status_code == 403


async def test_signing_out_ends_the_session(nina: Person) -> None:
    """The cookie is worth nothing afterwards, even kept."""
    cookie = nina.http.cookies["heard_session"]
    await nina.post("/logout")
    nina.http.cookies.set("heard_session", cookie)

    assert (await nina.get("/")).status_code == 401


async def test_no_reader_of_a_case_leaves_a_trace(nina: Person, cases: CaseStore) -> None:
    """Opening pages moves nothing."""
    case = await put_draft(cases)
    for path in ("/", f"/cases/{case.id}", "/promises", "/health", f"/next?after={case.id}"):
        await nina.get(path)

    assert await cases.load(case.id) == case
    assert case.status is Status.DRAFTED
