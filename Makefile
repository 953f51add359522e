# make demo | unit | test | check | bench: each makes the environments it needs first. Needs only python3 (3.11 or newer), pip and make.
# Another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check --quiet

# A person's own pip settings must not send packages elsewhere.
export PIP_USER := 0
export PIP_REQUIRE_VIRTUALENV := 0
# The tests start hundreds of interpreters: let them find what the first has compiled.
export PYTHONDONTWRITEBYTECODE :=

PYTEST_ARGS ?=
# Processes that run tests; 0 runs them in pytest's own.
WORKERS ?= 2
BENCH_ARGS ?=
# What `make unit` runs: the wire, the cluster's decisions, the drivers, commands and the types of values.
UNIT := arrays batch client cluster commands drivers exp model operations recorded wire

# An interpreter named explicitly counts even when the environment was made with another.
ifneq ($(origin PYTHON),file)
ifneq ($(shell cat $(VENV)/.made 2>/dev/null),$(PYTHON))
.PHONY: $(VENV)/.made
endif
ifneq ($(shell cat $(PEERS)/.made 2>/dev/null),$(PYTHON))
.PHONY: $(PEERS)/.made
endif
endif

# What an installation is made of: the hot modules are compiled again when they have changed.
SOURCES := pyproject.toml compat/pyproject.toml hatch_build.py $(wildcard trio_aerospike/_wire/*.py trio_aerospike/_wire/*.pxd)

.DEFAULT_GOAL := help
.PHONY: help demo unit test check pytest plain bench peers wheels clean

help:
	@echo "make demo    run examples/quickstart.py against an embedded three-node cluster (or AEROSPIKE_HOSTS)"
	@echo "make unit    the quick tests, without a server: under a minute on two cores"
	@echo "make plain   the same with the modules that are not compiled"
	@echo "make test    all checks and tests, under 12 minutes on two cores"
	@echo "make check   ruff, the layers and mypy only"
	@echo "make bench   compare with the published clients (BENCH_ARGS=--help shows the options)"
	@echo "make wheels  build the distributions into dist/: for this platform, and of plain Python"
	@echo "make clean   remove the environments and caches"

demo: $(VENV)/.installed
	@$(BIN)/python examples/quickstart.py

test: check pytest plain

check: $(VENV)/.installed-dev
	$(BIN)/python tools/make_sync.py --check
	$(BIN)/python -m ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m mypy

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(addprefix tests/unit/,$(UNIT)) $(PYTEST_ARGS)

pytest: $(VENV)/.installed-dev $(PEERS)/.installed
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

plain:
	TRIO_AEROSPIKE_PURE=1 $(MAKE) unit

wheels: $(VENV)/.installed
	@$(BIN)/python $(PIP) install build
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	TRIO_AEROSPIKE_PURE=1 $(BIN)/python -m build --wheel --outdir dist .
	$(BIN)/python -m build --wheel --outdir dist compat
	@ls dist

bench: $(VENV)/.installed-bench $(PEERS)/.installed-bench
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

peers: $(PEERS)/.installed

# The stamps: touched when what they name is in place, so that a second run starts at once.
$(VENV)/.made $(PEERS)/.made: tools/make_venv.py
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "error: $(PYTHON) not found; name a Python 3.11 or newer with: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@"$(PYTHON)" tools/make_venv.py $(@D)
	@$(@D)/bin/python $(PIP) install --upgrade 'pip>=25.1'
	@echo "$(PYTHON)" > $@

# The hot modules are compiled meanwhile, where a C compiler is; the version tells.
$(VENV)/.installed: $(VENV)/.made $(SOURCES)
	@echo "installing trio-aerospike and trio-aerospike-compat into $(VENV)"
	@$(BIN)/python $(PIP) install -e '.[cli]' -e compat
	@$(BIN)/trio-aerospike --version
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made $(SOURCES)
	@echo "installing trio-aerospike, trio-aerospike-compat and the development tools into $(VENV)"
	@$(BIN)/python $(PIP) install -e '.[cli,server-udf,numpy,otel,metrics]' -e compat --group dev
	@$(BIN)/trio-aerospike --version
	@touch $(VENV)/.installed $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@echo "installing matplotlib into $(VENV)"
	@$(BIN)/python $(PIP) install --group bench
	@touch $@

# The published clients are compiled: a platform without wheels for them must not stop everything else, but has to be heard.
$(PEERS)/.installed: $(PEERS)/.made pyproject.toml
	@echo "installing the published clients into $(PEERS)"
	@if $(PEERS)/bin/python $(PIP) install --only-binary :all: --group peers 2>$(PEERS)/install.log; then \
	  rm -f $(PEERS)/unavailable; \
	else \
	  cat $(PEERS)/install.log >&2; \
	  echo "!!! The published clients cannot be installed here: the tests against them will be SKIPPED." | tee $(PEERS)/unavailable >&2; \
	fi
	@touch $@

$(PEERS)/.installed-bench: $(PEERS)/.installed
	@$(PEERS)/bin/python $(PIP) install --only-binary :all: --group peers-bench \
	  || echo "!!! aerospike_native cannot be installed here: the comparison will run without it." >&2
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) .pytest_cache .mypy_cache .ruff_cache .hypothesis benchmarks/results dist trio_aerospike/_wire/_compiled
