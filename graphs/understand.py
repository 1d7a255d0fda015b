"""Makes a follow-up stand alone: "and how is it treated?" after gout becomes "How is gout treated?".

Knows the question and the conversation so far; knows no model, no passages and no domain. Rules over words,
tried in order, the first that fits wins; a question that names its own subject is left as it is, and one that
announces a new subject loses the announcement. What is returned is what retrieval searches for and members
read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from proxycouncil.graphs.backreference import POSSESSIVES, Reference, find_reference
from proxycouncil.graphs.contrast import contrast
from proxycouncil.graphs.state import Message
from proxycouncil.graphs.subject import Subject, subject_of

Rule: TypeAlias = Callable[[str, Subject], str | None]

_CHATTER = re.compile(
    r"^(?:(?:many )?thanks(?: a lot| so much)?|thank you(?: very much| so much)?|thx|cheers|right"
    r"|al+ ?right|great|good"
    r"|nice|cool|perfect|interesting|i see|got it|understood|fine|sure|well|yes|no|hm+|ah|oh"
    r"|wow)\s*[.!,:;…–-]+\s*"
    r"|^(?:ok(?:ay)?|hm+|ah|oh)\b[.!,:;…–-]*\s+",
    re.IGNORECASE,
)
_NEW_SUBJECT = re.compile(
    r"^(?:and |but |now |so )?(?:(?:something|anything) (?:else|different|completely different|new)"
    r"|(?:a )?(?:new|different|another|next)"
    r" (?:question|topic|subject|matter)|(?:a )?change of (?:subject|topic)|(?:let['’]?s )?chang(?:e"
    r"|ing) (?:the )?(?:subject|topic)"
    r"|on (?:an?other|a different) (?:note|topic|subject|matter)|unrelated|moving on"
    r"|completely different|totally different)"
    r"(?: \w+){0,2}\s*[.!,:;?…–-]+\s*",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"^(?:by the way|btw|one more (?:thing|question)|incidentally|just wondering)\s*[.!,:;…–-]*\s*", re.I
)
_CONNECTIVE = re.compile(r"^(?:and|but|so|or|also|then)\b,?\s*(?:then\b,?\s*)?", re.IGNORECASE)
_LEAD = re.compile(r"^(?:(?:and|but|so|or|also|then)\b,?\s*)?(?:(?:what|how) about\s+)?", re.IGNORECASE)
_WHICH = re.compile(
    r"^(?:and |so |but )?which(?: one| of (?:them|the two|these|those))?(?= (?:is|are|was|were|do|does"
    r"|has|have|can|would|should)\b)",
    re.I,
)
_MORE = re.compile(
    r"^(?:(?:please |can you |could you )*(?:tell me|say|explain|give me|know)?\s*(?:a bit |a little "
    r"|some )?more(?: details?)?"
    r"(?: please| about (?:it|that|this))?|go on|in more detail|(?:can you |could you "
    r"|please )*(?:explain|elaborate)"
    r"(?: (?:it|that|this))?(?: again| further| please)?|(?:what|anything) else)\s*[?.!]*$",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(
    r"^(?:(?:can you |could you |please )*(?:give|show|tell|name) (?:me )?|what(?:['’]?s| is| would be"
    r"| are) |(?:do you have|is there|any) |for |such as )*"
    r"(?:an? |some |any )?(?:good |simple |real )?examples?(?: please| of (?:it|that|this|one))?\s*[?.!]*$",
    re.IGNORECASE,
)
_BARE_ASK = re.compile(
    r"^(?:since |until |by |from |for |to |with )?(?:why|how|who|whom|where|when|what for|how (?:so"
    r"|come|many|much|long|often|far|old|big)|why not"
    r"|which ones?)(?: (?:is|was) (?:that|this))?\s*[?.!]*$"
    r"|^(?:in|on|at|for|by|from|to|with|since|until|under|of) (?:what|which|whose"
    r"|how)(?: [\w-]+){1,2}\s*[?.!]*$",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have)\s", re.IGNORECASE
)
_SUPPORTED = re.compile(
    r"\b(?:do|does|did)\s+(?P<who>.+?)\s+(?:have|need|want|get)\s+to\s+(?P<act>.+)$", re.IGNORECASE
)
_CUT_SHORT = re.compile(
    r"\b(?P<they>they|it|he|she)\b(?P<verb>.*\b(?:need|have|want|able|allowed|supposed) to)\s*\??$", re.I
)
_FOR_NOUNS = re.compile(
    r"(?:treatment|remed|risk|difference|defen[cs]e|requirement|penalty|punishment|therapy|reason|solution"
    r"|first|second|third|last|biggest|largest|best|worst|oldest|latest|common|important|one)\w*$",
    re.IGNORECASE,
)


LONGEST_FOLLOW_UP = 300
"""Characters; who writes more says what it is about."""
_WRITINGS = frozenset("paper book article study experiment word term name year time period".split())


def stand_alone(question: str, history: Sequence[Message]) -> str:
    """The question as it reads without the conversation; unchanged where it already does."""
    plain = question.strip()
    if not history or not plain or len(plain) > LONGEST_FOLLOW_UP:
        return plain
    opened, announced = _without_opening(plain)
    if announced or not opened:
        return opened or plain
    subject = _last_subject(history)
    if not subject.known:
        return opened
    for rule in (
        _ask_for_more,
        _finish_verb,
        _ask_back,
        _name_noun,
        contrast,
        _which_of,
        _resolve,
        _carry_over,
    ):
        if rewritten := rule(opened, subject):
            return _sentence(rewritten)
    return _sentence(_CONNECTIVE.sub("", opened)) if _CONNECTIVE.match(opened) else opened


def _without_opening(question: str) -> tuple[str, bool]:
    """The question without its thanks and its announcement, and whether that announced a new subject."""
    rest = question
    while found := _CHATTER.match(rest):
        rest = rest[found.end() :]
    if found := _NEW_SUBJECT.match(rest):
        return _sentence(rest[found.end() :]), True
    rest = _ASIDE.sub("", rest)
    return (_sentence(rest) if rest != question else rest), False


def _last_subject(history: Sequence[Message]) -> Subject:
    """Of the last turn that was about something; a thank-you in between is stepped over."""
    subjects = (subject_of(turn) for turn in reversed(history))
    return next((subject for subject in subjects if subject.known), subject_of(history[-1]))


def _ask_for_more(question: str, subject: Subject) -> str | None:
    asked = _CONNECTIVE.sub("", question)
    if _EXAMPLE.match(asked):
        return f"What is an example of {subject.thing}?"
    return f"What else is known about {subject.thing}?" if _MORE.match(asked) else None


def _finish_verb(question: str, subject: Subject) -> str | None:
    """So "when don't they need to?" gets its subject and its verb from the last question."""
    short, full = _CUT_SHORT.search(question), _SUPPORTED.search(subject.question)
    if not short or not full:
        return None
    begin = _CONNECTIVE.sub("", question[: short.start()])
    return f"{begin}{full['who']}{short['verb']} {full['act']}?"


def _ask_back(question: str, subject: Subject) -> str | None:
    """So "since when?" is asked together with the last question."""
    asked = _CONNECTIVE.sub("", question)
    if not _BARE_ASK.match(asked):
        return None
    return f"{subject.question}, and {asked[:1].lower()}{asked[1:].rstrip('?.! ')}?"


def _name_noun(question: str, subject: Subject) -> str | None:
    """Symptoms are always of something: such a noun gets the subject behind it."""
    body = _LEAD.sub("", question).rstrip("?.! ")
    reference = find_reference(body)
    if reference is None or reference.kind != "noun":
        return None
    link = "for" if _FOR_NOUNS.search(body) else "of"
    asking = (
        ""
        if not body.lower().startswith(("the ", "some "))
        else f"What {'are' if body[-1] == 's' else 'is'} "
    )
    return f"{asking}{body} {link} {subject.thing}?"


def _which_of(question: str, subject: Subject) -> str | None:
    """After two things were compared, "which is faster?" is about those."""
    found = _WHICH.match(question)
    if not found or " and " not in subject.things:
        return None
    return f"Which of {subject.things}{question[found.end() :]}"


def _resolve(question: str, subject: Subject) -> str | None:
    """Put the subject where the question points back."""
    connected = _CONNECTIVE.match(question)
    body = question[connected.end() :] if connected else question
    reference = find_reference(body, continued=connected is not None)
    if reference is None:
        return None
    return _filled(body, reference, subject)


def _filled(body: str, reference: Reference, subject: Subject) -> str:
    before, words = body[: reference.start], body[reference.start : reference.end]
    after = re.sub(r"^['’]s(?= )", " is", body[reference.end :])
    match reference.kind:
        case "place":
            return f"{before}to {subject.thing}{after}"
        case "one":
            return before + _one(words, subject) + after
        case "person":
            return before + _possessive(subject.person or subject.thing, words, after) + after
        case "things":
            return before + _possessive(subject.things, words, after) + after
        case _:
            return before + _thing(words, subject, after) + after


def _thing(words: str, subject: Subject, after: str) -> str:
    """What "it", "its", "that" or "that paper" becomes."""
    _, _, noun = words.partition(" ")
    if noun:
        return _that_noun(noun, subject)
    own = after.split(maxsplit=1)[:1]
    if (
        words.lower() in POSSESSIVES
        and own
        and subject.title.lower().endswith(" " + own[0].strip("?.!,").lower())
    ):
        return f"the {subject.title.rsplit(' ', 1)[0]}"
    return _possessive(subject.thing, words, after)


def _that_noun(noun: str, subject: Subject) -> str:
    """A paper is one about the subject, a man is who was named, a disease is the subject."""
    if noun.lower() in _WRITINGS:
        return f"the {noun} about {subject.thing}"
    return subject.person or subject.thing if noun.lower() in {"man", "woman", "person"} else subject.thing


def _possessive(name: str, pronoun: str, after: str) -> str:
    if pronoun.lower() not in POSSESSIVES or (pronoun.lower() == "her" and not after.strip("?.! ")):
        return name
    return f"{name}’" if name.endswith("s") else f"{name}’s"


def _one(words: str, subject: Subject) -> str:
    """What "the fourth one" and "one" become: the fourth parenting style, a deadlock."""
    lead = words.rsplit(" ", 1)[0] if " " in words else ""
    if not words.lower().endswith(("one", "ones")):
        return f"{words} of {subject.thing}"
    title = subject.title or subject.thing
    if not lead:
        return subject.thing if re.match(r"(?:an?|the) ", subject.thing) else f"a {title}"
    singular = title[:-1] if title.endswith("s") and not words.endswith("s") else title
    return f"{lead} {singular}"


def _carry_over(question: str, subject: Subject) -> str | None:
    """A yes-or-no question that begins with "and" is about the same subject: "and does exercise help?"."""
    connected = _CONNECTIVE.match(question)
    if not connected or not _YES_NO.match(question[connected.end() :]):
        return None
    return f"{question[connected.end() :].rstrip('?.! ')} for {subject.thing}?"


def _sentence(text: str) -> str:
    """With a capital at the beginning, which chatter or a connective may have had before."""
    return text[:1].upper() + text[1:]
