# Everything a developer starts. `make demo` and `make test` set up what they need, in .venv.
# A PyTorch build other than the default one: PIP_EXTRA_INDEX_URL=<index> make test

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
DECLARED := pyproject.toml constraints.txt
PYTEST_ARGS ?= -n auto
SOAK_FILES ?= 10000
OUT ?= out/demo

.PHONY: help demo test check format docs bench soak clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.demo ## read a real fundus photograph, as a picture and as DICOM; print where the reports are
	@$(BIN)/medloop demo -o $(OUT)

test: $(VENV)/.test ## run all tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.test ## lint, formatting, types, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test ## mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format --quiet

docs: $(VENV)/.test ## write the command reference and the model cards anew from what they tell of
	$(BIN)/python tools/command_reference.py docs/reference/command-line.md
	$(BIN)/python tools/model_cards.py docs/models

bench: $(VENV)/.test ## time medloop beside what it is compared with, on this machine: out/bench/index.md
	$(BIN)/python -m benchmarks page -o out/bench

soak: $(VENV)/.test ## hurt medloop for an hour or two: broken files and PDUs, 200 kills of each part, 20 minutes of load
	$(BIN)/python -m pytest -n auto -m whole
	$(BIN)/python -m tests.soak --files $(SOAK_FILES)
	$(BIN)/python -m tests.soak.pdus --count 10000
	$(BIN)/python -m tests.soak.receiving --kills 200
	$(BIN)/python -m tests.soak.kills --kills 200
	$(BIN)/python -m tests.soak.node --kills 200
	$(BIN)/python -m tests.soak.node --kills 0 --minutes 20

clean: ## remove what make and the tests made
	rm -rf $(VENV) .venv-* out build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.made:
	@tools/system-packages.sh demo
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"medloop needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}: make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.made $(DECLARED)
	@echo "installing medloop into $(VENV)" >&2
	@$(INSTALL) -e '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.made $(DECLARED)
	@tools/system-packages.sh test
	@echo "installing medloop and what its tests need into $(VENV)" >&2
	@$(INSTALL) --group test -e '.[demo,train,serve,deidentify]'
	@$(INSTALL) --no-deps dynamic-network-architectures # nnU-Net's networks, a reference; what it asks for breaks a CPU's torch
	@touch $@ $(VENV)/.demo
