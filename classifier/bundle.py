"""Writes and reads the folder that a model ships in: weights, tokeniser, configuration and checksums.

Only safetensors, JSON and plain text are ever opened: none of them can carry code (T6). Matrices are
kept as 8-bit numbers with one scale for each row and made into 32-bit numbers again when they are read,
which quarters the size; the model computes in 32 bits throughout.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from casework.errors import HeardError

BUNDLED = Path(__file__).parent / "bundled"
"""The folder of the model that comes with Heard."""

_WEIGHTS = "model.safetensors"
_TOKENIZER = "tokenizer.json"
_CONFIG = "config.json"
_CHECKSUMS = "checksums.sha256"
_CHECKED = (_WEIGHTS, _TOKENIZER, _CONFIG)
_SCALE = ".scale"
_FORMAT = 1
_LONGEST = 128

_Array = NDArray[Any]


class ModelUnavailable(HeardError):
    """The model cannot be used; the message says in one sentence what to do."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model as read from its folder."""

    name: str
    labels: dict[str, tuple[str, ...]]
    temperatures: dict[str, float]
    shape: dict[str, Any]
    longest: int
    tokenizer: str
    weights: dict[str, _Array]


def write_bundle(
    folder: Path,
    *,
    weights: Mapping[str, _Array],
    shape: Mapping[str, Any],
    labels: Mapping[str, Sequence[str]],
    temperatures: Mapping[str, float],
    tokenizer: Path,
    made_from: Mapping[str, Any],
) -> None:
    """Write a model into the folder, and the checksums of what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_packed(weights), folder / _WEIGHTS)
    (folder / _WEIGHTS).chmod(0o644)  # It is written for its owner alone, and is to be installed for all.
    shutil.copyfile(tokenizer, folder / _TOKENIZER)
    config = {
        "format": _FORMAT,
        "name": f"heard-minilm-{_digest((folder / _WEIGHTS).read_bytes())[:8]}",
        "labels": {head: [str(label) for label in ordered] for head, ordered in labels.items()},
        "temperatures": dict(temperatures),
        "longest": _LONGEST,
        "shape": dict(shape),
        "made_from": dict(made_from),
    }
    (folder / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
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
            labels={head: tuple(ordered) for head, ordered in config["labels"].items()},
            temperatures=config["temperatures"],
            shape=config["shape"],
            longest=config["longest"],
            tokenizer=files[_TOKENIZER].decode(),
            weights=_unpacked(load(files[_WEIGHTS])),
        )
    except (KeyError, ValueError, TypeError, SafetensorError) as wrong:
        raise ModelUnavailable(f"The model in {folder} cannot be read: install Heard again") from wrong


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
            f"There is no {name} in {folder}: install Heard again, or train a model with "
            "`python -m classifier.train`"
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
        weights[name] = array.copy() if scale is None else array.astype(np.float32) * scale[:, None]
    return weights
