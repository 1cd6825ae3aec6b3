"""A shift in the Slack preview, in a real browser: cards, dialogs, notes, Home, commands, and attacks."""

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Locator, Page, Request, expect

from casework.case import Case, Status
from escalation.preview import PreviewSlack
from escalation.slack_payload import (
    Block,
    Payload,
    View,
    actions,
    alert,
    asks,
    button,
    choices,
    confirm,
    context,
    divider,
    header,
    option,
    overflow,
    plain,
    quote,
    section,
    select,
    text_input,
)
from streams.connection import Store
from tests.browser.conftest import Enter, Served
from tests.browser.test_everybody import HOSTILE
from tests.fakes.preview_office import CARE, LEADS, PreviewOffice, open_preview

pytestmark = pytest.mark.timeout(180)

PHONE = {"width": 390, "height": 844}
CHART: Final[Block] = {
    "type": "data_visualization",
    "block_id": "chart",
    "title": "Mentions per 5 minutes",
    "chart": {
        "type": "line",
        "series": [
            {"name": "Now", "data": [{"label": "14:00", "value": 23}, {"label": "14:05", "value": 31}]},
            {"name": "Usual", "data": [{"label": "14:00", "value": 5}, {"label": "14:05", "value": 5}]},
        ],
        "axis_config": {"categories": ["14:00", "14:05"], "y_label": "Mentions"},
    },
}
TABLE: Final[Block] = {
    "type": "data_table",
    "block_id": "topics",
    "caption": "Topics of the day",
    "rows": [
        [{"type": "raw_text", "text": "Topic"}, {"type": "raw_text", "text": "Mentions"}],
        [{"type": "raw_text", "text": "refund"}, {"type": "raw_number", "value": 22, "text": "22"}],
    ],
}


@pytest.fixture
async def office(store: Store) -> AsyncIterator[PreviewOffice]:
    """The real listeners, worker and delivery."""
    async with open_preview(store) as made:
        yield made


@pytest.fixture
def preview(office: PreviewOffice) -> PreviewSlack:
    """What the desk shows."""
    return office.slack


def card_of(page: Page, case: Case) -> Locator:
    """A case's card, without its thread."""
    return page.locator("#messages > li > article", has_text=case.id)


async def a_row(office: PreviewOffice, *blocks: Block) -> str:
    """A message in the channel."""
    return (await office.slack.post(await office.slack.channel_id(CARE), Payload("x", blocks))).ts


async def test_a_card_is_approved(enter: Enter, office: PreviewOffice) -> None:
    """The card comes by itself; pressed, it says within seconds what becomes of the reply."""
    page = await enter(path="/preview")
    await expect(page.get_by_role("heading", name="Slack preview", level=1)).to_be_visible()
    case = await office.case()
    await office.desk.changed(case.id)
    card = card_of(page, case)
    await expect(card).to_contain_text("My bag is lost!")

    await card.get_by_role("button", name=re.compile("^Approve")).click()
    await expect(card).to_contain_text("Approved, about to be sent")

    await expect(card.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    after = await office.cases.load(case.id)
    assert (after.status, after.moved_by) == (Status.APPROVED, "Nina")
    await expect(page.locator("#messages .thread")).to_contain_text("Nina")


async def test_who_comes_too_late_reads_a_note_alone(enter: Enter, office: PreviewOffice) -> None:
    """Omar's page was behind; the note is on his screen and not on Nina's."""
    case = await office.case()
    await office.card(case)
    nina, omar = await enter("Nina", "/preview"), await enter("Omar", "/preview")
    await expect(card_of(omar, case)).to_be_visible()
    await omar.route("**/preview/state*", lambda route: route.abort())
    await card_of(nina, case).get_by_role("button", name=re.compile("^Approve")).click()
    await expect(card_of(nina, case)).to_contain_text("Approved, about to be sent")
    await card_of(omar, case).get_by_role("button", name=re.compile("^Approve")).click()
    await omar.unroute("**/preview/state*")

    await expect(omar.locator(".is-private")).to_contain_text("Nina already")
    await expect(omar.locator(".is-private")).to_contain_text("Only visible to you")
    await expect(nina.locator(".is-private")).to_have_count(0)


async def test_a_reply_is_edited_in_a_dialog(enter: Enter, office: PreviewOffice) -> None:
    """By keyboard: refused beside the field with the words still there, then sent."""
    office.objections = lambda text: ["The text swears."] if "damn" in text else []
    case = await office.case()
    await office.card(case)
    page = await enter(path="/preview")
    await card_of(page, case).get_by_role("button", name=re.compile("^Edit")).click()
    dialog = page.get_by_role("dialog", name="Edit reply")
    reply = dialog.get_by_role("textbox", name="Reply")
    await expect(reply).to_be_focused()
    await expect(reply).to_have_value("Hi Maya, number 1.")

    await reply.fill("")
    await dialog.get_by_role("button", name="Send reply").click()
    await expect(dialog.get_by_role("alert")).to_have_text("Please complete this required field.")
    await reply.fill("Hi Maya, damn.")
    await dialog.get_by_role("button", name="Send reply").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("The text swears.")
    await expect(reply).to_have_value("Hi Maya, damn.")
    await expect(reply).to_be_focused()
    assert (await Axe().run(page)).violations_count == 0
    await reply.fill("Hi Maya, it is on its way.\nNina")
    await page.keyboard.press("Tab")
    await dialog.get_by_role("button", name="Send reply").press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("approved")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)

    after = await office.cases.load(case.id)
    assert after.draft is not None
    assert (after.status, after.draft.text) == (Status.APPROVED, "Hi Maya, it is on its way.\nNina")


async def test_a_dialog_that_is_left_lets_the_case_go(enter: Enter, office: PreviewOffice) -> None:
    """Escape tells Slack, and so Heard, that nobody writes any more."""
    case = await office.case()
    await office.card(case)
    page = await enter(path="/preview")
    await card_of(page, case).get_by_role("button", name=re.compile("^Edit")).click()
    await expect(page.get_by_role("dialog", name="Edit reply")).to_be_visible()
    await expect(card_of(page, case)).to_contain_text("is editing")
    await page.keyboard.press("Escape")

    await expect(page.get_by_role("dialog", name="Edit reply")).to_be_hidden()
    await expect(card_of(page, case)).not_to_contain_text("is editing")


async def test_home_and_commands(enter: Enter, office: PreviewOffice) -> None:
    """The queue in Home leads to a case; a command is answered to whoever typed it."""
    case = await office.case()
    await office.card(case)
    page = await enter(path="/preview")
    await page.get_by_label("/heard command").fill("queue")
    await page.keyboard.press("Enter")
    await expect(page.locator(".is-private")).to_contain_text(case.id)
    await page.get_by_role("button", name="heard, Home").click()
    await expect(page.get_by_role("heading", name="Your queue")).to_be_visible()
    await page.get_by_role("button", name=f"Open case {case.id}").click()
    await expect(page.get_by_role("dialog")).to_contain_text("My bag is lost!")


async def test_no_command_before_the_page_is_drawn(enter: Enter, served: Served) -> None:
    """A command belongs to a channel; whoever is quicker than the page would be told of none."""
    page = await enter()
    await page.route("**/preview/state*", lambda route: route.abort())
    await page.goto(f"{served.address}/preview")
    await expect(page.get_by_label("/heard command")).to_be_disabled()
    await page.unroute("**/preview/state*")
    await page.get_by_label("/heard command").fill("help")
    await page.keyboard.press("Enter")
    await expect(page.locator(".is-private")).to_contain_text("/heard queue")


async def test_a_menu_is_used_by_keyboard(enter: Enter, office: PreviewOffice) -> None:
    """Opening and leaving it presses nothing; a choice does."""
    case = await office.case()
    await office.card(case)
    page = await enter(path="/preview")
    menu = card_of(page, case).locator("summary", has_text="Snooze")
    await menu.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(menu).to_be_focused()
    assert (await office.cases.load(case.id)).version == case.version
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(card_of(page, case)).to_contain_text("Snoozed")
    assert (await office.cases.load(case.id)).status is Status.SNOOZED


async def test_a_deleted_message_leaves_its_thread(enter: Enter, office: PreviewOffice) -> None:
    """As in Slack: what colleagues wrote below it stays; without a thread all of it goes."""
    channel = await office.slack.channel_id(CARE)
    first, second = await a_row(office, header("One", "h")), await a_row(office, header("Two", "h"))
    await office.slack.post(channel, Payload("A line below", ()), first)
    page = await enter(path="/preview")
    await expect(page.locator("#messages > li")).to_have_count(2)
    await office.slack.delete(channel, first)
    await office.slack.delete(channel, second)

    await expect(page.locator("#messages > li")).to_have_count(1)
    await expect(page.locator("#messages > li")).to_contain_text("This message was deleted.")
    await expect(page.locator("#messages > li")).to_contain_text("A line below")


async def test_what_is_new_elsewhere_is_counted(enter: Enter, office: PreviewOffice) -> None:
    """Beside the other channel, until it is opened; a list that is not at its end says so too."""
    page = await enter(path="/preview")
    leads = page.get_by_role("button", name="# social-leads")
    await expect(leads).to_be_visible()
    await office.slack.post(await office.slack.channel_id(LEADS), Payload("Late", ()))
    await expect(leads).to_have_accessible_name("# social-leads 1 new")
    await leads.click()
    await expect(page.locator("#messages")).to_contain_text("Late")
    await expect(leads).to_have_accessible_name("# social-leads")

    for number in range(30):
        await office.slack.post(await office.slack.channel_id(LEADS), Payload(f"Line {number}", ()))
    await expect(page.get_by_text("Line 29")).to_be_in_viewport()
    await page.locator("#scroll").evaluate("node => { node.scrollTop = 0; }")
    await office.slack.post(await office.slack.channel_id(LEADS), Payload("Line 30", ()))
    await page.get_by_role("button", name="New messages below").click()
    await expect(page.get_by_text("Line 30")).to_be_in_viewport()


async def test_what_costs_is_asked_first(enter: Enter, office: PreviewOffice) -> None:
    """No presses nothing."""
    asked = confirm("Approve?", "It costs about $0.20.", "Approve", "Not now")
    row = actions("a", button("Pay", "card.pay", "x", confirm=asked))
    await a_row(office, row)
    page = await enter(path="/preview")
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url) if request.method == "POST" else None)
    await page.get_by_role("button", name="Pay").click()
    question = page.get_by_role("dialog", name="Approve?")
    await expect(question).to_contain_text("$0.20")
    await question.get_by_role("button", name="Not now").click()
    assert told == []
    await page.get_by_role("button", name="Pay").click()
    await question.get_by_role("button", name="Approve").click()

    await expect(page.locator(".is-private")).to_contain_text("did nothing")


async def test_marks_and_dates_are_drawn(enter: Enter, office: PreviewOffice) -> None:
    """As Slack draws them: bold, italic, code, links, instants in the reader's zone, people, entities."""
    nina = office.slack.sees("Nina")["you"]["id"]
    told = (
        f"*bold* _it *both*_ `a*b*` 2*3*4 snake_case_name <https://example.com/a_b|a &amp; b> <@{nina}> "
        "<!date^1700000000^at {time}|then> <javascript:alert(1)|evil> :white_check_mark: &lt;b&gt;\n&gt; said"
    )
    await a_row(office, section(told, "s"))
    page = await enter(path="/preview", timezone_id="Asia/Tokyo")
    words = page.locator("#messages .words").first

    await expect(words.locator("strong").first).to_have_text("bold")
    await expect(words.locator("em > strong")).to_have_text("both")
    await expect(words.locator("code")).to_have_text("a*b*")
    await expect(words.locator("blockquote")).to_have_text("said")
    await expect(words.locator("time")).to_have_text("at 07:13")
    await expect(words).to_contain_text("2*3*4 snake_case_name a & b @Nina")
    await expect(words).to_contain_text("evil ✅ <b>")
    link = words.get_by_role("link")
    await expect(link).to_have_count(1)
    assert await link.get_attribute("href") == "https://example.com/a_b"
    assert await link.get_attribute("rel") == "noopener noreferrer"


def everything() -> tuple[Block, ...]:
    """One of every block that Heard uses in messages and Home."""
    row = (
        button("Approve & send", "card.go", "x", style="primary"),
        button("Reject…", "card.no", "x", style="danger"),
        button("View", "link.post", "x", url="https://example.com/1"),
        select("rest", "Snooze", [option("1 hour", "h"), option("A day", "d", "until tomorrow")]),
        overflow("more", [option("Why this card?", "why")]),
    )
    return (
        header("Heading", "h"),
        section("*Late*  ·  reply due <!date^1700000000^{date_short_pretty} {time}|14:00>", "s"),
        {"type": "section", "block_id": "f", "fields": [plain("One"), plain("Two")]},
        section(plain("A draft"), "d", button("Open", "open", "x", label="Open the case")),
        quote("My bag is lost!\n*really*", "q"),
        context("c", "small `print`", plain("plain")),
        divider(),
        CHART,
        TABLE,
        actions("a", *row),
    )


async def open_dialog(office: PreviewOffice, page: Page) -> None:
    """One of every field, on the screen."""
    options = [option("One", "1"), option("Two", "2", "the second")]
    blocks = (
        alert("It swears.", "w0", "error"),
        alert("Look again.", "w1"),
        asks("Reply", "reply", text_input("text", lines=True, placeholder="Write"), hint="As X counts."),
        asks("Short", "short", text_input("t"), optional=True),
        asks("Why?", "r", choices("radio_buttons", "r", options, options[0])),
        asks("Options", "o", choices("checkboxes", "o", options), optional=True),
        asks("To", "to", select("who", "Who?", options)),
        asks("Person", "p", {"type": "users_select", "action_id": "u", "placeholder": plain("Who?")}),
        asks(
            "Until", "until", {"type": "datetimepicker", "action_id": "at", "initial_date_time": 17 * 10**8}
        ),
        actions("act", button("Note…", "note", "x")),
    )
    slack, nina = office.slack, office.slack.sees("Nina")["you"]["id"]
    trigger = slack._trigger(await slack.person(nina))
    await slack.open_view(trigger, View("modal", blocks, "x.submit", "A dialog", "Send", "Cancel"))
    await expect(page.get_by_role("dialog", name="A dialog")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 800}, PHONE], ids=["desk", "phone"])
async def test_no_accessibility_rule_is_broken(
    enter: Enter, office: PreviewOffice, scheme: str, viewport: dict[str, int]
) -> None:
    """No finding of axe and nothing off the side: in a channel, in Home, in a dialog, light and dark."""
    nina = office.slack.sees("Nina")["you"]["id"]
    await a_row(office, *everything())
    await office.slack.ephemeral(await office.slack.channel_id(CARE), nina, "*Only* for you `C-1`")
    await office.card(await office.case())
    page = await enter(path="/preview", color_scheme=scheme, viewport=viewport)
    await expect(page.locator("#messages > li")).to_have_count(3)
    found: dict[str, list[str]] = {}

    async def look(where: str) -> None:
        result = await Axe().run(page)
        if result.violations_count:
            found[where] = [
                f"{violation['id']}: {node['html'][:200]}"
                for violation in result.response["violations"]
                for node in violation["nodes"]
            ]
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], where
        # What scrolls is the list: the frame round it, with its side bar, stays.
        assert await page.evaluate("document.getElementById('slack').scrollTop") == 0, where

    await look("channel")
    tall = await page.evaluate("document.getElementById('slack').scrollHeight")
    assert viewport is PHONE or tall < viewport["height"]
    await page.locator("summary", has_text="Snooze").first.click()
    await look("menu")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="heard, Home").click()
    await expect(page.get_by_role("heading", name="Your queue")).to_be_visible()
    await look("home")
    await open_dialog(office, page)
    await look("dialog")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("dialog").get_by_role("alert").first).to_be_visible()
    await look("errors")
    assert found == {}


async def test_hostile_text_does_nothing(enter: Enter, office: PreviewOffice, served: Served) -> None:
    """Posts, names, notes, labels and addresses full of attacks: no script, no request elsewhere."""
    page = await enter(path="/preview")
    dialogs: list[str] = []
    outside: list[str] = []

    def requested(request: Request) -> None:
        if not request.url.startswith((f"http://{served.host}/", "data:", "blob:")):
            outside.append(request.url)

    page.context.on("request", requested)
    page.context.on("dialog", lambda dialog: dialogs.append(dialog.message))
    nina = office.slack.sees("Nina")["you"]["id"]
    for number, text in enumerate(HOSTILE):
        raw: Block = {
            "type": "mrkdwn",
            "text": f"{text} <{text[:200]}|{text[:200]}> <@{text[:50]}> *{text[:200]}*",
        }
        await a_row(
            office,
            quote(text, f"q{number}"),
            section(raw, f"s{number}"),
            section(plain(text), f"p{number}"),
            header(text, f"h{number}"),
            {"type": text, "block_id": f"u{number}"},
            {**CHART, "title": text[:300], "chart": {"type": text}},
            {**CHART, "title": text[:300]},
            {**TABLE, "rows": [[{"type": "raw_text", "text": text}], [{"type": "raw_text", "text": text}]]},
            actions(
                f"a{number}",
                {**button(text, f"b{number}", text[:100], label=text), "url": "javascript:alert(1)"},
                overflow(f"o{number}", [option(text, "v", text)]),
            ),
        )
        await office.slack.ephemeral(await office.slack.channel_id(CARE), nina, text)
    await expect(page.locator("#messages > li")).to_have_count(2 * len(HOSTILE))

    assert await page.locator("#messages [href^=javascript]").count() == 0
    assert (
        await page.locator("#messages").locator("script, iframe, img, form, style, meta, base").count() == 0
    )
    assert await page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.url == f"{served.address}/preview"
    assert dialogs == []
    assert outside == []
