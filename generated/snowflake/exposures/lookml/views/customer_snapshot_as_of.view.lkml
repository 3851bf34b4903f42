# c360gen | snowflake | LookML view of customer_snapshot_as_of | from specs/snapshots.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: e67ed1b4f15d7d821bc87f43f3dfe05eb54c83df66112f6107a0d074da66c2e9

view: customer_snapshot_as_of {
  derived_table: {
    sql:
      SELECT
        h.customer_id,
        h.first_name,
        h.last_name,
        h.email,
        h.phone,
        h.created_at,
        h.updated_at,
        h.valid_from,
        h.valid_to
      FROM TABLE(
        C360.snapshots.customer_snapshot_as_of(COALESCE(CAST({% date_start as_of %} AS TIMESTAMP_NTZ(6)), SYSDATE()))
      ) AS h ;;
  }

  filter: as_of {
    type: date_time
    label: "As of"
    description: "The instant at which rows are shown: the beginning of what is chosen, or now."
  }

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

  dimension_group: valid_to {
    description: "First instant after this version (UTC); NULL while it is current."
    type: time
    timeframes: [raw, time, date, week, month, quarter, year]
    datatype: timestamp
    sql: ${TABLE}.valid_to ;;
  }

  measure: count {
    type: count
    drill_fields: [customer_id]
  }
}
