"""`council tune`: from a file of questions and a library to an expert on disk.

Composes what retrieval finds and what specialists learn. Knows only the tuning part of the questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxycouncil.council.run_card import complete_card, worth_of
from proxycouncil.errors import UnknownDomainError, UsageError
from proxycouncil.specialists.cases import Case, read_cases
from proxycouncil.specialists.domain_cases import Slates, SlateVariant, domain_cases
from proxycouncil.specialists.questions import Question, of_part, read_questions
from proxycouncil.specialists.request import Snippet

if TYPE_CHECKING:
    from proxycouncil.graphs.protocols import Searcher, SlateForm
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.tuning import Recipe, Tuned

GENERAL_CASES = Path(__file__).parent / "starter" / "general-cases.jsonl.gz"
VARIANTS = 3
"""Readings of each question."""
MOST_MEASURED = 256
"""Held-out cases that the card's figures are from; fewer than twice as many where they don't divide."""
_NEW = "the new expert"


def tune(
    domain: str,
    questions: Path,
    *,
    library: Searcher,
    antiexpert: str | Path,
    out: Path,
    form: SlateForm = "sentences",
    general: Path = GENERAL_CASES,
    recipe: Recipe | None = None,
    base: str | Path | None = None,
    start_from: str | Path | None = None,
    teacher: str | Path | None = None,
    measured_with: Family | None = None,
    work: Path | None = None,
    progress: bool = False,
) -> Tuned:
    """Tune an expert for a domain of the library on questions about it.

    Slates are read from the library as a member will read them. Files beside `questions` that are named
    after other domains of the library give questions that this domain should decline.

    Args:
        questions: JSON Lines of id, entry, kind, question, answer, accepted.
        out: directory of the expert, for the `expert` setting of the specialist.
        form: what a member reads, sentences or whole passages.
        general: general reading cases to mix in, half and half.
        base: the large model, where the recipe is consistent tuning.
        start_from: an adapter to continue.
        teacher: a stronger model of the same vocabulary, to distil.
        measured_with: base and anti-expert, to say on the card what the expert is worth beside them.
        work: where checkpoints are kept until the expert is complete; the user's cache by default.

    Raises:
        UnknownDomainError: the library has no such collection.
        UsageError: the questions are malformed (with the line) or too few.
    """
    from proxycouncil.specialists.tuning import tune as tune_expert

    cases = cases_for(domain, questions, library, form=form, progress=progress)
    tuned = tune_expert(
        cases,
        read_cases(general),
        antiexpert=antiexpert,
        out=out,
        work=work or _cache() / domain,
        recipe=recipe,
        base=base,
        start_from=start_from,
        teacher=teacher,
        progress=progress,
    )
    alpha = recipe.alpha if recipe else 1.0
    worth = _worth(measured_with, tuned, cases, alpha=alpha) if measured_with else None
    complete_card(out, questions=sha256(questions.read_bytes()).hexdigest()[:16], worth=worth)
    return tuned


def _worth(family: Family, tuned: Tuned, cases: Sequence[Case], *, alpha: float) -> dict[str, Any]:
    """What the expert is worth on cases held out; an even spread of them where there are many."""
    from proxycouncil.specialists.held_out import ALPHAS, read_held_out

    held_out = [case for case in cases if case.held_out]
    step = max(1, len(held_out) // MOST_MEASURED)
    family.add_expert(_NEW, tuned.directory)
    alphas = sorted({*ALPHAS, alpha})
    return worth_of(read_held_out(family, _NEW, held_out[::step], alphas=alphas), alpha=alpha)


def cases_for(
    domain: str,
    questions: Path,
    library: Searcher,
    *,
    form: SlateForm = "sentences",
    progress: bool = False,
) -> list[Case]:
    """Cases of the tuning part of the questions, with the slates that the library returns."""
    if domain not in library.domains:
        raise UnknownDomainError(
            f"the library has no domain {domain!r}; it has {', '.join(library.domains) or 'none'}",
            hint=f"council ingest {domain} PATH…",
        )
    asked = of_part(read_questions(questions), domain, "tuning")
    if not asked:
        raise UsageError(
            f"{questions} has no questions of the tuning part", hint="give questions about more entries"
        )
    foreign = _foreign(domain, questions, library)
    made = domain_cases(domain, asked, _slates(domain, library, form), foreign=foreign, variants=VARIANTS)
    return list(_tracked(made, total=VARIANTS * len(asked)) if progress else made)


def _slates(domain: str, library: Searcher, form: SlateForm) -> Slates:
    def find(question: str, variant: SlateVariant) -> Sequence[Snippet]:
        # Best first: a small reader leans on the order, and is right to, since the first excerpt holds the
        # answer to most questions.
        domains = [domain] if variant.scope == "own" else None
        excerpts = library.slate(question, domains=domains, form=form, limit=variant.limit)
        return [Snippet(excerpt.passage.title, excerpt.text) for excerpt in excerpts]

    return find


def _foreign(domain: str, questions: Path, library: Searcher) -> list[Question]:
    others = [(name, questions.with_name(f"{name}.jsonl")) for name in library.domains if name != domain]
    return [
        question
        for name, path in others
        if path.exists() and path != questions
        for question in of_part(read_questions(path), name, "tuning")
    ]


def _tracked(cases: Iterable[Case], *, total: int) -> Iterable[Case]:
    from rich.console import Console
    from rich.progress import track

    return track(cases, "reading the library", total=total, console=Console(stderr=True))


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("proxycouncil") / "tuning"
