# c360gen | bigquery | LookML view of customers_history_current | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 1639a65e5a50fda6517e1cafd9d14f3d7d13413e52b8a6fd81c97085402362d0

view: customers_history_current {
  sql_table_name: `acme-analytics`.snap.customers_history_current ;;

  dimension: id {
    primary_key: yes
    type: number
    value_format_name: id
    sql: ${TABLE}.id ;;
  }

  dimension: email {
    type: string
    sql: ${TABLE}.email ;;
  }

  dimension: vip {
    type: string
    sql: CASE WHEN ${TABLE}.vip THEN 'Yes' WHEN NOT ${TABLE}.vip THEN 'No' END ;;
  }

  dimension: rating {
    type: number
    sql: ${TABLE}.rating ;;
  }

  dimension_group: born {
    type: time
    timeframes: [raw, date, week, month, quarter, year]
    datatype: date
    convert_tz: no
    sql: ${TABLE}.born ;;
  }

  dimension_group: updated_at {
    type: time
    timeframes: [raw, time, date, week, month, quarter, year]
    datatype: timestamp
    sql: ${TABLE}.updated_at ;;
  }

  dimension_group: valid_from {
    description: "First instant of this version (UTC, inclusive)."
    type: time
    timeframes: [raw, time, date, week, month, quarter, year]
    datatype: timestamp
    sql: ${TABLE}.valid_from ;;
  }

  measure: count {
    type: count
    drill_fields: [id]
  }
}
