"""`council ask`: one question, or one a line of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, TypeAlias

import typer

from proxycouncil.council.cli.bulk import ask_table, check_alone
from proxycouncil.council.cli.running import ConfigFile, Debug, Process, User, locator, process_of, user_of
from proxycouncil.council.question_lines import in_locale, read_questions, whole
from proxycouncil.errors import UnknownDomainError, UsageError

if TYPE_CHECKING:
    from proxycouncil.council.cli.reporting import Reporter
    from proxycouncil.council.council import Council
    from proxycouncil.council.events import Answer
    from proxycouncil.council.questions import Question
    from proxycouncil.council.saving import Runs
    from proxycouncil.graphs.run_settings import RunSettings

Tokens: TypeAlias = Annotated[
    bool, typer.Option("--tokens", help="Show what steering did at each token, on stderr.")
]
TokensPage: TypeAlias = Annotated[
    Path | None, typer.Option("--tokens-html", help="Write what steering did at each token as a page.")
]
Out: TypeAlias = Annotated[
    Path | None, typer.Option("--out", help="Write a table of answers: .parquet, .csv or .jsonl.")
]
OnRay: TypeAlias = Annotated[
    bool, typer.Option("--ray", help="Answer a table on the Ray cluster of RAY_ADDRESS, or one started here.")
]
Workers: TypeAlias = Annotated[int, typer.Option("--workers", min=1, help="Councils, with --ray.")]
AtOnce: TypeAlias = Annotated[int, typer.Option("--at-once", min=1, help="Questions of a file in flight.")]

ALL_FAILED = 3
_AT_ONCE = 4


def ask(
    ctx: typer.Context,
    question: Annotated[
        str | None, typer.Argument(help="In plain words; read from stdin where it is piped.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print events, one JSON object a line.")] = False,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="One question a line, or - for stdin.")
    ] = None,
    members: Annotated[str | None, typer.Option("--members", "-m", help="Ask just those: a,b.")] = None,
    plan: Annotated[
        bool | None,
        typer.Option("--plan/--no-plan", help="Ask a question of several parts part by part."),
    ] = None,
    parts: Annotated[
        list[str] | None,
        typer.Option("--part", help="A part to ask instead, again for each; {1} is the first one's answer."),
    ] = None,
    config: ConfigFile = None,
    timings: Annotated[bool, typer.Option("--timings", help="Show where the time went.")] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="Keep every ballot there, for revote, report, calibrate.")
    ] = None,
    thread: Annotated[
        str | None, typer.Option("--thread", help="Name of a conversation, for follow-ups.")
    ] = None,
    user: User = None,
    locale: Annotated[
        str | None, typer.Option("--locale", help="How answers write numbers and dates: de-DE, en-US.")
    ] = None,
    proven: Annotated[
        bool, typer.Option("--proven", help="Answer only where the calibration proved its risk.")
    ] = False,
    tokens: Tokens = False,
    page: TokensPage = None,
    out: Out = None,
    at_once: AtOnce = _AT_ONCE,
    ray: OnRay = False,
    workers: Workers = 2,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Ask a question, or one a line of a file.

    With --out a table of questions (.parquet, .csv, .jsonl, or one a line) becomes one of answers, one a row,
    errors as rows. Broken off, the same command goes on.

    Exit codes: 0 answered or abstained, 2 usage or configuration, 3 every member failed, 130 interrupted.
    """
    from proxycouncil.council.cli.reporting import JsonReporter, TextReporter
    from proxycouncil.council.cli.tokens import TokensReporter, check_page
    from proxycouncil.council.questions import Question

    _check(question, file, parts=bool(parts), plan=plan, to_table=out is not None, ray=ray)
    wish = tuple(parts) if parts else plan
    own = in_locale(_only_proven() if proven else None, locale)
    if tokens or page:
        check_page(page, several=file is not None)
    check_alone(
        out,
        question=question,
        json=as_json,
        timings=timings,
        save=save,
        thread=thread,
        locale=locale,
        proven=proven,
        tokens=tokens,
        tokens_html=page,
    )
    process = process_of(ctx)
    if out is not None:
        with process.open(config) as council:
            chosen = _members(members, council)
            pool = (workers, at_once) if ray else None
            raise typer.Exit(ask_table(file, out, council, members=chosen, at_once=at_once, pool=pool))
    asked = _one_question(question) if file is None else None
    with ExitStack() as stack:
        runs = stack.enter_context(_saved(save)) if save else None
        council = stack.enter_context(process.open(config))
        chosen = _members(members, council)
        like = Question("", thread, members=chosen, settings=own, plan=wish, user=user_of(user, council))
        reporter: Reporter = (
            JsonReporter() if as_json else TextReporter(locate=locator(council), several=file is not None)
        )
        if tokens or page:
            reporter = TokensReporter(reporter, council, show=tokens, page=page)
        if asked is not None:
            code = _ask_one(replace(like, text=asked), council, reporter, timings=timings, runs=runs)
        else:
            code = _ask_file(
                str(file), council, reporter, like=like, timings=timings, runs=runs, at_once=at_once
            )
    if timings:
        _show_total(process)
    raise typer.Exit(code)


def _check(
    question: str | None, file: str | None, *, parts: bool, plan: bool | None, to_table: bool, ray: bool
) -> None:
    """Refuse options that exclude each other."""
    if question is not None and file is not None:
        raise UsageError("a question and --file exclude each other", hint="leave one of them out")
    if parts and (file is not None or plan is False):
        raise UsageError("--part goes with one question", hint="leave --file and --no-plan out")
    if ray and not to_table:
        raise UsageError("--ray answers tables", hint="name the table of answers with --out")


def _only_proven() -> RunSettings:
    from proxycouncil.graphs.run_settings import RunSettings

    return RunSettings(proven_only=True)


def _one_question(question: str | None) -> str:
    if question is not None:
        return whole(question)
    if sys.stdin.isatty():
        raise UsageError("no question", hint='council ask "What is opportunity cost?", or --file FILE')
    return whole(sys.stdin.read())


def _members(names: str | None, council: Council) -> tuple[str, ...]:
    """The members to ask, all of them known; none named: the router chooses."""
    chosen = tuple(name.strip() for name in (names or "").split(",") if name.strip())
    if names is not None and not chosen:
        raise UsageError("--members names nobody", hint=f"members are {', '.join(council.members)}")
    unknown = [name for name in chosen if name not in council.members]
    if unknown:
        raise UnknownDomainError(
            f"no member is called {unknown[0]!r}", hint=f"members are {', '.join(council.members)}"
        )
    return chosen


def _ask_one(
    question: Question,
    council: Council,
    reporter: Reporter,
    *,
    timings: bool,
    runs: Runs | None,
) -> int:
    """One question: events as they happen, or where it is timed or saved all at once."""
    from proxycouncil.council.events import DecisionEvent

    if timings or runs:
        put = iter([question])
        answers = (council.ask(one) for one in (runs.put(put) if runs else put))
        return _report(runs.keep(answers) if runs else answers, reporter, timings=timings)
    failed = False
    for event in council.stream(question):
        reporter.show(event)
        failed = isinstance(event, DecisionEvent) and event.outcome == "error"
    return ALL_FAILED if failed else 0


def _ask_file(
    file: str,
    council: Council,
    reporter: Reporter,
    *,
    like: Question,
    timings: bool,
    runs: Runs | None,
    at_once: int,
) -> int:
    """Every line of a file, put as `like` is.

    A pipe is answered line by line, so that the other end may wait for each.
    """
    at_once = 1 if file == "-" else at_once
    with _opened(file) as lines:
        questions = read_questions(lines, like)
        answers = council.ask_many(runs.put(questions) if runs else questions, at_once=at_once)
        return _report(runs.keep(answers) if runs else answers, reporter, timings=timings)


def _saved(file: Path) -> AbstractContextManager[Runs]:
    from proxycouncil.council.saving import opened_runs

    return opened_runs(file)


def _report(answers: Iterable[Answer], reporter: Reporter, *, timings: bool) -> int:
    failed = False
    for answer in answers:
        reporter.report(answer)
        failed = failed or answer.outcome == "error"
        if timings:
            _show_timings(answer)
    return ALL_FAILED if failed else 0


@contextmanager
def _opened(file: str) -> Iterator[TextIO]:
    """The lines of a file as they are: only a line feed ends one, whatever else the text holds."""
    try:
        target: int | Path = sys.stdin.fileno() if file == "-" else Path(file)
        opened = open(  # noqa: SIM115 (entered below)
            target, encoding="utf-8-sig", errors="replace", newline="\n", closefd=file != "-"
        )
    except OSError as error:
        raise UsageError(f"can't read {file}: {error.strerror}", hint="--file takes a text file") from error
    with opened:
        yield opened


def _show_timings(answer: Answer) -> None:
    stages = " · ".join(f"{stage} {seconds:.2f} s" for stage, seconds in answer.timings.items())
    typer.echo(f"timings: {stages} · question {answer.seconds:.2f} s", err=True)


def _show_total(process: Process) -> None:
    from time import perf_counter, process_time

    wall = perf_counter() - process.started
    typer.echo(f"timings: command {wall:.2f} s, processor {process_time():.2f} s", err=True)
