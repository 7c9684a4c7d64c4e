# make demo     the whole story on a year of real data; sets itself up the first time
# make test     everything the tests need, then all tests
# make check    what CI runs beside the tests: format, lint, strict types, the order of the rooms
# make docs     write docs/reference.md again from the code
# make lock     write the locks again from pyproject.toml (UPGRADE=--upgrade takes the newest versions)
# make clean    remove what make has made

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Every archive is compared with the hash in the lock, the build backends too: hence no build isolation.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-input
LOCKED := $(PIP) --require-hashes --no-deps --no-build-isolation --use-pep517
COMPILE := $(BIN)/uv pip compile --quiet --no-config --no-sources --universal --fork-strategy fewest \
	--python-version 3.11 --generate-hashes --custom-compile-command "make lock" \
	--overrides requirements/overrides.txt $(UPGRADE) pyproject.toml

.PHONY: demo test browser check docs lock clean
.DELETE_ON_ERROR:

demo: .venv/.ready-demo
	@$(BIN)/threefold demo $(ARGS)

test: .venv/.ready-dev .venv-mlflow/.ready browser
	@$(BIN)/python -m pytest -n auto $(ARGS)

# The web pages are tested in Chromium. Where there is none and nobody may install one, those tests say so and are skipped.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null 2>&1 && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "Installing Chromium for the tests of the web pages; this happens once"; \
		apt-get -qq update >/dev/null && DEBIAN_FRONTEND=noninteractive \
			apt-get -qq -y install --no-install-recommends chromium fonts-dejavu-core >/dev/null 2>&1 && exit 0; \
	fi; \
	echo "There is no Chromium: the tests of the pages in a browser will be skipped (apt-get install chromium)"

# PyTorch comes first and without the lock: which build of it fits a machine is pip's matter there.
TORCH := torch==2.13.0

.venv-mlflow/.ready: requirements/mlflow.lock
	@echo "Installing the MLflow client that requirements/mlflow.lock names; this happens once"
	@$(PYTHON) -m venv .venv-mlflow
	@.venv-mlflow/bin/python -m pip --disable-pip-version-check --quiet install --no-input $(TORCH)
	@.venv-mlflow/bin/python -m pip --disable-pip-version-check --quiet install --no-input --require-hashes --no-deps \
		-r requirements/mlflow.lock
	@touch $@

check: .venv/.ready-dev
	@failed=0; \
	$(BIN)/ruff format --check . || failed=1; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/mypy || failed=1; \
	$(BIN)/python -m pytest tests/test_layers.py || failed=1; \
	exit $$failed

docs: .venv/.ready-dev
	@$(BIN)/python docs/make_reference.py

.venv/.made:
	@test -n "$(PYTHON)" || { echo "Threefold needs Python 3.11 or newer, and none is on the PATH." \
		"Install one, or name it: make PYTHON=/path/to/python3 demo" >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "Making .venv with $$($(PYTHON) --version)"; \
		$(PYTHON) -m venv .venv; } || { rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment." \
		"On Debian and Ubuntu: apt-get install python3-venv; then run make again." >&2; exit 2; }
	@touch $@

.venv/.ready-%: requirements/%.lock requirements/build.lock pyproject.toml | .venv/.made
	@echo "Installing what requirements/$*.lock names; this happens once and takes about a minute"
	@$(LOCKED) -r requirements/build.lock
	@$(LOCKED) -r requirements/$*.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# The widest lock comes first; the others are held to its versions, so that all environments agree.
lock: .venv/.made
	@test -x $(BIN)/uv || $(LOCKED) -r requirements/dev.lock
	@$(COMPILE) --extra demo --extra lightgbm --extra cloud --extra postgres --group dev --group build --output-file requirements/dev.lock
	@$(COMPILE) --extra demo --constraints requirements/dev.lock --output-file requirements/demo.lock
	@$(COMPILE) --constraints requirements/dev.lock --output-file requirements/core.lock
	@$(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --constraints requirements/dev.lock $(UPGRADE) \
		--group build --output-file requirements/build.lock
	@$(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" $(UPGRADE) --overrides requirements/mlflow-overrides.txt \
		requirements/mlflow.in --output-file requirements/mlflow.lock
	@touch .venv/.ready-* 2>/dev/null || true

clean:
	rm -rf .venv .venv-mlflow build dist demo .mypy_cache .ruff_cache .pytest_cache
