# make demo    the main job on this machine: a hub and trainers that learn from a real trace
#              (ARGS=--agent: with an agent among them, by script, which uses kernelnet mcp)
# make cluster-demo  the same with two hubs on a PostgreSQL that is started for them, of which one is killed in the middle
# make test    all tests, side by side: more of them at once than there are cores, since many wait
# make check   ruff, mypy, the documentation, all tests, 24 seconds of fuzzing: what a change must pass
# make lint    ruff and mypy alone
# make docs    the documentation as pages, build/docs/index.html
# make dist    wheel and sdist, dist/
# make screenshots  the documentation's pictures of the dashboard, from a real run (ten minutes)
# make soak    50 kills of a hub under load, 25 of trainers, 25 of both; counts what was promised (some minutes)
# make cluster-soak  the same with two hubs on one PostgreSQL, killed and frozen, and the server killed, too, which fails over
#              to its standby; then with three hubs and 1,000 connections (ten minutes)
# make abuse   the long forms of what a hub has to stand (a table; some minutes)
# make fuzz    fuzzes decoder, expressions and handshake, FUZZ=600 seconds each; what it reached is kept in .fuzz/
# make mutate  changes bounds and comparisons of hub and trainer one by one, MUTATE=3600 seconds, and prints what no test noticed
# make bench   the hub beside mosquitto and NATS, policies beside libCacheSim; writes benchmarks/RESULTS.rst (half an hour)
# make clean   removes .venv and all that is made
#
# PYTHON=python3.12 chooses the interpreter, ARGS="…" goes to `kernelnet demo` or to pytest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
FUZZ ?= 600
MUTATE ?= 3600
# Classes of tests are given out whole, in the order of tests/conftest.py; -n 0 in ARGS runs one test after the other.
SPREAD := -n auto --dist loadscope --no-loadscope-reorder

# The .venv is made again when its interpreter has gone, when the checkout was moved (its scripts hold absolute paths),
# or when PYTHON= asks for another interpreter than the one it was made with.
ASKED := $(if $(filter file default undefined,$(origin PYTHON)),,$(PYTHON))
STALE := $(shell test -f $(VENV)/.made || exit 0; \
	{ test -x $(BIN)/python && test "`sed -n 1p $(VENV)/.made`" = "$(CURDIR)" \
	&& { test -z "$(ASKED)" || test "`sed -n 2p $(VENV)/.made`" = "$(ASKED)"; }; } || echo stale)

.PHONY: demo cluster-demo test check lint docs dist screenshots soak cluster-soak abuse fuzz mutate bench clean stale
.DELETE_ON_ERROR:

demo: $(VENV)/$(if $(findstring --agent,$(ARGS)),.mcp,.trainer)
	$(BIN)/kernelnet demo $(ARGS)

cluster-demo: $(VENV)/.postgres
	$(BIN)/kernelnet demo --nodes 2 --trainers 6 $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

# One after the other, whatever -j says.
check: $(VENV)/.dev
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory docs
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory fuzz FUZZ=8

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Any warning is an error, such as for a link that leads nowhere; but a docstring that pydoctor can't parse (its exit code 2)
# is shown as it stands.
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --quiet --nitpicky --fail-on-warning --keep-going docs build/docs
	$(BIN)/pydoctor --html-output=build/docs/api || test $$? = 2
	@echo "made build/docs/index.html; docstrings with tables, which pydoctor names above, are shown as they stand"

# Without isolation: the venv has what building needs, and no index is asked.
dist: $(VENV)/.test
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

screenshots: $(VENV)/.test
	$(BIN)/python -m tests.system.screenshots $(ARGS)

cluster-soak: $(VENV)/.test
	$(BIN)/python -m tests.system.soak --postgres --nodes 2 --hub-kills 20 --trainer-kills 5 --both-kills 5 --server-kills 5 \
		--fail-overs 3 --freezes 5 $(ARGS)
	$(BIN)/python -m tests.system.soak --postgres --nodes 3 --watchers 1000 --hub-kills 3 --trainer-kills 0 --both-kills 0 \
		--server-kills 1 --fail-overs 2 $(ARGS)

soak: $(VENV)/.test
	$(BIN)/python -m tests.system.soak $(ARGS)

abuse: $(VENV)/.test
	KERNELNET_ABUSE=full $(BIN)/python -m pytest -v tests/system/test_abuse_*.py $(ARGS)

# 77: there is no fuzzer here, which it has said.
fuzz: $(VENV)/.dev
	@for target in decoder expression handshake; do \
		echo "fuzzing the $$target for $(FUZZ) s"; \
		$(BIN)/python -m tests.fuzz.run $$target $(FUZZ) .fuzz/$$target >.fuzz-$$target.log 2>&1; code=$$?; \
		if [ $$code = 77 ]; then cat .fuzz-$$target.log; rm .fuzz-$$target.log; continue; fi; \
		grep -E '^(Done|stat::peak)' .fuzz-$$target.log; \
		if [ $$code != 0 ]; then tail -40 .fuzz-$$target.log; exit 1; fi; \
		rm .fuzz-$$target.log; \
	done

# What was tried is kept in .mutate/, and the next run goes on.
mutate: $(VENV)/.dev
	$(BIN)/python -m tests.mutation.run $(MUTATE) .mutate $(ARGS)

bench: $(VENV)/.test
	$(BIN)/python benchmarks/run.py $(ARGS)
	$(BIN)/python benchmarks/dashboard.py $(ARGS)
	$(BIN)/python benchmarks/evaluation.py

clean:
	rm -rf .fuzz .fuzz-*.log .mutate $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name .git -prune -o \( -name __pycache__ -o -name '*.egg-info' \) -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

$(VENV)/.made: $(STALE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "kernelnet needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V 2>/dev/null || echo missing`." \
		"Name one that is: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@printf '%s\n%s\n' "$(CURDIR)" "$(PYTHON)" > $@

# One stamp an extra: nothing is installed twice, and all of it again when the dependencies or entry points change.
# The install is editable: a `git pull` needs no other step, and twistd finds the plugins.  [test] holds [trainer], and [dev] all.
$(VENV)/.trainer: $(VENV)/.made setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[trainer]'
	@touch $@

$(VENV)/.mcp: $(VENV)/.made setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[mcp]'
	@touch $(VENV)/.trainer $@

$(VENV)/.postgres: $(VENV)/.made setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[trainer,postgres]'
	@touch $(VENV)/.trainer $@

$(VENV)/.test: $(VENV)/.made setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $(VENV)/.trainer $(VENV)/.mcp $(VENV)/.postgres $@

$(VENV)/.docs: $(VENV)/.made setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(VENV)/.trainer $(VENV)/.mcp $(VENV)/.postgres $(VENV)/.test $(VENV)/.docs $@
