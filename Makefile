# One command each. The first call makes a virtual environment in .venv; nothing else is needed but Python 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
SEED ?= 1
FIRST ?= 0
UNITS ?= 3000
DAYS ?= 120
SEEDS ?= 1000
RUNS ?= 10
WORKERS ?= 4
ACCOUNTS ?= 12
JOBS ?= 2
SOURCE ?= 1nce
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes: without bytecode each would compile the whole tool first.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-postgresql test-long check fmt lint types bench structure simulate simulate-cutover simulate-swaps simulate-campaign simulate-takeovers simulate-workers mutations serve screenshot lowest constraints clean

demo: .venv/.ready
	$(BIN)/migrator demo

test: .venv/.ready
	$(BIN)/python -m pytest -n 4 --dist worksteal

# What a run of all tests has no time for: the whole demo of another source, a machine that dies, more of the same.
test-long: .venv/.ready
	MIGRATOR_TEST_LONG=1 $(BIN)/python -m pytest -n 2 -m long

# All tests of the store over PostgreSQL, sorted by bytes and by a language. It starts a server of its own.
test-postgresql: .venv/.ready
	MIGRATOR_TEST_POSTGRESQL=all $(BIN)/python -m pytest -n 4 --dist worksteal tests/store tests/schema tests/simulation -k "postgresql or server"
	MIGRATOR_TEST_POSTGRESQL=all MIGRATOR_TEST_LOCALE=en_US.UTF-8 $(BIN)/python -m pytest -n 4 --dist worksteal tests/store -k "postgresql or server"

check: lint
	$(MAKE) -j2 types test  # types need one core for a minute or two, and some tests wait

fmt: .venv/.ready
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lint: .venv/.ready
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/codespell
	PYTHONPATH=. $(BIN)/lint-imports

types: .venv/.ready
	$(BIN)/mypy

bench: .venv/.ready
	$(BIN)/python -m bench

# How easy it is to find one's way: files in a folder, docstrings, one of each.
structure: .venv/.ready
	$(BIN)/python -m tests.structure

# Fault schedules, each drawn from a seed: make simulate SEEDS=10000 FIRST=0 JOBS=8; SOURCE=onomondo for its SIMs
simulate: .venv/.ready
	$(BIN)/python -m tests.simulation.many --source $(SOURCE) --first $(FIRST) --seeds $(SEEDS) --jobs $(JOBS)

# The same for cutovers and the way back: make simulate-cutover SEEDS=2000
simulate-cutover: .venv/.ready
	$(BIN)/python -m tests.simulation.many --what cutover --source $(SOURCE) --first $(FIRST) --seeds $(SEEDS) --jobs $(JOBS)

# One fleet that is swapped over twenty days, with crossed cards and mistyped scans: make simulate-swaps UNITS=3000
simulate-swaps: .venv/.ready
	$(BIN)/python -m tests.simulation.swaps --units $(UNITS) --seed $(FIRST)

# One campaign over months, killed once a day: make simulate-campaign UNITS=3000 DAYS=120
simulate-campaign: .venv/.ready
	$(BIN)/python -m tests.simulation.campaigns --units $(UNITS) --days $(DAYS) --seed $(FIRST)

# Accounts in PostgreSQL, real processes that are killed and stopped, a server that falls: make simulate-takeovers RUNS=10
simulate-takeovers: .venv/.ready
	$(BIN)/python -m tests.simulation.takeovers --runs $(RUNS) --seed $(SEED)

# `migrator work` on machines that die, stand still and have clocks of their own: make simulate-workers RUNS=10 WORKERS=4
# As root on Linux their cables to the database are cut, too: CABLES=--cables
simulate-workers: .venv/.ready
	$(BIN)/python -m tests.simulation.teams --runs $(RUNS) --seed $(SEED) --workers $(WORKERS) --accounts $(ACCOUNTS) $(CABLES)

# Each safety rule taken out in turn: does a schedule notice?
mutations: .venv/.ready
	$(BIN)/python -m tests.simulation.mutations --jobs $(JOBS)

# Both carriers on loopback, for rehearsals: make serve SEED=7
serve: .venv/.ready
	$(BIN)/migrator simulate serve --seed $(SEED)

# The picture of the report in docs/, taken by its own test; needs a Chromium.
screenshot: .venv/.ready
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest tests/reports/test_page.py -k picture

# The lower bounds of pyproject.toml, really tried.
lowest: .venv/.ready
	rm -rf .venv-lowest
	$(BIN)/uv venv --quiet --python $(BIN)/python .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct -e '.[dev,keyring]'
	.venv-lowest/bin/python -m pytest -n 4 --dist worksteal

# Newest releases for development, pinned without any index address.
constraints: .venv/.ready
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links pyproject.toml -o constraints.txt

clean:
	rm -rf .venv .venv-lowest .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build migrator-demo

.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,keyring]'
	@touch $@
