# Everything a contributor needs. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTHON_SOURCES := operator demo devcluster images tools tests benchmarks

include devcluster/devcluster.mk

.PHONY: help
help: ## Show this list
	@awk -F':.*## ' '/^[a-zA-Z0-9_-]+:.*## /{printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv
venv: $(VENV)/.locked ## Create the development environment from the lock

$(VENV)/.locked: requirements/dev.txt pyproject.toml tools/venv
	@tools/venv $(VENV)
	@touch $@

.PHONY: check
check: venv ## Format, lint, types, import rules, generated files
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/mypy
	cd operator && ../$(BIN)/lint-imports --config ../pyproject.toml
	$(BIN)/python tools/generate_crds.py --check
	$(BIN)/python tools/generate_reference.py --check
	$(BIN)/python tools/generate_argocd_cm.py --check
	$(BIN)/python tools/generate_openapi.py --check
	$(BIN)/python tools/generate_layout.py --check
	$(BIN)/python tools/check_layout.py

.PHONY: format
format: venv ## Format the code and mend what the linter can
	$(BIN)/ruff format $(PYTHON_SOURCES)
	$(BIN)/ruff check --fix $(PYTHON_SOURCES)

.PHONY: crds
crds: venv ## Generate the CRDs, the chart's copies, docs/fields.md and docs/reasons.md
	$(BIN)/python tools/generate_crds.py
	$(BIN)/python tools/generate_reference.py

.PHONY: argocd
argocd: venv ## Generate argocd/argocd-cm.yaml from the Lua scripts
	$(BIN)/python tools/generate_argocd_cm.py

.PHONY: openapi
openapi: venv ## Write docs/openapi.json, the document of the REST API
	$(BIN)/python tools/generate_openapi.py

.PHONY: layout
layout: venv ## Write the tables of files in docs/architecture.md from the modules' docstrings
	$(BIN)/python tools/generate_layout.py

.PHONY: lock
lock: venv ## Renew the locked environments in requirements/
	tools/lock $(BIN)/uv

.PHONY: test
test: venv ## All tests, on a real cluster: builds and starts one if none is given
	tools/test

.PHONY: test-unit
test-unit: venv ## Tests that need neither a cluster nor a network
	$(BIN)/pytest -q -n 2 tests/unit

.PHONY: test-parity
test-parity: venv ## BFCL: every sample's verdict against the official command
	$(BIN)/pytest -q tests/parity

.PHONY: parity-full
parity-full: venv ## The same over every sample of every offline category, both modes (about 20 minutes)
	BFCL_PARITY=full $(BIN)/pytest -q tests/parity

.PHONY: test-integration
test-integration: venv cluster s3-server ## Tests against a real kube-apiserver and a real S3 server
	$(BIN)/pytest -q tests/integration

.PHONY: test-e2e
test-e2e: venv cluster images s3-server ## Real pods: every example, faults and restarts
	$(BIN)/pytest -q tests/e2e -m "not disruptive" -n 4
	$(BIN)/pytest -q tests/e2e -m disruptive

.PHONY: demo
demo: venv cluster images ## From nothing to a score: cluster, chart, a BFCL job, progress, result
	$(BIN)/python -m tools.demo

.PHONY: bench
bench: venv cluster images ## Run every benchmark and write docs/performance.md's figures to benchmarks/results/
	$(BIN)/python -m benchmarks

.PHONY: clean
clean: ## Remove caches and the environment (not the cluster: see cluster-down)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
