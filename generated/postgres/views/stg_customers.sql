-- c360gen | postgres | view staging.stg_customers | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 40062ffb277c4d6c46da56e7ba1990bce97deb14686fac4ecd3a2d4de9e7e49e

CREATE OR REPLACE VIEW staging.stg_customers AS
SELECT
  customers.customer_id AS customer_id,
  TRIM(customers.first_name) AS first_name,
  TRIM(customers.last_name) AS last_name,
  LOWER(customers.email) AS email,
  customers.phone AS phone,
  customers.created_at AS created_at,
  customers.updated_at AS updated_at
FROM raw_data.customers AS customers;
