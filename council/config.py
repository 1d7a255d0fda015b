"""`council.toml`: every setting and every default, in one frozen pydantic model.

It knows names, types, bounds and how a relative path is resolved. It refuses to know models, indexes or
whether a file exists: whoever opens a thing says what is wrong with it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from proxycouncil.council.config_errors import config_error, syntax_error
from proxycouncil.errors import ConfigError
from proxycouncil.graphs.context import Signal
from proxycouncil.graphs.protocols import SlateForm, SlateOrder
from proxycouncil.graphs.run_settings import Locale
from proxycouncil.specialists.loading import DeviceName, DtypeName
from proxycouncil.specialists.prompts import FormatName
from proxycouncil.specialists.quantizing import QuantizeName
from proxycouncil.specialists.remote.dialects import ServerKind
from proxycouncil.specialists.remote.recall import Fallback

RESERVED_NAMES = frozenset({"general", "council", "base", "antiexpert"})
_NAME = re.compile(r"[a-z][a-z0-9_-]{2,}")
_PATH_PREFIXES = ("./", "../", "/", "~")
STARTER_SCHEME = "starter:"
_STARTER_FAMILY = Path(__file__).resolve().parent / "starter" / "family"
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")

Positive: TypeAlias = Annotated[int, Field(strict=True, ge=1)]
Share: TypeAlias = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Seconds: TypeAlias = Annotated[float, Field(strict=True, gt=0.0)]
Alpha: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _directory_of(info: ValidationInfo) -> Path:
    """Where relative paths start: the directory of the file, or the working directory."""
    return (info.context or {}).get("directory") or Path.cwd()


def _resolved(path: Path, info: ValidationInfo) -> Path:
    return (_directory_of(info) / path.expanduser()).resolve()


def _path_or_hub_id(value: str, info: ValidationInfo) -> str:
    """A value that looks like a path, or is one, becomes absolute; anything else is a hub id."""
    if value.startswith(STARTER_SCHEME):
        return _shipped(value.removeprefix(STARTER_SCHEME))
    path = _resolved(Path(value), info)
    return str(path) if value.startswith(_PATH_PREFIXES) or path.exists() else value


def _shipped(name: str) -> str:
    """A model of the starter's family, wherever the package lies."""
    path = _STARTER_FAMILY / name
    if not path.resolve().is_relative_to(_STARTER_FAMILY) or not path.is_dir():
        experts = ", ".join(f"experts/{one.name}" for one in sorted((_STARTER_FAMILY / "experts").iterdir()))
        raise ValueError(f"the starter ships no {name!r}; it ships base, antiexpert, {experts}")
    return str(path)


def _checkpoint_url(value: str, info: ValidationInfo) -> str:
    if value.startswith(_POSTGRES):
        return value
    if not value.startswith(_SQLITE):
        raise ValueError("must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
    return f"{_SQLITE}{_resolved(Path(value.removeprefix(_SQLITE)), info)}"


def _planner(value: str) -> str:
    if value not in ("off", "rules") and not re.fullmatch(r"[\w-]+:\S+", value):
        raise ValueError("must be off, rules, or a chat model as provider:name")
    return value


Location: TypeAlias = Annotated[Path, AfterValidator(_resolved)]
Weights: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_path_or_hub_id)]
CheckpointUrl: TypeAlias = Annotated[str, AfterValidator(_checkpoint_url)]


class Section(BaseModel):
    """One table of the file: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class FamilyConfig(Section):
    """The models that decode together: one large base, one small twin."""

    base: Weights
    """The large model: a path, or a hub id that may end in `@revision`; with `base_url`, its name there."""
    base_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+")
    """A completions server that runs the base; unset: it runs here."""
    base_server: ServerKind = "llama.cpp"
    """Whose manners that server has."""
    base_key_env: str | None = None
    """Environment variable that holds the server's key."""
    top_k: Positive = 20
    """Log-probabilities asked of the server at each place."""
    top_k_most: Positive | None = None
    """The longest list asked for where the favourite is in doubt; unset: never a longer one."""
    recalls: Annotated[int, Field(strict=True, ge=0)] = 4
    """Tokens asked for by name where the favourite is in doubt."""
    timeout_s: Seconds = 30.0
    """Seconds of silence after which a request to the server is given up."""
    retries: Annotated[int, Field(strict=True, ge=0)] = 4
    """Further tries, after growing pauses, of a request that met no server or a busy one."""
    fallback: Fallback = "none"
    """Where the server is gone: `none` ends in an error, `expert` lets the member's expert go on alone."""
    antiexpert: Weights | None = None
    """The small untuned twin of every expert; needed as soon as one member has an expert."""
    device: DeviceName = "auto"
    """Where the models run."""
    dtype: DtypeName = "auto"
    """Precision of the weights in memory; `auto` is float32 for a small family on a CPU, else as stored."""
    quantize: QuantizeName = "none"
    """The base's weights in `int8`: least memory, not the same sums; needs the extra `int8` (torchao)."""
    prompt: FormatName = "auto"
    """How models are asked; `auto` takes each tokenizer's chat template where there is one."""
    max_rows: Positive = 32
    """Sequences decoded together; further ones wait."""
    threads: Positive | None = None
    """Threads of torch; unset leaves torch's own choice."""


class MemberConfig(Section):
    """How one member is steered. As `[generalist]`: the member `general`, who reads every collection."""

    expert: Weights | None = None
    """LoRA adapter over the anti-expert, or a full checkpoint; unset: the base unsteered."""
    alpha: Alpha = 1.0
    """Weight of `expert − antiexpert` on the logits; 0 is the base."""


class SpecialistConfig(MemberConfig):
    """One member with a domain of its own."""

    title: str = ""
    """Name shown to people; empty shows the key."""
    description: str = ""
    """What the domain covers; routing reads it."""
    examples: tuple[str, ...] = ()
    """Questions as people type them; routing reads them."""
    documents: tuple[Location, ...] = ()
    """Files and folders that `council ingest DOMAIN` takes when none are named."""
    persona: str = ""
    """Instruction for prompt formats that have a place for one."""
    locale: Locale | None = None
    """How its documents write numbers and dates, as `de-DE`; unset: as `council.locale`."""
    shots: Location | None = None
    """Questions with answers, as `council tune` reads them, whose nearest enter the prompt (`[few_shot]`)."""


class RetrievalConfig(Section):
    """Where passages are kept and how many a member reads."""

    path: Location = Field(default=Path("library"), validate_default=True)
    """Chroma's persistent directory."""
    url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+")
    """A Chroma server instead of a directory."""
    embedder: Weights = "all-MiniLM-L6-v2"
    """Sentence embedder: the bundled name, a path or a hub id."""
    slate: SlateForm = "sentences"
    """What a member reads: the best sentences, or whole passages."""
    excerpts: Positive = 4
    """Excerpts on a slate."""
    own_excerpts: Positive | None = None
    """Excerpts on a member's own slate, where it is not as many: readings of another length differ in their
    errors."""
    budget_tokens: Positive = 1024
    """Tokens of the base that a slate may take; what comes after is left out."""
    order: SlateOrder = "best_first"
    """Order of the excerpts on the shared slate."""
    own_order: SlateOrder = "shuffled"
    """Order on a member's own slate: another one shows what only holds in one order; small models read best
    what stands first."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if {"path", "url"} <= self.model_fields_set:
            raise ValueError("path and url exclude each other: keep one")
        return self


class FewShotConfig(Section):
    """Which examples of a specialist's `shots` enter its prompt."""

    select: Literal["similarity", "mmr", "length"] = "similarity"
    """The nearest; the nearest that differ among themselves; or the first of the file."""
    examples: Positive = 4
    """Examples at most."""
    budget_tokens: Positive = 256
    """Tokens of the base that they may take together; what comes after is left out."""


class MemoryConfig(Section):
    """What users asked to remember, read in all of their conversations; off unless a store is named."""

    store: CheckpointUrl | None = None
    """`sqlite:///FILE` or `postgresql://…`, where LangGraph's store keeps it; unset: nothing is."""


class DeliberationConfig(Section):
    """Who is asked, how long, and when the council dares to answer."""

    ask_at_most: Positive = 3
    """Specialists asked; the generalist comes on top."""
    mass: Share = 0.9
    """Specialists are asked in the order of their probability until it sums to this."""
    ballots: Annotated[int, Field(strict=True, ge=1, le=2)] = 2
    """Readings by each member: the first of the shared slate, the second of its own collection."""
    deadline_s: Seconds = 60.0
    """A member that takes longer casts a late ballot, which does not count."""
    quorum: Positive = 2
    """Live members needed to decide, of those asked, if that many were."""
    target_risk: Share = 0.05
    """Share of wrong answers among those given that calibration aims at."""
    proven_only: Annotated[bool, Field(strict=True)] = False
    """Answer only where the calibration proved that risk, and not where it was told to answer more."""
    calibration: Location | None = None
    """File with what was fitted on calibration questions; unset: uncalibrated, and said so."""
    checkpoints: CheckpointUrl | None = None
    """`sqlite:///FILE` or `postgresql://…`, where conversations are kept; unset: gone with the process."""
    max_new_tokens: Positive = 48
    """Length of one answer."""
    verbatim: Annotated[bool, Field(strict=True)] = False
    """Members write only what stands on their slate, or the refusal: for families too small to rephrase."""
    ask_between: tuple[Share, Share] | None = None
    """Two confidences: in a conversation a person decides from the first up to the second; unset: never."""
    planner: Annotated[str, AfterValidator(_planner)] = "off"
    """Ask questions of several parts part by part: split by `rules`, or by a chat model, `openai:gpt-5`."""
    early_stop: Annotated[bool, Field(strict=True)] = False
    """Stop members still reading once they can't change the outcome; the decision is then marked degraded."""
    entailment: Weights | None = None
    """A cross-encoder for inference, path or hub id: joins answers that say one thing in other words."""
    locale: Locale | None = None
    """How answers write numbers and dates, as `en-US`; unset: "1,5" and "1.5" are not the same."""
    unsure_below: Share | None = None
    """A member less sure of its reading casts its best excerpt verbatim; unset: never."""

    @field_validator("ask_between")
    @classmethod
    def _first_below_second(cls, between: tuple[float, float] | None) -> tuple[float, float] | None:
        if between is not None and between[0] >= between[1]:
            raise ValueError("the first must be below the second")
        return between


class VoteConfig(Section):
    """What is done beyond counting the ballots. All of it takes time, and a calibration of its own."""

    cross_scoring: Annotated[bool, Field(strict=True)] = False
    """Spread each reading's vote over all answers, as likely as it would have given them; no `base_url`."""
    signals: tuple[Signal, ...] = ()
    """Measured and saved with the count, for `council calibrate`; `p_true` brings the cross-scores along."""
    reconsider_below: Share | None = None
    """Where the first answer leads by less, members read what those in dispute cite, once; unset: never."""


class CouncilConfig(Section):
    """All of `council.toml`."""

    family: FamilyConfig
    specialists: dict[str, SpecialistConfig] = Field(default_factory=dict)
    generalist: MemberConfig = MemberConfig()
    retrieval: RetrievalConfig = Field(default_factory=dict, validate_default=True)
    few_shot: FewShotConfig = FewShotConfig()
    memory: MemoryConfig = MemoryConfig()
    council: DeliberationConfig = DeliberationConfig()
    vote: VoteConfig = VoteConfig()
    _directory: Path = PrivateAttr(default_factory=Path.cwd)

    @property
    def directory(self) -> Path:
        """Where relative paths start: the directory of the file, or the working directory."""
        return self._directory

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file; whatever is wrong with it is one `ConfigError` that names key, value and cure."""
        file = Path(path).expanduser()
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise syntax_error(error, file=file) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{file} is not UTF-8 text", hint="save it as UTF-8") from error
        except OSError as error:
            raise ConfigError(
                f"can't read {file}: {error.strerror}",
                hint="`council new DIR` writes one; --config FILE names another",
            ) from error
        return cls.from_mapping(data, directory=file.resolve().parent, name=str(file))

    @classmethod
    def from_mapping(
        cls, data: Mapping[str, Any], *, directory: Path | None = None, name: str = "council.toml"
    ) -> Self:
        """Check what a file would hold; `name` stands for it in errors."""
        try:
            return cls.model_validate(data, context={"directory": directory})
        except ValidationError as error:
            raise config_error(error, model=cls, name=name) from error

    def remembering(self, checkpoints: str) -> Self:
        """The same settings, with conversations kept in that database."""
        council = self.council.model_copy(update={"checkpoints": checkpoints})
        return self.model_copy(update={"council": council})

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 (pydantic's signature)
        """Keep the directory that paths were resolved against."""
        self._directory = (context or {}).get("directory") or Path.cwd()

    @field_validator("specialists")
    @classmethod
    def _names(cls, specialists: dict[str, SpecialistConfig]) -> dict[str, SpecialistConfig]:
        for name in specialists:
            if name in RESERVED_NAMES or not _NAME.fullmatch(name):
                raise ValueError(
                    f"a specialist can't be called {name!r}: a name has three or more of a-z, 0-9, _ and -, "
                    f"begins with a letter and is none of {', '.join(sorted(RESERVED_NAMES))}"
                )
        return specialists

    @model_validator(mode="after")
    def _experts_have_a_twin(self) -> Self:
        members: dict[str, MemberConfig] = {**self.specialists, "general": self.generalist}
        steered = [name for name, member in members.items() if member.expert]
        if self.family.base_url and not self.family.antiexpert:
            raise ValueError("family.antiexpert is missing, and a base behind base_url needs its tokenizer")
        if steered and not self.family.antiexpert:
            raise ValueError(f"family.antiexpert is missing, and the expert of {steered[0]!r} needs it")
        return self
