"""What would have differed, on a terminal and as JSON: case by case, in sum, and in answers an hour.

No post text: cases are named by their ids, drafts by what they rest on.
"""

import math
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from config.outcomes import Action, Decision, Due, Outcome, Outcomes, Staffing
from config.whatif import Difference, WhatIf

NOTHING = "Nothing would differ."
NO_STAFFING = Staffing({}, 0.0)


def rendered(found: WhatIf) -> str:
    """Everything on a terminal."""
    if found.nothing:
        return "\n".join([*_notes(found), NOTHING])
    zone = found.before.timezone
    lines = [line for difference in found.differences for line in _case(found, difference, ZoneInfo(zone))]
    lines += ["", *_sums(found), "", *_staffing(found), "", *_notes(found), f"Times are those of {zone}."]
    return "\n".join(lines).lstrip("\n")


def as_json(found: WhatIf) -> dict[str, object]:
    """Everything as plain values for JSON; instants are UTC, hours those on the brand's wall."""
    before, after = found.before, found.after
    return {
        "differs": not found.nothing,
        "assumed": found.assumed,
        "compared": len(_compared(found)),
        "without_words": len(found.past.wordless),
        "left_out": found.past.unjudged,
        "cases": [_case_as_json(found, difference) for difference in found.differences],
        "sums": {"before": _sums_as_json(before), "after": _sums_as_json(after)},
        "staffing": {"before": _staffing_as_json(before), "after": _staffing_as_json(after)},
    }


# ── case by case ─────────────────────────────────────────────────────────────────────────────────


def _case(found: WhatIf, difference: Difference, zone: ZoneInfo) -> Iterator[str]:
    before, after = difference.decisions
    case_id = found.past.case_ids.get(difference.mention, "")
    yield f"{case_id}  {difference.mention}".strip() + f"  {_of_decision(before, after)}"
    for name, was, would_be in difference.promises:
        yield f"    {name:<14} {_due(was, zone)} → {_due(would_be, zone)}"


def _of_decision(before: Decision | None, after: Decision | None) -> str:
    if before == after:
        return f"rule {after.rule}, {after.said}" if after else "–"
    said = f"rule {_changed(_rule(before), _rule(after))}, {_changed(_said(before), _said(after))}"
    if before is None or after is None or (before.rule, before.said) != (after.rule, after.said):
        return said
    return f"{said}, {_but(before, after)}"


def _but(before: Decision, after: Decision) -> str:
    """What differs under the same rule and action."""
    if before.to != after.to:
        return f"to {_changed(before.to or 'nobody', after.to or 'nobody')}"
    if before.sources != after.sources:
        return f"from {_changed(', '.join(before.sources) or '–', ', '.join(after.sources) or '–')}"
    return "in other words"


def _rule(decision: Decision | None) -> str:
    return (decision.rule or "–") if decision else "–"


def _said(decision: Decision | None) -> str:
    return decision.said if decision else "no case of its own"


def _due(due: Due | None, zone: ZoneInfo) -> str:
    return f"due {due.due_at.astimezone(zone):%m-%d %H:%M} {due.kept}" if due else "not promised"


def _case_as_json(found: WhatIf, difference: Difference) -> dict[str, object]:
    return {
        "mention": difference.mention,
        "case": found.past.case_ids.get(difference.mention),
        "without_words": difference.mention in found.past.wordless,
        "before": _outcome_as_json(difference.before),
        "after": _outcome_as_json(difference.after),
    }


def _outcome_as_json(outcome: Outcome | None) -> dict[str, object] | None:
    if outcome is None:
        return None
    return {
        "decisions": [
            {
                "action": one.action,
                "rule": one.rule,
                "reply": one.way,
                "to": one.to,
                "sources": one.sources,
                "why": one.why,
            }
            for one in outcome.decisions
        ],
        "promises": [
            {"name": due.name, "due": due.due_at.isoformat(), "outcome": due.kept} for due in outcome.promises
        ],
    }


# ── in sum ───────────────────────────────────────────────────────────────────────────────────────


def _sums(found: WhatIf) -> Iterator[str]:
    before, after = found.before, found.after
    differ = len(found.differences)
    yield f"{differ} of {len(_compared(found))} cases would differ"
    yield f"{'decisions, promises':<24} {'before':>7} {'after':>7}"
    for action in Action:
        was, would_be = before.actions[action], after.actions[action]
        if was or would_be:
            yield _row(action, str(was), str(would_be))
    for name in _names(before.promises, after.promises):
        was_kept, would_be_kept = before.promises.get(name, {}), after.promises.get(name, {})
        for state in ("kept", "broken", "open"):
            if was_kept.get(state) or would_be_kept.get(state) or state == "broken":
                counts = (str(kept.get(state, "–")) for kept in (was_kept, would_be_kept))
                yield _row(f"{name}, {state}", *counts)


def _row(what: str, was: str, would_be: str) -> str:
    return f"{what:<24} {was:>7} {would_be:>7}" + ("" if was == would_be else "  *")


def _names(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return list(dict.fromkeys([*before, *after]))


def _sums_as_json(outcomes: Outcomes) -> dict[str, object]:
    return {
        **{action.replace(" ", "_"): n for action, n in outcomes.actions.items()},
        "promises": outcomes.promises,
    }


def _compared(found: WhatIf) -> set[str]:
    """The mentions that opened a case under either policy."""
    return {
        key
        for side in (found.before, found.after)
        for key, case in side.cases.items()
        if not case.passed_over
    }


# ── answers an hour ──────────────────────────────────────────────────────────────────────────────


def _staffing(found: WhatIf) -> Iterator[str]:
    before, after = found.before.staffing, found.after.staffing
    names = _names(before, after)
    sides = {name: (before.get(name, NO_STAFFING), after.get(name, NO_STAFFING)) for name in names}
    yield "Answers that people must give in each hour to break no promise, on the day that asks for most"
    yield "hour  " + "".join(f"  {name:>18}" for name in names)
    hours = sorted({hour for pair in sides.values() for side in pair for hour in side.by_hour})
    for hour in hours:
        rates = ((was.by_hour.get(hour, 0.0), would.by_hour.get(hour, 0.0)) for was, would in sides.values())
        yield f"{hour:02d}-{(hour + 1) % 24:02d} " + "".join(
            f"  {_changed(*map(_rate, pair)):>18}" for pair in rates
        )
    yield "peak  " + "".join(
        f"  {_changed(_rate(was.peak), _rate(would.peak)):>18}" for was, would in sides.values()
    )
    yield "peak: answers an hour in the most hurried stretch; always at this rate, nothing is ever late"


def _changed(was: str, would_be: str) -> str:
    return was if was == would_be else f"{was} → {would_be}"


def _rate(per_hour: float) -> str:
    """One decimal, rounded up: a little less would be late."""
    return f"{rounded(per_hour):g}" if per_hour else "·"


def rounded(per_hour: float) -> float:
    """A rate that is never lower than it must be, but for the noise of its last digits."""
    return math.ceil(round(per_hour * 10, 6)) / 10


def _staffing_as_json(outcomes: Outcomes) -> dict[str, object]:
    return {
        name: {
            "by_hour": {f"{hour:02d}": rounded(rate) for hour, rate in need.by_hour.items()},
            "peak": rounded(need.peak),
        }
        for name, need in outcomes.staffing.items()
    }


def _notes(found: WhatIf) -> Iterator[str]:
    yield found.assumed
    if gone := len(found.past.wordless):
        posts = "1 post has lost its" if gone == 1 else f"{gone} posts have lost their"
        yield f"{posts} words: compared by the labels alone."
    if out := found.past.unjudged:
        were, are = ("1 case was", "is") if out == 1 else (f"{out} cases were", "are")
        yield f"{were} erased or never judged, and {are} left out."
