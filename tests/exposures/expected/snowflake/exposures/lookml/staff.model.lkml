# c360gen | snowflake | LookML model of exposure staff | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: c76e91e219b361490663a265a3aba141c4485543e7198ea7b688eff3ae8fd722

connection: "shop_snowflake"

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
