//! Names, posts, services: the vocabulary of the demo hospital.

use rand::RngExt;
use rand::rngs::StdRng;
use uuid::Builder;

/// A post with what goes with it: codes of the posts 1.2.643.5.1.13.13.11.1002, specialities .1066, profiles .1119 and
/// services .1070.
pub(super) struct Post {
    pub(super) code: i64,
    pub(super) title: &'static str,
    pub(super) speciality: i64,
    pub(super) profile: i64,
    pub(super) service: &'static str,
}

const fn post(code: i64, title: &'static str, speciality: i64, profile: i64, service: &'static str) -> Post {
    Post { code, title, speciality, profile, service }
}

/// Posts out of the list that table 2 of the document names.
pub(super) const POSTS: [Post; 8] = [
    post(110, "врач-терапевт участковый", 49, 97, "B01.047.001"),
    post(59, "врач-педиатр участковый", 38, 68, "B01.031.001"),
    post(49, "врач общей практики (семейный врач)", 31, 58, "B01.026.001"),
    post(122, "врач-хирург", 57, 112, "B01.057.001"),
    post(13, "врач-акушер-гинеколог", 2, 136, "B01.001.001"),
    post(54, "врач-офтальмолог", 35, 65, "B01.029.001"),
    post(53, "врач-оториноларинголог", 34, 162, "B01.028.001"),
    post(103, "врач-стоматолог-терапевт", 46, 88, "B01.065.001"),
];

/// Machines with the service that is done on them and its profile.
pub(super) const MACHINES: [(&str, &str, i64); 3] = [
    ("Аппарат ультразвуковой диагностики", "A04.16.001", 106),
    ("Рентгеновский комплекс на два рабочих места", "A06.09.007", 78),
    ("Электрокардиограф двенадцатиканальный", "A05.10.006", 111),
];

/// Rooms with the service that is done in them and its profile.
pub(super) const ROOMS: [(&str, &str, i64); 3] = [
    ("Процедурный кабинет", "A11.12.003", 82),
    ("Прививочный кабинет", "A11.02.002", 82),
    ("Кабинет забора крови", "A11.05.001", 34),
];

/// Kinds of departments.
pub(super) const DEPARTMENTS: [&str; 5] = [
    "Поликлиника для взрослых",
    "Детская поликлиника",
    "Женская консультация",
    "Консультативно-диагностическое отделение",
    "Стоматологическое отделение",
];

/// Streets of the demo town.
pub(super) const STREETS: [&str; 6] =
    ["ул. Ленина", "ул. Мира", "пр. Победы", "ул. Студенческая", "ул. Энгельса", "ул. Калинина"];

const LAST_NAMES: [&str; 20] = [
    "Иванов",
    "Смирнов",
    "Кузнецов",
    "Попов",
    "Соколов",
    "Лебедев",
    "Козлов",
    "Новиков",
    "Морозов",
    "Петров",
    "Волков",
    "Соловьёв",
    "Васильев",
    "Зайцев",
    "Павлов",
    "Семёнов",
    "Голубев",
    "Виноградов",
    "Богданов",
    "Воробьёв",
];
const MEN: [&str; 8] = ["Александр", "Дмитрий", "Сергей", "Андрей", "Алексей", "Артём", "Илья", "Пётр"];
const WOMEN: [&str; 8] = ["Анна", "Мария", "Елена", "Ольга", "Наталья", "Татьяна", "Ирина", "Алёна"];
const FATHERS: [&str; 6] = ["Александр", "Иван", "Михаил", "Борис", "Степан", "Роман"];

/// A doctor's name.
pub(super) struct Person {
    pub(super) last_name: String,
    pub(super) first_name: &'static str,
    pub(super) middle_name: Option<String>,
}

/// One of a list.
pub(super) fn pick<T: Copy, const N: usize>(rng: &mut StdRng, list: &[T; N]) -> T {
    const { assert!(N > 0, "nothing to pick from") };
    list[rng.random_range(0..N)]
}

/// A new name; one in twelve people has no patronymic.
pub(super) fn person(rng: &mut StdRng) -> Person {
    let woman = rng.random_bool(0.7);
    let (ending, names, patronymic) = if woman { ("а", &WOMEN, "овна") } else { ("", &MEN, "ович") };
    let father = pick(rng, &FATHERS);
    Person {
        last_name: format!("{}{ending}", pick(rng, &LAST_NAMES)),
        first_name: pick(rng, names),
        middle_name: (!rng.random_bool(1.0 / 12.0)).then(|| format!("{father}{patronymic}")),
    }
}

/// A SNILS with right check digits, as the number a careless table keeps: leading zeros are gone.
pub(super) fn snils(rng: &mut StdRng) -> i64 {
    let number: i64 = rng.random_range(2_000_000..199_999_999);
    number * 100 + snils_check(number)
}

/// The check digits of nine digits: the rightmost counts once, the next twice, and so on; modulo 101, where 100 is 0.
fn snils_check(number: i64) -> i64 {
    let mut rest = number;
    let mut sum = 0;
    for weight in 1..=9 {
        sum += rest % 10 * weight;
        rest /= 10;
    }
    match sum % 101 {
        100 => 0,
        check => check,
    }
}

/// An INN of an organisation of the demo's region, with its check digit.
pub(super) fn inn(rng: &mut StdRng) -> String {
    let number: u64 = 860_000_000 + rng.random_range(0..10_000_000);
    format!("{number}{}", inn_check(number))
}

/// The check digit of nine digits, by the weights of the tax service.
fn inn_check(number: u64) -> u64 {
    let mut rest = number;
    let mut sum = 0;
    for weight in [8, 6, 4, 9, 5, 3, 10, 4, 2] {
        sum += rest % 10 * weight;
        rest /= 10;
    }
    sum % 11 % 10
}

/// A random GUID, lower case with hyphens.
pub(super) fn guid(rng: &mut StdRng) -> String {
    Builder::from_random_bytes(rng.random()).into_uuid().hyphenated().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_a_known_number() {
        assert_eq!(snils_check(112_233_445), 95);
        assert_eq!(snils_check(87_654_302), 0);
        assert_eq!(inn_check(770_708_389), 3);
    }
}
