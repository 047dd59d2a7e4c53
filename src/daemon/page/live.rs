//! The part of the page that is kept live: sent anew, whole, when something in it has changed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use maud::{Markup, html};
use tokio::sync::OwnedSemaphorePermit;

use super::reader::Reader;
use super::scene::Scene;
use super::visit::Visit;
use super::{below, now, portals};
use crate::daemon::front::Front;

/// How often it is looked whether something has changed.
const PAUSE: Duration = Duration::from_secs(2);

/// What is kept live.
pub(super) fn live(scene: &Scene, reader: &Reader) -> Markup {
    html! {
        div #live {
            (now::now(scene, reader))
            (portals::portals(scene, reader))
            (below::running(scene, reader))
            (below::refused(scene, reader))
            (below::registers(scene, reader))
            (below::bookings(scene, reader))
        }
    }
}

/// Server-sent events: each is the live part as it is now.
pub(super) async fn events(State(front): State<Arc<Front>>, uri: Uri, headers: HeaderMap) -> Response {
    let reader = Visit::of(&front, &uri, &headers).reader;
    let Ok(permit) = Arc::clone(&front.page.streams).try_acquire_owned() else {
        // The browser asks again; until then its page stands still.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    Sse::new(changes(Watching { front, headers, reader, last: String::new(), _permit: permit }))
        .keep_alive(KeepAlive::default())
        .into_response()
}

struct Watching {
    front: Arc<Front>,
    headers: HeaderMap,
    reader: Reader,
    last: String,
    _permit: OwnedSemaphorePermit,
}

fn changes(watching: Watching) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(watching, |mut watching| async {
        let text = watching.next().await?;
        Some((Ok(Event::default().data(text)), watching))
    })
}

impl Watching {
    /// The live part once it is another than before; none when the process stops.
    async fn next(&mut self) -> Option<String> {
        loop {
            // A session may have ended since.
            self.reader = Reader { session: self.session(), ..self.reader.clone() };
            let text = live(&self.front.scene().await, &self.reader).into_string().replace('\r', " ");
            if text != self.last {
                self.last.clone_from(&text);
                return Some(text);
            }
            tokio::select! {
                biased;
                () = self.front.page.stop.cancelled() => return None,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    fn session(&self) -> Option<super::session::Session> {
        let cookie = super::reader::cookie(&self.headers, super::reader::SESSION)?;
        self.front.page.sessions.find(cookie)
    }
}
