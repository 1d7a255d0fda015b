"""What in a question points back to an earlier turn: "it", "that paper", "the fourth one", "the treatment".

Knows one question and nothing of the conversation. A word that the question itself explains is not a
reference ("why does ice float when it freezes?"): rewriting a question that stands alone does more harm than
leaving a follow-up as it is, so where the rules are in doubt they find nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["thing", "things", "person", "place", "one", "noun"]


@dataclass(frozen=True, slots=True)
class Reference:
    """The words that point back, `question[start:end]`, and to what."""

    kind: Kind
    start: int
    end: int


def _either(words: str) -> str:
    return "|".join(words.split())


_PRONOUNS: dict[str, Kind] = {
    "it": "thing",
    "its": "thing",
    **dict.fromkeys(("they", "them", "their", "theirs"), "things"),
    **dict.fromkeys(("he", "him", "his", "she", "her", "hers"), "person"),
}
POSSESSIVES = frozenset({"its", "their", "his", "her", "theirs", "hers"})
_PRONOUN = re.compile(rf"\b(?:{_either(' '.join(_PRONOUNS))})\b", re.IGNORECASE)
_TOKEN = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*|[,;:.!?–—]")
_BOUNDARIES = frozenset(
    "when if because that which who whose while as so before after than and but or until once unless although"
    " though where whether since without by to how what why , ; : . ! ? – —".split()
)
_FUNCTION_WORDS = frozenset(
    "a an the of in on at to for from with by about into over under as is are was were be been being am"
    " do does did done doing have has had can could will would shall should may might must what which"
    " who whom whose why when where how and but or so if then than there here not no any some all each"
    " every both many much more most less least few little very too also just only ever never still yet"
    " often long far old big high i you we me us my your our people someone somebody anyone anybody one"
    " ones it its they them their this that these those he him his she her say says said call called"
    " mean means happen happens get gets got go goes make makes made take takes let lets like s t re"
    " whats tell please".split()
)
_PERSON_WORDS = (
    "someone somebody anyone anybody everyone person people man men woman women boys? girls? child children"
    " baby babies mother father parent wife husband friend neighbou?r patient victim president king queen"
    " judge boss player defendant suspect spouse guest nurse student pupil thief widow witness heir"
    r" \w{3,}(?:er|or|ist|ian|ee|ant|man|woman)"
)
_PERSON = re.compile(rf"\b(?:{_either(_PERSON_WORDS)})s?\b", re.IGNORECASE)
_GENERIC_THEY = re.compile(
    r"they (?:\w+ )?(?:say|call|mean|talk|speak|name)\b|(?<=\bdo )they (?=(?:\S+ ){4,})", re.IGNORECASE
)
_DUMMY_IT = re.compile(
    r"it (?:(?:really|ever|still|actually|always|now|not) )*(?:rain|snow|matter|seem|turn out)"
    r"|it happen(?:s|ed)? that"
    r"|it (?:usually |normally )?(?:tak|cost)\w* (?:.*)\b(?:to|for|until|before|when|if)\b"
    r"|\bwhat (?:time|day|date|year) is it\b|\bit mean (?:to|that|when|if|for)\b"
    r"|\bit (?:that|called|named|when|if)\b|\b(?:how|why) (?:is|come|does) it\b.* that\b"
    r"|(?:is|was|be|makes?|made|find|found) it (?:\w+ ){0,2}\w+ (?:to|that|if|when|for|whether)\b"
    r"|\bit(?:['’]?s| is| was| be| would be| can be) (?:\w+ ){0,2}\w+ (?:to|that|if|whether|who|which)\b",
    re.IGNORECASE,
)
_POINTED_AT = (
    "kind type case way paper book article study experiment law rule year time effect process method disease"
    " theory idea word term name person man woman country city area group thing amount reason period drug"
    " condition"
)
_THAT = re.compile(
    r"\bthat(?= (?:out|up|off|down|away|from)\b|\s*[?.!,]|\s*$)"
    r"|(?:(?<=\bis )|(?<=\bwas )|(?<=\bdoes )|(?<=\bdid )|(?<=\bdo )|(?<=\bcan ))that\b"
    rf"|\bthat (?:{_either(_POINTED_AT)})\b(?: of \w+)?(?! (?:that|which|who|of|is called|has|have))",
    re.IGNORECASE,
)
_THIS = re.compile(
    r"\b(?:this|these|those)\b(?! (?:who|which|that|of the|whose)\b)(?: (?!is|are|was)[a-z]+)?", re.IGNORECASE
)
_BEFORE_CONJUNCTION = re.compile(
    r"\b(?:true|likely|possible|certain|sure|clear|known|means?|so|now|in|except|such|said|say|says|think"
    r"|believe|know|prove[sd]?|show[sn]?|fact|idea|way|everything|anything|all|something|nothing|one|those|the)\s+$",
    re.IGNORECASE,
)
_EARLIER_SENTENCE = re.compile(r"\w\w[.!?;:,]\s|\s[-–—]\s")
_ONE = re.compile(
    r"\b(?:the|that|this|another|an?)(?: (?!one\b)[\w-]+){0,2} ones?(?=\s*[?.!,]|\s*$)"
    r"|\bthe (?:first|second|third|fourth|fifth|last|next|other) ones?\b(?! of)"
    r"|(?<=\w )ones?(?=\s*[?.!]|\s*$)"
    r"|\bthe (?:opposite|others?|former|latter|same|rest|second|third|alternative)(?=\s*[?.!,]|\s*$)",
    re.IGNORECASE,
)
_BEFORE_NUMBER = re.compile(
    r"\b(?:to|than|by|of|at|from|and|or|is|are|was|no|only|just|least|most|plus|minus|equals|into|which|every"
    r"|each)\s+$|\bone\b.*$",
    re.IGNORECASE,
)
_THERE = re.compile(
    r"\b(?:get|go|got|live|lives|reach|went|come|goes|work|works|been|found|happens?) (?P<place>there)\b",
    re.IGNORECASE,
)
_ALWAYS_OF_SOMETHING = (
    "treatment symptom cause cure remedy risk difference answer advantage disadvantage benefit drawback"
    " effect consequence purpose point use reason result outcome penalty punishment definition meaning"
    " formula unit origin history inventor founder author discoverer title name date year price limit"
    " exception example requirement condition type kind part stage step phase element component member"
    " defence defense prevention prognosis diagnosis alternative solution danger problem catch downside"
    " upside side-effect sign trigger function role aim goal rule feature property weakness strength"
    " criticism evidence therapy"
)
_QUALITY = (
    "very best main usual most common first biggest typical side legal normal early long-term possible exact"
    r" most\s\w+ right only other key basic different chief average official original whole full second third"
    " real"
)
_SUPERLATIVE = (
    "first second third last biggest largest best worst oldest latest most\\scommon most\\simportant"
)
_BARE_NOUN = re.compile(
    r"^(?:and |so |but )?(?:(?:what|who|which|where|when|how)(?:['’]?s| (?:is|are|was|were|about)) )?"
    r"(?:(?:the|some)|(?:is|are|was|were) there (?:an?|any|some)) "
    rf"(?:(?:{_either(_QUALITY)}) ){{0,2}}(?:{_either(_ALWAYS_OF_SOMETHING)})s?$"
    r"|^(?:and |so |but )?(?:what|who|which) (?:(?!of|in|on|at|from)[\w-]+ ){0,3}"
    rf"(?:is|was|are|were|came) the (?:very )?(?:{_either(_SUPERLATIVE)})$",
    re.IGNORECASE,
)


def find_reference(question: str, *, continued: bool = False) -> Reference | None:
    """The first reference to something that the question does not name itself, or None.

    `continued`: the question begins like the second half of something ("and …"), so that a possessive
    belongs to the other half.
    """
    found = [
        *_pronouns(question, continued=continued),
        *_demonstratives(question),
        *_ones(question),
        *(Reference("place", *match.span("place")) for match in _THERE.finditer(question)),
        *(Reference("noun", *match.span()) for match in _BARE_NOUN.finditer(question.rstrip("?.! "))),
    ]
    return min(found, key=lambda reference: reference.start, default=None)


def _pronouns(question: str, *, continued: bool) -> list[Reference]:
    dummies = [match.span() for pattern in (_DUMMY_IT, _GENERIC_THEY) for match in pattern.finditer(question)]
    found = []
    for match in _PRONOUN.finditer(question):
        pronoun = match.group().lower()
        is_name = match.group() == "IT"
        if is_name or any(start <= match.start() < end for start, end in dummies):
            continue
        if not _explained(question[: match.start()], pronoun, continued=continued):
            found.append(Reference(_PRONOUNS[pronoun], *match.span()))
    return found


def _explained(before: str, pronoun: str, *, continued: bool) -> bool:
    """Whether the words before a pronoun can hold what it stands for."""
    if _PRONOUNS[pronoun] == "person":
        named = _PERSON.search(before) or re.search(r"\s[A-Z][a-z]+", before)
        return bool(named) or (pronoun in POSSESSIVES and _content_words(_tokens(before)) > 1)
    if pronoun in POSSESSIVES and not continued:
        return _content_words(_tokens(before)) > 0
    return _named_in_an_earlier_clause(before)


def _named_in_an_earlier_clause(before: str) -> bool:
    """Its own clause's subject can't be what a pronoun stands for: look before the last boundary only."""
    tokens = _tokens(before)
    boundary = max((i for i, token in enumerate(tokens) if token in _BOUNDARIES), default=0)
    return _content_words(tokens[:boundary]) > 0


def _tokens(text: str) -> list[str]:
    return [token.lower() for token in _TOKEN.findall(text)]


def _content_words(tokens: list[str]) -> int:
    return sum(
        len(token) > 1 and token not in _FUNCTION_WORDS and token not in _BOUNDARIES for token in tokens
    )


def _demonstratives(question: str) -> list[Reference]:
    found = []
    for match in _THAT.finditer(question):
        before = question[: match.start()]
        if not _BEFORE_CONJUNCTION.search(before) and not _EARLIER_SENTENCE.search(before):
            found.append(Reference("thing", *match.span()))
    for match in _THIS.finditer(question):
        before = question[: match.start()]
        pointed = match.group().rsplit(" ", 1)[-1] in _POINTED_AT.split()
        if not _content_words(_tokens(before)) or (pointed and not _EARLIER_SENTENCE.search(before)):
            found.append(Reference("thing", *match.span()))
    return found


def _ones(question: str) -> list[Reference]:
    found = []
    for match in _ONE.finditer(question):
        before = question[: match.start()]
        if not _BEFORE_NUMBER.search(before) and not _named_in_an_earlier_clause(before):
            found.append(Reference("one", *match.span()))
    return found
