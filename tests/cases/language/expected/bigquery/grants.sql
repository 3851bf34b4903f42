-- c360gen | bigquery | who may do what | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8d875522217827ce98d10b426ebcd1efee64b086e8f282710957706c75063532

-- group:analysts@example.com may read the nodes that name it under grants:. What a view reads must be readable as well, or the view authorized.
GRANT `roles/bigquery.dataViewer` ON TABLE `acme-analytics`.ref.country TO 'group:analysts@example.com';
GRANT `roles/bigquery.dataViewer` ON TABLE `acme-analytics`.analytics.customers TO 'group:analysts@example.com';
GRANT `roles/bigquery.dataViewer` ON TABLE `acme-analytics`.snap.spending TO 'group:analysts@example.com';
GRANT `roles/bigquery.dataViewer` ON VIEW `acme-analytics`.snap.spending_current TO 'group:analysts@example.com';
GRANT `roles/bigquery.dataViewer` ON VIEW `acme-analytics`.snap.spending_health TO 'group:analysts@example.com';
