"""Which model judges: chosen by name or folder, verified, never half, always with a way back."""

import json
import os
import shutil
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from casework.errors import HeardError
from classifier.bundle import BUNDLED, ModelUnavailable
from config import commands
from config.doctor import for_models
from config.models import BUNDLED_NAME, Choice, Models, Worse
from config.places import Place
from config.settings import load_settings
from tests.config.conftest import Command

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def name_in(folder: Path) -> str:
    """A bundle is a folder with a name in it, for these tests."""
    try:
        return (folder / "name").read_text()
    except OSError:
        raise ModelUnavailable(f"there is no model in {folder}") from None


def a_bundle(folder: Path, name: str, weights: str = "1, 2, 3") -> Path:
    folder.mkdir(parents=True)
    (folder / "name").write_text(name)
    (folder / "weights").write_text(weights)
    (folder / "tone.safetensors").write_text("of the training only")
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path / "models", read=name_in, bundled=a_bundle(tmp_path / "shipped", "heard-0"))


def use(models: Models, wanted: object, *, by: str = "Nina", anyway: bool = False) -> Choice:
    return models.use(str(wanted), by=by, at=NOON, anyway=anyway)


def worse(new: Path, current: Path) -> Sequence[str]:
    return [f"urgency of {name_in(new)} is below that of {name_in(current)}"]


# ── choosing ─────────────────────────────────────────────────────────────────────────────────────


def test_the_bundled_model_judges_where_nobody_chose(models: Models) -> None:
    """And it needs no file."""
    assert models.choice() == Choice("bundled", "bundled", "", "")
    assert models.place("bundled") == models.bundled
    assert [(one.name, one.weights, one.active) for one in models.listed()] == [("bundled", "heard-0", True)]


def test_a_folder_is_copied_under_the_name_of_its_model(models: Models, tmp_path: Path) -> None:
    """What happens to the folder afterwards is all the same; what serves nobody is not copied."""
    folder = a_bundle(tmp_path / "out", "heard-1")
    use(models, folder)
    shutil.rmtree(folder)

    assert models.choice() == Choice("heard-1", "bundled", NOON.isoformat(), "Nina")
    assert sorted(path.name for path in models.place("heard-1").iterdir()) == ["name", "weights"]
    assert [(one.name, one.active) for one in models.listed()] == [("bundled", False), ("heard-1", True)]


def test_a_model_that_is_here_is_chosen_by_its_name(models: Models, tmp_path: Path) -> None:
    """And the bundled one by that word."""
    use(models, a_bundle(tmp_path / "out", "heard-1"))
    use(models, "bundled")
    use(models, "heard-1")

    assert models.choice().name == "heard-1"


def test_the_same_folder_twice_is_one_copy_and_another_model_of_that_name_a_second(
    models: Models, tmp_path: Path
) -> None:
    """No copy is ever written over: it may be the one that judges."""
    folder = a_bundle(tmp_path / "out", "heard-1")
    use(models, folder)
    use(models, folder)
    use(models, a_bundle(tmp_path / "other", "heard-1", weights="4, 5, 6"))

    assert [one.name for one in models.listed()] == ["bundled", "heard-1", "heard-1.2"]
    assert (models.place("heard-1") / "weights").read_text() == "1, 2, 3"
    assert models.choice().name == "heard-1.2"


@pytest.mark.parametrize("wanted", ["heard-9", "../shipped/none", "", ".incoming"])
def test_what_is_no_model_changes_nothing(models: Models, tmp_path: Path, wanted: str) -> None:
    """One sentence."""
    with pytest.raises(HeardError):
        use(models, wanted or tmp_path)

    assert models.choice() == Choice()
    assert not models.active.exists()


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".hidden", "", "bundled", "-n", "x" * 200])
def test_a_name_that_could_leave_the_folder_is_refused(models: Models, tmp_path: Path, name: str) -> None:
    """It comes out of a file that somebody may have handed over."""
    with pytest.raises(HeardError, match="cannot name a folder"):
        use(models, a_bundle(tmp_path / "out", name))

    assert not models.active.exists()


def test_a_model_that_is_worse_is_not_chosen_unless_somebody_insists(models: Models, tmp_path: Path) -> None:
    """It says what is worse; nothing of it is kept."""
    folder = a_bundle(tmp_path / "out", "heard-1")
    with pytest.raises(Worse, match="urgency of heard-1 is below that of heard-0") as refused:
        models.use(str(folder), by="Nina", at=NOON, worse_than=worse)

    assert len(refused.value.sentences) == 1
    assert not models.place("heard-1").exists()
    assert models.choice() == Choice()

    models.use(str(folder), by="Nina", at=NOON, worse_than=worse, anyway=True)
    assert models.choice().name == "heard-1"


def test_going_back_to_the_bundled_model_is_never_refused(models: Models, tmp_path: Path) -> None:
    """Whatever is worse about it."""
    use(models, a_bundle(tmp_path / "out", "heard-1"))

    assert models.use("bundled", by="Nina", at=NOON, worse_than=worse).name == "bundled"


def test_nothing_is_worse_than_a_model_that_cannot_judge(models: Models, tmp_path: Path) -> None:
    """Where the one in use is broken, nothing is compared."""
    use(models, a_bundle(tmp_path / "out", "heard-1"))
    shutil.rmtree(models.place("heard-1"))

    models.use(str(a_bundle(tmp_path / "next", "heard-2")), by="Nina", at=NOON, worse_than=worse)
    assert models.choice().name == "heard-2"


# ── going back ───────────────────────────────────────────────────────────────────────────────────


def test_undo_goes_back_and_once_more_forward(models: Models, tmp_path: Path) -> None:
    """To the model before, whichever it was."""
    use(models, a_bundle(tmp_path / "one", "heard-1"))
    use(models, a_bundle(tmp_path / "two", "heard-2"))
    names = [models.undo(by="Omar", at=NOON).name for _ in range(3)]

    assert names == ["heard-1", "heard-2", "heard-1"]
    assert models.choice().by == "Omar"


def test_choosing_the_same_again_keeps_the_way_back(models: Models, tmp_path: Path) -> None:
    """And is written, so that who could not use it tries again."""
    use(models, a_bundle(tmp_path / "one", "heard-1"))
    before = models.stamp()
    use(models, "heard-1")

    assert models.choice().previous == "bundled"
    assert models.stamp() != before


def test_there_is_nothing_to_undo_at_first(models: Models) -> None:
    """One sentence."""
    with pytest.raises(HeardError, match="no earlier choice"):
        models.undo(by="Nina", at=NOON)


def test_undo_never_goes_back_to_a_model_that_is_broken(models: Models, tmp_path: Path) -> None:
    """The one that judges stays."""
    use(models, a_bundle(tmp_path / "one", "heard-1"))
    use(models, a_bundle(tmp_path / "two", "heard-2"))
    shutil.rmtree(models.place("heard-1"))

    with pytest.raises(ModelUnavailable):
        models.undo(by="Nina", at=NOON)
    assert models.choice().name == "heard-2"


def test_every_choice_is_logged(models: Models, tmp_path: Path) -> None:
    """Who, when, what, in the place of what, and what was worse about it."""
    folder = a_bundle(tmp_path / "out", "heard-1")
    models.use(str(folder), by="Nina", at=NOON, worse_than=worse, anyway=True)
    models.undo(by="Omar", at=NOON)
    lines = [json.loads(line) for line in (models.folder / "log.jsonl").read_text().splitlines()]

    assert [(one["by"], one["how"], one["from"], one["to"]) for one in lines] == [
        ("Nina", "use --anyway", "bundled", "heard-1"),
        ("Omar", "undo", "heard-1", "bundled"),
    ]
    assert lines[0]["worse"] == ["urgency of heard-1 is below that of heard-0"]
    assert {one["at"] for one in lines} == {NOON.isoformat()}


# ── crashes and crowds ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dies", ["fsync", "replace"])
def test_a_crash_while_it_is_written_leaves_the_old_choice(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    """Before the new file is whole, and between that and its taking the old one's place."""
    use(models, a_bundle(tmp_path / "one", "heard-1"))
    use(models, "bundled")
    before = models.active.read_bytes()

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*((os, dies, crash) if dies == "fsync" else (Path, dies, crash)))
    with pytest.raises(KeyboardInterrupt):
        use(models, "heard-1")
    monkeypatch.undo()

    assert models.active.read_bytes() == before
    assert use(models, "heard-1").name == "heard-1"
    assert sorted(path.name for path in models.folder.iterdir() if path.suffix != ".jsonl") == [
        "active.json",
        "choosing.lock",
        "heard-1",
    ]


def test_a_crash_while_a_bundle_is_copied_leaves_no_model(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a copy has no name, and the next one begins anew."""
    folder = a_bundle(tmp_path / "one", "heard-1")
    (models.folder / ".incoming").mkdir(parents=True)
    (models.folder / ".incoming" / "rest").touch()
    use(models, folder)

    assert [one.name for one in models.listed()] == ["bundled", "heard-1"]
    assert not (models.place("heard-1") / "rest").exists()


def test_a_choice_that_cannot_be_read_is_mended_by_choosing(models: Models) -> None:
    """And says so until then."""
    models.folder.mkdir()
    for rubbish in ("{", "[]", "{}", '{"name": "../x", "previous": "bundled", "at": "", "by": ""}'):
        models.active.write_text(rubbish)
        with pytest.raises(HeardError, match="heard model use bundled"):
            models.choice()

    use(models, BUNDLED_NAME)
    assert models.choice().name == "bundled"


def test_many_who_choose_at_once_leave_one_whole_choice(models: Models, tmp_path: Path) -> None:
    """Whoever comes while another is choosing is told; nothing is mixed."""
    folders = [a_bundle(tmp_path / f"out-{n}", f"heard-{n}") for n in range(1, 7)]
    chosen, told = list[str](), list[str]()

    def choose(folder: Path) -> None:
        try:
            chosen.append(use(models, folder, by=folder.name).name)
        except HeardError as error:
            told.append(str(error))

    threads = [threading.Thread(target=choose, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(chosen) + len(told) == 6
    assert all("chooses a model already" in said for said in told)
    assert models.choice().name in chosen
    assert len((models.folder / "log.jsonl").read_text().splitlines()) == len(chosen)


# ── the commands and the doctor ──────────────────────────────────────────────────────────────────


def test_the_real_bundle_is_listed_chosen_and_left_again(heard: Command, home: Path, tmp_path: Path) -> None:
    """By the command line, with the files that ship."""
    shutil.copytree(BUNDLED, tmp_path / "mine")
    used = heard("model", "use", "mine")
    listed = json.loads(heard("model", "list", "--json").out)
    name = listed[1]["name"]

    assert used.code == 0
    assert "was not compared" in used.err
    assert [(one["name"], one["active"]) for one in listed] == [("bundled", False), (name, True)]
    assert f"* {name}" in heard("model", "list").out
    assert "bundled is chosen" in heard("model", "undo").out
    assert heard("model", "use", "bundled").code == 0
    assert json.loads((home / "models" / "active.json").read_text())["by"]


def test_a_folder_that_was_changed_is_refused(heard: Command, tmp_path: Path) -> None:
    """Its checksums say so, in one sentence."""
    shutil.copytree(BUNDLED, tmp_path / "mine")
    (tmp_path / "mine" / "config.json").write_text("{}")
    ended = heard("model", "use", "mine")

    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "checksum" in ended.err


def test_a_worse_model_needs_insistence(
    heard: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is worse is listed; code 1."""
    shutil.copytree(BUNDLED, tmp_path / "mine")
    monkeypatch.setattr(commands, "comparison", lambda _sets: lambda *_: ["intent: .70 instead of .77"])
    ended = heard("model", "use", "mine")

    assert ended.code == 1
    assert "  - intent: .70 instead of .77" in ended.err
    assert heard("model", "use", "mine", "--anyway").code == 0


def test_a_setting_that_outvotes_the_choice_is_named(heard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the choice would be made in vain."""
    monkeypatch.setenv("HEARD_CLASSIFIER__MODEL", "elsewhere")

    assert "HEARD_CLASSIFIER__MODEL names elsewhere" in heard("model", "use", "bundled").err


def test_the_doctor_says_which_model_judges_and_who_chose_it(home: Path, tmp_path: Path) -> None:
    """A chosen one that is broken is a note, not an end: the bundled one judges."""
    place = Place(load_settings(), home)
    models = Models(home / "models")
    shutil.copytree(BUNDLED, tmp_path / "mine")
    assert "checksums right" in for_models(place)[0].words

    name = use(models, tmp_path / "mine").name
    assert (for_models(place)[0].state, "chosen by Nina on 2026-11-03" in for_models(place)[0].words) == (
        "ok",
        True,
    )

    (models.place(name) / "config.json").unlink()
    broken = for_models(place)[0]
    assert (broken.state, "the bundled one judges instead" in broken.words) == ("warn", True)
    assert "heard model use bundled" in broken.fix
