# Two commands do everything on a fresh machine: `make demo` and `make test`. Python 3.11 to 3.13 and make are all they need.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# How many invented histories `make streams` plays per engine, and which.
N ?= 5000
SEED ?= 0

# How long `make fuzz` breaks specs.
MINUTES ?= 10

.PHONY: demo test postgres slow fuzz faults mutations streams verify matrix minimum dbt airflow schemachange tableau lint docs golden clean

$(BIN)/c360gen: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/test-installed: $(BIN)/c360gen pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

demo: $(BIN)/c360gen ## three days of change on DuckDB: the history and the mart
	$(BIN)/python demo/demo.py

test: $(VENV)/test-installed ## everything that CI proves
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist worksteal

postgres: $(VENV)/test-installed ## the tests of Postgres on a server of your own, which they fill: URI=postgresql://postgres@localhost:5432/postgres
	$(BIN)/python -m pytest -k postgres tests/test_scenarios.py tests/test_streams.py tests/test_seeds.py tests/engines tests/migrate --postgres '$(URI)'

faults: $(VENV)/test-installed ## slow: Postgres dies before every statement of every strategy, in nine ways; many sessions at once
	$(BIN)/python -m pytest -m faults -v --durations=10

mutations: $(VENV)/test-installed ## slow: seeded defects in the generated SQL of every dialect, and which test notices each; fails below 95 %
	$(BIN)/python -m tests.mutations

streams: $(VENV)/test-installed ## N=5000 invented histories per engine against the oracle, on DuckDB and Postgres; SEED=1 invents others
	$(BIN)/python -m pytest -n 2 tests/test_streams.py -k "duckdb or postgres" --streams $(N) --stream-seed $(SEED)

verify: $(VENV)/test-installed ## every judge over the committed output
	$(BIN)/c360gen verify

matrix: ## the test suite on every Python that is found
	for p in python3.11 python3.12 python3.13; do $$p --version && $(MAKE) test PYTHON=$$p VENV=.venv-$$p || exit 1; done

.venv-dbt/installed: pyproject.toml tests/dbt/requirements.txt
	$(PYTHON) -m venv .venv-dbt
	.venv-dbt/bin/python -m pip install --quiet --disable-pip-version-check -e '.[postgres]' -r tests/dbt/requirements.txt
	@touch $@

dbt: .venv-dbt/installed ## compat: dbt beside real dbt, on DuckDB and Postgres, in a venv of its own
	.venv-dbt/bin/python -m pytest tests/dbt

slow: $(VENV)/test-installed ## what the suite leaves out: the whole matrix of migrations, scripts and feeds on every engine
	$(BIN)/python -m pytest -n 2 -m slow

fuzz: $(VENV)/test-installed ## slow: broken specs for MINUTES=10, none of which may end in a traceback, a hang or a written file
	$(BIN)/python -m pytest tests/fuzz --fuzz-minutes $(MINUTES)

.venv-minimum/installed: pyproject.toml tests/lowest.py
	$(PYTHON) -m venv .venv-minimum
	.venv-minimum/bin/python tests/lowest.py > .venv-minimum/lowest.txt
	.venv-minimum/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-minimum/lowest.txt -e '.[test]'
	@touch $@

minimum: .venv-minimum/installed ## slow: the command line and DuckDB at the lowest versions that pyproject.toml admits, in a venv of its own
	.venv-minimum/bin/python -m pytest -n 2 tests/cli tests/testing tests/test_scenarios.py tests/test_seeds.py \
	  tests/engines/test_duckdb_sessions.py -k "not snowflake and not bigquery and not postgres"

docs: $(VENV)/test-installed ## rewrite what is written from the code: docs/reference/ and the JSON Schema of the specs
	$(BIN)/c360gen schema > specs/c360gen.schema.json
	$(BIN)/python docs/build.py

.venv-airflow-%/installed: tests/airflow/requirements-%.txt
	$(PYTHON) -m venv .venv-airflow-$*
	.venv-airflow-$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

airflow: $(VENV)/test-installed .venv-airflow-2/installed .venv-airflow-3/installed ## slow: DAG files in Airflow 2.11 and 3, run against Postgres
	$(BIN)/python -m pytest -m airflow tests/airflow -v

.venv-schemachange/installed: tests/schemachange/requirements.txt
	$(PYTHON) -m venv .venv-schemachange
	.venv-schemachange/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

schemachange: $(VENV)/test-installed .venv-schemachange/installed ## real schemachange reads the files of layout: schemachange
	$(BIN)/python -m pytest -m schemachange tests/schemachange

golden: docs ## rewrite golden files; git diff is the review
	$(BIN)/c360gen build
	$(BIN)/python -m pytest -n 2 --update

.venv-tableau/installed: tests/exposures/requirements.txt
	$(PYTHON) -m venv .venv-tableau
	.venv-tableau/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

tableau: $(VENV)/test-installed .venv-tableau/installed ## Tableau's own schema over every data source
	$(BIN)/python -m pytest -m tableau tests/exposures

lint: $(VENV)/test-installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

clean:
	rm -rf $(VENV) .venv-* demo/*.duckdb* .mypy_cache .ruff_cache .pytest_cache
