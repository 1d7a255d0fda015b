# `make ask Q="…"`, `make chat`, `make test`, `make starter`: everything else is `council --help`.
PYTHON ?= python3
PY := .venv/bin/python
# A CPU build of torch where the registry offers several: TORCH_ARGS="--index-url …" (see README).
TORCH_ARGS ?=
export Q
export HF_HUB_OFFLINE := 1

.PHONY: ask chat test test-slow starter pictures lint types clean

.venv/.ready: pyproject.toml constraints.txt
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@echo "installing into .venv (about two minutes the first time) …"
	@$(PY) -m pip install -q -c constraints.txt $(TORCH_ARGS) torch
	@$(PY) -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

# "$$Q", not "$(Q)": with the latter a backtick in the question would run as a command.
ask: .venv/.ready
	@$(PY) -m proxycouncil ask "$$Q"

chat: .venv/.ready
	@$(PY) -m proxycouncil chat

lint: .venv/.ready
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: .venv/.ready
	$(PY) -m mypy

test: lint types
	$(PY) -m pytest -q -m "not slow"

test-slow: .venv/.ready
	$(PY) -m pytest -q -m slow

# Trains the family that ships. MINUTES of training, CORPUS as docs/starter.md says, FLAGS="--resume" to go on.
MINUTES ?= 120
CORPUS ?= corpus
FLAGS ?=
starter: .venv/.ready
	nice $(PY) -m training.starter --corpus $(CORPUS) --work .starter --minutes $(MINUTES) $(FLAGS)

# The pictures of README.md, from the starter as it is now.
pictures: .venv/.ready
	$(PY) -m proxycouncil.council.cli.pictures docs/images

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
