//! The parts of a template.

use std::sync::Arc;

/// A part of a template and the line it starts in, counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub line: u32,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Text outside of tags.
    Data(Arc<str>),
    /// `{{`
    VariableBegin,
    /// `}}`
    VariableEnd,
    /// `{%`
    BlockBegin,
    /// `%}`
    BlockEnd,
    /// A name or a keyword.
    Name(Arc<str>),
    /// A string literal.
    Text(Arc<str>),
    /// An integer literal.
    Int(i128),
    /// A float literal.
    Float(f64),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
    /// The end of the template.
    End,
}

impl Kind {
    /// For errors.
    pub(crate) fn described(&self) -> String {
        match self {
            Kind::Data(_) => "template text".to_owned(),
            Kind::VariableBegin => "'{{'".to_owned(),
            Kind::VariableEnd => "'}}'".to_owned(),
            Kind::BlockBegin => "'{%'".to_owned(),
            Kind::BlockEnd => "'%}'".to_owned(),
            Kind::Name(name) => format!("'{name}'"),
            Kind::Text(_) => "a string".to_owned(),
            Kind::Int(_) | Kind::Float(_) => "a number".to_owned(),
            Kind::Sign(sign) => format!("'{sign}'"),
            Kind::End => "the end of the template".to_owned(),
        }
    }
}
