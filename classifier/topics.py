"""Finds the matters a post touches, by reviewed word rules: they only ever escalate or stop, never calm.

The model sees too few threats, injuries and lawyers to learn them, and these are the posts where being
wrong costs most. So rules find them, whatever the model says. A rule that fires too often costs a person
a look; one that stays silent may cost much more, but a rule nobody trusts is worth nothing either: each
topic therefore also lists what only sounds like it ("a killer deal"), and a test holds both lists.

Rules read the text in lower case without accents, and every gap in them is bounded, so that the time
they take grows with the length of the post and not faster.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from casework.classification import Topic, Urgency

# Up to two or three words may stand between the parts of a phrase.
_FEW = r"(?:\W{1,3}\w{1,20}){0,3}\W{1,3}"
_TWO = r"(?:\W{1,3}\w{1,20}){0,2}\W{1,3}"
_I = r"(?:i|we|i'm|im|i am|we're|we are|i'll|ill|we'll|i'd|i've)"
_WILL = (
    r"(?:i'll|ill|i will|we'll|we will|i'm|im|i am|we are|we're|gonna|going to|am about to"
    r"|about to|i want to)"
)
_MY = r"(?:my|our|meine?|unsere?|mon|notre|mi|nuestro|min|mine|var)"
_FAMILY = (
    r"(?:mother|father|mum|mom|mam|dad|wife|husband|son|daughter|brother|sister|grand\w{2,8}|nana|nan"
    r"|parents?"
    r"|partner|fiancee?|uncle|aunt|child|baby|friend|cousin|dog|cat)"
)
_FAMILY_ELSEWHERE = (
    r"(?:vater|mutter|mann|frau|sohn|tochter|oma|opa|bruder|schwester|pere|mere|mari|femme|fils|fille"
    r"|frere|soeur"
    r"|padre|madre|esposo|esposa|hijo|hija|hermano|hermana|abuel[oa]|far|mor|kona|sonn|datter|bror|soster"
    r"|bestemor|bestefar|moren|faren)"
)
_DEVICE = (
    r"(?:phone|iphone|battery|charger|laptop|macbook|tablet|oven|toaster|stove|dryer|washer|dishwasher"
    r"|car|engine"
    r"|cabin|house|kitchen|device|cable|plug|outlet|console|controller|headset|router|bottle|scooter"
    r"|plane|bus"
    r"|train|product|unit|heater|vape|powerbank)"
)
_THEY = (
    r"(?:you|u|ya|y'all|they|guys|team|support|staff|people|nobody|it|who|and|if|still|just|even"
    r"|always|why)"
)
_CONTACT = (
    r"(?:contact|message|msg|reply to|respond to|answer|dm|e-?mail|text|tag|write to|write"
    r"|bother|call|@)"
)
_CONTACTING = (
    r"(?:replying|responding|answering|messaging|contacting|tweeting|dm'?ing|e-?mailing|texting|bothering"
    r"|spamming|tagging|writing|calling)"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What calls for a topic, and what only sounds like it and is looked past."""

    says: tuple[str, ...]
    unless: tuple[str, ...] = ()


_RULES: dict[Topic, _Rule] = {
    Topic.SAFETY: _Rule(
        says=(
            r"smoke (?:in|inside|from|coming from|coming out of|filling|filled) (?:the|my|our|your|this)",
            r"smell of (?:gas|burning|smoke)|smells? (?:of )?(?:gas|burning)|gas leak|carbon monoxide",
            _DEVICE + _FEW + r"(?:caught fire|on fire|catching fire|in flames|burst into flames"
            r"|exploded|exploding)",
            _DEVICE + _FEW + r"(?:overheated|started smoking|is smoking|sparking|sparks|melted"
            r"|burn(?:ed|t) (?:me|my))",
            r"it (?:just |almost |nearly )?(?:caught|catches) fire|fire hazard|safety hazard"
            r"|choking hazard|electrical hazard",
            r"injured|(?:my|our|his|her|caused|causing|serious|severe|personal"
            r"|risk of) (?:an )?injur(?:y|ies)|electrocuted|electric(?:al)? shock|burn(?:ed"
            r"|t) my (?:hand|face|skin|son|daughter)",
            r"(?:someone|somebody|people|passengers?|child|children|kids?) (?:was|were|got|is|are|been"
            r"|being) (?:badly )?hurt",
            r"(?:will|could|going to|gonna) (?:get|be) (?:seriously )?(?:hurt|killed)",
            r"food poisoning|poisoned|allergic reaction|anaphyla\w{1,6}|epipen|choked on",
            r"(?:glass|metal|plastic|needle|mould|mold|blade) in (?:my|his|her|our|the) "
            r"(?:food|burger|drink|salad|sandwich|cup|bottle|baby)",
            r"(?:ambulance|hospitali[sz]ed|in (?:the )?hospital|emergency room|in the er) (?:\w{1,12} ){0,3}"
            r"(?:after|because|due|from|by your|your)|ended up in (?:the )?(?:hospital|er|emergency)",
            r"brakes? (?:have |just |suddenly )?(?:failed|fail|failure|don't work|stopped working)"
            r"|emergency landing",
            r"(?:sexually |physically )?assaulted|molested|groped|raped|child abuse|child porn\w{0,8}|csam",
            r"(?:harm|harming|abuse|abusing|grooming)" + _TWO + r"(?:child|children|kids|teenagers?"
            r"|teens|minors?)",
            r"driv(?:er|ing)" + _FEW + r"(?:drunk|dangerously|recklessly|texting|asleep)",
            r"racially (?:abused|profiled|attacked)|(?:racial|racist|homophobic|antisemitic) (?:slurs?|abuse)"
            r"|called (?:me|us|him|her|my \w{1,12}) an? (?:\w{1,12} )?slur",
            r"(?:i'm|im|i am) (?:only |just )?(?:[6-9]|1[0-5]) (?:years old|yrs old|yo|and (?:i|my|bought))",
            r"trapped in (?:the|your|a) (?:lift|elevator|train|car|plane)",
            r"verletzt|brennt|rauch im|feuer gefangen|stromschlag|lebensgefahr\w{0,6}|vergiftet",
            r"(?:suis|est|ete|sont|avons|fils|fille) blessee?s?|a pris feu|prend feu|fumee dans"
            r"|electrocutee?|intoxication alimentaire",
            r"herid[oa]s?|se incendio|en llamas|humo en|electrocutad[oa]|intoxicacion",
            r"skadet (?:seg|meg)|(?:noen|barn\w{0,2}) (?:ble|er) skadet|tok fyr|brann i|royk i"
            r"|elektrisk stot|matforgiftning|livsfarlig",
        ),
        unless=(
            r"injured (?:list|reserve|players?)|injury (?:list|time|report|update|news|prone|free)",
            r"brennt (?:mir|uns) unter den nageln|(?:add|adding) insult to injury",
        ),
    ),
    Topic.LEGAL: _Rule(
        says=(
            _MY + r" (?:lawyers?|attorneys?|solicitors?|legal team|legal counsel|barrister)",
            _I + _FEW + r"(?:sue|suing|lawsuit|legal action|legal proceedings|small claims|class action)",
            r"(?:gonna|going to|will|about to|ready to|have to|want to|should|could) sue|sue (?:you|u"
            r"|your|ur|y'all)",
            r"suing (?:you|u|your)|see (?:you|u|y'all) in court|(?:take|taking) (?:you|u|this|these"
            r"|them|it) to court",
            r"(?:take|taking|consider|considering|pursue|pursuing|facing|threaten\w{0,4}) legal action",
            r"(?:seek|seeking|get|getting|got|consult\w{0,4}|calling|contact\w{0,4}) (?:a|an|legal) "
            r"(?:lawyer|attorney|solicitor|advice)|lawyering up|lawyer up",
            r"legal (?:claim|department|matter|complaint)|cease and desist|small claims court"
            r"|trading standards|ombudsman|breach of contract",
            r"gdpr (?:complaint|request|violation|breach)|data protection (?:authority|commissioner"
            r"|complaint)",
            r"(?:mein|unser|meinem|meinen) (?:rechts)?anwalt|(?:rechts)?anwalt (?:ein)?schalten"
            r"|verklage\w{0,2} (?:euch|sie)"
            r"|(?:euch|sie) verklagen|rechtliche schritte|sehen uns vor gericht|strafanzeige"
            r"|anzeige erstatten",
            r"mon avocate?|porter plainte|porte plainte|action en justice|vous poursuivre|au tribunal"
            r"|mise en demeure",
            r"mi abogad[oa]|(?:los|les|voy a|vamos a) demandar\w{0,3}|acciones legales|accion legal"
            r"|denuncia\w{0,2} ante",
            r"(?:min|var) advokat|advokaten (?:min|var)|saksoke\w{0,2}|rettslige skritt|forliksradet"
            r"|forbrukertilsynet"
            r"|anmelde (?:dere|dette)",
        ),
        unless=(
            r"lincoln lawyer|better call saul|lawyer (?:joke|movie|show|series)|so sue me|i wouldn't sue",
        ),
    ),
    Topic.PRESS: _Rule(
        says=(
            r"(?:journalist|reporter|correspondent|news editor|news producer) (?:at|with|from|for|of|here)",
            r"(?:i'm|im|i am|am) (?:an?|the) (?:\w{1,15} ){0,3}(?:journalist|reporter|correspondent"
            r"|columnist)",
            r"(?:writing|working on|doing|preparing|publishing) (?:an?|our|my|the) (?:\w{1,15} ){0,2}"
            r"(?:piece|article|story|feature|news report|segment|documentary) (?:on|about|for|into)",
            r"writing a piece|(?:press|media) (?:inquiry|enquiry|inquiries|enquiries|office|officer"
            r"|contact|request|team)",
            r"(?:request|requesting|request for|reaching out for|available for|provide|seeking) (?:a "
            r"|your )?(?:comment"
            r"|statement)|(?:on|off) the record",
            r"(?:ich bin|als) (?:\w{1,15} )?(?:journalist|journalistin|reporter|reporterin|redakteur"
            r"|redakteurin)"
            r"|presseanfrage|pressestelle",
            r"(?:je suis|suis) (?:\w{1,15} )?journaliste|demande (?:de )?presse|service (?:de )?presse",
            r"soy (?:\w{1,15} )?(?:periodista|reporter[oa])|consulta de prensa|gabinete de prensa",
            r"(?:jeg er|er) (?:\w{1,15} )?journalist|pressehenvendelse|pressekontakt",
        ),
    ),
    Topic.SELF_HARM: _Rule(
        says=(
            r"(?:kill|killing|hurt|hurting|hang|cut|cutting|harm|harming|shoot) myself"
            r"|self-?harm\w{0,3}|suicid(?:e|al)",
            r"(?:end|ending|take|taking) my (?:own )?life|end it all|ending it all|kms",
            r"(?:want|wanna|wanted|wants) to die|wanna die|(?:don't|dont|do not) want to (?:live"
            r"|be alive|be here anymore)",
            r"no (?:reason|point|will) (?:to|in) (?:live|living|go on)|better off dead|wish i (?:was"
            r"|were) dead",
            r"(?:will|mochte|kann) nicht mehr leben|bringe? mich um|mich umbringen|selbstmord"
            r"|suizid\w{0,4}|selbst verletzen",
            r"me suicider|suicidaire|envie de mourir|veux mourir|mettre fin a mes jours|me tuer",
            r"quiero morir(?:me)?|suicid(?:arme|io)|quitarme la vida|matarme|no quiero vivir",
            r"ta(?:r)? livet (?:mitt|av meg)|vil ikke leve|vil do|selvmord\w{0,4}|selvskading|drepe meg selv",
        ),
        unless=(
            r"suicide (?:squad|doors?|vests?|bomb\w{0,6}|attacks?)|(?:want|wanna"
            r"|wanted) to die (?:laughing|of laughter)",
            r"(?:kill|killing|killed) myself laughing|(?:cut|cutting|hurt) myself (?:shaving|off|some slack)",
        ),
    ),
    Topic.THREAT: _Rule(
        says=(
            _WILL + _TWO + r"(?:kill|shoot|stab|murder|strangle|hurt|punch|beat up|attack|destroy) "
            r"(?:you|u|ya|y'all|your|ur|him|her|someone|somebody|everyone|the (?:staff|driver|manager"
            r"|ceo|crew|agent))",
            r"(?:bomb threat|planted a bomb|(?:there is|there's) a bomb|shoot up (?:the|your)"
            r"|school shooting)",
            r"burn(?:ing)? (?:down )?(?:your|the) (?:place|store|stores|office|offices|building|shop"
            r"|hq|house)(?: down)?",
            r"know where (?:you|u|y'all|your \w{1,12}|his family|her family) (?:live|work|lives|works)"
            r"|death threats?",
            r"(?:you're|you are|ur|you all are|you'll|you will) (?:all )?(?:be )?(?:dead|going to die"
            r"|gonna die|going to pay "
            r"for this with)|watch your back|hope (?:you|u|y'all) (?:all )?(?:die|get shot|burn)",
            r"ich (?:bringe?|mach\w{0,2}) (?:euch|dich|sie) (?:alle )?(?:um|kalt)|(?:euch"
            r"|dich) umbringen|bombendrohung"
            r"|weiss,? wo (?:du|ihr|sie) (?:wohnst|wohnt|wohnen)",
            r"(?:vais|allons) (?:te|vous|les|tous vous) (?:tuer|buter|crever)|sais ou (?:tu habites"
            r"|vous habitez)"
            r"|alerte a la bombe",
            r"(?:te|los|os|les) (?:voy|vamos) a matar|voy a matar(?:te|los|os|les)|se donde vives"
            r"|amenaza de bomba",
            r"skal drepe (?:deg|dere|han|henne)|dreper (?:deg|dere)|vet hvor (?:du|dere) bor|bombetrussel",
        ),
        unless=(
            r"(?:shoot|shooting) (?:you|u|ya|y'all|him|her|them|someone) (?:over )?(?:an?|my"
            r"|the) (?:\w{1,12} )?"
            r"(?:dm|message|msg|e-?mail|text|line|note|pm|request|invite)",
            r"(?:kill|killed|killing) (?:you|u|him|her|them) (?:to|with kindness)|(?:won't|wouldn't"
            r"|not gonna|not going to)"
            r" (?:kill|hurt) (?:you|u)|burn the house down (?:tonight|on stage)",
        ),
    ),
    Topic.DATA_BREACH: _Rule(
        says=(
            r"data (?:breach|leak|leaks|leaked)|security breach|privacy breach|breach of (?:data"
            r"|security|privacy|my data)",
            r"(?:see|seeing|view|access|open|read) (?:other|another|someone else's|somebody else's"
            r"|strangers?'?|random) "
            r"(?:\w{1,12}'?s?'? ){0,2}(?:bookings?|orders?|data|details|accounts?|info|information"
            r"|profiles?|messages"
            r"|photos|invoices?|emails|payments?|cards?|reservations?|address\w{0,2}|tickets?|statements?)",
            r"(?:logged|signed) (?:me )?in ?(?:to )?(?:as )?(?:someone else|somebody else"
            r"|another (?:user|customer|person)"
            r"|a stranger)",
            r"(?:shows?|showing|showed|sent|sending|gave|got|getting"
            r"|received) (?:me )?(?:someone else's|somebody else's"
            r"|another (?:customer|person|user|passenger)'s|other (?:customers?|people"
            r"|users?)'?s?) (?:\w{1,12} )?"
            r"(?:bookings?|data|details|info|information|account|invoices?|statements?|personal|emails)",
            r"(?:leaked|leaking|exposed|exposing) (?:my|our|all|customers?'?|users?'?|everyone's|personal)",
            r"(?:my|our|customers?'?|users?'?|personal) (?:\w{1,12} ){0,3}(?:was|were|been|got|being"
            r"|is|are) (?:leaked|exposed)",
            r"security (?:vulnerability|hole|flaw)|vulnerability (?:in|on) your"
            r"|passwords? (?:in plain ?text|leaked)",
            r"datenleck|datenpanne|datenschutzverletzung|daten (?:von )?anderer (?:kunden|nutzer)",
            r"fuite de donnees|donnees d'autres (?:clients|personnes)|violation de donnees",
            r"filtracion de datos|fuga de datos|datos de otr[oa]s (?:clientes|personas|usuarios)",
            r"datalekkasje|datainnbrudd|andre kunders|personopplysninger (?:pa avveie|lekket)",
        ),
    ),
    Topic.GRIEF: _Rule(
        says=(
            r"passed away|bereave(?:d|ment)|funeral|miscarriage|stillborn|stillbirth|recently deceased"
            r"|terminally ill",
            _FAMILY + r" (?:has |have |had |just |recently |suddenly |unexpectedly |sadly ){0,2}"
            r"(?:died|passed|is dead|was killed|is dying)",
            _MY + r" (?:late|deceased|dying) " + _FAMILY,
            r"(?:lost|losing|burying|buried) (?:my|our|his|her) " + _FAMILY,
            r"death (?:of my|of our|of a (?:loved|family)|in (?:the|my|our) family)|loss of (?:my|our) "
            + _FAMILY,
            _FAMILY_ELSEWHERE + _FEW + r"(?:gestorben|verstorben|tot|mort|morte|decedee?|fallecio"
            r"|fallecido|fallecida"
            r"|murio|muerto|dode|dod|gikk bort)",
            r"beerdigung|trauerfall|todesfall|enterrement|obseques|en deuil|begravelse\w{0,2}"
            r"|dodsfall\w{0,3}|deces de"
            r"|fallecimiento|entierro",
        ),
        unless=(
            r"(?:phone|battery|laptop|controller|ps4|ps5|xbox|console|app|server|ipad|macbook|computer"
            r"|car) (?:has |just "
            r"|finally ){0,2}passed away|funeral (?:home simulator|parade)",
        ),
    ),
    Topic.OPT_OUT: _Rule(
        says=(
            r"(?:stop|quit) " + _CONTACTING + r"(?: to| at)? (?:me|us)|leave (?:me|us) alone"
            r"|stop (?:talking|speaking) to me",
            r"(?:don't|dont|do not|never)(?: you)?(?: ever| dare| try to){0,2} " + _CONTACT + r" (?:me|us)",
            r"(?:unsubscribe|unfollow|untag) (?:me|us)|please unsubscribe|opt (?:me "
            r"|us )?out of (?:this|these|your)"
            r"|opt (?:me|us) out|i (?:want|wish|would like|choose) to opt out",
            r"(?:take|remove|delete) (?:me|us) (?:off|from) (?:your|the|this"
            r"|ur)(?: \w{1,12}){0,2} ?(?:list|lists|contacts)",
            r"no more (?:replies|messages|dms|bots|automated \w{1,10}|auto-?replies)"
            r"|stop (?:with )?(?:this|the|these|your)"
            r" (?:auto\w{0,6}[ -]?)?(?:bots?|repl(?:y|ies)|messages)",
            r"lass(?:t|en)?(?: sie)? (?:mich|uns)(?: \w{1,8}){0,2} in ruhe|meld(?:e|et"
            r"|en)(?: sie)? mich(?: \w{1,8})? ab",
            r"(?:kontaktier|schreib|antwort)\w{0,4}(?: sie| ihr)? (?:mir|mich"
            r"|uns)(?: bitte)? (?:nicht mehr|nie(?: \w{1,7})?)",
            r"kontaktier\w{0,4}(?: sie| ihr)? mich(?: bitte)? nicht|(?:nicht mehr"
            r"|nie wieder) (?:an)?(?:schreiben|antworten"
            r"|kontaktieren)|keine (?:weiteren )?(?:nachrichten|antworten)(?: mehr)?(?: bitte)?$",
            r"(?:hor|horen|hort)(?: sie)? (?:bitte )?auf,? (?:mir|mich) (?:zu )?\w{0,3}(?:schreiben"
            r"|antworten|kontaktieren)",
            r"slutt (?:a |med a )(?:svare|kontakte|skrive|sende|mase)|la (?:meg"
            r"|oss) (?:vaere )?(?:vaere )?i fred",
            r"ikke (?:svar|kontakt|skriv|send|ring|ta kontakt)(?: til| med)? (?:meg|oss)|meld meg av"
            r"|stopp (?:a )?(?:svare|sende)",
            r"arrete[sz]?(?: de| d') ?(?:(?:me|nous) |m')(?:repondre|contacter|ecrire|envoyer|harceler"
            r"|deranger)",
            r"ne (?:me|m'|nous) ?(?:contact|repond|ecri|derang|envoi|envoy)\w{0,5} (?:plus|pas|jamais)"
            r"|laisse[sz]?[- ]moi "
            r"(?:tranquille|en paix)|(?:desabonne|desinscri)\w{0,4}[- ]moi",
            r"(?:deja|dejad|dejen|deje|dejar)(?:me)? de (?:responder|contactar|escribir|molestar"
            r"|enviar|mandar)\w{0,3}",
            r"no (?:me|nos) (?:contacte[sn]?|contacteis|responda[sn]?|escriba[sn]?|moleste[sn]?"
            r"|envie[sn]?|mande[sn]?"
            r"|conteste[sn]?)|(?:deja|dejen|deje|dejad)me en paz|(?:den|da|de)me de baja",
            r"sluta (?:svara|kontakta|skriva)|(?:kontakta|skriv) (?:inte )?(?:mig|mej) inte"
            r"|kontakt mig ikke|laat me met rust"
            r"|stop met (?:reageren|berichten)|lasciatemi in pace|non (?:contattatemi|scrivetemi)"
            r"|(?:me )?deixe[- ]?(?:me)? em paz",
            r"^(?:\W|@\w{1,30}){0,8}(?:stop|unsubscribe|opt out|optout|stopp|abmelden|arret|baja)\W{0,8}$",
        ),
        unless=(
            r"(?<!@)"
            + _THEY
            + r"(?:\W{1,3}\w{1,12}){0,2} (?:don't|dont|do not|never)(?: ever| even| once){0,2} "
            + _CONTACT
            + r" (?:me|us)",
            r"(?:warum|wieso|weshalb|wann)(?:\W{1,3}\w{1,20}){1,5} (?:nicht mehr|nicht|nie)",
            r"(?:vous|tu|ils|elles|on|personne|pourquoi)(?: ils| vous| tu)? ne (?:me|m'"
            r"|nous) ?\w{1,12} (?:plus|pas|jamais)",
            r"(?:don't|dont|never) leave (?:me|us) alone",
        ),
    ),
    Topic.SPAM: _Rule(
        says=(
            r"(?:buy|get|gain|free) (?:\w{1,10} ){0,2}followers|(?:followers|likes) for (?:free|cheap)"
            r"|follow (?:4|for) follow",
            r"(?:click|check|visit) (?:the )?link in (?:my )?bio|dm (?:me )?(?:for|to) (?:promos?"
            r"|promotion|collab\w{0,8}|earn)",
            r"(?:bitcoin|btc|crypto|eth|nft) (?:giveaway|airdrop|signals|investment|trading)"
            r"|guaranteed (?:profits?|returns)",
            r"(?:earn|make) (?:up to )?[$€£]?\d[\d,.]{0,8}[$€£]? ?(?:per|a|every|each)? ?(?:day|week"
            r"|hour|daily|weekly)",
            r"(?:whatsapp|telegram) (?:me|us|him|her)? ?(?:on|at|@|\+\d)|work from home and earn"
            r"|(?:binary|forex) (?:options"
            r"|trader|trading)|recover(?:ed)? (?:my|your) (?:lost |stolen )?(?:funds|crypto"
            r"|account) (?:through|via|with|"
            r"thanks to)",
        ),
    ),
}

CRITICAL = frozenset(
    {Topic.SAFETY, Topic.LEGAL, Topic.PRESS, Topic.SELF_HARM, Topic.THREAT, Topic.DATA_BREACH}
)
"""The topics that need a person now."""

_ORDER = tuple(Urgency)
# Letters that do not come apart into a plain letter and an accent.
_PLAIN = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "’": "'", "‘": "'", "`": "'", "´": "'"}
)


def topics_in(read: str, own: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The topics of a text in its readable form: Heard's own first, then the brand's, each once."""
    plain = _plain(read)
    found = [str(topic) for topic in _RULES if _calls_for(topic, plain)]
    found += [name for name, phrases in own.items() if name not in found and _names(tuple(phrases), plain)]
    return tuple(found)


def raised_urgency(urgency: Urgency, topics: Sequence[str], *, unread: bool = False) -> Urgency:
    """The urgency, raised to critical where a topic calls for a person now. It never falls.

    A post that the model does not read, or that speaks to it (``unread``), needs a reply until somebody has
    read it.
    """
    least = Urgency.NORMAL if unread else Urgency.LOW
    wanted = Urgency.CRITICAL if any(topic in CRITICAL for topic in topics) else least
    return max(urgency, wanted, key=_ORDER.index)


def _calls_for(topic: Topic, plain: str) -> bool:
    says, unless = _compiled(topic)
    if not says.search(plain):
        return False
    return unless is None or says.search(unless.sub(" ", plain)) is not None


@lru_cache(maxsize=256)
def _compiled(topic: Topic) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    rule = _RULES[topic]
    return _whole_words(rule.says), _whole_words(rule.unless) if rule.unless else None


def _names(phrases: tuple[str, ...], plain: str) -> bool:
    pattern = _own_pattern(phrases)
    return pattern is not None and pattern.search(plain) is not None


@lru_cache(maxsize=256)
def _own_pattern(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    # A brand's words are words, never patterns: a dot in a product's name is a dot.
    escaped = [re.escape(words) for phrase in phrases if (words := _plain(phrase).strip())]
    return _whole_words([words.replace(r"\ ", r"\s{1,3}") for words in escaped]) if escaped else None


def _whole_words(patterns: Sequence[str]) -> re.Pattern[str]:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(rf"(?<!\w)(?:{joined})(?!\w)")


def _plain(text: str) -> str:
    """Lower case, without accents, with one kind of apostrophe."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
