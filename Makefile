# Two commands for a newcomer: `make demo` and `make test`. Both need python3 and nothing else.
#
#   make demo            install, then train, sample and reconstruct in minutes
#   make test            install, then run the whole test suite
#   make check           ruff, mypy
#   make test-pluggy     the tests of plug-ins on the oldest pluggy that is supported
#   make test-matrix     the suite on the oldest and the newest pluggy and torch, a venv each
#   make demo UV=1       install with uv instead of pip
#   make test PYTHON=python3.12 VENV=.venv-3.12

PYTHON ?= python3
VENV ?= .venv
UV ?=
BIN := $(VENV)/bin
# The tests run one process a core; each of them then computes with one thread.
TEST_ARGS ?= -n auto
# Requirements to install over those of constraints.txt before the tests: PINS="torch~=2.10.0".
PINS ?=
# The oldest that pyproject.toml admits, and without a version the newest there is.
MATRIX ?= pluggy~=1.6.0 pluggy torch~=2.10.0 torch

ifeq ($(strip $(UV)),)
  MAKE_VENV = $(PYTHON) -m venv $(VENV)
  INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
else
  MAKE_VENV = uv venv --quiet --python $(PYTHON) $(VENV)
  INSTALL = uv pip install --quiet --python $(BIN)/python
endif

.PHONY: demo test test-pluggy test-matrix check clean

demo: $(VENV)/.installed
	$(BIN)/aeplug demo

test: $(VENV)/.installed-test
	$(if $(strip $(PINS)),$(INSTALL) --upgrade $(PINS))
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest $(TEST_ARGS)

# Laid over the venv's own, which stays as it is.
test-pluggy: $(VENV)/.installed-test
	$(INSTALL) --no-deps --upgrade --target build/pluggy "$(filter pluggy~=%,$(MATRIX))"
	PYTHONPATH=$(CURDIR)/build/pluggy OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive \
		$(BIN)/python -m pytest $(TEST_ARGS) tests/plugins/test_manager.py tests/plugins/test_hookspecs.py \
		tests/plugins/test_compatibility.py tests/cli/test_plugins_command.py

test-matrix:
	@failed=; for pin in $(MATRIX); do \
		echo "== $$pin"; \
		$(MAKE) test VENV=.venv-matrix-$$(echo "$$pin" | tr -cd 'a-z0-9.') PINS="$$pin" \
			|| failed="$$failed $$pin"; \
	done; \
	test -z "$$failed" || { echo "the suite fails with:$$failed"; exit 1; }

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	$(MAKE_VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) (torch is large; this happens once)"
	$(INSTALL) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) (torch is large; this happens once)"
	$(INSTALL) -c constraints.txt -e ".[test]"
	@touch $@ $(VENV)/.installed

clean:
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
