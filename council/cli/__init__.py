"""The `council` command: one module a group of commands, heavy imports inside them."""
