"""Draws pages: Jinja with escaping always on, and the filters that show times as the brand's clock does."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from casework import words
from webdesk import views
from webdesk.desk import Desk
from webdesk.security import Session

TEMPLATES: Final = Path(__file__).with_name("templates")
STATIC: Final = Path(__file__).with_name("static")


class Pages:
    """Draws the desk's pages for one session at a time."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._jinja = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters["when"] = self._when
        self._jinja.filters["visible"] = words.visible
        self._draw_row: Callable[[views.Row, str], str] = self._jinja.get_template("_row.html").module.tr  # type: ignore[attr-defined]
        self._jinja.globals.update(
            doubts_said=words.doubts_said,
            brand=desk.brand,
            live=desk.live,
            speed=desk.speed,
            preview=desk.preview is not None,
            dead_letters=desk.dead is not None,
        )

    def _when(self, instant: datetime) -> Markup:
        shown = words.clock_time(instant, self._desk.timezone, self._desk.clock.now())
        return Markup('<time datetime="{}">{}</time>').format(instant.isoformat(timespec="seconds"), shown)

    def text(self, template: str, session: Session | None, values: Mapping[str, object]) -> str:
        """A template filled in."""
        common = {
            "now_ms": int(self._desk.clock.now().timestamp() * 1000),
            "csrf": session.csrf if session else "",
            "name": session.name if session else "",
            "paused": False,
            "page": "",
            "notice": "",
            "notice_kind": "done",
        }
        return self._jinja.get_template(template).render({**common, **values})

    def page(
        self, template: str, session: Session | None, *, status: int = 200, **values: object
    ) -> HTMLResponse:
        """A whole page."""
        return HTMLResponse(self.text(template, session, values), status_code=status)

    def message(self, session: Session | None, title: str, body: str, *, status: int) -> HTMLResponse:
        """A page that only says something."""
        return self.page("message.html", session, status=status, title=title, body=body)

    def row(self, row: views.Row, session: Session) -> str:
        """One row of the queue, as the live stream sends it."""
        return str(self._draw_row(row, session.csrf))
