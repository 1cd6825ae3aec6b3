"""Says what the settings are: the JSON Schema of brand.yaml, those in force, and what each one does."""

import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from casework.errors import HeardError
from casework.hours import Span
from casework.sla import Warning as EarlyWarning
from config.brand import Brand
from config.brand_file import BrandFile
from config.lengths import Bound, Cap, Within, say_length
from config.settings import Key, Loaded, Settings, keys, value_of, variable

HIDDEN = "set, hidden"
"""What is shown in the place of a secret."""


class UnknownKey(HeardError):
    """There is no setting of this name."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting in force. ``origin`` is empty where it was not asked for."""

    key: str
    value: str
    origin: str = ""

    def line(self) -> str:
        """``desk.listen = 127.0.0.1:8400   (brand.yaml)``."""
        return f"{self.key} = {self.value}" + (f"   ({self.origin})" if self.origin else "")


class _Schema(GenerateJsonSchema):
    """Without defaults that have no form in JSON; `explain` shows them as they are written."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if isinstance(schema.get("default"), bool | int | float | str):
            return super().default_schema(schema)
        return self.generate_inner(schema["schema"])


def schema() -> dict[str, Any]:
    """The JSON Schema of brand.yaml, for editors."""
    made = BrandFile.model_json_schema(schema_generator=_Schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "brand.yaml of Heard"}


def show(brand: Brand, settings: Settings | Loaded, origin: bool = False) -> tuple[Shown, ...]:
    """Every setting in force, brand.yaml's first; secrets are hidden.

    With ``origin``, where each came from: the line's file, a variable, ``.env``, a flag or the default.
    """
    loaded = settings if isinstance(settings, Loaded) else None
    values = settings.settings if isinstance(settings, Loaded) else settings
    shown = [*_of_brand(brand), *_of_settings(values, loaded)]
    return tuple(Shown(s.key, s.value, s.origin if origin else "") for s in shown)


def explain(key: str) -> str:
    """What a setting does, its default, and an example.

    Raises:
        UnknownKey: there is none of this name; the sentence names the nearest.
    """
    wanted = ".".join(part for part in key.strip().split(".") if not part.isdigit())
    described = dict(_described(BrandFile, ""))
    variables = {name: _explain_variable(k) for k in keys() for name in (".".join(k), variable(k))}
    # The desk's address is in both: brand.yaml proposes, the environment has the last word.
    said = [texts[wanted] for texts in (described, variables) if wanted in texts]
    if said:
        return "\n\n".join(said)
    raise UnknownKey(f"there is no setting `{key}`; {_near(wanted, [*described, *variables])}")


# ── showing ──────────────────────────────────────────────────────────────────────────────────────


def _of_brand(brand: Brand) -> Iterator[Shown]:
    for key, value, given in _leaves(brand.file, ""):
        yield Shown(key, value, brand.source.name if given else "default")


def _leaves(part: BaseModel, above: str, given: bool = True) -> Iterator[tuple[str, str, bool]]:
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        key = f"{above}{field.alias or name}"
        stated = given and name in part.model_fields_set
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{key}.", stated)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for index, item in enumerate(value):
                yield from _leaves(item, f"{key}.{index}.", stated)
        elif value is not None:
            yield key, written(value), stated


def _of_settings(settings: Settings, loaded: Loaded | None) -> Iterator[Shown]:
    for key in keys():
        value = value_of(settings, key)
        if value is not None:
            yield Shown(variable(key), written(value), loaded.origin(key) if loaded else "")


def written(value: Any) -> str:
    """The value as people write it in the file."""
    simple = _written_simple(value)
    if simple is not None:
        return simple
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list | set | frozenset):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return str(value)


def _written_simple(value: Any) -> str | None:
    match value:
        case None:
            return "not set"
        case SecretStr():
            return HIDDEN
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case timedelta():
            return say_length(value)
        case time():
            return f"{value:%H:%M}"
        case Path():
            return str(value)
        case _:
            return _written_promise(value)


def _written_promise(value: Any) -> str | None:
    match value:
        case Within(length=length):
            return "day" if length is None else say_length(length)
        case EarlyWarning(share=share, left=left):
            return f"{share:.0%}" if left is None else f"{say_length(left)} left"
        case Span(start=start, end=end):
            return f"{start:%H:%M}-{end:%H:%M}"
        case Cap(count=count, per=per):
            return f"{count} in {say_length(per)}"
        case Bound(at_least=least, below=below):
            return f">={least:g}" if least is not None else f"<{below:g}"
        case _:
            return None


# ── explaining ───────────────────────────────────────────────────────────────────────────────────


def _described(model: type[BaseModel], above: str) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        key = f"{above}{field.alias or name}"
        inner = _model_in(field.annotation)
        yield key, _describe(key, field, inner)
        if inner is not None:
            yield from _described(inner, f"{key}.")


def _describe(key: str, field: FieldInfo, inner: type[BaseModel] | None) -> str:
    lines = [f"{key}: {field.description or ''}".rstrip()]
    default = field.get_default()
    if field.is_required():
        lines.append("Needed: it has no default.")
    elif inner is None:
        lines.append(f"Default: {written(default)}")
    if field.examples:
        lines.append(f"Example: {key.rpartition('.')[2]}: {field.examples[0]}")
    if inner is not None:
        inside = (f.alias or name for name, f in inner.model_fields.items())
        lines.append(f"In it: {', '.join(inside)}")
    return "\n".join(lines)


def _explain_variable(key: Key) -> str:
    group: type[BaseModel] = Settings
    for part in key[:-1]:
        inner = _model_in(group.model_fields[part].annotation)
        group = inner or group
    field = group.model_fields[key[-1]]
    about = " ".join((field.description or "").split())
    name = variable(key)
    where = f"Set it in the environment or in .env, or name a file that holds it with {name}_FILE."
    return f"{about}\nDefault: {written(field.get_default())}\n{where}"


def _near(wanted: str, known: Sequence[str]) -> str:
    same_end = [key for key in known if key.rpartition(".")[2] == wanted]
    close = same_end or get_close_matches(wanted, known, n=3, cutoff=0.5)
    if not close:
        return "`heard config show` lists them all"
    return f"did you mean {' or '.join(f'`{key}`' for key in close)}?"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for arg in typing.get_args(annotation) if (model := _model_in(arg))), None)
