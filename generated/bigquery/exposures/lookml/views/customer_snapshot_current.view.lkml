# c360gen | bigquery | LookML view of customer_snapshot_current | from specs/snapshots.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 67e40c3d41a104c114b0d3ee00fb9e9d1b6baa54a2173e16d2c816b34f3f8fd2

view: customer_snapshot_current {
  sql_table_name: `acme-analytics`.snapshots.customer_snapshot_current ;;

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
