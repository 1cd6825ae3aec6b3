"""Writes and reads the folder that a model ships in: weights, tokeniser, configuration, golden logits.

Only safetensors, JSON and plain text are ever opened: none of them can carry code (T6). Matrices are
kept as 8-bit numbers with one scale for each row and made into 32-bit numbers again when they are read,
which quarters the size; the model computes in 32 bits throughout.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from casework.classification import Urgency
from casework.errors import HeardError
from classifier.examples import HEADS
from classifier.heads import Head

BUNDLED = Path(__file__).parent / "bundled"
"""The folder of the model that comes with Heard."""

_WEIGHTS = "model.safetensors"
_TOKENIZER = "tokenizer.json"
_CONFIG = "config.json"
_GOLDEN = "golden.json"
_CHECKSUMS = "checksums.sha256"
_CHECKED = (_WEIGHTS, _TOKENIZER, _CONFIG, _GOLDEN)
_SCALE = ".scale"
_FORMAT = 2
_LONGEST = 128

_Array = NDArray[Any]


class ModelUnavailable(HeardError):
    """The model cannot be used; the message says in one sentence what to do."""


Logits = dict[str, list[float]]
"""What each head says of one text, one number for each of its labels."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model as read from its folder.

    ``languages`` are the ISO 639-1 codes of those it was trained on. ``golden`` holds texts and the logits
    that were measured for them: a machine that computes others must not judge with these weights.
    """

    name: str
    heads: dict[str, Head]
    languages: tuple[str, ...]
    shape: dict[str, Any]
    longest: int
    tokenizer: str
    weights: dict[str, _Array]
    golden: dict[str, Logits]


def write_bundle(
    folder: Path,
    *,
    weights: Mapping[str, _Array],
    shape: Mapping[str, Any],
    heads: Mapping[str, Head],
    tokenizer: Path,
    made_from: Mapping[str, Any],
    languages: Sequence[str] = ("en",),
) -> None:
    """Write a model into the folder, with checksums but without golden logits yet: `write_golden`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_packed(weights), folder / _WEIGHTS)
    (folder / _WEIGHTS).chmod(0o644)  # It is written for its owner alone, and is to be installed for all.
    shutil.copyfile(tokenizer, folder / _TOKENIZER)
    config = {
        "format": _FORMAT,
        "name": f"heard-minilm-{_digest((folder / _WEIGHTS).read_bytes())[:8]}",
        "heads": {name: asdict(head) for name, head in heads.items()},
        "languages": list(languages),
        "longest": _LONGEST,
        "shape": dict(shape),
        "made_from": dict(made_from),
    }
    (folder / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    write_golden(folder, {})


def write_golden(folder: Path, golden: Mapping[str, Logits]) -> None:
    """Write the golden logits of texts beside the model, and the checksums of all its files."""
    rounded = {
        text: {head: [round(value, 5) for value in values] for head, values in logits.items()}
        for text, logits in golden.items()
    }
    (folder / _GOLDEN).write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    lines = [f"{_digest((folder / name).read_bytes())}  {name}\n" for name in _CHECKED]
    (folder / _CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def read_bundle(folder: Path = BUNDLED) -> Bundle:
    """Read a model whose files are all there and all as they were written, or raise `ModelUnavailable`."""
    files = _verified(folder)
    try:
        config = json.loads(files[_CONFIG])
        if config["format"] != _FORMAT:
            raise ModelUnavailable(
                f"The model in {folder} has format {config['format']}, this program reads {_FORMAT}: "
                "install the model of the same release"
            )
        return Bundle(
            name=config["name"],
            heads={name: _head(name, head) for name, head in config["heads"].items()},
            languages=tuple(config["languages"]),
            shape=config["shape"],
            longest=config["longest"],
            tokenizer=files[_TOKENIZER].decode(),
            weights=_unpacked(load(files[_WEIGHTS])),
            golden=json.loads(files[_GOLDEN]),
        )
    except (KeyError, ValueError, TypeError, AttributeError, SafetensorError) as wrong:
        raise ModelUnavailable(f"The model in {folder} cannot be read: install Heard again") from wrong


def _head(name: str, written: Mapping[str, Any]) -> Head:
    known, labels = HEADS[name], tuple(written["labels"])
    if set(labels) - set(known):
        raise ModelUnavailable(
            f"The model's head {name} has labels that Heard does not know "
            f"({', '.join(sorted(set(labels) - set(known)))}): it knows {', '.join(known)}"
        )
    if name == "urgency" and Urgency.LOW not in labels:
        raise ModelUnavailable(
            "The model never gives the urgency low, by which Heard tells who needs no reply"
        )
    numbers = {key: tuple(map(float, written[key])) for key in ("bias", "lean", "sure_at")}
    return Head(labels, float(written["temperature"]), **numbers)


def _verified(folder: Path) -> dict[str, bytes]:
    """The bytes of every file, read once: what is checked is what is used."""
    expected = _expected_digests(folder)
    files: dict[str, bytes] = {}
    for name in _CHECKED:
        files[name] = _read(folder, name)
        if _digest(files[name]) != expected.get(name):
            raise ModelUnavailable(
                f"{folder / name} is not the file that was shipped, its checksum differs: install Heard again"
            )
    return files


def _expected_digests(folder: Path) -> dict[str, str]:
    lines = _read(folder, _CHECKSUMS).decode("utf-8", "replace").splitlines()
    pairs = [line.split() for line in lines]
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as missing:
        raise ModelUnavailable(
            f"There is no {name} in {folder}: install Heard again, or train a model with `heard train`"
        ) from missing


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _packed(weights: Mapping[str, _Array]) -> dict[str, _Array]:
    packed: dict[str, _Array] = {}
    for name, array in weights.items():
        if array.ndim != 2:
            packed[name] = array.astype(np.float32)
            continue
        scale = np.maximum(np.abs(array).max(axis=1), 1e-12).astype(np.float32) / np.float32(127)
        packed[name] = np.rint(array / scale[:, None]).astype(np.int8)
        packed[name + _SCALE] = scale
    return packed


def _unpacked(packed: Mapping[str, _Array]) -> dict[str, _Array]:
    weights: dict[str, _Array] = {}
    for name, array in packed.items():
        if name.endswith(_SCALE):
            continue
        scale = packed.get(name + _SCALE)
        # A copy either way: torch may not be given memory that is read-only.
        weights[name] = (
            array.copy() if scale is None else np.multiply(array, scale[:, None], dtype=np.float32)
        )
    return weights
