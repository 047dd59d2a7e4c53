//! The catalogue of a source: its tables and views with their columns, as far as the account may see them.

use super::{AnySource, Column, Engine, Query, Read, RowStream, Source, SourceError, sql};
use crate::record::{Row, RowChunk};

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its schema, where its name alone does not find it.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
}

impl Table {
    /// Its name for people: `mis.timetable`.
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Its name for a statement, quoted.
    pub fn quoted(&self, engine: Engine) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", sql::name(engine, schema), sql::name(engine, &self.name)),
            None => sql::name(engine, &self.name),
        }
    }
}

/// Quotes the name of a column.
pub fn quoted(engine: Engine, name: &str) -> String {
    sql::name(engine, name)
}

/// Quotes a text for a statement. None when the engine cannot hold it.
pub fn quoted_text(engine: Engine, text: &str) -> Option<String> {
    sql::literal(engine, text)
}

/// Schema (none where the name alone is enough), table, column, type and position of every column.
const POSTGRES: &str = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE n.nspname::text END AS schema_name, \
     c.relname::text AS table_name, a.attname::text AS column_name, format_type(a.atttypid, NULL)::text AS type_name, \
     a.attnum::bigint AS place FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid \
     JOIN pg_namespace AS n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND a.attnum > 0 AND NOT a.attisdropped \
     AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
     AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')";
const MYSQL: &str = "SELECT CAST(NULL AS CHAR) AS schema_name, CAST(table_name AS CHAR) AS table_name, CAST(column_name AS CHAR) AS column_name, \
     CAST(column_type AS CHAR) AS type_name, CAST(ordinal_position AS SIGNED) AS place \
     FROM information_schema.columns WHERE table_schema = DATABASE()";
const SQLITE: &str = "SELECT CAST(NULL AS TEXT) AS schema_name, m.name AS table_name, c.name AS column_name, lower(c.type) AS type_name, \
     c.cid AS place FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
     WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'";

/// One column as the catalogue lists it.
type Line = (Option<String>, String, i64, Column);

impl AnySource {
    /// The tables and views that the account sees, by name.
    pub async fn tables(&self) -> Result<Vec<Table>, SourceError> {
        let sql = match self {
            AnySource::Postgres(_) => POSTGRES,
            AnySource::MySql(_) => MYSQL,
            AnySource::Sqlite(_) => SQLITE,
        };
        let mut rows = self.read(Query { label: "the catalogue", sql }, Read::All).await?;
        let (mut chunk, mut lines) = (RowChunk::default(), Vec::new());
        while rows.next(&mut chunk).await? {
            lines.extend(chunk.rows().filter_map(line));
        }
        lines.sort_by(|a: &Line, b: &Line| (&a.0, &a.1, a.2).cmp(&(&b.0, &b.1, b.2)));
        Ok(tables_of(lines))
    }
}

fn line(row: Row<'_>) -> Option<Line> {
    let text = |at| row.cell(at).to_text();
    let place = text(4).and_then(|place| place.parse().ok()).unwrap_or_default();
    Some((text(0), text(1)?, place, Column { name: text(2)?, type_name: text(3).unwrap_or_default() }))
}

/// Groups sorted lines by table.
fn tables_of(lines: Vec<Line>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for (schema, name, _, column) in lines {
        match tables.last_mut() {
            Some(table) if table.schema == schema && table.name == name => table.columns.push(column),
            Some(_) | None => tables.push(Table { schema, name, columns: vec![column] }),
        }
    }
    tables
}
