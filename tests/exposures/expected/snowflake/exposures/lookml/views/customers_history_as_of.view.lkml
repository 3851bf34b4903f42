# c360gen | snowflake | LookML view of customers_history_as_of | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 0a485d9240b9cba894ab52d5b77529b857c8b12111c506b9405c8852b2362308

view: customers_history_as_of {
  derived_table: {
    sql:
      SELECT
        h.id,
        h.email,
        h.vip,
        h.rating,
        h.born,
        h.updated_at,
        h.valid_from,
        h.valid_to
      FROM TABLE(
        C360.snap.customers_history_as_of(COALESCE(CAST({% date_start as_of %} AS TIMESTAMP_NTZ(6)), SYSDATE()))
      ) AS h ;;
  }

  filter: as_of {
    type: date_time
    label: "As of"
    description: "The instant at which rows are shown: the beginning of what is chosen, or now."
  }

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

  dimension_group: valid_to {
    description: "First instant after this version (UTC); 9999-12-31 while it is current."
    type: time
    timeframes: [raw, time, date, week, month, quarter, year]
    datatype: timestamp
    sql: ${TABLE}.valid_to ;;
  }

  measure: count {
    type: count
    drill_fields: [id]
  }
}
