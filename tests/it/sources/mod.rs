//! One contract for every source, held against a real database of each engine.

mod cells;
mod changes;
mod encodings;
mod engines;
mod failures;
mod keys;
mod pooler;
mod sentences;
mod streams;
mod tls;
mod waiting;
mod write_engines;
mod writes;
mod zones;

use vitrina::record::{Cell, RowChunk};
use vitrina::source::memory::Value;
use vitrina::source::{AnySource, Query, Read, RowStream, Rows, Source, SourceError};

use crate::support::database::{self, TestDb};

/// Makes each contract a test of each engine.
macro_rules! contracts {
    ($($group:ident::$contract:ident),+ $(,)?) => {
        contracts!(@engine sqlite $($group::$contract),+);
        contracts!(@engine postgres $($group::$contract),+);
        contracts!(@engine mariadb $($group::$contract),+);
    };
    (@engine $engine:ident $($group:ident::$contract:ident),+) => {
        mod $engine {
            $(#[tokio::test]
            async fn $contract() {
                super::$group::$contract(super::database::$engine().await).await;
            })+
        }
    };
}

contracts!(
    cells::cells_arrive_as_the_engine_keeps_them,
    cells::columns_are_told_without_reading_rows,
    cells::an_empty_answer_is_a_complete_read,
    cells::queries_may_end_as_people_end_them,
    cells::two_columns_of_one_name_are_an_error_of_the_query,
    changes::change_reads_give_what_changed_since_and_what_never_said_when,
    changes::change_reads_cross_between_clock_and_instant,
    keys::keys_are_found_in_every_form,
    keys::many_keys_are_found_over_several_statements,
    keys::hostile_keys_find_nothing_and_break_nothing,
    keys::a_sweep_gives_every_key_in_its_own_form_and_then_the_changes,
    keys::a_sweep_and_its_changes_see_one_state,
    keys::rows_whose_key_cannot_be_read_are_found_by_what_is_shown_of_it,
    streams::long_answers_stream_in_bounded_chunks,
    streams::a_read_sees_one_state_of_the_database,
    streams::a_dropped_stream_ends_its_statement,
    streams::a_killed_connection_is_no_complete_read,
    waiting::a_reader_that_takes_its_time_holds_no_writer,
    streams::a_statement_that_takes_too_long_is_ended,
    writes::texts_serve_columns_of_every_type,
    writes::what_is_not_given_is_null_and_null_comes_back,
    writes::the_last_row_of_all_statements_is_the_answer,
    writes::a_refused_statement_undoes_those_before_it_and_names_no_value,
    writes::a_locked_row_ends_with_the_limit_and_without_a_trace,
    writes::a_statement_that_takes_too_long_is_ended_and_rolled_back,
    writes::many_at_once_each_have_their_transaction,
    writes::a_dropped_run_leaves_nothing_and_blocks_nobody,
    failures::writes_are_refused,
    failures::a_missing_view_is_named_by_code_alone,
    failures::a_value_in_the_databases_message_stays_there,
    failures::a_missing_column_is_an_error,
    failures::a_missing_database_is_told,
    failures::the_databases_clock_is_read,
    failures::relations_are_found,
);

fn query(sql: &str) -> Query<'_> {
    Query { label: "fer.slot", sql }
}

fn own(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => Value::Text(text.into()),
        Cell::Undecodable => Value::Undecodable,
        Cell::Bytes(bytes) => Value::Bytes(bytes.into()),
        Cell::Guid(value) => Value::Guid(value),
        Cell::Int(value) => Value::Int(value),
        Cell::Float(value) => Value::Float(value),
        Cell::Decimal(text) => Value::Decimal(text.into()),
        Cell::Bool(value) => Value::Bool(value),
        Cell::Date(days) => Value::Date(days),
        Cell::LocalTime(micros) => Value::LocalTime(micros),
        Cell::Instant(micros) => Value::Instant(micros),
    }
}

async fn drain(mut rows: Rows) -> Result<Vec<Vec<Value>>, SourceError> {
    let (mut chunk, mut all) = (RowChunk::default(), Vec::new());
    let width = rows.columns().len();
    while rows.next(&mut chunk).await? {
        all.extend(chunk.rows().map(|row| (0..width).map(|index| own(row.cell(index))).collect()));
    }
    Ok(all)
}

async fn read(source: &AnySource, sql: &str, read: Read<'_>) -> Result<Vec<Vec<Value>>, SourceError> {
    drain(source.read(query(sql), read).await?).await
}

async fn read_all(db: &TestDb, sql: &str) -> Vec<Vec<Value>> {
    read(&db.source(), sql, Read::All).await.unwrap()
}

/// The integers of a one-column answer, sorted.
fn ints(rows: Vec<Vec<Value>>) -> Vec<i64> {
    let mut ints: Vec<_> = rows
        .into_iter()
        .map(|row| match row[0] {
            Value::Int(value) => value,
            ref other => panic!("{other:?}"),
        })
        .collect();
    ints.sort_unstable();
    ints
}

/// 2026-07-01T12:00:00 on some clock: microseconds since 1970-01-01T00:00:00 on it.
const NOON: i64 = 1_782_907_200_000_000;

const HOUR: i64 = 3_600_000_000;

/// Days from 1970-01-01 to 2026-07-01.
const FIRST_OF_JULY: i32 = 20_635;

const GUID: u128 = 0xab7c_bc4b_2e68_40d2_881b_6f95_7b04_4818;

const UPPER: &str = "AB7CBC4B-2E68-40D2-881B-6F957B044818";

const HEX: &str = "ab7cbc4b2e6840d2881b6f957b044818";
