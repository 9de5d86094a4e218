# Thin on purpose: what the targets do is in localstack/tidegate_bootstrap (the environment) and in the `tidegate` command.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
ENDPOINT ?=
ENGINE ?=
ARGS ?=

BIN := .venv/bin
# The environment's programs first; then uv, where it had to be installed for this project alone.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tidegate/uv/bin:$(PATH)

.PHONY: help setup up down status doctor logs dev cdk test lint bench demo storm release-demo clean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: ## Make .venv ready: uv, a Python, the locked packages (every target does it by itself)
	@cd localstack && $(PYTHON) -m tidegate_bootstrap

up: setup ## Start the local cloud and deploy to it; ENGINE=localstack-host, or ENDPOINT=http://... of one that runs
	@$(BIN)/tidegate up $(if $(ENGINE),--engine "$(ENGINE)") $(if $(ENDPOINT),--endpoint "$(ENDPOINT)") $(ARGS)

down: setup ## Stop it
	@$(BIN)/tidegate down $(ARGS)

status: setup ## Show what runs and what is deployed
	@$(BIN)/tidegate status $(ARGS)

doctor: setup ## Check what a local cloud and a deploy need, and say what to do
	@$(BIN)/tidegate doctor $(ARGS)

logs: setup ## Follow the functions' logs; ARGS=--no-follow prints what there is
	@$(BIN)/tidegate logs $(ARGS)

cdk: setup ## Run the pinned CDK CLI: ARGS="synth -c stage=aws"
	@$(BIN)/tidegate cdk $(ARGS)

dev: setup ## Serve the app under uvicorn with reload, against the cloud that is up
	@$(BIN)/tidegate dev $(ARGS)

# With ENGINE: those that need a cloud, on that engine, and those of LocalStack itself; a whole run writes its table
# into docs/engines.md.
ON_ENGINE = -m "not benchmark and (e2e$(if $(filter localstack-host,$(ENGINE)), or localstack))" \
	$(if $(ARGS),,tests/e2e tests/scenarios tests/process_executor -p tests.harness.engine_report)

test: setup ## Run all tests; ARGS="tests/shop -k orders" runs some; ENGINE=localstack-host those of the deployed API there
	@redis=$$($(BIN)/tidegate tools) && TIDEGATE_TEST_REDIS_SERVER="$$redis" TIDEGATE_TEST_ENGINE="$(ENGINE)" \
		$(BIN)/python -m pytest $(if $(ENGINE),$(ON_ENGINE),-n 2 --dist loadgroup) $(ARGS)

lint: setup ## Check style, formatting and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

# Packages that one target needs and nothing else: `bench` are the peers, `demo` draws the scenarios' charts.
packages = uv export --quiet --frozen --only-group $(1) --no-emit-workspace --output-file .tidegate/$(1).txt \
	&& uv pip install --quiet --python $(BIN)/python --require-hashes --requirement .tidegate/$(1).txt

# Sockets and tasks that peers leave to the garbage collector are nobody's failure here.
PEERS_LEAVINGS := -p no:unraisableexception -p no:threadexception

bench: setup ## Run the benchmarks beside the peers, and write docs/benchmarks.md; ARGS="-k cold_start" runs some
	@$(call packages,bench)
	@redis=$$($(BIN)/tidegate tools) && TIDEGATE_TEST_REDIS_SERVER="$$redis" \
		$(BIN)/pytest tests/benchmarks -m benchmark -s --show-capture=no $(PEERS_LEAVINGS) $(ARGS)

demo: setup ## The three questions, live: Redis lost, a storm, releases; ARGS=storm plays one; leaves .tidegate/reports
	@$(call packages,demo)
	@$(BIN)/tidegate scenario $(or $(ARGS),redis-down storm release)

storm: setup ## Raise request storms over a fleet, with a live view; leaves a table and charts in .tidegate/reports
	@$(call packages,bench)
	@redis=$$($(BIN)/tidegate tools) && TIDEGATE_TEST_REDIS_SERVER="$$redis" $(BIN)/python -m tests.scenarios.storm $(ARGS)

release-demo: setup ## Release well and badly under traffic, and write docs/releases.md's table; ARGS="'p95 x4'" plays some
	@redis=$$($(BIN)/tidegate tools) && TIDEGATE_TEST_REDIS_SERVER="$$redis" $(BIN)/python -m tests.scenarios.release_demo $(ARGS)

clean: ## Stop the cloud and remove everything that was made: .venv, .tidegate, caches
	@if [ -x $(BIN)/tidegate ]; then $(BIN)/tidegate down; fi
	@rm -rf .venv .tidegate cdk.out dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
