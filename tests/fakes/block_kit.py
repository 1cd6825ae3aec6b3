"""What would be wrong with a Slack payload, judged three ways: slack_sdk's models, slackblocks' limits and
surfaces, and rules of our own, which ask that nothing a stranger wrote can ever be obeyed by Slack (S7).
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import regex  # type: ignore[import-untyped]
import slackblocks
from slack_sdk.models.blocks import Block as SdkBlock
from slack_sdk.models.views import View as SdkView
from slackblocks import _limits as limits
from slackblocks import _surfaces as surfaces

from escalation.slack_payload import Payload, View

Json = dict[str, Any]

DESK: Final = "https://desk.example.com"
RUN: Final = 4
"""So many words of the post in a row must not stand in what a notification shows."""

_IN_ANGLES = re.compile(r"<([^<>]*)>")
_DATE = re.compile(r"!date\^\d{1,12}\^[^<>|^]{1,80}(?:\^(?P<link>https?://[^<>|]+))?\|[^<>|]+")
_LINK = re.compile(r"(?P<link>https?://[^<>|]+)(?:\|[^<>|]+)?")
_PERSON = re.compile(r"@(?P<id>[UW][A-Z0-9]+)")
_SURFACE_OF = {"modal": "modal", "home": "home"}
_TEXTS = {"mrkdwn", "plain_text"}


def problems(
    shown: Payload | View | Mapping[str, Any],
    *,
    said: str = "",
    links: Collection[str] = (DESK,),
    people: Collection[str] = (),
) -> list[str]:
    """Everything that Slack would refuse or obey in a message or a view; nothing when it is fine.

    ``said`` is the post that it shows; ``links`` are the beginnings of addresses that may stand in text
    that Slack parses, and ``people`` the ids that may be named there.
    """
    payload = json.loads(json.dumps(dict(shown) if isinstance(shown, Mapping) else shown.as_json()))
    surface = _SURFACE_OF.get(str(payload.get("type")), "message")
    found = [*_by_slack_sdk(payload, surface), *_by_slackblocks(payload["blocks"], surface)]
    found += _by_size(payload, surface)
    for path, one in _walk(payload):
        found += [f"{path}: {words}" for words in _by_shape(one)]
        if one.get("type") == "mrkdwn":
            found += [f"{path}: {words}" for words in live(one["text"], links, people)]
    if surface == "message":
        found += [f"/text: {words}" for words in _by_fallback(payload.get("text"), said, links, people)]
    return found


def live(text: str, links: Collection[str] = (), people: Collection[str] = ()) -> list[str]:
    """What Slack would obey in a parsed text beyond dates, and links and people of our own."""
    depth, found = 0, []
    for letter in text:
        depth += (letter == "<") - (letter == ">")
        if depth not in (0, 1):
            return [f"nested or unbalanced <>: {text[:80]!r}"]
    if depth:
        return [f"an open <: {text[:80]!r}"]
    for inside in _IN_ANGLES.findall(text):
        match = _DATE.fullmatch(inside) or _LINK.fullmatch(inside)
        person = _PERSON.fullmatch(inside)
        if match and (match["link"] is None or match["link"].startswith(tuple(links))):
            continue
        if not (person and person["id"] in people):
            found.append(f"a live control sequence <{inside[:60]}>")
    return found


def shares_a_run(text: str, said: str, run: int = RUN) -> bool:
    """Whether so many words of what was said stand in a row in the text."""
    words, told = _words(said)[:5_000], f" {' '.join(_words(text))} "
    return any(f" {' '.join(words[at : at + run])} " in told for at in range(len(words) - run + 1))


def _words(text: str) -> list[str]:
    return list(regex.findall(r"[\p{L}\p{M}\p{N}_]+", text.casefold()))


def _by_slack_sdk(payload: Json, surface: str) -> list[str]:
    found: list[str] = []
    known = []
    with _Listening() as heard:
        for block in payload["blocks"]:
            model = SdkBlock.parse(block)
            if model is None:  # Newer than slack_sdk: slackblocks judges it.
                continue
            known.append(block)
            try:
                model.to_dict()
            except Exception as error:
                found.append(f"slack_sdk on {block['type']}: {error}")
        if surface != "message":
            try:
                SdkView(**{**payload, "blocks": known}).to_dict()
            except Exception as error:
                found.append(f"slack_sdk on the view: {error}")
    unknown = {"alert", "data_table", "data_visualization", "markdown"}
    return found + [words for words in heard.words if not any(kind in words for kind in unknown)]


class _Listening(logging.Handler):
    """Hears what slack_sdk only logs: a block it cannot read."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(f"slack_sdk: {record.getMessage()[:160]}")

    def __enter__(self) -> "_Listening":
        logger = logging.getLogger("slack_sdk")
        self._before = logger.propagate
        logger.propagate = False
        logger.addHandler(self)
        return self

    def __exit__(self, *_exc: object) -> None:
        logger = logging.getLogger("slack_sdk")
        logger.propagate = self._before
        logger.removeHandler(self)


def _by_slackblocks(blocks: list[Json], surface: Any) -> list[str]:
    found = []
    try:
        surfaces.validate_surface_blocks(blocks, surface)
    except slackblocks.errors.InvalidUsageError as error:
        found.append(f"slackblocks on {surface}: {error}")
    for block in blocks:
        try:
            slackblocks.Block.from_dict(block)
        except NotImplementedError:
            continue
        except Exception as error:
            if "not implemented" not in str(error).lower():
                name = f"{block['type']}/{block.get('block_id')}"
                found.append(f"slackblocks on {name}: {type(error).__name__} {error}")
    return found


def _by_size(payload: Json, surface: str) -> list[str]:
    blocks, found = payload["blocks"], []
    message = surface == "message"
    most = limits.MESSAGE_BLOCKS_MAX_ITEMS if message else limits.VIEW_BLOCKS_MAX_ITEMS
    if not 1 <= len(blocks) <= most:
        found.append(f"{len(blocks)} blocks")
    counted = Counter(block["block_id"] for block in blocks if "block_id" in block)
    found += [f"block_id {name} {times} times" for name, times in counted.items() if times > 1]
    charts = sum(block["type"] == "data_visualization" for block in blocks)
    if message and charts > 2:
        found.append(f"{charts} charts")
    primary = [
        one for _, one in _walk(blocks) if one.get("type") == "button" and one.get("style") == "primary"
    ]
    if len(primary) > 1:
        found.append(f"{len(primary)} primary buttons")
    if len(payload.get("private_metadata", "")) > 3_000:
        found.append("private_metadata over 3,000")
    for name in ("title", "submit", "close"):
        if surface == "modal" and len(payload.get(name, {}).get("text", "")) > 24:
            found.append(f"{name} over 24")
    if surface == "modal" and "submit" not in payload and any(b["type"] == "input" for b in blocks):
        found.append("inputs and nothing to submit them with")
    return found


def _by_shape(one: Json) -> Iterator[str]:
    kind = one.get("type")
    if kind in _TEXTS and not 1 <= len(one["text"]) <= 3_000:
        yield f"a text of {len(one['text'])}"
    if kind is None and "value" in one and isinstance(one.get("text"), dict):
        yield from _option(one)
    if isinstance(kind, str) and kind in _SHAPES:
        yield from _SHAPES[kind](one)
    values = [option["value"] for option in one.get("options", [])]
    if len(values) != len(set(values)):
        yield "the same choice twice"


def _rich_text(one: Json) -> Iterator[str]:
    if not any(leaf.get("text") for _, leaf in _walk(one["elements"])):
        yield "rich text without text"
    for _, leaf in _walk(one["elements"]):
        if leaf.get("type") in ("broadcast", "usergroup", "channel"):
            yield f"rich text that calls a {leaf['type']}"


def _context(one: Json) -> Iterator[str]:
    if not 1 <= len(one["elements"]) <= 10:
        yield f"{len(one['elements'])} elements"


def _image(one: Json) -> Iterator[str]:
    if not one.get("alt_text"):
        yield "an image without words"


def _text_input(one: Json) -> Iterator[str]:
    most, initial = one.get("max_length", 3_000), one.get("initial_value", " ")
    if not 1 <= len(initial.encode("utf-16-le", "surrogatepass")) // 2 <= most <= 3_000:
        yield f"{len(initial)} written into a box for {most}"


def _actions(one: Json) -> Iterator[str]:
    ids = [element["action_id"] for element in one["elements"]]
    if not 1 <= len(ids) <= 25 or len(ids) != len(set(ids)):
        yield f"buttons {ids}"


def _button(one: Json) -> Iterator[str]:
    for name, most in (("value", 2_000), ("accessibility_label", 75), ("url", 3_000)):
        if len(one.get(name, "")) > most:
            yield f"{name} over {most}"
    if len(one["text"]["text"]) > 75:
        yield "the words of a button over 75"
    if "url" in one and not one["url"].startswith(("https://", "http://")):
        yield f"a button to {one['url'][:60]}"


_SHAPES: Final[Mapping[str, Callable[[Json], Iterator[str]]]] = {
    "rich_text": _rich_text,
    "context": _context,
    "image": _image,
    "plain_text_input": _text_input,
    "actions": _actions,
    "button": _button,
}


def _option(one: Json) -> Iterator[str]:
    if len(one["value"]) > 150 or len(one["text"]["text"]) > 75:
        yield "a choice over 150, or its words over 75"
    if len(one.get("description", {}).get("text", "")) > 75:
        yield "the description of a choice over 75"


def _by_fallback(text: Any, said: str, links: Collection[str], people: Collection[str]) -> Iterator[str]:
    if not isinstance(text, str) or not text.strip():
        yield "no fallback text"
        return
    if len(text) > 400:
        yield f"a fallback of {len(text)}"
    yield from live(text, links, people)
    if said and shares_a_run(text, said):
        yield f"words of the post in the fallback text: {text[:120]!r}"


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield path, value
        for name, inner in value.items():
            yield from _walk(inner, f"{path}/{name}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _walk(inner, f"{path}/{at}")
