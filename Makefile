# Everything from a fresh clone, with nothing but Python 3.11+ and make:
#   make dtda    set up and run the main job
#   make test    set up and run the tests
#   make mutations COUNT=1000    try mutated inputs on every command
#   make site    set up and build the documentation into site/
#   make wheelhouse    collect in build/wheelhouse what a GPU machine without network lacks (docs: GPU)
#   make release-check    build sdist and wheel, and try the wheel in an empty environment
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# bfloat16 where matrix units compute with it; elsewhere, AVX-512 included, it is slower than float32.
PRECISION ?= $(shell if grep -qs amx_bf16 /proc/cpuinfo || command -v nvidia-smi >/dev/null; then echo bf16; else echo no; fi)
ARGS ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
USER_READY := $(VENV)/.ready-user
DEVELOPER_READY := $(VENV)/.ready-developer
RELEASE_READY := $(VENV)/.ready-release

help:
	@sed -n 's/^#   //p' Makefile

.PHONY: help dtda test mutations lint format site wheelhouse release-check clean

dtda: $(USER_READY)
	$(BIN)/padkit train --num_processes 1 --num_machines 1 --dynamo_backend no --mixed_precision $(PRECISION) dtda $(ARGS)

test: $(DEVELOPER_READY)
	$(BIN)/python -m pytest -n auto $(ARGS)

# Mutated inputs for every command; the tests run the first hundred.
mutations: $(DEVELOPER_READY)
	PYTHONPATH=.:tests/support $(BIN)/python -m mutations $(or $(COUNT),1000) $(ARGS)

lint: $(DEVELOPER_READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python .ci/imports.py

format: $(DEVELOPER_READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Needs no network. Search wants a server: .venv/bin/python -m http.server -d site
site: $(DEVELOPER_READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheelhouse: $(DEVELOPER_READY)
	$(PIP) --constraint constraints.txt --editable '.[all,dlib]'
	$(BIN)/python benchmarks/wheelhouse.py $(ARGS)

release-check: $(RELEASE_READY)
	.ci/release-check $(BIN)/python

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "padkit needs Python 3.11 or newer; run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(USER_READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing padkit and its libraries into $(VENV) (several GB, some minutes)"
	$(PIP) --upgrade "pip>=25.1"
	$(PIP) --constraint constraints.txt --editable '.[all]'
	@touch $@
	@echo "ready; for accelerate and padkit by name, type: source $(BIN)/activate"

$(DEVELOPER_READY): $(USER_READY)
	$(PIP) --constraint constraints.txt --group dev
	@touch $@

$(RELEASE_READY): $(DEVELOPER_READY)
	$(PIP) --constraint constraints.txt --group release
	@touch $@

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
