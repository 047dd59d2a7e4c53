//! Order: parents before children, for any set of schemas.

use crate::record::Schema;

/// Sorts feeds so that every feed comes after the feeds of its parents. Feeds that do not depend on each other keep their order.
pub fn parents_first(schemas: &[&'static Schema]) -> Vec<&'static Schema> {
    let mut sorted: Vec<&'static Schema> = Vec::with_capacity(schemas.len());
    let mut rest: Vec<&'static Schema> = schemas.to_vec();
    while !rest.is_empty() {
        let waits = |schema: &Schema| {
            schema
                .parents
                .iter()
                .any(|edge| edge.feed != schema.feed && rest.iter().any(|other| other.feed == edge.feed))
        };
        let ready = rest.iter().position(|schema| !waits(schema)).unwrap_or(0);
        sorted.push(rest.remove(ready));
    }
    sorted
}

/// The feeds that have records of `feed` as parents.
pub fn children_of(feed: &str, schemas: &[&'static Schema]) -> Vec<&'static Schema> {
    schemas.iter().copied().filter(|schema| schema.holding_edges().any(|edge| edge.feed == feed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Edge, Expiry, Hold, Unit};

    const fn schema(feed: &'static str, parents: &'static [Edge]) -> Schema {
        Schema {
            feed,
            table: "",
            fields: &[],
            key: "id",
            discriminator: None,
            parents,
            unit: Unit::None,
            expires: Expiry::Never,
            place: &[],
            status: None,
            spare: &[],
            yields: &[],
            cascades: &[],
            urgent: false,
            persons: false,
            derived_key: &[],
            shown: &[],
        }
    }

    static GRANDCHILD: Schema = schema("c", &[Edge { field: "b", feed: "b", hold: Hold::OrderOnly }]);
    static CHILD: Schema = schema("b", &[Edge { field: "a", feed: "a", hold: Hold::Accepted }]);
    static PARENT: Schema = schema("a", &[]);

    #[test]
    fn parents_come_first_whatever_order_they_are_given_in() {
        let names = |schemas: &[&'static Schema]| parents_first(schemas).iter().map(|s| s.feed).collect::<String>();
        assert_eq!(names(&[&GRANDCHILD, &CHILD, &PARENT]), "abc");
        assert_eq!(names(&[&PARENT, &GRANDCHILD, &CHILD]), "abc");
        assert_eq!(names(&[&GRANDCHILD, &PARENT]), "ca");
    }

    #[test]
    fn only_holding_edges_make_children() {
        assert_eq!(children_of("a", &[&GRANDCHILD, &CHILD, &PARENT]).len(), 1);
        assert!(children_of("b", &[&GRANDCHILD]).is_empty());
    }
}
