//! YAML documents. The parser reports events; the values are made here, within the limits.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Map, Value};

use crate::MAX_DEPTH;
use crate::error::not_an_object;
use crate::json::python_type;
use crate::scalar::{Scalar, boolean, float, integer, resolve};

/// The greatest size of a document with all aliases expanded: about the memory that it takes.
const MAX_SIZE: usize = 32 << 20;

/// The size of a value without its text.
const VALUE_SIZE: usize = 32;

const TOO_DEEP: &str = "the document is nested too deeply";
const TOO_LARGE: &str = "the document is too large when its aliases are expanded";

/// Why a document is rejected.
pub(crate) enum Problem {
    /// It is not YAML, or not a mapping.
    NotYaml(String),
    /// It has a value without a form in JSON.
    NotJson(String),
}

/// Parses one document with a mapping. An empty document is an empty mapping.
pub(crate) fn parse(text: &str) -> Result<Map<String, Value>, Problem> {
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        block_scalar_eof_without_line_feed: true,
        emit_comments: false,
    };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { text, parser, anchors: HashMap::new(), size: 0, problem: None };
    let node = reader.document()?;
    match reader.problem {
        Some(problem) => Err(problem),
        None => match node.content {
            Content::Value(Value::Object(map)) => Ok(map),
            Content::Value(Value::Null) => Ok(Map::new()),
            Content::Value(other) => Err(Problem::NotYaml(not_an_object(python_type(&other)))),
            Content::NotJson(type_name) => Err(Problem::NotYaml(not_an_object(type_name))),
            Content::Merge => Err(Problem::NotYaml(not_an_object("str"))),
        },
    }
}

/// A value with what is known of it.
#[derive(Clone)]
struct Node {
    content: Content,
    /// How deeply lists and mappings are nested in it.
    depth: usize,
    /// Its size with all aliases expanded.
    size: usize,
}

#[derive(Clone)]
enum Content {
    Value(Value),
    /// A value without a form in JSON, by the name of its type.
    NotJson(&'static str),
    /// The key `<<`.
    Merge,
}

impl Node {
    fn scalar(content: Content) -> Self {
        let size = match &content {
            Content::Value(Value::String(text)) => text.len() + VALUE_SIZE,
            _ => VALUE_SIZE,
        };
        Node { content, depth: 0, size }
    }
}

/// An event and its place.
type Placed<'a> = (Event<'a>, Span);

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    /// The size of everything made so far, with the copies of aliased values.
    size: usize,
    /// The first problem of a document that the parser accepts. Problems that the parser finds come first, as in PyYAML.
    problem: Option<Problem>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Placed<'a>, Problem> {
        match self.parser.next_event() {
            Some(Ok(placed)) => Ok(placed),
            Some(Err(error)) => Err(Problem::NotYaml(self.describe(&error))),
            None => Err(Problem::NotYaml("the document ended too early".into())),
        }
    }

    /// The only document of the text.
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) => {
                    if let Some((_, first)) = &root {
                        let message = format!(
                            "expected a single document in the stream\n{}\nbut found another document\n{}",
                            self.place(first),
                            self.place(&span.start),
                        );
                        return Err(Problem::NotYaml(message));
                    }
                    let (event, span) = self.next()?;
                    let start = span.start;
                    root = Some((self.node(event, span, 0)?, start));
                }
                _ => {}
            }
        }
        Ok(root.map_or_else(|| Node::scalar(Content::Value(Value::Null)), |(node, _)| node))
    }

    /// The value that begins with this event.
    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::NotYaml(TOO_DEEP.into()));
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let content = self.scalar(text, style, tag.as_deref(), &span);
                (Node::scalar(content), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", &span);
                (self.sequence(depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", &span);
                (self.mapping(&span, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor) else {
                    self.reject_yaml(|_| "an alias refers to the value that contains it".into());
                    return Ok(Node::scalar(Content::Value(Value::Null)));
                };
                if depth + target.depth > MAX_DEPTH {
                    return Err(Problem::NotYaml(TOO_DEEP.into()));
                }
                self.size += target.size;
                check_size(self.size)?;
                return Ok(target.clone());
            }
            _ => return Err(Problem::NotYaml("the document ended too early".into())),
        };
        self.size += VALUE_SIZE;
        if let Content::Value(Value::String(text)) = &node.content {
            self.size += text.len();
        }
        if anchor != 0 {
            self.size += node.size;
            check_size(self.size)?;
            self.anchors.insert(anchor, node.clone());
        }
        check_size(self.size)?;
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Node, Problem> {
        let mut items = vec![];
        let mut inner = Inner::default();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(inner.node(items.into()));
            }
            let node = self.node(event, span, depth + 1)?;
            inner.add(&node);
            items.push(self.value(node.content));
        }
    }

    fn mapping(&mut self, start: &Span, depth: usize) -> Result<Node, Problem> {
        let mut merged: Vec<Map<String, Value>> = vec![];
        let mut own = Map::new();
        let mut inner = Inner::default();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key_start = span.start;
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value_start = span.start;
            let value = self.node(event, span, depth + 1)?;
            inner.add(&key);
            inner.add(&value);
            match key.content {
                Content::Merge => {
                    let mappings = self.mappings_to_merge(value.content, start, &value_start);
                    merged.extend(mappings);
                }
                Content::NotJson(type_name) => self.reject_for_json(|| not_a_key(type_name)),
                Content::Value(key) => match key_text(key) {
                    Some(key) => {
                        let value = self.value(value.content);
                        own.insert(key, value);
                    }
                    None => {
                        self.reject_yaml(|reader| {
                            format!(
                                "while constructing a mapping\n{}\nfound unhashable key\n{}",
                                reader.place(&start.start),
                                reader.place(&key_start),
                            )
                        });
                    }
                },
            }
        }
        let mut map = Map::new();
        for more in merged {
            map.extend(more);
        }
        map.extend(own);
        Ok(inner.node(map.into()))
    }

    /// The mappings of a merge key, those that win last.
    fn mappings_to_merge(&mut self, content: Content, start: &Span, at: &Marker) -> Vec<Map<String, Value>> {
        match content {
            Content::Value(Value::Object(map)) => return vec![map],
            Content::Value(Value::Array(items)) if items.iter().all(Value::is_object) => {
                let maps = items.into_iter().rev().filter_map(|item| match item {
                    Value::Object(map) => Some(map),
                    _ => None,
                });
                return maps.collect();
            }
            _ => {}
        }
        self.reject_yaml(|reader| {
            format!(
                "while constructing a mapping\n{}\nexpected a mapping or list of mappings for merging\n{}",
                reader.place(&start.start),
                reader.place(at),
            )
        });
        vec![]
    }

    /// A value in a list or a mapping.
    fn value(&mut self, content: Content) -> Value {
        match content {
            Content::Value(value) => value,
            Content::Merge => "<<".into(),
            Content::NotJson(type_name) => {
                self.reject_for_json(|| format!("Object of type {type_name} is not JSON serializable"));
                Value::Null
            }
        }
    }

    fn scalar(&mut self, text: Cow<'a, str>, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Content {
        let scalar = match tag {
            None if style == ScalarStyle::Plain => resolve(&text),
            None => Scalar::Value(text.into()),
            Some(tag) if is_non_specific(tag) => Scalar::Value(text.into()),
            Some(tag) => match tag.is_yaml_core_schema().then(|| tag.suffix()) {
                Some("str") => Scalar::Value(text.into()),
                Some("null") => Scalar::Value(Value::Null),
                Some("bool") => {
                    boolean(&text.to_lowercase()).map_or_else(|| self.wrong_value(tag, span), Scalar::Value)
                }
                Some("int") => integer(&text).unwrap_or_else(|| self.wrong_value(tag, span)),
                Some("float") => {
                    float(&text).or_else(|| integer(&text).map(as_float)).unwrap_or_else(|| self.wrong_value(tag, span))
                }
                _ => {
                    self.unknown_tag(tag, span);
                    Scalar::Value(Value::Null)
                }
            },
        };
        match scalar {
            Scalar::Value(value) => Content::Value(value),
            Scalar::NotJson(type_name) => Content::NotJson(type_name),
            Scalar::Merge => Content::Merge,
            Scalar::OutOfRange => {
                self.reject_for_json(|| "Numbers must be finite and have at most 64 bits".into());
                Content::Value(Value::Null)
            }
        }
    }

    fn wrong_value(&mut self, tag: &Tag, span: &Span) -> Scalar {
        self.reject_yaml(|reader| {
            format!("the value does not match its tag '{}'\n{}", shown(tag), reader.place(&span.start))
        });
        Scalar::Value(Value::Null)
    }

    fn check_tag(&mut self, tag: Option<&Tag>, expected: &str, span: &Span) {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema_tag(expected)
            && !is_non_specific(tag)
        {
            self.unknown_tag(tag, span);
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, span: &Span) {
        self.reject_yaml(|reader| {
            format!(
                "could not determine a constructor for the tag '{}'\n{}",
                shown(tag),
                reader.place(reader.tag_start(tag, &span.start)),
            )
        });
    }

    /// Keeps the first problem of a document that is not YAML. Only its message is made: a message needs the whole text,
    /// and a document can have as many problems as values.
    fn reject_yaml(&mut self, message: impl FnOnce(&Self) -> String) {
        if !matches!(self.problem, Some(Problem::NotYaml(_))) {
            self.problem = Some(Problem::NotYaml(message(self)));
        }
    }

    /// Keeps the first problem of a document that has no form in JSON, unless it is not YAML either.
    fn reject_for_json(&mut self, message: impl FnOnce() -> String) {
        if self.problem.is_none() {
            self.problem = Some(Problem::NotJson(message()));
        }
    }

    /// What the parser found, in PyYAML's words where those are known.
    fn describe(&self, error: &ScanError) -> String {
        let position = Position::of(error.marker());
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => TOO_DEEP.into(),
            ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation => {
                let column = self.line(position.line).chars().position(|character| character == '\t');
                let tab = Position { line: position.line, column: column.unwrap_or(position.column) };
                format!(
                    "while scanning for the next token\nfound character '\\t' that cannot start any token\n{}",
                    self.place(tab),
                )
            }
            ErrorKind::UnclosedQuotedScalar => {
                let last = self.text.split('\n').count() - 1;
                let end = Position { line: last, column: self.line(last).chars().count() };
                format!(
                    "while scanning a quoted scalar\n{}\nfound unexpected end of stream\n{}",
                    self.place(position),
                    self.place(end),
                )
            }
            ErrorKind::UnknownAnchor => format!("found undefined alias\n{}", self.place(position)),
            _ => format!("{}\n{}", error.info(), self.place(position)),
        }
    }

    fn line(&self, line: usize) -> &'a str {
        self.text.split('\n').nth(line).unwrap_or_default()
    }

    /// A position in AWX's messages: line, column and an excerpt.
    fn place(&self, at: impl Into<Position>) -> String {
        let position = at.into();
        position.place(self.line(position.line))
    }

    /// The position of the tag before a value.
    fn tag_start(&self, tag: &Tag, value: &Marker) -> Position {
        let position = Position::of(value);
        let line = self.line(position.line);
        let before: String = line.chars().take(position.column + 1).collect();
        let written = format!("{}{}", tag.original_handle(), tag.suffix());
        match before.rfind(&written) {
            Some(at) => Position { line: position.line, column: before[..at].chars().count() },
            None => position,
        }
    }
}

fn check_size(size: usize) -> Result<(), Problem> {
    if size > MAX_SIZE { Err(Problem::NotYaml(TOO_LARGE.into())) } else { Ok(()) }
}

/// The size and depth of a list or mapping that is being read.
#[derive(Default)]
struct Inner {
    depth: usize,
    size: usize,
}

impl Inner {
    fn add(&mut self, node: &Node) {
        self.depth = self.depth.max(node.depth);
        self.size += node.size;
    }

    fn node(self, value: Value) -> Node {
        Node { content: Content::Value(value), depth: self.depth + 1, size: self.size + VALUE_SIZE }
    }
}

fn as_float(integer: Scalar) -> Scalar {
    match integer {
        Scalar::Value(value) => Scalar::Value(value.as_f64().into()),
        other => other,
    }
}

/// Whether a tag is `!`, which means a value without a type of its own.
fn is_non_specific(tag: &Tag) -> bool {
    tag.handle().is_empty() && tag.suffix() == "!" || tag.handle() == "!" && tag.suffix().is_empty()
}

fn shown(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

fn not_a_key(type_name: &str) -> String {
    format!("keys must be str, int, float, bool or None, not {type_name}")
}

/// The key of a JSON object for a key of a mapping, as Python writes it; none for a list or mapping.
fn key_text(key: Value) -> Option<String> {
    Some(match key {
        Value::String(text) => text,
        Value::Null => "null".into(),
        Value::Bool(_) | Value::Number(_) => key.to_string(),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// A position in the text: line and column, both from 0.
#[derive(Clone, Copy)]
struct Position {
    line: usize,
    column: usize,
}

impl From<&Marker> for Position {
    fn from(marker: &Marker) -> Self {
        Position::of(marker)
    }
}

impl From<&Position> for Position {
    fn from(position: &Position) -> Self {
        *position
    }
}

impl Position {
    fn of(marker: &Marker) -> Self {
        Position { line: marker.line().saturating_sub(1), column: marker.col() }
    }

    /// Line, column, and the line with a mark below the column. Of a long line only the part around it.
    fn place(self, line: &str) -> String {
        const SIDE: usize = 36;
        let chars: Vec<char> = line.trim_end_matches('\r').chars().collect();
        let column = self.column.min(chars.len());
        let (head, start) = if column > SIDE { (" ... ", column - SIDE + 5) } else { ("", 0) };
        let (tail, end) = if chars.len() - column > SIDE { (" ... ", column + SIDE - 5) } else { ("", chars.len()) };
        let excerpt: String = chars[start..end].iter().collect();
        let blanks = " ".repeat(4 + head.len() + column - start);
        format!(
            "  in \"<unicode string>\", line {}, column {}:\n    {head}{excerpt}{tail}\n{blanks}^",
            self.line + 1,
            self.column + 1,
        )
    }
}
