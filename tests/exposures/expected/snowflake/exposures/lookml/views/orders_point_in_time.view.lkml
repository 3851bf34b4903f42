# c360gen | snowflake | LookML view of orders_point_in_time | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f7f0ec44bb7ae4d1fedbd9db3174a8c3b7fcac370f84b6a49cd87ec0f87f6f6d

view: orders_point_in_time {
  sql_table_name: C360.mart.orders_point_in_time ;;

  dimension: row_key {
    primary_key: yes
    hidden: yes
    type: string
    sql: COALESCE('=' || CAST(${TABLE}.id AS VARCHAR), '') || '|' || COALESCE('=' || CAST(${TABLE}.line AS VARCHAR), '') ;;
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
