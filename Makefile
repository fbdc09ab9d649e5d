# Everything runs from .venv, which is made from requirements.lock with nothing but Python and pip.
# `make help` lists the targets; PYTHON=python3.12 picks another interpreter.

PYTHON ?= python3
BIN := .venv/bin
# Real servers for the tests; the tests read the same variable.
export HIGHSEAS_SERVERS ?= $(CURDIR)/.venv-servers

# The floor for the whole, and the files in which a missed branch could lose or double a change.
COVERAGE_FLOOR := 95
COVERED_WHOLLY := policies/*,connector/journal*.py,connector/apply.py,connector/plan*.py,connector/projection.py

.DEFAULT_GOAL := help
.PHONY: help demo test check bench install servers lock clean

fail = { printf 'error: %s\nhint:  %s\n' $(1) $(2) >&2; exit 1; }

help: ## this list
	@awk -F ' *## *' '/^[a-z]+:.*## /{sub(/:.*/, "", $$1); printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed ## the main job against a sandbox CRM on this machine, from pull to undo
	@$(BIN)/highseas demo

test: .venv/.installed ## the tests
	@$(MAKE) --no-print-directory servers || [ -z "$(HIGHSEAS_REQUIRE_DATA)" ]
	@$(BIN)/python -m pytest -q -n auto --dist worksteal

check: .venv/.installed servers ## everything that has to pass before a commit: style, types, floors, coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q -m heavy
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m 'not heavy' --cov --cov-fail-under=$(COVERAGE_FLOOR)
	@$(BIN)/coverage report --include='$(COVERED_WHOLLY)' --fail-under=100

bench: .venv/.installed ## the benchmarks; they print figures and judge nothing
	$(BIN)/python benchmarks/online_retail.py
	$(BIN)/python benchmarks/evaluate.py
	$(BIN)/python benchmarks/pull.py
	$(BIN)/python benchmarks/startup.py

install: .venv/.installed ## make .venv, or renew it when pyproject.toml or the lock has changed
	@:

servers: .venv/.installed ## make the servers that tests run against (Kinto, Tryton, mitmproxy), each in an environment of its own
	@$(BIN)/python tests/servers/install.py "$(HIGHSEAS_SERVERS)"

lock: ## renew requirements.lock from pyproject.toml (needs uv; LOCKFLAGS=--upgrade for newer versions)
	@command -v uv >/dev/null || $(call fail,'uv is not installed; it writes the lock.','pip install uv in an environment of its own and put it on the PATH.')
	@$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	| uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command 'make lock' \
	  --group dev --output-file requirements.lock $(LOCKFLAGS) pyproject.toml - >/dev/null

clean: ## remove .venv, builds, caches and reports; never a workspace's state
	@rm -rf .venv .venv-servers build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.locked: requirements.lock
	@command -v $(PYTHON) >/dev/null || \
	  $(call fail,'$(PYTHON) was not found.','install Python 3.11 or newer or name one: make PYTHON=python3.11.')
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  $(call fail,"$(PYTHON) is $$($(PYTHON) --version 2>&1); highseas needs 3.11 or newer.",'name a newer one: make PYTHON=python3.11.')
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  $(call fail,'$(PYTHON) has no venv module.','install it: on Debian and Ubuntu it is the package python3-venv.')
	@echo 'Making .venv from requirements.lock (once; about half a minute) ...' >&2
	@$(PYTHON) -m venv --clear .venv || \
	  $(call fail,'$(PYTHON) could not make .venv.','see the lines above; is the folder writable and the disk not full?')
	@$(BIN)/pip --disable-pip-version-check install --requirement requirements.lock >.venv/install.log 2>&1 || \
	  $(call fail,"pip could not install the packages ($$(grep '^ERROR' .venv/install.log | tail -n 1 | cut -c8-))",'it needs a network or a mirror (pip config list shows yours); all of it is in .venv/install.log.')
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(BIN)/pip --disable-pip-version-check install --no-deps --no-build-isolation --editable . >.venv/install.log 2>&1 || \
	  $(call fail,'pip could not install highseas itself into .venv.','all of it is in .venv/install.log.')
	@touch $@
