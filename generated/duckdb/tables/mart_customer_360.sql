-- c360gen | duckdb | table marts.mart_customer_360 | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 4247cdb5f6a9dfcdf5381ea3c6192887d1b9131b8825a5f74ae295f5dfecc8c8

CREATE TABLE IF NOT EXISTS marts.mart_customer_360 (
  customer_id BIGINT NOT NULL,
  full_name TEXT,
  email TEXT,
  order_count BIGINT,
  lifetime_value DECIMAL(38, 2),
  average_order_value DECIMAL(38, 2),
  days_since_last_order BIGINT,
  months_as_customer BIGINT,
  payment_count BIGINT,
  refund_rate DECIMAL(9, 4),
  paid_amount DECIMAL(38, 2),
  favourite_payment_method TEXT,
  interaction_count BIGINT,
  last_channel TEXT,
  version_count BIGINT,
  segment TEXT,
  CONSTRAINT mart_customer_360_pk PRIMARY KEY (customer_id)
);

COMMENT ON TABLE marts.mart_customer_360 IS 'One row per current customer - value, recency, payment behaviour, contacts, segment.';

COMMENT ON COLUMN marts.mart_customer_360.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN marts.mart_customer_360.lifetime_value IS 'Sum of all orders that were not cancelled, in euro.';

COMMENT ON COLUMN marts.mart_customer_360.days_since_last_order IS 'Whole days between the last order and the run.';

COMMENT ON COLUMN marts.mart_customer_360.months_as_customer IS 'Months of 30 days since the first order, truncated.';

COMMENT ON COLUMN marts.mart_customer_360.refund_rate IS 'Share of payments that were refunded.';

COMMENT ON COLUMN marts.mart_customer_360.version_count IS 'Versions of the customer in the history.';

INSERT INTO c360_control.state (node) VALUES ('marts.mart_customer_360') ON CONFLICT (node) DO NOTHING;
