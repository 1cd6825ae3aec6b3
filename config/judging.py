"""Which models judge: chosen by the settings, and looked at by the doctor."""

from dataclasses import replace

from casework.errors import HeardError
from classifier.choice import Choice, Replaced, fitted, replaced_heads
from classifier.labels import HEADS, Head
from classifier.others import BUNDLED_NAME, Found, Wanted, cache_folder, is_offline, look
from config.checks import Check
from config.models import Models, verified_name
from config.settings import ClassifierSettings, HeadSettings


def choice_of(settings: ClassifierSettings) -> Choice:
    """The models that the settings choose."""
    by_head: dict[Head, HeadSettings] = {
        "sentiment": settings.heads.sentiment,
        "intent": settings.heads.intent,
        "urgency": settings.heads.urgency,
    }
    return Choice(
        model=settings.model,
        heads={
            head: Wanted(part.model, part.revision, part.labels)
            for head, part in by_head.items()
            if part.model != BUNDLED_NAME
        },
    )


def examine_models(settings: ClassifierSettings, models: Models) -> list[Check]:
    """Which model judges which head, where it is, and what is wrong. Nothing is fetched, nothing is run."""
    choice = choice_of(settings)
    others = [_other(head, wanted) for head, wanted in choice.wanted]
    base = _named(choice) if choice.names_a_folder else _chosen(models)
    if base.state != "bad":
        base = replace(base, words=f"{base.words}: {_part({head for head, _ in others if head})}")
    checks = [base, *(check for _, check in others)]
    if all(check.state == "ok" for check in checks):
        try:
            replaced_heads(choice, _here)
        except HeardError as error:
            checks.append(Check("model", "bad", str(error), "mend classifier in brand.yaml"))
    return checks


def _part(replaced: set[Head]) -> str:
    judges = ", ".join(head for head in HEADS if head not in replaced)
    return f"judges {judges}" if judges else "gives topics, language and vectors"


def _named(choice: Choice) -> Check:
    """The folder that the settings name."""
    try:
        return Check("model", "ok", f"{verified_name(choice.base)}, checksums right")
    except HeardError as error:
        return Check("model", "bad", str(error), "name another folder in classifier.model, or none")


def _chosen(models: Models) -> Check:
    """The model that somebody chose, or the bundled one."""
    try:
        bundled = verified_name(models.bundled)
    except HeardError as error:
        return Check("model", "bad", str(error), "git checkout -- classifier/bundled, or make train")
    try:
        chosen = models.choice()
        if chosen.name == BUNDLED_NAME:
            return Check("model", "ok", f"{bundled}, checksums right")
        name = verified_name(models.place(chosen.name))
    except HeardError as error:
        words = f"the chosen model cannot be used, the bundled one judges instead: {error}"
        return Check("model", "warn", words, "heard model use bundled, or choose another: heard model list")
    return Check("model", "ok", f"{name}, checksums right, chosen by {chosen.by} on {chosen.at[:10]}")


def _other(head: Head | None, wanted: Wanted) -> tuple[Head | None, Check]:
    try:
        found = look(wanted)
        if found is None:
            return head, _absent(head, wanted)
        replaced = fitted(found, head)
    except HeardError as error:
        return head, Check(head or "model", "bad", str(error), "mend classifier in brand.yaml")
    return replaced.labels.head, Check(replaced.labels.head, "ok", _words(replaced))


def _absent(head: Head | None, wanted: Wanted) -> Check:
    missing = f"{wanted} is not in the cache {cache_folder()}"
    if is_offline():
        return Check(head or "model", "bad", f"{missing}, and HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE")
    return Check(head or "model", "warn", f"{missing}: the next start fetches it", "heard classify hello")


def _words(replaced: Replaced) -> str:
    labels = replaced.labels
    never = [label for label in HEADS[labels.head] if label not in labels.ours]
    silent = f", never {' or '.join(never)}" if never else ""
    return f"{replaced.found.name}, {replaced.found.where}{silent}"


def _here(wanted: Wanted) -> Found:
    found = look(wanted)
    if found is None:
        raise HeardError(f"{wanted} is not on this machine")
    return found
