"""A version: experts, library and calibration by their content. Plain data; touches no file.

Its id is the hash of what it names, so that equal parts are one version wherever and whenever they are put
together. What it does not hold: base and anti-expert (their fingerprint only), the settings of council.toml,
and the documents behind the library's passages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from proxycouncil.errors import ConfigError
from proxycouncil.graphs.context import GENERALIST

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig, MemberConfig

M = TypeVar("M", bound="MemberConfig")


class Kept(BaseModel):
    """One part: where it is kept and what identifies it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: str
    """Below `versions/`; or a hub id, or a server's address, which are kept by others."""
    fingerprint: str
    here: bool = True
    """Whether `place` is below `versions/`."""

    def at(self, root: Path) -> str:
        """Where it is to be opened."""
        return str(root / self.place) if self.here else self.place


class KeptExpert(Kept):
    """An expert at the strength that it was promoted with."""

    alpha: float


class Release(BaseModel):
    """What a version is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    family: str
    """Fingerprint of base and anti-expert."""
    experts: Mapping[str, KeptExpert | None]
    """By member; None: the base unsteered."""
    library: Kept | None
    calibration: Kept | None

    @property
    def id(self) -> str:
        """Twelve digits of its content's hash."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @property
    def parts(self) -> list[Kept]:
        """Everything that it names."""
        return [part for part in (*self.experts.values(), self.library, self.calibration) if part]

    def changes(self, before: Release | None) -> list[str]:
        """The parts that are not those of the version before: members, "library", "calibration", "family"."""
        if before is None:
            return []
        names = sorted({*self.experts, *before.experts})
        found = [name for name in names if self.experts.get(name) != before.experts.get(name)]
        parts = ("library", "calibration", "family")
        return found + [part for part in parts if getattr(self, part) != getattr(before, part)]

    def applied(self, config: CouncilConfig, root: Path) -> CouncilConfig:
        """The settings of council.toml with this version's parts; members it does not have are left out.

        Raises:
            ConfigError: council.toml no longer names one of its members.
        """
        gone = sorted(set(self.experts) - set(config.specialists) - {GENERALIST})
        if gone:
            raise ConfigError(
                f"version {self.id} has the member {gone[0]!r}, which council.toml no longer names",
                hint=f"put [specialists.{gone[0]}] back, then promote what is there without it",
            )
        specialists = {
            name: self._steered(name, one, root)
            for name, one in config.specialists.items()
            if name in self.experts
        }
        retrieval, council = config.retrieval, config.council
        if self.library is not None and self.library.here:
            retrieval = retrieval.model_copy(update={"path": Path(self.library.at(root))})
        calibration = Path(self.calibration.at(root)) if self.calibration else None
        return config.model_copy(
            update={
                "specialists": specialists,
                "generalist": self._steered(GENERALIST, config.generalist, root),
                "retrieval": retrieval,
                "council": council.model_copy(update={"calibration": calibration}),
            }
        )

    def _steered(self, name: str, member: M, root: Path) -> M:
        kept = self.experts.get(name)
        if kept is None:
            return member.model_copy(update={"expert": None})
        return member.model_copy(update={"expert": kept.at(root), "alpha": kept.alpha})
