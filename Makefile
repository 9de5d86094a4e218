# Thin on purpose: what the targets do is in localstack/tidegate_bootstrap (the environment) and in the `tidegate` command.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
ENDPOINT ?=
ENGINE ?=
ARGS ?=
VERSION ?=
OUTPUTS ?= cdk-outputs.json

BIN := .venv/bin
# The environment's programs first; then uv, where it had to be installed for this project alone.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tidegate/uv/bin:$(PATH)

.PHONY: help setup up down status doctor logs dev watch console cdk test test-slow test-lowest test-newest lint docs bench scoreboard demo storm release-demo release-library costs prove-aws test-deployed clean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-15s %s\n", $$1, $$2 }'

setup: ## Make .venv ready: uv, a Python, the locked packages (every target does it by itself)
	@cd localstack && $(PYTHON) -m tidegate_bootstrap

bring_up = $(BIN)/tidegate up $(if $(ENGINE),--engine "$(ENGINE)") $(if $(ENDPOINT),--endpoint "$(ENDPOINT)")

up: setup ## Start the local cloud and deploy to it; ENGINE=localstack-host, or ENDPOINT=http://... of one that runs
	@$(bring_up) $(ARGS)

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

watch: setup ## Swap saved code into the functions of the cloud that is up, without a deploy, until Ctrl-C
	@$(BIN)/tidegate watch $(ARGS)

console: setup ## Serve the page that shows the cloud at work, with buttons that break it
	@$(BIN)/tidegate console $(ARGS)

# With ENGINE: those that need a cloud, on that engine, and those of LocalStack itself; a whole run writes its table
# into docs/engines.md.
ON_ENGINE = -m "not benchmark and (e2e$(if $(filter localstack-host,$(ENGINE)), or localstack))" \
	$(if $(ARGS),,tests/e2e tests/scenarios tests/host_mode localstack/process_executor/tests -p tests.harness.engine_report)

ifeq ($(ENGINE),localstack-host)
# For the tests that start a LocalStack of their own.
WITH_LOCALSTACK = LOCALSTACK_PYTHON="$${LOCALSTACK_PYTHON:-$$($(BIN)/python -m tidegate_local.engines.host_environment)}" \
	&& export LOCALSTACK_PYTHON &&
endif

run_pytest = redis=$$($(BIN)/tidegate tools) && $(WITH_LOCALSTACK) \
	TIDEGATE_TEST_REDIS_SERVER="$$redis" TIDEGATE_TEST_ENGINE="$(ENGINE)" $(BIN)/python -m pytest

# Three at once, since many wait for clocks and processes. What ARGS name runs, slow or not.
QUICK = -n 3 --dist loadgroup \
	$(if $(ARGS),,-m "not slow and not benchmark and not localstack and not rehearsal")

test: setup ## Run the tests but the slow ones; ARGS="tests/api -k orders" runs some; ENGINE=localstack-host those of the deployed API there
	@$(run_pytest) $(if $(ENGINE),$(ON_ENGINE),$(QUICK)) $(ARGS)

# Two at once: with a third on two cores one waits in vain now and then, for a store that got no processor.
test-slow: setup ## Run the tests that `make test` leaves out: releases, faults under load, whole projects
	@$(run_pytest) -n 2 --dist loadgroup -m slow $(ARGS)

# The library alone: what tests the platform around it is ignored. DynamoDB's engine wants a botocore of its own.
PYTHON_VERSION ?= 3.11
# The lowest Starlette's TestClient with the newest anyio.
THEIRS := -W "ignore:The anyio.abc.BlockingPortal alias:DeprecationWarning"
PLATFORM := codedeploy_hook console counts_in_cloudwatch judge judge_weather last_word migration_files migration_pace migrations \
	release_hold release_meaning release_report rollback_choice rollout rollout_begin rollout_denial rollout_ending rollout_histogram rollout_states scenarios smoke \
	telemetry token_authorizer
test_versions = versions=.tidegate/$(1)-$(PYTHON_VERSION) && mkdir -p $$versions \
	&& uv venv --quiet --allow-existing --python $(PYTHON_VERSION) $$versions/venv \
	&& uv pip compile --quiet --resolution $(2) --python-version $(PYTHON_VERSION) --all-extras pyproject.toml \
		--output-file $$versions/library.txt \
	&& uv export --quiet --frozen --only-group test --no-hashes --no-emit-workspace --output-file $$versions/tools.txt \
	&& uv pip install --quiet --python $$versions/venv/bin/python --override $$versions/library.txt \
		--requirement $$versions/library.txt --requirement $$versions/tools.txt \
	&& redis=$$($(BIN)/tidegate tools) && TIDEGATE_TEST_REDIS_SERVER="$$redis" \
		TIDEGATE_TEST_MINISTACK_PYTHON="$(CURDIR)/$(BIN)/python" PYTHONPATH=layers/tidegate/python:infra/cdk \
		$$versions/venv/bin/python -m pytest -n 2 --dist loadgroup -p no:cacheprovider -p tidegate_pytest $(THEIRS) \
		$(PLATFORM:%=--ignore=tests/unit/test_%.py) $(or $(ARGS),tests/unit tests/http tests/client)

test-lowest: setup ## Run the library's tests at the lowest versions that pyproject.toml allows; PYTHON_VERSION=3.13
	@$(call test_versions,lowest,lowest-direct)

test-newest: setup ## Run the library's tests at the newest versions that an index has; PYTHON_VERSION=3.13
	@$(call test_versions,newest,highest --upgrade)

lint: setup ## Check style, formatting, types, and what imports what
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@PYTHONPATH=layers/tidegate/python $(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tests.structure --check

# Packages that one target needs and nothing else: `bench` are the peers, `demo` draws the scenarios' charts.
packages = uv export --quiet --frozen --only-group $(1) --no-emit-workspace --output-file .tidegate/$(1).txt \
	&& uv pip install --quiet --python $(BIN)/python --require-hashes --requirement .tidegate/$(1).txt

# With serve it shows the pages while they are written.
docs: setup ## Build the site of docs/ into .tidegate/site, dead links are errors; ARGS=serve shows it
	@$(call packages,docs)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(or $(ARGS),build)

# Sockets and tasks that peers leave to the garbage collector are nobody's failure here.
PEERS_LEAVINGS := -p no:unraisableexception -p no:threadexception

bench: setup ## Run the benchmarks beside the peers, and write docs/benchmarks.md; ARGS="-k cold_start" runs some
	@$(call packages,bench)
	@redis=$$($(BIN)/tidegate tools) && TIDEGATE_TEST_REDIS_SERVER="$$redis" \
		$(BIN)/pytest tests/benchmarks -m benchmark -s --show-capture=no $(PEERS_LEAVINGS) $(ARGS)

scoreboard: setup ## Run Tidegate and its peers through faults and misuse, and write docs/scoreboard.md; ARGS="--only tidegate,slowapi"
	@redis=$$($(BIN)/tidegate tools) && TIDEGATE_TEST_REDIS_SERVER="$$redis" $(BIN)/python -m tests.scoreboard $(ARGS)

demo: setup ## The three questions, live: Redis lost, a storm, releases; ARGS=storm plays one; leaves .tidegate/reports; ENGINE= as for up
	@$(call packages,demo)
	@$(if $(ENGINE)$(ENDPOINT),$(bring_up) &&) $(BIN)/tidegate scenario $(or $(ARGS),redis-down storm release)

storm: setup ## Raise request storms over a fleet, with a live view; leaves a table and charts in .tidegate/reports
	@$(call packages,bench)
	@redis=$$($(BIN)/tidegate tools) && TIDEGATE_TEST_REDIS_SERVER="$$redis" $(BIN)/python -m tests.scenarios.storm $(ARGS)

release-demo: setup ## Release well and badly under traffic, and write docs/releases.md's table; ARGS="'p95 x4'" plays some
	@redis=$$($(BIN)/tidegate tools) && TIDEGATE_TEST_REDIS_SERVER="$$redis" $(BIN)/python -m tests.scenarios.release_demo $(ARGS)

release-library: setup ## Release the library: VERSION=x.y.z, ARGS=--dry-run tries; changelog, packages, SBOM, checks, tag, no upload
	@$(BIN)/tidegate release-library "$(VERSION)" $(ARGS)

# Another environment's: CONTEXT="-c stage=aws -c strategy=linear".
CONTEXT ?= -c stage=aws

costs: setup ## Print what the stage aws costs, idle and per million requests; ARGS=--write writes docs/aws.md
	@rm -rf .tidegate/costs && $(BIN)/tidegate cdk synth --quiet --output .tidegate/costs $(CONTEXT)
	@$(BIN)/python -m infra.costs .tidegate/costs/*.template.json $(ARGS)

prove-aws: setup ## Deploy a throwaway environment to your account, prove it, destroy it; ARGS=--dry-run rehearses it here
	@$(BIN)/tidegate prove-aws $(ARGS)

test-deployed: setup ## Run the end-to-end tests against a deployed stack; OUTPUTS= what cdk deploy --outputs-file wrote
	@$(BIN)/python -m tidegate_local.prove.deployed "$(OUTPUTS)"

clean: ## Stop the cloud and remove everything that was made: .venv, .tidegate, caches
	@if [ -x $(BIN)/tidegate ]; then $(BIN)/tidegate down; fi
	@rm -rf .venv .tidegate cdk.out dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
