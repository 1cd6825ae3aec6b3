"""The schema, the settings in force and what each one does."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from config.brand import DEFAULTS, Brand, load_brand
from config.explain import HIDDEN, UnknownKey, explain, schema, show
from config.settings import read_settings

DEMO = Path(__file__).parents[2] / "config" / "demo" / "brand.yaml"


def complaints(value: Any, rule: dict[str, Any], root: dict[str, Any], at: str = "") -> list[str]:
    """What of the schema a value breaks: as much of JSON Schema as brand.yaml's uses."""
    if "$ref" in rule:
        target = root["$defs"][rule["$ref"].removeprefix("#/$defs/")]
        return complaints(value, target, root, at)
    if "anyOf" in rule:
        tried = [complaints(value, option, root, at) for option in rule["anyOf"]]
        return [] if [] in tried else min(tried, key=len)
    if ("enum" in rule and value not in rule["enum"]) or ("const" in rule and value != rule["const"]):
        return [f"{at}: {value!r} is not one of them"]
    kinds: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
        "null": type(None),
    }  # fmt: skip
    if "type" in rule and not isinstance(value, kinds[rule["type"]]):
        return [f"{at}: {value!r} is no {rule['type']}"]
    if "pattern" in rule and not re.search(rule["pattern"], value):
        return [f"{at}: {value!r} does not match"]
    if isinstance(value, list):
        return [
            c
            for i, item in enumerate(value)
            for c in complaints(item, rule.get("items", {}), root, f"{at}/{i}")
        ]
    if isinstance(value, dict):
        return _of_object(value, rule, root, at)
    return []


def _of_object(value: dict[str, Any], rule: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    found = [f"{at}: {name} is missing" for name in rule.get("required", []) if name not in value]
    known, more = rule.get("properties", {}), rule.get("additionalProperties", {})
    for name, item in value.items():
        if name in known:
            found += complaints(item, known[name], root, f"{at}/{name}")
        elif more is False:
            found.append(f"{at}: {name} is unknown")
        else:
            found += complaints(item, {} if more is True else more, root, f"{at}/{name}")
    return found


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


@pytest.fixture
def demo() -> Brand:
    return load_brand(DEMO)


@pytest.mark.parametrize("path", [DEMO, DEFAULTS / "brand.yaml"], ids=["demo", "start"])
def test_the_schema_takes_what_loads(path: Path) -> None:
    """An editor that checks by the schema has nothing to say about a right file."""
    assert complaints(read(path), schema(), schema()) == []


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("brnd", {}),
        ("schema", 2),
        ("promises", [{"name": "p", "within": "1h", "clock": "sometimes"}]),
        ("promises", [{"name": "p"}]),
        ("policy", [{"when": {"intent": "prase"}, "do": "draft"}]),
        ("policy", [{"when": "any", "do": "dance"}]),
        ("platforms", {"x": {"reply": "always"}}),
        ("automatic", {"enabled": "perhaps"}),
        ("classifier", {"heads": {"mood": {"model": "owner/name"}}}),
        ("classifier", {"heads": {"sentiment": {"labels": {"LABEL_0": "negative"}}}}),
        ("classifier", {"heads": {"sentiment": {"model": "owner/name", "labels": {"LABEL_0": "angry"}}}}),
    ],
)
def test_the_schema_refuses_what_does_not_load(part: str, value: Any) -> None:
    """Wrong keys and labels are marked while they are typed."""
    assert complaints({"brand": {"name": "A"}, part: value}, schema(), schema())


def test_the_settings_in_force_are_shown_with_their_origin(demo: Brand, tmp_path: Path) -> None:
    """One line each, as it would be written, and where it came from."""
    loaded = read_settings(demo, environ={"HEARD_LOG__LEVEL": "debug"}, folder=tmp_path)
    lines = [shown.line() for shown in show(demo, loaded, origin=True)]
    assert "brand.name = Aurora Air   (brand.yaml)" in lines
    assert "promises.0.within = 1h   (brand.yaml)" in lines
    assert "promises.1.within = day   (brand.yaml)" in lines
    assert "promises.0.warn_at = [50%, 80%]   (brand.yaml)" in lines
    assert "privacy.keep_labels = 395d   (default)" in lines
    assert "HEARD_LOG__LEVEL = debug   (HEARD_LOG__LEVEL)" in lines
    assert "HEARD_LOG__FORMAT = auto   (default)" in lines


def test_secrets_are_hidden(demo: Brand, tmp_path: Path) -> None:
    """It is shown that a secret is set, never which."""
    env = {"HEARD_SLACK__BOT_TOKEN": "s3cr3t", "REDIS_URL": "redis://:s3cr3t@host"}
    lines = [shown.line() for shown in show(demo, read_settings(demo, environ=env, folder=tmp_path))]
    assert f"HEARD_SLACK__BOT_TOKEN = {HIDDEN}" in lines
    assert "s3cr3t" not in "".join(lines)


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("promises.within", ["The time it gives", "Needed", "Example: within: 1h"]),
        ("promises.0.within", ["The time it gives"]),
        ("automatic.enabled", ["Nothing is published without a person", "Default: false"]),
        ("platforms.x.reply", ["Default: when_mentioned", "Example: reply: manual"]),
        ("hours", ["In it: timezone, open, holidays, closed, calendars"]),
        ("promises.for", ["In it: urgency, intent, platform"]),
        ("HEARD_DESK__TOKEN", ["HEARD_DESK__TOKEN_FILE"]),
        ("classifier.model", ["Default: bundled", "HEARD_CLASSIFIER__MODEL"]),
        ("classifier.heads.sentiment.labels", ["`ignore`", "HEARD_CLASSIFIER__HEADS__SENTIMENT__LABELS"]),
        ("desk.token", ["HEARD_DESK__TOKEN"]),
        ("desk.listen", ["Where the desk listens", "HEARD_DESK__LISTEN"]),
    ],
)
def test_each_setting_is_explained(key: str, parts: list[str]) -> None:
    """What it does, its default and an example; list numbers may be left out."""
    assert [part for part in parts if part not in explain(key)] == []


def test_an_unknown_setting_names_the_nearest() -> None:
    """Also by its last word alone."""
    with pytest.raises(UnknownKey, match=r"did you mean `promises\.within`"):
        explain("within")
    with pytest.raises(UnknownKey, match=r"did you mean .*`hours.timezone`"):
        explain("hours.timezon")


def test_every_setting_says_what_it_is_for() -> None:
    """No key of brand.yaml is without a description."""
    silent = [
        f"{name}.{key}"
        for name, model in {"": schema(), **schema()["$defs"]}.items()
        for key, field in model.get("properties", {}).items()
        # A part's own description stands where it is defined.
        if not field.get("description") and "$ref" not in field
    ]
    assert silent == []
