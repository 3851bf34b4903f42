"""What user SQL may say when it must be translated: constructs whose values were compared between engines.

`tests/project/test_portable.py` executes every entry on DuckDB and on Postgres and compares the values; the Snowflake
and BigQuery forms were read in their documentation.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator

from sqlglot import exp

from c360gen.diagnostics import did_you_mean
from c360gen.terms import types

FUNCTIONS: tuple[type[exp.Expr], ...] = (
    exp.Abs, exp.And, exp.Avg, exp.Case, exp.Cast, exp.Ceil, exp.Coalesce, exp.Count, exp.DateDiff, exp.DenseRank,
    exp.Exists, exp.FirstValue, exp.Floor, exp.If, exp.Lag, exp.LastValue, exp.Lead, exp.Length, exp.Lower, exp.Max, exp.Min,
    exp.Not, exp.Ntile, exp.Nullif, exp.Or, exp.Rank, exp.Replace, exp.Round, exp.RowNumber, exp.Substring, exp.Sum,
    exp.TimestampTrunc, exp.Trim, exp.Upper,
)  # fmt: skip
"""Functions that are on the list: the same value on every engine."""

EXTRACT_PARTS = frozenset({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "QUARTER"})
TRUNC_UNITS = frozenset({"YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE"})

_REFUSED: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Command, "a statement that is not a SELECT"),
    (exp.Bracket, "subscripts"),
    (exp.SimilarTo, "SIMILAR TO"),
    (exp.ILike, "ILIKE"),
    (exp.Mod, "%"),
    (exp.BitwiseXor, "bitwise operators"),
    (exp.Lateral, "LATERAL"),
    (exp.TableSample, "TABLESAMPLE"),
)
"""What is no function, and is not on the list."""
_HELP = "give the dialect its own text with sql: {…}, or list a function of yours under project: functions:"
_INSTEAD = {"ILIKE": "write LOWER(x) LIKE LOWER(y)", "%": "its sign differs between engines; a - (a / b) * b does not"}
_CLOCKS = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentDatetime)


def _nearly(name: str, known: Collection[str]) -> str | None:
    """Closer than other help: dateadd is no datediff."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    return f"did you mean '{near[0]}'?" if near else None


def _substring(start: exp.Expr | None) -> str | None:
    """Counted from 1; what begins before that begins elsewhere on each engine."""
    if isinstance(start, exp.Literal) and start.is_string:
        return "SUBSTRING(x FROM pattern)"
    before = isinstance(start, exp.Neg) or (isinstance(start, exp.Literal) and start.name.strip("0") == "")
    return "SUBSTRING that begins before the first character" if before else None


def _interval(node: exp.Interval) -> str | None:
    if isinstance(node.parent, exp.Mul | exp.Div):
        return "an INTERVAL that is multiplied"
    whole = isinstance(node.this, exp.Literal) and re.fullmatch(r"[+-]?\d+", node.this.name.strip())
    return None if whole and node.unit is not None else "an INTERVAL of several parts, or of a part of one"


def problems(tree: exp.Expr, own_functions: Collection[str]) -> Iterator[tuple[exp.Expr, str, str]]:
    """Yield (node, what it is, help) for everything that we would not dare to translate."""
    own = {name.lower() for name in own_functions}
    for node in tree.walk():
        if isinstance(node, _CLOCKS):
            yield node, "the clock of the database", "write {{ as_of() }}: a run has one time, which can be repeated"
        elif isinstance(node, exp.Anonymous):
            if node.name.lower() not in own:
                known = [name.lower() for kind in FUNCTIONS if issubclass(kind, exp.Func) for name in kind.sql_names()]
                yield node, f"function {node.name.lower()}()", _nearly(node.name.lower(), [*known, *own]) or _HELP
        elif isinstance(node, exp.DataType) and node.this is exp.DType.USERDEFINED:
            yield (
                node,
                f"type {node.sql().lower()}",
                did_you_mean(node.sql().lower(), types.KNOWN) or f"known types: {', '.join(types.KNOWN)}",
            )
        elif isinstance(node, exp.Extract):
            if node.this.name.upper() not in EXTRACT_PARTS:
                yield node, f"EXTRACT({node.this.name.upper()})", _HELP
        elif isinstance(node, exp.TimestampTrunc | exp.DateTrunc):
            if node.unit is None or node.unit.name.upper() not in TRUNC_UNITS:
                yield node, f"DATE_TRUNC by {node.unit and node.unit.name}", _HELP
        elif isinstance(node, exp.Substring) and (what := _substring(node.args.get("start"))):
            yield node, what, _HELP
        elif isinstance(node, exp.Interval) and (what := _interval(node)):
            yield node, what, "write one whole number and one unit for each: + INTERVAL '1 day' + INTERVAL '2 hours'"
        elif isinstance(node, exp.Like) and (isinstance(node.parent, exp.Escape) or "\\" in node.expression.name):
            help = f"BigQuery has no ESCAPE, Snowflake no backslash: REPLACE the character on both sides, or {_HELP}"
            yield node, "LIKE with an escaped character", help
        elif isinstance(node, exp.Trim) and node.args.get("expression") is None and node.meta.get("written_in") == "bigquery":
            yield node, "TRIM of whatever is white, as BigQuery takes it", "say what is taken: TRIM(x, ' ')"
        elif isinstance(node, exp.WindowSpec) and str(node.args.get("kind")).upper() == "GROUPS":
            yield node, "a frame of GROUPS", "write ROWS or RANGE"
        elif isinstance(node, exp.WindowSpec) and any(isinstance(node.args.get(end), exp.Interval) for end in ("start", "end")):
            help = "BigQuery has RANGE over numbers alone, and a day is the session's on Postgres: join the rows by their times"
            yield node, "a RANGE of an INTERVAL", help
        elif isinstance(node, exp.Window) and isinstance(node.this, exp.LastValue) and node.args.get("order") and not node.args.get("spec"):
            yield node, "LAST_VALUE without a frame", "write it: ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW, or … UNBOUNDED FOLLOWING"
        elif isinstance(node, exp.Func):
            if not isinstance(node, FUNCTIONS) and node.sql_name().lower() not in own:
                yield node, f"function {node.sql_name()}()", _HELP
        elif word := next((word for kind, word in _REFUSED if isinstance(node, kind)), None):
            yield node, word, _INSTEAD.get(word, _HELP)
