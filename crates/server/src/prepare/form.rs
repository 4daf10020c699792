//! The form that the output is to have, whichever of its many names was used.
//!
//! OpenAI calls it `response_format`, vLLM `structured_outputs` and before that `guided_…`,
//! llama-server `json_schema` and `grammar`. What a form means is the service's affair; that two of
//! them contradict each other is found here.

use super::Context;
use crate::error::{ApiError, Result};
use pacemark_backend::{Constraint, JsonForm, Whitespace};
use pacemark_openai_api::{ResponseFormat, Sampling, StructuredOutputs};
use serde_json::Value;

/// Bytes of a schema or an expression at most; compiling them is not linear.
const MAX_GRAMMAR_BYTES: usize = 64 << 10;

/// Refuses a constraint that the service could not keep to.
pub(super) fn check_constraint(
    context: &Context<'_>,
    constraint: &Constraint,
    field: &str,
) -> Result<()> {
    if !context.service.capabilities().constraints {
        return Err(ApiError::unsupported(
            field,
            format!("{field}: this model's output cannot be constrained"),
        ));
    }
    let found = constraint.source().len();
    if found > MAX_GRAMMAR_BYTES {
        let message = format!(
            "{field}: expected at most {MAX_GRAMMAR_BYTES} bytes of grammar, found {found}"
        );
        return Err(ApiError::field(field, message));
    }
    Ok(())
}

/// The one form that a request names, if the service can keep to it.
pub(super) fn constraint(context: &Context<'_>, sampling: &Sampling) -> Result<Option<Constraint>> {
    let structured = sampling.structured_outputs.clone().unwrap_or_default();
    refuse_unknown(&structured)?;
    let whitespace = whitespace(sampling, &structured)?;
    let mut found: Vec<(&str, Constraint)> = Vec::new();
    if let Some(form) = response_format(sampling.response_format.as_ref(), &whitespace)? {
        found.push(("response_format", form));
    }
    for (field, schema) in [
        ("json_schema", &sampling.json_schema),
        ("guided_json", &sampling.guided_json),
        ("structured_outputs.json", &structured.json),
    ] {
        if let Some(schema) = schema {
            found.push((field, by_schema(field, schema, &whitespace)?));
        }
    }
    for (field, regex) in
        [("guided_regex", &sampling.guided_regex), ("structured_outputs.regex", &structured.regex)]
    {
        if let Some(regex) = regex {
            found.push((field, Constraint::Regex(regex.clone())));
        }
    }
    for (field, choice) in [
        ("guided_choice", &sampling.guided_choice),
        ("structured_outputs.choice", &structured.choice),
    ] {
        if let Some(choice) = choice {
            found.push((field, one_of(field, choice)?));
        }
    }
    for (field, grammar) in [
        ("grammar", &sampling.grammar),
        ("guided_grammar", &sampling.guided_grammar),
        ("structured_outputs.grammar", &structured.grammar),
    ] {
        // llama-server's own page sends an empty one where there is none.
        if let Some(grammar) = grammar.as_ref().filter(|grammar| !grammar.trim().is_empty()) {
            found.push((field, Constraint::Grammar(grammar.clone())));
        }
    }
    if structured.json_object == Some(true) {
        found.push(("structured_outputs.json_object", any_object(&whitespace)));
    }
    if let [(first, _), (second, _), ..] = &found[..] {
        let message = format!("{second}: the output's form is given by {first} already");
        return Err(ApiError::field(*second, message));
    }
    let Some((field, constraint)) = found.pop() else { return Ok(None) };
    check_constraint(context, &constraint, field)?;
    Ok(Some(constraint))
}

/// Names of vLLM's that say how its engines work and change nothing that is allowed.
const HARMLESS: &[&str] = &["disable_fallback", "_backend", "_backend_was_auto"];

fn refuse_unknown(structured: &StructuredOutputs) -> Result<()> {
    let asks = |(name, value): &(&String, &Value)| {
        !value.is_null() && **value != Value::Bool(false) && !HARMLESS.contains(&name.as_str())
    };
    match structured.extra.iter().find(asks) {
        Some((name, _)) => {
            let field = format!("structured_outputs.{name}");
            Err(ApiError::unsupported(&field, format!("{field}: this server does not support it")))
        }
        None => Ok(()),
    }
}

fn response_format(
    format: Option<&ResponseFormat>,
    whitespace: &Whitespace,
) -> Result<Option<Constraint>> {
    let field = "response_format";
    let schema = match format {
        None | Some(ResponseFormat::Text) => return Ok(None),
        Some(ResponseFormat::JsonObject { schema: None }) => {
            return Ok(Some(any_object(whitespace)));
        }
        Some(ResponseFormat::JsonObject { schema: Some(schema) }) => schema,
        Some(ResponseFormat::JsonSchema { json_schema: None, schema: None }) => {
            return Err(ApiError::field(
                "response_format.json_schema",
                "response_format.json_schema: missing",
            ));
        }
        Some(ResponseFormat::JsonSchema { json_schema: None, schema: Some(schema) }) => schema,
        Some(ResponseFormat::JsonSchema { json_schema: Some(named), .. }) => {
            named.schema.as_ref().unwrap_or(&Value::Bool(true))
        }
    };
    by_schema(field, schema, whitespace).map(Some)
}

/// What vLLM's names say of whitespace; bounded where they say nothing.
fn whitespace(sampling: &Sampling, structured: &StructuredOutputs) -> Result<Whitespace> {
    let none = structured.disable_any_whitespace == Some(true);
    let patterns = [
        ("guided_whitespace_pattern", &sampling.guided_whitespace_pattern),
        ("structured_outputs.whitespace_pattern", &structured.whitespace_pattern),
    ];
    let mut patterns = patterns
        .iter()
        .filter_map(|(field, pattern)| pattern.as_ref().map(|pattern| (*field, pattern)));
    match (patterns.next(), patterns.next()) {
        (Some((field, _)), None) if none => Err(ApiError::field(
            field,
            format!("{field}: structured_outputs.disable_any_whitespace says that there is none"),
        )),
        (Some(_), Some((field, _))) => {
            Err(ApiError::field(field, format!("{field}: the pattern is given twice")))
        }
        (Some((field, pattern)), None) if pattern.len() > MAX_GRAMMAR_BYTES => {
            let message = format!(
                "{field}: expected at most {MAX_GRAMMAR_BYTES} bytes, found {}",
                pattern.len()
            );
            Err(ApiError::field(field, message))
        }
        (Some((_, pattern)), None) => Ok(Whitespace::Pattern(pattern.clone())),
        (None, _) if none => Ok(Whitespace::None),
        (None, _) => Ok(Whitespace::Bounded),
    }
}

fn any_object(whitespace: &Whitespace) -> Constraint {
    Constraint::Json(JsonForm { whitespace: whitespace.clone(), ..JsonForm::object() })
}

fn by_schema(field: &str, schema: &Value, whitespace: &Whitespace) -> Result<Constraint> {
    let schema = match schema {
        Value::Object(_) | Value::Bool(_) => schema.to_string(),
        Value::String(text)
            if matches!(serde_json::from_str(text), Ok(Value::Object(_) | Value::Bool(_))) =>
        {
            text.clone()
        }
        _ => {
            return Err(ApiError::field(
                field,
                format!("{field}: expected a JSON schema, found something else"),
            ));
        }
    };
    Ok(Constraint::Json(JsonForm { schema, whitespace: whitespace.clone() }))
}

/// One of the texts, as an expression in which nothing of them is special.
fn one_of(field: &str, choice: &[String]) -> Result<Constraint> {
    if choice.is_empty() {
        return Err(ApiError::field(field, format!("{field}: expected at least one text")));
    }
    let escaped = choice.iter().map(|text| {
        let special =
            |c: char| if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() };
        text.chars().map(special).collect::<String>()
    });
    Ok(Constraint::Regex(format!("({})", escaped.collect::<Vec<_>>().join("|"))))
}
