//! The SQL of the views, with what was found by name. What was not found is a typed NULL with a mark; a feed without a table is a comment.

use super::feeds::Plan;
use super::matching::{Origin, Proposal, is_needed};
use crate::cli::init::Dialect;
use crate::cli::init::views::{comment, line, nothing, wanted};
use crate::record::{Field, Schema};
use crate::source::{quoted, quoted_text};

const HEAD: &str = "\
-- Views that vitrina reads, written by `vitrina init --interactive`. The owner of the database makes them; this file may be run again.
-- What is marked with <-- was not found and waits for your hand. Feeds without a table stand at the end, as comments: a feed without
-- a view is off. Codes of the hospital's own become those of the portal by CASE; docs/views.md explains every column.
";

/// The file.
pub(super) fn text(dialect: Dialect, reader: Option<&str>, plans: &[Plan]) -> String {
    let mut sql = HEAD.to_owned();
    for plan in plans {
        if let Some(proposal) = &plan.proposal {
            sql.push('\n');
            view(&mut sql, dialect, plan, proposal);
            if let Some(reader) = reader {
                line(&mut sql, &format!("GRANT SELECT ON {} TO {};", plan.view(), quoted(dialect.engine(), reader)));
            }
        }
    }
    if dialect == Dialect::Mysql && plans.iter().any(|plan| plan.proposal.is_some()) {
        sql.push_str("\n-- The account that vitrina reads with needs SELECT on each view:\n");
        sql.push_str("-- GRANT SELECT ON DATABASE.VIEW TO 'vitrina'@'HOST';\n");
    }
    for plan in plans.iter().filter(|plan| plan.proposal.is_none()) {
        sql.push('\n');
        off(&mut sql, dialect, plan);
    }
    sql
}

fn view(sql: &mut String, dialect: Dialect, plan: &Plan, proposal: &Proposal) {
    let (schema, name) = (plan.schema, plan.view());
    comment(sql, "", &format!("{}: {}. Key: {}.", schema.feed, schema.table, schema.key));
    line(sql, &format!("DROP VIEW IF EXISTS {name};"));
    line(sql, &format!("CREATE VIEW {name} AS"));
    line(sql, "SELECT");
    for (index, (field, origin)) in schema.fields.iter().zip(&proposal.origins).enumerate() {
        let mark = if *origin == Origin::Missing && is_needed(field) { "<-- " } else { "" };
        comment(sql, "    ", &format!("{mark}{}", wanted(schema, field)));
        let comma = if index + 1 < schema.fields.len() { "," } else { "" };
        line(sql, &format!("    {} AS {}{comma}", expression(dialect, field, origin), field.name));
    }
    line(sql, &format!("FROM {} AS t;", proposal.table.quoted(dialect.engine())));
}

fn expression(dialect: Dialect, field: &Field, origin: &Origin) -> String {
    let engine = dialect.engine();
    let name = |name: &str| quoted(engine, name);
    match origin {
        Origin::Column(column) => format!("t.{}", name(column)),
        Origin::Parent { column, table, number, key } => {
            format!("(SELECT p.{} FROM {table} AS p WHERE p.{} = t.{})", name(key), name(number), name(column))
        }
        Origin::Constant(text) => quoted_text(engine, text).unwrap_or_else(|| nothing(dialect, field)),
        Origin::Missing => nothing(dialect, field),
    }
}

/// A view as a comment.
fn off(sql: &mut String, dialect: Dialect, plan: &Plan) {
    let schema: &Schema = plan.schema;
    let mut lines = String::new();
    comment(&mut lines, "", &format!("{}: {}. Key: {}.", schema.feed, schema.table, schema.key));
    line(&mut lines, &format!("-- CREATE VIEW {} AS", plan.view()));
    line(&mut lines, "-- SELECT");
    for (index, field) in schema.fields.iter().enumerate() {
        let comma = if index + 1 < schema.fields.len() { "," } else { "" };
        comment(&mut lines, "--     ", &wanted(schema, field));
        line(&mut lines, &format!("--     {} AS {}{comma}", nothing(dialect, field), field.name));
    }
    line(&mut lines, "-- FROM ...;");
    sql.push_str(&lines);
}
