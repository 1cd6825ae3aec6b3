"""Which model judges what: as brand.yaml says, as the doctor tells, and as `heard classify` does."""

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from config.brand import BrandError, load_brand
from config.checks import Check
from config.judging import examine_models
from config.models import Models
from config.settings import ClassifierSettings, load_settings
from tests.config.conftest import Command
from tests.fakes.model_hub import COMMIT
from tests.fakes.tiny_models import changed, save_bert

BRAND = "brand: {name: A}\n"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose labels are known by name."""
    return save_bert(tmp_path_factory.mktemp("tone"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no hub that could be asked."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def chosen(folder: Path, classifier: str) -> ClassifierSettings:
    """The settings of a brand.yaml with this section."""
    path = folder / "brand.yaml"
    path.write_text(f"{BRAND}classifier: {classifier}\n", encoding="utf-8")
    return load_settings(load_brand(path), environ={}, folder=folder).classifier


def examined(settings: ClassifierSettings) -> list[Check]:
    """What the doctor says where nobody chose another model."""
    return examine_models(settings, Models(Path("/nowhere/models")))


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_the_bundled_model_judges_everything(tmp_path: Path) -> None:
    """One line."""
    (line,) = examined(chosen(tmp_path, "{model: bundled}"))
    assert (line.name, line.state) == ("model", "ok")
    assert "checksums right: judges sentiment, intent, urgency" in line.words


@pytest.mark.parametrize("section", ["{{model: {0}}}", "{{heads: {{sentiment: {{model: {0}}}}}}}"])
def test_the_doctor_says_which_model_judges_what(tmp_path: Path, made: Path, section: str) -> None:
    """And where it is."""
    lines = by_name(examined(chosen(tmp_path, section.format(made))))
    assert lines["model"].words.endswith("judges intent, urgency")
    assert (lines["sentiment"].state, f"in {made}" in lines["sentiment"].words) == ("ok", True)


def test_the_doctor_says_what_a_model_never_says(tmp_path: Path, made: Path) -> None:
    """Two labels cannot tell three things apart."""
    folder = Path(shutil.copytree(made, tmp_path / "two"))
    changed(folder, id2label={"0": "NEGATIVE", "1": "POSITIVE"})
    lines = by_name(examined(chosen(tmp_path, f"{{model: {folder}}}")))
    assert lines["sentiment"].words.endswith(", never neutral")


def test_the_doctor_says_whether_a_model_is_in_the_cache(
    tmp_path: Path, cache: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absent and offline is bad, absent is a download to come, there is well."""
    settings = chosen(tmp_path, "{heads: {sentiment: {model: owner/tone}}}")
    offline = by_name(examined(settings))["sentiment"]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    absent = by_name(examined(settings))["sentiment"]
    repository = cache / "models--owner--tone"
    shutil.copytree(made, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    there = by_name(examined(settings))["sentiment"]

    assert (offline.state, absent.state, there.state) == ("bad", "warn", "ok")
    assert "HF_HUB_OFFLINE" in offline.words
    assert "the next start fetches it" in absent.words
    assert there.words == f"owner/tone@{COMMIT[:8]}, in the cache {cache}"


def test_the_doctor_names_what_is_wrong(tmp_path: Path, made: Path) -> None:
    """A model that is not there, labels that fit nothing, two models for one head, our own folder spoilt."""
    missing = by_name(examined(chosen(tmp_path, "{heads: {intent: {model: /no/where}}}")))
    assert (missing["intent"].state, "no folder" in missing["intent"].words) == ("bad", True)
    misfit = by_name(examined(chosen(tmp_path, f"{{heads: {{urgency: {{model: {made}}}}}}}")))
    assert "the urgency has low, normal, high, critical" in misfit["urgency"].words
    twice = examined(chosen(tmp_path, f"{{model: {made}, heads: {{sentiment: {{model: {made}}}}}}}"))
    assert any(line.state == "bad" and "keep one of them" in line.words for line in twice)
    (spoilt,) = examined(chosen(tmp_path, "{model: /no/where}"))
    assert (spoilt.state, "/no/where" in spoilt.words) == ("bad", True)


def test_a_slip_in_the_map_names_its_line(tmp_path: Path) -> None:
    """Before anything starts."""
    with pytest.raises(BrandError) as wrong:
        chosen(tmp_path, "{heads: {sentiment: {model: owner/tone, labels: {LABEL_0: negativ}}}}")
    assert "brand.yaml:2: classifier › heads › sentiment › labels › LABEL_0" in str(wrong.value)
    assert "did you mean `negative`?" in str(wrong.value)


def test_classify_judges_by_the_models_of_the_brand(
    heard: Command, home: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data on standard output, who judges on standard error; a variable puts the bundled one back."""
    heard("init", "--brand", "Aurora")
    path = home / "brand.yaml"
    section = f"  heads:\n    sentiment: {{model: {made}}}\n"
    path.write_text(path.read_text() + section, encoding="utf-8")
    ended = heard("classify", "--json", "the order is bad")
    monkeypatch.setenv("HEARD_CLASSIFIER__HEADS__SENTIMENT__MODEL", "bundled")
    bundled = heard("classify", "--json", "the order is bad")

    assert (ended.code, bundled.code, bundled.err) == (0, 0, "")
    assert ended.err.startswith(f"sentiment is judged by {made.name}@")
    judged = json.loads(ended.out)
    assert f"sentiment: {made.name}@" in str(judged)
    assert made.name not in bundled.out


def test_a_model_that_cannot_be_had_is_one_sentence(heard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code 1, and what to do."""
    monkeypatch.setenv("HEARD_CLASSIFIER__MODEL", "owner/tone")
    ended = heard("classify", "hello")

    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "owner/tone is not in" in ended.err
