//! A record of the register as the portal tells of it, whole: for who asks for it by hand, and for comparing it with the hospital's rows.

use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{REGISTERED, SENT, moment};
use super::xml::Element;
use crate::record::{Receipt, Stage};

/// A record of the register. It is a person: it goes to standard output and into comparisons, and nowhere else.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct RegisterRecord {
    /// Number in the register.
    pub base_no: Option<String>,
    /// When the register entered it.
    pub registered_at: Option<String>,
    /// Number of the set.
    pub set_id: Option<String>,
    /// Id that another system gave to it.
    pub outer_id: Option<String>,
    /// The employer's own commission examined.
    pub internal_examination: Option<bool>,
    /// Last name.
    pub last_name: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Patronymic.
    pub middle_name: Option<String>,
    /// SNILS.
    pub snils: Option<String>,
    /// Insured abroad.
    pub is_foreign_snils: Option<bool>,
    /// Number of the insurance abroad.
    pub foreign_snils: Option<String>,
    /// Citizenship.
    pub citizenship: Option<String>,
    /// Position.
    pub position: Option<String>,
    /// INN of the employer.
    pub employer_inn: Option<String>,
    /// Name of the employer.
    pub employer_title: Option<String>,
    /// INN of the organisation that trained.
    pub organization_inn: Option<String>,
    /// Its name.
    pub organization_title: Option<String>,
    /// Date of the test.
    pub test_date: Option<String>,
    /// Number of the protocol.
    pub protocol_number: Option<String>,
    /// Number of the programme.
    pub learn_program_id: Option<i64>,
    /// Its title.
    pub learn_program_title: Option<String>,
    /// Passed.
    pub is_passed: Option<bool>,
}

impl std::fmt::Debug for RegisterRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisterRecord").field("base_no", &self.base_no).finish_non_exhaustive()
    }
}

impl RegisterRecord {
    /// Reads a record; `plain` lets a value pass, or hides it.
    pub(super) fn of(record: &Element, plain: impl Fn(&str) -> Option<String>) -> Self {
        let own = |name: &str| record.value(name).and_then(&plain);
        let in_part = |parts: &[&str], name: &str| {
            let part = parts.iter().find_map(|part| record.child(part));
            part.and_then(|part| part.value(name)).or_else(|| record.value(name)).and_then(&plain)
        };
        let worker = |name: &str| in_part(&["Worker"], name);
        let test = |name: &str| in_part(&["Test"], name);
        let organization = |name: &str| in_part(&["EmployerOrganization", "Organization"], name);
        RegisterRecord {
            base_no: own("baseNo"),
            registered_at: own("baseDateCreated").and_then(|text| moment(&text)),
            set_id: own("setId"),
            outer_id: own("outerId"),
            internal_examination: own("internalExamination").and_then(truth),
            last_name: worker("LastName"),
            first_name: worker("FirstName"),
            middle_name: worker("MiddleName"),
            snils: worker("Snils"),
            is_foreign_snils: worker("IsForeignSnils").and_then(truth),
            foreign_snils: worker("ForeignSnils"),
            citizenship: worker("Citizenship"),
            position: worker("Position"),
            employer_inn: worker("EmployerInn"),
            employer_title: worker("EmployerTitle"),
            organization_inn: organization("Inn"),
            organization_title: organization("Title"),
            test_date: test("Date").and_then(|text| moment(&text)).map(day),
            protocol_number: test("ProtocolNumber"),
            learn_program_id: test("learnProgramId").and_then(|text| text.parse().ok()),
            learn_program_title: test("LearnProgramTitle"),
            is_passed: test("isPassed").and_then(truth),
        }
    }

    /// What tells it from others of a page.
    pub(super) fn id(&self) -> (Option<String>, Option<String>, Option<String>) {
        (self.base_no.clone(), self.outer_id.clone(), self.set_id.clone())
    }

    /// Its fields under the names of the schema.
    pub(super) fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            Ok(_) | Err(_) => Map::new(),
        }
    }

    /// What the portal gave back for it. What stands in the register under an id of another system will not be found by ours: nothing more
    /// is to come of it.
    pub(super) fn receipt(&self) -> Receipt {
        let registered = self.base_no.is_some();
        Receipt {
            stage: if registered { Stage::Confirmed } else { Stage::Sent },
            remote_id: self.set_id.clone(),
            set_id: self.set_id.clone(),
            base_no: self.base_no.clone(),
            registered_at: self.registered_at.clone().filter(|_| registered),
            status: Some(if registered { REGISTERED } else { SENT }.to_owned()),
            ..Receipt::default()
        }
    }
}

fn day(moment: String) -> String {
    moment.split('T').next().unwrap_or_default().to_owned()
}

fn truth(text: String) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "да" => Some(true),
        "false" | "0" | "нет" => Some(false),
        _ => None,
    }
}
