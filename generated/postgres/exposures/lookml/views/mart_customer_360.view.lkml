# c360gen | postgres | LookML view of mart_customer_360 | from specs/marts/marts.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 9e0c2ce08789390f19c6a01b0bd5aec90b36a46fddaaeb3a1c8e5abd6cf5d072

view: mart_customer_360 {
  sql_table_name: marts.mart_customer_360 ;;

  dimension: customer_id {
    primary_key: yes
    description: "Key of the customer."
    type: number
    value_format_name: id
    sql: ${TABLE}.customer_id ;;
  }

  dimension: full_name {
    type: string
    sql: ${TABLE}.full_name ;;
  }

  dimension: email {
    type: string
    sql: ${TABLE}.email ;;
  }

  dimension: order_count {
    type: number
    sql: ${TABLE}.order_count ;;
  }

  dimension: lifetime_value {
    description: "Sum of all orders that were not cancelled, in euro."
    type: number
    sql: ${TABLE}.lifetime_value ;;
  }

  dimension: average_order_value {
    type: number
    sql: ${TABLE}.average_order_value ;;
  }

  dimension: days_since_last_order {
    description: "Whole days between the last order and the run."
    type: number
    sql: ${TABLE}.days_since_last_order ;;
  }

  dimension: months_as_customer {
    description: "Months of 30 days since the first order, truncated."
    type: number
    sql: ${TABLE}.months_as_customer ;;
  }

  dimension: payment_count {
    type: number
    sql: ${TABLE}.payment_count ;;
  }

  dimension: refund_rate {
    description: "Share of payments that were refunded."
    type: number
    sql: ${TABLE}.refund_rate ;;
  }

  dimension: paid_amount {
    type: number
    sql: ${TABLE}.paid_amount ;;
  }

  dimension: favourite_payment_method {
    type: string
    sql: ${TABLE}.favourite_payment_method ;;
  }

  dimension: interaction_count {
    type: number
    sql: ${TABLE}.interaction_count ;;
  }

  dimension: last_channel {
    type: string
    sql: ${TABLE}.last_channel ;;
  }

  dimension: version_count {
    description: "Versions of the customer in the history."
    type: number
    sql: ${TABLE}.version_count ;;
  }

  dimension: segment {
    type: string
    sql: ${TABLE}.segment ;;
  }

  measure: count {
    type: count
    drill_fields: [customer_id]
  }
}
