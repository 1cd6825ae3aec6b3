# Two commands do all the set-up: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.DEFAULT_GOAL := help
.PHONY: help install run test check format bench sweep train campaign chaos crash deadlines simulate planted peers clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## Make the environment in .venv with the pinned dependencies

# The pins are in one file; torch by its exact version, so that pip takes the CPU build.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Heard needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt hatchling editables
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	touch $(STAMP)

run: install ## Play the recorded day and open the desk
	$(BIN)/heard demo

test: install ## Run the tests
	$(BIN)/python -m pytest

# .ci/run calls `make check TESTS=` and `make test`, so that the tests run once.
TESTS ?= test

check: install ## Everything that CI runs: format, lint, types, import contract, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(if $(TESTS),$(MAKE) $(TESTS))

format: install ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## Measure the line against ceilings taken in the same run
	$(BIN)/python -m bench

sweep: install ## Measure the sweep with a million open deadlines (minutes, 3 GB of memory)
	$(BIN)/python -m bench.deadlines

DATA ?= ../shared/data
BASE ?= base

OUT ?= trained

train: install ## Train a model: make train DATA=… BASE=… OUT=… (docs/model.md)
	$(BIN)/heard train $(OUT) --data $(DATA) --base $(BASE)

campaign: install ## Kill the demo day and the sweep over and over and compare the totals (minutes)
	$(BIN)/python -m pytest tests/campaigns tests/config/test_restarts.py -m campaign

chaos: install ## Disturb the store, the platforms and Slack under load, and print what became of it (20 minutes)
	SEED=$(or $(SEED),1) $(BIN)/python -m pytest tests/chaos -m campaign -p no:randomly --capture=no --quiet

deadlines: install ## Compare 100,000 deadlines with a walk of real minutes (minutes)
	$(BIN)/python -m pytest tests/campaigns/test_deadlines.py -m campaign

SEEDS ?= 10000

simulate: install ## Play the whole line under faults: SEEDS=500, SEEDS=500-900, SEED=17 for one with its trace
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),$(SEEDS)) $(if $(MENTIONS),--mentions $(MENTIONS))

planted: install ## Say after how many simulated seeds each planted bug is caught
	$(BIN)/python -m tests.simulation --planted

CRASH ?= .crash

crash: install ## Kill every process before every call it makes; goes on where it was cut off (an hour, Linux)
	$(BIN)/python -m tests.crash --folder $(CRASH)
	$(BIN)/python -m tests.crash --folder $(CRASH) --naive --sample 120

peers: install ## Try the platforms on other people's servers, in .peers (minutes, 750 MB)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt '.[peers]'
	$(BIN)/python -m tests.peers.bluesky.install
	$(BIN)/python -m pytest tests/peers -m peers

clean: ## Remove the environment; what Heard keeps in .heard stays
	rm -rf $(VENV)
