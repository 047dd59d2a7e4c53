//! What is said of troubles, in each language.

use crate::record::phrases;

phrases! {
    PROCESS: "Vitrina itself", "сама Vitrina";

    REJECTED: "Records of {} that are refused ({}): {}.", "{}: отклонены записи ({}), всего: {}.";
    UNKNOWN: "Records of {} of unknown outcome ({}): {}.", "{}: записи с неизвестной судьбой ({}), всего: {}.";
    SEE_REJECTS: "They are listed by `vitrina rejects list {}`.", "Список: `vitrina rejects list {}`.";

    DRAFTS:
        "Records of {} that went out signed and lie at the portal as drafts: {}.",
        "{}: подписанные записи, которые портал оставил черновиками, всего: {}.";
    DRAFTS_REMEDY:
        "Send them on from the portal's site; `vitrina log {}` lists them.",
        "Отправьте их дальше на сайте портала; список: `vitrina log {}`.";

    FUSE:
        "The fuse of {} holds removals back: rows that are gone from the source: {}. Nothing is removed before you decide.",
        "{}: предохранитель удерживает удаления; строк, исчезнувших из источника: {}. До вашего решения ничего не удаляется.";
    FUSE_REMEDY:
        "Look at what is held back by `vitrina fuse list`. If the rows are rightly gone, `vitrina fuse accept {}`; otherwise mend the view, and the fuse closes by itself.",
        "Посмотрите, что удержано: `vitrina fuse list`. Если строки исчезли правильно, `vitrina fuse accept {}`; если нет, исправьте представление, и предохранитель снимется сам.";

    PORTAL_REFUSED: "{} refuses what is sent to it: {}.", "{} отказывает: {}.";
    PORTAL_REFUSED_REMEDY:
        "Check the account and the address in [portals.{}]. If both are right, ask the portal's support whether the account is blocked. The portal is tried again by itself, rarely.",
        "Проверьте учётную запись и адрес в [portals.{}]. Если они верны, спросите поддержку портала, не заблокирована ли учётная запись. Портал опрашивается снова сам, но редко.";
    FEED_PARKED: "The portal refuses the feed {}: {}.", "Портал не принимает поток {}: {}.";
    FEED_PARKED_REMEDY:
        "Correct what the text names (an address, a signature, an archive) in the configuration of {}; the other feeds go on. It is tried again by itself, rarely.",
        "Исправьте в настройках {} то, что названо в тексте (адрес, подпись, архив); остальные потоки работают. Повтор происходит сам, но редко.";

    PORTAL_DOWN: "{} does not answer as it should: {}.", "{} не отвечает как должно: {}.";
    PORTAL_DOWN_WAIT:
        "Nothing is to be done yet: it is tried again by itself, and nothing is lost.",
        "Пока делать ничего не нужно: попытки повторяются сами, ничего не теряется.";
    PORTAL_DOWN_REMEDY:
        "Check from this server that the network, the proxy or the tunnel leads to the portal; if it does, ask the portal's support about {}. It is tried again by itself, and nothing is lost.",
        "Проверьте с этого сервера, что сеть, прокси или туннель ведут к порталу; если ведут, спросите поддержку портала о {}. Попытки повторяются сами, ничего не теряется.";

    UNIT_BLOCKED:
        "The portal has blocked the department {}: its records wait, all others go on.",
        "Портал заблокировал подразделение {}: его записи ждут, остальные уходят.";
    UNIT_BLOCKED_REMEDY:
        "Ask the portal's support why and have the block lifted; then `vitrina unit resume`.",
        "Узнайте причину в поддержке портала и попросите снять блокировку; затем `vitrina unit resume`.";
    UNIT_PAUSED:
        "The portal refused so many records of the department {} that it would block it: its records wait, all others go on.",
        "Портал отклонил столько записей подразделения {}, что мог бы его заблокировать: его записи ждут, остальные уходят.";
    UNIT_PAUSED_REMEDY:
        "Mend its records, which `vitrina rejects list {}` names; they go again by themselves, or at once by `vitrina unit resume`.",
        "Исправьте его записи, их называет `vitrina rejects list {}`; они уйдут сами, а по `vitrina unit resume` сразу.";

    BOOKING_UNCERTAIN:
        "Bookings of which nobody knows whether the hospital's system made them: {}. The citizens were told that they are not booked.",
        "Записи на приём, о которых неизвестно, сделала ли их МИС: {}. Гражданам отвечено, что записи нет.";
    BOOKING_UNCERTAIN_REMEDY:
        "Look at the slots that `vitrina status` names in the hospital's system, and cancel there what was made.",
        "Посмотрите в МИС слоты, которые называет `vitrina status`, и отмените там то, что создано.";
    BOOKING_FAILS:
        "Citizens cannot book: of the last {} answers, {} were code 18.",
        "Граждане не могут записаться: из последних {} ответов с кодом 18 были {}.";
    BOOKING_FAILS_REMEDY:
        "See in the log what the statements of [booking] fail with: the database may be down, or a statement may be wrong.",
        "Посмотрите в журнале, на чём отказывают запросы из [booking]: база может быть недоступна или запрос неверен.";

    LEDGER_DISK:
        "The disk of the ledger is almost full: {} MB are free. When it is full, Vitrina stops.",
        "Диск журнала почти полон: свободно {} МБ. Когда места не останется, Vitrina остановится.";
    LEDGER_DISK_REMEDY:
        "Make room on the disk that holds the file of [ledger] url.",
        "Освободите место на диске, где лежит файл из [ledger] url.";
    SOURCE_FAILS:
        "{} is not brought up to date, because its data cannot be read: {}.",
        "{}: данные не обновляются, потому что их не удаётся прочитать: {}.";
    SOURCE_FAILS_REMEDY:
        "Check the database and the view; `vitrina check` names what is wrong. Reading goes on by itself.",
        "Проверьте базу и представление; `vitrina check` назовёт, что не так. Чтение возобновится само.";
    BEHIND:
        "{} is behind: changes that the portal has not taken: {}.",
        "{} отстаёт: изменений, которых портал ещё не принял: {}.";
    BEHIND_REMEDY:
        "See in the log why its records are put off; `vitrina status` shows whether their number falls.",
        "Посмотрите в журнале, почему записи откладываются; `vitrina status` покажет, уменьшается ли их число.";
    SILENT: "{} has not run to its end for long.", "{} давно не отрабатывал до конца.";
    SILENT_REMEDY:
        "See in the log what its last runs say; if they say nothing, restart the service.",
        "Посмотрите в журнале, что говорят его последние запуски; если ничего, перезапустите службу.";
}
