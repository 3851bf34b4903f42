"""Trees → text. sqlglot prints but does not validate, so what a dialect forbids is checked here."""

from __future__ import annotations

from sqlglot import ErrorLevel, exp
from sqlglot.errors import UnsupportedError

from c360gen.dialects.base import Dialect


class Forbidden(Exception):
    """A tree holds what this dialect would misread; `node` is the culprit."""

    def __init__(self, what: str, text: str):
        super().__init__(f"{what}: {text}")
        self.what, self.text = what, text


class Sql(str):
    """Printed SQL over several lines; `flat` is the same on one."""

    flat: str = ""


def print_sql(tree: exp.Expr, dialect: Dialect) -> Sql:
    """SELECT tree → text of the dialect, indented. Raise Forbidden where the engine would not take it."""
    for node in tree.find_all(*(kind for kind, _ in dialect.forbids)):
        if not (isinstance(node, exp.Star) and isinstance(node.parent, exp.Count)):
            what = next(what for kind, what in dialect.forbids if isinstance(node, kind))
            raise Forbidden(what, node.sql(dialect.name)[:80])
    try:
        pretty = tree.sql(dialect.name, pretty=True, copy=False, unsupported_level=ErrorLevel.RAISE, max_text_width=100, comments=False)
    except UnsupportedError as error:
        raise Forbidden(str(error).splitlines()[0], tree.sql(dialect.name)[:80]) from None
    text = Sql(pretty)
    is_short = not isinstance(tree, exp.Query | exp.DML | exp.DDL)
    text.flat = tree.sql(dialect.name, comments=False, copy=False) if is_short else pretty
    return text
