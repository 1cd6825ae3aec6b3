"""What is logged: what happened to which case, never what anybody wrote and never a secret.

People at a terminal read lines, machines read JSON. Both go to standard error, and JSON also to a file that
does not grow for ever, so that ``heard doctor`` has something to look at.
"""

import logging
import logging.handlers
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor

FILE_BYTES = 5_000_000
"""Bytes of one log file: opens in any editor."""

FILES_KEPT = 5
"""Older files that are kept beside the present one."""

HIDDEN_FIELDS = frozenset(
    {
        "authorization", "body", "content", "cookie", "draft", "excerpt", "password", "post", "quote",
        "reply", "secret", "text", "token",
    }
)  # fmt: skip
"""Fields that are dropped, also where such a word is the last of a field's name (``bot_token``)."""

_SECRETS = re.compile(
    r"""
      xox[a-z0-9]?(?:\.xox[a-z])?-[\w-]+             # Slack bot, user and configuration tokens
    | xapp-[\w-]+                                    # Slack app tokens
    | (?<=[Bb]earer[ ])[\w.~+/%=-]{8,}                # authorization headers
    | (?<=[Bb]asic[ ])[\w+/=-]{8,}
    | (?<=://)[^\s/:@]*:[^\s/@]+(?=@)                # user and password in addresses
    | (?<=[?&]token=)[^\s&#]+
    | (?<=(?:token|ecret)[=:])[^\s&#,;"']+
    | \beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?            # web tokens
    """,
    re.VERBOSE,
)
_MASK = "•••"
_DEEPEST = 6


CHATTY: Final = (
    "watchfiles",  # a log that lies in the watched folder would be told of itself, for ever
    "httpx",  # every request with its address: whom we looked up is nobody's business
    "httpcore",
    "httpx2",
    "prawcore",  # at its lowest level, the words of replies
    "mastodon",
    "tweepy",
    "slack_bolt",
    "slack_sdk",
    "websockets",
    "uvicorn.error",
)
"""Loggers of libraries that say at their lower levels what no log of ours may hold, or far too much."""

ONLY_ERRORS: Final = ("apscheduler",)
"""Its warnings are of rings that never came, one a second while the store is silent; the next mends it."""


def nowhere() -> TextIO:
    """A stream that keeps nothing: for commands whose output is what was asked, and nothing else."""
    return Path(os.devnull).open("w", encoding="utf-8")


def set_up_logs(
    home: Path | None, *, level: str = "info", style: str = "auto", stream: TextIO | None = None
) -> None:
    """Log to ``stream`` (standard error if None) and, under ``home``, to ``logs/heard.log``.

    ``style`` is ``pretty``, ``json``, or ``auto`` for pretty on a terminal. What libraries log through
    the standard module passes through the same filter.
    """
    out = stream or sys.stderr
    pretty = style == "pretty" or (style == "auto" and out.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    console = logging.StreamHandler(out)
    console.setFormatter(_formatter(_pretty(out) if pretty else _json()))
    handlers: list[logging.Handler] = [console]
    if home is not None:
        handlers.append(_file(home / "logs"))
    root = logging.getLogger()
    for old in [*root.handlers]:
        if getattr(old, "heard", False):
            root.removeHandler(old)
            old.close()
    for handler in handlers:
        vars(handler)["heard"] = True
        root.addHandler(handler)
    root.setLevel(level.upper())
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ONLY_ERRORS:
        logging.getLogger(name).setLevel(logging.ERROR)


def mask(text: str) -> str:
    """The text with everything in it that looks like a secret masked."""
    return _SECRETS.sub(_MASK, text)


def hide_private(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Drop fields that hold what people wrote or secrets, and mask what looks like a secret elsewhere."""
    return {key: _safe(value, 0) for key, value in event.items() if not _hidden(key)}


def _hidden(key: object) -> bool:
    words = str(key).lower().replace("-", "_").split("_")
    return words[-1] in HIDDEN_FIELDS or words[-1].removesuffix("s") in HIDDEN_FIELDS


def _safe(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return mask(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth > _DEEPEST:
        return _MASK
    if isinstance(value, Mapping):
        return {mask(str(key)): _safe(item, depth + 1) for key, item in value.items() if not _hidden(key)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(item, depth + 1) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        # A mention or a case would bring its text along.
        return type(value).__name__
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return mask(str(value))


def _shared() -> tuple[Processor, ...]:
    return (
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    )


def _formatter(last: tuple[Processor, ...]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        # Records of other libraries have not been through structlog's own chain.
        foreign_pre_chain=[structlog.contextvars.merge_contextvars, *_shared()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _json() -> tuple[Processor, ...]:
    return (
        structlog.processors.format_exc_info,
        hide_private,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    )


def _pretty(out: TextIO) -> tuple[Processor, ...]:
    console = structlog.dev.ConsoleRenderer(
        colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="at"
    )
    return structlog.processors.format_exc_info, hide_private, _one_line, console


def _one_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # Nothing that a stranger wrote may move the cursor or start a line that looks like ours (T8).
    def plain(value: Any) -> Any:
        return "".join(c if c.isprintable() else "·" for c in value) if isinstance(value, str) else value

    return {key: value if key == "exception" else plain(value) for key, value in event.items()}


def _file(folder: Path) -> logging.Handler:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "heard.log"
    path.touch(mode=0o600)
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True
    )
    handler.setFormatter(_formatter(_json()))
    return handler
