//! Plans of specialists and what they learnt, as the mock portal has them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What the portal was told of a specialist and took.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// The service: `results/completed`.
    pub service: String,
    /// The module.
    pub module_id: String,
    /// The specialist.
    pub snils: String,
    /// How far: `completed`.
    pub status: String,
}

struct Plan {
    pin: String,
    state: &'static str,
}

pub(super) struct Results {
    plans: BTreeMap<(String, String), Plan>,
    last: BTreeMap<(String, String), Map<String, Value>>,
    news: Vec<News>,
    plan_everything: bool,
}

/// A text field of a body.
fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Results {
    pub(super) fn new(plan_everything: bool) -> Self {
        Results { plans: BTreeMap::new(), last: BTreeMap::new(), news: Vec::new(), plan_everything }
    }

    pub(super) fn news(&self) -> &[News] {
        &self.news
    }

    /// What was told last, by module and specialist.
    pub(super) fn last(&self) -> &BTreeMap<(String, String), Map<String, Value>> {
        &self.last
    }

    pub(super) fn plan(&mut self, module_id: &str, snils: &str, pin: &str) {
        let plan = Plan { pin: pin.to_owned(), state: "planned" };
        self.plans.insert((module_id.to_owned(), snils.to_owned()), plan);
    }

    /// `/started`, `/completed` and `/status`.
    pub(super) fn take(&mut self, service: &str, body: &Value, module_known: bool) -> Value {
        match self.taken(service, body, module_known) {
            Ok(()) => json!({"success": true}),
            Err(reason) => json!({"success": false, "reason": reason}),
        }
    }

    fn taken(&mut self, service: &str, body: &Value, module_known: bool) -> Result<(), &'static str> {
        complete(service, body)?;
        if !module_known {
            return Err("unknown_module");
        }
        let (module_id, snils, status) = (text(body, "module_id"), text(body, "snils"), text(body, "status"));
        let key = (module_id.to_owned(), snils.to_owned());
        if self.plan_everything && !self.plans.contains_key(&key) {
            self.plan(module_id, snils, text(body, "pin"));
        }
        let plan = self.plans.get_mut(&key).ok_or("not_planned")?;
        if plan.pin != text(body, "pin") {
            return Err("incorrect_pin");
        }
        plan.state = match (plan.state, status) {
            ("completed", _) => return Err("already_completed"),
            ("started", "started") => return Err("already_started"),
            (_, "completed") => "completed",
            _ => "started",
        };
        self.last.insert(key, body.as_object().cloned().unwrap_or_default());
        let (service, status) = (service.to_owned(), status.to_owned());
        self.news.push(News { service, module_id: module_id.to_owned(), snils: snils.to_owned(), status });
        Ok(())
    }

    pub(super) fn plan_status(&self, body: &Value, module_known: bool) -> Value {
        let plan = self.plans.get(&(text(body, "module_id").to_owned(), text(body, "snils").to_owned()));
        let pin = body.get("pin").and_then(Value::as_str);
        let (included, status) = match plan {
            _ if !module_known => (false, "unknown_module"),
            None if self.plan_everything => (true, "planned"),
            None => (false, "not_planned"),
            Some(plan) if pin.is_some_and(|pin| pin != plan.pin) => (false, "incorrect_pin"),
            Some(plan) => (true, plan.state),
        };
        json!({"included": included, "status": status})
    }

    pub(super) fn id_by_pin(&self, body: &Value) -> Value {
        let (snils, pin) = (text(body, "snils"), text(body, "pin"));
        if pin.is_empty() {
            return json!({"status": "incorrect_pin"});
        }
        let mut plans = self.plans.iter();
        match plans.find(|((_, of), plan)| of == snils && plan.pin == pin) {
            Some(((module_id, _), _)) => json!({"module_id": module_id, "status": "found"}),
            None => json!({"status": "not_found"}),
        }
    }
}

/// The fields of the table, and the one status that a service is for.
fn complete(service: &str, body: &Value) -> Result<(), &'static str> {
    let present =
        ["module_id", "snils", "pin", "status", "status_date"].iter().all(|name| !text(body, name).is_empty());
    let snils = text(body, "snils");
    let is_snils = snils.len() == 11 && snils.bytes().all(|byte| byte.is_ascii_digit());
    let right_service = match text(body, "status") {
        "started" => service == "results/started",
        "completed" => service == "results/completed",
        "in_progress" | "finished" | "failed" => service == "results/status",
        _ => false,
    };
    let mark = body.get("result_mark").and_then(Value::as_i64);
    let marked = match text(body, "status") {
        "completed" | "failed" => mark.is_some_and(|mark| (1..=5).contains(&mark)),
        _ => mark.is_none(),
    };
    if present && is_snils && right_service && marked && body.get("id").is_none() {
        Ok(())
    } else {
        Err("incomplete_data")
    }
}
