# c360gen | bigquery | LookML model of exposure staff | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: faf4102274842acdd4c9a7cb1ebc71d5ec8e44ad95637b365a3391bd2cd4a9c7

connection: "shop_bigquery"

include: "views/people.view.lkml"
include: "views/ages.view.lkml"

explore: people {
  description: "Who works here, and for whom."

  join: people_by_boss_id {
    from: people
    type: left_outer
    relationship: many_to_one
    sql_on: ${people.boss_id} = ${people_by_boss_id.id} ;;
  }
}

explore: ages {
}
