"""Every address that this process connects to or looks up, as the interpreter itself reports it (PEP 578).

Features: records since it was last cleared; knows which of them are not this machine.
"""

import sys
from typing import Any

LOOPBACK = ("127.", "::1", "localhost")

_seen: list[str] = []


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = args[1]
        _seen.append(str(address[0]) if isinstance(address, tuple) else "unix")
    elif event == "socket.getaddrinfo":
        _seen.append(str(args[0].decode() if isinstance(args[0], bytes) else args[0]))


# An audit hook cannot be taken away again, so there is one for the process.
sys.addaudithook(_hear)


def clear() -> None:
    """Forget what was seen so far."""
    _seen.clear()


def strangers() -> list[str]:
    """The hosts seen that are not this machine."""
    return sorted({host for host in _seen if host != "unix" and not host.startswith(LOOPBACK)})
