-- c360gen | snowflake | view staging.stg_customers | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 54e3c97a64288f303ad75c76c3adfbf533b228b61f84aa88f566459ed9989b27

CREATE OR REPLACE VIEW C360.staging.stg_customers
COPY GRANTS AS
SELECT
  customers.customer_id AS customer_id,
  TRIM(customers.first_name) AS first_name,
  TRIM(customers.last_name) AS last_name,
  LOWER(customers.email) AS email,
  customers.phone AS phone,
  customers.created_at AS created_at,
  customers.updated_at AS updated_at
FROM C360.raw_data.customers AS customers;
