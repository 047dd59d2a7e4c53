//! The hospital's time zone: one of the country's, the machine's own marked beforehand.

use chrono::{Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::talk::Talk;
use super::words;
use crate::cli::CliError;

/// A zone for each clock of the country, by its best-known city.
const ZONES: &[Tz] = &[
    Tz::Europe__Kaliningrad,
    Tz::Europe__Moscow,
    Tz::Europe__Samara,
    Tz::Asia__Yekaterinburg,
    Tz::Asia__Omsk,
    Tz::Asia__Novosibirsk,
    Tz::Asia__Krasnoyarsk,
    Tz::Asia__Irkutsk,
    Tz::Asia__Yakutsk,
    Tz::Asia__Vladivostok,
    Tz::Asia__Magadan,
    Tz::Asia__Kamchatka,
];

/// Asks for the zone.
pub(super) fn ask(talk: &Talk) -> Result<Tz, CliError> {
    let here = of_this_machine();
    let mut zones = ZONES.to_vec();
    if let Some(here) = here.filter(|here| *here != Tz::UTC && *here != Tz::Etc__UTC && !zones.contains(here)) {
        zones.insert(0, here);
    }
    let default = here.and_then(|here| zones.iter().position(|zone| *zone == here));
    let moscow = zones.iter().position(|zone| *zone == Tz::Europe__Moscow).unwrap_or_default();
    let mut items: Vec<String> = zones.iter().map(|zone| format!("{zone} (UTC{})", offset(*zone))).collect();
    items.push(talk.words(&words::OTHER_ZONE, &[]));
    let chosen = talk.choose(&talk.words(&words::ZONE, &[]), &items, default.unwrap_or(moscow))?;
    match zones.get(chosen) {
        Some(zone) => Ok(*zone),
        None => {
            let check = |text: &str| text.parse::<Tz>().map(|_| ()).map_err(|error| error.to_string());
            let name = talk.line(&words::ZONE_NAME, "", check)?;
            name.parse().map_err(|error: chrono_tz::ParseError| CliError::Usage(error.to_string()))
        }
    }
}

fn offset(zone: Tz) -> String {
    zone.offset_from_utc_datetime(&Utc::now().naive_utc()).fix().to_string()
}

/// What the machine's clock is set to.
fn of_this_machine() -> Option<Tz> {
    let link = std::fs::read_link("/etc/localtime").ok()?;
    let name = link.to_str()?.split_once("zoneinfo/")?.1;
    name.parse().ok()
}
