use super::*;
use crate::daemon::trouble::{Told, TroubleKind};

const NOW: i64 = 1_780_000_000;
const HOUR: i64 = 3600;

fn rules() -> Rules {
    Rules { quiet: Duration::from_secs(3600), digest: None, always: false, zone: Tz::Asia__Yekaterinburg }
}

fn trouble(cause: &str) -> Trouble {
    let told = || Told { en: "it is wrong".into(), ru: "не так".into() };
    Trouble {
        kind: TroubleKind::Rejected,
        cause: cause.into(),
        portal: Some("fer".into()),
        feed: Some("slot".into()),
        code: None,
        count: 1,
        who: Actor::Data,
        text: told(),
        remedy: told(),
        since: DateTime::from_timestamp(NOW, 0).unwrap(),
    }
}

/// Looks once a minute for so many minutes; gives what was told, with the minute.
fn watch(
    memory: &mut Memory,
    rules: &Rules,
    minutes: std::ops::Range<i64>,
    of: impl Fn(i64) -> Vec<Trouble>,
) -> Vec<(i64, String)> {
    let mut told = Vec::new();
    for minute in minutes {
        let (now, troubles) = (NOW + 60 * minute, of(minute));
        memory.sight(&troubles, now);
        while let Some(tell) = memory.plan(rules, &troubles, now) {
            let said = match &tell {
                Tell::Wrong { fresh, .. } => fresh.iter().map(|one| one.cause.as_str()).collect::<Vec<_>>().join("+"),
                Tell::Over { over, .. } => format!("over {}", over[0].cause),
                Tell::Digest { troubles, .. } => format!("digest {}", troubles.len()),
            };
            told.push((minute, said));
            memory.has_told(&tell, now);
        }
        memory.tidy(rules, now);
    }
    told
}

fn said(told: &[(i64, String)]) -> Vec<(i64, &str)> {
    told.iter().map(|(minute, said)| (*minute, said.as_str())).collect()
}

#[test]
fn what_comes_together_is_told_together_and_once() {
    let told = watch(&mut Memory::default(), &rules(), 0..50, |_| vec![trouble("a"), trouble("b")]);
    assert_eq!(said(&told), [(1, "a+b")]);
}

#[test]
fn what_is_gone_before_it_was_told_is_told_of_never() {
    let told =
        watch(&mut Memory::default(), &rules(), 0..50, |minute| if minute == 0 { vec![trouble("a")] } else { vec![] });
    assert_eq!(said(&told), []);
}

#[test]
fn reminders_come_after_the_quiet_time_and_ever_more_rarely() {
    let told = watch(&mut Memory::default(), &rules(), 0..9 * 60, |_| vec![trouble("a")]);
    assert_eq!(said(&told), [(1, "a"), (61, "a"), (181, "a"), (421, "a")]);
}

#[test]
fn what_is_over_is_told_once_and_only_if_it_was_told_before() {
    let of = |minute| if minute < 10 { vec![trouble("a")] } else { vec![] };
    let told = watch(&mut Memory::default(), &rules(), 0..100, of);
    assert_eq!(said(&told), [(1, "a"), (15, "over a")]);
}

#[test]
fn what_flickers_within_the_quiet_time_is_told_once() {
    let of = |minute| if minute % 4 < 2 { vec![trouble("a")] } else { vec![] };
    assert_eq!(said(&watch(&mut Memory::default(), &rules(), 0..50, of)), [(1, "a")]);
    let back = |minute| if (10..20).contains(&minute) { vec![] } else { vec![trouble("a")] };
    let told = watch(&mut Memory::default(), &rules(), 0..80, back);
    assert_eq!(said(&told), [(1, "a"), (15, "over a"), (61, "a")]);
}

#[test]
fn what_is_nobodys_work_is_not_told() {
    let waits = Trouble { who: Actor::Nobody, ..trouble("a") };
    assert_eq!(said(&watch(&mut Memory::default(), &rules(), 0..50, |_| vec![waits.clone()])), []);
}

#[test]
fn a_restart_repeats_nothing_and_still_tells_what_is_over() {
    let mut memory = Memory::default();
    watch(&mut memory, &rules(), 0..5, |_| vec![trouble("a")]);
    let kept = serde_json::to_string(&memory).unwrap();
    let mut memory: Memory = serde_json::from_str(&kept).unwrap();
    let told = watch(&mut memory, &rules(), 20..40, |minute| if minute < 22 { vec![trouble("a")] } else { vec![] });
    assert_eq!(said(&told), [(27, "over a")]);
}

#[test]
fn the_morning_is_told_on_the_clock_of_the_source() {
    let digest = NaiveTime::from_hms_opt(8, 0, 0);
    let here = DateTime::from_timestamp(NOW, 0).unwrap().with_timezone(&Tz::Asia__Yekaterinburg);
    let to_eight =
        i64::from((24 + 8 - chrono::Timelike::hour(&here)) % 24) * 60 - i64::from(chrono::Timelike::minute(&here));
    let wrong = Rules { digest, ..rules() };
    let mut memory = Memory::default();
    let told = watch(&mut memory, &wrong, 0..to_eight + 10, |_| vec![trouble("a")]);
    assert_eq!(told.iter().filter(|(_, said)| said == "digest 1").map(|(at, _)| *at).collect::<Vec<_>>(), [to_eight]);
    assert!(watch(&mut memory, &wrong, to_eight + 10..to_eight + 30, |_| vec![trouble("a")]).is_empty());
}

#[test]
fn a_good_morning_is_told_only_where_it_is_asked_for() {
    let digest = NaiveTime::from_hms_opt(8, 0, 0);
    for (always, times) in [(false, 0), (true, 2)] {
        let rules = Rules { digest, always, ..rules() };
        assert_eq!(watch(&mut Memory::default(), &rules, 0..48 * 60, |_| vec![]).len(), times, "{always}");
    }
}

#[test]
fn a_morning_that_was_missed_is_told_late_but_not_the_day_after() {
    let rules = Rules { digest: NaiveTime::from_hms_opt(8, 0, 0), always: true, ..rules() };
    let due = last_time(rules.digest.unwrap(), rules.zone, NOW).unwrap() + 24 * HOUR;
    let is_told = |now: i64| {
        let memory = Memory { digested: Some(due - 24 * HOUR), ..Memory::default() };
        memory.plan(&rules, &[], now).is_some()
    };
    assert!(!is_told(due - 1) && is_told(due) && is_told(due + 5 * HOUR) && !is_told(due + 13 * HOUR));
}

#[test]
fn an_hour_that_a_clock_change_skips_comes_when_it_has_ended() {
    let moment = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp();
    let time = NaiveTime::from_hms_opt(2, 30, 0).unwrap();
    let now = moment("2026-03-29T12:00:00Z");
    assert_eq!(last_time(time, Tz::Europe__Berlin, now), Some(moment("2026-03-29T01:30:00Z")));
}

#[test]
fn a_clock_that_steps_back_silences_nobody() {
    let mut memory = Memory::default();
    watch(&mut memory, &rules(), 6000..6005, |_| vec![trouble("a")]);
    let told = watch(&mut memory, &rules(), 0..20, |_| vec![trouble("a"), trouble("b")]);
    assert!(told.iter().any(|(_, said)| said.contains('b')), "{told:?}");
}
