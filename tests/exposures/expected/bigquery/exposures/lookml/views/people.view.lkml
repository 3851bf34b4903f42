# c360gen | bigquery | LookML view of people | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: afe58ab2a1a82dcdd71318ec925308ec17ce4325c35b50c44797027d22b1b1cc

view: people {
  sql_table_name: `acme-analytics`.mart.people ;;

  dimension: id {
    primary_key: yes
    type: number
    value_format_name: id
    sql: ${TABLE}.id ;;
  }

  dimension: boss_id {
    type: number
    value_format_name: id
    sql: ${TABLE}.boss_id ;;
  }

  dimension: voll_name {
    label: "Voll Name"
    description: "Says \"hello\" \\ { { liquid }} and { % more %} ;; of several lines"
    type: string
    sql: ${TABLE}.`Voll Name` ;;
  }

  dimension: c_2nd {
    label: "2nd"
    type: string
    sql: ${TABLE}.`2nd` ;;
  }

  dimension: count {
    type: number
    sql: ${TABLE}.count ;;
  }

  dimension: group {
    description: "<b>bold</b> & a control character --"
    type: string
    sql: ${TABLE}.`group` ;;
  }

  dimension_group: seen {
    type: time
    timeframes: [raw, time, date, week, month, quarter, year]
    datatype: datetime
    convert_tz: no
    sql: ${TABLE}.seen ;;
  }

  dimension: seen_date_2 {
    label: "seen_date"
    type: string
    sql: ${TABLE}.seen_date ;;
  }

  dimension: stra_e_2 {
    label: "straße"
    type: string
    sql: ${TABLE}.`straße` ;;
  }

  dimension: stra_e {
    type: string
    sql: ${TABLE}.stra_e ;;
  }

  dimension: old {
    type: yesno
    sql: ${TABLE}.old ;;
  }

  dimension: nothing {
    type: string
    sql: ${TABLE}.nothing ;;
  }

  measure: count_2 {
    type: count
    drill_fields: [id]
  }
}
