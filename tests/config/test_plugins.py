"""A platform of one's own: begun by a command, right from the start, and at home wherever Heard's are."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.brand import DEFAULTS
from config.plugins import SKELETON, new_plugin
from config.usage import WrongUsage
from tests.config.conftest import Command

ROOT = Path(__file__).parents[2]
ABSENT = re.compile(
    r"has no stream|has no help against doubles|does not tell of deletions|is not on this machine"
)
"""Why a test of the contract may be left out: the platform cannot show it, or a corpus is elsewhere."""

Ran = subprocess.CompletedProcess[str]
Heard = Callable[..., Ran]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that was just begun."""
    folder = tmp_path_factory.mktemp("begun") / "package"
    new_plugin("lemmy", folder)
    return folder


def run(folder: Path, *command: str, **variables: str) -> Ran:
    """A command in another process, in a folder, without the settings of this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEARD_", "REDIS_"))}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


# ── one that was just begun ──────────────────────────────────────────────────────────────────────


def test_it_keeps_the_contract(begun: Path) -> None:
    """Every test passes, but those of what the platform cannot show."""
    ended = run(
        begun,
        *("pytest", "-p", "no:cacheprovider", "--import-mode=importlib", "-q"),
        PYTHONPATH=f"{ROOT}{os.pathsep}{begun}",
    )
    skipped = re.findall(r"^SKIPPED .*?: (.+)$", ended.stdout, re.MULTILINE)

    assert ended.returncode == 0, ended.stdout
    assert re.search(r"^[4-9]\d passed", ended.stdout, re.MULTILINE)
    assert [reason for reason in skipped if not ABSENT.search(reason)] == []


def test_it_is_typed(begun: Path) -> None:
    """Mypy finds nothing in it, as strict as it is with Heard."""
    ended = run(begun, "mypy", "--strict", "--cache-dir", os.devnull, MYPYPATH=str(ROOT))

    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("name", ["ap", "lemmy", "my_own_network"])
def test_it_is_tidy(name: str, tmp_path: Path) -> None:
    """The linter that it brings along finds nothing to say about it, however long the name."""
    new_plugin(name, tmp_path / name)
    for check in (("format", "--check"), ("check",)):
        ended = run(tmp_path / name, "ruff", *check, "--no-cache", ".")
        assert ended.returncode == 0, ended.stdout


def test_nothing_of_the_skeleton_is_left_open(begun: Path) -> None:
    """Every name is filled in, in the files and in their paths."""
    files = [path for path in begun.rglob("*") if path.is_file() and path.suffix in (".py", ".toml", ".md")]
    left = [path for path in files if re.search(r"\$[\w{]", path.read_text(encoding="utf-8"))]

    assert len(files) == len(list(SKELETON.rglob("*.tmpl")))
    assert left == []
    assert not any("NAME" in str(path.relative_to(begun)) for path in files)


# ── beginning one ────────────────────────────────────────────────────────────────────────────────


def test_a_platform_is_begun_beside_the_others(heard: Command, home: Path) -> None:
    """In a folder of its name, and every file is said."""
    ended = heard("plugins", "new", "lemmy")

    assert ended.code == 0
    assert "wrote heard-lemmy/heard_lemmy/platform.py" in ended.out
    assert (home.parent / "heard-lemmy" / "pyproject.toml").exists()


@pytest.mark.parametrize(
    "name", ["Lemmy", "1st", "my-net", "my__net", "class", "é", "", "a_", "../up", "ok\n"]
)
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    """A plain word in lower case, as it stands in variables, in modules and in brand.yaml."""
    with pytest.raises(WrongUsage, match="in lower case, such as lemmy"):
        new_plugin(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["x", "replay", "slack", "home", "json", "model_fields"])
def test_a_name_that_is_taken_is_refused(name: str, tmp_path: Path) -> None:
    """By a platform, by a setting, or by the library that reads brand.yaml."""
    with pytest.raises(WrongUsage, match=r"already|means something else"):
        new_plugin(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(heard: Command, tmp_path: Path) -> None:
    """A folder with something in it, or a file, stays as it is; an empty folder will do."""
    full, file, empty = tmp_path / "full", tmp_path / "file", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()
    for kept in (full / "README.md", file):
        kept.write_text("mine", encoding="utf-8")
    refused = [heard("plugins", "new", "lemmy", str(folder)) for folder in (full, file)]

    assert [ended.code for ended in refused] == [2, 2]
    assert all("is not empty; name another folder" in ended.err for ended in refused)
    assert [path.name for path in full.iterdir()] == ["README.md"]
    assert file.read_text(encoding="utf-8") == "mine"
    assert heard("plugins", "new", "lemmy", str(empty)).code == 0


# ── one that is installed ────────────────────────────────────────────────────────────────────────


def metadata(folder: Path, distribution: str, platform: str, entry: str) -> None:
    """What an installer leaves behind for a package."""
    info = folder / f"{distribution.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(parents=True)
    said = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.1.0\n"
    (info / "METADATA").write_text(said, encoding="utf-8")
    points = f"[heard.platforms]\n{platform} = {entry}\n"
    (info / "entry_points.txt").write_text(points, encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages: Lemmy, and one that breaks."""
    folder = tmp_path_factory.mktemp("site")
    new_plugin("lemmy", folder)
    shutil.rmtree(folder / "tests")
    metadata(folder, "heard-lemmy", "lemmy", "heard_lemmy.platform:connect")
    (folder / "broken.py").write_text("def connect(setup):\n    return 1 / 0\n", encoding="utf-8")
    metadata(folder, "heard-broken", "broken", "broken:connect")
    return folder


@pytest.fixture
def elsewhere(site: Path, tmp_path: Path) -> Heard:
    """Heard in a process that has the packages, with a brand file beside it."""
    shutil.copy(DEFAULTS / "templates.yaml", tmp_path / "templates.yaml")

    def heard(*arguments: str, brand: str = "{lemmy: {listen: true}}", **variables: str) -> Ran:
        text = f"brand: {{name: Aurora Air, handles: {{lemmy: auroraair}}}}\nplatforms: {brand}\n"
        (tmp_path / "brand.yaml").write_text(text, encoding="utf-8")
        given = {"HEARD_HOME": str(tmp_path), "PYTHONPATH": f"{ROOT}{os.pathsep}{site}", **variables}
        return run(tmp_path, "config.cli", *arguments, **given)

    return heard


def platform(ended: Ran, name: str) -> dict[str, Any]:
    listed: list[dict[str, Any]] = json.loads(ended.stdout)
    return next(one for one in listed if one["name"] == name)


def test_it_is_listed_with_what_it_can_do(elsewhere: Heard) -> None:
    """Its package, its use, and what it hears once its variable, which reaches it, is set."""
    lemmy = platform(elsewhere("plugins", "list", "--json", HEARD_LEMMY__TOKEN="t0k3n"), "lemmy")

    assert (lemmy["distribution"], lemmy["version"]) == ("heard-lemmy", "0.1.0")
    assert (lemmy["used"], lemmy["ready"], lemmy["hears"], lemmy["posts"]) == (True, True, ["posts"], True)


def test_it_says_what_it_lacks(elsewhere: Heard) -> None:
    """And what mends it, on a terminal as well."""
    ended = elsewhere("plugins", "list")

    assert ended.returncode == 0
    assert " ✘ lemmy          HEARD_LEMMY__TOKEN is not set (heard-lemmy 0.1.0, in use)" in ended.stdout
    assert "→ set HEARD_LEMMY__TOKEN, in .env or the environment" in ended.stdout
    assert "t0k3n" not in ended.stdout


def test_one_that_breaks_hides_no_other(elsewhere: Heard) -> None:
    """Its error is a sentence in its own line."""
    ended = elsewhere("plugins", "list", "--json")

    assert "ZeroDivisionError" in platform(ended, "broken")["why"]
    assert {"broken", "lemmy", "x", "bluesky"} <= {one["name"] for one in json.loads(ended.stdout)}


def test_brand_yaml_takes_it_and_explains_it(elsewhere: Heard) -> None:
    """Like a platform of Heard's own; a slip of the hand is told so, and the list still comes."""
    assert elsewhere("config", "check").returncode == 0
    assert "lemmy, by a plugin" in elsewhere("config", "explain", "platforms.lemmy").stdout

    slip = elsewhere("config", "check", brand="{lemy: {listen: true}}")
    assert slip.returncode == 1
    assert "did you mean `lemmy`?" in slip.stderr

    listed = elsewhere("plugins", "list", "--json", brand="{lemy: {listen: true}}")
    assert "did you mean `lemmy`?" in listed.stderr
    assert not platform(listed, "lemmy")["used"]


def test_the_list_touches_no_network(heard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with every account set: to look at what is installed is not to log in."""
    for variable in (
        *("X__BEARER_TOKEN", "X__API_KEY", "X__API_SECRET", "X__ACCESS_TOKEN", "X__ACCESS_TOKEN_SECRET"),
        *("REDDIT__CLIENT_ID", "REDDIT__CLIENT_SECRET", "REDDIT__REFRESH_TOKEN", "REDDIT__USER_AGENT"),
        *("BLUESKY__HANDLE", "BLUESKY__APP_PASSWORD", "MASTODON__ACCESS_TOKEN"),
    ):
        monkeypatch.setenv(f"HEARD_{variable}", "maya.example.com")
    monkeypatch.setenv("HEARD_MASTODON__URL", "https://mastodon.example")
    asked = list[object]()

    def refuse(*where: object, **_: object) -> None:
        asked.append(where)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    ended = heard("plugins", "list")

    assert ended.code == 0
    assert "✔ bluesky" in ended.out
    assert asked == []
