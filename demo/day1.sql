-- Monday: the shop as it is found on the first day. Plain SQL, for DuckDB and Postgres alike.
CREATE SCHEMA raw_data;
CREATE TABLE raw_data.customers (customer_id BIGINT, first_name TEXT, last_name TEXT, email TEXT, phone TEXT, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);
CREATE TABLE raw_data.orders (order_id BIGINT, customer_id BIGINT, order_date DATE, status TEXT, total_amount NUMERIC(12,2), updated_at TIMESTAMPTZ);
CREATE TABLE raw_data.payments (payment_id BIGINT, order_id BIGINT, payment_method TEXT, amount NUMERIC(12,2), status TEXT, updated_at TIMESTAMPTZ);
CREATE TABLE raw_data.interactions (interaction_id BIGINT, customer_id BIGINT, channel TEXT, subject TEXT, occurred_at TIMESTAMPTZ);

INSERT INTO raw_data.customers VALUES
  (1, 'Ada',    'Lovelace', 'Ada@example.com',   '+44 20 1', '2025-01-10 09:00:00+00', '2026-03-01 08:00:00+00'),
  (2, 'Grace',  'Hopper',   'grace@example.com', '+1 212 2', '2025-02-11 09:00:00+00', '2026-03-01 08:05:00+00'),
  (3, 'Edgar',  'Codd',     'edgar@example.com', NULL,       '2025-03-12 09:00:00+00', '2026-03-01 08:10:00+00'),
  (4, 'Hedy',   'Lamarr',   'hedy@example.com',  '+43 1 4',  '2025-04-13 09:00:00+00', '2026-03-01 08:15:00+00'),
  (5, 'Zoë',    'O''Brien', 'zoe@example.com',   '+353 1 5', '2026-02-14 09:00:00+00', '2026-03-01 08:20:00+00');
INSERT INTO raw_data.orders VALUES
  (101, 1, '2025-11-03', 'delivered', 420.10, '2025-11-09 10:00:00+00'),
  (102, 1, '2026-02-27', 'pending',    99.95, '2026-03-01 07:00:00+00'),
  (103, 2, '2026-01-15', 'delivered',  10.05, '2026-01-20 10:00:00+00'),
  (104, 2, '2026-02-20', 'shipped',    10.10, '2026-03-01 07:30:00+00'),
  (105, 3, '2025-08-01', 'delivered',  75.00, '2025-08-05 10:00:00+00'),
  (106, 4, '2026-02-28', 'pending',   333.33, '2026-03-01 07:45:00+00');
INSERT INTO raw_data.payments VALUES
  (901, 101, 'card',     420.10, 'completed', '2025-11-03 10:00:00+00'),
  (902, 103, 'transfer',  10.05, 'completed', '2026-01-15 10:00:00+00'),
  (903, 104, 'card',      10.10, 'completed', '2026-02-20 10:00:00+00'),
  (904, 105, 'card',      75.00, 'completed', '2025-08-01 10:00:00+00'),
  (905, 106, 'voucher',  333.33, 'pending',   '2026-02-28 10:00:00+00');
INSERT INTO raw_data.interactions VALUES
  (1, 1, 'mail',  'Where is my order?', '2026-02-28 12:00:00+00'),
  (2, 2, 'phone', 'Change of address',  '2026-02-28 13:00:00+00'),
  (3, 3, 'chat',  'Invoice',            '2026-02-28 14:00:00+00');
