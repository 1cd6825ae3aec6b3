"""The brand filter on Jetstream: events a second through it on one core, against merely parsing each."""

import gc
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import msgspec
import orjson

from platforms.bluesky import BATCH, Sieve, text_at
from platforms.platform import Heard
from platforms.words import Words

FRAMES = 24_000
MATCHING = 5_000
"""One frame in so many names the brand."""
ROUNDS = 7
WORDS = ("aurora air", "auroraair")
US = "did:plc:w4hx7eylz2nzvwy5ykcqcuew"
BUSIEST = 2_000
"""Events a second of the whole network, all kinds together: "sustained traffic of over 2,000 events per
second" (docs.bsky.app/blog/relay-ops, November 2024, the network's busiest month). Heard asks Jetstream
for posts alone, which are a part of it.
"""
TEXTS = (
    ("en", "third coffee and the build is still red, somebody tell me why i do this for a living"),
    ("en", "good morning to everyone except the person who scheduled a meeting at 8"),
    ("en", "the new season is so good, no spoilers but episode four made me cry on the train home"),
    ("ja", "今日はとても寒いですね。帰りに温かいラーメンを食べて、早めに寝ることにします。おやすみなさい"),
    ("ja", "新しい絵を描きました！いいねとリポストありがとうございます🎨"),
    ("pt", "bom dia! já são 7h e o primeiro café do dia não está resolvendo nada, preciso de férias ☕"),
    ("pt", "que saudade de ver um filme bom no cinema, faz uns dois anos que não vou 🎬"),
    ("en", "wrote a thing about sourdough & patience:\nhttps://bread.example.com/starter"),
    ("de", "Die Straßenbahn fällt schon wieder aus, großartig. Zu Fuß nach Hause bei minus drei Grad"),
    ("es", "no puedo creer que ya sea viernes, qué semana más larga. ¿Quién se apunta a unas cañas?"),
    ("ko", "오늘 날씨가 정말 좋네요. 산책하러 나가야겠어요"),
    ("fr", "je n'arrive pas à croire qu'il pleut encore, l'été est officiellement annulé"),
)
MENTIONS = (
    "aurora air lost my bag again, third time this year",
    "Has anyone flown Aurora Air lately? Is it any good?",
    "hey @auroraair.example.social where is flight AU412",
)


@dataclass(frozen=True, slots=True)
class JetstreamFigures:
    """Medians over the rounds, in events a second on one core."""

    filter: float
    parse: float
    parser: str
    without_look: float
    mean_bytes: float
    heard: int

    def text(self) -> str:
        """The figures, the ratios last."""
        return (
            f"brand filter           {self.filter:>9,.0f} events/s of {self.mean_bytes:.0f} bytes; "
            f"{self.heard} of {FRAMES:,} heard\n"
            f"parsing each           {self.parse:>9,.0f} events/s ({self.parser})   "
            f"ratio {self.filter / self.parse:.2f}\n"
            f"parsing and looking    {self.without_look:>9,.0f} events/s, with no look at the raw bytes   "
            f"ratio {self.filter / self.without_look:.2f}\n"
            f"the network's busiest  {BUSIEST:>9,.0f} events/s   "
            f"multiple {self.filter / BUSIEST:.0f} (bar 10)"
        )


def frames(count: int = FRAMES, *, seed: int = 7) -> list[bytes]:
    """Post events as Jetstream sends them: several languages, replies, pictures, links, deletions."""
    luck = random.Random(seed)
    return [_frame(number, luck) for number in range(count)]


def _frame(number: int, luck: random.Random) -> bytes:
    did, rkey = f"did:plc:{_letters(luck, 24)}", _letters(luck, 13)
    commit: dict[str, object] = {"rev": _letters(luck, 13), "operation": "create"}
    commit |= {"collection": "app.bsky.feed.post", "rkey": rkey}
    if luck.random() < 0.08:
        commit["operation"] = "delete"
    else:
        commit |= {"record": _record(number, luck), "cid": f"bafyrei{_letters(luck, 52)}"}
    event = {"did": did, "time_us": 1_732_000_000_000_000 + number * 500, "kind": "commit", "commit": commit}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).replace("&", "\\u0026").encode()


def _record(number: int, luck: random.Random) -> dict[str, object]:
    language, text = luck.choice(TEXTS)
    if number % MATCHING == MATCHING // 2:
        language, text = "en", luck.choice(MENTIONS)
    elif number % 50 == 0:
        # Unicode folds this letter to a plain one, so the filter has to let it through.
        text += " 1º"
    record: dict[str, object] = {"$type": "app.bsky.feed.post", "createdAt": "2024-11-19T07:06:40.123Z"}
    record |= {"langs": [language], "text": text}
    kind = luck.random()
    if kind < 0.45:
        record["reply"] = {end: _reference(luck) for end in ("parent", "root")}
    elif kind < 0.65:
        ref = {"$link": f"bafkrei{_letters(luck, 52)}"}
        picture = {"$type": "blob", "ref": ref, "mimeType": "image/jpeg", "size": luck.randrange(1_000_000)}
        image = {"alt": "", "aspectRatio": {"height": 1500, "width": 2000}, "image": picture}
        record["embed"] = {"$type": "app.bsky.embed.images", "images": [image]}
    elif kind < 0.8:
        address = f"https://news.example.com/{_letters(luck, 9)}?utm_source=bsky&id={number}"
        card = {"description": text, "title": text[:40], "uri": address}
        record["embed"] = {"$type": "app.bsky.embed.external", "external": card}
        feature = {"$type": "app.bsky.richtext.facet#link", "uri": address}
        record["facets"] = [{"features": [feature], "index": {"byteEnd": 40, "byteStart": 10}}]
    # Jetstream's encoder writes the fields in the order of their names.
    return dict(sorted(record.items()))


def _reference(luck: random.Random) -> dict[str, str]:
    uri = f"at://did:plc:{_letters(luck, 24)}/app.bsky.feed.post/{_letters(luck, 13)}"
    return {"cid": f"bafyrei{_letters(luck, 52)}", "uri": uri}


def _letters(luck: random.Random, count: int) -> str:
    return "".join(luck.choices("abcdefghijklmnopqrstuvwxyz234567", k=count))


def measure() -> JetstreamFigures:
    """Each way over the same frames, one after the other in every round."""
    recorded = frames()
    rates: dict[str, list[float]] = {"filter": [], "msgspec": [], "orjson": [], "without": []}
    heard = 0
    for _ in range(ROUNDS):
        sieve = Sieve(Words(WORDS), frozenset({US}))
        found, rate = _timed(partial(_sifted, sieve), recorded)
        heard = sum(isinstance(entry, Heard) for entry in found)
        rates["filter"].append(rate)
        rates["msgspec"].append(_timed(partial(_parsed, msgspec.json.decode), recorded)[1])
        rates["orjson"].append(_timed(partial(_parsed, orjson.loads), recorded)[1])
        looking = partial(_looked, Words(WORDS))
        rates["without"].append(_timed(partial(_parsed, looking), recorded)[1])
    medians = {name: median(several) for name, several in rates.items()}
    parser = max(("msgspec", "orjson"), key=lambda name: medians[name])
    mean_bytes = sum(map(len, recorded)) / len(recorded)
    return JetstreamFigures(medians["filter"], medians[parser], parser, medians["without"], mean_bytes, heard)


def _sifted(sieve: Sieve, recorded: Sequence[bytes]) -> list[object]:
    found: list[object] = []
    for first in range(0, len(recorded), BATCH):
        found += sieve.sift(recorded[first : first + BATCH])
    return found


def _looked(words: Words, frame: bytes) -> bool:
    return words.within(text_at(msgspec.json.decode(frame), "commit", "record", "text"))


def _parsed(parse: Callable[[bytes], object], recorded: Sequence[bytes]) -> list[object]:
    # One at a time, as frames come: keeping all of them would measure the memory.
    for frame in recorded:
        parse(frame)
    return []


def _timed(
    way: Callable[[Sequence[bytes]], list[object]], recorded: Sequence[bytes]
) -> tuple[list[object], float]:
    gc.collect()
    # The time of this process alone: what else runs on the machine says nothing about one core.
    started = time.process_time()
    found = way(recorded)
    return found, len(recorded) / (time.process_time() - started)


if __name__ == "__main__":
    print(measure().text())
