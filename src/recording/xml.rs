//! XML, one text at a time: each text and each attribute is shown to whoever changes it, everything else stays as it stands.

use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer, XmlVersion};
use serde_json::{Map, Value};

/// True for one well-formed document of elements, without a document type. A page of HTML may be one.
pub(super) fn is_document(text: &str) -> bool {
    text.trim_start().starts_with('<') && mapped(text, &mut |_, value| value.to_owned()).is_some()
}

/// The document with every text and attribute as `change` makes it, given the name of its element or attribute. Comments are left out. None
/// where it is no document.
pub(super) fn mapped(text: &str, change: &mut impl FnMut(&str, &str) -> String) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new(Vec::new());
    let mut open: Vec<String> = Vec::new();
    let mut said = String::new();
    let mut roots = 0;
    loop {
        let event = reader.read_event().ok()?;
        match &event {
            Event::Text(part) => said.push_str(&part.xml10_content()),
            Event::CData(part) => said.push_str(&part.xml10_content()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref().ok()? {
                Some(sign) => said.push(sign),
                None => said.push_str(resolve_predefined_entity(&entity.xml10_content())?),
            },
            Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return None,
            Event::Start(_) | Event::Empty(_) | Event::End(_) | Event::Decl(_) | Event::Eof => {
                flush(&mut writer, &open, &mut said, change)?;
            }
        }
        match event {
            Event::Start(start) => {
                roots += usize::from(open.is_empty());
                writer.write_event(Event::Start(changed(&start, change)?)).ok()?;
                open.push(start.local_name().as_ref().to_owned());
            }
            Event::Empty(start) => {
                roots += usize::from(open.is_empty());
                writer.write_event(Event::Empty(changed(&start, change)?)).ok()?;
            }
            Event::End(end) => {
                open.pop()?;
                writer.write_event(Event::End(end)).ok()?;
            }
            Event::Decl(declaration) => writer.write_event(Event::Decl(declaration)).ok()?,
            Event::Eof => break,
            _ => {}
        }
    }
    (open.is_empty() && roots == 1).then_some(())?;
    String::from_utf8(writer.into_inner()).ok()
}

/// The document as a tree of JSON, for comparing: elements and attributes are members, those that repeat are arrays.
pub(super) fn tree(text: &str) -> Option<Value> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<(String, Map<String, Value>, String)> = vec![Default::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                open.push((start.local_name().as_ref().to_owned(), attributes(&start)?, String::new()))
            }
            Event::Empty(start) => {
                let members = attributes(&start)?;
                add(&mut open.last_mut()?.1, start.local_name().as_ref(), leaf(members, ""));
            }
            Event::End(_) => {
                let (name, members, said) = open.pop()?;
                add(&mut open.last_mut()?.1, &name, leaf(members, said.trim()));
            }
            Event::Text(part) => open.last_mut()?.2.push_str(&part.xml10_content()),
            Event::CData(part) => open.last_mut()?.2.push_str(&part.xml10_content()),
            Event::GeneralRef(entity) => {
                let sign = entity.resolve_char_ref().ok()?.map(String::from);
                let sign = sign.or_else(|| resolve_predefined_entity(&entity.xml10_content()).map(str::to_owned));
                open.last_mut()?.2.push_str(&sign?);
            }
            Event::Eof => break,
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
        }
    }
    Some(Value::Object(open.pop().filter(|_| open.is_empty())?.1))
}

fn attributes(start: &BytesStart<'_>) -> Option<Map<String, Value>> {
    let mut members = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned();
        members.insert(attribute.key.local_name().as_ref().to_owned(), value.into());
    }
    Some(members)
}

/// An element with nothing but a text is that text.
fn leaf(members: Map<String, Value>, said: &str) -> Value {
    if members.is_empty() { said.into() } else { members.into() }
}

fn add(members: &mut Map<String, Value>, name: &str, value: Value) {
    match members.get_mut(name) {
        None => drop(members.insert(name.to_owned(), value)),
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn flush(
    writer: &mut Writer<Vec<u8>>,
    open: &[String],
    said: &mut String,
    change: &mut impl FnMut(&str, &str) -> String,
) -> Option<()> {
    let text = std::mem::take(said);
    let kept = if text.trim().is_empty() { text } else { change(open.last()?, text.trim()) };
    writer.write_event(Event::Text(BytesText::from_escaped(escape(&kept)))).ok()
}

fn changed(start: &BytesStart<'_>, change: &mut impl FnMut(&str, &str) -> String) -> Option<BytesStart<'static>> {
    let mut made = BytesStart::new(start.name().as_ref().to_owned());
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        let name = attribute.key.as_ref().to_owned();
        // What declares a namespace, or says where a schema lies, is an address and no value.
        let kept = match name.starts_with("xmlns") || name.starts_with("xsi:") {
            true => value.into_owned(),
            false => change(attribute.key.local_name().as_ref(), &value),
        };
        made.push_attribute((name.as_str(), kept.as_str()));
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_attributes_are_changed_and_the_rest_stays() {
        let text = "<?xml version=\"1.0\"?><a xmlns=\"u\" b=\"1 &amp; 2\"><!-- x -->\n <c>x &lt;<![CDATA[y]]>&#1103;</c><d/></a>";
        let mut seen = Vec::new();
        let made = mapped(text, &mut |name, value| {
            seen.push(format!("{name}={value}"));
            "&".into()
        });
        assert_eq!(made.unwrap(), "<?xml version=\"1.0\"?><a xmlns=\"u\" b=\"&amp;\">\n <c>&amp;</c><d/></a>");
        assert_eq!(seen, ["b=1 & 2", "c=x <yя"]);
    }

    #[test]
    fn a_document_is_compared_as_a_tree() {
        let text = "<?xml version=\"1.0\"?><r><a id='1'>x</a><a id='2'><b>&lt;</b><c/></a></r>";
        let wanted = serde_json::json!({"r": {"a": [{"id": "1"}, {"id": "2", "b": "<", "c": ""}]}});
        assert_eq!(tree(text), Some(wanted));
    }

    #[test]
    fn what_is_no_document_is_left_to_others() {
        for text in ["", "x", "<a>", "<a></b>", "<a/><b/>", "<!DOCTYPE a><a/>", "<a>&b;</a>", "{}"] {
            assert!(!is_document(text), "{text}");
        }
    }
}
