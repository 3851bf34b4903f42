-- c360gen | bigquery | view staging.stg_customers | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8fb09fc1218ce92aaf4f5e8c5e36e2abbf49abd1bd02dbb9d9e2b0140fdbd858

CREATE OR REPLACE VIEW `acme-analytics`.staging.stg_customers AS
SELECT
  customers.customer_id AS customer_id,
  TRIM(customers.first_name) AS first_name,
  TRIM(customers.last_name) AS last_name,
  LOWER(customers.email) AS email,
  customers.phone AS phone,
  customers.created_at AS created_at,
  customers.updated_at AS updated_at
FROM `acme-analytics`.raw_data.customers AS customers;
