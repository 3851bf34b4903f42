# c360gen | bigquery | LookML model of exposure customer_360_dashboard | from specs/exposures.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 27bdbb2e7ca792990a7dd4419584288ff93e55d322151f559deaf127049929dc

connection: "customer_360_bigquery"
label: "Customer 360"

include: "views/mart_customer_360.view.lkml"
include: "views/customer_snapshot.view.lkml"
include: "views/customer_snapshot_current.view.lkml"
include: "views/customer_snapshot_as_of.view.lkml"

explore: mart_customer_360 {
  description: "One row per current customer - value, recency, payment behaviour, contacts, segment."
}

explore: customer_snapshot {
  description: "History of every customer, one row per version of name, e-mail address and telephone number."
}

explore: customer_snapshot_current {
  description: "The open versions of customer_snapshot: one row per key."
}

explore: customer_snapshot_as_of {
  description: "customer_snapshot as it was at an instant: at most one row per key."
}
