//! A real Chromium, spoken to by its driver's protocol (W3C WebDriver, with Chromium's commands for media, metrics and accessibility).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Far beyond what anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser of its own profile; ends with its test.
pub struct Browser {
    driver: Child,
    session: String,
    client: reqwest::Client,
}

impl Browser {
    /// One that prefers a language.
    pub async fn open(language: &str) -> Self {
        let mut driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let base = format!("http://127.0.0.1:{}/session", port.unwrap());
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1360,1000"];
        let options = json!({ "args": arguments, "prefs": { "intl.accept_languages": language } });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let begun: Value = client.post(&base).json(&wanted).send().await.unwrap().json().await.unwrap();
        let id = begun["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{begun}"));
        Browser { driver, session: format!("{base}/{id}"), client }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.client.post(format!("{}/{path}", self.session)).json(&body).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {answer}");
        answer["value"].take()
    }

    pub async fn go(&self, address: &str) {
        self.post("url", json!({ "url": address })).await;
    }

    /// What a script returns.
    pub async fn eval(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// The text that a person sees.
    pub async fn text(&self) -> String {
        self.eval("return document.body.innerText").await.as_str().unwrap().replace(['\u{202f}', '\u{a0}'], " ")
    }

    /// Waits until the text says this.
    pub async fn says(&self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.text().await;
            if text.contains(wanted) {
                return text;
            }
            assert!(Instant::now() < deadline, "{wanted:?} does not come: {text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn find(&self, selector: &str) -> String {
        let found = self.post("element", json!({ "using": "css selector", "value": selector })).await;
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.post(&format!("element/{element}/click"), json!({})).await;
    }

    pub async fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.post(&format!("element/{element}/value"), json!({ "text": text })).await;
    }

    /// Presses keys wherever the focus is.
    pub async fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() })))
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.post("actions", actions).await;
    }

    /// A command of Chromium's own.
    pub async fn chromium(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// A screen of this size from now on.
    pub async fn screen(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.chromium("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub async fn prefer_dark(&self) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
        self.chromium("Emulation.setEmulatedMedia", features).await;
    }

    /// What a screen reader is given: role and name of every node that it does not skip.
    pub async fn spoken(&self) -> Vec<(String, String)> {
        let tree = self.chromium("Accessibility.getFullAXTree", json!({})).await;
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] != true);
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().trim().to_owned();
        nodes.map(|node| (text(&node["role"]), text(&node["name"]))).collect()
    }

    /// What the browser complained of.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({ "type": "browser" })).await;
        log.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Leaves a picture of the whole page among the tests' files, for people to look at.
    pub async fn picture(&self, name: &str) {
        let shot = self.chromium("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let bytes = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{name}.png")), bytes)
            .unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is told to stop, not when it is killed.
        let pid = self.driver.id().to_string();
        drop(Command::new("kill").args(["-TERM", &pid]).status());
        drop(self.driver.wait());
    }
}
