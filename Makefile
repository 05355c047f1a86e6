# `make help` lists the targets. Each sets up .venv by itself where that is needed.
PYTHON ?= python3
STUDY ?= convergence
MAP ?= worked_example
VENV := .venv
READY := $(VENV)/.ready
WITH_DEV := $(VENV)/.ready-dev
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --no-compile --disable-pip-version-check -c constraints.txt
TESTED := $(VENV)/.tested
SOURCES := $(shell find .ci baselines benchmarks conf docs hydra_plugins pipeline schedule tests *.md *.py *.toml *.txt Makefile -type f -not -name '*.pyc')
export MLFLOW_DISABLE_TELEMETRY = true
unexport PYTHONDONTWRITEBYTECODE  # what is not compiled when it is installed must be kept when it is used

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup sweep map explore ui upgrade-store explain lesson reproduce schedule unschedule test test-all torture bench check format configuration pictures gallery clean

##@ Begin
help:  ## list the targets
	@awk -F ':.*## ' '/^##@ / { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-15s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) $(patsubst %,$(VENV)/.ready-%,$(WITH))  ## make .venv with what a sweep needs; more of it: make setup WITH="dask server"

# The stamp says that all was installed. Python compiles a library when it is first used, which most of their files never are.
install = rm -f $@; { $(PIP) -e '$(1)' && touch $@; } | awk '/^ *(Downloading|Using cached) .* MB/ { sub(/^ */, "  "); print; fflush() } \
	/^Installing/ { print "  unpacking"; fflush() }'; test -e $@

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
		{ echo "Python's venv module is needed (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Setting up .venv, once: 250 MB are fetched, and it takes 0.9 GB and a minute or two"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip uninstall --quiet --yes setuptools 2>/dev/null || true  # Python 3.11 brings it; nothing needs it
	@$(call install,.)
	@echo "Ready: .venv takes $$(du -sm $(VENV) | cut -f 1) MB"

$(VENV)/.ready-%: $(READY)
	@echo "Adding to .venv, once, what [$*] in pyproject.toml names"
	@$(call install,.[$*])
	@echo "Ready: .venv takes $$(du -sm $(VENV) | cut -f 1) MB"

##@ Train and look
sweep: $(READY)  ## run a study and print its tables: make sweep STUDY=convergence
	$(PY) -m pipeline.train -m study=$(STUDY)

map: $(READY)  ## train and draw a map, a run for each pixel: make map MAP=worked_example
	$(PY) -m pipeline.map map=$(MAP)

ui: $(READY)  ## look at the runs in MLflow; prints the links of the latest sweep
	$(PY) -m pipeline.ui

explore: $(READY)  ## move over a map whose runs are trained while one looks: make explore MAP=worked_example
	@$(PY) -m pipeline.explore map=$(MAP)

##@ Teach
explain: $(READY)  ## the worked example, step by step, with all its numbers
	@$(PY) -m pipeline.explain

lesson: $(READY)  ## why training does not converge: each cause once, and what helps, for teaching
	@$(PY) -m docs.lesson

##@ Check that results still come out
reproduce: $(READY)  ## train the baselines again and compare them to the last bit
	@$(PY) -m pipeline.reproduce

schedule: $(READY)  ## check the baselines every week, by systemd, for this user: make schedule NOTIFY=me@example.org; DRY_RUN=1 only shows it
	@$(PY) schedule/install.py install

unschedule:  ## end the weekly check
	@$(PYTHON) schedule/install.py remove

##@ Develop
test: $(WITH_DEV)  ## run the tests (under 5 minutes)
	$(PY) -m pytest -n auto --dist worksteal -m 'not slow'
	@touch $(TESTED)

test-all: $(TESTED)  ## run all tests, the slow ones too; what make test has passed since the last change is not repeated
	$(PY) -m pytest -n auto --dist worksteal -m slow

$(TESTED): $(WITH_DEV) $(SOURCES)
	$(PY) -m pytest -n auto --dist worksteal -m 'not slow'
	@touch $@

torture: $(WITH_DEV)  ## kill 60 sweeps at random times and go on with them: make torture KILLS=60
	$(PY) -m tests.torture $(KILLS)

bench: $(VENV)/.ready-bench  ## time the engine against its peers: make bench BENCH=training
	$(PY) -m benchmarks $(BENCH)

check: $(WITH_DEV)  ## lint, format and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(WITH_DEV)  ## put the code into its format
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

##@ Documentation
configuration: $(READY)  ## make docs/configuration.md again, the page of all keys
	@$(PY) -m docs.configuration

pictures: $(WITH_DEV)  ## make the README's pictures and its numbers again; needs Chromium
	@$(PY) -m docs.pictures

gallery: $(READY)  ## make the maps of docs/gallery.md again
	@$(PY) -m docs.gallery

##@ Housekeeping
upgrade-store: $(READY)  ## bring a store of an older MLflow to the schema of the installed one; a copy is kept
	@$(PY) -m pipeline.upgrade

clean:  ## remove .venv and caches; runs stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
