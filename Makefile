# `make run` and `make test` need nothing but Python 3.11 or later; everything goes into $(VENV).
#
#   make run ARGS='my_script.py'      debug a script of your own
#   make test ARGS='-k ledger'        pass anything on to pytest; '-n 0' runs the tests in one process
#   make test SLOW=1                  the slow tests as well, as .ci/run does
#   make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
SLOW ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
RUN_STAMP := $(VENV)/.run-stamp
DEV_STAMP := $(VENV)/.dev-stamp

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check format bench dist venv clean

help: ## say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

run: $(RUN_STAMP) ## open the debugger on the bundled GPT, or on ARGS='my_script.py'
	@$(BIN)/microgpt-tui $(ARGS)

# A file's tests stay in one process: they share what its fixtures have recorded.
test: $(DEV_STAMP) ## run the tests, on every core; SLOW=1: the slow ones too
	@$(BIN)/python -m pytest -n auto --dist loadfile $(if $(SLOW),,-m 'not slow') $(ARGS)

check: $(DEV_STAMP) ## format, lint, types and layers: every one, whatever the others say
	@failed=; \
	check() { echo "== $$*"; $(BIN)/"$$@" || failed="$$failed [$$*]"; }; \
	check ruff format --check .; \
	check ruff check .; \
	check mypy; \
	check lint-imports; \
	if [ -n "$$failed" ]; then echo "make check: failed:$$failed" >&2; exit 1; fi

format: $(DEV_STAMP) ## put the source into shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(RUN_STAMP) ## measure speed and memory
	@$(BIN)/python benchmarks/run.py $(ARGS)

dist: $(DEV_STAMP) ## build the release, a wheel and an sdist, into dist/
	@$(BIN)/python -m build --quiet --outdir dist .

venv: $(DEV_STAMP) ## make the environment with the developers' tools, and run nothing

clean: ## remove the environment and what the tools left
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# A dangling link (the interpreter was removed or upgraded) counts as missing, and then so does all that was installed.
$(shell [ -x $(BIN)/python ] || rm -f $(RUN_STAMP) $(DEV_STAMP))
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "microgpt-tui needs Python 3.11 or later, and there is no '$(PYTHON)' here." \
	    "Install it, or name another: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "microgpt-tui needs Python 3.11 or later, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
	    "Name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: its venv or ensurepip module is missing." \
	    "On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) (once) ..."
	@$(PYTHON) -m venv --clear $(VENV)

# Pictures are an extra that not every machine has a wheel for: never a reason to stop, and never compiled.
$(RUN_STAMP): pyproject.toml $(BIN)/python
	@echo "Installing microgpt-tui into $(VENV) (once) ..."
	@$(PIP) install --editable .
	@$(PIP) install --only-binary pygraphviz --editable '.[pictures]' >$(VENV)/pictures.log 2>&1 \
	  || echo "Going on without the 'pictures' extra (why: $(VENV)/pictures.log);" \
	    "pictures then need the 'dot' program."
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	@echo "Installing the developers' tools into $(VENV) (once) ..."
	@$(PIP) install --editable '.[dev]'
	@touch $@
