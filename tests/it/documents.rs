//! Pages say nothing that the code does not hold: the tests that the guarantees name exist, and the pages of errors have every code with its
//! remedy, and no text that the program never says. What a page leads to is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use vitrina::portal::{UNEXPLAINED, kind};
use vitrina::record::{Case, Language, Remedy, Rule};
use vitrina::sync::remedies;

const GUARANTEES: [&str; 2] = [include_str!("../../docs/guarantees.md"), include_str!("../../docs/ru/guarantees.md")];

/// Each page of errors, its language, and the heading that ends what is said and begins the codes of records.
const ERRORS: [(&str, Language, &str); 2] = [
    (include_str!("../../docs/errors.md"), Language::English, "\n## Codes of records\n"),
    (include_str!("../../docs/ru/errors.md"), Language::Russian, "\n## Коды записей\n"),
];

/// What a page holds between single backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// A test that a page names: the room where it stands, and its name. `storm::fifty_kills` or `src/sync: a_word`.
fn named_test(words: &str) -> Option<(&str, &str)> {
    let (room, name) =
        words.split_once("::").or_else(|| words.split_once(": ").filter(|_| words.starts_with("src/")))?;
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'_')
    };
    is_name(name).then_some((room, name))
}

/// Files of code that make up a room: a file, or everything in a folder.
fn files_of(room: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = if room.starts_with("src/") {
        vec![root.join(room)]
    } else {
        vec![root.join("tests/it").join(room), root.join("tests").join(room)]
    };
    let mut files = Vec::new();
    for place in places {
        files.extend(Some(place.with_extension("rs")).filter(|file| file.is_file()));
        gather(&place, &mut files);
    }
    files
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    gather_ending("rs", folder, files);
}

fn gather_ending(wanted: &str, folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            gather_ending(wanted, &path, files);
        } else if path.extension().is_some_and(|ending| ending == wanted) {
            files.push(path);
        }
    }
}

#[test]
fn the_tests_that_the_guarantees_name_exist_and_both_pages_name_the_same() {
    let [english, russian] = GUARANTEES.map(|page| quoted(page).filter_map(named_test).collect::<BTreeSet<_>>());
    assert!(english.len() > 50, "only {} tests are named", english.len());
    assert_eq!(english, russian);
    for (room, name) in english {
        let function = format!("fn {name}(");
        let exists = files_of(room).iter().any(|file| fs::read_to_string(file).unwrap().contains(&function));
        assert!(exists, "{room} has no test {name}");
    }
}

/// True where a row of a table on the page names code and words, who must act, and the whole remedy.
fn explains(page: &str, language: Language, code: &str, says: &str, remedy: &Remedy) -> bool {
    page.lines().filter_map(|line| line.strip_prefix("| ")).any(|row| {
        let mut cells = row.trim_end_matches(" |").splitn(3, " | ");
        let (Some(first), Some(who), Some(text)) = (cells.next(), cells.next(), cells.next()) else { return false };
        let names_code = if code.is_empty() { !first.contains('`') } else { first.starts_with(&format!("`{code}`")) };
        let names_words = first.contains(&format!("«{}»", says.trim())) || (says.is_empty() && !first.contains('«'));
        names_code && names_words && who == remedy.actor.name(language) && text == remedy.text(language)
    })
}

#[test]
fn every_code_has_its_remedy_on_both_pages_of_errors() {
    let portals = ["fer", "sout", "nmo", "pos", "ekdo"].map(|name| kind(name).unwrap().remedies);
    let cases: Vec<&Case> = remedies().iter().chain(portals.into_iter().flatten()).collect();
    let rules = Rule::ALL.map(|rule| (rule.name(), rule.remedy()));
    for (page, language, _) in ERRORS {
        for case in &cases {
            assert!(
                explains(page, language, case.code, case.says, &case.remedy),
                "{} «{}» {language:?}",
                case.code,
                case.says
            );
        }
        for (name, remedy) in rules {
            assert!(explains(page, language, name, "", remedy), "{name} {language:?}");
        }
        for rule in [Rule::DuplicateKey, Rule::DuplicatePlace] {
            let code = rule.name().to_uppercase();
            assert!(explains(page, language, &code, "", rule.remedy()), "{code} {language:?}");
        }
        assert!(page.contains(&UNEXPLAINED.text(language)), "{language:?}");
    }
}

/// All code of the program, with texts as they are said: continued lines joined, signs that stand for themselves, no backticks.
fn said_by_the_program() -> String {
    let mut files = Vec::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let code: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let pieces = code.iter().flat_map(|code| code.split("\\\n").enumerate());
    let joined: String = pieces.map(|(at, piece)| if at == 0 { piece } else { piece.trim_start() }).collect();
    joined.replace("\\\"", "\"").replace("{{", "{").replace("}}", "}").replace('`', "")
}

#[test]
fn the_program_says_every_text_that_the_pages_of_errors_quote() {
    let said = said_by_the_program();
    let [english, russian] = ERRORS.map(|(page, _, codes)| {
        let page = page.split(codes).next().unwrap();
        let rows = page.lines().filter(|line| line.starts_with("| `"));
        rows.flat_map(|row| quoted(row.split(" | ").next().unwrap())).collect::<BTreeSet<_>>()
    });
    assert!(english.len() > 80, "only {} texts are quoted", english.len());
    assert_eq!(english, russian);
    for text in english {
        for piece in text.split('…').map(str::trim).filter(|piece| piece.len() > 4) {
            assert!(said.contains(piece), "nothing says {piece:?} of {text:?}");
        }
    }
}

/// Lines of a page outside blocks of code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// The name under which a heading is linked to: lower case, hyphens for spaces, without other signs.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let is_kept = |sign: &char| sign.is_alphanumeric() || matches!(sign, '_' | '-' | ' ');
    headings
        .map(|heading| heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// Where the links of a page lead to inside the project: a file, and a heading of it.
fn links(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let targets = prose(page).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("http")).map(|target| target.split_once('#').unwrap_or((target, "")))
}

#[test]
fn every_link_of_a_page_leads_to_a_page_and_its_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    gather_ending("md", &root.join("docs"), &mut pages);
    assert!(pages.len() > 30, "only {} pages", pages.len());
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        for (file, heading) in links(&text) {
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: there is no {file}", page.display());
            let found = heading.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(heading);
            assert!(found, "{}: {file} has no heading {heading}", page.display());
        }
    }
}

#[test]
fn the_operators_guide_leads_to_the_runbook_of_every_alert() {
    let guide = include_str!("../../docs/ru/README.md");
    let alerts = include_str!("../../docs/ru/alerts.md").lines().filter_map(|line| line.strip_prefix("### "));
    for alert in alerts {
        assert!(guide.contains(&format!("[{alert}](alerts.md#{})", alert.to_lowercase())), "{alert}");
    }
}
