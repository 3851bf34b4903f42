"""The defects: each rule finds the places of a text where it could have been written wrongly, and says what would stand there.

A rule takes a unit and gives edits: (start, end, other text). Several edits together are one defect, such as two statements swapped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from tests.mutations.units import Unit
from tests.statements import Statement

Edit = tuple[int, int, str]
Rule = Callable[[Unit], Iterator[Sequence[Edit]]]


# --- words and expressions ---------------------------------------------------------------------------------------------


def word(pattern: str, other: str | Callable[[re.Match[str]], str]) -> Rule:
    """Every match of a pattern, one at a time."""
    compiled = re.compile(pattern)

    def find(unit: Unit) -> Iterator[Sequence[Edit]]:
        if unit.kind == "run":
            for found in compiled.finditer(unit.code, body(unit)):
                yield [(found.start(), found.end(), found.expand(other) if isinstance(other, str) else other(found))]

    return find


def body(unit: Unit) -> int:
    """Where the statements begin, behind header and declarations."""
    begin = re.search(r"^BEGIN", unit.code, re.M)
    return begin.start() if begin else 0


def same_type(unit: Unit) -> Iterator[Sequence[Edit]]:
    """A column, and another one of its type."""
    if unit.kind != "run":
        return
    others = {"c360_starts_at": "c360_ends_at", "c360_ends_at": "c360_starts_at", "c360_open_from": "c360_starts_at"}
    for name, type_ in unit.columns.items():
        of_type = [n for n, t in unit.columns.items() if t == type_]
        if len(of_type) > 1:
            others[name] = of_type[(of_type.index(name) + 1) % len(of_type)]
    for found in re.finditer(r"(?<=\b[a-z]\.)(\w+)\b", unit.code):
        if found[1] in others:
            yield [(found.start(), found.end(), others[found[1]])]


def counted(unit: Unit) -> Iterator[Sequence[Edit]]:
    """COUNT(CASE WHEN condition THEN 1 END): the opposite is counted."""
    for found in re.finditer(r"(?<=COUNT\(CASE WHEN )([^;]+?)(?= THEN 1 END\))", unit.code):
        yield [(found.start(), found.end(), f"NOT ({found[1]})")]


def listed(unit: Unit) -> Iterator[Sequence[Edit]]:
    """x IN ('a', 'b', 'c'): one of them forgotten."""
    for found in re.finditer(r"IN \(('\w+'(?:, '\w+')+)\)", unit.code):
        for item in re.finditer(r"(, )?'\w+'(, )?", found[1]):
            end = item.end() if not item[1] else item.end() - len(item[2] or "")
            yield [(found.start(1) + item.start(), found.start(1) + end, "")]


def lookback(unit: Unit) -> Iterator[Sequence[Edit]]:
    """The window begins behind the watermark."""
    places = {
        "postgres": (r"(?<=v_watermark )-(?= c_lookback)", "+"),
        "duckdb": (r"(?<=getvariable\('watermark'\) )-(?= INTERVAL)", "+"),
        "snowflake": (r"(?<=DATEADD\(SECOND, )-(?=\d+, v_watermark)", ""),
        "bigquery": (r"(?<=TIMESTAMP_)SUB(?=\(v_watermark)", "ADD"),
    }
    yield from word(*places[unit.dialect])(unit)


def union(unit: Unit) -> Iterator[Sequence[Edit]]:
    """Equal rows become one."""
    yield from word(r"\bUNION ALL\b", "UNION DISTINCT" if unit.dialect == "bigquery" else "UNION")(unit)


def arm(unit: Unit) -> Iterator[Sequence[Edit]]:
    """CASE … WHEN condition THEN 'name' … END: an arm forgotten."""
    for found in re.finditer(r"WHEN (?:(?!\bWHEN\b|;).)*?\bTHEN\s+'\w+'\s*(?=WHEN)", unit.code, re.S):
        yield [(found.start(), found.end(), "")]


# --- statements --------------------------------------------------------------------------------------------------------


def said(unit: Unit, pattern: str) -> list[Statement]:
    """The statements that match from their beginning, on one line."""
    return [s for s in unit.statements if re.match(pattern, s.flat)]


def removed(pattern: str | Callable[[Unit], str], dialects: Sequence[str] | None = None) -> Rule:
    def find(unit: Unit) -> Iterator[Sequence[Edit]]:
        if unit.kind == "run" and (dialects is None or unit.dialect in dialects):
            for statement in said(unit, pattern if isinstance(pattern, str) else pattern(unit)):
                yield [(statement.start, statement.end, "")]

    return find


def moved(what: Callable[[Unit], list[Statement]], where: Callable[[Unit], int | None]) -> Rule:
    """Statements that stand together, taken away and put before another place."""

    def find(unit: Unit) -> Iterator[Sequence[Edit]]:
        block, place = what(unit), where(unit) if unit.kind == "run" else None
        if block and place is not None:
            yield [*((s.start, s.end, "") for s in block), (place, place, " ".join(s.text for s in block) + "\n")]

    return find


LOCKS = {
    "postgres": r"SELECT s\.watermark, s\.last_as_of INTO .* FOR UPDATE;",
    "duckdb": r"UPDATE c360_control\.state SET last_run_id = ",
    "snowflake": r"UPDATE \S*lock_\S+ SET locked_at",
    "bigquery": r"UPDATE \S*lock_",
}
DECIDE = r"(INSERT INTO|CREATE UNLOGGED TABLE) \S*stage_"
WAREHOUSES = ("snowflake", "bigquery")
SUCCEEDED = r"(UPDATE|INSERT INTO) \S*run_log .*'succeeded'"
COMMIT = r"COMMIT\b"
COMMITS = {
    "snowflake": "COMMIT; BEGIN TRANSACTION;\n", "bigquery": "COMMIT TRANSACTION; BEGIN TRANSACTION;\n",
    "duckdb": "COMMIT; BEGIN TRANSACTION;\n",
}  # fmt: skip
"""One transaction becomes two."""


def lock(unit: Unit) -> list[Statement]:
    return said(unit, LOCKS[unit.dialect]) if unit.kind == "run" else []


def lock_and_check(unit: Unit) -> list[Statement]:
    """A warehouse's lock inside the transaction, with the count that belongs to it."""
    if unit.dialect not in WAREHOUSES or not lock(unit):
        return []
    last = unit.statements.index(lock(unit)[-1])
    return list(unit.statements[last : last + (3 if unit.dialect == "snowflake" else 2)])


def no_lock(unit: Unit) -> Iterator[Sequence[Edit]]:
    for statement in lock(unit):
        if unit.dialect == "postgres":
            at = statement.text.index(" FOR UPDATE") + statement.start
            yield [(at, at + len(" FOR UPDATE"), "")]
        else:
            yield [(statement.start, statement.end, "")]


def late_lock(unit: Unit) -> Iterator[Sequence[Edit]]:
    """The lock behind the statement that decides."""
    decided = said(unit, DECIDE) if unit.kind == "run" else []
    if not decided:
        return
    if unit.dialect == "postgres":
        (edit,) = next(no_lock(unit))
        late = "\n PERFORM 1 FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;"
        yield [edit, (decided[0].end, decided[0].end, late)]
    elif unit.dialect == "duckdb":
        statement = lock(unit)[-1]
        yield [(statement.start, statement.end, ""), (decided[0].end, decided[0].end, "\n" + statement.text)]
    else:
        block = lock_and_check(unit)
        yield [*((s.start, s.end, "") for s in block), (decided[0].end, decided[0].end, "\n" + " ".join(s.text for s in block))]


def early_clock(unit: Unit) -> Iterator[Sequence[Edit]]:
    """The run time is read before the lock is held."""
    clock = said(unit, r"(SET )?v_as_of :?= COALESCE")
    if clock and lock(unit):
        before = lock(unit)[0].start
        if unit.dialect == "snowflake":
            before = said(unit, "BEGIN TRANSACTION;")[0].start
        yield [(clock[0].start, clock[0].end, ""), (before, before, clock[0].text + "\n")]


def guards(unit: Unit) -> list[Statement]:
    """What fails before anything is written."""
    if unit.kind != "run":
        return []
    if unit.dialect == "duckdb":
        return said(unit, r"SELECT error\(")
    return [s for s in said(unit, r"IF .*\bRAISE\b") if "ZC006" not in s.flat]


def no_guard(unit: Unit) -> Iterator[Sequence[Edit]]:
    for statement in guards(unit):
        yield [(statement.start, statement.end, "")]


def other_guard(unit: Unit) -> Iterator[Sequence[Edit]]:
    """The condition's opposite."""
    for statement in guards(unit):
        pattern = r"\nWHERE (.*);$" if unit.dialect == "duckdb" else r"^IF (.*?) THEN\b"
        found = re.search(pattern, statement.text, re.S)
        if found:
            yield [(statement.start + found.start(1), statement.start + found.end(1), f"(NOT ({found[1]}))")]


def no_count(unit: Unit) -> Iterator[Sequence[Edit]]:
    if unit.kind == "run":
        for statement in said(unit, r"IF (\(v_written|v_rows|@@row_count) <> .*ZC006"):
            yield [(statement.start, statement.end, "")]


def writes(unit: Unit) -> list[Statement]:
    """The writes of the target: with the IF around them where there is one."""
    if unit.kind != "run":
        return []
    inner = said(unit, rf"(UPDATE|INSERT INTO|DELETE FROM) (\S+\.)?{re.escape(unit.table)}\b")
    outer = []
    for statement in inner:
        around = [s for s in unit.statements if s.start < statement.start and s.end > statement.end and s.flat.startswith("IF")]
        outer.append(around[-1] if around else statement)
    return outer


def no_write(unit: Unit) -> Iterator[Sequence[Edit]]:
    for statement in writes(unit):
        yield [(statement.start, statement.end, "")]


def swapped(unit: Unit) -> Iterator[Sequence[Edit]]:
    """Close and open, delete and insert: in the other order."""
    for first, second in pairwise(writes(unit)):
        closes = "valid_to = " in first.flat and "INSERT INTO" in second.flat
        replaces = "DELETE FROM" in first.flat and "full_refresh" not in first.flat and "INSERT INTO" in second.flat
        if closes or replaces:
            yield [(first.start, first.end, second.text), (second.start, second.end, first.text)]


def early_commit(unit: Unit) -> Iterator[Sequence[Edit]]:
    """What was written so far is kept, whatever comes; the rest is a transaction of its own."""
    if unit.dialect in COMMITS:
        for _, second in pairwise(writes(unit)):
            yield [(second.start, second.start, COMMITS[unit.dialect])]


def succeeded(unit: Unit) -> list[Statement]:
    return said(unit, SUCCEEDED)


def marked(unit: Unit) -> list[Statement]:
    """The watermark, and how time is kept from running backwards."""
    return said(unit, r"INSERT INTO \S*watermark|UPDATE c360_control\.state (AS s )?SET last_as_of")


def behind_commit(unit: Unit) -> int | None:
    """Behind the commit of the data; not in a Postgres worker, which has none."""
    ends = [s for s in said(unit, COMMIT) if succeeded(unit) and s.start > succeeded(unit)[0].start]
    return ends[0].end if ends and unit.dialect != "postgres" else None


def early_success(unit: Unit) -> Iterator[Sequence[Edit]]:
    """The log tells of the success, for good, before the data are written. Not in a Postgres worker, which cannot commit."""
    if writes(unit) and succeeded(unit) and unit.dialect in COMMITS:
        place, text = writes(unit)[0].start, " ".join(s.text for s in succeeded(unit))
        yield [*((s.start, s.end, "") for s in succeeded(unit)), (place, place, f"{text} {COMMITS[unit.dialect]}")]


def handler(unit: Unit) -> Iterator[Sequence[Edit]]:
    """Who catches less than everything."""
    everything = "query_canceled OR assert_failure OR OTHERS"
    words = {
        "postgres": [(everything, "OTHERS"), (everything, "assert_failure")],
        "snowflake": [("WHEN OTHER THEN", "WHEN guard_failed THEN")],
    }
    for right, wrong in words.get(unit.dialect, []):
        at = unit.code.find(right)
        if unit.kind == "run" and at >= 0:
            yield [(at, at + len(right), wrong)]


def settings(unit: Unit) -> Iterator[Sequence[Edit]]:
    """What pins a Postgres procedure's surroundings, and who may call it."""
    lines = r"^(SECURITY DEFINER|SET search_path = .*|SET timezone = .*|SET lock_timeout = .*|REVOKE ALL ON .*;)\n"
    if unit.dialect == "postgres" and unit.kind in ("run", "control"):
        for found in re.finditer(lines, unit.code, re.M):
            yield [(found.start(), found.end(), "")]


def constraints(unit: Unit) -> Iterator[Sequence[Edit]]:
    if unit.kind == "table":
        for found in re.finditer(r",\n *CONSTRAINT [^\n]*(?=,?\n)|CREATE UNIQUE INDEX [^;]*;", unit.code):
            yield [(found.start(), found.end(), "")]


def dead_runs(unit: Unit) -> Iterator[Sequence[Edit]]:
    """Runs that died are not marked, or living ones are."""
    if unit.kind == "control" and unit.dialect == "postgres":
        for pattern in (
            r" SKIP LOCKED",
            r"(?<=p_node)\n *AND r\.status = 'running'",
            r" AND a\.pid <> pg_backend_pid\(\)",
            r"\n *AND status IN \('running', 'abandoned'\)",
            r"\n *AND NOT \(r\.started_at [^;]*?true\)\)\)",
            r"(?<=AND NOT )\(r\.started_at [^;]*? AND (?=EXISTS)",
        ):
            for found in re.finditer(pattern, unit.code):
                yield [(found.start(), found.end(), "(" if found[0].startswith("(") else "")]
    elif unit.kind == "run" and unit.dialect == "duckdb":
        for statement in said(unit, r"UPDATE c360_control\.run_log SET status = 'abandoned'"):
            yield [(statement.start, statement.end, "")]


RULES: dict[str, Rule] = {
    "lock removed": no_lock,
    "lock behind the decision": late_lock,
    "clock read before the lock": early_clock,
    "guard removed": no_guard,
    "guard turned round": other_guard,
    "count check removed": no_count,
    "write removed": no_write,
    "writes swapped": swapped,
    "commit between writes": early_commit,
    "commit removed": removed(COMMIT),
    "transaction not begun": removed(r"BEGIN TRANSACTION;"),
    "rollback removed": removed(r"ROLLBACK\b", WAREHOUSES),
    "rollback commits": word(r"\bROLLBACK\b", "COMMIT"),
    "handler catches less": handler,
    "failure not logged": removed(r"PERFORM \S+run_failed|INSERT INTO \S*run_log .*'failed'"),
    "failure not raised": removed(r"RAISE EXCEPTION USING ERRCODE = v_sqlstate|EXECUTE IMMEDIATE :v_raise|RAISE USING MESSAGE = v_message"),
    "run not announced": removed(r"(INSERT INTO \S*run_log .*'running'|v_run_id := c360_control\.run_begin)"),
    "flag of the transaction not kept": removed(r"(SET )?v_in_transaction :?= ", WAREHOUSES),
    "success not logged": removed(SUCCEEDED),
    "success before the data": early_success,
    "success behind the commit": moved(succeeded, behind_commit),
    "watermark not written": lambda u: ([(s.start, s.end, "")] for s in (marked(u) if u.kind == "run" else [])),
    "watermark behind the commit": moved(marked, behind_commit),
    "last run not named": removed(r"UPDATE \S*lock_\S+ SET run_id = :v_run_id WHERE", ("snowflake",)),
    "stage not dropped": removed(r"DROP TABLE \S*stage_"),
    "settings and rights": settings,
    "constraint dropped": constraints,
    "dead runs": dead_runs,
    "IS DISTINCT FROM -> <>": word(r"\bIS DISTINCT FROM\b", "<>"),
    "> -> >=": word(r"(?<=\s)>(?=\s)", ">="),
    ">= -> >": word(r"(?<=\s)>=(?=\s)", ">"),
    "< -> <=": word(r"(?<=\s)<(?=\s)", "<="),
    "<= -> <": word(r"(?<=\s)<=(?=\s)", "<"),
    "<> -> =": word(r"<>", "="),
    "AND -> OR": word(r"\bAND\b", "OR"),
    "OR -> AND": word(r"\bOR\b(?! REPLACE| assert_failure| OTHERS)", "AND"),
    "IS NULL -> IS NOT NULL": word(r"\bIS NULL\b", "IS NOT NULL"),
    "IS NOT NULL -> IS NULL": word(r"\bIS NOT NULL\b", "IS NULL"),
    "NOT dropped": word(r"\bNOT (?=EXISTS|:?v_|GETVARIABLE|getvariable|\()", ""),
    "another column of the type": same_type,
    "bind without its colon": word(r"(?<![:\w]):([vcp]_\w+)", r"\1"),
    "lookback's sign": lookback,
    "the opposite counted": counted,
    "action forgotten in a list": listed,
    "arm of a CASE forgotten": arm,
    "FULL JOIN -> LEFT JOIN": word(r"\bFULL (?:OUTER )?JOIN\b", "LEFT JOIN"),
    "LEFT JOIN -> INNER JOIN": word(r"\bLEFT JOIN\b(?! LATERAL)", "INNER JOIN"),
    "UNION ALL -> UNION": union,
    "DISTINCT dropped": word(r"\bSELECT DISTINCT\b", "SELECT"),
    "MAX -> MIN": word(r"\bMAX\(", "MIN("),
    "NULL handling dropped": word(r"\bCOALESCE\(([^(),]+(?:\([^()]*\))?), [^(),]+(?:\([^()]*\))?\)", r"\1"),
    "another threshold": word(r"(?<=[<>=] )([01])\b", lambda m: str(int(m[1]) + 1)),
    "minus -> plus": word(r"(?<=\s)-(?= :?(?:v_|\(:?v_|GETVARIABLE|\(GETVARIABLE))", "+"),
}

NO_DEFECT = "no defect"
"""Not one of the rules: what it writes otherwise means the same, so that the harness must let it live."""


def blank(unit: Unit) -> Iterator[Sequence[Edit]]:
    yield from word(r"(?<=\n) *(?=FROM\b)", "\n  ")(unit)
