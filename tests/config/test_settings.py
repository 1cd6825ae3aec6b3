"""Settings: defaults < brand.yaml < environment < flags, secrets never shown, mistakes named by variable."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.brand import Brand, load_brand
from config.explain import explain
from config.settings import Settings, SettingsError, keys, load_settings, read_settings, value_of, variable

PLANTED = "s3cr3t-of-the-brand"


def settings(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    *,
    brand: Brand | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    return load_settings(brand, flags=flags, environ=environ or {}, folder=folder)


def wrong(folder: Path, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        settings(folder, environ, flags=flags)
    return str(caught.value)


@pytest.fixture
def brand(tmp_path: Path) -> Brand:
    path = tmp_path / "brand.yaml"
    path.write_text("brand: {name: A}\ndesk: {listen: 127.0.0.1:1111}\n", encoding="utf-8")
    return load_brand(path)


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    """Everything has a default; no secret has one."""
    made = settings(tmp_path)
    assert (made.home, made.desk.host, made.desk.port) == (Path(".heard"), "127.0.0.1", 8400)
    assert made.redis_url is None
    assert made.desk.token is None


def test_each_layer_wins_over_the_one_below(tmp_path: Path, brand: Brand) -> None:
    """Default, brand.yaml, .env, environment, flag: the last that says something is in force."""
    env = {"HEARD_DESK__LISTEN": "127.0.0.1:3333"}
    assert settings(tmp_path).desk.port == 8400
    assert settings(tmp_path, brand=brand).desk.port == 1111
    dotenv(tmp_path, "HEARD_DESK__LISTEN=127.0.0.1:2222\n")
    assert settings(tmp_path, brand=brand).desk.port == 2222
    assert settings(tmp_path, env, brand=brand).desk.port == 3333
    assert settings(tmp_path, env, brand=brand, flags={"desk.listen": "127.0.0.1:4444"}).desk.port == 4444


def test_a_flag_that_was_not_given_changes_nothing(tmp_path: Path) -> None:
    """None is how a command says so."""
    assert settings(tmp_path, flags={"desk.listen": None}).desk.port == 8400


def test_the_origin_of_each_setting_is_known(tmp_path: Path, brand: Brand) -> None:
    """For `config show --origin`."""
    dotenv(tmp_path, "HEARD_LOG__LEVEL=debug\n")
    loaded = read_settings(brand, environ={"REDIS_URL": "redis://h"}, folder=tmp_path, flags={"home": "x"})
    assert loaded.origin(("desk", "listen")) == "brand.yaml"
    assert loaded.origin(("log", "level")) == "HEARD_LOG__LEVEL in .env"
    assert loaded.origin(("redis_url",)) == "REDIS_URL"
    assert loaded.origin(("home",)) == "flag"
    assert loaded.origin(("log", "format")) == "default"


def test_redis_url_has_two_names(tmp_path: Path) -> None:
    """REDIS_URL is what others call it; Heard's own name wins."""
    env = {"REDIS_URL": "redis://shared", "HEARD_REDIS_URL": "redis://ours"}
    url = settings(tmp_path, env).redis_url
    assert url is not None
    assert url.get_secret_value() == "redis://ours"


def test_a_file_may_hold_the_secret(tmp_path: Path) -> None:
    """Docker and Kubernetes hand secrets out as files; the line end is not part of them."""
    (tmp_path / "secret").write_text(f"{PLANTED}\n", encoding="utf-8")
    token = settings(tmp_path, {"HEARD_SLACK__BOT_TOKEN_FILE": str(tmp_path / "secret")}).slack.bot_token
    assert token is not None
    assert token.get_secret_value() == PLANTED


@pytest.mark.parametrize("place", [".", ".heard"], ids=["beside", "inside"])
def test_dotenv_is_found_beside_the_data_and_in_it(tmp_path: Path, place: str) -> None:
    """With HEARD_HOME elsewhere, .env is read there, also when the current folder has one of its own."""
    data, here = tmp_path / "there", tmp_path / "here"
    (data / ".heard").mkdir(parents=True)
    here.mkdir()
    dotenv(data / place, "HEARD_LOG__LEVEL=error\nHEARD_LOG__FORMAT=json\n")
    dotenv(here, "SOMETHING_ELSE=1\nHEARD_LOG__FORMAT=pretty\n")
    log = settings(here, {"HEARD_HOME": str(data / ".heard")}).log
    assert (log.level, log.format) == ("error", "pretty")


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    """`HEARD_X__API_KEY=` is a line that waits to be filled in."""
    assert settings(tmp_path, {"HEARD_X__API_KEY": "", "HEARD_DESK__LISTEN": ""}).x.api_key is None


def test_secrets_never_show(tmp_path: Path) -> None:
    """Not in a repr, a text, a dump or an origin, for any setting that is a secret."""
    env = {
        variable(key): f"redis://:{PLANTED}@h" if key == ("redis_url",) else PLANTED for key in secret_keys()
    }
    loaded = read_settings(environ=env, folder=tmp_path)
    shown = f"{loaded.settings!r} {loaded.settings} {loaded.settings.model_dump()} {loaded.origins}"
    assert len(env) >= 12
    assert PLANTED not in shown
    assert PLANTED not in loaded.settings.model_dump_json()


def secret_keys() -> list[tuple[str, ...]]:
    words = ("token", "secret", "password", "key", "redis_url")
    return [key for key in keys() if key[-1].endswith(words)]


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"HEARD_CLASSIFIER__THREADS": "many"}, "HEARD_CLASSIFIER__THREADS: write a whole number"),
        (
            {"HEARD_LOG__LEVEL": "loud"},
            "HEARD_LOG__LEVEL: write one of debug, info, warning or error",
        ),
        (
            {"HEARD_DESK__LISTEN": "8400"},
            "HEARD_DESK__LISTEN: write an address and a port such as 127.0.0.1:8400",
        ),
        (
            {"HEARD_CLASSIFIER__HEADS__SENTIMENT__LABELS": "LABEL_0"},
            "HEARD_CLASSIFIER__HEADS__SENTIMENT__LABELS: write a label of the model and what it means, as "
            "LABEL_0=negative, LABEL_1=positive",
        ),
        (
            {"REDIS_URL": f"http://:{PLANTED}@host"},
            "REDIS_URL: write an address such as redis://127.0.0.1:6379/0",
        ),
        (
            {"HEARD_SLACK__BOT_TOKEN_FILE": "/nowhere"},
            "HEARD_SLACK__BOT_TOKEN_FILE: the file it names cannot be read: No such file or directory",
        ),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(
    tmp_path: Path, environ: Mapping[str, str], sentence: str
) -> None:
    """And never the value, as it may be a secret."""
    said = wrong(tmp_path, environ)
    assert said == sentence
    assert PLANTED not in said


def test_a_wrong_flag_is_named_as_it_was_typed(tmp_path: Path) -> None:
    """With its dashes."""
    assert wrong(tmp_path, {}, {"desk.listen": "x"}).startswith("--listen: write an address and a port")
    assert wrong(tmp_path, {}, {"desk.nothing": "x"}) == "--nothing: there is no such setting"


def test_variables_that_are_nearly_a_setting_are_doubted(tmp_path: Path) -> None:
    """A slip of the pen would silently do nothing; what Kubernetes sets for a service is left alone."""
    env = {
        "HEARD_SLACK__BOT_TOKN": "x",
        "HEARD_PORT": "tcp://10.0.0.1:8400",
        "HEARD_SERVICE_HOST": "10.0.0.1",
    }
    assert read_settings(environ=env, folder=tmp_path).warnings == (
        "HEARD_SLACK__BOT_TOKN: there is no such setting; did you mean HEARD_SLACK__BOT_TOKEN?",
    )


def test_models_for_single_heads_come_from_both_places(tmp_path: Path) -> None:
    """brand.yaml proposes a model and what its labels mean; a variable has the last word, line by line."""
    path = tmp_path / "brand.yaml"
    path.write_text(
        "brand: {name: A}\n"
        "classifier:\n  model: owner/tone\n"
        "  heads: {urgency: {model: owner/haste, labels: {P1: high, P9: low}}}\n",
        encoding="utf-8",
    )
    env = {
        "HEARD_CLASSIFIER__HEADS__URGENCY__REVISION": "v2",
        "HEARD_CLASSIFIER__HEADS__INTENT__MODEL": "./intents",
        "HEARD_CLASSIFIER__HEADS__INTENT__LABELS": "refund = complaint, a=b=other,",
    }
    loaded = read_settings(load_brand(path), environ=env, folder=tmp_path)
    heads = loaded.settings.classifier.heads
    assert loaded.settings.classifier.model == "owner/tone"
    assert (heads.urgency.model, heads.urgency.revision) == ("owner/haste", "v2")
    assert heads.urgency.labels == {"P1": "high", "P9": "low"}
    assert (heads.intent.model, heads.intent.labels) == ("./intents", {"refund": "complaint", "a=b": "other"})
    assert heads.sentiment.model == "bundled"
    assert loaded.origin(("classifier", "heads", "urgency", "labels")) == "brand.yaml"


def test_a_readable_dotenv_is_doubted(tmp_path: Path) -> None:
    """Keys are for their owner only."""
    dotenv(tmp_path, "HEARD_LOG__LEVEL=error\n").chmod(0o644)
    (warning,) = read_settings(environ={}, folder=tmp_path).warnings
    assert "chmod 600" in warning


def test_a_dotenv_that_is_no_text_is_said_in_a_sentence(tmp_path: Path) -> None:
    """As every file."""
    (tmp_path / ".env").write_bytes(b"\xff\xfe=\xff")
    assert wrong(tmp_path, {}).startswith(".env: ")


def test_every_setting_can_be_read_and_has_a_variable(tmp_path: Path) -> None:
    """The list of keys is the list of what there is."""
    made = settings(tmp_path)
    assert variable(("desk", "token")) == "HEARD_DESK__TOKEN"
    assert [value_of(made, key) for key in keys() if key[0] == "log"] == ["info", "auto"]


def test_each_setting_says_its_variable() -> None:
    """Below each key of the source stand its variable, its unit and the reason, so that a search finds it."""
    said = {key: explain(variable(key)).splitlines()[0] for key in keys()}
    assert [key for key, line in said.items() if variable(key) not in line or ": " not in line] == []


def dotenv(folder: Path, text: str) -> Path:
    path = folder / ".env"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
