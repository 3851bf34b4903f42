-- c360gen | snowflake | view staging.stg_interactions | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: cf47eee37849121ec15464e1cec7c1f80a7d34fbeaa75dd26e90c9e1cb225fef

CREATE OR REPLACE VIEW C360.staging.stg_interactions
COPY GRANTS AS
SELECT
  interactions.interaction_id AS interaction_id,
  interactions.customer_id AS customer_id,
  interactions.channel AS channel,
  interactions.subject AS subject,
  interactions.occurred_at AS occurred_at
FROM C360.raw_data.interactions AS interactions;
