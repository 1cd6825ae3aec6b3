"""What can be pressed and filled in in blocks, and how Slack tells what somebody did with it. Pure values.

Shapes: docs.slack.dev/reference/block-kit and /reference/interaction-payloads, read in July 2026.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from escalation.slack_payload import units

Body: TypeAlias = dict[str, Any]

TOLD_AS: Final[Mapping[str, str]] = {
    "plain_text_input": "value",
    "static_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "checkboxes": "selected_options",
    "users_select": "selected_user",
    "datetimepicker": "selected_date_time",
}
"""The name under which each kind of element tells its value."""
_BEGINS_WITH: Final[Mapping[str, str]] = {
    "plain_text_input": "initial_value",
    "static_select": "initial_option",
    "radio_buttons": "initial_option",
    "checkboxes": "initial_options",
    "users_select": "initial_user",
    "datetimepicker": "initial_date_time",
}
"""Where each kind says what it was drawn with; the others keep no state."""
_OF_ACTIONS: Final = ("type", "action_id", "text", "value", "style", "placeholder", "confirm")

REQUIRED: Final = "Please complete this required field."


class NotThere(Exception):
    """Somebody did what cannot be done with what is on their screen; the words are for them."""


def with_ids(blocks: Sequence[Mapping[str, Any]]) -> list[Body]:
    """The blocks, each with an id: Slack gives one to those that have none."""
    return [{"block_id": f"b{number}", **block} for number, block in enumerate(blocks)]


def elements(blocks: Sequence[Body]) -> Iterator[tuple[Body, Body]]:
    """Everything that can be pressed or filled in, each with its block."""
    for block in blocks:
        row = block.get("elements", []) if block["type"] == "actions" else []
        for element in [*row, block.get("accessory"), block.get("element")]:
            if element and "action_id" in element:
                yield block, element


def element_at(blocks: Sequence[Body], block_id: str, action_id: str) -> Body:
    """One element.

    Raises:
        NotThere: no such element is on the screen.
    """
    for block, element in elements(blocks):
        if block["block_id"] == block_id and element["action_id"] == action_id:
            return element
    raise NotThere("That button is not there any more.")


def value_told(element: Body, given: object, people: Mapping[str, object]) -> object:
    """What was chosen or written, as Slack tells it: options whole, an empty text as null.

    Raises:
        NotThere: it is none of the choices.
    """
    kind = element["type"]
    if kind == "plain_text_input":
        return given if isinstance(given, str) and given else None
    if kind == "checkboxes":
        wanted = given if isinstance(given, list) else []
        return [_option(element, one) for one in wanted]
    if given is None or given == "":
        return None
    if kind == "users_select" and given in people:
        return given
    if kind == "datetimepicker" and type(given) is int and 0 <= given < 10**10:
        return given
    if kind in ("static_select", "radio_buttons", "overflow"):
        return _option(element, given)
    raise NotThere("That cannot be chosen.")


def _option(element: Body, wanted: object) -> Body:
    for option in element.get("options", []):
        if option["value"] == wanted:
            found: Body = option
            return found
    raise NotThere("That cannot be chosen.")


def action_of(block_id: str, element: Body, given: object, people: Mapping[str, object]) -> Body:
    """One entry of a press's ``actions``: the element as it was drawn, and what was chosen in it."""
    action = {name: element[name] for name in _OF_ACTIONS if name in element} | {"block_id": block_id}
    if element["type"] in TOLD_AS:
        action[TOLD_AS[element["type"]]] = value_told(element, given, people)
    return action


def state_of(blocks: Sequence[Body], typed: object, people: Mapping[str, object]) -> Body:
    """``state.values``: what is filled in by block and action, else what was drawn."""
    values: Body = {}
    for block, element in elements(blocks):
        kind = element["type"]
        if kind not in _BEGINS_WITH:
            continue
        given = _typed(typed, block["block_id"], element["action_id"])
        told = element.get(_BEGINS_WITH[kind], [] if kind == "checkboxes" else None)
        if given is not _NOTHING:
            told = value_told(element, given, people)
        values.setdefault(block["block_id"], {})[element["action_id"]] = {"type": kind, TOLD_AS[kind]: told}
    return values


_NOTHING: Final = object()


def _typed(typed: object, block_id: str, action_id: str) -> object:
    block = typed.get(block_id) if isinstance(typed, Mapping) else None
    return block.get(action_id, _NOTHING) if isinstance(block, Mapping) else _NOTHING


def not_sendable(blocks: Sequence[Body], values: Body) -> dict[str, str]:
    """What Slack's own app says beside a field before it sends a dialog, by block id."""
    wrong: dict[str, str] = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        told = values[block["block_id"]][element["action_id"]][TOLD_AS[element["type"]]]
        if not told and not block.get("optional"):
            wrong[block["block_id"]] = REQUIRED
        elif isinstance(told, str) and units(told) > element.get("max_length", 3_000):
            wrong[block["block_id"]] = f"At most {element['max_length']:,} characters."
    return wrong
