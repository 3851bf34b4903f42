-- c360gen | bigquery | view staging.stg_customers | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: c0ddf105eeb3a1c76c81b07faea54279f9ba213c8ea465feb8f6b2f545cc31d0

CREATE OR REPLACE VIEW `acme-analytics`.staging.stg_customers AS
SELECT
  customers.customer_id AS customer_id,
  TRIM(customers.first_name, ' ') AS first_name,
  TRIM(customers.last_name, ' ') AS last_name,
  LOWER(customers.email) AS email,
  customers.phone AS phone,
  customers.created_at AS created_at,
  customers.updated_at AS updated_at
FROM `acme-analytics`.raw_data.customers AS customers;
