-- c360gen | bigquery | views of snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 629c64fb040c508d1e392f1a0805272969fab336aa077b443fed5c4f7012befc

CREATE OR REPLACE VIEW `acme-analytics`.snap.user_current
OPTIONS (
  description='The open versions of user: one row per key.'
) AS
SELECT
  h.`group`,
  h.`select`,
  h.`Größe`,
  h.`two words`,
  h.updated_at,
  h.valid_from
FROM `acme-analytics`.snap.`user` AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snap.user_as_of(p_at TIMESTAMP)
OPTIONS (description = 'user as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.`group`,
    h.`select`,
    h.`Größe`,
    h.`two words`,
    h.updated_at,
    h.valid_from,
    h.valid_to
  FROM `acme-analytics`.snap.`user` AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);
