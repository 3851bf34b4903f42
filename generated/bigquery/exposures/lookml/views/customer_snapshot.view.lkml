# c360gen | bigquery | LookML view of customer_snapshot | from specs/snapshots.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: ff48594bc540afbb2c886f5649452d18309a36e6ed7998e06517f91973c9b971

view: customer_snapshot {
  sql_table_name: `acme-analytics`.snapshots.customer_snapshot ;;

  dimension: row_key {
    primary_key: yes
    hidden: yes
    type: string
    sql: CAST(${TABLE}.customer_id AS STRING) || '|' || CAST(${TABLE}.valid_from AS STRING) ;;
  }

  dimension: customer_id {
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

  dimension_group: valid_to {
    description: "First instant after this version (UTC); NULL while it is current."
    type: time
    timeframes: [raw, time, date, week, month, quarter, year]
    datatype: timestamp
    sql: ${TABLE}.valid_to ;;
  }

  measure: count {
    type: count
    drill_fields: [customer_id, valid_from_raw]
  }
}
