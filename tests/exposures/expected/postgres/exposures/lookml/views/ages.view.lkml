# c360gen | postgres | LookML view of ages | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d74d5564c7c0784537e20b8330165ae101fe47a40e40169ca6b1b31ee2494a03

view: ages {
  sql_table_name: mart.ages ;;

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
