# Bare `make` prints the targets. Nothing but Python 3.11 to 3.13 and make is needed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check format bench lock clean

help: ## Print the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

demo: $(READY) ## Set up everything and take the digits through the whole pipeline
	$(BIN)/litesmith run digits

test: $(READY_DEV) ## Run the fast tests
	# Two rounds, for workers that import TensorFlow and its tests begin after 20 s of processor
	# time, others after 10.
	$(BIN)/pytest -q -m "not dag and not slow" --durations 10 -n 3 --ignore tests/components
	$(BIN)/pytest -q -m "not dag and not slow" --durations 10 -n 2 --dist loadgroup tests/components

test-slow: $(READY_DEV) ## Run what takes minutes: the real DAG, interruptions, longer training
	# Much of it waits for one process. What shares a dear fixture goes to one worker.
	$(BIN)/pytest -q -m "dag or slow" --durations 10 -n 2 --dist loadgroup

check: $(READY_DEV) ## Format, lint, types, import rules, and whether the locks are current
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python requirements/lock.py --check

format: $(READY_DEV) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY_DEV) ## Measure: each script prints ratios of one run (half an hour)
	$(BIN)/python -m tests.benchmarks.preprocess
	$(BIN)/python -m tests.benchmarks.growth
	$(BIN)/python -m tests.benchmarks.memory
	$(BIN)/python -m tests.benchmarks.input_pipeline
	$(BIN)/python -m tests.benchmarks.share
	$(BIN)/python -m tests.benchmarks.schemes
	$(BIN)/python -m tests.benchmarks.latency_ratios

lock: $(READY_DEV) ## Resolve pyproject.toml anew into requirements/*.lock
	$(BIN)/python requirements/lock.py

clean: ## Remove the environment and everything that runs have left
	rm -rf $(VENV) litesmith-data build dist .mypy_cache .ruff_cache .import_linter_cache

# uv installs the locks in a tenth of pip's time; it comes from a lock of its own.
$(BIN)/uv: requirements/build.lock
	$(PYTHON) -I pipeline/cli/platforms.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.lock
	touch $@

# Compiled once, not at every import, where PYTHONDONTWRITEBYTECODE is set.
define install
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
	  --no-deps --require-hashes -r $(1)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@
endef

$(READY): $(BIN)/uv requirements/local.lock pyproject.toml
	$(call install,requirements/local.lock)

# Another set alone: `make .venv/.ready-cluster` for what only submits.
$(VENV)/.ready-%: $(BIN)/uv requirements/%.lock pyproject.toml
	$(call install,requirements/$*.lock)

$(READY_DEV): $(BIN)/uv requirements/dev.lock pyproject.toml
	$(call install,requirements/dev.lock)
	@touch $(READY)
