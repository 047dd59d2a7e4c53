//! Modules of the mock portal: the document's fields, its reasons for refusing them, and their technical evaluation.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::settings::NmoMockSettings;

/// A module as the portal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// Its fields as they were sent last.
    pub fields: Map<String, Value>,
    /// False after it was withdrawn.
    pub actual: bool,
    /// How it stands with the people who look at it.
    pub evaluation: Evaluation,
    /// Where it is shown.
    pub url: String,
    /// How often it was created or updated.
    pub versions: u32,
    questions: u32,
}

/// How a module stands with the people who look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluation {
    /// They are not done.
    InProgress,
    /// They let it pass.
    Approved,
    /// They did not, for this reason.
    NotApproved(String),
}

pub(super) struct Modules {
    modules: BTreeMap<String, Module>,
    approved_after: Option<u32>,
    front_url: String,
}

const TYPES: [&str; 2] = ["iomT", "iomKR"];
const KINDS: [&str; 8] = [
    "eduFilm",
    "eok",
    "interSituationTask",
    "lecture",
    "onlineSimulator",
    "onlineTrainer",
    "recFullTimeEduEvent",
    "simulationGame",
];
const LEVELS: [&str; 2] = ["university", "middle_spec"];
/// The table of the document; anything else is a fault of the sender's.
const FIELDS: [&str; 19] = [
    "module_id",
    "name",
    "description",
    "annotation",
    "actual",
    "available_from",
    "available_to",
    "hours",
    "is_paid",
    "price",
    "info_url",
    "url",
    "type",
    "kr_name",
    "kr_develop_year",
    "kr_review_year",
    "kind",
    "organization",
    "specialities",
];

/// A reason of the document, and its details.
type Refused = (&'static str, String);

impl Modules {
    pub(super) fn new(settings: &NmoMockSettings) -> Self {
        let (approved_after, front_url) = (settings.approved_after, settings.front_url.clone());
        Modules { modules: BTreeMap::new(), approved_after, front_url }
    }

    pub(super) fn all(&self) -> &BTreeMap<String, Module> {
        &self.modules
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        self.modules.contains_key(id)
    }

    pub(super) fn evaluate(&mut self, id: &str, evaluation: Evaluation) -> bool {
        self.modules.get_mut(id).map(|module| module.evaluation = evaluation).is_some()
    }

    pub(super) fn create(&mut self, body: &Value) -> Value {
        answered(self.created(body))
    }

    pub(super) fn update(&mut self, body: &Value) -> Value {
        answered(self.updated(body))
    }

    fn created(&mut self, body: &Value) -> Result<String, Refused> {
        let (id, fields) = identified(body)?;
        if self.knows(&id) {
            return Err(("already_exists", format!("Модуль {id} уже добавлен")));
        }
        check(fields)?;
        let url = format!("{}/#/user-account/view-iom/{}", self.front_url, Uuid::new_v4());
        let (fields, evaluation) = (fields.clone(), Evaluation::InProgress);
        let module = Module { fields, actual: true, evaluation, url: url.clone(), versions: 1, questions: 0 };
        self.modules.insert(id, module);
        Ok(url)
    }

    fn updated(&mut self, body: &Value) -> Result<String, Refused> {
        let (id, fields) = identified(body)?;
        let missing = || ("not_found", format!("Модуль {id} не найден"));
        let module = self.modules.get_mut(&id).ok_or_else(missing)?;
        match fields.get("actual") {
            Some(Value::Bool(false)) => module.actual = false,
            Some(Value::Bool(true)) => {
                check(fields)?;
                module.fields = fields.clone();
                module.actual = true;
                module.evaluation = Evaluation::InProgress;
                module.questions = 0;
            }
            Some(_) => return Err(("incorrect_data", "actual".into())),
            None => return Err(("incomplete_data", "actual".into())),
        }
        module.versions += 1;
        Ok(module.url.clone())
    }

    pub(super) fn status(&mut self, body: &Value) -> Value {
        let id = body.get("module_id").and_then(Value::as_str).unwrap_or_default();
        let Some(module) = self.modules.get_mut(id) else { return json!({"status": "unknown_module"}) };
        module.questions += 1;
        let passes = self.approved_after.is_some_and(|questions| module.questions > questions);
        if module.evaluation == Evaluation::InProgress && passes {
            module.evaluation = Evaluation::Approved;
        }
        match &module.evaluation {
            Evaluation::InProgress => json!({"status": "in_progress"}),
            Evaluation::Approved => json!({"status": "approved"}),
            Evaluation::NotApproved(reason) => json!({"status": "not_approved", "status_reason": reason}),
        }
    }
}

fn answered(outcome: Result<String, Refused>) -> Value {
    match outcome {
        Ok(url) => json!({"success": true, "url": url}),
        Err((reason, description)) => json!({"success": false, "reason": reason, "description": description}),
    }
}

fn identified(body: &Value) -> Result<(String, &Map<String, Value>), Refused> {
    let fields = body.as_object().ok_or(("incorrect_data", "JSON".into()))?;
    let id = fields.get("module_id").and_then(Value::as_str).filter(|id| !id.is_empty());
    Ok((id.ok_or(("incomplete_data", "module_id".into()))?.to_owned(), fields))
}

/// The checks that the document names, field by field.
fn check(fields: &Map<String, Value>) -> Result<(), Refused> {
    let incomplete = |name: &str| Err(("incomplete_data", format!("Не заполнено поле {name}")));
    let incorrect = |text: &str| Err(("incorrect_data", text.to_owned()));
    for name in ["name", "description", "annotation"] {
        if !fields.get(name).is_some_and(Value::is_string) {
            return incomplete(name);
        }
    }
    match fields.get("hours") {
        None => return incomplete("hours"),
        Some(hours) if hours.as_u64().is_none_or(|hours| hours == 0) => return incorrect("Некорректная длительность"),
        Some(_) => {}
    }
    match (fields.get("is_paid").and_then(Value::as_bool), fields.get("price")) {
        (None, _) => return incomplete("is_paid"),
        (Some(true), price) if !price.is_some_and(Value::is_number) => return incomplete("price"),
        (Some(_), _) => {}
    }
    for (name, words, text) in
        [("type", &TYPES[..], "Неизвестный тип ИОМ"), ("kind", &KINDS[..], "Неизвестный вид ИОМ")]
    {
        if fields.get(name).is_some_and(|word| !word.as_str().is_some_and(|word| words.contains(&word))) {
            return incorrect(text);
        }
    }
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(("incorrect_data", format!("Неизвестное поле {name}")));
    }
    if let Some(organization) = fields.get("organization")
        && ["inn", "name"].iter().any(|name| !organization.get(name).is_some_and(Value::is_string))
    {
        return incomplete("organization");
    }
    match fields.get("specialities").and_then(Value::as_array).map(Vec::as_slice) {
        None | Some([]) => incomplete("specialities"),
        Some(specialities) if !specialities.iter().all(is_speciality) => incorrect("Некорректная специальность"),
        Some(_) => Ok(()),
    }
}

fn is_speciality(value: &Value) -> bool {
    let level = value.get("level").and_then(Value::as_str).is_some_and(|level| LEVELS.contains(&level));
    let named = value.get("name").is_some_and(Value::is_string);
    level && named && value.get("main").is_some_and(Value::is_boolean)
}
