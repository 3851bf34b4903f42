# c360gen | snowflake | LookML view of customers_history_current | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 930c1356cfaf952bdaf5f3b0d52551ec6e75a925b750d4fa4bcc3076631bcacd

view: customers_history_current {
  sql_table_name: C360.snap.customers_history_current ;;

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
