"""Gathers what the desk's decisions teach out of the store, and writes it to a file that people ask for.

The rows exist nowhere but in the cases (see `casework.feedback`): what is forgotten or deleted there is in
no row that is gathered afterwards. A file that was exported is a copy, and its owner's to delete.
"""

import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from casework.case import Case
from casework.errors import HeardError
from casework.feedback import Kind, LabelledRow, LearningTerms, LeftOut, lessons, rows_of
from config.brand import Brand
from config.places import own_brand
from config.readers import stored
from platforms.rules import no_learning, said
from streams.case_store import READ_AT_ONCE, CaseStore

if TYPE_CHECKING:
    from classifier.labelled import LabelledRow as Labelled

ONLY_OWNER: Final = 0o600


@dataclass(frozen=True, slots=True)
class Gathered:
    """The rows, the oldest decision first, and how many decisions gave none, by the reason in words."""

    rows: tuple[LabelledRow, ...]
    left_out: Mapping[str, int]

    def sentences(self) -> tuple[str, ...]:
        """``3 left out: …``, the most frequent reason first."""
        counted = sorted(self.left_out.items(), key=lambda item: (-item[1], item[0]))
        return tuple(f"{count} left out: {why}" for why, count in counted)

    def outcome(self, path: Path) -> str:
        """How many rows of which kind are in the file."""
        if not self.rows:
            return f"No rows, so {path} was not written."
        kinds = Counter(row.kind for row in self.rows)
        said = ", ".join(f"{kinds[kind]} {kind}{'' if kinds[kind] == 1 else 's'}" for kind in Kind)
        return f"{len(self.rows)} row{'' if len(self.rows) == 1 else 's'} in {path}: {said}."


def learning_terms(brand: Brand) -> LearningTerms:
    """Under which terms the brand learns: its own word, and every platform's rules."""
    return LearningTerms(brand=brand.name, keep=brand.learning.keep, against=_against)


def _against(platform: str) -> str:
    objection = no_learning(platform)
    return said(objection) if objection else ""


async def gather(cases: CaseStore, terms: LearningTerms) -> Gathered:
    """Every row that the store's cases give under these terms."""
    rows, left_out = list[LabelledRow](), Counter[str]()
    async for some in _chunks(cases):
        for case, timeline in zip(some, await cases.timelines([case.id for case in some]), strict=True):
            if not lessons(case, timeline):
                continue
            opted_out = await cases.opted_out(case.platform, case.author.id)
            for found in rows_of(case, timeline, terms, opted_out=opted_out):
                if isinstance(found, LeftOut):
                    left_out[found.why] += 1
                else:
                    rows.append(found)
    return Gathered(tuple(sorted(rows, key=lambda row: (row.at, row.text))), left_out)


async def _chunks(cases: CaseStore) -> AsyncIterator[Sequence[Case]]:
    some = list[Case]()
    async for case in cases.every():
        some.append(case)
        if len(some) == READ_AT_ONCE:
            yield some
            some = []
    yield some


async def gather_here(config: Path | None = None) -> Gathered:
    """Every row that this place's own store gives under its brand's terms."""
    terms = learning_terms(own_brand(config))
    async with stored() as store:
        return await gather(CaseStore(store), terms)


def labelled(rows: Sequence[LabelledRow]) -> list["Labelled"]:
    """The rows as the classifier measures itself on them and learns from them."""
    from classifier.examples import HEADS
    from classifier.labelled import LabelledRow as Labelled
    from classifier.labelled import learnable

    return [
        Labelled(
            row.text,
            row.source,
            {
                "sentiment": HEADS["sentiment"].index(row.labels.sentiment),
                "intent": HEADS["intent"].index(row.labels.intent),
                "urgency": HEADS["urgency"].index(learnable(row.labels.urgency)),
            },
            row.brand,
        )
        for row in rows
    ]


# ── a file ───────────────────────────────────────────────────────────────────────────────────────


def row_as_json(row: LabelledRow) -> dict[str, str]:
    """One row as `heard evaluate FILE` reads it."""
    return {
        "text": row.text,
        "sentiment": row.labels.sentiment,
        "intent": row.labels.intent,
        "urgency": row.labels.urgency,
        "source": row.source,
        "brand": row.brand,
        "kind": row.kind,
    }


async def export(path: Path, config: Path | None = None) -> Gathered:
    """Gather and write JSON Lines; without a row no file is made.

    Raises:
        HeardError: the file is there already: nothing is ever written over.
    """
    _refuse_to_write_over(path)
    gathered = await gather_here(config)
    if gathered.rows:
        write_rows(path, gathered.rows)
    return gathered


def _refuse_to_write_over(path: Path) -> None:
    """Sooner than after a walk through the whole store."""
    if path.exists():
        raise _there_already(path)


def write_rows(path: Path, rows: Sequence[LabelledRow]) -> None:
    """Write a new file, readable by its owner only.

    It is written under its own name: what a crash leaves of people's words is where its owner looks, and
    the next export refuses to go on over it.

    Raises:
        HeardError: the file is there already.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, ONLY_OWNER)
    except FileExistsError:
        raise _there_already(path) from None
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor)
        file.writelines(json.dumps(row_as_json(row), ensure_ascii=False) + "\n" for row in rows)


def _there_already(path: Path) -> HeardError:
    return HeardError(f"{path} is there already: name a new file, nothing is written over")
