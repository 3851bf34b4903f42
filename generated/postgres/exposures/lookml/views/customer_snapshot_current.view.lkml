# c360gen | postgres | LookML view of customer_snapshot_current | from specs/snapshots.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d42e52a5759973ae3f971022365eecc76e627067fa249e014f67d24a9ceb1907

view: customer_snapshot_current {
  sql_table_name: snapshots.customer_snapshot_current ;;

  dimension: customer_id {
    primary_key: yes
    description: "Key of the customer."
    type: number
    value_format_name: id
    sql: ${TABLE}.customer_id ;;
  }

  dimension: first_name {
    type: string
    sql: ${TABLE}.first_name ;;
  }

  dimension: last_name {
    type: string
    sql: ${TABLE}.last_name ;;
  }

  dimension: email {
    type: string
    sql: ${TABLE}.email ;;
  }

  dimension: phone {
    type: string
    sql: ${TABLE}.phone ;;
  }

  dimension_group: created_at {
    type: time
    timeframes: [raw, time, date, week, month, quarter, year]
    datatype: timestamp
    sql: ${TABLE}.created_at ;;
  }

  dimension_group: updated_at {
    description: "When the row was last changed."
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
    drill_fields: [customer_id]
  }
}
