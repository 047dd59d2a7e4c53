//! The frame of every page: head, banner of languages and sign-in, footer.

use maud::{DOCTYPE, Markup, html};

use super::reader::Reader;

/// One page: its title and what is in it.
pub(super) fn page(reader: &Reader, path: &str, title: &str, told: Option<&str>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(reader.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Vitrina" }
                link rel="stylesheet" href="/page.css";
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#content" { (reader.t("Skip to the content", "К содержанию")) }
                (banner(reader, path))
                main #content tabindex="-1" {
                    @if let Some(told) = told { p.told role="status" { (told) } }
                    (content)
                }
                footer { p { "Vitrina " (env!("CARGO_PKG_VERSION")) " · " a href="/api/status" { "/api/status" } " · " a href="/metrics" { "/metrics" } } }
            }
        }
    }
}

fn banner(reader: &Reader, path: &str) -> Markup {
    let link = |code: &str| {
        let mark = if path.contains('?') { '&' } else { '?' };
        format!("{path}{mark}lang={code}")
    };
    html! {
        header {
            a.home href="/" { strong { "Vitrina" } }
            nav aria-label=(reader.t("Language and sign-in", "Язык и вход")) {
                @for (code, name) in [("ru", "Русский"), ("en", "English")] {
                    a lang=(code) hreflang=(code) href=(link(code)) aria-current=[(code == reader.code()).then_some("true")] { (name) }
                }
                @if let Some(session) = &reader.session {
                    form method="post" action="/signout" {
                        input type="hidden" name="csrf" value=(session.csrf);
                        button.plain { (reader.t("Sign out", "Выйти")) }
                    }
                } @else if reader.may_sign_in {
                    a href="/signin" { (reader.t("Sign in to act", "Войти для действий")) }
                }
            }
        }
    }
}

/// The heads of a table's columns.
pub(super) fn table_head(heads: &[&str]) -> Markup {
    html! { thead { tr { @for head in heads { th scope="col" { (head) } } } } }
}

/// A form of one button that posts an action. Nothing for who may not act.
pub(super) fn action(
    reader: &Reader,
    action: &str,
    back: &str,
    fields: &[(&str, &str)],
    name: &str,
    about: &str,
) -> Markup {
    html! {
        @if let Some(session) = &reader.session {
            form.action method="post" action=(action) {
                input type="hidden" name="csrf" value=(session.csrf);
                input type="hidden" name="back" value=(back);
                @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                button aria-label=(format!("{name}: {about}")) { (name) }
            }
        }
    }
}

/// The page on which the admin token is shown.
pub(super) fn sign_in(reader: &Reader, wrong: Option<&'static str>) -> Markup {
    html! {
        h1 { (reader.t("Sign in", "Вход")) }
        @if let Some(wrong) = wrong { p.told.bad role="alert" { (wrong) } }
        @if reader.may_sign_in {
            form.card method="post" action="/signin" {
                input type="text" name="username" value="admin" autocomplete="username" hidden;
                label for="token" { (reader.t("Admin token", "Токен администратора")) }
                input #token type="password" name="token" required autocomplete="current-password" autofocus;
                button { (reader.t("Sign in", "Войти")) }
                p.small { (reader.t("The token of [serve] admin_token. The session ends after 8 hours.",
                    "Токен из [serve] admin_token. Сеанс закончится через 8 часов.")) }
            }
        } @else {
            p { (reader.t("The configuration names no admin token, so nothing can be done from here. Set [serve] admin_token_file.",
                "В конфигурации нет токена администратора, поэтому отсюда ничего сделать нельзя. Задайте [serve] admin_token_file.")) }
        }
    }
}
