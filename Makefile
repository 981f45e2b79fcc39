# Everything a fresh machine needs: git, make and a Python of 3.12 or newer.
.PHONY: help setup run test browsers demo check bench lock clean
VENV := .venv
BIN  := $(VENV)/bin
ARGS ?=

help:            ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

run: setup       ## set up, then start the proxy
	@$(BIN)/optout run $(ARGS)

test: setup      ## set up, then run the tests
	@$(BIN)/python -m pytest -n auto $(ARGS)

browsers: setup  ## run the tests in real browsers: Chromium and Firefox, where they are installed
	@$(BIN)/python -m pytest -n 2 --dist loadgroup tests/browsers $(ARGS)

demo: setup      ## the proxy against stand-in trackers on this machine, no internet needed
	@$(BIN)/optout demo $(ARGS)

check: setup     ## style, types, import contracts, and the tool files' own examples
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/optout check

bench: setup     ## side by side with the peers, in one run, as ratios
	@$(BIN)/python -m pip install --quiet --require-hashes -r bench/requirements.lock
	@$(BIN)/python bench/run.py $(ARGS)

setup: $(VENV)/.ready  ## the virtual environment in .venv, from the lock file

$(VENV)/.ready: requirements.lock pyproject.toml .python-version
	@python="$$(sh tools/find-python.sh)" && "$$python" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock:            ## resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra fast --group dev --universal --python-version 3.12 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade -o requirements.lock

clean:           ## forget the virtual environment and the caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
