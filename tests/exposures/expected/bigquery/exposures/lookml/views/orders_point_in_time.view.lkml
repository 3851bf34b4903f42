# c360gen | bigquery | LookML view of orders_point_in_time | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 83f05f4d9609e6718ba70f386b50455617753ae2a742ced905a666570ca35f56

view: orders_point_in_time {
  sql_table_name: `acme-analytics`.mart.orders_point_in_time ;;

  dimension: row_key {
    primary_key: yes
    hidden: yes
    type: string
    sql: COALESCE('=' || CAST(${TABLE}.id AS STRING), '') || '|' || COALESCE('=' || CAST(${TABLE}.line AS STRING), '') ;;
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

  dimension: customers_history_rating {
    type: number
    sql: ${TABLE}.customers_history_rating ;;
  }

  measure: count {
    type: count
    drill_fields: [id, line]
  }
}
