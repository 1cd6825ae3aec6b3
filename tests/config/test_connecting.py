"""Connecting: each platform gets what is its own, and one that cannot be connected says what mends it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from casework.clock import ManualClock
from config.brand import Brand, load_brand
from config.connecting import Connections, access_to, connect, looking
from config.places import Place
from config.settings import plugin_access, read_settings
from platforms.limits import OwnBudget
from platforms.platform import Platform
from platforms.setup import NotConnected, Setup
from tests.fakes.platform import ScriptedPlatform

BRAND = """
schema: 1
brand:
  name: Aurora Air
  handles: {x: "@auroraair", bluesky: aurora.example}
  watch: [aurora air]
platforms:
  x: {listen: true, budget: {per_day: 5.00 USD}}
  bluesky: {listen: false}
  reddit: {listen: [r/travel, norway], approval_reference: case 7}
"""


@pytest.fixture
def brand(tmp_path: Path) -> Brand:
    path = tmp_path / "brand.yaml"
    path.write_text(BRAND)
    return load_brand(path)


def place(tmp_path: Path, environ: Mapping[str, str]) -> Place:
    return Place(read_settings(environ=environ, folder=tmp_path).settings, tmp_path)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> dict[str, Setup]:
    """What each platform was given; Reddit says that it cannot be used."""
    seen: dict[str, Setup] = {}

    def make(name: str) -> object:
        def connected(setup: Setup) -> Platform:
            seen[name] = setup
            if name == "reddit":
                raise NotConnected("HEARD_REDDIT__CLIENT_ID is not set", fix="set HEARD_REDDIT__CLIENT_ID")
            return ScriptedPlatform(clock, name=name, can_post=name == "x")

        return connected

    names = ("x", "bluesky", "reddit", "mastodon")
    monkeypatch.setattr("config.connecting.installed", lambda: {name: make(name) for name in names})
    return seen


def connected(brand: Brand, tmp_path: Path, clock: ManualClock, **environ: str) -> Connections:
    where = place(tmp_path, environ)
    return connect(brand, where, clock=clock, budget=OwnBudget(clock.now))


def test_only_what_the_brand_names_is_connected(
    given: dict[str, Setup], brand: Brand, tmp_path: Path, clock: ManualClock
) -> None:
    """And where no account may post, people post themselves."""
    connections = connected(brand, tmp_path, clock)

    assert set(given) == {"x", "bluesky", "reddit"}
    assert set(connections.platforms) == {"x", "bluesky"}
    assert connections.posting == {"x"}
    assert connections.missing["reddit"].fix == "set HEARD_REDDIT__CLIENT_ID"


def test_each_platform_gets_what_is_its_own(
    given: dict[str, Setup], brand: Brand, tmp_path: Path, clock: ManualClock
) -> None:
    """Its accounts, words, places, cap and secrets; nobody else's."""
    connected(
        brand, tmp_path, clock, HEARD_X__BEARER_TOKEN="secret-x", HEARD_X__API_URL="http://127.0.0.1:9/"
    )

    assert given["x"].handles == {"auroraair"}
    assert given["x"].words == ("aurora air",)
    assert given["x"].cents_per_day == 500
    assert given["x"].access == {"bearer_token": "secret-x", "api_url": "http://127.0.0.1:9"}
    assert given["bluesky"].access == {}
    assert not given["bluesky"].listen
    assert given["reddit"].places == ("travel", "norway")
    assert given["reddit"].approval == "case 7"
    assert given["x"].folder == tmp_path / "platforms" / "x"


def test_a_stream_that_costs_is_closed_unless_the_brand_opens_it(
    given: dict[str, Setup], brand: Brand, tmp_path: Path, clock: ManualClock
) -> None:
    """X charges for every post of it (X8)."""
    connected(brand, tmp_path, clock)

    assert not given["x"].stream
    assert given["bluesky"].stream


def test_secrets_do_not_show(
    given: dict[str, Setup], brand: Brand, tmp_path: Path, clock: ManualClock
) -> None:
    """Not even where everything that a platform was given is printed."""
    connected(brand, tmp_path, clock, HEARD_X__BEARER_TOKEN="secret-x")

    assert "secret-x" not in repr(given["x"])


@pytest.mark.parametrize(
    "address",
    [
        "http://api.example.com",
        "ftp://127.0.0.1",
        "https://user:pw@api.example.com",
        "https://",
        "api.example.com",
    ],
)
def test_an_address_that_would_show_the_token_is_refused(tmp_path: Path, address: str) -> None:
    """Only this machine is reached without TLS."""
    with pytest.raises(Exception, match="HEARD_X__API_URL"):
        place(tmp_path, {"HEARD_X__API_URL": address})


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "ws://localhost:9/subscribe", "https://x.test"])
def test_an_address_that_shows_nothing_is_taken(tmp_path: Path, address: str) -> None:
    """Loopback, or TLS."""
    assert access_to("x", place(tmp_path, {"HEARD_X__API_URL": address}).settings) == {"api_url": address}


def test_looking_needs_no_brand(given: dict[str, Setup], tmp_path: Path, clock: ManualClock) -> None:
    """A word is enough; the rules that ask for an approval still do."""
    where = place(tmp_path, {})
    looking("bluesky", ("lufthansa",), None, where, clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)

    assert given["bluesky"].words == ("lufthansa",)
    assert given["bluesky"].approval is None


def test_looking_at_a_platform_that_is_not_there_names_those_that_are(
    given: dict[str, Setup], tmp_path: Path, clock: ManualClock
) -> None:
    """In one plain sentence."""
    with pytest.raises(NotConnected, match="installed are bluesky, mastodon, reddit, x"):
        looking(
            "threads",
            ("a",),
            None,
            place(tmp_path, {}),
            clock=clock,
            budget=OwnBudget(clock.now),
            folder=tmp_path,
        )


def test_a_plugin_is_given_its_own_variables(tmp_path: Path) -> None:
    """From the environment, .env and mounted files."""
    (tmp_path / "token").write_text("from a file\n")
    (tmp_path / ".env").write_text("HEARD_LEMMY__USER=nina\nHEARD_X__BEARER_TOKEN=no\n")
    environ = {"HEARD_LEMMY__TOKEN_FILE": str(tmp_path / "token"), "HEARD_LEMMY__URL": "https://lemmy.test"}

    assert plugin_access("lemmy", environ=environ, folder=tmp_path) == {
        "user": "nina",
        "token": "from a file",
        "url": "https://lemmy.test",
    }
