//! What the conversation says, in both languages.

use crate::config::PortalKind;
use crate::record::{Phrase, phrases};

phrases! {
    NO_TERMINAL:
        "init --interactive asks questions and needs a terminal; without one, edit what `vitrina init` and `vitrina init --views` print",
        "init --interactive задаёт вопросы, и ему нужен терминал; без терминала правьте то, что печатают `vitrina init` и `vitrina init --views`";
    GREETING:
        "A first configuration, question by question. What stands in [brackets] is taken for an empty answer; in lists, arrows move, Enter takes. \
         Nothing is changed in the hospital's database, and no file is written before the last question. Ctrl-C ends it at any time.",
        "Первая конфигурация, вопрос за вопросом. Пустой ответ берёт то, что в [скобках]; по спискам ходят стрелками, Enter выбирает. \
         В базе больницы ничего не меняется, и ни один файл не пишется до последнего вопроса. Ctrl-C прерывает в любой момент.";
    FOLDER: "Folder for the configuration", "Каталог для конфигурации";
    FOLDER_REFUSED: "{} cannot be written: {}", "В {} нельзя писать: {}";
    NOTHING_WRITTEN: "Nothing has been written.", "Ничего не записано.";

    DATABASE: "\n-- The hospital's database, which is only read --", "\n-- База данных больницы: из неё только читают --";
    ENGINE: "What kind of database is it?", "Какая это СУБД?";
    SQLITE_FILE: "Its file", "Файл базы";
    HOW_ADDRESSED: "How do you want to give its address?", "Как задать адрес?";
    BY_PARTS: "by parts: host, port, database, account", "по частям: сервер, порт, база, учётная запись";
    AS_A_WHOLE: "as a whole: postgres://account@host:port/database", "целиком: postgres://запись@сервер:порт/база";
    ADDRESS: "Address", "Адрес";
    HOST: "Host (or the folder of a PostgreSQL socket)", "Сервер (или каталог сокета PostgreSQL)";
    PORT: "Port", "Порт";
    DATABASE_NAME: "Database", "База данных";
    ACCOUNT: "Account (one that may only read is best)", "Учётная запись (лучше с правом только читать)";
    PASSWORD_OF: "Password of {} (does not show; empty: none)", "Пароль {} (не отображается; пусто — без пароля)";
    NO_NUMBER: "a port is a number from 1 to 65535", "порт — число от 1 до 65535";
    EMPTY: "an answer is needed", "нужен ответ";
    TRYING: "Trying {} ...", "Пробую {} ...";
    WORKS: "It works.", "Получилось.";
    FAILED: "It does not work: {}", "Не получилось: {}";
    AND_NOW: "What now?", "Что дальше?";
    ANSWER_AGAIN: "answer again", "ответить заново";
    KEEP_ON: "leave it like this, and go on", "оставить так и продолжить";
    STOP: "stop; write nothing", "прекратить, ничего не записывая";
    TABLES_SEEN: "The account sees {} tables and views: {}", "Учётная запись видит таблиц и представлений: {} — {}";
    AND_MORE: "and {} more", "и ещё {}";
    NO_TABLES:
        "The account sees no table at all: grant it SELECT on the tables of the hospital's system.",
        "Учётная запись не видит ни одной таблицы: дайте ей право SELECT на таблицы МИС.";
    ZONE: "The hospital's time zone", "Часовой пояс больницы";
    OTHER_ZONE: "another one", "другой";
    ZONE_NAME: "Its name in the tz database, like Asia/Omsk", "Его имя в базе tz, например Asia/Omsk";

    PORTALS: "Which portals are to be fed? (the space bar marks, Enter goes on)", "Какие порталы наполнять? (пробел отмечает, Enter — дальше)";
    PORTAL: "\n-- Portal: {} --", "\n-- Портал: {} --";
    CANNOT_BE_TRIED:
        "Not tried: signing in would use up this pair of tokens. The daemon does it, and keeps the next pair in its ledger.",
        "Не проверено: вход израсходовал бы эту пару токенов. Это сделает служба и сохранит следующую пару у себя.";
    HIDDEN: "{} (does not show)", "{} (не отображается)";
    NO_ANSWER: "no answer within a minute", "нет ответа в течение минуты";

    FEEDS: "\n-- Where the records of {} come from --", "\n-- Откуда берутся записи для {} --";
    VIEW_IS_THERE: "{}: the view {} is there already and is used as it is.", "{}: представление {} уже есть и берётся как есть.";
    FEED: "\n{}: {} ({})", "\n{}: {} ({})";
    WHICH_TABLE: "{}: which table or view?", "{}: таблица или представление?";
    CANDIDATE: "{} - {} of {} needed columns", "{} — {} из {} нужных столбцов";
    OTHER_TABLE: "another one (its name is asked)", "другая (спрошу имя)";
    NO_TABLE: "none for now: the feed stays off", "пока никакая: поток останется выключен";
    TABLE_NAME: "Name of the table or view", "Имя таблицы или представления";
    UNKNOWN_TABLE: "the account sees no table or view of this name", "учётная запись не видит таблицы или представления с таким именем";
    WHERE_FROM: "{}: where does it come from?", "{}: откуда взять?";
    SAME_VALUE: "the same in every row: {}", "одно и то же в каждой строке: {}";
    OWN_VALUE: "the same in every row (the value is asked)", "одно и то же в каждой строке (спрошу значение)";
    VALUE: "Value", "Значение";
    LATER: "later, by hand, in the file with the views", "позже, вручную, в файле с представлениями";
    TAKE_IT: "Take it like this?", "Взять так?";
    YES: "yes", "да";
    ANOTHER_TABLE: "no: another table", "нет: другую таблицу";
    NOT_FOUND_YET: "?? to be filled in by hand", "?? заполнить вручную";

    VIEWS_HEAD:
        "Views that vitrina reads, written by `vitrina init --interactive`. The owner of the database makes them; this file may be run again. \
         What is marked with <-- was not found and waits for your hand. Feeds without a table stand at the end, as comments: a feed without \
         a view is off. Codes of the hospital's own become those of the portal by CASE; docs/views.md explains every column.",
        "Представления, которые читает vitrina; написано командой `vitrina init --interactive`. Их создаёт владелец базы; файл можно выполнять \
         повторно. Отмеченное <-- не найдено и ждёт вашей руки. Потоки без таблицы стоят в конце, как комментарии: поток без представления \
         выключен. Собственные коды больницы превращаются в коды портала через CASE; каждый столбец объясняет docs/ru/views.md.";
    GRANT_NEEDED: "The account that vitrina reads with needs SELECT on each view:", "Учётной записи, которой читает vitrina, нужно право SELECT на каждое представление:";
    HEAD:
        "Configuration of vitrina, written by `vitrina init --interactive`. Secrets stand in files beside this one. What is left out has its \
         default; config.example.toml names every key. Check it with: vitrina check --config THIS_FILE",
        "Конфигурация vitrina, написана командой `vitrina init --interactive`. Секреты лежат в файлах рядом с ней. У того, чего здесь нет, \
         значение по умолчанию; все ключи называет config.example.toml. Проверка: vitrina check --config ЭТОТ_ФАЙЛ";
    TAIL:
        "Each feed reads the view vitrina_<portal>_<feed> of the source; views.sql beside this file makes them. A feed whose view does not \
         exist is off. A section is needed only where something differs, as here, where only what changed is read between two full scans:",
        "Каждый поток читает представление vitrina_<портал>_<поток>; их создаёт views.sql рядом с этим файлом. Поток, представления которого \
         нет, выключен. Раздел нужен лишь там, где что-то иначе, как здесь, где между полными чтениями читается только изменённое:";
    LEDGER_ABOUT:
        "\nThe ledger remembers what each portal has accepted: keys and fingerprints, no data.",
        "\nЖурнал принятого помнит, что принял каждый портал: ключи и хеши, самих данных в нём нет.";
    LEDGER: "Ledger file", "Файл журнала";
    LEDGER_REFUSED: "the folder {} does not exist or cannot be written", "каталога {} нет, или в него нельзя писать";
    OVERWRITE: "These files are there already: {}. Write over them?", "Эти файлы уже есть: {}. Записать поверх?";
    OVERWRITE_YES: "yes: what is in them is lost", "да: прежнее содержимое пропадёт";
    OTHER_FOLDER: "no: into another folder", "нет: в другой каталог";
    WRITTEN: "Written: {}", "Записано: {}";
    CREATE_VIEWS:
        "\nNow let the owner of the database make the views, in another window:\n\n    {}\n\n\
         Read {} before: what is marked with <-- waits for your hand. It may be run again.",
        "\nТеперь пусть владелец базы создаст представления, в другом окне:\n\n    {}\n\n\
         Прежде прочтите {}: отмеченное <-- ждёт вашей руки. Файл можно выполнять повторно.";
    VIEWS_MADE: "Have the views been made?", "Представления созданы?";
    VIEWS_MISSING:
        "Not there yet, or not for this account to see: {}",
        "Ещё не созданы, или учётная запись их не видит: {}";
    CHECK_NOW: "yes: check everything", "да: всё проверить";
    CHECK_AGAIN: "check again", "проверить ещё раз";
    CHECK_LATER: "later: finish here", "позже: закончить на этом";
    NO_VIEWS:
        "\nNo table was chosen. Fill in {} by hand, have the owner of the database run it, then type: vitrina check --config {}",
        "\nНи одна таблица не выбрана. Заполните {} вручную, пусть владелец базы выполнит его, затем наберите: vitrina check --config {}";
    CHECK_BY_HAND: "When the views are there, type: vitrina check --config {}", "Когда представления появятся, наберите: vitrina check --config {}";
    NEXT:
        "\nWhat comes next:\n  vitrina sync --dry-run --config {}   # what would be sent, row by row\n  \
         vitrina sync --config {}             # sends it once\n  systemctl enable --now vitrina       # from now on by itself",
        "\nДальше:\n  vitrina sync --dry-run --config {}   # что было бы отправлено, построчно\n  \
         vitrina sync --config {}             # отправить один раз\n  systemctl enable --now vitrina       # дальше само";
}

/// What a kind of portal is called.
pub(super) fn title(kind: PortalKind) -> Phrase {
    match kind {
        PortalKind::Fer => Phrase {
            en: "fer: the FER 2.0 gateway (schedules, bookings, referrals)",
            ru: "fer: шлюз ФЭР 2.0 (расписания, записи, направления)",
        },
        PortalKind::Sout => Phrase {
            en: "sout: register of training in occupational safety",
            ru: "sout: реестр обученных по охране труда",
        },
        PortalKind::Nmo => Phrase { en: "nmo: continuous medical education", ru: "nmo: портал НМО" },
        PortalKind::Pos => Phrase {
            en: "pos: the feedback platform (polls, votings)",
            ru: "pos: платформа обратной связи (опросы, голосования)",
        },
        PortalKind::Ekdo => Phrase {
            en: "ekdo: electronic personnel documents",
            ru: "ekdo: электронные кадровые документы",
        },
    }
}

/// What the records of a feed are.
pub(super) fn of_feed(feed: &str) -> Phrase {
    let (en, ru) = match feed {
        "mo" => ("departments", "подразделения"),
        "resource" => ("doctors, machines, rooms", "врачи, аппараты, кабинеты"),
        "service" => ("services that doctors and machines give", "услуги врачей и аппаратов"),
        "profilecode_resource" => ("profiles of doctors and machines", "профили врачей и аппаратов"),
        "unaccessable_period" => ("absences: vacation, illness, repair", "отсутствия: отпуск, болезнь, ремонт"),
        "slot" => ("times in the schedule", "слоты расписания"),
        "referral" => ("referrals", "направления"),
        "book" => ("bookings", "записи на приём"),
        "training" => ("protocols of tests in occupational safety", "протоколы проверки знаний по охране труда"),
        "module" => ("educational modules", "образовательные модули"),
        "result" => ("results of learners", "результаты обучения"),
        "poll" => ("polls", "опросы"),
        "voting" => ("votings", "голосования"),
        "voting_object" => ("objects of votings", "объекты голосований"),
        "document" => ("personnel documents", "кадровые документы"),
        _ => ("records", "записи"),
    };
    Phrase { en, ru }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feed_is_explained() {
        let kinds = PortalKind::ALL.iter().filter_map(|kind| crate::portal::kind(kind.name()));
        for schema in kinds.flat_map(|kind| kind.schemas) {
            assert_ne!(of_feed(schema.feed).en, "records", "{}", schema.feed);
        }
    }

    #[test]
    fn both_languages_say_the_same_about_as_many_things() {
        for (name, phrase) in ALL {
            assert_eq!(phrase.en.matches("{}").count(), phrase.ru.matches("{}").count(), "{name}");
            let differs = phrase.ru.replace("{}", "").chars().any(char::is_alphabetic);
            assert!(!differs || phrase.ru.chars().any(|c| ('а'..='я').contains(&c)), "{name}");
        }
    }
}
