# `make ask Q="…"`, `make chat`, `make test`, `make starter`: everything else is `council --help`.
PYTHON ?= python3
PY := .venv/bin/python
# A CPU build of torch where the registry offers several: TORCH_ARGS="--index-url …" (see README).
TORCH_ARGS ?=
export Q
export HF_HUB_OFFLINE := 1

.PHONY: ask chat test test-slow test-ray langgraph-dev mcp-adapters llama-server starter pictures lint types clean

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

# Two processes of one thread each: models this small are slower on two threads than on one.
test: lint types
	OMP_NUM_THREADS=1 $(PY) -m pytest -q -n 2 --dist loadfile -m "not slow"

test-slow: .venv/.ready
	$(PY) -m pytest -q -m slow

# `langgraph dev` and langchain-mcp-adapters pin other versions of libraries that we use. Each gets an
# environment of its own over .venv, is tried there, and from then on by `make test-slow`, too.
langgraph-dev: .langgraph/.ready
	$(PY) -m pytest -q -m slow tests/test_guests.py -k langgraph_dev

mcp-adapters: .mcp-adapters/.ready
	$(PY) -m pytest -q -m slow tests/test_guests.py -k mcp_adapters

.langgraph/.ready: | .venv/.ready
	$(call environment,.langgraph,'langgraph-cli[inmem]>=0.4.40')

.mcp-adapters/.ready: | .venv/.ready
	$(call environment,.mcp-adapters,'langchain-mcp-adapters>=0.3.2')

# What is in .venv is seen in $(1) unless $(2) brings another version of it.
SITE := import sysconfig; print(sysconfig.get_path("purelib"))
define environment
	$(PY) -m venv $(1)
	echo "import site; site.addsitedir('$$($(PY) -c '$(SITE)')')" > "$$($(1)/bin/python -c '$(SITE)')/over.pth"
	$(1)/bin/python -m pip install -q $(2)
	@touch $(1)/.ready
endef

# Replicas and bulk under Ray on a cluster of this machine; Ray lives in an environment of its own. RAY_ARGS:
# more for pip, such as a folder with Ray's wheel (--find-links DIR).
RAY_ARGS ?=
.venv-ray/.ready: pyproject.toml constraints.txt
	@test -x .venv-ray/bin/python || $(PYTHON) -m venv .venv-ray
	@.venv-ray/bin/python -m pip install -q -c constraints.txt $(TORCH_ARGS) torch
	@.venv-ray/bin/python -m pip install -q -c constraints.txt $(RAY_ARGS) -e '.[dev,ray]'
	@touch $@

# Patience for proxies: Serve gives one three times 5 s to start, which is little where others use the processors.
test-ray: .venv-ray/.ready
	OMP_NUM_THREADS=1 RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S=60 .venv-ray/bin/python -m pytest -q tests/test_ray.py

# llama.cpp's own server, from the source inside llama-cpp-python's sdist: with it `make test-slow` asks it, too.
# Needs cmake and a C++ compiler.
llama-server: .llama/bin/llama-server

.llama/bin/llama-server: | .venv/.ready
	$(PY) -m pip install -q -c constraints.txt gguf
	$(PY) -m pip download -q -c constraints.txt --no-deps --no-binary llama-cpp-python -d .llama llama-cpp-python
	mkdir -p .llama/source
	tar -xzf .llama/llama_cpp_python-*.tar.gz --strip-components=1 -C .llama/source
	cmake -S .llama/source/vendor/llama.cpp -B .llama -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
		-DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_USE_PREBUILT_UI=OFF
	cmake --build .llama --target llama-server -j 2

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
	rm -rf .venv .venv-ray .langgraph .mcp-adapters .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
