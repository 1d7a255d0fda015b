"""The command: `council …` or `python -m proxycouncil …`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    # Libraries print bars and advice on stderr, which is kept for the progress of the council. Set here
    # and not in the package: whoever imports it decides for himself.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from proxycouncil.council.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
