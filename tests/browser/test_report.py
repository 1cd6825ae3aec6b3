"""The report's page in a real browser: for everybody at every width, alone, and deaf to hostile names."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser

from config.periods import read_period
from config.report import Report
from config.report_page import as_html
from escalation.breakdown import Breakdown
from tests.browser.test_everybody import HOSTILE, PHONE
from tests.fakes.recorded_week import NOW, Week

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def page_file(tmp_path: Path) -> Path:
    """The report of a week of a brand whose every chosen name is hostile."""
    period = read_period("week").at(NOW, "Europe/Oslo")
    figures = Breakdown(period.within, zone=ZoneInfo("Europe/Oslo"), now=NOW)
    for story in Week(200).stories:
        if figures.count(story.case):
            figures.explain(story.case, story.timeline)
    targets = dict.fromkeys(["first hour", "same day", *HOSTILE[:2]], 0.5)
    there = tmp_path / "report.html"
    there.write_text(as_html(Report(" ".join(HOSTILE[:20]), "Europe/Oslo", period, targets, figures)))
    return there


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (PHONE["width"], "light"), (320, "light")]
)
async def test_the_page_is_for_everybody_and_asks_nobody(
    chromium: Browser, page_file: Path, width: int, scheme: str
) -> None:
    """No fault that axe finds, nothing off the side, one request (its own), no script run."""
    context = await chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        bypass_csp=True,  # for axe, which is a script; what the page itself holds needs no leave to do harm
    )
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    await page.goto(page_file.as_uri())
    alone = [*asked]
    found = await Axe().run(page)

    assert alone == [page_file.as_uri()]
    assert [violation["id"] for violation in found.response["violations"]] == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.get_by_role("heading", level=1).inner_text() == "19 to 25 October 2026"
