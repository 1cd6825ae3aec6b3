"""Judges posts by a short list of words: what a team without a model would write in an afternoon.

It is a baseline. The measurements show the model beside it, because a model that does not beat it is not
worth its while. The lists follow the labelling guide and were looked at on brandgold's training rows, never
on rows that are measured.
"""

import re
from collections.abc import Mapping

from casework.classification import Intent, Sentiment, Urgency

_GOOD = (
    r"love[sd]?|lovely|loving|like[sd]?|enjoy\w{0,4}|favou?rite",
    r"great|good|best|better|nice|cool|sweet|beautiful",
    r"amazing|awesome|excellent|fantastic|perfect|brilliant|incredible|wow|yay|fun|funny|hilarious|well done",
    r"thanks?|thx|happy|glad|proud|blessed|excit\w{2,5}|can't wait|cant wait|cannot wait|looking forward",
    r"win(?:s|ning)?|won|congrat\w{0,10}|recommend\w{0,2}|impress\w{2,4}|hope",
    r"\w{0,30}heart\w{0,20}|smiling_face\w{0,30}|\w{0,30}tears_of_joy|thumbs_up|party_popper|clapping_hands",
    r":-?\)|:d|<3|;-?\)",
)
_BAD = (
    r"hate[sd]?|bad|worst|worse|awful|terrible|horrible|poor|useless|pathetic|ridiculous|stupid|rude|lazy",
    r"disappoint\w{2,4}|annoy\w{2,3}|frustrat\w{2,3}",
    r"disgust\w{2,3}|angry|unhappy|upset|sad|sadly|unacceptable",
    r"fuck\w{0,3}|shit\w{0,2}|wtf|damn|crap\w{0,2}|suck(?:s|ed)?",
    r"ugh|sick of|tired of|fed up|joke|trash|garbage",
    r"fail(?:s|ed|ing|ure)?|broken|broke|wrong|crash\w{0,3}",
    r"waste[ds]?|scam\w{0,3}|stolen|liars?|lie[sd]?|ignor\w{2,3}",
    r"still (?:not|no|waiting|haven't|havent|can't|cant)|nobody",
    r"no one|kill\w{0,3}|dead|death|attack\w{0,3}|racist|shame",
    r"terror\w{0,5}|pouting_face|angry_face|\w{0,30}symbols_on_mouth",
    r"\w{0,10}crying_face|thumbs_down|:-?\(|:-?/",
)
_NOT = r"(?:not|no|never|\w{2,6}n't|isnt|wasnt|dont|doesnt|didnt|cant|wont)"

_CANNOT = r"(?:can't|cant|cannot|can not|unable to|couldn't|couldnt|won't let me|wont let me)"
_NOT_YET = r"(?:haven't|havent|hasn't|hasnt|didn't|didnt|not|never)"

# The first that fits, in the order of the labelling guide.
_INTENTS: Mapping[Intent, tuple[str, ...]] = {
    Intent.CHURN: (
        r"cancel\w{0,4} (?:\w+ ){0,3}(?:subscription|account|membership|contract|plan|service)",
        r"boycott\w{0,3}",
        r"switch(?:ing|ed)? to|(?:i'm|im|i am|we're|bout|be) (?:so )?done with|lost a customer|leaving for",
        r"never (?:\w+ ){0,2}(?:buy|buying|use|using|fly|shop|order)\w{0,3} (?:\w+ ){0,4}again",
    ),
    Intent.BUG: (
        r"(?:not|no longer|stopped|\w{2,6}n't|isnt|doesnt|wont|arent) (?:\w+ )?"
        r"(?:work|load|open|connect|start|turn on|updat|sync|play|show|stream)\w{0,3}",
        rf"{_CANNOT} (?:\w+ )?(?:connect|play|open|download|load|see|install|update|find|join|use|hear|send)",
        rf"{_NOT_YET} (?:\w+ )?(?:receiv|got|get|gotten|arriv|sent|sen)\w{{0,3}}",
        r"disappeared|vanished|missing",
        r"crash\w{0,3}|glitch\w{0,3}|bugs?|buggy|errors?|error code",
        r"broken|freez\w{2,3}|froze|outage|bsod|blue screen",
        r"(?:is|are|went|been|servers?) down|stuck",
        r"(?:keeps?|kept) (?:\w+ing|saying|telling)|(?:my|the) \w+ (?:is|are) gone",
    ),
    Intent.QUESTION: (
        r"how (?:do|can|to|does|long|much) (?:i|we|you|it|this|a|get)",
        r"(?:can|could|would|will) (?:you|u|someone|anyone)",
        r"when (?:will|is|are|do) (?:you|i|we|the|it)",
        r"where (?:can|do) i|is there (?:any|a)|does any(?:one|body)",
        r"why (?:is|are|do|does|did|was|has|can't|cant) (?:my|your|you|i|the|it|this)",
        r"any (?:idea|update|way|help|eta)",
        r"(?:please|pls|plz) (?:help|dm|check|reply|respond|contact)",
        r"help me|need (?:\w+ )?help|help (?:please|pls|plz)",
        r"check (?:your|my|the|ur) dms?|sent (?:you |u )?(?:a )?dm",
        r"dm(?:ed|'d) you|locked out|hacked|suspended|banned",
        r"refund\w{0,3}|recover\w{0,3}|reset",
        r"forg[eo]t+\w{0,3} (?:\w+ )?(?:password|email|login)|log ?in|sign in|my account",
    ),
    Intent.COMPLAINT: (
        r"worst|terrible|horrible|awful|disappoint\w{2,4}|unacceptable",
        r"ridiculous|pathetic|useless|rude|lazy|disgust\w{2,3}",
        r"rip ?off|overpriced|too expensive|poor (?:service|quality)",
        r"customer service|hate|sucks?|scam\w{0,3}|waste of|fed up",
        r"is (?:a bust|a joke|trash|garbage|shit|crap)|do better|get it together|tired of",
    ),
    Intent.SUGGESTION: (
        r"(?:you|they|u) (?:should|could|need to) (?:really )?(?:add|make|bring|have|let|allow)",
        r"feature request|suggest\w{0,5}",
        r"(?:please|pls|plz) (?:add|bring|make|give|let|allow|use|put)|bring (?:\w+ )?back|how about an?",
        r"wish (?:you|they|it|there|\w+ would|\w+ had)|would be (?:nice|great|cool|awesome)",
    ),
    Intent.PURCHASE: (
        r"(?:just|i|we) (?:bought|ordered|purchased|pre-?ordered)",
        r"buy(?:ing)?|saving up|on my way to|worth (?:it|the buy)",
        r"(?:i|we) (?:\w+ )?(?:want|need) (?:a|an|the|some|my|to get|to go)",
        r"(?:going|need|want|wanna|gonna) (?:to )?(?:get|go to)",
        r"(?:just )?got (?:my|a|an|the)(?: new)?",
        r"getting (?:a|an|the|my)(?: new)?|picking up|pick up (?:my|a|the)",
    ),
    Intent.PRAISE: (
        r"thanks?|thank you|thx|love[sd]?|great|awesome|amazing",
        r"best|excellent|fantastic|perfect|well done|kudos",
        r"shout ?out|recommend\w{0,2}|impressed|favou?rite|blessed|good (?:job|work|service)|ftw",
    ),
}
_ADDRESSED = frozenset({Intent.CHURN, Intent.BUG, Intent.QUESTION, Intent.COMPLAINT, Intent.SUGGESTION})
"""What a brand would answer."""
_HURRY = (
    r"hack(?:ed|er|ers|ing)?|locked out|stolen|stole|fraud\w{0,5}",
    r"unauthori[sz]ed|overcharged|charged (?:me )?(?:\w+ )?twice",
    r"(?:money|funds?) (?:\w+ ){0,3}(?:taken|gone|missing|back)",
    r"paid (?:\w+ ){0,6}(?:not|never|nothing|haven't|havent|didn't)",
    rf"(?:{_CANNOT}|trouble) (?:\w+ ){{0,3}}(?:log|login|logging|access|accessing|sign|get (?:in|into|back))",
    r"(?:lost|no|regain|losing) (?:\w+ ){0,3}(?:access|data|files|photos|account|everything|progress)",
    r"data loss|disabled",
    r"urgent\w{0,2}|asap|emergency|immediately|right now",
    r"desperate|(?:is|are|been|went) down|outage|nothing works",
    r"(?:second|third|2nd|3rd|4th|fifth) time",
    r"(?:no|any|a) (?:reply|response|answer)|nobody (?:answers|replies)",
    r"(?:for|been|after) (?:\w+ ){0,2}(?:weeks|months)|stranded",
    r"lawyer|sue|suing|police|injur\w{2,3}|unsafe|dangerous",
    r"(?:recover\w{0,3}|retrieve|reset|forg[eo]t+\w{0,3}) (?:\w+ ){0,3}(?:account|password|email|gmail)",
)


def _words(*listed: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'])(?:{'|'.join(listed)})(?!\w)")


_MOOD = re.compile(
    rf"(?:(?<!\w)(?P<turned>{_NOT}) (?:\w+ )?)?(?<![\w'])"
    rf"(?:(?P<good>{'|'.join(_GOOD)})|(?P<bad>{'|'.join(_BAD)}))(?!\w)"
)
_BY_INTENT = {intent: _words(*listed) for intent, listed in _INTENTS.items()}
_URGENT = _words(*_HURRY)


def sentiment_by_words(read: str) -> Sentiment:
    """More good words than bad, or the other way; a "not" before a word turns it round."""
    mood = 0
    for found in _MOOD.finditer(_lower(read)):
        good = found["good"] is not None
        mood += 1 if good is (found["turned"] is None) else -1
    if mood == 0:
        return Sentiment.NEUTRAL
    return Sentiment.POSITIVE if mood > 0 else Sentiment.NEGATIVE


def intent_by_words(read: str) -> Intent:
    """The first intent in the guide's order that has a phrase in the text."""
    plain = _lower(read)
    return next((intent for intent, words in _BY_INTENT.items() if words.search(plain)), Intent.OTHER)


def urgency_by_words(read: str) -> Urgency:
    """Normal where the intent is one that a brand answers; high if the text tells of haste or loss too."""
    if intent_by_words(read) not in _ADDRESSED:
        return Urgency.LOW
    return Urgency.HIGH if _URGENT.search(_lower(read)) else Urgency.NORMAL


def _lower(read: str) -> str:
    return read.casefold().replace("’", "'")
