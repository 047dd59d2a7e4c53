//! The mock's catalogue of training programmes: some of those in force, and none with the number 5.

use serde_json::{Value, json};

/// Numbers and titles.
pub const PROGRAMS: [(i64, &str); 6] = [
    (1, "Оказание первой помощи пострадавшим"),
    (2, "Использование (применение) средств индивидуальной защиты"),
    (3, "Общие вопросы охраны труда и функционирования системы управления охраной труда"),
    (
        4,
        "Безопасные методы и приемы выполнения работ при воздействии вредных и (или) опасных производственных факторов, \
         источников опасности, идентифицированных в рамках специальной оценки условий труда и оценки профессиональных рисков",
    ),
    (6, "Безопасные методы и приемы выполнения земляных работ"),
    (7, "Безопасные методы и приемы выполнения ремонтных, монтажных и демонтажных работ зданий и сооружений"),
];

/// The answer of the catalogue.
pub(super) fn catalogue() -> Value {
    let programs: Vec<Value> =
        PROGRAMS.iter().map(|(id, title)| json!({"id": id, "code": format!("П-{id}"), "title": title})).collect();
    json!({ "learnPrograms": programs })
}

/// The title of a programme.
pub(super) fn title(id: i64) -> Option<&'static str> {
    PROGRAMS.iter().find(|(number, _)| *number == id).map(|(_, title)| *title)
}
