"""What people granted, and built, on what a migration makes anew: kept, or told before anything is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from c360gen.engines import EngineError
from tests.migrate.changes import PHONE, ROWS, model, snapshot, source
from tests.migrate.evolving import Evolving

BEFORE = source() + snapshot() + model()
WIDER = source(phone="text") + snapshot(columns="      - {name: phone, history: empty}\n")
ACL = """
SELECT c.relname, NULL, a.grantee::regrole::text, a.privilege_type, a.is_grantable
  FROM pg_class AS c
 CROSS JOIN LATERAL aclexplode(c.relacl) AS a
 WHERE c.relkind = 'v' AND a.grantee <> c.relowner AND c.relnamespace IN ('snap'::regnamespace, 'mart'::regnamespace)
UNION ALL
SELECT c.relname, t.attname, a.grantee::regrole::text, a.privilege_type, a.is_grantable
  FROM pg_class AS c
  JOIN pg_attribute AS t ON t.attrelid = c.oid
 CROSS JOIN LATERAL aclexplode(t.attacl) AS a
 WHERE c.relkind = 'v'
UNION ALL
SELECT p.proname, NULL, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type, a.is_grantable
  FROM pg_proc AS p
 CROSS JOIN LATERAL aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a
 WHERE a.grantee <> p.proowner AND p.proname IN ('history_as_of', 'history_changes', 'people_as_of', 'people_changes', 'run_people')
 ORDER BY 1, 2 NULLS FIRST, 3, 4
"""
BY_HAND = (
    "GRANT SELECT ON snap.history_current TO granted_one WITH GRANT OPTION",
    "GRANT SELECT (id, email), UPDATE (email) ON snap.history_current TO granted_two",
    "GRANT SELECT, INSERT ON mart.people_seen TO granted_one, PUBLIC",
    'GRANT SELECT ON snap.history_health TO "Granted Three"',
    "REVOKE ALL ON FUNCTION snap.history_as_of FROM PUBLIC; GRANT EXECUTE ON FUNCTION snap.history_as_of TO granted_two",
    "GRANT EXECUTE ON PROCEDURE c360_control.run_people(TIMESTAMPTZ, BOOLEAN) TO granted_one",
)


@pytest.fixture
def shop(evolving: Callable[[str], Evolving]) -> Evolving:
    made = evolving("postgres")
    made.begin(BEFORE)
    for statement in ROWS:
        made.sql(statement)
    made.run("history", "2026-01-02 00:00:00")
    for role in ("granted_one", "granted_two", '"Granted Three"'):
        made.sql(f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END; $$")
    return made


def released(shop: Evolving, specs: str) -> None:
    shop.write(specs)
    shop.cli("migrate", "--name", "step")


def test_what_was_granted_by_hand_stays(shop: Evolving) -> None:
    """There and back: to whom, on which columns, with the right to grant it on; and what PUBLIC may not do any more."""
    for statement in (*BY_HAND, *PHONE):
        shop.sql(statement)
    before = shop.rows(ACL)
    assert ("history_current", None, "granted_one", "SELECT", True) in before
    assert ("history_current", "email", "granted_two", "UPDATE", False) in before
    assert not any(name == "history_as_of" and role == "PUBLIC" for name, _, role, _, _ in before)
    assert ("history_changes", None, "PUBLIC", "EXECUTE", False) in before
    released(shop, WIDER + model("id, email, updated_at", materialized="table"))  # whose run takes other arguments
    shop.execute(shop.migration("dry_run.sql"))
    assert shop.rows(ACL) == before
    shop.deploy()
    assert shop.rows(ACL) == before
    assert shop.rows("SELECT COUNT(*) FROM pg_proc WHERE proname = 'run_people'") == [(1,)]
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows(ACL) == before


def test_it_goes_along_with_a_node_that_is_renamed(shop: Evolving) -> None:
    for statement in BY_HAND:
        shop.sql(statement)
    before = shop.rows(ACL)
    released(shop, source() + snapshot(name="history", config=", alias: people") + model(name="persons", was="people"))
    shop.deploy()
    new = {"history": "people", "people_seen": "persons_seen", "run_people": "run_persons"}

    def renamed(name: str) -> str:
        return new.get(name) or name.replace("history_", "people_")

    moved = ACL.replace("'run_people'", "'run_persons'")
    kept = {(renamed(name), *rest) for name, *rest in before if name != "people_seen"}
    assert {row for row in shop.rows(moved) if row[0] != "persons_seen"} == kept
    shop.execute(shop.migration("rollback.sql"))
    assert [row for row in shop.rows(ACL) if row[0] != "people_seen"] == [row for row in before if row[0] != "people_seen"]


def test_a_grant_on_a_column_that_is_gone_is_told(shop: Evolving) -> None:
    shop.sql("GRANT SELECT (id, city) ON snap.history_current TO granted_two")
    shop.sql("ALTER TABLE raw.customers DROP COLUMN city")
    released(shop, source(city=None) + snapshot() + model("id, email, score, updated_at"))
    told: list[str] = []
    shop.connection.add_notice_handler(lambda notice: told.append(notice.message_primary))
    shop.deploy()
    assert "snap.history_current has no column city any more: SELECT is not granted again to granted_two" in told
    assert ("history_current", "id", "granted_two", "SELECT", False) in shop.rows(ACL)


def test_what_others_built_on_ours_is_never_dropped(shop: Evolving) -> None:
    """The migration names all of it, whatever it is, and so does the way back."""
    others = (
        "CREATE SCHEMA bi",
        "CREATE VIEW bi.dash AS SELECT id FROM snap.history_current",
        "CREATE MATERIALIZED VIEW bi.deep AS SELECT id FROM bi.dash",
        "CREATE VIEW bi.past AS SELECT id FROM snap.history_as_of('2026-01-02')",
        "CREATE FUNCTION bi.counted() RETURNS BIGINT LANGUAGE sql BEGIN ATOMIC SELECT COUNT(*) FROM snap.history_current; END",
    )
    named = "function bi.counted(), materialized view bi.deep, view bi.dash, view bi.past"
    for statement in (*others, *PHONE):
        shop.sql(statement)
    released(shop, WIDER + model())
    for file in ("dry_run.sql", "apply.sql"):
        with pytest.raises(EngineError, match="what is not ours reads what this migration makes anew") as failed:
            shop.execute(shop.migration(file))
        assert named in str(failed.value) and "nothing was changed" in str(failed.value)
    assert shop.rows("SELECT COUNT(*) FROM bi.dash") == [(3,)] and list(shop.session.ledger().applied) == [1]
    shop.sql("DROP SCHEMA bi CASCADE")
    shop.deploy()
    for statement in others:
        shop.sql(statement)
    with pytest.raises(EngineError, match="what is not ours reads") as failed:
        shop.execute(shop.migration("rollback.sql"))
    assert named in str(failed.value)
    shop.sql("DROP SCHEMA bi CASCADE")
    shop.execute(shop.migration("rollback.sql"))


def test_a_view_of_others_over_a_column_that_gets_another_type_is_named(shop: Evolving) -> None:
    shop.sql("CREATE SCHEMA bi; CREATE VIEW bi.scores AS SELECT id, score FROM snap.history")
    shop.sql("ALTER TABLE raw.customers ALTER COLUMN score TYPE BIGINT")
    released(shop, source(score="bigint") + snapshot() + model())
    with pytest.raises(EngineError, match=r"view bi\.scores"):
        shop.deploy()
    assert list(shop.session.ledger().applied) == [1]


def test_plan_md_says_what_becomes_of_it(shop: Evolving) -> None:
    for statement in PHONE:
        shop.sql(statement)
    released(shop, WIDER + model())
    assert "keep it, there and back" in shop.migration("PLAN.md")
