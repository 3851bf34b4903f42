# c360gen | postgres | LookML model of exposure customer_360_dashboard | from specs/exposures.yml
# Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 66f07316b8040b8f33ac51fe2993b9ca37008601f703246cc5565990915dc7e3

connection: "customer_360_postgres"
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
