"""A model hub on this machine, as huggingface_hub's own client speaks to it.

Features: one model of files from a folder, revisions, refusals by error code, a record of what was fetched.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "refs/pr/1", "refs%2Fpr%2F1", COMMIT)


@dataclass(slots=True)
class ModelHub:
    """What the hub has, what it refuses with, and what was asked of it."""

    folder: Path
    name: str = "owner/tone"
    refuses: str = ""
    url: str = ""
    fetched: list[str] = field(default_factory=list)
    asked: int = 0

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        self.asked += 1
        path = path.partition("?")[0].lstrip("/")
        if self.refuses:
            status = 403 if self.refuses == "GatedRepo" else 401
            return status, {"X-Error-Code": self.refuses}, b"{}"
        for revision in REVISIONS:
            if path == f"api/models/{self.name}/revision/{revision}":
                return _json({"id": self.name, "modelId": self.name, "sha": COMMIT, "siblings": []})
            if path == f"api/models/{self.name}/tree/{revision}":
                return _json([_listed(file) for file in sorted(self.folder.iterdir())])
            if path.startswith(f"{self.name}/resolve/{revision}/"):
                return self._file(path.rpartition("/")[2])
        known = path.startswith((f"api/models/{self.name}/", f"{self.name}/"))
        return 404, {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"}, b"{}"

    def _file(self, name: str) -> tuple[int, dict[str, str], bytes]:
        body = (self.folder / name).read_bytes()
        self.fetched.append(name)
        return 200, {"ETag": f'"{_digest(body)}"', "X-Repo-Commit": COMMIT}, body


def _json(value: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _listed(file: Path) -> dict[str, object]:
    return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _digest(file.read_bytes())}


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:40]


@contextmanager
def serving(hub: ModelHub) -> Iterator[ModelHub]:
    """The hub, answering on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
