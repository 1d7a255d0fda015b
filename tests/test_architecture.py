"""The house stands as designed: arrows point down, bare names are never imported, the wheel is whole."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "specialists": set(),
    "retrieval": set(),
    "graphs": {"specialists", "retrieval"},
    "eval": {"graphs", "specialists", "retrieval"},
    "council": {"eval", "graphs", "specialists", "retrieval"},
}
HEAVY = set("torch transformers peft chromadb sentence_transformers langgraph sklearn scipy".split())
LOADED_ON_PURPOSE = {
    "graphs/council_graph.py",
    "specialists/answer_loss.py",
    "specialists/composite.py",
    "specialists/consistent.py",
    "specialists/distilled.py",
    "specialists/fused.py",
    "specialists/growing_layer.py",
    "specialists/packing.py",
}
"""Modules that exist to tie a heavy library in, and are themselves imported inside functions only."""


def sources(room: str) -> list[Path]:
    return sorted(path for path in (ROOT / room).rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of everything imported anywhere below the node."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def imported_at_load(tree: ast.Module) -> set[str]:
    """Dotted names imported when the module is: not inside functions, not under TYPE_CHECKING."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Try)):
            names |= imported(node)
    return names


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_arrows_point_down(room: str):
    forbidden = set(MAY_IMPORT) - MAY_IMPORT[room] - {room}
    for path in sources(room):
        for name in imported(ast.parse(path.read_text())):
            parts = name.split(".")
            reached = parts[1] if parts[0] == "proxycouncil" and len(parts) > 1 else None
            assert reached not in forbidden, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_bare_room_is_imported(room: str):
    for path in sources(room):
        for name in imported(ast.parse(path.read_text())):
            assert name.split(".")[0] not in MAY_IMPORT, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_heavy_libraries_load_inside_functions(room: str):
    for path in sources(room):
        if str(path.relative_to(ROOT)) in LOADED_ON_PURPOSE:
            continue
        loaded = {name.split(".")[0] for name in imported_at_load(ast.parse(path.read_text()))}
        assert not loaded & HEAVY, f"{path.relative_to(ROOT)} loads {loaded & HEAVY}"


def test_rooms_are_linked_and_packed():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for room in MAY_IMPORT:
        assert (ROOT / "src" / "proxycouncil" / room).resolve() == ROOT / room
        assert room in build["only-include"]
        assert build["sources"][room] == f"proxycouncil/{room}"


def test_loose_modules_are_packed():
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = packed["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    loose = [p for p in (ROOT / "src" / "proxycouncil").iterdir() if p.is_file()]
    assert {f"src/proxycouncil/{path.name}" for path in loose} <= set(included)


@pytest.mark.parametrize("room", [*MAY_IMPORT, "tests"])
def test_modules_say_what_they_know(room: str):
    for path in sources(room):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path.relative_to(ROOT)} has no docstring"
