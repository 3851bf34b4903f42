# c360gen | postgres | LookML model of exposure staff | from specs/shop.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8474ccf00bc3b88a3874e616e09ef44a96ab894c43fa0745c3049fe7c64dbcfc

connection: "dwh"

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
