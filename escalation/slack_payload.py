"""What Slack is sent, as plain JSON values, and the only ways that a stranger's words get into it.

A post is shown in `quote` (rich text, which Slack never parses) or in `plain`. Names and snippets reach
mrkdwn through `esc` alone: ``<!channel>``, ``<https://evil|https://brand>`` and ``*bold*`` stay letters (S7).
Limits: docs.slack.dev, as read in July 2026.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from casework.case import Case
from casework.words import visible
from platforms.lengths import graphemes

Block = dict[str, object]
"""One Block Kit object. Plain values: slack_sdk has no model for the newest blocks and drops them."""

SECTION: Final = 3_000
HEADER: Final = 150
LABEL: Final = 75
OPTION_VALUE: Final = 150
QUOTED: Final = 2_400
SNIPPET: Final = 120
ALERT: Final = 200
URL: Final = 3_000
INPUT: Final = 3_000

_MARKS = re.compile(r"[*_~`]")
_NO_ADDRESS = re.compile(r"""[\s<>|"'`\\]""")
_CONTROL = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True, slots=True)
class Payload:
    """One message. ``text`` is its fallback: a full sentence without one word of the post."""

    text: str
    blocks: tuple[Block, ...]
    metadata: Block | None = None

    def as_json(self) -> Block:
        """The arguments of `chat.postMessage` and `chat.update`, without channel and ts."""
        message: Block = {
            "text": self.text,
            "blocks": list(self.blocks),
            "unfurl_links": False,
            "unfurl_media": False,
            "parse": "none",
            "link_names": False,
        }
        return message if self.metadata is None else {**message, "metadata": self.metadata}


@dataclass(frozen=True, slots=True)
class View:
    """A dialog, or somebody's App Home."""

    type: Literal["modal", "home"]
    blocks: tuple[Block, ...]
    callback_id: str
    title: str = ""
    submit: str = ""
    close: str = "Close"
    private_metadata: str = ""
    external_id: str = ""
    notify_on_close: bool = False

    def as_json(self) -> Block:
        """The ``view`` of `views.open`, `views.update` and `views.publish`."""
        view: Block = {"type": self.type, "callback_id": self.callback_id, "blocks": list(self.blocks)}
        if self.private_metadata:
            view["private_metadata"] = self.private_metadata
        if self.external_id:
            view["external_id"] = self.external_id
        if self.type == "home":
            return view
        view |= {"title": plain(self.title, 24), "close": plain(self.close, 24)}
        if self.submit:
            view["submit"] = plain(self.submit, 24)
        if self.notify_on_close:
            view["notify_on_close"] = True
        return view


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def cut(text: str, most: int, end: str = "…") -> str:
    """The longest beginning that fits, counted as Slack counts (UTF-16 units), ended where a letter ends."""
    if units(text) <= most:
        return text
    kept, room = [], most - units(end)
    for letter in graphemes(text[: 2 * most]):
        room -= units(letter)
        if room < 0:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + end


def units(text: str) -> int:
    """How long a text is as Slack counts it: in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def esc(text: str, most: int = SNIPPET) -> str:
    """A name or a snippet for mrkdwn: one line, cut, without marks, and nothing in it that Slack obeys."""
    line = _MARKS.sub("", " ".join(visible(text).split()))
    return "".join(_CONTROL.get(letter, letter) for letter in cut(line, most))


def mrkdwn(text: str) -> Block:
    """Text that Slack parses: our own words, with `esc` round everything that is not."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain(text: str, most: int = SECTION) -> Block:
    """Text that Slack shows as it is; an empty one is a space, as Slack refuses none."""
    return {"type": "plain_text", "text": cut(visible(text), most) or " ", "emoji": False}


def date(instant: datetime, words: str, form: str = "{time}") -> str:
    """An instant in the reader's own time zone; ``words`` where that cannot be shown."""
    return f"<!date^{int(instant.timestamp())}^{form}|{words}>"


def web(url: str | None) -> str:
    """An address that may stand on a button or behind words; nothing where a browser must not be sent."""
    if not url or len(url) > URL or not url.isprintable() or _NO_ADDRESS.search(url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    # "https://brand.example@evil.example" reads as the brand's.
    return url if parts.scheme in ("http", "https") and parts.netloc and "@" not in parts.netloc else ""


def link(url: str | None, words: str) -> str:
    """Words of our own that lead somewhere; the words alone where `web` knows no address."""
    address = web(url)
    return f"<{address.replace('&', '&amp;')}|{words}>" if address else words


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────


def section(text: str | Block, block_id: str, accessory: Block | None = None) -> Block:
    """A paragraph: mrkdwn of our own, or a text object."""
    said = mrkdwn(cut(text, SECTION)) if isinstance(text, str) else text
    block: Block = {"type": "section", "block_id": block_id, "text": said}
    return block if accessory is None else {**block, "accessory": accessory}


def header(text: str, block_id: str) -> Block:
    """A heading."""
    return {"type": "header", "block_id": block_id, "text": plain(text, HEADER)}


def context(block_id: str, *elements: str | Block) -> Block:
    """Small print: up to ten pieces of mrkdwn of our own, or text objects."""
    said = [mrkdwn(cut(e, SECTION)) if isinstance(e, str) else e for e in elements[:10]]
    return {"type": "context", "block_id": block_id, "elements": said}


def divider() -> Block:
    """A line."""
    return {"type": "divider"}


def quote(text: str, block_id: str, most: int = QUOTED) -> Block:
    """A stranger's words, as they are: Slack parses nothing in rich text."""
    shown = cut(visible(text).strip() or " ", most, "… (open in desk)")
    element: Block = {"type": "text", "text": shown}
    return {
        "type": "rich_text",
        "block_id": block_id,
        "elements": [{"type": "rich_text_quote", "elements": [element]}],
    }


def actions(block_id: str, *elements: Block) -> Block:
    """A row of buttons."""
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def button(
    text: str,
    action_id: str,
    value: str,
    *,
    style: Literal["", "primary", "danger"] = "",
    url: str = "",
    label: str = "",
    confirm: Block | None = None,
) -> Block:
    """A button. ``label`` is what a screen reader says; ``url`` only ever links, it decides nothing."""
    made: Block = {"type": "button", "text": plain(text, LABEL), "action_id": action_id, "value": value}
    if style:
        made["style"] = style
    if url:
        made["url"] = url
    if label:
        made["accessibility_label"] = cut(label, LABEL)
    return made if confirm is None else {**made, "confirm": confirm}


def confirm(title: str, text: str, yes: str, no: str = "Not now") -> Block:
    """A question before something that costs."""
    return {
        "title": plain(title, 100),
        "text": plain(text, 300),
        "confirm": plain(yes, 30),
        "deny": plain(no, 30),
    }


def option(text: str, value: str, description: str = "") -> Block:
    """One choice."""
    made: Block = {"text": plain(text, LABEL), "value": value}
    return {**made, "description": plain(description, LABEL)} if description else made


def overflow(action_id: str, options: Sequence[Block]) -> Block:
    """The menu behind ⋯: at most five choices."""
    return {"type": "overflow", "action_id": action_id, "options": list(options[:5])}


def select(action_id: str, placeholder: str, options: Sequence[Block], chosen: Block | None = None) -> Block:
    """One choice out of up to a hundred."""
    made: Block = {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain(placeholder, 150),
        "options": list(options[:100]),
    }
    return made if chosen is None else {**made, "initial_option": chosen}


def alert(text: str, block_id: str, level: Literal["info", "warning", "error"] = "warning") -> Block:
    """A warning that stands out; Slack shows it in dialogs only."""
    return {"type": "alert", "block_id": block_id, "level": level, "text": plain(text, ALERT)}


def asks(
    label: str, block_id: str, element: Block, *, hint: str = "", optional: bool = False, most: int = 2_000
) -> Block:
    """A question of a dialog: its answer comes back under ``block_id`` and the element's action id."""
    made: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, most),
        "element": element,
        "optional": optional,
    }
    return {**made, "hint": plain(hint, most)} if hint else made


def text_input(
    action_id: str, *, most: int = INPUT, lines: bool = False, initial: str = "", placeholder: str = ""
) -> Block:
    """A box to write in. ``initial`` is put there letter by letter, as it comes back when nobody edits it."""
    made: Block = {
        "type": "plain_text_input",
        "action_id": action_id,
        "multiline": lines,
        "max_length": min(most, INPUT),
    }
    if initial:
        made["initial_value"] = initial
    if placeholder:
        made["placeholder"] = plain(placeholder, 150)
    return made


def choices(
    kind: Literal["radio_buttons", "checkboxes"],
    action_id: str,
    options: Sequence[Block],
    chosen: Block | None = None,
) -> Block:
    """One choice of at most ten that are all seen, or any number of them."""
    made: Block = {"type": kind, "action_id": action_id, "options": list(options[:10])}
    if chosen is None:
        return made
    one = kind == "radio_buttons"
    return {**made, "initial_option": chosen} if one else {**made, "initial_options": [chosen]}


# ── what a button carries ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Value:
    """What a button is bound to: the case, the version and the text that were shown (T5)."""

    case: str
    version: int = 0
    draft: str = ""
    action: str = ""


_CASE = re.compile(r"C-[0-9]{1,18}")
_DRAFT = re.compile(r"[0-9a-f]{0,64}")
_ACTION = re.compile(r"[a-z_.-]{0,40}")
DRAFT_DIGITS: Final = 16


def value_of(case: Case, action: str = "") -> str:
    """What the buttons of a card carry; short enough for a menu's choice too."""
    draft = case.draft.sha256[:DRAFT_DIGITS] if case.draft else ""
    fields: dict[str, object] = {"c": case.id, "v": case.version}
    if draft:
        fields["d"] = draft
    if action:
        fields["a"] = action
    return json.dumps(fields, separators=(",", ":"))


def read_value(raw: object) -> Value | None:
    """What a button carried; None for anything that no card of ours carries."""
    if not isinstance(raw, str) or len(raw) > OPTION_VALUE:
        return None
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, Mapping):
        return None
    case, version = fields.get("c"), fields.get("v", 0)
    draft, action = fields.get("d", ""), fields.get("a", "")
    if not (isinstance(case, str) and isinstance(draft, str) and isinstance(action, str)):
        return None
    if type(version) is not int or version < 0:
        return None
    if not (_CASE.fullmatch(case) and _DRAFT.fullmatch(draft) and _ACTION.fullmatch(action)):
        return None
    return Value(case, version, draft, action)
