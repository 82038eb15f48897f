# Every target is a few commands that can also be typed by hand. Needs make, and python3 (3.11 or newer) with its venv module.
# uv is used where it is on the PATH, because it is faster; pip does the same without it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo test test-long check docs lock clean

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: $(RUN) ## upgrade a simulated cloud, live in this terminal
	@$(BIN)/escalator demo

test: $(DEV) ## all tests but the long proofs
	@$(BIN)/pytest -m "not long" --numprocesses logical --dist loadfile --no-loadscope-reorder

test-long: $(DEV) ## the long proofs, and the properties with examples that are new each time
	@$(BIN)/pytest -m long
	@$(BIN)/pytest --hypothesis-profile new tests/properties

check: $(DEV) ## lint, format, types, layers, changelog fragments, generated pages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/towncrier build --draft --version next >/dev/null
	$(BIN)/python -m tools.docs.generate --check

docs: $(DEV) ## write the generated reference pages and check the links
	$(BIN)/python -m tools.docs.generate
	$(BIN)/python -m tools.docs.links

COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url $(UPGRADE)
BEDS = $(wildcard tests/beds/*/requirements.in)
PUBLISHED = $(wildcard tests/beds/published/*.in)

# Pins that still fit stay; UPGRADE=--upgrade takes the newest of everything.
lock: $(DEV) ## bring the lock files in step with what is asked for
	$(COMPILE) pyproject.toml -o requirements/run.lock
	$(COMPILE) pyproject.toml --all-extras -o requirements/extras.lock
	$(COMPILE) pyproject.toml --group dev -o requirements/dev.lock
	for bed in $(BEDS:.in=); do $(COMPILE) $$bed.in -o $$bed.lock || exit 1; done
	for one in $(PUBLISHED:.in=); do $(COMPILE) --no-deps --no-annotate $$one.in -o $$one.lock || exit 1; done

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

# Versions come from the lock files, each file checked against its hash; the project itself is installed in place.
define install
	$(if $(UV),$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $(1) ||) $(PIP) --require-hashes -r $(1)
	$(PIP) --no-deps --editable .
endef

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Escalator needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(RUN): requirements/run.lock pyproject.toml | $(BIN)/python
	$(call install,requirements/run.lock)
	@touch $@

# The development environment holds everything that running needs.
$(DEV): requirements/dev.lock pyproject.toml | $(BIN)/python
	$(call install,requirements/dev.lock)
	@touch $(RUN) $@
