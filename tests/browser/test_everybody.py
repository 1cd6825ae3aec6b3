"""The desk for everybody and against anybody: by machine-checked rules, on a phone, under hostile text."""

import json

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page, Request, expect

from casework import moves
from streams.case_store import CaseStore
from tests.browser.conftest import Enter, Served, live
from tests.fakes.cases import BY_HAND, MINUTE, NOON
from tests.webdesk.desks import put_draft, put_morning

pytestmark = pytest.mark.timeout(180)

PHONE = {"width": 390, "height": 844}

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=https://evil.example/pixel.gif>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
    "<a href=javascript:alert(1)>click</a>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<math><mtext></table></math><img src onerror=alert(1)>",
    "</td></tr></table><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</template><script>alert(1)</script>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    "<base href=https://evil.example/>",
    "<form action=https://evil.example><button>Take</button></form>",
    '" onmouseover="alert(1)" autofocus onfocus="alert(1)" x="',
    "' onfocus='alert(1)' autofocus '",
    "{{7*7}} {% include '/etc/passwd' %} ${7*7}",
    "javascript:alert(1)",
    "https://evil.example/<script>alert(1)</script>",
    "\u202egnp.exe\u202c مرحبا \u2067שלום\u2069 \u200b\ufeff",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
    "x" * 3000,
    "👩‍👩‍👧‍👦" * 200,
    "\U000e0041\U000e0042 \u0007\u001b[31m",
)


async def everything(enter: Enter, cases: CaseStore, **options: object) -> tuple[Page, list[str]]:
    rows = await put_morning(cases)
    woken = moves.wake(rows["jonas"], at=NOON + MINUTE)
    assert woken is not None
    await cases.save(woken)
    await cases.save(moves.note(rows["maya"], by="Omar", at=NOON, text="Silver member."))
    page = await enter(**options)
    cases_of = [f"/cases/{rows[name].id}" for name in ("maya", "sky", "jonas")]
    return page, ["/", "/?q=nothing", *cases_of, "/promises", "/health", "/name"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_breaks_an_accessibility_rule(enter: Enter, cases: CaseStore, scheme: str) -> None:
    """No finding of axe, light or dark, with every box open."""
    page, paths = await everything(enter, cases, color_scheme=scheme)
    found = {}
    for path in paths:
        await page.goto(path)
        await live(page)
        await page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
        result = await Axe().run(page)
        if result.violations_count:
            found[path] = [violation["id"] for violation in result.response["violations"]]

    assert found == {}


async def test_on_a_phone_nothing_runs_off_the_side(enter: Enter, cases: CaseStore) -> None:
    """At 390 pixels no page scrolls sideways, axe is content, and every button is in reach of a thumb."""
    page, paths = await everything(enter, cases, viewport=PHONE)
    for path in paths:
        await page.goto(path)
        await live(page)
        await page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], path
        boxes = await page.locator("button:visible, a.button:visible, summary:visible").evaluate_all(
            "nodes => nodes.map(node => { const box = node.getBoundingClientRect(); "
            "return [node.textContent.trim(), box.left, box.right, box.height]; })"
        )
        outside = [box for box in boxes if box[1] < 0 or box[2] > PHONE["width"] or box[3] < 36]
        assert outside == [], json.dumps(outside)
        assert (await Axe().run(page)).violations_count == 0, path


async def test_on_a_phone_a_case_is_approved(enter: Enter, cases: CaseStore) -> None:
    """From the card in the queue to the decision by touch."""
    rows = await put_morning(cases)
    page = await enter(viewport=PHONE, has_touch=True, is_mobile=True)

    await page.get_by_role("link", name="Maya R.").tap()
    await live(page)
    await page.get_by_role("button", name="Approve & send").tap()

    await expect(page.locator("#notice")).to_have_text("Approved. It goes out now.")
    assert (await cases.load(rows["maya"].id)).moved_by == "Nina"


async def test_large_text_still_fits(enter: Enter, cases: CaseStore) -> None:
    """At 200 % zoom of a small laptop (640 pixels of room) nothing is cut."""
    page, paths = await everything(enter, cases, viewport={"width": 640, "height": 400})
    for path in paths:
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 640, path


async def test_hostile_text_does_nothing(enter: Enter, cases: CaseStore, served: Served) -> None:
    """Posts, names, drafts and notes full of attacks: no dialog, no request elsewhere, no page left."""
    page = await enter(path="/promises")
    dialogs: list[str] = []
    outside: list[str] = []

    def requested(request: Request) -> None:
        if not request.url.startswith((f"http://{served.host}/", "data:", "blob:")):
            outside.append(request.url)

    page.context.on("request", requested)
    page.context.on("dialog", lambda dialog: dialogs.append(dialog.message))
    ids = []
    for number, text in enumerate(HOSTILE):
        case = await put_draft(
            cases, author=f"a{number}", name=text[:300], text=text, reply=text[:400], permission=BY_HAND
        )
        await cases.save(moves.note(case, by="Omar", at=NOON, text=text))
        ids.append(case.id)
    await page.goto("/")
    await live(page)
    await expect(page.locator("#rows > tr")).to_have_count(len(HOSTILE))
    # The same rows once more, as the live stream draws them.
    for case_id in ids:
        await cases.save(moves.take(await cases.load(case_id), by="Omar", at=NOON))
    await expect(page.get_by_role("button", name="Take")).to_have_count(len(HOSTILE))
    await expect(page.locator("#rows > tr .c-owner", has_text="Omar")).to_have_count(len(HOSTILE))
    assert await page.evaluate("document.documentElement.scrollWidth") <= 1280
    for case_id in ids:
        await page.goto(f"/cases/{case_id}")
        await page.keyboard.press("e")
        assert page.url == f"{served.address}/cases/{case_id}"
        assert await page.evaluate("document.documentElement.scrollWidth") <= 1280, case_id
    await page.goto("/promises")

    assert dialogs == []
    assert outside == []
