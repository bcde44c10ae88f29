# make demo    sets up .venv and shows the main job on the embedded model
# make test    sets up .venv and runs the tests        (ARGS="-k name" for some of them)
# make lint    ruff and mypy --strict
# make bench   times the engine and its peers          (LIMIT=0 for all files, MASKBENCH=folder)
# make clean   removes .venv and the caches

PYTHON ?= python3
JOBS ?= 2
LIMIT ?= 300
MASKBENCH ?= ../shared/data/maskbench
ARGS ?=

BIN := .venv/bin
READY := .venv/.installed
PEERS := .venv/.peers-installed
CHECKED := structgen kernels grammars bench tests

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench clean

help:
	@sed -n 's/^# \(make \)/\1/p' Makefile

setup: $(READY)

# The stamp is written last, so a set-up that broke off is done again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "structgen needs Python 3.11 or later; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(PEERS): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[peers]'
	@touch $@

demo: $(READY)
	$(BIN)/structgen demo

test: $(READY)
	$(BIN)/python -m pytest -q -n $(JOBS) $(ARGS)

lint: $(READY)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy --strict structgen kernels/structgen_kernels

format: $(READY)
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

bench: $(READY) $(PEERS)
	@mkdir -p build/bench
	$(BIN)/structgen bench maskbench --data $(MASKBENCH) --limit $(LIMIT) \
	  --engines structgen,llguidance,xgrammar --output build/bench/maskbench.json
	$(BIN)/structgen bench apply --json build/bench/apply.json

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +
