# c360gen | bigquery | LookML view of customers_history | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 93af4073198a86b09772537e02cc91a51f305996518c413386335d7d22eba932

view: customers_history {
  sql_table_name: `acme-analytics`.snap.customers_history ;;

  dimension: row_key {
    primary_key: yes
    hidden: yes
    type: string
    sql: CAST(${TABLE}.id AS STRING) || '|' || CAST(${TABLE}.valid_from AS STRING) ;;
  }

  dimension: id {
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

  dimension_group: valid_to {
    description: "First instant after this version (UTC); 9999-12-31 while it is current."
    type: time
    timeframes: [raw, time, date, week, month, quarter, year]
    datatype: timestamp
    sql: ${TABLE}.valid_to ;;
  }

  dimension: is_deleted {
    description: "Whether this version only says that the key is gone."
    type: yesno
    sql: ${TABLE}.is_deleted ;;
  }

  measure: count {
    type: count
    drill_fields: [id, valid_from_raw]
  }
}
