-- c360gen | duckdb | view staging.stg_interactions | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 47cc6c3949a210bd16769067a7a7a28d3f523a42bcb0b27498661a3b29ca7e19

CREATE OR REPLACE VIEW staging.stg_interactions AS
SELECT
  interactions.interaction_id AS interaction_id,
  interactions.customer_id AS customer_id,
  interactions.channel AS channel,
  interactions.subject AS subject,
  interactions.occurred_at AS occurred_at
FROM raw_data.interactions AS interactions;
