//! YAML with positions: what the checks walk over.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::problem::Problem;

/// A file, kept so that problems can show its lines.
#[derive(Debug, Clone)]
pub(super) struct SourceFile {
    /// As problems and alerts name it.
    pub(super) name: String,
    pub(super) text: String,
}

impl SourceFile {
    /// A problem at `line`:`column`, both from 1.
    pub(super) fn problem_at(&self, line: usize, column: usize, message: String) -> Problem {
        let source = self.text.lines().nth(line.saturating_sub(1)).unwrap_or("");
        Problem {
            file: self.name.clone(),
            line: line.max(1),
            column: column.max(1),
            message,
            suggestion: None,
            source: source.to_owned(),
            width: 1,
        }
    }
}

/// A YAML value and where it begins (line and column from 1).
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) data: Data,
}

#[derive(Debug, Clone)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The documents of a file, or where it stops being YAML.
    pub(super) fn documents(file: &SourceFile) -> Result<Vec<Node>, Problem> {
        let documents = MarkedYaml::load_from_str(&file.text).map_err(|error| {
            let marker = error.marker();
            file.problem_at(
                marker.line(),
                marker.col() + 1,
                format!("not valid YAML: {}", error.info()),
            )
        })?;
        Ok(documents.iter().map(Node::from).collect())
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn map(&self) -> Option<&[(Node, Node)]> {
        match &self.data {
            Data::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Node]> {
        match &self.data {
            Data::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key of this mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.map()?
            .iter()
            .find(|(name, _)| name.text() == Some(key))
            .map(|(_, value)| value)
    }

    /// The list's items, or the one value as a list of one.
    pub(super) fn items(&self) -> &[Node] {
        self.list().unwrap_or(std::slice::from_ref(self))
    }
}

impl From<&MarkedYaml<'_>> for Node {
    fn from(marked: &MarkedYaml<'_>) -> Self {
        let data = match &marked.data {
            YamlData::Value(Scalar::Null) | YamlData::BadValue | YamlData::Alias(_) => Data::Null,
            YamlData::Value(Scalar::Boolean(flag)) => Data::Bool(*flag),
            YamlData::Value(Scalar::Integer(number)) => Data::Integer(*number),
            YamlData::Value(Scalar::FloatingPoint(number)) => Data::Float(number.into_inner()),
            YamlData::Value(Scalar::String(text)) => Data::Text(text.to_string()),
            YamlData::Representation(text, ..) => Data::Text(text.to_string()),
            YamlData::Sequence(items) => Data::List(items.iter().map(Node::from).collect()),
            YamlData::Mapping(entries) => Data::Map(
                entries
                    .iter()
                    .map(|(key, value)| (Node::from(key), Node::from(value)))
                    .collect(),
            ),
            YamlData::Tagged(_, inner) => Node::from(&**inner).data,
        };
        Node {
            line: marked.span.start.line(),
            column: marked.span.start.col() + 1,
            data,
        }
    }
}
