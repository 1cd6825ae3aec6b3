"""What Slack refuses in blocks and views, with its own words and JSON pointers, and what is in them to press.

Numbers and surfaces are those of slackblocks 3.0.0; the rules of shape are the Block Kit reference's.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from slackblocks import _limits as limits
from slackblocks import _surfaces as surfaces

Json = dict[str, Any]
Surface = Literal["message", "modal", "home"]
PLAIN = ("plain_text",)
ANY_TEXT = ("plain_text", "mrkdwn")
IN_VIEWS_ONLY = ("modal", "home")
CHARTS = {"bar", "line", "area", "pie"}
RICH_PARTS = {"rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"}
RICH_LEAVES = {"text", "link", "emoji", "user", "usergroup", "channel", "broadcast", "color", "date"}
VIEW_FIELDS = {
    "type", "title", "blocks", "submit", "close", "private_metadata", "callback_id", "external_id",
    "clear_on_close", "notify_on_close", "submit_disabled",
}  # fmt: skip
INPUTS = {
    "plain_text_input", "email_text_input", "url_text_input", "number_input", "static_select", "users_select",
    "conversations_select", "channels_select", "external_select", "multi_static_select", "multi_users_select",
    "multi_conversations_select", "multi_channels_select", "multi_external_select", "datepicker",
    "timepicker", "datetimepicker", "radio_buttons", "checkboxes", "rich_text_input", "file_input",
}  # fmt: skip
PRESSED = (
    INPUTS - {"plain_text_input", "email_text_input", "url_text_input", "number_input", "file_input"}
) | {
    "button",
    "overflow",
}
# What every element may say beyond its type, by type: (needed, allowed).
ELEMENT_FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "button": ({"text"}, {"action_id", "url", "value", "style", "confirm", "accessibility_label"}),
    "overflow": ({"options"}, {"action_id", "confirm"}),
    "radio_buttons": ({"options"}, {"action_id", "initial_option", "confirm", "focus_on_load"}),
    "checkboxes": ({"options"}, {"action_id", "initial_options", "confirm", "focus_on_load"}),
    "plain_text_input": (
        set(),
        {"action_id", "initial_value", "multiline", "min_length", "max_length", "placeholder"}
        | {"dispatch_action_config", "focus_on_load"},
    ),
    "image": ({"alt_text"}, {"image_url", "slack_file"}),
}
SELECT_FIELDS = {
    "action_id", "options", "option_groups", "initial_option", "initial_options", "placeholder", "confirm",
    "focus_on_load", "initial_user", "initial_users", "initial_conversation", "initial_conversations",
    "initial_channel", "initial_channels", "default_to_current_conversation", "response_url_enabled",
    "filter", "max_selected_items", "min_query_length", "initial_date", "initial_time", "initial_date_time",
    "timezone",
    "initial_value", "is_decimal_allowed", "min_value", "max_value", "dispatch_action_config", "filetypes",
    "max_files", "min_length", "max_length", "min_lines", "max_lines",
}  # fmt: skip
BLOCK_FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "section": (set(), {"text", "fields", "accessory", "expand"}),
    "header": ({"text"}, {"level"}),
    "context": ({"elements"}, set()),
    "actions": ({"elements"}, set()),
    "divider": (set(), set()),
    "rich_text": ({"elements"}, set()),
    "input": ({"label", "element"}, {"hint", "optional", "dispatch_action"}),
    "image": ({"alt_text"}, {"image_url", "slack_file", "title"}),
    "alert": ({"text"}, {"level"}),
    "markdown": ({"text"}, set()),
    "data_table": ({"rows", "caption"}, {"page_size", "row_header_column_index"}),
    "data_visualization": ({"title", "chart"}, set()),
}


def why_invalid(blocks: Any, surface: Surface, root: str = "/blocks") -> list[str]:
    """Slack's reasons to refuse these blocks on a surface; none when it shows them."""
    check = _Check()
    check.blocks(blocks, surface, root)
    return check.reasons


def why_invalid_view(view: Any) -> list[str]:
    """Slack's reasons to refuse a view."""
    check = _Check()
    check.view(view)
    return check.reasons


def kind_of(value: Any) -> str:
    """The type that something says it has, or nothing."""
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""


def elements_of(blocks: Sequence[Json]) -> Iterator[tuple[Json, Json]]:
    """Everything that can be pressed or filled in, each with its block."""
    for block in blocks:
        found = block.get("elements", []) if block["type"] in ("actions", "context_actions") else []
        for element in [*found, block.get("accessory"), block.get("element")]:
            if element and element.get("type") != "image":
                yield block, element


class _Check:
    """One look at a payload; what is wrong is collected, as Slack tells everything at once."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def say(self, words: str, at: str) -> None:
        self.reasons.append(f"{words} [json-pointer:{at}]")

    def text_of(self, value: Any, most: int, at: str, least: int = 1) -> None:
        """A string of some length."""
        if not isinstance(value, str):
            self.say("must be a string", at)
        elif len(value) < least:
            self.say(f"must be more than {least - 1} characters", at)
        elif len(value) > most:
            self.say(f"must be less than {most + 1} characters", at)

    def optional_text(self, holder: Json, name: str, most: int, at: str) -> None:
        if name in holder:
            self.text_of(holder[name], most, f"{at}/{name}", least=0)

    def listed(self, value: Any, least: int, most: int, at: str) -> list[Any]:
        """A list of some length; an empty one stands for anything else."""
        if not isinstance(value, list):
            self.say("must provide an array", at)
            return []
        if len(value) > most:
            self.say(f"no more than {most} items allowed", at)
        if len(value) < least:
            self.say(f"no fewer than {least} items allowed", at)
        return value

    def known(self, value: Any, needed: set[str], allowed: set[str], at: str) -> bool:
        """An object with all it must have and nothing that Slack does not know."""
        if not isinstance(value, dict):
            self.say("must provide an object", at)
            return False
        for name in sorted(needed - value.keys()):
            self.say(f"missing required field: {name}", at)
        for name in sorted(value.keys() - needed - allowed - {"type"}):
            self.say(f"invalid additional property: {name}", at)
        return not needed - value.keys()

    def text(self, value: Any, most: int, at: str, kinds: tuple[str, ...] = ANY_TEXT) -> None:
        """A text object."""
        if kind_of(value) not in kinds:
            self.say(f"unsupported type, expected {' or '.join(kinds)}", f"{at}/type")
            return
        extra = {"emoji"} if value["type"] == "plain_text" else {"verbatim"}
        if self.known(value, {"text"}, extra, at):
            self.text_of(value["text"], most, f"{at}/text")

    # ── blocks ───────────────────────────────────────────────────────────────────────────────────

    def blocks(self, blocks: Any, surface: Surface, at: str) -> None:
        most = limits.MESSAGE_BLOCKS_MAX_ITEMS if surface == "message" else limits.VIEW_BLOCKS_MAX_ITEMS
        allowed = surfaces._BLOCK_TYPES_BY_SURFACE[surface]
        ids: set[str] = set()
        charts = 0
        for number, block in enumerate(self.listed(blocks, 0, most, at)):
            here = f"{at}/{number}"
            kind = kind_of(block)
            if kind not in allowed:
                self.say(f"unsupported type: {kind}", f"{here}/type")
                continue
            charts += kind == "data_visualization"
            block_id = block.get("block_id")
            if block_id is not None:
                self.text_of(block_id, limits.BLOCK_ID_MAX_LENGTH, f"{here}/block_id")
                if str(block_id) in ids:
                    self.say(f"block_id already exists: {block_id}", f"{here}/block_id")
                ids.add(str(block_id))
            self.block(kind, block, here)
        if charts > limits.MESSAGE_DATA_VISUALIZATIONS_MAX_ITEMS:
            self.say(f"no more than {limits.MESSAGE_DATA_VISUALIZATIONS_MAX_ITEMS} charts allowed", at)

    def block(self, kind: str, block: Json, at: str) -> None:
        if kind not in BLOCK_FIELDS:
            return  # Nothing of Heard's: its place on the surface is all that is checked.
        needed, allowed = BLOCK_FIELDS[kind]
        rules: dict[str, Callable[[Json, str], None]] = {
            "section": self.section,
            "header": lambda b, a: self.text(b["text"], limits.HEADER_TEXT_MAX_LENGTH, f"{a}/text", PLAIN),
            "context": self.context,
            "actions": self.actions,
            "rich_text": self.rich_text,
            "input": self.input,
            "image": self.image,
            "alert": self.alert,
            "markdown": lambda b, a: self.text_of(b["text"], limits.MARKDOWN_TEXT_MAX_LENGTH, f"{a}/text"),
            "data_table": self.table,
            "data_visualization": self.chart,
        }
        if self.known(block, needed, allowed | {"block_id"}, at) and kind in rules:
            rules[kind](block, at)

    def section(self, block: Json, at: str) -> None:
        if "text" not in block and "fields" not in block:
            self.say("must provide text or fields", at)
        if "text" in block:
            self.text(block["text"], limits.SECTION_TEXT_MAX_LENGTH, f"{at}/text")
        if "fields" in block:
            fields = self.listed(block["fields"], 1, limits.SECTION_FIELDS_MAX_ITEMS, f"{at}/fields")
            for number, field in enumerate(fields):
                self.text(field, limits.SECTION_FIELDS_ITEM_MAX_LENGTH, f"{at}/fields/{number}")
        if "accessory" in block:
            self.element(block["accessory"], PRESSED | {"image"}, f"{at}/accessory")

    def context(self, block: Json, at: str) -> None:
        elements = self.listed(block["elements"], 1, limits.CONTEXT_ELEMENTS_MAX_ITEMS, f"{at}/elements")
        for number, element in enumerate(elements):
            here = f"{at}/elements/{number}"
            if kind_of(element) == "image":
                self.element(element, {"image"}, here)
            else:
                self.text(element, limits.TEXT_MAX_LENGTH, here)

    def actions(self, block: Json, at: str) -> None:
        elements = self.listed(block["elements"], 1, limits.ACTIONS_ELEMENTS_MAX_ITEMS, f"{at}/elements")
        ids: set[str] = set()
        for number, element in enumerate(elements):
            here = f"{at}/elements/{number}"
            self.element(element, PRESSED, here)
            action_id = element.get("action_id") if isinstance(element, dict) else None
            if isinstance(action_id, str):
                if action_id in ids:
                    self.say(f"action_id already exists: {action_id}", f"{here}/action_id")
                ids.add(action_id)

    def input(self, block: Json, at: str) -> None:
        self.text(block["label"], limits.INPUT_LABEL_MAX_LENGTH, f"{at}/label", PLAIN)
        if "hint" in block:
            self.text(block["hint"], limits.INPUT_HINT_MAX_LENGTH, f"{at}/hint", PLAIN)
        self.element(block["element"], INPUTS, f"{at}/element")

    def image(self, block: Json, at: str) -> None:
        if "image_url" not in block and "slack_file" not in block:
            self.say("must provide image_url or slack_file", at)
        self.optional_text(block, "image_url", limits.IMAGE_IMAGE_URL_MAX_LENGTH, at)
        self.text_of(block["alt_text"], limits.IMAGE_ALT_TEXT_MAX_LENGTH, f"{at}/alt_text")
        if block.get("type") == "image" and "title" in block:
            self.text(block["title"], limits.IMAGE_TITLE_MAX_LENGTH, f"{at}/title", PLAIN)

    def alert(self, block: Json, at: str) -> None:
        self.text(block["text"], limits.ALERT_TEXT_MAX_LENGTH, f"{at}/text")
        if str(block.get("level", "default")) not in ("default", "info", "warning", "error", "success"):
            self.say(f"unsupported level: {block['level']}", f"{at}/level")

    def rich_text(self, block: Json, at: str) -> None:
        for number, part in enumerate(self.listed(block["elements"], 0, 10_000, f"{at}/elements")):
            self.rich_part(part, RICH_PARTS, f"{at}/elements/{number}")

    def rich_part(self, part: Any, kinds: set[str], at: str) -> None:
        kind = kind_of(part)
        if kind not in kinds:
            self.say(f"unsupported type: {kind}", f"{at}/type")
        elif kind in RICH_PARTS:
            inside = {"rich_text_section"} if kind == "rich_text_list" else RICH_LEAVES
            for number, leaf in enumerate(self.listed(part.get("elements"), 0, 10_000, f"{at}/elements")):
                self.rich_part(leaf, inside, f"{at}/elements/{number}")
        elif kind == "text":
            self.text_of(part.get("text"), 100_000, f"{at}/text")

    def table(self, block: Json, at: str) -> None:
        least, most = limits.DATA_TABLE_ROWS_MIN_ITEMS, limits.DATA_TABLE_ROWS_MAX_ITEMS
        self.text_of(block["caption"], limits.TEXT_MAX_LENGTH, f"{at}/caption")
        widths: set[int] = set()
        written = 0
        for row_number, row in enumerate(self.listed(block["rows"], least, most, f"{at}/rows")):
            here = f"{at}/rows/{row_number}"
            cells = self.listed(row, 1, limits.DATA_TABLE_COLUMNS_MAX_ITEMS, here)
            widths.add(len(cells))
            for number, cell in enumerate(cells):
                kind = kind_of(cell)
                if kind not in ("raw_text", "raw_number", "rich_text"):
                    self.say(f"unsupported type: {kind}", f"{here}/{number}/type")
                elif kind != "rich_text":
                    self.text_of(
                        cell.get("text"), limits.DATA_TABLE_CONTENT_MAX_LENGTH, f"{here}/{number}/text"
                    )
                    written += len(str(cell.get("text")))
        if len(widths) > 1:
            self.say("all rows must have the same number of columns", f"{at}/rows")
        if written > limits.DATA_TABLE_TOTAL_CONTENT_MAX_LENGTH:
            self.say("too much text in the table", f"{at}/rows")

    def chart(self, block: Json, at: str) -> None:
        self.text_of(block["title"], limits.DATA_VISUALIZATION_TITLE_MAX_LENGTH, f"{at}/title")
        chart, here = block["chart"], f"{at}/chart"
        if kind_of(chart) not in CHARTS:
            self.say("unsupported chart", f"{here}/type")
        elif chart["type"] == "pie":
            self.listed(
                chart.get("segments"), 1, limits.DATA_VISUALIZATION_SEGMENTS_MAX_ITEMS, f"{here}/segments"
            )
        else:
            self.series(chart, here)

    def series(self, chart: Json, at: str) -> None:
        axes = chart.get("axis_config")
        axes = axes if isinstance(axes, dict) else {}
        most = limits.DATA_VISUALIZATION_CATEGORIES_MAX_ITEMS
        categories = self.listed(axes.get("categories"), 1, most, f"{at}/axis_config/categories")
        label = limits.DATA_VISUALIZATION_CATEGORY_LABEL_MAX_LENGTH
        for number, category in enumerate(categories):
            self.text_of(category, label, f"{at}/axis_config/categories/{number}")
        for name in ("x_label", "y_label"):
            self.optional_text(
                axes, name, limits.DATA_VISUALIZATION_AXIS_LABEL_MAX_LENGTH, f"{at}/axis_config"
            )
        lines = self.listed(
            chart.get("series"), 1, limits.DATA_VISUALIZATION_SERIES_MAX_ITEMS, f"{at}/series"
        )
        for number, line in enumerate(lines):
            here = f"{at}/series/{number}"
            if not self.known(line, {"name", "data"}, set(), here):
                continue
            self.text_of(line["name"], limits.DATA_VISUALIZATION_SERIES_NAME_MAX_LENGTH, f"{here}/name")
            points = self.listed(line["data"], 1, limits.DATA_VISUALIZATION_DATA_MAX_ITEMS, f"{here}/data")
            if {str(point.get("label")) for point in points if isinstance(point, dict)} != set(
                map(str, categories)
            ):
                self.say("data labels must be the categories", f"{here}/data")

    # ── elements ─────────────────────────────────────────────────────────────────────────────────

    def element(self, element: Any, kinds: set[str], at: str) -> None:
        kind = kind_of(element)
        if kind not in kinds:
            self.say(f"unsupported type: {kind}", f"{at}/type")
            return
        needed, allowed = ELEMENT_FIELDS.get(kind, (set(), SELECT_FIELDS))
        if not self.known(element, needed, allowed, at):
            return
        self.optional_text(element, "action_id", limits.ACTION_ID_MAX_LENGTH, at)
        if "confirm" in element:
            self.confirm(element["confirm"], f"{at}/confirm")
        if "placeholder" in element:
            placeholder = element["placeholder"]
            self.text(placeholder, limits.SELECT_PLACEHOLDER_MAX_LENGTH, f"{at}/placeholder", PLAIN)
        if kind == "button":
            self.button(element, at)
        elif kind == "image":
            self.image(element, at)
        elif kind == "plain_text_input":
            self.plain_text_input(element, at)
        elif kind in ("overflow", "radio_buttons", "checkboxes", "static_select", "multi_static_select"):
            self.choices(kind, element, at)

    def button(self, element: Json, at: str) -> None:
        self.text(element["text"], limits.BUTTON_TEXT_MAX_LENGTH, f"{at}/text", PLAIN)
        self.optional_text(element, "value", limits.BUTTON_VALUE_MAX_LENGTH, at)
        self.optional_text(element, "url", limits.BUTTON_URL_MAX_LENGTH, at)
        self.optional_text(element, "accessibility_label", limits.BUTTON_ACCESSIBILITY_LABEL_MAX_LENGTH, at)
        if str(element.get("style", "primary")) not in ("primary", "danger"):
            self.say(f"unsupported style: {element['style']}", f"{at}/style")

    def plain_text_input(self, element: Json, at: str) -> None:
        most = element.get("max_length", limits.PLAIN_TEXT_INPUT_MAX_LENGTH_MAX)
        if not isinstance(most, int) or not 1 <= most <= limits.PLAIN_TEXT_INPUT_MAX_LENGTH_MAX:
            self.say("must be between 1 and 3000", f"{at}/max_length")
            most = limits.PLAIN_TEXT_INPUT_MAX_LENGTH_MAX
        self.optional_text(element, "initial_value", most, at)

    def choices(self, kind: str, element: Json, at: str) -> None:
        most = {"overflow": 5, "radio_buttons": 10, "checkboxes": 10}.get(
            kind, limits.SELECT_OPTIONS_MAX_ITEMS
        )
        kinds = ANY_TEXT if kind in ("radio_buttons", "checkboxes") else PLAIN
        if ("options" in element) == ("option_groups" in element):
            self.say("must provide options or option_groups", at)
            return
        groups = [(element, at)]
        if "option_groups" in element:
            here = f"{at}/option_groups"
            listed = self.listed(element["option_groups"], 1, limits.SELECT_OPTION_GROUPS_MAX_ITEMS, here)
            groups = [(group, f"{here}/{number}") for number, group in enumerate(listed)]
            for group, where in groups:
                if self.known(group, {"label", "options"}, set(), where):
                    label = group["label"]
                    self.text(label, limits.OPTION_GROUP_LABEL_MAX_LENGTH, f"{where}/label", PLAIN)
        offered: list[Any] = []
        for group, where in groups:
            options = self.listed(group.get("options"), 1, most, f"{where}/options")
            for number, option in enumerate(options):
                self.option(option, kinds, f"{where}/options/{number}")
            offered.extend(options)
        chosen = [element["initial_option"]] if "initial_option" in element else []
        for option in [*chosen, *element.get("initial_options", [])]:
            if option not in offered:
                self.say("initial option must be one of the options", f"{at}/initial_option")

    def option(self, option: Any, kinds: tuple[str, ...], at: str) -> None:
        if self.known(option, {"text", "value"}, {"description", "url"}, at):
            self.text(option["text"], limits.OPTION_TEXT_MAX_LENGTH, f"{at}/text", kinds)
            self.text_of(option["value"], limits.OPTION_VALUE_MAX_LENGTH, f"{at}/value")
            if "description" in option:
                most = limits.OPTION_DESCRIPTION_MAX_LENGTH
                self.text(option["description"], most, f"{at}/description", kinds)

    def confirm(self, dialog: Any, at: str) -> None:
        if self.known(dialog, {"title", "text"}, {"confirm", "deny", "style"}, at):
            self.text(dialog["title"], limits.CONFIRMATION_TITLE_MAX_LENGTH, f"{at}/title", PLAIN)
            self.text(dialog["text"], limits.CONFIRMATION_TEXT_MAX_LENGTH, f"{at}/text")
            for name in ("confirm", "deny"):
                if name in dialog:
                    most = limits.CONFIRMATION_CONFIRM_MAX_LENGTH
                    self.text(dialog[name], most, f"{at}/{name}", PLAIN)

    # ── views ────────────────────────────────────────────────────────────────────────────────────

    def view(self, view: Any) -> None:
        kind = kind_of(view)
        if kind not in IN_VIEWS_ONLY:
            self.say(f"unsupported type: {kind}", "/view/type")
            return
        needed = {"blocks", "title"} if kind == "modal" else {"blocks"}
        if not self.known(view, needed, VIEW_FIELDS, "/view"):
            return
        for name, most in (("title", 24), ("submit", 24), ("close", 24)):
            if name in view:
                self.text(view[name], most, f"/view/{name}", PLAIN)
        self.optional_text(view, "private_metadata", limits.VIEW_PRIVATE_METADATA_MAX_LENGTH, "/view")
        self.optional_text(view, "callback_id", limits.VIEW_CALLBACK_ID_MAX_LENGTH, "/view")
        self.optional_text(view, "external_id", limits.VIEW_EXTERNAL_ID_MAX_LENGTH, "/view")
        blocks = view["blocks"]
        self.blocks(blocks, "modal" if kind == "modal" else "home", "/view/blocks")
        listed = blocks if isinstance(blocks, list) else []
        asks = any(kind_of(block) == "input" for block in listed)
        if kind == "modal" and asks and "submit" not in view:
            self.say("must have submit when blocks contain input", "/view/submit")
