"""What people do at the desk, in a real browser: by keyboard, in two tabs, on a phone, against each other."""

import time

import pytest
from playwright.async_api import expect

from casework import moves
from casework.case import Status
from streams.case_store import CaseStore
from tests.browser.conftest import Enter, Served, another_tab, live
from tests.fakes.cases import NOON
from tests.webdesk.desks import put_draft, put_morning

SOON_S = 2.0

pytestmark = pytest.mark.timeout(180)


async def test_a_case_is_approved_from_the_keyboard(enter: Enter, cases: CaseStore) -> None:
    """j, Enter, a: the hand never leaves the keys."""
    rows = await put_morning(cases)
    page = await enter()

    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Maya R.", level=1)).to_be_visible()
    await live(page)
    await page.keyboard.press("a")
    await expect(page.locator("#notice")).to_have_text("Approved. It goes out now.")

    after = await cases.load(rows["maya"].id)
    assert (after.status, after.moved_by) == (Status.APPROVED, "Nina")


async def test_a_case_waits_for_its_customer_and_goes_on(enter: Enter, cases: CaseStore) -> None:
    """Nina says what it waits for; the page says so until she goes on."""
    case = await put_draft(cases)
    page = await enter(path=f"/cases/{case.id}")

    await page.locator("#await > summary").click()
    await page.get_by_role("button", name="Wait", exact=True).click()
    await expect(page.locator("#paused")).to_contain_text("by Nina")
    await expect(page.locator("#paused")).to_contain_text("waiting for the customer")
    await expect(page.get_by_text("stands still")).to_have_count(2)
    paused = await cases.load(case.id)
    assert (paused.pause is not None, paused.next_wake()) == (True, None)

    await page.get_by_role("button", name="Go on").click()
    await expect(page.locator("#notice")).to_have_text("Its promises run again.")
    await expect(page.locator("#paused")).to_have_count(0)
    assert (await cases.load(case.id)).pauses[-1].ended_by == "Nina"


async def test_a_change_is_seen_in_a_second_tab_within_two_seconds(enter: Enter, cases: CaseStore) -> None:
    """Taken in one tab, Nina's in the other; nothing is reloaded."""
    case = await put_draft(cases)
    first = await enter()
    second = await another_tab(first.context, "/")
    row = second.locator(f"#row-{case.id}")
    await expect(row.locator(".c-owner bdi")).to_have_text("–")

    await first.get_by_role("button", name=f"Take {case.id}").click()
    pressed = time.monotonic()
    await expect(row.locator(".c-owner bdi")).to_have_text("you", timeout=SOON_S * 1000)

    assert time.monotonic() - pressed < SOON_S


async def test_the_loser_of_a_click_reads_who_was_faster(enter: Enter, cases: CaseStore) -> None:
    """Omar's page had lost its live stream; his click does nothing and says so."""
    case = await put_draft(cases)
    omar = await enter("Omar")
    await omar.context.route("**/live?*", lambda route: route.abort())
    await omar.goto(f"/cases/{case.id}")
    assert case.draft is not None
    approved = moves.approve(case, by="Nina", at=NOON, draft_sha256=case.draft.sha256)
    await cases.save(approved)

    await omar.get_by_role("button", name="Approve & send").click()

    await expect(omar.get_by_role("alert")).to_have_text(
        "Nina already approved this just now, so your click did nothing."
    )
    await expect(omar.get_by_role("button", name="Approve & send")).to_have_count(0)


async def test_an_open_case_turns_into_what_it_became(enter: Enter, cases: CaseStore) -> None:
    """The button of a decided draft goes by itself, within two seconds."""
    case = await put_draft(cases)
    page = await enter(path=f"/cases/{case.id}")
    assert case.draft is not None
    await cases.save(moves.approve(case, by="Omar", at=NOON, draft_sha256=case.draft.sha256))

    await expect(page.get_by_role("button", name="Approve & send")).to_have_count(0, timeout=SOON_S * 1000)
    await expect(page.locator(".stand")).to_contain_text("Approved, about to be sent")


async def test_what_somebody_types_is_never_taken_away(enter: Enter, cases: CaseStore) -> None:
    """News waits in a bar while a reply is being written."""
    case = await put_draft(cases)
    page = await enter(path=f"/cases/{case.id}")
    await page.keyboard.press("e")
    await page.keyboard.type("Hi Maya, j k t a")
    await cases.save(moves.note(case, by="Omar", at=NOON, text="she phoned"))

    await expect(page.locator("#news")).to_contain_text("changed while you were writing")
    await expect(page.locator("#edit textarea")).to_have_value(
        "Hi Maya, j k t aHi Maya, we are looking for it."
    )
    assert (await cases.load(case.id)).owner is None


async def test_a_new_case_waits_until_it_is_asked_for(enter: Enter, cases: CaseStore) -> None:
    """Nothing moves under the cursor: a bar says that there is more."""
    rows = await put_morning(cases)
    page = await enter()
    before = await page.locator("#rows > tr").evaluate_all("rows => rows.map(row => row.dataset.id)")
    await put_draft(cases, author="kim", name="Kim", minutes_ago=70)

    await expect(page.locator("#new-bar")).to_have_text("1 new – show")
    assert await page.locator("#rows > tr").evaluate_all("rows => rows.map(row => row.dataset.id)") == before
    await expect(page.locator("[data-count=waiting]")).to_have_text(str(len(rows) + 1))
    await page.locator("#new-bar").click()

    await expect(page.locator("#rows > tr").first).to_contain_text("Kim")
    await expect(page.locator("#new-bar")).to_be_hidden()


async def test_an_empty_queue_fills_by_itself(enter: Enter, cases: CaseStore) -> None:
    """With nothing under the cursor there is nothing to wait for."""
    page = await enter()
    await expect(page.get_by_text("Nothing waits for you.")).to_be_visible()

    case = await put_draft(cases)

    await expect(page.locator(f"#row-{case.id}")).to_be_visible()
    await expect(page.get_by_text("Nothing waits for you.")).to_be_hidden()


async def test_countdowns_run(enter: Enter, cases: CaseStore) -> None:
    """Against the server's clock, from what it said."""
    await put_draft(cases, minutes_ago=30)
    page = await enter()

    await expect(page.locator("#rows time.count")).to_have_text("29:57 left", timeout=8000)


async def test_a_page_that_hears_nothing_says_so(enter: Enter, cases: CaseStore) -> None:
    """After 30 seconds of silence the dot is honest, with the time of the last news."""
    page = await enter()
    await page.context.route("**/live?*", lambda route: route.abort())
    await page.clock.install()
    await page.goto("/promises")

    await page.clock.fast_forward(29_000)
    await expect(page.locator("#live-words")).not_to_contain_text("Not live")
    await page.clock.fast_forward(3_000)

    await expect(page.locator("#live-words")).to_contain_text("Not live – last update ")


async def test_a_page_catches_up_when_the_server_is_heard_again(enter: Enter, cases: CaseStore) -> None:
    """What changed while a tab could not listen is there when it can."""
    case = await put_draft(cases)
    page = await enter()
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await cases.save(moves.take(case, by="Omar", at=NOON))
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    await expect(page.locator(f"#row-{case.id} .c-owner bdi")).to_have_text("Omar")


async def test_a_reply_to_be_posted_by_hand_is_copied_and_opened(
    enter: Enter, cases: CaseStore, served: Served
) -> None:
    """One press copies the draft and opens the post without telling it where from; then it is reported."""
    rows = await put_morning(cases)
    case = rows["sky"]
    assert case.draft is not None
    page = await enter(path=f"/cases/{case.id}", permissions=["clipboard-read", "clipboard-write"])
    await page.context.route("https://example.com/**", lambda route: route.fulfill(body="the post"))

    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Copy & open Reddit").click()
    post = await opened.value
    await post.wait_for_load_state()
    assert await post.evaluate("[document.referrer, String(window.opener)]") == ["", "null"]
    await expect(page.locator("#toast")).to_contain_text("copied")
    assert await page.evaluate("navigator.clipboard.readText()") == case.draft.text

    await page.get_by_role("button", name="I posted it").click()
    await expect(page.locator("#notice")).to_contain_text("you answered this by hand")
    assert (await cases.load(case.id)).status is Status.ANSWERED


async def test_keys_are_listed_and_can_be_turned_off(enter: Enter, cases: CaseStore) -> None:
    """WCAG 2.1.4: whoever dictates or mistypes turns single keys off, and it stays so."""
    await put_draft(cases)
    page = await enter()
    await page.keyboard.press("?")
    await page.get_by_label("Single keys are on").uncheck()
    await page.get_by_role("button", name="Close").click()

    await page.keyboard.press("j")
    await expect(page.locator("tr.here")).to_have_count(0)
    await page.reload()
    await live(page)
    await page.keyboard.press("j")
    await expect(page.locator("tr.here")).to_have_count(0)


async def test_keys_lead_everywhere(enter: Enter, cases: CaseStore) -> None:
    """The chords g s and g q, the keys / and n, and Ctrl+Enter in a form."""
    case = await put_draft(cases)
    page = await enter()
    for keys, heading in (("gs", "Promises"), ("gq", "Queue"), ("n", "Maya R.")):
        for key in keys:
            await page.keyboard.press(key)
        await expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
        await live(page)
    await page.keyboard.press("r")
    await page.keyboard.type("too cold")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#notice")).to_contain_text("Draft rejected")
    await live(page)
    await page.keyboard.press("/")
    await expect(page.get_by_role("heading", name="Queue", level=1)).to_be_visible()

    assert (await cases.load(case.id)).rejections == ("too cold",)
