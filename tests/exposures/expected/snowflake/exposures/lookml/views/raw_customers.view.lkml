# c360gen | snowflake | LookML view of raw_customers | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 56d0392f711cb8490d43e33545f0a9ae7355fc0dec8d74c59d148c0750ab78ba

view: raw_customers {
  sql_table_name: C360.raw.customers ;;

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

  measure: count {
    type: count
    drill_fields: [id]
  }
}
