//! Reading XML that comes from outside into a small tree: no document types, no entities but the five of XML itself, and a limit on depth
//! and number of elements, so that no answer costs more than it should.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Deepest nesting; the document's answers have four levels.
const DEPTH: usize = 32;
/// Most elements; a page of 5,000 records has some 130,000.
const ELEMENTS: usize = 300_000;

/// Why bytes are no XML that is read here. Nothing of their content is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum XmlError {
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// Not well-formed.
    #[error("it is not well-formed XML")]
    Malformed,
    /// A document type, which only an attack would need.
    #[error("it is XML with a document type")]
    DocType,
    /// An entity that XML itself does not define.
    #[error("it is XML with an entity of its own")]
    Entity,
    /// More than anybody has to say.
    #[error("it is XML that is too deep or has too many elements")]
    TooLarge,
}

/// An element. Names are without their prefixes.
#[derive(Default)]
pub(super) struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
    text: String,
}

impl Element {
    /// Its text without the blanks around it; none when there is none.
    pub fn text(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty())
    }

    /// True when this is its name, in whatever letter case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.is(name))
    }

    /// What it says under this name, in a child or in an attribute.
    pub fn value(&self, name: &str) -> Option<&str> {
        let attribute = self.attributes.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        let attribute = attribute.map(|(_, value)| value.trim()).filter(|value| !value.is_empty());
        attribute.or_else(|| self.child(name).and_then(Element::text))
    }

    /// All elements of this name in it, at whatever depth, not those inside one another.
    pub fn all<'a>(&'a self, name: &str, found: &mut Vec<&'a Element>) {
        for child in &self.children {
            match child.is(name) {
                true => found.push(child),
                // As deep as the reader let it become.
                false => child.all(name, found),
            }
        }
    }
}

/// Reads a document: its root.
pub(super) fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    let mut elements = 0;
    loop {
        match reader.read_event().map_err(|_| XmlError::Malformed)? {
            Event::Start(start) => open.push(begun(&start, &mut elements, open.len())?),
            Event::Empty(start) => {
                let element = begun(&start, &mut elements, open.len())?;
                add(&mut open, element);
            }
            Event::End(_) => {
                let element = open.pop().unwrap_or_default();
                add(&mut open, element);
            }
            Event::Text(text) => say(&mut open, &text.xml10_content()),
            Event::CData(text) => say(&mut open, &text.xml10_content()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref().map_err(|_| XmlError::Malformed)? {
                Some(sign) => say(&mut open, sign.encode_utf8(&mut [0; 4])),
                None => {
                    let name = entity.xml10_content();
                    say(&mut open, resolve_predefined_entity(&name).ok_or(XmlError::Entity)?);
                }
            },
            Event::DocType(_) => return Err(XmlError::DocType),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    // Beside the root there may be nothing.
    let (document, unclosed) = (open.pop().unwrap_or_default(), !open.is_empty());
    let mut roots = document.children.into_iter();
    match (roots.next(), roots.next()) {
        (Some(root), None) if !unclosed && document.text.trim().is_empty() => Ok(root),
        _ => Err(XmlError::Malformed),
    }
}

fn begun(start: &BytesStart<'_>, elements: &mut usize, depth: usize) -> Result<Element, XmlError> {
    *elements += 1;
    if *elements > ELEMENTS || depth > DEPTH {
        return Err(XmlError::TooLarge);
    }
    let mut element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| XmlError::Malformed)?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| XmlError::Entity)?;
        element.attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
    }
    Ok(element)
}

fn add(open: &mut [Element], element: Element) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(element);
    }
}

fn say(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_attributes_or_children_in_any_letter_case() {
        let root = parse(
            "\u{feff}<?xml version=\"1.0\"?><r:A xmlns:r='u' SetId=' 5 '><!-- x --><b>x &amp; &#1103;<![CDATA[<y>]]></b><c/></r:A>"
                .as_bytes(),
        );
        let root = root.ok().unwrap();
        assert!(root.is("a"));
        assert_eq!((root.value("setid"), root.value("B"), root.value("c")), (Some("5"), Some("x & я<y>"), None));
    }

    #[test]
    fn what_could_grow_or_reach_out_is_refused() {
        let error = |text: &str| parse(text.as_bytes()).err();
        assert_eq!(error("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), Some(XmlError::DocType));
        assert_eq!(error("<a>&b;</a>"), Some(XmlError::Entity));
        assert_eq!(error("<a b='&c;'/>"), Some(XmlError::Entity));
        assert_eq!(error(&"<a>".repeat(100)), Some(XmlError::TooLarge));
        assert_eq!(error(&format!("<a>{}</a>", "<b/>".repeat(ELEMENTS))), Some(XmlError::TooLarge));
        assert_eq!(parse(b"<a>\xff</a>").err(), Some(XmlError::Encoding));
    }

    #[test]
    fn what_is_not_one_whole_document_is_malformed() {
        for text in ["", "text", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "{\"a\":1}", "<a b=1 b=2/>"] {
            assert_eq!(parse(text.as_bytes()).err(), Some(XmlError::Malformed), "{text}");
        }
    }
}
