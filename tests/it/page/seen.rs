//! What is seen: by eyes, on a phone, by a screen reader, with a keyboard, without a script.

use super::browser::Browser;
use super::site::{Site, TOKEN};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

#[tokio::test(flavor = "multi_thread")]
async fn a_fuse_is_seen_let_go_after_a_look_and_the_page_follows_by_itself() {
    let site = Site::after_a_loss().await;
    let daemon = site.daemon().await;
    let browser = Browser::open("ru").await;
    browser.go(&site.at("/")).await;
    let text = browser.says("Нужно вмешательство: 1").await;
    assert!(text.contains("Администратор Vitrina") && text.contains("сработал предохранитель"), "{text}");
    browser.picture("fuse").await;

    browser.click("a[href='/signin']").await;
    browser.type_into("#token", TOKEN).await;
    browser.press(ENTER).await;
    browser.says("Выйти").await;
    browser.says("Посмотреть, что удерживается").await;
    browser.click(".trouble a[href^='/fuse']").await;
    let held = browser.says("Первые из них").await;
    assert!(held.contains("90 из 100"), "{held}");
    browser.picture("fuse-held").await;
    assert_eq!(site.slots(), 100, "nothing goes before it was seen");
    browser.click("form[action='/api/fuse/accept'] button").await;
    browser.says("Разрешено").await;
    browser.go(&site.at("/")).await;
    browser.says("Все порталы соответствуют данным больницы").await;
    assert_eq!(site.slots(), 10);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    assert_eq!(daemon.stop(), Some(0), "a page that is kept live holds no stop up");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_language_is_the_browsers_until_it_is_switched_for_good() {
    let site = Site::in_step().await;
    let _daemon = site.daemon().await;
    let browser = Browser::open("en").await;
    browser.go(&site.at("/")).await;
    browser.says("The hospital is in step with every portal").await;
    browser.click("header a[lang='ru']").await;
    browser.says("Все порталы соответствуют данным больницы").await;
    browser.go(&site.at("/rejects")).await;
    browser.says("Записи, которые не проходят").await;
    assert_eq!(browser.eval("return document.documentElement.lang").await, "ru");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plot_of_24_hours_outlives_a_restart() {
    let site = Site::in_step().await;
    site.remember_a_day().await;
    let _daemon = site.daemon().await;
    let browser = Browser::open("en").await;
    browser.go(&site.at("/")).await;
    browser.says("worst lag 12 min").await;
    let polygons = browser.eval("return document.querySelectorAll('.plot polygon').length").await;
    assert!(polygons.as_u64().unwrap() >= 3, "{polygons}");
    let labels =
        browser.eval("return [...document.querySelectorAll('.plot')].map(plot => plot.ariaLabel).join()").await;
    assert!(labels.as_str().unwrap().contains("at most 12 min late; most that waited to be sent: 300;"), "{labels}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.says("requests a minute").await;
    browser.picture("wide").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_shows_every_page_without_a_scroll_to_the_side() {
    let site = Site::after_a_loss().await;
    let _daemon = site.daemon().await;
    let browser = Browser::open("ru").await;
    browser.screen(360, 740).await;
    for (path, name) in [
        ("/", "phone"),
        ("/fuse?portal=fer&feed=slot", "phone-fuse"),
        ("/rejects", "phone-rejects"),
        ("/signin", "phone-signin"),
    ] {
        browser.go(&site.at(path)).await;
        browser.says("Vitrina").await;
        let width = browser.eval("return document.documentElement.scrollWidth").await;
        assert_eq!(width, 360, "{path}");
        browser.picture(name).await;
    }
    browser.screen(1360, 1000).await;
    browser.prefer_dark().await;
    browser.go(&site.at("/")).await;
    let ground = browser.eval("return getComputedStyle(document.body).backgroundColor").await;
    assert_eq!(ground, "rgb(18, 24, 27)", "dark");
    browser.picture("dark").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_reader_is_told_all_and_a_keyboard_reaches_it() {
    let site = Site::after_a_loss().await;
    let _daemon = site.daemon().await;
    let browser = Browser::open("en").await;
    browser.go(&site.at("/")).await;
    browser.says("1 thing needs a person").await;
    let spoken = browser.spoken().await;
    let has = |role: &str, name: &str| spoken.iter().any(|(of, said)| of == role && said.contains(name));
    for (role, name) in [
        ("heading", "1 thing needs a person"),
        ("heading", "Portals"),
        ("rowheader", "Timetable (slots)"),
        ("columnheader", "Last success"),
        ("image", "Over 24 hours"),
        ("searchbox", "Find a record by its key"),
        ("navigation", "Language and sign-in"),
        ("main", ""),
    ] {
        assert!(has(role, name), "{role} {name:?} is not in {spoken:?}");
    }
    let nameless: Vec<_> = spoken
        .iter()
        .filter(|(role, name)| {
            name.is_empty() && ["link", "button", "searchbox", "textbox", "image", "heading"].contains(&role.as_str())
        })
        .collect();
    assert!(nameless.is_empty(), "{nameless:?}");

    browser.press(TAB).await;
    assert_eq!(browser.eval("return document.activeElement.className").await, "skip");
    browser.press(ENTER).await;
    assert_eq!(browser.eval("return document.activeElement.id").await, "content");
    browser.press(TAB).await;
    assert_eq!(browser.eval("return document.activeElement.tagName").await, "A", "the first link of the content");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_refuses_the_account_is_said_in_words_of_the_hospital() {
    let site = Site::refused().await;
    let _daemon = site.daemon().await;
    let browser = Browser::open("ru").await;
    browser.go(&site.at("/")).await;
    let text = browser.says("остановлен: портал отказывает").await;
    assert!(text.contains("Запись на приём (ФЭР)"), "{text}");
    browser.says("Нужно вмешательство").await;
    browser.picture("parked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_is_found_by_its_key_with_the_remedy_and_its_history() {
    let site = Site::in_step().await;
    site.db.execute(&["UPDATE vitrina_fer_slot SET status = 'nonsense' WHERE rowid = 7"]).await;
    assert_eq!(site.sync(&["--full"]).await, 3);
    let _daemon = site.daemon().await;
    let browser = Browser::open("ru").await;
    browser.go(&site.at("/rejects?portal=fer&feed=slot")).await;
    let text = browser.says("Найдено: 1").await;
    assert!(text.contains("Что делать:") && text.contains("CHECK"), "{text}");
    let key = browser.eval("return document.querySelector('tbody th a').textContent").await;
    let key = key.as_str().unwrap();
    browser.picture("rejects").await;
    browser.type_into("#q", &key[..13]).await;
    browser.press(ENTER).await;
    browser.says("Найдено: 1").await;
    browser.click("tbody th a").await;
    let record = browser.says("История").await;
    assert!(record.contains("принята порталом") && record.contains("отклонена"), "{record}");
    browser.picture("record").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_all_without_a_script_and_lets_nothing_foreign_in() {
    let site = Site::after_a_loss().await;
    let _daemon = site.daemon().await;
    let answer = reqwest::get(site.at("/?lang=ru")).await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for rule in
        ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(policy.contains(rule), "{policy}");
    }
    let html = answer.text().await.unwrap();
    assert!(html.contains("сработал предохранитель"), "{html}");
    for foreign in ["style=", "onclick", "http://", "https://"] {
        let found = html
            .match_indices(foreign)
            .filter(|(at, _)| !html[*at..].starts_with("http://www.w3.org/2000/svg"))
            .count();
        assert_eq!(found, 0, "{foreign}: {html}");
    }
}
