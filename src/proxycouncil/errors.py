"""The one error tree. Every error has a code, a hint that says what to do, and says if a retry may help.

CouncilError
├── UsageError               the caller's mistake                        exit 2
│   ├── ConfigError          council.toml: names key, value, what is allowed
│   │   └── MissingExtraError    an optional package is not installed
│   ├── QuestionError        empty, blank or too long
│   ├── UnknownDomainError   a member or domain that does not exist
│   └── NotSupportedError    something that this council's models can't do
├── FamilyError              weights missing, damaged or foreign          exit 2
│   └── VocabularyError      two tokenizers do not mean the same ids
├── LibraryError             an index that can't be used or written       exit 2
│   ├── EmbedderMismatchError
│   ├── DistanceMismatchError
│   ├── LibraryLockedError
│   └── LibraryWriteError    read-only directory, full disk
├── EngineError              a request that can't be decoded
│   ├── PromptTooLongError
│   ├── EngineClosedError
│   └── RemoteBaseError      a server that can't serve as a base
│       └── RemoteBaseGoneError
├── NotPromotedError         a new version that is worse than the old    exit 1
├── CouncilAbstainedError    the council does not know, and was told to raise that
└── CouncilFailedError       every member failed                          exit 3
"""

from __future__ import annotations

from typing import ClassVar


class CouncilError(Exception):
    """Base of all errors raised on purpose by this package."""

    code: ClassVar[str] = "council_error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CouncilError):
    """The caller asked for something that can't be done as asked."""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown or has a value that is not allowed."""

    code = "config"


class MissingExtraError(ConfigError, ImportError):
    """An optional package is not installed; also an ImportError, as callers expect of one."""

    code = "missing_extra"


class QuestionError(UsageError):
    """The question is empty, blank or longer than the context."""

    code = "question"


class UnknownDomainError(UsageError):
    """No specialist, member or collection has that name."""

    code = "unknown_domain"


class NotSupportedError(UsageError, NotImplementedError):
    """The models of this council can't do that; also a NotImplementedError, as LangChain expects."""

    code = "not_supported"


class FamilyError(CouncilError):
    """Model files are missing, damaged or do not belong together."""

    code = "family"
    exit_code = 2


class VocabularyError(FamilyError):
    """Two models of a family disagree about what a token id means."""

    code = "vocabulary"


class LibraryError(CouncilError):
    """The library of passages can't be opened, read or written."""

    code = "library"
    exit_code = 2


class EmbedderMismatchError(LibraryError):
    """The index holds vectors of another embedder."""

    code = "embedder_mismatch"


class DistanceMismatchError(LibraryError):
    """The index measures another distance than cosine."""

    code = "distance_mismatch"


class LibraryLockedError(LibraryError):
    """Another process holds the library."""

    code = "library_locked"
    retryable = True


class LibraryWriteError(LibraryError):
    """The directory is read-only or the disk is full; what was stored stays readable."""

    code = "library_write"


class EngineError(CouncilError):
    """The engine can't decode a request."""

    code = "engine"


class PromptTooLongError(EngineError):
    """A prompt does not fit into the context of one of the models."""

    code = "prompt_too_long"
    exit_code = 2


class EngineClosedError(EngineError):
    """The engine was shut down before the request ended."""

    code = "engine_closed"


class RemoteBaseError(EngineError):
    """The server of a base that is not ours refused, or does not tell what steering needs."""

    code = "remote_base"


class RemoteBaseGoneError(RemoteBaseError):
    """The server of a base that is not ours can't be reached, or is too busy, after all retries."""

    code = "remote_base_gone"
    retryable = True


class NotPromotedError(CouncilError):
    """A new version is worse than the one that answers, or not shown to be as good."""

    code = "not_promoted"


class CouncilAbstainedError(CouncilError):
    """The council does not know, and the caller asked for that to be an error."""

    code = "abstained"


class CouncilFailedError(CouncilError):
    """Every member of the council failed."""

    code = "all_failed"
    exit_code = 3
