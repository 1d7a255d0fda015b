"""The package as it is imported: light, typed, and with the public names it promises."""

import subprocess
import sys

HEAVY = {"torch", "transformers", "chromadb", "sentence_transformers", "langgraph", "peft", "sklearn"}


def loaded_after(code: str) -> set[str]:
    """Names of top-level modules that a fresh interpreter holds after running the code."""
    probe = f"{code}\nimport sys\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_light():
    assert not HEAVY & loaded_after("import proxycouncil")


def test_public_names_resolve():
    import proxycouncil

    for name in proxycouncil.__all__:
        assert getattr(proxycouncil, name) is not None
