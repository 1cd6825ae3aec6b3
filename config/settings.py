"""The settings of this machine and its secrets: defaults < brand.yaml < environment < flags.

Every setting is a variable ``HEARD_…`` with ``__`` between the levels, in the environment or in a file
``.env`` (the environment wins). A variable with ``_FILE`` behind it names a file that holds the value, as
Docker and Kubernetes hand out secrets. What is said about people and promises belongs in brand.yaml.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from casework.errors import HeardError
from config.brand import Brand
from config.brand_file import HostPort

PREFIX = "HEARD_"

Key = tuple[str, ...]
"""The path to a setting, such as ``("desk", "token")``."""

Secret = Annotated[SecretStr, Field(min_length=1)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class SettingsError(HeardError):
    """A variable has a value that Heard cannot use; each line of the text names one."""


def _redis_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("write an address such as redis://127.0.0.1:6379/0")
    return url


def _at_home(path: Path) -> Path:
    return path.expanduser()


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("write an address such as https://api.example.com")
    if parts.scheme in ("http", "ws") and parts.hostname not in _LOOPBACK:
        # Whoever is on the way would read the token.
        raise ValueError(f"write {_SCHEMES[parts.scheme]}://: only this machine is reached without TLS")
    return url.rstrip("/")


_SCHEMES = {"https": "https", "http": "https", "wss": "wss", "ws": "wss"}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

WebAddress = Annotated[Text, AfterValidator(_web_address)]
RedisUrl = Annotated[Secret, AfterValidator(_redis_url)]
Place = Annotated[Path, AfterValidator(_at_home)]


class _Group(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class DeskSettings(_Group):
    """The web desk."""

    listen: HostPort = "127.0.0.1:8400"
    """HEARD_DESK__LISTEN: address:port. Only this machine reaches 127.0.0.1; the desk can publish."""
    token: Secret | None = None
    """HEARD_DESK__TOKEN: a secret. Opens the desk's API; without one Heard makes one, in desk-token."""

    @property
    def host(self) -> str:
        """The address without the port."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port without the address."""
        return int(self.listen.rpartition(":")[2])


class LogSettings(_Group):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """HEARD_LOG__LEVEL: debug to error. Info says what happened to each case without saying what was
    written.
    """
    format: Literal["auto", "pretty", "json"] = "auto"
    """HEARD_LOG__FORMAT: auto is pretty on a terminal and JSON elsewhere, as machines collect the latter."""


def _label_words(value: object) -> object:
    """``LABEL_0=negative, LABEL_1=neutral`` as a mapping; brand.yaml gives one already."""
    if not isinstance(value, str):
        return value
    pairs = [pair.rpartition("=") for pair in value.split(",") if pair.strip()]
    if not all(theirs.strip() and ours.strip() for theirs, _, ours in pairs):
        raise ValueError(
            "write a label of the model and what it means, as LABEL_0=negative, LABEL_1=positive"
        )
    return {theirs.strip(): ours.strip() for theirs, _, ours in pairs}


LabelWords = Annotated[dict[Text, Text], BeforeValidator(_label_words)]


class HeadSettings(_Group):
    """A model made elsewhere in the place of the bundled one, for one head."""

    model: Text = "bundled"
    revision: Text | None = None
    labels: LabelWords = {}


class SentimentSettings(HeadSettings):
    """The model that judges the sentiment."""

    model: Text = "bundled"
    """HEARD_CLASSIFIER__HEADS__SENTIMENT__MODEL: `bundled`, a name on the model hub, or a folder that
    transformers wrote. What judges how an author feels.
    """
    revision: Text | None = None
    """HEARD_CLASSIFIER__HEADS__SENTIMENT__REVISION: a branch, tag or commit of the name on the hub."""
    labels: LabelWords = {}
    """HEARD_CLASSIFIER__HEADS__SENTIMENT__LABELS: what the model's labels mean, as LABEL_0=negative,
    LABEL_1=neutral, LABEL_2=ignore. Names such as Positive need none.
    """


class IntentSettings(HeadSettings):
    """The model that judges the intent."""

    model: Text = "bundled"
    """HEARD_CLASSIFIER__HEADS__INTENT__MODEL: `bundled`, a name on the model hub, or a folder that
    transformers wrote. What judges what an author wants.
    """
    revision: Text | None = None
    """HEARD_CLASSIFIER__HEADS__INTENT__REVISION: a branch, tag or commit of the name on the hub."""
    labels: LabelWords = {}
    """HEARD_CLASSIFIER__HEADS__INTENT__LABELS: what the model's labels mean, as refund_request=complaint,
    greeting=other. Names such as Question need none.
    """


class UrgencySettings(HeadSettings):
    """The model that judges the urgency."""

    model: Text = "bundled"
    """HEARD_CLASSIFIER__HEADS__URGENCY__MODEL: `bundled`, a name on the model hub, or a folder that
    transformers wrote. What judges how soon to answer; word rules still raise it.
    """
    revision: Text | None = None
    """HEARD_CLASSIFIER__HEADS__URGENCY__REVISION: a branch, tag or commit of the name on the hub."""
    labels: LabelWords = {}
    """HEARD_CLASSIFIER__HEADS__URGENCY__LABELS: what the model's labels mean, as P1=high, P2=normal, P3=low.
    Names such as High need none.
    """


class HeadsSettings(_Group):
    """Models made elsewhere, by head."""

    sentiment: SentimentSettings = SentimentSettings()
    intent: IntentSettings = IntentSettings()
    urgency: UrgencySettings = UrgencySettings()


class ClassifierSettings(_Group):
    """The model."""

    threads: int = Field(default=1, ge=1, le=1024)
    """HEARD_CLASSIFIER__THREADS: threads of the model. Two workers of one thread beat one worker of two."""
    model: Text = "bundled"
    """HEARD_CLASSIFIER__MODEL: `bundled`, a folder that `heard train` wrote, or a name on the model hub or a
    folder of transformers: that model judges the head that its labels tell, the bundled one the others.
    """
    heads: HeadsSettings = HeadsSettings()


class XSettings(_Group):
    """Keys of the X developer app."""

    bearer_token: Secret | None = None
    """HEARD_X__BEARER_TOKEN: a secret. Reads mentions."""
    api_key: Secret | None = None
    """HEARD_X__API_KEY: a secret of the app (OAuth 1.0a: it does not expire, X15)."""
    api_secret: Secret | None = None
    """HEARD_X__API_SECRET: a secret of the app (OAuth 1.0a: it does not expire, X15)."""
    access_token: Secret | None = None
    """HEARD_X__ACCESS_TOKEN: a secret of the account that replies."""
    access_token_secret: Secret | None = None
    """HEARD_X__ACCESS_TOKEN_SECRET: a secret of the account that replies."""
    api_url: WebAddress | None = None
    """HEARD_X__API_URL: a web address. Where the API is, if not at https://api.x.com."""


class RedditSettings(_Group):
    """Keys of the Reddit app. Reddit must approve its use first (R1)."""

    client_id: Text | None = None
    """HEARD_REDDIT__CLIENT_ID: the app's id, as Reddit shows it."""
    client_secret: Secret | None = None
    """HEARD_REDDIT__CLIENT_SECRET: a secret of the app."""
    refresh_token: Secret | None = None
    """HEARD_REDDIT__REFRESH_TOKEN: a secret of the account that replies."""
    user_agent: Text | None = None
    """HEARD_REDDIT__USER_AGENT: a text. Reddit asks every app to say who it is and whom to write to."""
    api_url: WebAddress | None = None
    """HEARD_REDDIT__API_URL: a web address. Where the API is, if not at https://oauth.reddit.com."""
    auth_url: WebAddress | None = None
    """HEARD_REDDIT__AUTH_URL: a web address. Where logins are, if not at https://www.reddit.com."""


class BlueskySettings(_Group):
    """The Bluesky account. Listening needs none."""

    handle: Text | None = None
    """HEARD_BLUESKY__HANDLE: an account name. The account that replies."""
    app_password: Secret | None = None
    """HEARD_BLUESKY__APP_PASSWORD: a secret made for this app, never the account's own password."""
    service_url: WebAddress | None = None
    """HEARD_BLUESKY__SERVICE_URL: a web address. The account's server, if not https://bsky.social."""
    appview_url: WebAddress | None = None
    """HEARD_BLUESKY__APPVIEW_URL: a web address. Where posts are read without an account, if not at
    https://public.api.bsky.app.
    """
    jetstream_url: WebAddress | None = None
    """HEARD_BLUESKY__JETSTREAM_URL: a wss address. The stream of all posts, if not one of Bluesky's own."""


class MastodonSettings(_Group):
    """The Mastodon account."""

    url: WebAddress | None = None
    """HEARD_MASTODON__URL: a web address. The account's home server."""
    access_token: Secret | None = None
    """HEARD_MASTODON__ACCESS_TOKEN: a secret of the account that listens and replies."""


class SlackSettings(_Group):
    """The Slack app, made from slack-manifest.json."""

    bot_token: Secret | None = None
    """HEARD_SLACK__BOT_TOKEN: a secret, xoxb-… Posts the cards."""
    app_token: Secret | None = None
    """HEARD_SLACK__APP_TOKEN: a secret, xapp-… Opens the socket, so that no public address is needed."""
    signing_secret: Secret | None = None
    """HEARD_SLACK__SIGNING_SECRET: a secret. Only for receiving clicks by HTTP instead of the socket."""
    listen: HostPort | None = None
    """HEARD_SLACK__LISTEN: address:port. Where a proxy with TLS hands on Slack's requests to /slack/events;
    with the signing secret, and instead of the socket.
    """
    api_url: WebAddress | None = None
    """HEARD_SLACK__API_URL: a web address. Where the API is, if not at https://slack.com/api."""

    @property
    def base_url(self) -> str:
        """The address that the names of Slack's methods follow."""
        return f"{self.api_url or 'https://slack.com/api'}/"


class Settings(BaseSettings):
    """The settings in force. Secrets are `SecretStr`: they never show in a log, a repr or an error."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    home: Place = Path(".heard")
    """HEARD_HOME: a folder. Everything that Heard keeps on this machine, so that one folder is the backup."""
    config: Place | None = None
    """HEARD_CONFIG: a file. The brand's settings; brand.yaml in HEARD_HOME if not set."""
    redis_url: RedisUrl | None = None
    """REDIS_URL or HEARD_REDIS_URL: redis://… A server of your own; without one Heard runs its own. It may
    carry a password, so it is a secret.
    """

    desk: DeskSettings = DeskSettings()
    log: LogSettings = LogSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    x: XSettings = XSettings()
    reddit: RedditSettings = RedditSettings()
    bluesky: BlueskySettings = BlueskySettings()
    mastodon: MastodonSettings = MastodonSettings()
    slack: SlackSettings = SlackSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: `load_settings` reads the environment, ``.env`` and brand.yaml itself.

        pydantic-settings would read lists in variables as JSON, know no ``_FILE`` and show values in errors.
        """
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


class Loaded:
    """The settings in force, and where each came from: default, brand.yaml, a variable, .env or a flag.

    ``warnings`` are sentences about variables that look like settings and are none.
    """

    def __init__(self, settings: Settings, origins: Mapping[Key, str], warnings: Sequence[str]) -> None:
        self.settings = settings
        self.origins = dict(origins)
        self.warnings = tuple(warnings)

    def origin(self, key: Key) -> str:
        """Where the setting came from, in words."""
        return self.origins.get(key, "default")


def load_settings(
    brand: Brand | None = None,
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings in force; see `read_settings`."""
    return read_settings(brand, flags=flags, environ=environ, folder=folder).settings


def read_settings(
    brand: Brand | None = None,
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Loaded:
    """The settings in force with their origins.

    ``flags`` are by dotted key (``desk.listen``); one that is None was not given. ``.env`` is read from
    ``folder`` (the current one if None), beside HEARD_HOME and in it; the nearest has the last word.

    Raises:
        SettingsError: a variable has a value that cannot be used.
    """
    env = dict(os.environ if environ is None else environ)
    here = Path.cwd() if folder is None else folder
    dotenv, warnings = _dotenv(here, env)
    values: dict[Key, Any] = {}
    origins: dict[Key, str] = {}
    layers = (_of_brand(brand), _of_variables(dotenv, "in .env"), _of_variables(env, ""), _of_flags(flags))
    for key, value, origin in (setting for layer in layers for setting in layer):
        values[key], origins[key] = value, origin
    try:
        settings = Settings(**_nested(values))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise SettingsError("\n".join(_sentence(detail, origins) for detail in details)) from None
    return Loaded(settings, origins, [*warnings, *_unknown(env)])


def plugin_access(
    platform: str, *, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Mapping[str, str]:
    """What a plugin's platform is given: every ``HEARD_<PLATFORM>__<NAME>``, by name in lower case.

    Raises:
        SettingsError: a variable names a file that cannot be read.
    """
    env = dict(os.environ if environ is None else environ)
    dotenv, _ = _dotenv(Path.cwd() if folder is None else folder, env)
    prefix = f"{PREFIX}{platform.upper()}__"
    found: dict[str, str] = {}
    for name, value in {**dotenv, **env}.items():
        key = name.removeprefix(prefix).lower()
        if name.startswith(prefix) and value:
            plain = key.removesuffix("_file")
            found[plain] = _from_file(name, value) if key.endswith("_file") else value
    return found


def variable(key: Key) -> str:
    """The variable that sets it: ``HEARD_DESK__TOKEN``."""
    return PREFIX + "__".join(key).upper()


def keys() -> tuple[Key, ...]:
    """Every setting there is."""
    return tuple(_keys(Settings, ()))


def value_of(settings: Settings, key: Key) -> Any:
    """The value of one setting."""
    value: Any = settings
    for part in key:
        value = getattr(value, part)
    return value


# ── the layers ───────────────────────────────────────────────────────────────────────────────────

_Layer = Iterator[tuple[Key, Any, str]]


def _of_brand(brand: Brand | None) -> _Layer:
    if brand is None:
        return
    if "listen" in brand.desk.model_fields_set:
        yield ("desk", "listen"), brand.desk.listen, brand.source.name
    if "model" in brand.classifier.model_fields_set:
        yield ("classifier", "model"), brand.classifier.model, brand.source.name
    for head, part in brand.classifier.heads.named():
        for name in sorted(part.model_fields_set):
            yield ("classifier", "heads", head, name), getattr(part, name), brand.source.name


def _of_variables(env: Mapping[str, str], where: str) -> _Layer:
    for key in keys():
        for name in _names(key):
            if env.get(f"{name}_FILE"):
                yield key, _from_file(f"{name}_FILE", env[f"{name}_FILE"]), f"{name}_FILE {where}".strip()
            if env.get(name):
                yield key, env[name], f"{name} {where}".strip()


def _names(key: Key) -> tuple[str, ...]:
    # Later names win: Heard's own over the one that other programs share.
    return ("REDIS_URL", variable(key)) if key == ("redis_url",) else (variable(key),)


def _from_file(name: str, file: str) -> str:
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"{name}: the file it names cannot be read: {why}") from None
    if not text:
        raise SettingsError(f"{name}: the file it names is empty")
    return text


def _of_flags(flags: Mapping[str, Any] | None) -> _Layer:
    for dotted, value in (flags or {}).items():
        if value is not None:
            yield tuple(dotted.split(".")), value, "flag"


def _dotenv(here: Path, env: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What the files say, the nearest last: another project's ``.env`` must not hide Heard's own."""
    home = Path(env.get("HEARD_HOME") or ".heard").expanduser()
    home = home if home.is_absolute() else here / home
    values: dict[str, str] = {}
    warnings: list[str] = []
    for file in dict.fromkeys((home / ".env", home.parent / ".env", here / ".env")):
        if file.is_file():
            said = _dotenv_file(file)
            values |= said
            warnings += _unknown(said)
            # A file of another project is none of our business.
            if any(name.startswith(PREFIX) for name in said) and file.stat().st_mode & 0o077:
                warnings.append(f"{file} can be read by other users of this machine: chmod 600 {file}")
    return values, warnings


def _dotenv_file(file: Path) -> dict[str, str]:
    try:
        read = dotenv_values(file, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f".env: the file {file} cannot be read: {why}") from None
    return {name: value for name, value in read.items() if value}


def _unknown(env: Mapping[str, str]) -> list[str]:
    """Sentences about names that are nearly a setting's. Others may be Kubernetes' (HEARD_PORT)."""
    known = [name for key in keys() for name in _names(key)]
    taken = {*known, *(f"{name}_FILE" for name in known)}
    strangers = sorted(name for name in env if name.startswith(PREFIX) and name not in taken)
    near = ((name, get_close_matches(name, known, n=1, cutoff=0.85)) for name in strangers)
    return [f"{name}: there is no such setting; did you mean {close[0]}?" for name, close in near if close]


def _keys(model: type[BaseModel], above: Key) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            yield from _keys(group, (*above, name))
        else:
            yield (*above, name)


def _nested(values: Mapping[Key, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        group = nested
        for part in key[:-1]:
            group = group.setdefault(part, {})
        group[key[-1]] = value
    return nested


_PLAIN_SENTENCES: Mapping[str, str] = {
    "bool_parsing": "write true or false",
    "int_parsing": "write a whole number",
    "float_parsing": "write a number",
    "string_too_short": "write some text, or leave it out",
    "too_short": "write some text, or leave it out",
    "extra_forbidden": "there is no such setting",
}


def _sentence(detail: ErrorDetails, origins: Mapping[Key, str]) -> str:
    key = tuple(str(part) for part in detail["loc"])
    origin = origins.get(key, variable(key))
    name = f"--{key[-1].replace('_', '-')}" if origin == "flag" else origin
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return f"{name}: {context['error']}"
    if kind == "literal_error":
        return f"{name}: write one of {context['expected']}".replace("'", "")
    plain = _PLAIN_SENTENCES.get(kind, detail["msg"].replace("Input should be", "write a number"))
    return f"{name}: {plain[0].lower()}{plain[1:]}"
