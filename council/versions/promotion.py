"""Whether a new version may answer: it is asked what the old one was asked, and compared.

What is asked is the kept version itself, not the files it was copied from: what was measured is what serves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxycouncil.council.comparing import asked, default_questions, questions_at, read_runs
from proxycouncil.council.fingerprints import settings_fingerprint
from proxycouncil.eval.regress import MARGIN, Regression, regress

if TYPE_CHECKING:
    from proxycouncil.council.comparing import Progress, Run
    from proxycouncil.council.council import Council
    from proxycouncil.council.questions import Question
    from proxycouncil.council.versions.release import Release
    from proxycouncil.council.versions.store import Store

Opener = Callable[[Path], "Council"]


def weigh(
    store: Store,
    old: Release,
    new: Release,
    *,
    opener: Opener,
    questions: Path | None = None,
    limit: int | None = None,
    margin: float = MARGIN,
    progress: Callable[[str], Progress],
) -> tuple[Regression, tuple[str, ...]]:
    """Ask both versions and compare; what a version answered before is not asked again.

    Args:
        opener: opens the council of a reference such as `council.toml@VERSION`.
        questions: a file or folder; by default `questions/` beside council.toml.
        progress: by the name of a version, what is told how far it is.

    Returns:
        the comparison, and the parts of the new version that its calibration was not fitted with.

    Raises:
        UsageError: there are no questions.
    """
    put: list[Question] | None = None
    found: list[list[Run]] = []
    stale: tuple[str, ...] = ()
    for release in (old, new):
        with opener(Path(f"{store.config}@{release.id}")) as council:
            if put is None:
                put = questions_at(questions or default_questions(council), limit=limit)
            keep = store.root / "runs" / f"{release.id}-{_key(council, put)}.jsonl"
            found.append(_runs(council, put, keep, progress=progress(release.id)))
            stale = council.stale
    meant = [name for name in new.changes(old) if name in new.experts]
    return regress(found[0], found[1], changed=meant, margin=margin), stale


def summary(found: Regression) -> dict[str, Any]:
    """What the journal keeps of a comparison."""
    overall = found.overall[0]
    return {
        "questions": found.questions,
        "better": overall.better,
        "worse": overall.worse,
        "difference": asdict(overall.difference),
        "drift": found.drift.changed.estimate,
    }


def _runs(council: Council, put: Sequence[Question], keep: Path, *, progress: Progress) -> list[Run]:
    if keep.is_file():
        return read_runs(keep)
    keep.parent.mkdir(parents=True, exist_ok=True)
    unfinished = keep.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    runs = asked(council, put, keep=unfinished, progress=progress)
    unfinished.rename(keep)
    return runs


def _key(council: Council, put: Sequence[Question]) -> str:
    """Of all that decides an answer apart from the version: questions, marks, settings."""
    lines = [json.dumps([one.id, one.text, dict(one.marking)], default=str) for one in put]
    parts = "\0".join([settings_fingerprint(council.config), *lines])
    return hashlib.sha256(parts.encode()).hexdigest()[:12]
