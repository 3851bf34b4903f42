-- c360gen | bigquery | view staging.stg_interactions | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b24a60eb0e051fbb2a31b530f9b512f1030d69dd14e98494c68b95e7ae60b4d6

CREATE OR REPLACE VIEW `acme-analytics`.staging.stg_interactions AS
SELECT
  interactions.interaction_id AS interaction_id,
  interactions.customer_id AS customer_id,
  interactions.channel AS channel,
  interactions.subject AS subject,
  interactions.occurred_at AS occurred_at
FROM `acme-analytics`.raw_data.interactions AS interactions;
