-- Wednesday: a payment is refunded, the deleted customer comes back, a new one arrives, an order is delivered.
UPDATE raw_data.payments SET status = 'refunded', updated_at = '2026-03-03 10:00:00+00' WHERE payment_id = 903;
INSERT INTO raw_data.customers VALUES (4, 'Hedy', 'Lamarr', 'hedy@example.com', '+43 1 4', '2025-04-13 09:00:00+00', '2026-03-01 08:15:00+00');
INSERT INTO raw_data.customers VALUES (6, 'Alan', 'Kay', 'alan@example.com', '+1 310 6', '2026-03-03 09:00:00+00', '2026-03-03 09:00:00+00');
UPDATE raw_data.orders SET status = 'delivered', updated_at = '2026-03-03 12:00:00+00' WHERE order_id = 102;
UPDATE raw_data.orders SET status = 'cancelled', updated_at = '2026-03-03 13:00:00+00' WHERE order_id = 106;
INSERT INTO raw_data.interactions VALUES (5, 2, 'mail', 'Refund', '2026-03-03 11:00:00+00'), (6, 6, 'chat', 'Hello', '2026-03-03 12:00:00+00');
