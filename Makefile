# The course in a few commands. `make lab` opens it, `make test` tests it; each sets `.venv` up first.
# Options: ARGS="..." goes to the tool behind the command, PYTHON=... picks the Python that `.venv` is made with.

# Some images set this; then every kernel and every process of a test compiles all of PyTorch's Python anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: lab quick test test-all build lint setup clean

# Two workers have two cores: with two threads each, torch waits for itself, and small networks take twice the time.
PYTEST = OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

lab: setup
	@.venv/bin/cvlab lab $(ARGS)

# Three tiers: what changed and one lesson; all that a release needs; the exhaustive rest too.
quick: lint
	@$(PYTEST) -q -m "not slow and not exhaustive" $$(.venv/bin/python tests/support/changed.py) $(ARGS)

test: setup
	@$(PYTEST) -m "not exhaustive" --durations 30 $(ARGS)

test-all: setup
	@$(PYTEST) $(ARGS)

build: setup
	@.venv/bin/cvlab build $(ARGS)

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/cvlab build --check

# Candidates are run, not just looked up: a pyenv shim may exist and fail.
setup:
	@set -- python3 python3.13 python3.12 python3.11 python; [ -z "$(PYTHON)" ] || set -- "$(PYTHON)"; \
	for python; do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  exec "$$python" -I cvlab/course/environment.py; \
	done; \
	echo "cvlab needs Python 3.11 or newer; none of these is one: $$*." >&2; \
	echo "fix: install Python 3.12, or name yours: make lab PYTHON=/path/to/python3.12" >&2; exit 1

clean:
	rm -rf .venv .venv.lock .lab
