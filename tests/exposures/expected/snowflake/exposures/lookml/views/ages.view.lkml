# c360gen | snowflake | LookML view of ages | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 280f0a4c8243e0ffcfc49b5ad862ff0461a86203f773a959ece810c88a4b29b2

view: ages {
  sql_table_name: C360.mart.ages ;;

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
