# Two commands for a newcomer: `make demo` and `make test`. Both need python3 and nothing else.
#
#   make demo            install, then train, sample and reconstruct in minutes
#   make test            install, then run the whole test suite
#   make check           ruff, mypy
#   make demo UV=1       install with uv instead of pip
#   make test PYTHON=python3.12 VENV=.venv-3.12

PYTHON ?= python3
VENV ?= .venv
UV ?=
BIN := $(VENV)/bin
# The tests run one process a core; each of them then computes with one thread.
TEST_ARGS ?= -n auto

ifeq ($(strip $(UV)),)
  MAKE_VENV = $(PYTHON) -m venv $(VENV)
  INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
else
  MAKE_VENV = uv venv --quiet --python $(PYTHON) $(VENV)
  INSTALL = uv pip install --quiet --python $(BIN)/python
endif

.PHONY: demo test check clean

demo: $(VENV)/.installed
	$(BIN)/aeplug demo

test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest $(TEST_ARGS)

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
