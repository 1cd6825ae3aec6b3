"""Finds posts that speak to the machine which reads them, by reviewed word rules: people decide on those.

No text can make Heard do anything: labels are a closed set, replies are reviewed wording. But a post can be
written so that the model takes a complaint for small talk, and whoever writes "ignore all previous
instructions" is trying. The rules here need not catch every attempt; what is calm as a whole and not in each
of its parts is in doubt without them (`parts`). They read the text in its readable form, and every gap in
them is bounded, as in `topics`.
"""

import re
from functools import lru_cache
from typing import Final

_OVERRULE = r"(?:ignore|disregard|forget|override|bypass|discard|overrule)"
_EARLIER = r"(?:previous|prior|above|preceding|earlier|existing|original|initial|foregoing|other)"
_ORDERS = (
    r"(?:instructions?|prompts?|directives?|guidelines?|rules|commands?|programming|restrictions?|training)"
)
_ALL = r"(?:(?:all|any|every|each|the|your|of|these|those|my) ){0,4}"
_MACHINE = (
    r"(?:ai|a\.i\.|llm|gpt|chatgpt|(?:large )?language model|chat ?bot|bot"
    r"|assistant(?! manager| coach)|model)"
)
_REPLY = r"(?:answer|response|reply|output)"
_AT_THE_START = r"(?:^|@(?:user|support) |[.!?;:>\])\"'] ?|[,-] |\b(?:now|please|then|btw|just) )"
_LABEL = r"(?:low|normal|none|neutral|positive|praise|other|zero|0)"

_SPEAKING: Final = (
    # Forget what you were told.
    rf"\b{_OVERRULE} {_ALL}{_EARLIER} (?:\w{{1,15}} ){{0,2}}{_ORDERS}\b",
    rf"\b{_OVERRULE} (?:all|any|your|all your|all of your|all the|any of the) (?:instructions?"
    rf"|prompts?|programming)\b",
    rf"{_AT_THE_START}{_OVERRULE} (?:all )?(?:of )?your (?:rules|guidelines|training|restrictions)\b",
    rf"\b{_OVERRULE} {_ALL}{_ORDERS} (?:you (?:got|were|have|had|received)|above|before)\b",
    rf"\b{_OVERRULE} (?:everything|all|what(?:ever)?) (?:that )?(?:you(?: have|'ve)? (?:learn"
    rf"|been told|been taught"
    r"|were told|were taught))",
    rf"\b{_OVERRULE} (?:the )?(?:above|foregoing)(?: text)?(?:\.|,|;|:)? (?:and |then "
    rf"|now )?(?:instead|say|reply"
    r"|respond|answer|print|output|write|classify|label|repeat|do)\b",
    # You are somebody else now.
    rf"\byou(?: are|'re) (?:now |going to (?:be|act|pretend"
    rf"|play) ){{1,2}}(?:an? )?(?:\w{{1,15}} ){{0,3}}{_MACHINE}\b",
    r"\byou(?: are|'re) now (?:dan|in (?:\w{1,15} ){0,2}mode)\b|\byou(?: are|'re) an? (?:\w{1,15} ){0,3}"
    r"(?:ai|llm|language model|chatbot)\b",
    r"\byou(?: are|'re) (?:now )?going to (?:pretend|act as|play the role|simulate)\b"
    r"|\bpretend(?:ing)? to be dan\b",
    rf"{_AT_THE_START}(?:act|behave|respond|answer|reply|pose) as (?:if you (?:are|were) )?(?:an? )?"
    rf"(?:\w{{1,15}} ){{0,3}}(?:{_MACHINE}|terminal|console|interpreter|dan|pirate|hacker)\b",
    r"\bi want you to (?:act as|pretend|play the|role-?play|simulate|behave as|become|only)\b",
    rf"{_AT_THE_START}pretend (?:to be|that you are|that you're|you are|you're)\b",
    r"\bfrom now on,? you(?: are|'re| will(?: be)?| must| have to| will have to"
    r"| are going to)? (?:going to )?"
    r"(?:an?|act|answer|respond|pretend|speak as|behave)\b",
    r"\bstands? for \W{0,2}do anything now|\b(?:dan|developer|jailbreak|god|debug|maintenance|admin) mode "
    r"(?:enabled|on|activated|output|response|engaged)\b|\bstay in character\b|\b(?:break"
    r"|breaking) character\b",
    # Show what you were told.
    r"\bsystem[ _-]?prompt\b|\bprompt injection\b|\byour (?:initial|original|hidden|secret|system|starting) "
    r"(?:prompt|instructions|configuration|message)\b|\byour system (?:prompt|message|instructions)\b",
    r"\b(?:reveal|print|repeat|output|leak|display|dump) (?:me )?(?:all )?(?:of )?(?:your|the) "
    r"(?:\w{1,15} ){0,2}(?:prompt|instructions|configuration|api key)\b",
    r"\binstructions (?:that )?you were (?:given|told)\b|\bwere you told before this conversation\b"
    r"|\bi was instructed to\b|\boutput initiali[sz]ation string\b",
    r"\b(?:repeat|output|print|translate) (?:back )?(?:everything|the (?:text|words|conversation)"
    r"|this (?:entire )?"
    r"conversation|all (?:of )?the text)(?: \w{1,15})? (?:above|before this|back to me)\b",
    r"\brepeat after me\b|\brepeat the (?:above|(?:word|phrase|sentence) \S{1,20} (?:forever|\d|for|over))",
    r"\b(?:print|reveal|leak|show me|output) (?:me )?your (?:\w{1,15} )?(?:tokens?|api keys?"
    r"|secrets?|credentials)\b",
    # Say it so.
    rf"{_AT_THE_START}(?:respond|reply|answer|output|say|print|write|return)(?: to (?:this|me|everything))? "
    r"(?:with )?(?:only|exactly|nothing but|solely|verbatim)\b",
    rf"{_AT_THE_START}(?:only|always) (?:respond|reply|answer|output) (?:with|in|as)\b",
    rf"\b(?:start|begin|end|finish|prefix) (?:all )?(?:of )?your (?:\w{{1,12}} )?{_REPLY}s? with\b",
    rf"\byour (?:\w{{1,12}} )?{_REPLY}s? (?:must|should|has to|have to|will|shall) (?:only |always |not )?"
    r"(?:start|begin|contain|consist|include the|be in (?:json|base64|hex|the form))",
    rf"\b(?:encode|encrypt|rot13|base64|write|give|provide) (?:all )?your (?:entire |whole )?{_REPLY}s?\b",
    rf"\b{_REPLY} in (?:base ?64|rot13|json|hex|leetspeak|pig latin|morse)\b|\bcaesar cipher\b"
    rf"|\bsubstitution cipher\b",
    r"\btranslate the (?:following|text above|above)\b|\b(?:decode|execute|run) (?:this|the following) "
    r"(?:base64|text|string|instructions?|prompt|command)\b",
    # Label it so.
    rf"\b(?:classify|label|categori[sz]e|tag|mark|rate|triage|treat|judge|score) (?:this|it|me"
    rf"|the following|my|that) "
    rf"(?:\w{{1,12}} ){{0,2}}as (?:an? )?(?:being )?(?:{_LABEL}|not urgent|small talk|chatter|spam|safe)\b",
    rf"\b(?:set|change|lower|make) (?:the |its |my )?(?:urgency|sentiment|intent|label|priority"
    rf"|classification) "
    rf"?(?:to|=|as|:) ?[\"']?{_LABEL}\b",
    rf"\b(?:urgency|sentiment|intent|label|needs?[_ ]reply|escalate|topics?|classification)(?: is"
    rf"| ?[=:]{{1,2}}) ?"
    rf"[\"'\[]?(?:{_LABEL}|false|null|\])",
    r"\b(?:do not|don't|never|no need to) (?:escalate|flag|triage) (?:this|it|me)\b"
    r"|\bno escalation (?:is )?(?:needed"
    r"|required)\b",
    r"\bapprove (?:all|the|any|every|this) (?:pending )?(?:drafts?|repl(?:y|ies)|answers?)\b",
    rf"\b(?:note|message|instructions?|attention) (?:to|for) (?:the |any |all )?(?:{_MACHINE}"
    rf"|classifier|moderator bot)s?\b",
    r"\badmin(?:istrator)? override\b|\bas a large language model\b|\bas an ai\b",
    # The marks that part one speaker from another in what a model is given.
    r"</?(?:system|user|assistant|human|instructions?|prompt|post|tweet|message|context|s|data"
    r"|im_start|im_end)>",
    r"<\|[\w ]{1,20}\|>|\[/?inst\]|<</?sys>>|\[(?:system|assistant|gpt|dan)\]",
    r"#{2,6} ?(?:instructions?|response|system|human|user|assistant|input|new task)\b",
    r"\b(?:end|begin|start) of (?:the )?(?:system )?(?:prompt|instructions|user input|untrusted)\b",
    r"(?:^|[.!?>\]\"'] ?|@(?:user|support) )(?:(?-i:SYSTEM|USER|ASSISTANT|ADMIN|HUMAN)|assistant) ?:",
)
# Nothing that a person wrote to be read by people.
_BLOB = re.compile(
    r"(?<![\w+/=])(?=[a-z0-9+/]{0,80}[A-Z])(?=[A-Z0-9+/]{0,80}[a-z])[A-Za-z0-9+/]{36,}={0,2}(?![\w+/])"
)
_BLOB_HAS = re.compile(r"[0-9+/=]")
# Letters of two alphabets in one word look like one word to people and like another to the model.
_TWO_ALPHABETS = re.compile(r"[A-Za-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][A-Za-z]")


def speaks_to_the_machine(read: str) -> bool:
    """Whether a text in its readable form gives orders to, or is disguised for, the machine that reads it."""
    return _compiled().search(read) is not None or _is_disguised(read)


def _is_disguised(read: str) -> bool:
    blob = any(_BLOB_HAS.search(found.group()) for found in _BLOB.finditer(read))
    return blob or _TWO_ALPHABETS.search(read) is not None


@lru_cache(maxsize=1)
def _compiled() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in _SPEAKING), re.IGNORECASE)
