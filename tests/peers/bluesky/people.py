"""People with accounts on a Bluesky network, who post by plain requests: nothing of Heard's is in between."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2

from tests.fakes.waiting import wait_until
from tests.peers.bluesky.network import Network

POST: Final = "app.bsky.feed.post"
PASSWORD: Final = "a password of theirs"
TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's account, by its id and handle, and what lets them write."""

    network: Network
    did: str
    handle: str
    token: str

    @classmethod
    def joins(cls, network: Network, name: str) -> "Person":
        """A new account, once the view knows of it: it takes the view a moment, and a login asks it."""
        handle = f"{name}.test"
        form = {"handle": handle, "email": f"{name}@example.test", "password": PASSWORD}
        made = tell(network, "com.atproto.server.createAccount", form)
        did = made["did"]
        wait_until(
            lambda: bool(ask(network.appview, "app.bsky.actor.getProfile", actor=did)), f"{handle} seen"
        )
        return cls(network, did, handle, made["accessJwt"])

    def app_password(self, name: str) -> str:
        """A password for a program, as people make one in their settings."""
        password: str = self._tells("com.atproto.server.createAppPassword", {"name": name})["password"]
        return password

    def says(
        self,
        text: str,
        *,
        to: "Person | None" = None,
        answering: str | None = None,
        slow_by: timedelta = timedelta(0),
    ) -> str:
        """A post; returns its address. ``to`` is mentioned in front, in the way in which the app does it.

        ``slow_by`` is how slow the clock of the author's phone is, which writes the time into the post.
        """
        record: dict[str, Any] = {"$type": POST, "text": text, "createdAt": _written(slow_by)}
        if to is not None:
            record["text"] = f"@{to.handle} {text}"
            mention = {"$type": "app.bsky.richtext.facet#mention", "did": to.did}
            index = {"byteStart": 0, "byteEnd": len(f"@{to.handle}".encode())}
            record["facets"] = [{"index": index, "features": [mention]}]
        if answering is not None:
            parent = self._record(answering)
            link = {"uri": parent["uri"], "cid": parent["cid"]}
            root = parent["value"].get("reply", {}).get("root", link)
            record["reply"] = {"root": root, "parent": link}
        repo = {"repo": self.did, "collection": POST}
        uri: str = self._tells("com.atproto.repo.createRecord", {**repo, "record": record})["uri"]
        return uri

    def edits(self, uri: str, text: str) -> None:
        """Write other words over a post, which the app has no button for and other programs have."""
        repo = {"repo": self.did, "collection": POST, "rkey": uri.rpartition("/")[2]}
        record = {**self._record(uri)["value"], "text": text}
        self._tells("com.atproto.repo.putRecord", {**repo, "record": record})

    def deletes(self, uri: str) -> None:
        """Take a post away."""
        repo = {"repo": self.did, "collection": POST}
        self._tells("com.atproto.repo.deleteRecord", {**repo, "rkey": uri.rpartition("/")[2]})

    def labels_itself_a_bot(self) -> None:
        """Say on the profile that this account is automatic, as Bluesky asks of bots."""
        labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "bot"}]}
        profile = {
            "$type": "app.bsky.actor.profile",
            "description": "Aurora Air, automatic",
            "labels": labels,
        }
        place = {"repo": self.did, "collection": "app.bsky.actor.profile", "rkey": "self"}
        self._tells("com.atproto.repo.putRecord", {**place, "record": profile})

    def leaves(self) -> None:
        """Deactivate the account, with everything that it wrote."""
        self._tells("com.atproto.server.deactivateAccount", {})

    def revokes(self, name: str) -> None:
        """Make an app password worthless, and the logins that were made with it."""
        self._tells("com.atproto.server.revokeAppPassword", {"name": name})

    def answers(self, uri: str) -> list[dict[str, Any]]:
        """This account's replies to a post, from its own records."""
        repo = {"repo": self.did, "collection": POST, "limit": "100"}
        listed = ask(self.network.pds, "com.atproto.repo.listRecords", **repo)
        return [
            r for r in listed["records"] if r["value"].get("reply", {}).get("parent", {}).get("uri") == uri
        ]

    def _record(self, uri: str) -> dict[str, Any]:
        """A record, wherever on the network it is."""
        did, collection, rkey = uri.removeprefix("at://").split("/")
        return ask(self.network.pds, "com.atproto.repo.getRecord", repo=did, collection=collection, rkey=rkey)

    def _tells(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        return tell(self.network, method, body, token=self.token)


def shown(network: Network, uri: str) -> str:
    """A post's words as everybody sees them; none while the view has not got it."""
    seen = ask(network.appview, "app.bsky.feed.getPosts", uris=uri)
    return "".join(post["record"]["text"] for post in seen.get("posts", ()))


def thread(network: Network, uri: str) -> list[dict[str, Any]]:
    """The replies under a post as everybody sees them; none while the view has not got the post."""
    seen = ask(network.appview, "app.bsky.feed.getPostThread", uri=uri)
    return [reply["post"] for reply in seen.get("thread", {}).get("replies", ())]


def ask(server: str, method: str, **query: str) -> dict[str, Any]:
    """What a server answers; empty when it knows nothing of what was asked for."""
    answer = httpx2.get(f"{server}/xrpc/{method}", params=query, timeout=TIMEOUT_S)
    found: dict[str, Any] = answer.json() if answer.is_success else {}
    return found


def tell(network: Network, method: str, body: dict[str, Any], *, token: str = "") -> dict[str, Any]:
    """Have the accounts' server do something; returns its answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx2.post(f"{network.pds}/xrpc/{method}", json=body, headers=headers, timeout=TIMEOUT_S)
    assert answer.is_success, f"{method}: {answer.text}"
    done: dict[str, Any] = answer.json() if answer.content else {}
    return done


def _written(slow_by: timedelta) -> str:
    """The time as the app writes it: in milliseconds."""
    return (datetime.now(UTC) - slow_by).isoformat(timespec="milliseconds").replace("+00:00", "Z")
