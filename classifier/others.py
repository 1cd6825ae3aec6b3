"""Finds models made elsewhere: a folder, or a name on the model hub, kept in the hub's own cache.

What is in the cache is used as it is and the hub is not asked again, so that a start needs no network and
a model never changes under a brand. Only configuration, vocabulary and safetensors are fetched; pickled
weights and models that bring code are refused (T6). torch is not needed here.
"""

import errno
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from classifier.bundle import ModelUnavailable

Say = Callable[[str], None]
"""Tells whoever starts Heard, in a sentence."""

BUNDLED_NAME: Final = "bundled"

_FETCHED = ("*.json", "*.txt", "*.model", "model.safetensors", "model-*.safetensors")
_NOT_FETCHED = ("*/*", "adapter_config.json")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_VOCABULARY = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.h5", "*.msgpack")
_PART = re.compile(r"model-[\w-]+\.safetensors", re.ASCII)
_ON_THE_HUB = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)?", re.ASCII)
_KIND = "ForSequenceClassification"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model as the settings name it; ``labels`` says what its labels mean, where that is not known."""

    name: str
    revision: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name


@dataclass(frozen=True, slots=True)
class Found:
    """A model that is on this machine and that Heard may open.

    ``name`` changes with the weights, ``where`` says in words where they are, and ``labels`` are the
    model's own, in its order.
    """

    wanted: Wanted
    folder: Path
    name: str
    where: str
    labels: tuple[str, ...]


def is_elsewhere_made(name: str) -> bool:
    """Whether the name means a model of transformers and not the bundled one or a folder like it."""
    if name == BUNDLED_NAME:
        return False
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _is_of_transformers(folder)
    return _ON_THE_HUB.fullmatch(name) is not None


def look(wanted: Wanted) -> Found | None:
    """The model, if it is on this machine; None if it must be fetched. The network is not touched.

    Raises:
        ModelUnavailable: there is no such model, or it is one that Heard does not open.
    """
    folder = Path(wanted.name).expanduser()
    if folder.is_dir():
        if wanted.revision:
            raise ModelUnavailable(f"{wanted.name} is a folder and has no revisions: leave `revision` out")
        return _checked(wanted, folder, here=True)
    if not _ON_THE_HUB.fullmatch(wanted.name):
        raise ModelUnavailable(
            f"There is no folder {wanted.name}: check classifier in brand.yaml, or HEARD_CLASSIFIER__…"
        )
    cached = _in_cache(wanted)
    return _checked(wanted, cached, here=False) if cached else None


def fetched(wanted: Wanted, say: Say) -> Found:
    """The model, fetched from the hub if it is not on this machine yet.

    Raises:
        ModelUnavailable: it cannot be had, or is one that Heard does not open.
    """
    return look(wanted) or _checked(wanted, _downloaded(wanted, say), here=False)


def is_offline() -> bool:
    """Whether the hub may not be asked (HF_HUB_OFFLINE)."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def cache_folder() -> Path:
    """Where the hub's models are kept (HF_HOME)."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


# ── the cache and the hub ────────────────────────────────────────────────────────────────────────


def _in_cache(wanted: Wanted) -> Path | None:
    from huggingface_hub import errors

    try:
        folder = Path(_snapshot(wanted, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        return None
    except (OSError, ValueError) as wrong:
        raise ModelUnavailable(_why(wanted, wrong)) from wrong
    return folder if _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    # Another program may have left a part of the model in the cache.
    return (
        (folder / "config.json").exists()
        and any((folder / name).exists() for name in _WEIGHTS)
        and any(True for pattern in _VOCABULARY for _ in folder.glob(pattern))
    )


def _downloaded(wanted: Wanted, say: Say) -> Path:
    from huggingface_hub import logging
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if is_offline():
        raise ModelUnavailable(
            f"{wanted} is not in {cache_folder()}, and HF_HUB_OFFLINE forbids to fetch it: start once "
            "without it, or copy the cache of a machine that has the model (HF_HOME names it)"
        )
    disable_progress_bars()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        files = _snapshot_listed(wanted)
        say(f"{wanted} is fetched once, {_megabytes(files)} MB, and kept in {cache_folder()}")
        return Path(_snapshot(wanted, local_files_only=False))
    except Exception as wrong:
        # The hub's client raises errors of its HTTP library, which is not ours to know.
        raise ModelUnavailable(_why(wanted, wrong)) from wrong


def _snapshot(wanted: Wanted, *, local_files_only: bool) -> str:
    from huggingface_hub import snapshot_download

    return snapshot_download(
        wanted.name,
        revision=wanted.revision,
        allow_patterns=list(_FETCHED),
        ignore_patterns=list(_NOT_FETCHED),
        local_files_only=local_files_only,
    )


def _snapshot_listed(wanted: Wanted) -> Sequence[int]:
    """The bytes of each file that is not here yet."""
    from huggingface_hub import snapshot_download

    files = snapshot_download(
        wanted.name,
        revision=wanted.revision,
        allow_patterns=list(_FETCHED),
        ignore_patterns=list(_NOT_FETCHED),
        dry_run=True,
    )
    return [file.file_size or 0 for file in files if file.will_download]


def _megabytes(files: Sequence[int]) -> int:
    return -(-sum(files) // 1_000_000)


def _why(wanted: Wanted, wrong: Exception) -> str:
    """One sentence for each way in which the hub does not give a model."""
    from huggingface_hub import errors

    # A look at what there is hides the reason behind its own error.
    cause = wrong.__cause__ if isinstance(wrong, errors.DryRunError) else wrong
    match cause:
        case errors.GatedRepoError():
            return f"{wanted} needs its owner's consent: ask for it on the model's page, then set HF_TOKEN"
        case errors.RepositoryNotFoundError():
            return (
                f"{wanted.name} is no folder here and no model that the hub shows us: check the name, or set "
                "HF_TOKEN if the model is private"
            )
        case errors.RevisionNotFoundError():
            return f"{wanted.name} has no revision {wanted.revision}: write a branch, a tag or a commit of it"
        case errors.HFValidationError():
            return f"{wanted.name} is neither a folder here nor a name such as owner/model"
        case OSError(errno=errno.ENOSPC):
            return f"{wanted} does not fit on the disk: make room, or name another folder with HF_HOME"
        case OSError(errno=errno.EACCES | errno.EROFS):
            return f"{wanted} cannot be kept in {cache_folder()}: name a folder that is ours with HF_HOME"
    return (
        f"{wanted} is not in {cache_folder()}, and the hub cannot be reached ({type(cause).__name__}): look "
        "at the network, or copy the cache of a machine that has the model (HF_HOME names it)"
    )


# ── what may be opened ───────────────────────────────────────────────────────────────────────────


def _is_of_transformers(folder: Path) -> bool:
    if (folder / "checksums.sha256").exists():
        return False
    try:
        return "model_type" in _read_json(folder / "config.json")
    except (OSError, ValueError):
        return False


def _checked(wanted: Wanted, folder: Path, *, here: bool) -> Found:
    config = _config(folder)
    _refuse_code(wanted, folder, config)
    _refuse_pickles(wanted, folder, config)
    _refuse_other_kinds(wanted, config)
    return Found(
        wanted=wanted,
        folder=folder,
        name=f"{folder.resolve().name}@{_digest(folder)}" if here else f"{wanted.name}@{folder.name[:8]}",
        where=f"in {folder}" if here else f"in the cache {cache_folder()}",
        labels=_labels(wanted, config),
    )


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = _read_json(folder / "config.json")
    except FileNotFoundError as missing:
        raise ModelUnavailable(
            f"There is no config.json in {folder}: name a folder that transformers' save_pretrained wrote"
        ) from missing
    except (OSError, ValueError) as wrong:
        raise ModelUnavailable(f"{folder / 'config.json'} cannot be read: fetch the model again") from wrong
    if "model_type" not in config:
        raise ModelUnavailable(
            f"{folder} holds no model of transformers, its config.json names no model_type: a model of "
            "Heard's own training goes under classifier.model"
        )
    return config


def _read_json(path: Path) -> dict[str, Any]:
    read = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(read, dict):
        raise ValueError("not an object")
    return read


def _refuse_code(wanted: Wanted, folder: Path, config: Mapping[str, Any]) -> None:
    try:
        of_tokenizer = _read_json(folder / "tokenizer_config.json")
    except (OSError, ValueError):
        of_tokenizer = {}
    if config.get("auto_map") or of_tokenizer.get("auto_map"):
        raise ModelUnavailable(
            f"{wanted} brings code of its own (trust_remote_code), which Heard never runs: choose a model "
            "that transformers itself knows"
        )


def _refuse_pickles(wanted: Wanted, folder: Path, config: Mapping[str, Any]) -> None:
    # `transformers_weights` may name any file, a pickle as well.
    if "transformers_weights" not in config and _has_safe_weights(folder):
        return
    if folder == Path(wanted.name).expanduser() and not _has_pickles(folder):
        raise ModelUnavailable(
            f"There is no model.safetensors in {folder}: name a folder that transformers' save_pretrained "
            "wrote"
        )
    raise ModelUnavailable(
        f"{wanted} has no weights as model.safetensors, and other forms (pickles such as .bin) can run code "
        "when they are opened: name a revision that has them, often refs/pr/1, or another model"
    )


def _has_safe_weights(folder: Path) -> bool:
    if (folder / _WEIGHTS[0]).is_file():
        return True
    try:
        parts = _read_json(folder / _WEIGHTS[1])["weight_map"].values()
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return all(isinstance(part, str) and _PART.fullmatch(part) for part in parts)


def _has_pickles(folder: Path) -> bool:
    return any(True for pattern in _PICKLED for _ in folder.glob(pattern))


def _refuse_other_kinds(wanted: Wanted, config: Mapping[str, Any]) -> None:
    kinds = config.get("architectures")
    if isinstance(kinds, list) and kinds and not any(str(kind).endswith(_KIND) for kind in kinds):
        raise ModelUnavailable(
            f"{wanted} is a {str(kinds[0])[:60]}, which does not sort texts: Heard runs models for sequence "
            "classification"
        )
    problem = config.get("problem_type")
    if problem not in (None, "single_label_classification"):
        raise ModelUnavailable(
            f"{wanted} does not choose one label of several ({str(problem)[:40]}): choose a model that does"
        )


def _labels(wanted: Wanted, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The model's labels in its order; transformers' own names where it gives none."""
    named = config.get("id2label")
    if not isinstance(named, dict):
        count = config.get("num_labels", 2)
        return tuple(f"LABEL_{number}" for number in range(count if isinstance(count, int) else 2))
    try:
        by_number = {int(number): str(label) for number, label in named.items()}
        return tuple(by_number[number] for number in range(len(by_number)))
    except (KeyError, ValueError) as wrong:
        raise ModelUnavailable(f"The labels of {wanted} are not numbered from 0: choose another") from wrong


def _digest(folder: Path) -> str:
    """Names the weights of a folder that carries no commit."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("model*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:8]
