"""Makes docs/events.schema.json from the events' own models, so that the file can't be wrong.

`python -m proxycouncil.council.cli.events_schema > docs/events.schema.json`
"""

from __future__ import annotations

import json
import sys

from proxycouncil.council.events import events_schema


def main() -> None:
    """Print the schema."""
    sys.stdout.write(json.dumps(events_schema(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
