# `make` lists the targets. They use .venv, which `sh deploy/test.sh` makes.
PYTHON = .venv/bin/python

help:  ## this list
	@sed -n 's/^\([a-z]*\): .*## /  \1\t/p' Makefile | expand -t 12

check: style types test  ## all of the following three

style:  ## ruff: rules and format
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:  ## mypy, strict
	$(PYTHON) -m mypy

test:  ## pytest
	$(PYTHON) -m pytest -n 2 -m "not alone"
	$(PYTHON) -m pytest -m alone

fuzz:  ## ten million requests, and as many feed frames, that nobody would send; for a night
	RADIO_FUZZ=10000000 $(PYTHON) -m pytest -n 2 --timeout 0 tests/test_fuzz.py

bench:  ## the benchmarks; figures, not checks
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(PYTHON) $$file || exit 1; done

demo:  ## a station that plays scales: sound without a model
	$(PYTHON) -m radio serve --composer scale

.PHONY: help check style types test fuzz bench demo
