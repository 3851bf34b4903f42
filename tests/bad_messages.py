"""Error messages that we are ashamed of: every release mends some of them.

An entry is a spec, what is said of it today (nothing: it is accepted), and what we wish were said. `test_bad_messages.py` builds every
spec and compares, so that an entry whose message got better has to leave, for a case in `tests/cases/bad/`. Add what you stumble over.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCES = """sources:
  - name: raw
    tables:
      - name: customers
        columns:
          - {name: id, data_type: bigint}
          - {name: email, data_type: text}
          - {name: created_on, data_type: date}
          - {name: updated_at, data_type: timestamptz}
"""
CUSTOMERS = "{{ source('raw', 'customers') }}"


@dataclass(frozen=True)
class Shame:
    name: str
    spec: str
    today: tuple[str, ...]
    """`line:column code message | help`, one per finding."""
    wish: str


def model(sql: str) -> str:
    """A view `m` over the sources; its SQL begins in line 13, column 7."""
    return f"{SOURCES}models:\n  - name: m\n    sql: |\n" + "".join(f"      {line}\n" for line in sql.splitlines())


def snapshot(config: str) -> str:
    """A snapshot `s` of customers; its config begins in line 13, column 13."""
    return f"{SOURCES}snapshots:\n  - name: s\n    relation: source('raw', 'customers')\n    config: {{unique_key: id, {config}}}\n"


SHAME = [
    Shame(
        "a comma is missing between two columns",
        model(f"select id email from {CUSTOMERS}"),
        (),
        "13:14 'id email' gives id the name of a column that exists: is a comma missing? write `id as email` if it is meant",
    ),
    Shame(
        "a comma too many before FROM",
        model(f"select id, from {CUSTOMERS}"),
        (),
        "13:16 C301 a column is missing between the comma and from",
    ),
    Shame(
        "a number plus a text",
        model(f"select id + email as x from {CUSTOMERS}"),
        (),
        "13:19 C302 email is text, and + wants numbers | CAST it, or write id || email",
    ),
    Shame(
        "a date compared with what is none",
        model(f"select id from {CUSTOMERS} where created_on > 'yesterday'"),
        (),
        "'yesterday' is not a date, as created_on is | write date '2026-01-31'",
    ),
    Shame(
        "= NULL is never true",
        model(f"select id from {CUSTOMERS} where email = null"),
        (),
        "email = null is never true | write email is null",
    ),
    Shame(
        "a join without ON",
        model(f"select a.id from {CUSTOMERS} as a join {CUSTOMERS} as b"),
        (),
        "C301 this JOIN has no ON: every row meets every other | write CROSS JOIN if that is meant",
    ),
    Shame(
        "HAVING without GROUP BY",
        model(f"select id from {CUSTOMERS} having id > 1"),
        (),
        "C301 id is neither grouped nor inside an aggregate | write WHERE",
    ),
    Shame(
        "a part of a date that is not portable is told twice",
        model(f"select dateadd(day, 1, created_on) as d from {CUSTOMERS}"),
        (
            "13:14 C305 function dateadd() is not on the list of what is the same on every engine | give the dialect its own text with "
            "sql: {…}, or list a function of yours under project: functions:",
            "13:22 C302 there is no column day | known columns: created_on, email, id, updated_at",
        ),
        "13:14 C305 dateadd() is not the same on every engine | write created_on + interval '1 day'; and nothing about day",
    ),
    Shame(
        "a clause that one engine lacks",
        model(f"select id from {CUSTOMERS} qualify row_number() over (partition by id order by updated_at) = 1"),
        (
            "11:11 C402 postgres cannot say this: QUALIFY: QUALIFY ROW_NUMBER() OVER (PARTITION BY customers.id ORDER BY "
            "customers.updated_ | give postgres its own text with sql: {postgres: …}",
        ),
        "13:55 C402 postgres has no QUALIFY | number the rows in a CTE, and filter in a SELECT around it",
    ),
    Shame(
        "an expression as a key",
        snapshot("strategy: check, check_cols: all, nullable_keys: [\"lower(email)\"]"),
        ("13:80 C205 nullable_keys: raw.customers has no column lower(email) | known columns: created_on, email, id, updated_at",),
        "nullable_keys names columns, and this is an expression | compute it in a model, and snapshot that",
    ),
    Shame(
        "a computed column is blamed on the name of its model",
        model(f"select id, id * 2 as twice from {CUSTOMERS}").replace("name: m\n", "name: m\n    config: {materialized: table}\n"),
        ("11:11 C304 column twice is computed: declare what is stored | columns: [{name: twice, data_type: bigint}]",),
        "14:18, at the expression: twice is computed",
    ),
    Shame(
        "a kind of exposure that dbt does not have",
        "models: [{name: m, sql: select 1 as x}]\nexposures: [{name: e, type: report, owner: {name: x}}]\n",
        ("2:29 C104 `type` must be dashboard, notebook, analysis, ml or application, not 'report'",),
        "a report is a dashboard here | write type: dashboard",
    ),
    Shame(
        "a reference in a comment of the SQL",
        model(f"-- was {{{{ ref('old') }}}}\nselect id from {CUSTOMERS}"),
        ("13:22 C201 old is not known | known nodes: m",),
        "this stands in a comment, and jinja reads it all the same | write {# … #} around it",
    ),
    Shame(
        "a comma too many behind a CTE",
        model(f"with a as (select id from {CUSTOMERS}), select id from a"),
        ("13:68 C301 this is not SQL of postgres: expected cte to have alias",),
        "13:67 C301 a comma too many before select",
    ),
    Shame(
        "a CASE without END",
        model(f"select case when id = 1 then 2 as x from {CUSTOMERS}"),
        ("13:36 C301 this is not SQL of postgres: expected end after case",),
        "13:14, where it begins: this CASE has no END",
    ),
    Shame(
        "a mapping as a variable",
        "project: {vars: {limits: {gold: 500}}}\nmodels: [{name: m, sql: select 1 as x}]\n",
        ("1:26 C104 `limits` must be text, not a mapping",),
        "a variable is a text, a number, true, false or a list of those | write gold_limit: 500",
    ),
]  # fmt: skip
