"""The face: `Council`, its settings, its events, the `council` command and the embedded starter."""
