# Everything a person or CI runs. Needs GNU make and a Python from 3.11 to 3.13; the rest is made under this folder.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

# The interpreter to work with: `make PYTHON=/path/to/python` names one, else the first suitable one on PATH.
ifndef PYTHON
PYTHON := $(shell for candidate in python3 python3.13 python3.12 python3.11 python; do \
	"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { command -v "$$candidate"; break; }; done)
endif
ifeq ($(strip $(PYTHON)),)
$(error no Python from 3.11 to 3.13 on PATH; install one, or say: make PYTHON=/path/to/python3.13)
endif

BIN := .venv/bin
SAM := .venv-sam/bin/sam
CODE := $(wildcard layers/loyalty/python functions local cli tests benchmarks tools)
# Runs the project's own code, which is not installed but found where it lies.
RUN := PYTHONPATH=$(CURDIR):$(CURDIR)/layers/loyalty/python:$(CURDIR)/cli $(BIN)/
export TALLYHOOK_SAM := $(CURDIR)/$(SAM)
# No usage reports, and no prompt for them.
export SAM_CLI_TELEMETRY := 0
# Test processes: one for each core, but two at least, so that a slow test never holds up the others.
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null | awk '{ print ($$1 > 2 ? $$1 : 2) }')
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##### Environments

.PHONY: environment
environment: ## Make or refresh the environments that the other targets use (they do so themselves)
	@$(PYTHON) tools/environment.py .venv requirements-dev.txt
	@$(PYTHON) tools/environment.py .venv-sam requirements-sam.txt

.PHONY: lock
lock: ## Write the hash-pinned requirement files after a change of the ranges in pyproject.toml
	@$(PYTHON) tools/environment.py .venv-uv requirements-uv.txt
	@$(PYTHON) tools/lock.py

.PHONY: upgrade
upgrade: ## The same, moving every pin to the newest version that its range allows
	@$(PYTHON) tools/environment.py .venv-uv requirements-uv.txt
	@$(PYTHON) tools/lock.py --upgrade

##### The product on this machine

.PHONY: demo
demo: environment ## Play one Klaviyo review through the whole product on loopback, show what happened, stop
	@$(RUN)python -m local.stack demo

.PHONY: local
local: environment ## Start the whole product on loopback and stay up until Ctrl-C; URLs and keys are printed
	@$(RUN)python -m local.stack up

.PHONY: down
down: environment ## Stop what `make local` started in another terminal
	@$(RUN)python -m local.stack down

##### Proof

.PHONY: test
test: check ## Everything, as CI runs it: checks, then all tests
	$(PYTEST)

.PHONY: test-fast
test-fast: environment ## Unit and property tests of the product, in about a minute
	HYPOTHESIS_PROFILE=fast $(PYTEST) -m "not slow" tests/unit tests/property \
		$(foreach tools,benchmarks fake_klaviyo local tools,--ignore=tests/unit/$(tools))

.PHONY: check
check: environment ## Format, lint, types, import rules, template
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(CODE)
	$(RUN)lint-imports --no-logo --cache-dir build/import-linter
	$(BIN)/cfn-lint template.yaml
	$(SAM) validate --lint

.PHONY: format
format: environment ## Put the code into the agreed form
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

.PHONY: mutation
mutation: environment ## Change the pure core in every small way and see that a test notices (takes minutes)
	@$(BIN)/python tools/mutation.py $(MUTANTS)

.PHONY: bench
bench: environment ## Run the benchmarks, as ratios or counted units; also written to build/bench.json
	$(RUN)python -m benchmarks

##### Build and deployment

.PHONY: build
build: environment ## Build what AWS gets (needs a python3.13 on PATH)
	$(SAM) build

.PHONY: deploy
deploy: build ## Deploy to the AWS account of your credentials, asking for what it needs to know
	$(SAM) deploy --guided

.PHONY: clean
clean: ## Remove all that was built and made, the environments too
	rm -rf .aws-sam .local build .hypothesis .pytest_cache .venv .venv-sam .venv-uv .venv*.lock
	find functions layers local cli tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
