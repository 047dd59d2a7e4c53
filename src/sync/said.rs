//! What is said of a record that does not flow. The engine's own sentences stand here, each beside its translation: there is no other way to
//! word one. The rules of single fields word theirs beside the rules themselves.

use std::fmt::Display;

use crate::record::Phrase;

/// Why a record does not flow: in a sentence of ours, or in the portal's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said(String);

impl Said {
    /// A sentence of ours about these things.
    pub(super) fn ours(phrase: Phrase, about: &[&dyn Display]) -> Self {
        Said(phrase.about(about))
    }

    /// What the portal said, or what was said of its answer. It is told as it stands.
    pub(super) fn of_portal(text: String) -> Self {
        Said(text)
    }

    /// Nothing: the broken rules tell it.
    pub(super) fn nothing() -> Self {
        Said(String::new())
    }

    /// As the ledger keeps it.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Sentences with their names, and the list of them all.
macro_rules! sentences {
    ($($name:ident: $en:literal, $ru:literal;)*) => {
        $(pub(super) const $name: Phrase = Phrase { en: $en, ru: $ru };)*
        /// The texts of the engine's refusals. One that another begins with stands behind it.
        pub static TEXTS: &[Phrase] = &[$($name),*];
    };
}

sentences! {
    PARENT_REJECTED: "waits for {}, which is rejected", "ждёт {}, а запись эта отклонена";
    PARENT_OF_ANOTHER_STATUS:
        "waits for {}, which the portal does not hold with the status that this record needs",
        "ждёт {}: на портале она не с тем статусом, который нужен этой записи";
    PARENT_NOT_THERE: "waits for {}, which the portal does not hold yet", "ждёт {}: на портале её ещё нет";
    FILE_MISSING: "waits for the file of {}, which is not there yet", "ждёт файл из {}: его ещё нет";
    FILE_UNFINISHED:
        "waits for the file of {}, which is still being written or replaced",
        "ждёт файл из {}: он ещё пишется или заменяется";
    PLACE_TAKEN: "waits for a place at the portal that {} holds", "ждёт места на портале, которое занимает {}";
    PLACE_CLAIMED_TWICE:
        "{} is the same as that of {}, whose row is in the source too; only one of them can be at the portal",
        "{}: то же, что у {}, строка которой тоже есть в источнике; на портале может быть только одна из двух";
    ANSWER_LOST:
        "the answer was lost: nobody knows whether the portal took the record",
        "ответ потерян: неизвестно, принял ли портал запись";
    CUT_OFF:
        "the process ended while the record was on its way: nobody knows whether the portal took it",
        "процесс прервался, пока запись передавалась: неизвестно, принял ли её портал";
    CHANGED:
        "the row has changed, and the portal cannot replace the version that it holds",
        "строка изменилась, а заменить принятую версию портал не умеет";
    CHANGED_MIDWAY:
        "the row has changed, and the portal has taken a part of the version before it",
        "строка изменилась, а часть прежней версии портал уже принял";
    HELD_NO_LONGER:
        "the portal took the record and says now that it does not hold it",
        "портал принял запись, а теперь отвечает, что её у него нет";
    TURNED_DOWN_AS:
        "the portal took the record and turned it down: {}",
        "портал принял запись, а затем отклонил её: {}";
    TURNED_DOWN: "the portal took the record and turned it down", "портал принял запись, а затем отклонил её";
    REMOVAL_REFUSED: "the portal refuses to remove it: {}", "портал отказывается удалить эту запись: {}";
    CHILD_FIRST: "{} has to go first: {}", "сначала должна уйти {}: {}";
    // Of a failed request, as the transport words it: see the test below.
    UNNAMED_AS:
        "HTTP {} without the id of a refused record: {}",
        "HTTP {}: портал не назвал, какую запись он отклонил: {}";
    UNNAMED: "HTTP {} without the id of a refused record", "HTTP {}: портал не назвал, какую запись он отклонил";
    LARGE_AS:
        "HTTP {}: the request is too large for the portal: {}",
        "HTTP {}: запрос слишком велик для портала: {}";
    LARGE: "HTTP {}: the request is too large for the portal", "HTTP {}: запрос слишком велик для портала";
    ADDRESS_AS:
        "HTTP {}: the portal refuses requests to this address; ask its support why, and name the status: {}",
        "HTTP {}: портал отклоняет запросы по этому адресу; спросите его поддержку о причине, назвав статус: {}";
    ADDRESS:
        "HTTP {}: the portal refuses requests to this address; ask its support why, and name the status",
        "HTTP {}: портал отклоняет запросы по этому адресу; спросите его поддержку о причине, назвав статус";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Language, retold};
    use crate::transport::{Failure, Mishap, Trouble};

    fn in_russian(text: &str) -> String {
        retold(text, Language::Russian, TEXTS).into_owned()
    }

    /// True when nothing but what a sentence is about is in Latin letters.
    fn is_russian(text: &str, about: &[&str]) -> bool {
        let rest = about.iter().fold(text.to_owned(), |rest, part| rest.replacen(part, "", 1));
        !rest.is_empty() && !rest.replace("HTTP", "").chars().any(|letter| letter.is_ascii_alphabetic())
    }

    #[test]
    fn every_sentence_is_told_in_russian_with_all_that_it_is_about() {
        const ABOUT: [&str; 2] = ["slot k-1", "мест нет"];
        for phrase in TEXTS {
            let about = &ABOUT[..phrase.en.matches("{}").count()];
            let parts: Vec<&dyn Display> = about.iter().map(|part| part as &dyn Display).collect();
            let told = in_russian(&phrase.about(&parts));
            assert!(is_russian(&told, about), "{told}");
            assert!(about.iter().all(|part| told.contains(part)), "{told}");
            assert_eq!(phrase.about(&parts).matches("{}").count(), 0);
        }
    }

    #[test]
    fn whatever_keeps_a_parent_from_going_is_told_to_its_end() {
        let inner = CHILD_FIRST.about(&[&"book b-1", &"занято"]);
        let outer = REMOVAL_REFUSED.about(&[&CHILD_FIRST.about(&[&"slot s-1", &inner])]);
        let told = in_russian(&outer);
        let expected = "портал отказывается удалить эту запись: сначала должна уйти slot s-1: сначала должна уйти book b-1: занято";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_failed_request_that_refuses_a_record_is_told_in_russian() {
        let of_record = |failure: &Failure| matches!(failure.trouble, Trouble::TooLarge | Trouble::Unattributed);
        let statuses = (300..=599).map(|code| Mishap::Status { code, retry_after: None });
        let unnamed = [200, 400, 422].map(|code| Mishap::Unnamed { code });
        let failures: Vec<Failure> = statuses.chain(unnamed).map(Failure::from).filter(of_record).collect();
        assert!(failures.len() >= 4, "{}", failures.len());
        for failure in failures {
            assert!(is_russian(&in_russian(&failure.text), &[]), "{}", failure.text);
            let with_words = failure.saying("мест нет").text;
            let told = in_russian(&with_words);
            assert!(is_russian(&told, &[]) && told.ends_with(": мест нет"), "{with_words}");
        }
    }
}
