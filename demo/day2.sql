-- Tuesday: an order ships, a payment completes, a customer moves house, one is deleted, one changes without its timestamp.
UPDATE raw_data.customers SET email = 'ada.lovelace@example.com', updated_at = '2026-03-02 15:30:00+00' WHERE customer_id = 1;
UPDATE raw_data.customers SET phone = '+1 212 22' WHERE customer_id = 2; -- updated_at stands still
DELETE FROM raw_data.customers WHERE customer_id = 4;
UPDATE raw_data.orders SET status = 'shipped', updated_at = '2026-03-02 09:00:00+00' WHERE order_id = 102;
UPDATE raw_data.orders SET status = 'delivered', updated_at = '2026-03-02 11:00:00+00' WHERE order_id = 104;
UPDATE raw_data.payments SET status = 'completed', updated_at = '2026-03-02 10:00:00+00' WHERE payment_id = 905;
INSERT INTO raw_data.orders VALUES (107, 5, '2026-03-02', 'pending', 19.99, '2026-03-02 16:00:00+00');
INSERT INTO raw_data.payments VALUES (906, 102, 'card', 99.95, 'completed', '2026-03-02 09:30:00+00');
INSERT INTO raw_data.interactions VALUES (4, 1, 'phone', 'Thank you', '2026-03-02 17:00:00+00');
