# c360gen | bigquery | LookML model of exposure sales | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: fc535ddf78fc979c96319d467b8eab268745da5732f43d3bc6b7ab0e8804770c

connection: "shop_bigquery"
label: "Sales \"2026\""

include: "views/orders.view.lkml"
include: "views/orders_point_in_time.view.lkml"
include: "views/customers_history.view.lkml"
include: "views/customers_history_current.view.lkml"
include: "views/customers_history_as_of.view.lkml"
include: "views/raw_customers.view.lkml"

explore: orders {
  description: "The lines of orders."

  join: customers_history_current_by_customer_id {
    from: customers_history_current
    type: left_outer
    relationship: many_to_one
    sql_on: ${orders.customer_id} = ${customers_history_current_by_customer_id.id} ;;
  }

  join: customers_history_current_by_payer_id {
    from: customers_history_current
    type: left_outer
    relationship: many_to_one
    sql_on: ${orders.payer_id} = ${customers_history_current_by_payer_id.id} ;;
  }
}

explore: orders_point_in_time {
  description: "Every row of orders, with what customers_history said at its time."

  join: customers_history_current_by_customer_id {
    from: customers_history_current
    type: left_outer
    relationship: many_to_one
    sql_on: ${orders_point_in_time.customer_id} = ${customers_history_current_by_customer_id.id} ;;
  }

  join: customers_history_current_by_payer_id {
    from: customers_history_current
    type: left_outer
    relationship: many_to_one
    sql_on: ${orders_point_in_time.payer_id} = ${customers_history_current_by_payer_id.id} ;;
  }
}

explore: customers_history {
  description: "Every version of a customer."
}

explore: customers_history_current {
  description: "The open versions of customers_history: one row per key."
}

explore: customers_history_as_of {
  description: "customers_history as it was at an instant: at most one row per key."
}

explore: raw_customers {
}
