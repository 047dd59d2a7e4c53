//! The SQL of the views, with what was found by name. What was not found is a typed NULL with a mark; a feed without a table is a comment.

use super::feeds::Plan;
use super::matching::{Origin, Proposal, is_needed};
use super::words;
use crate::cli::init::Dialect;
use crate::cli::init::views::{comment, line, nothing, title, wanted};
use crate::record::{Field, Language, Schema};
use crate::source::{quoted, quoted_text};

/// The file.
pub(super) fn text(dialect: Dialect, language: Language, reader: Option<&str>, plans: &[Plan]) -> String {
    let mut sql = String::new();
    comment(&mut sql, "", words::VIEWS_HEAD.said_in(language));
    for plan in plans {
        if let Some(proposal) = &plan.proposal {
            sql.push('\n');
            view(&mut sql, dialect, language, plan, proposal);
            if let Some(reader) = reader {
                line(&mut sql, &format!("GRANT SELECT ON {} TO {};", plan.view(), quoted(dialect.engine(), reader)));
            }
        }
    }
    if dialect == Dialect::Mysql && plans.iter().any(|plan| plan.proposal.is_some()) {
        sql.push('\n');
        comment(&mut sql, "", words::GRANT_NEEDED.said_in(language));
        sql.push_str("-- GRANT SELECT ON DATABASE.VIEW TO 'vitrina'@'HOST';\n");
    }
    for plan in plans.iter().filter(|plan| plan.proposal.is_none()) {
        sql.push('\n');
        off(&mut sql, dialect, language, plan);
    }
    sql
}

fn view(sql: &mut String, dialect: Dialect, language: Language, plan: &Plan, proposal: &Proposal) {
    let (schema, name) = (plan.schema, plan.view());
    comment(sql, "", &title(schema, language));
    line(sql, &format!("DROP VIEW IF EXISTS {name};"));
    line(sql, &format!("CREATE VIEW {name} AS"));
    line(sql, "SELECT");
    for (index, (field, origin)) in schema.fields.iter().zip(&proposal.origins).enumerate() {
        let mark = if *origin == Origin::Missing && is_needed(field) { "<-- " } else { "" };
        comment(sql, "    ", &format!("{mark}{}", wanted(schema, field, language)));
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
fn off(sql: &mut String, dialect: Dialect, language: Language, plan: &Plan) {
    let schema: &Schema = plan.schema;
    let mut lines = String::new();
    comment(&mut lines, "", &title(schema, language));
    line(&mut lines, &format!("-- CREATE VIEW {} AS", plan.view()));
    line(&mut lines, "-- SELECT");
    for (index, field) in schema.fields.iter().enumerate() {
        let comma = if index + 1 < schema.fields.len() { "," } else { "" };
        comment(&mut lines, "--     ", &wanted(schema, field, language));
        line(&mut lines, &format!("--     {} AS {}{comma}", nothing(dialect, field), field.name));
    }
    line(&mut lines, "-- FROM ...;");
    sql.push_str(&lines);
}
