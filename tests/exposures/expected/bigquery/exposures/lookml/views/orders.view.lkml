# c360gen | bigquery | LookML view of orders | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: ae5f243d1eb10d327779fa00aba396fa6b036eef6cfb3b88c9eb1c5a2bf01607

view: orders {
  sql_table_name: `acme-analytics`.mart.orders ;;

  dimension: row_key {
    primary_key: yes
    hidden: yes
    type: string
    sql: CAST(${TABLE}.id AS STRING) || '|' || CAST(${TABLE}.line AS STRING) ;;
  }

  dimension: id {
    type: number
    value_format_name: id
    sql: ${TABLE}.id ;;
  }

  dimension: line {
    description: "Counts from 1 -- within the order."
    type: number
    value_format_name: id
    sql: ${TABLE}.line ;;
  }

  dimension: customer_id {
    type: number
    value_format_name: id
    sql: ${TABLE}.customer_id ;;
  }

  dimension: payer_id {
    type: number
    value_format_name: id
    sql: ${TABLE}.payer_id ;;
  }

  dimension: amount {
    type: number
    sql: ${TABLE}.amount ;;
  }

  dimension_group: placed_at {
    type: time
    timeframes: [raw, time, date, week, month, quarter, year]
    datatype: timestamp
    sql: ${TABLE}.placed_at ;;
  }

  measure: count {
    type: count
    drill_fields: [id, line]
  }
}
