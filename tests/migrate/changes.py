"""The changes of the matrix: specs before and after, rows, what is looked at, and what the next run must do."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = """
sources:
  - name: raw
    schema: raw
    tables:
      - name: customers
        columns:
"""
COLUMNS = {
    "id": "bigint", "email": "text", "city": "varchar(20)", "score": "integer", "updated_at": "timestamptz",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    name: str
    node: str
    before: str
    after: str
    rows: tuple[str, ...]
    later: tuple[str, ...]
    source: tuple[str, ...]
    """What the source does at the same time."""
    watch: str
    """What must be the same before and after, and after the way back."""
    next_run: tuple[int | None, int]
    """(inserted, closed) by the run after it."""
    watch_after: str = ""
    expect: list[tuple[object, ...]] | None = None
    node_after: str = ""
    days: tuple[str, ...] = ("2026-01-02 00:00:00",)
    table: str = "snap.history"


def source(**changed: str | None) -> str:
    columns = {**COLUMNS, **changed}
    return HEAD + "".join(f"          - {{name: {n}, data_type: '{t}'}}\n" for n, t in columns.items() if t)


def snapshot(
    config: str = "",
    columns: str = "",
    name: str = "history",
    strategy: str = "strategy: timestamp, updated_at: updated_at",
    was: str = "",
    key: str = "id",
) -> str:
    text = f"snapshots:\n  - name: {name}\n    relation: source('raw', 'customers')\n"
    text += f"    was: {was}\n" if was else ""
    text += f"    config: {{schema: snap, unique_key: {key}, {strategy}, hard_deletes: invalidate{config}}}\n"
    return text + (f"    columns:\n{columns}" if columns else "")


ROWS = (
    "INSERT INTO raw.customers (id, email, city, score, updated_at) VALUES (1, 'a@x', 'Rome', 10, '2026-01-01 00:00:00+00'), "
    "(2, 'b@x', 'Oslo', 20, '2026-01-01 00:00:00+00'), (3, NULL, NULL, NULL, '2026-01-01 00:00:00+00')",
)
LATER = (
    "UPDATE raw.customers SET email = 'a2@x', updated_at = '2026-01-02 12:00:00+00' WHERE id = 1",
    "DELETE FROM raw.customers WHERE id = 3",
)
WATCH = "SELECT id, email, city, score, valid_from, valid_to FROM snap.history ORDER BY 1, 5"


def on_snapshot(
    name: str, after: str, source_change: tuple[str, ...] = (), next_run: tuple[int | None, int] = (0, 0), **more: object
) -> Change:
    return Change(
        name, "history", source() + snapshot(), after, ROWS, LATER, source_change, str(more.pop("watch", WATCH)), next_run, **more
    )  # type: ignore[arg-type]


def model(
    sql: str = "id, email, city, score, updated_at",
    config: str = "",
    materialized: str = "incremental",
    columns: str = "",
    name: str = "people",
    strategy: str = ", incremental_strategy: merge, unique_key: id, cursor: updated_at",
    was: str = "",
) -> str:
    text = f"models:\n  - name: {name}\n" + (f"    was: {was}\n" if was else "")
    text += f"    config: {{materialized: {materialized}{strategy if materialized == 'incremental' else ''}{config}}}\n"
    text += f"    sql: select {sql} from {{{{ source('raw', 'customers') }}}}\n" + (f"    columns:\n{columns}" if columns else "")
    text += f"  - name: {name}_seen\n    sql: select id, email from {{{{ ref('{name}') }}}}\n" if "email" in sql else ""
    return text


MODEL_WATCH = "SELECT id, email, city, score, updated_at FROM mart.people ORDER BY 1"
TABLE = {"table": "mart.people", "watch": MODEL_WATCH}


def on_model(
    name: str, after: str, source_change: tuple[str, ...] = (), next_run: tuple[int | None, int] = (0, 0), before: str = "", **more: object
) -> Change:
    more = {**TABLE, **more}
    return Change(name, "people", before or source() + model(), after, ROWS, (), source_change, str(more.pop("watch")), next_run, **more)  # type: ignore[arg-type]


def models() -> list[Change]:
    wide = "id, email, city, score, phone, updated_at"
    return [
        on_model(
            "model_column",
            source(phone="text") + model(wide),
            PHONE,
            watch_after="SELECT id, email, city, score, updated_at FROM mart.people WHERE phone IS NULL ORDER BY 1",
        ),
        on_model(
            "model_backfill",
            source(phone="text") + model(wide, columns="      - {name: phone, history: {backfill: \"'+' || city\"}}\n"),
            PHONE,
            watch_after="SELECT id, phone FROM mart.people ORDER BY 1",
            expect=[(1, "+Rome"), (2, "+Oslo"), (3, None)],
        ),
        on_model("model_full_refresh", source(phone="text") + model(wide, columns="      - {name: phone, history: full_refresh}\n"), PHONE),
        on_model(
            "model_renamed_column",
            source() + model("id, email, city as town, score, updated_at", columns="      - {name: town, was: city}\n"),
            watch_after="SELECT id, email, town, score, updated_at FROM mart.people ORDER BY 1",
        ),
        on_model(
            "model_retired_column",
            source() + model("id, email, score, updated_at"),
            watch_after="SELECT id, email, city__retired_2, score, updated_at FROM mart.people ORDER BY 1",
        ),
        on_model("model_widened", source(score="bigint") + model(), ("ALTER TABLE raw.customers ALTER COLUMN score TYPE BIGINT",)),
        on_model(
            "model_copied",
            source(score="text") + model(),
            ("ALTER TABLE raw.customers ALTER COLUMN score TYPE VARCHAR",),
            watch_after="SELECT id, email, city, CAST(score AS INTEGER), updated_at FROM mart.people ORDER BY 1",
        ),
        on_model(
            "model_renamed",
            source() + model(name="persons", was="people"),
            node_after="persons",
            watch_after=MODEL_WATCH.replace("people", "persons"),
        ),
        on_model(
            "model_key_widened", source(id="numeric(20,0)") + model(), ("ALTER TABLE raw.customers ALTER COLUMN id TYPE NUMERIC(20, 0)",)
        ),
        on_model(
            "model_other_key", source() + model(strategy=", incremental_strategy: merge, unique_key: [id, updated_at], cursor: updated_at")
        ),
        on_model(
            "model_delete_insert", source() + model(strategy=", incremental_strategy: delete+insert, unique_key: id, cursor: updated_at")
        ),
        on_model("model_append", source() + model(strategy=", incremental_strategy: append, cursor: updated_at")),
        on_model("model_to_table", source() + model(materialized="table"), next_run=(3, 0)),
        on_model(
            "table_column",
            source(phone="text") + model(wide, materialized="table"),
            PHONE,
            next_run=(3, 0),
            before=source() + model(materialized="table"),
        ),
        on_model(
            "table_to_incremental",
            source() + model(strategy=", incremental_strategy: delete+insert, unique_key: id, cursor: updated_at"),
            before=source() + model(materialized="table"),
        ),
        on_model(
            "table_rebuilt",
            source() + model(materialized="table", config=", unique_key: id"),
            next_run=(3, 0),
            before=source() + model(materialized="table"),
            watch_after=MODEL_WATCH.replace("people", "people__retired_2"),
        ),
        on_model(
            "model_to_view",
            source()
            + model(materialized="view")
            + "  - name: other\n    config: {materialized: table}\n    sql: select id from {{ ref('people') }}\n",
            next_run=(3, 0),
            node_after="other",
            watch_after=MODEL_WATCH.replace("people", "people__retired_2"),
        ),
        on_model(
            "node_retired",
            source() + model(name="others", was="false"),
            next_run=(3, 0),
            node_after="others",
            watch_after=MODEL_WATCH.replace("people", "people__retired_2"),
        ),
        on_model("windows", source() + model(strategy=WINDOWS.replace("month", "day")), before=source() + model(strategy=WINDOWS)),
    ]


WINDOWS = ", incremental_strategy: microbatch, event_time: updated_at, batch_size: month, begin: '2026-01-01', lookback: 0"


def feeds() -> list[Change]:
    late = "strategy: changelog, updated_at: updated_at, late: rebuild, lookback: 1 day"
    events = source() + snapshot(strategy=late).replace(", hard_deletes: invalidate", "")
    return [
        Change(
            "feed_column",
            "history",
            events,
            source(phone="text")
            + snapshot(strategy=late, columns="      - {name: phone, history: new_version}\n").replace(", hard_deletes: invalidate", ""),
            ROWS,
            LATER[:1],
            PHONE[:1],
            WATCH,
            (0, 0),
        ),
        Change(
            "feed_renamed_column",
            "history",
            events,
            source(email=None, mail="text")
            + snapshot(strategy=late, columns="      - {name: mail, was: email}\n").replace(", hard_deletes: invalidate", ""),
            ROWS,
            LATER[:1],
            ("ALTER TABLE raw.customers RENAME COLUMN email TO mail",),
            WATCH,
            (0, 0),
            watch_after=WATCH.replace("email", "mail"),
        ),
    ]


PHONE = ("ALTER TABLE raw.customers ADD COLUMN phone VARCHAR", "UPDATE raw.customers SET phone = '555-' || id")

CHANGES = [
    on_snapshot(
        "column_empty",
        source(phone="text") + snapshot(columns="      - {name: phone, history: empty}\n"),
        PHONE,
        watch_after="SELECT id, phone, valid_to IS NULL FROM snap.history ORDER BY 1, valid_from",
        expect=[(1, None, False), (1, "555-1", True), (2, "555-2", True), (3, None, False)],
    ),
    on_snapshot(
        "column_new_version",
        source(phone="text") + snapshot(columns="      - {name: phone, history: new_version}\n"),
        PHONE,
        next_run=(2, 2),
    ),
    on_snapshot(
        "column_backfill",
        source(phone="text") + snapshot(columns="      - {name: phone, history: {backfill: \"'555-' || id\"}}\n"),
        PHONE,
        watch_after="SELECT id, phone FROM snap.history ORDER BY 1, valid_from",
        expect=[(1, "555-1"), (1, "555-1"), (2, "555-2"), (3, "555-3")],
    ),
    on_snapshot("column_untracked", source(phone="text") + snapshot(columns="      - {name: phone, on_change: ignore}\n"), PHONE),
    on_snapshot(
        "column_renamed",
        source(email=None, mail="text") + snapshot(columns="      - {name: mail, was: email}\n"),
        ("ALTER TABLE raw.customers RENAME COLUMN email TO mail",),
        watch_after="SELECT id, mail, city, score, valid_from, valid_to FROM snap.history ORDER BY 1, 5",
    ),
    on_snapshot(
        "column_retired",
        source(city=None) + snapshot(),
        ("ALTER TABLE raw.customers DROP COLUMN city",),
        watch_after="SELECT id, email, city__retired_2, score, valid_from, valid_to FROM snap.history ORDER BY 1, 5",
    ),
    on_snapshot("type_widened", source(score="bigint") + snapshot(), ("ALTER TABLE raw.customers ALTER COLUMN score TYPE BIGINT",)),
    on_snapshot("type_text_longer", source(city="varchar(40)") + snapshot()),
    on_snapshot("type_text", source(city="text") + snapshot()),
    on_snapshot(
        "type_copied",
        source(score="text") + snapshot(),
        ("ALTER TABLE raw.customers ALTER COLUMN score TYPE VARCHAR",),
        watch_after="SELECT id, email, city, CAST(score AS INTEGER), valid_from, valid_to FROM snap.history ORDER BY 1, 5",
    ),
    on_snapshot("key_widened", source(id="numeric(20,0)") + snapshot(), ("ALTER TABLE raw.customers ALTER COLUMN id TYPE NUMERIC(20, 0)",)),
    on_snapshot(
        "key_copied",
        source(id="text") + snapshot(),
        ("ALTER TABLE raw.customers ALTER COLUMN id TYPE VARCHAR",),
        watch_after="SELECT CAST(id AS BIGINT), email, city, score, valid_from, valid_to FROM snap.history ORDER BY 1, 5",
    ),
    on_snapshot(
        "key_renamed",
        source(id=None, customer_id="bigint") + snapshot(columns="      - {name: customer_id, was: id}\n", key="customer_id"),
        ("ALTER TABLE raw.customers RENAME COLUMN id TO customer_id",),
        watch_after="SELECT customer_id, email, city, score, valid_from, valid_to FROM snap.history ORDER BY 1, 5",
    ),
    on_snapshot(
        "table_renamed",
        source() + snapshot(name="client_history", was="history"),
        node_after="client_history",
        watch_after="SELECT id, email, city, score, valid_from, valid_to FROM snap.client_history ORDER BY 1, 5",
    ),
    on_snapshot("table_moved", source() + snapshot(config=", alias: people"), watch_after=WATCH.replace("snap.history", "snap.people")),
    on_snapshot(
        "schema_moved",
        source() + snapshot().replace("schema: snap,", "schema: snap2,"),
        watch_after=WATCH.replace("snap.history", "snap2.history"),
    ),
    on_snapshot(
        "sentinel_on",
        source() + snapshot(config=", dbt_valid_to_current: '9999-12-31'"),
        watch_after="SELECT id, email, city, score, valid_from, CASE WHEN valid_to < '3000-01-01 00:00:00+00' THEN valid_to END "
        "FROM snap.history ORDER BY 1, 5",
    ),
    on_snapshot("strategy_to_check", source() + snapshot(strategy="strategy: check, check_cols: all, updated_at: updated_at")),
    on_snapshot(
        "interval_renamed",
        source() + snapshot(config=", snapshot_meta_column_names: {dbt_valid_from: since, dbt_valid_to: until}"),
        watch_after="SELECT id, email, city, score, since, until FROM snap.history ORDER BY 1, 5",
    ),
    on_snapshot(
        "markers_on",
        source() + snapshot().replace("hard_deletes: invalidate", "hard_deletes: new_record"),
        watch_after=WATCH.replace("snap.history ", "snap.history WHERE NOT is_deleted "),
    ),
    on_snapshot(
        "several_at_once",
        source(email=None, mail="text", phone="text")
        + snapshot(config=", alias: people", columns="      - {name: mail, was: email}\n      - {name: phone, history: empty}\n").replace(
            "invalidate", "new_record"
        ),
        ("ALTER TABLE raw.customers RENAME COLUMN email TO mail", *PHONE),
        watch_after="SELECT id, mail, city, score, valid_from, valid_to FROM snap.people WHERE NOT is_deleted ORDER BY 1, 5",
    ),
    on_snapshot("index", source() + snapshot(config=", indexes: [{columns: city}]")),
    Change(
        "markers_off",
        "history",
        source() + snapshot().replace("invalidate", "new_record"),
        source() + snapshot(),
        ROWS,
        LATER,
        (),
        WATCH.replace("snap.history ", "snap.history WHERE NOT is_deleted "),
        (0, 0),
        watch_after=WATCH,
    ),
    Change(
        "sentinel_off",
        "history",
        source() + snapshot(config=", dbt_valid_to_current: '9999-12-31'"),
        source() + snapshot(),
        ROWS,
        LATER,
        (),
        "SELECT id, email, valid_from, CASE WHEN valid_to < '3000-01-01 00:00:00+00' THEN valid_to END FROM snap.history ORDER BY 1, 3",
        (0, 0),
    ),
    Change(
        "sentinel_moved",
        "history",
        source() + snapshot(config=", dbt_valid_to_current: '9999-12-31'"),
        source() + snapshot(config=", dbt_valid_to_current: '9999-12-31 23:59:59.999999'"),
        ROWS,
        LATER,
        (),
        "SELECT id, email, valid_from, CASE WHEN valid_to < '3000-01-01 00:00:00+00' THEN valid_to END FROM snap.history ORDER BY 1, 3",
        (0, 0),
    ),
    Change(
        "nullable_key",
        "history",
        source() + snapshot(key="[id, city]").replace("timestamp, ", "timestamp, on_null_key: quarantine, "),
        source()
        + snapshot(key="[id, city]", config=", nullable_keys: [city]").replace("timestamp, ", "timestamp, on_null_key: quarantine, "),
        ROWS,
        LATER[:1],
        (),
        WATCH,
        (1, 0),
    ),
    *models(),
    *feeds(),
]
