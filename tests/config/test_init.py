"""The files of `heard init`: valid, commented, private where they must be, and never over what is there."""

import json
import stat
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from config.brand import BrandError, load_brand
from config.init import CannotWrite, slack_link, start_files
from config.settings import read_settings


def test_the_files_load(tmp_path: Path) -> None:
    """brand.yaml is right and without doubts, .env is read, and the knowledge is where brand.yaml says."""
    start_files(
        tmp_path,
        brand="Aurora Air",
        handles={"x": "auroraair", "mastodon": ["@auroraair@mastodon.social"]},
        languages=["en", "no"],
        timezone="Europe/Oslo",
        holidays=["NO"],
        slack_channel="#social-care",
        managers_channel="#social-leads",
    )
    brand = load_brand(tmp_path / "brand.yaml")
    assert brand.warnings == ()
    assert (brand.name, brand.languages, brand.timezone) == ("Aurora Air", ("en", "no"), "Europe/Oslo")
    assert brand.handles == {"x": ("auroraair",), "mastodon": ("auroraair@mastodon.social",)}
    assert brand.watch == ("aurora air",)
    assert brand.team.slack.managers == "#social-leads"
    assert brand.templates.is_file()
    assert [path.name for path in brand.knowledge.iterdir()] == ["KB-01-opening-hours.md"]
    loaded = read_settings(brand, environ={}, folder=tmp_path)
    assert loaded.warnings == ()
    assert loaded.settings.desk.token is not None


def test_a_name_is_enough(tmp_path: Path) -> None:
    """All other answers have defaults, and nothing is published by itself."""
    written = list(start_files(tmp_path / "new" / "place", brand='Café: #1 & "Sons"').written)
    brand = load_brand(tmp_path / "new" / "place" / "brand.yaml")
    assert brand.name == 'Café: #1 & "Sons"'
    assert not brand.automatic.enabled
    assert [path.name for path in written] == [
        "brand.yaml", ".env", "slack-manifest.json", "templates.yaml", "KB-01-opening-hours.md",
    ]  # fmt: skip


def test_the_comments_stay(tmp_path: Path) -> None:
    """Each part of brand.yaml still says what it is for."""
    start_files(tmp_path, brand="A", handles={"x": "a"}, timezone="Europe/Oslo")
    text = (tmp_path / "brand.yaml").read_text(encoding="utf-8")
    assert text.count("#") > 20
    assert "# nothing is published without a person until you say true" in text


def test_secrets_are_for_their_owner_only_and_differ(tmp_path: Path) -> None:
    """.env is private from its first byte, and its token is new each time."""
    for name in ("a", "b"):
        start_files(tmp_path / name, brand="A")
        assert stat.S_IMODE((tmp_path / name / ".env").stat().st_mode) == 0o600
    tokens = {
        token.get_secret_value()
        for name in ("a", "b")
        if (token := read_settings(environ={}, folder=tmp_path / name).settings.desk.token)
    }
    assert len(tokens) == 2
    assert all(len(token) >= 40 for token in tokens)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A second time writes nothing and says what it kept; a link is not followed."""
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "brand").mkdir()
    (tmp_path / "brand" / "templates.yaml").symlink_to(elsewhere)
    first = start_files(tmp_path / "brand", brand="A")
    before = {path: path.read_bytes() for path in first.written}
    again = start_files(tmp_path / "brand", brand="B")
    assert again.written == ()
    assert len(again.kept) == 5
    assert f"kept {tmp_path / 'brand' / '.env'}, which was there already" in again.sentences()
    assert {path: path.read_bytes() for path in first.written} == before
    assert not elsewhere.exists()


def test_an_example_has_no_place_among_real_articles(tmp_path: Path) -> None:
    """A folder of knowledge that is there already gets no example."""
    (tmp_path / "knowledge").mkdir()
    start_files(tmp_path, brand="A")
    assert not [*(tmp_path / "knowledge").iterdir()]


def test_a_wrong_answer_writes_nothing(tmp_path: Path) -> None:
    """An unknown time zone is said in a sentence, and no half of the files is left behind."""
    with pytest.raises(BrandError, match="there is no time zone"):
        start_files(tmp_path, brand="A", timezone="Europe/Olso")
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    """For example a file of that name."""
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="cannot be written"):
        start_files(tmp_path / "file" / "below", brand="A")


def test_the_manifest_makes_an_app_that_reads_no_channel(tmp_path: Path) -> None:
    """Its name fits Slack's 35 characters; five permissions, one of them to find a card of its own again."""
    start_files(tmp_path, brand="A brand with quite a long name of its own")
    text = (tmp_path / "slack-manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert len(manifest["display_information"]["name"]) <= 35
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    assert scopes == ["chat:write", "commands", "users:read", "channels:read", "channels:history"]
    assert slack_link(text).startswith("https://api.slack.com/apps?new_app=1&manifest_json=%7B")


def test_the_starter_texts_fit_their_limits(tmp_path: Path) -> None:
    """Every rule's template is there, acknowledgements disclose themselves, and none is too long."""
    start_files(tmp_path, brand="A")
    brand = load_brand(tmp_path / "brand.yaml")
    templates = YAML(typ="safe", pure=True).load(brand.templates.read_text(encoding="utf-8"))["templates"]
    assert {rule.template for rule in brand.rules() if rule.template} <= {text["id"] for text in templates}
    assert all(len(text["text"]) <= 200 for text in templates)
    assert all("{disclosure}" in text["text"] for text in templates if text["kind"] == "acknowledgement")
