"""`council versions`, `council promote` and `council rollback`: which version answers, and since when."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxycouncil.council.cli.regress import Limit, Margin, QuestionsPlace, print_regression, progress_of
from proxycouncil.council.cli.running import DEFAULT_FILE, ConfigFile, Debug, process_of
from proxycouncil.errors import ConfigError, NotPromotedError, UsageError

if TYPE_CHECKING:
    from proxycouncil.council.versions.release import Release
    from proxycouncil.council.versions.store import Entry, Store
    from proxycouncil.eval.regress import Regression


def versions(
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every part and say which is damaged.")
    ] = False,
    prune: Annotated[
        int | None, typer.Option("--prune", min=1, help="Delete all but the last so many that were promoted.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all as one JSON object.")] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """List the versions of a council.

    What each is made of, when and by whom it was promoted, how it compared with the one before.
    """
    store = _store(config)
    if prune is not None:
        with store.alone():
            gone = store.prune(prune)
        typer.echo(f"deleted: {', '.join(gone) or 'nothing'}", err=True)
    rows = [_told(store, version, verify=verify) for version in store.ids()]
    rows.sort(key=lambda row: row["at"] or "")
    if as_json:
        typer.echo(json.dumps({"current": store.current, "previous": store.previous, "versions": rows}))
    else:
        _print(store, rows)


def promote(
    ctx: typer.Context,
    new: Annotated[
        Path | None, typer.Argument(help="A council.toml with the new parts; by default the one in force.")
    ] = None,
    *,
    questions: QuestionsPlace = None,
    limit: Limit = None,
    margin: Margin = 0.05,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse also what is not shown to be as good.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Promote even what is worse; the journal says so.")
    ] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Let new experts, library and calibration answer.

    They are copied into versions/ and compared with those that answer now, on the same questions; what is
    worse is refused, with exit code 1. A running `council serve` takes them over. The first version is
    compared with nothing.
    """
    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.council.versions.making import make_release
    from proxycouncil.council.versions.promotion import weigh

    store, process = _store(config), process_of(ctx)
    release = make_release(CouncilConfig.load(new or store.config), store)
    release.applied(CouncilConfig.load(store.config), store.root)  # it must fit the settings in force
    before = store.release(store.current) if store.current else None
    if before is not None and before.id == release.id:
        typer.echo(f"{release.id} answers already: nothing has changed")
        return
    found: Regression | None = None
    if before is not None and not (force and questions is None and not _has_questions(store)):
        found, stale = weigh(
            store,
            before,
            release,
            opener=process.open,
            questions=questions,
            limit=limit,
            margin=margin,
            progress=progress_of,
        )
        print_regression(found)
        if stale:
            fitted = f"its calibration was fitted with another {', '.join(stale)}"
            typer.echo(f"{fitted}: `council calibrate` fits it again", err=True)
    with store.alone():
        if store.current != (before.id if before else None):
            raise UsageError("another version was promoted meanwhile", hint="promote again, against that")
        _decide(store, release, before, found, strict=strict, force=force)


def rollback(
    version: Annotated[
        str | None, typer.Argument(help="The version to go back to; by default the one before.")
    ] = None,
    *,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Let an earlier version answer again.

    At once: nothing is copied or compared. Repeated, it goes back further.
    """
    from proxycouncil.council.config import CouncilConfig

    store = _store(config)
    with store.alone():
        target = version or store.previous
        if target is None:
            raise UsageError("there is no version to go back to", hint="`council versions` lists them")
        release = store.release(target)
        release.applied(CouncilConfig.load(store.config), store.root)
        before = store.release(store.current) if store.current else None
        entry = store.point_to(release.id, "rollback", changes=release.changes(before))
    typer.echo(f"{release.id} answers now, instead of {entry.before or 'the settings as written'}")


def _decide(
    store: Store,
    release: Release,
    before: Release | None,
    found: Regression | None,
    *,
    strict: bool,
    force: bool,
) -> None:
    from proxycouncil.council.versions.promotion import summary

    told: dict[str, Any] = {"changes": release.changes(before)}
    if found is not None:
        told |= {"verdict": found.verdict, "reasons": list(found.reasons), "compared": summary(found)}
    refused = found is not None and (found.verdict == "worse" or (strict and found.verdict == "unclear"))
    if found is not None and refused and not force:
        store.refuse(release.id, **told)
        raise NotPromotedError(
            f"{release.id} is kept back: {'; '.join(found.reasons)}",
            hint="mend it and promote again, or --force",
        )
    entry = store.point_to(release.id, "promote", forced=refused, **told)
    changed = f" (changed: {', '.join(entry.changes)})" if entry.changes else ""
    typer.echo(f"{release.id} answers now{changed}, instead of {entry.before or 'the settings as written'}")


def _has_questions(store: Store) -> bool:
    from proxycouncil.council.comparing import FOLDER

    return (store.config.parent / FOLDER).is_dir()


def _store(config: Path | None) -> Store:
    from proxycouncil.council.versions.store import Store

    file = config or DEFAULT_FILE
    if not file.is_file():
        raise ConfigError(
            f"there is no {file}: only a council of one's own has versions",
            hint="`council init --family NAME` writes one; --config FILE names another",
        )
    return Store(file)


def _told(store: Store, version: str, *, verify: bool) -> dict[str, Any]:
    """A version as plain data, with the last that the journal says of it."""
    from proxycouncil.council.versions.making import damage

    release = store.release(version)
    entries = [entry for entry in store.journal() if entry.version == version and entry.action != "rollback"]
    last: Entry | None = entries[-1] if entries else None
    return {
        "version": version,
        "current": version == store.current,
        "action": last.action if last else None,
        "at": last.at if last else None,
        "by": last.by if last else None,
        "forced": bool(last and last.forced),
        "verdict": last.verdict if last else None,
        "reasons": last.reasons if last else [],
        "compared": last.compared if last else None,
        "changes": last.changes if last else [],
        "parts": release.model_dump(),
        **({"damaged": damage(release, store)} if verify else {}),
    }


def _print(store: Store, rows: list[dict[str, Any]]) -> None:
    from proxycouncil.council.rendering import console_for, plain_table

    console = console_for(sys.stdout)
    if not rows:
        console.print(f"no version of {store.config} yet: `council promote` makes the first")
        return
    table = plain_table("", "version", "promoted", "by", "changed", "compared", "damaged")
    for row in rows:
        table.add_row(
            "→" if row["current"] else "",
            row["version"],
            "refused" if row["action"] == "refuse" else row["at"] or "never",
            row["by"] or "",
            ", ".join(row["changes"]),
            _compared(row),
            ", ".join(row.get("damaged", ())),
        )
    console.print(table, crop=False)
    if store.current is None:
        console.print("none of them answers: the settings do, as they are written")


def _compared(row: dict[str, Any]) -> str:
    if row["compared"] is None:
        return "with nothing"
    found = row["compared"]["difference"]
    text = f"{row['verdict']}: {found['estimate']:+.1%} [{found['low']:+.1%}, {found['high']:+.1%}]"
    return f"{text}, forced" if row["forced"] else text
