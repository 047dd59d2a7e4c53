//! The clock of a session. A view may say `NOW()`, compare a TIMESTAMP with a DATETIME, or make a text of one: all of that is on the
//! session's clock, which therefore is the source's own zone, by name, wherever the server knows it.

use chrono::TimeZone;
use chrono_tz::Tz;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};
use sqlx::{AssertSqlSafe, Executor};

use super::super::{Stamp, stamp};

/// Farthest from UTC that a session's clock can be: seconds.
const FARTHEST_OFFSET: i64 = 13 * 3600;
/// The server knows no zone of this name.
const UNKNOWN_ZONE: u16 = 1298;
const MICROS: i64 = 1_000_000;
/// No zone of today moves its clocks by more at once: microseconds.
const LONGEST_STEP: i64 = 2 * 3600 * MICROS;
/// Moments at which the server's table of a zone is held against ours, beside today: noons of winters and summers whose offsets differ in some
/// Russian zone. Seconds since 1970.
const SAMPLES: [i64; 8] = [
    1_104_580_800, // 2005-01-01
    1_120_219_200, // 2005-07-01
    1_325_419_200, // 2012-01-01
    1_341_144_000, // 2012-07-01
    1_420_113_600, // 2015-01-01
    1_483_272_000, // 2017-01-01
    1_577_880_000, // 2020-01-01
    1_609_502_400, // 2021-01-01
];

/// The clock on which a session shows TIMESTAMP columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// That of a zone.
    Zone(Tz),
    /// So many seconds ahead of UTC in every season.
    Offset(i64),
}

/// Why a session is not on the source's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// The server does not know the zone.
    Unknown,
    /// The server's table of the zone differs from ours.
    Outdated,
}

impl Clock {
    /// The point in time at which the clock shows this: microseconds. Of a time that it shows twice, the first.
    pub(super) fn instant(self, shown: i64) -> i64 {
        match self {
            Clock::Zone(zone) => Stamp::Local(shown).instant(zone),
            Clock::Offset(seconds) => shown.saturating_sub(seconds * MICROS),
        }
    }

    /// What the clock shows at a point in time, or some time before where it shows that twice: from there on nothing is left out, whichever of
    /// the two the server takes it for.
    pub(super) fn shows_at_most(self, instant: i64) -> i64 {
        let shown = |zone, instant| Stamp::Instant(instant).local(zone);
        match self {
            Clock::Zone(zone) if shows_twice(zone, shown(zone, instant)) => {
                shown(zone, instant.saturating_sub(LONGEST_STEP))
            }
            Clock::Zone(zone) => shown(zone, instant),
            Clock::Offset(seconds) => instant.saturating_add(seconds * MICROS),
        }
    }
}

fn shows_twice(zone: Tz, shown: i64) -> bool {
    matches!(zone.offset_from_local_datetime(&stamp::civil(shown)), chrono::LocalResult::Ambiguous(..))
}

/// Puts a session on the clock of a zone, or on the zone's offset of today where the server does not know the zone as we do.
pub(in crate::source) async fn set(connection: &mut MySqlConnection, zone: Tz) -> Result<(), sqlx::Error> {
    set_and_tell(connection, zone).await.map(|_| ())
}

pub(super) async fn set_and_tell(
    connection: &mut MySqlConnection,
    zone: Tz,
) -> Result<(Clock, Option<Lack>), sqlx::Error> {
    let lack = if is_constant(zone) { None } else { Some(by_name(connection, zone).await?) };
    let lack = match lack {
        Some(Ok(())) => return Ok((Clock::Zone(zone), None)),
        Some(Err(lack)) => Some(lack),
        None => None,
    };
    let offset = offset_today(zone);
    say(connection, format!("SET SESSION time_zone = '{}'", written(offset))).await?;
    Ok((Clock::Offset(offset), lack))
}

async fn by_name(connection: &mut MySqlConnection, zone: Tz) -> Result<Result<(), Lack>, sqlx::Error> {
    match say(connection, format!("SET SESSION time_zone = '{zone}'")).await {
        Err(error) if number(&error) == Some(UNKNOWN_ZONE) => return Ok(Err(Lack::Unknown)),
        other => other?,
    }
    let moments: Vec<i64> = SAMPLES.into_iter().chain([chrono::Utc::now().timestamp()]).collect();
    let asked: Vec<String> = moments.iter().map(|moment| format!("FROM_UNIXTIME({moment})")).collect();
    let question = AssertSqlSafe(format!("SELECT CONCAT_WS(',', {})", asked.join(", ")));
    let answer: String = sqlx::query_scalar(question).persistent(false).fetch_one(connection).await?;
    let ours: Vec<String> = moments.iter().map(|moment| shown(zone, *moment)).collect();
    Ok(if answer == ours.join(",") { Ok(()) } else { Err(Lack::Outdated) })
}

async fn say(connection: &mut MySqlConnection, statement: String) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.map(|_| ())
}

/// The database's own number of an error.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

/// What clocks of a zone show: `2012-07-01 04:00:00`.
fn shown(zone: Tz, moment: i64) -> String {
    let local = Stamp::Instant(moment * MICROS).local(zone);
    stamp::civil(local).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// True for a zone that had one offset at every moment that is looked at: it needs no table.
fn is_constant(zone: Tz) -> bool {
    let today = stamp::offset_at(zone, chrono::Utc::now().timestamp_micros());
    let every_quarter = (0..4 * 68).map(|quarter| quarter * 7_889_400 * MICROS);
    every_quarter.into_iter().all(|moment| stamp::offset_at(zone, moment) == today)
}

/// Seconds that the zone's clock is ahead of UTC now, in whole minutes, as far as a session can be set to it.
fn offset_today(zone: Tz) -> i64 {
    let offset = stamp::offset_at(zone, chrono::Utc::now().timestamp_micros()) / 60 * 60;
    if offset.abs() <= FARTHEST_OFFSET { offset } else { 0 }
}

/// An offset as the server wants it: `+05:00`.
fn written(offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", offset.abs() / 3600, offset.abs() / 60 % 60)
}

impl Lack {
    /// What a site should do.
    pub(super) fn advice(self, zone: Tz) -> String {
        let what = match self {
            Lack::Unknown => "has no table of the zone",
            Lack::Outdated => "has another table than this program of the zone",
        };
        format!(
            "the server {what} {zone}: TIMESTAMP columns are converted here and are right, but what the server itself makes of one \
             (COALESCE, CAST, FROM_UNIXTIME, DATE_FORMAT) is on today's offset, and wrong for times at which the zone had another. \
             Load the tables: mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql (MySQL: mysql_tzinfo_to_sql, mysql)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600 * MICROS;
    /// 2014-10-25T22:00:00Z, when Moscow's clocks went from 02:00 back to 01:00.
    const BACK: i64 = 1_414_274_400 * MICROS;

    #[test]
    fn a_zone_is_read_with_the_offset_of_its_time() {
        let moscow = Clock::Zone(Tz::Europe__Moscow);
        let july_2012 = 1_341_100_800 * MICROS;
        assert_eq!(moscow.instant(july_2012 + 4 * HOUR), july_2012);
        assert_eq!(moscow.shows_at_most(july_2012), july_2012 + 4 * HOUR);
        assert_eq!(Clock::Offset(3 * 3600).instant(july_2012 + 3 * HOUR), july_2012);
    }

    #[test]
    fn a_bound_in_an_hour_that_comes_twice_is_before_both() {
        let moscow = Clock::Zone(Tz::Europe__Moscow);
        for moment in [BACK - HOUR / 2, BACK + HOUR / 2] {
            assert!(moscow.instant(moscow.shows_at_most(moment)) <= moment - HOUR / 2, "{moment}");
        }
    }

    #[test]
    fn only_zones_that_ever_changed_need_a_table() {
        assert!(is_constant(Tz::UTC) && is_constant(Tz::Etc__GMTMinus5));
        assert!(!is_constant(Tz::Asia__Yekaterinburg) && !is_constant(Tz::Europe__Moscow));
    }

    #[test]
    fn offsets_are_written_as_the_server_wants_them() {
        assert_eq!([written(5 * 3600), written(-3600 - 1800), written(0)], ["+05:00", "-01:30", "+00:00"]);
    }
}
