# One command each; every target installs what it needs first, and nothing twice.
#   make demo [KEEP=1]   the whole life of money on real chains; KEEP=1 leaves the service up
#   make test            all tests           make check   style, types, walls
#   make bench           ours beside peers   make serve   the service, CONFIG=config/wallet.toml
#   make devnet          BTC, LTC and ETH nodes until Ctrl-C
#   make airgap-bundle   the signer for a USB stick, RELEASE_KEY=FILE signs it   make lock   new lock files
#   make fuzz            the signer's decoders, SECONDS=600 each
#   make removals        every check of these modules taken out in turn, MODULES=one names some
#   make clean           forget everything installed and built

PYTHON ?= python3
CONFIG ?= config/wallet.toml
SECONDS ?= 600
BIN := .venv/bin

# Without compiled modules every one of our short commands would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check bench serve devnet airgap-bundle fuzz removals lock clean base online dev

help:
	@sed -n 's/^#   //p' Makefile

base online dev:
	@$(PYTHON) config/requirements/install.py $@

demo: online
	$(BIN)/glaytos-wallet demo $(if $(KEEP),--keep)

test: dev
	$(BIN)/pytest -n 2 --dist loadgroup

check: dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest tests/test_tidy.py tests/test_docs.py

bench: dev
	$(BIN)/python -m tests.bench

serve: online
	$(BIN)/glaytos-wallet serve --config $(CONFIG)

devnet: online
	$(BIN)/glaytos-wallet devnet up

airgap-bundle: base
	$(BIN)/python -m config.release.bundle $(if $(RELEASE_KEY),--key $(RELEASE_KEY))

fuzz: dev
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

removals: dev
	$(BIN)/python -m tests.removing $(MODULES)

lock:
	config/requirements/lock.sh

clean:
	rm -rf .venv .cache .demo .bench .devnet .data build dist *.egg-info \
		.mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
