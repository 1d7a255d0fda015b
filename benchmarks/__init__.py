"""Programs that print the figures of README and docs; each takes `--json FILE`."""
