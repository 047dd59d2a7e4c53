//! A hospital's answering service on loopback: it answers as the test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::{Json, Router, response::IntoResponse};
use serde_json::Value;
use tokio::net::TcpListener;

/// What is answered to a request: method, path and body.
type Script = dyn Fn(&str, &str, &Value) -> (u16, Value) + Send + Sync;

/// The service.
pub struct Hospital {
    pub url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

#[derive(Clone)]
struct Stage {
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Hospital {
    /// Starts one. `GET /booking/book` is answered as everything else: by the script.
    pub async fn start(script: impl Fn(&str, &str, &Value) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stage = Stage { script: Arc::new(script), asked: Arc::clone(&asked) };
        let app = Router::new().fallback(answer).with_state(stage);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Hospital { url, asked }
    }

    /// One that is well and books nothing.
    pub async fn idle() -> Self {
        Hospital::start(|_, _, _| (200, Value::Null)).await
    }

    /// `METHOD /path` and body of every request so far.
    pub fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(stage): State<Stage>, request: Request<Body>) -> Response<Body> {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    stage.asked.lock().unwrap().push((format!("{method} {path}"), body.clone()));
    let (status, answer) = (stage.script)(&method, &path, &body);
    (StatusCode::from_u16(status).unwrap(), Json(answer)).into_response()
}
