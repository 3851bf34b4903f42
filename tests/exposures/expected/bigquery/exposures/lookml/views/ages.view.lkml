# c360gen | bigquery | LookML view of ages | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 513c8ff7079f7a00247b95ff0cb8d722a07bdb777a030a4fd4abc01363aaa49a

view: ages {
  sql_table_name: `acme-analytics`.mart.ages ;;

  dimension: id {
    type: number
    sql: ${TABLE}.id ;;
  }

  dimension: vip {
    type: string
    sql: CASE WHEN ${TABLE}.vip THEN 'Yes' WHEN NOT ${TABLE}.vip THEN 'No' END ;;
  }

  dimension_group: born {
    type: time
    timeframes: [raw, date, week, month, quarter, year]
    datatype: date
    convert_tz: no
    sql: ${TABLE}.born ;;
  }

  dimension: twice {
    type: string
    sql: ${TABLE}.twice ;;
  }

  measure: count {
    type: count
  }
}
