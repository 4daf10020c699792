//! A request's JSON schema as the grammar engine is to take it: with bounded whitespace, and closed
//! where it leaves open what nobody asked for.

use pacemark_backend::{JsonForm, Whitespace};
use serde_json::{Map, Value, json};

/// [`Whitespace::Bounded`], which is what llama.cpp's JSON grammars allow.
const BOUNDED_WHITESPACE: &str = r"\x20|\n{1,2}[\x20\t]{0,20}";

/// What becomes of objects that list their properties and say nothing of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objects {
    /// They have no others.
    Closed,
    /// They may have any.
    AsTheyAre,
}

/// The schema with what the grammar engine is told besides, which it reads from the schema itself
/// (`x-guidance`). A request may have said there how it wants its whitespace.
pub(super) fn schema(form: &JsonForm, objects: Objects) -> Result<Value, String> {
    let schema = serde_json::from_str(&form.schema).map_err(|error| error.to_string())?;
    let mut schema = match schema {
        Value::Bool(true) => json!({}),
        Value::Bool(false) => json!({ "not": {} }),
        Value::Object(_) => schema,
        _ => return Err("expected an object or a boolean, found something else".into()),
    };
    settle_formats(&mut schema);
    if objects == Objects::Closed && !joins(&mut schema) {
        close(&mut schema);
    }
    let Some(object) = schema.as_object_mut() else { return Ok(schema) };
    let said = object.entry("x-guidance").or_insert_with(|| json!({}));
    let said =
        said.as_object_mut().ok_or("x-guidance: expected an object, found something else")?;
    let whitespace = match &form.whitespace {
        Whitespace::Bounded if WHITESPACE.iter().any(|name| said.contains_key(*name)) => {
            return Ok(schema);
        }
        Whitespace::Bounded => ("whitespace_pattern", json!(BOUNDED_WHITESPACE)),
        Whitespace::None => ("whitespace_flexible", json!(false)),
        Whitespace::Pattern(pattern) => ("whitespace_pattern", json!(pattern)),
    };
    if let Some(name) = WHITESPACE.iter().find(|name| said.contains_key(**name)) {
        return Err(format!("x-guidance.{name}: whitespace is said by the request already"));
    }
    said.insert(whitespace.0.into(), whitespace.1);
    Ok(schema)
}

/// What `x-guidance` may say of whitespace.
const WHITESPACE: &[&str] = &["whitespace_flexible", "whitespace_pattern"];

/// Keywords whose value is a schema, an array of schemas, or an object of schemas.
const ONE: &[&str] =
    &["additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"];
const MANY: &[&str] = &["allOf", "anyOf", "items", "oneOf", "prefixItems"];
const NAMED: &[&str] = &["$defs", "definitions", "patternProperties", "properties"];
/// Keywords beside which `properties` are not all that an object may have.
const OPEN: &[&str] = &[
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "else",
    "if",
    "not",
    "oneOf",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedProperties",
];

/// The schemas right within one.
fn within(schema: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    schema.iter_mut().flat_map(|(name, value)| {
        let is_in = |names: &[&str]| names.contains(&name.as_str());
        let (one, many, named) = (is_in(ONE), is_in(MANY), is_in(NAMED));
        if named && value.is_object() {
            value.as_object_mut().into_iter().flat_map(Map::values_mut).collect()
        } else if many && value.is_array() {
            value.as_array_mut().into_iter().flatten().collect()
        } else if one {
            vec![value]
        } else {
            Vec::new()
        }
    })
}

/// Formats that the grammar engine keeps texts to, and the most characters of those whose fractions
/// have no end.
const FORMATS: &[(&str, Option<u64>)] = &[
    ("date", None),
    ("date-time", Some(40)),
    ("duration", Some(40)),
    ("email", None),
    ("hostname", None),
    ("ipv4", None),
    ("ipv6", None),
    ("time", Some(30)),
    ("uri", None),
    ("uuid", None),
];

/// Takes away formats that are not known, which are notes to a reader (JSON Schema 2020-12,
/// validation, 7.2.1: `password`, `path`), and gives an end to texts of those that have none.
fn settle_formats(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    within(object).for_each(settle_formats);
    let Some(format) = object.get("format").and_then(Value::as_str) else { return };
    match FORMATS.iter().find(|(name, _)| *name == format) {
        None => drop(object.remove("format")),
        Some((_, Some(most))) => drop(object.entry("maxLength").or_insert(json!(most))),
        Some((_, None)) => {}
    }
}

/// Keywords beside a schema of the same object, which they would have to be satisfied with.
const BESIDE: &[&str] = &[
    "additionalProperties",
    "dependentRequired",
    "dependentSchemas",
    "maxProperties",
    "minProperties",
    "patternProperties",
    "properties",
    "propertyNames",
    "required",
    "unevaluatedProperties",
];

/// Whether an object may have to satisfy several of its schemas at once: closing one of them would
/// then refuse what another asks for.
fn joins(schema: &mut Value) -> bool {
    let Value::Object(object) = schema else { return false };
    let has = |names: &[&str]| names.iter().any(|name| object.contains_key(*name));
    let several = object.get("allOf").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    let beside = has(&["$ref", "allOf", "anyOf", "oneOf", "if", "not"]) && has(BESIDE);
    several || beside || within(object).any(joins)
}

/// Says of each object that lists its properties and nothing of others that it has no others, as
/// llama.cpp and vLLM's strict mode do: what satisfies the closed schema satisfies the open one,
/// and a weak model that may invent properties never ends. Where that does not follow (below
/// `oneOf`, `not` and `if`) nothing is closed.
fn close(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    if ["oneOf", "not", "if"].iter().any(|name| object.contains_key(*name)) {
        return;
    }
    within(object).for_each(close);
    let Some(properties) = object.get("properties").and_then(Value::as_object) else { return };
    let listed = |name: &Value| name.as_str().is_some_and(|name| properties.contains_key(name));
    let complete = object
        .get("required")
        .and_then(Value::as_array)
        .is_none_or(|required| required.iter().all(listed));
    if !properties.is_empty() && complete && !OPEN.iter().any(|name| object.contains_key(*name)) {
        object.insert("additionalProperties".into(), Value::Bool(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(text: &str) -> Value {
        let mut schema = schema(
            &JsonForm { schema: text.into(), whitespace: Whitespace::None },
            Objects::Closed,
        )
        .unwrap();
        schema.as_object_mut().unwrap().remove("x-guidance");
        schema
    }

    #[test]
    fn objects_that_list_their_properties_have_no_others() {
        let open = r##"{"properties": {"a": {"$ref": "#/$defs/A"}, "b": {"items": {"properties": {"c": {}}}}},
            "$defs": {"A": {"properties": {"x": {"enum": [{"properties": {"kept": 1}}]}}}}}"##;
        let expected = r##"{"properties": {"a": {"$ref": "#/$defs/A"},
                "b": {"items": {"properties": {"c": {}}, "additionalProperties": false}}}, "additionalProperties": false,
            "$defs": {"A": {"properties": {"x": {"enum": [{"properties": {"kept": 1}}]}}, "additionalProperties": false}}}"##;
        assert_eq!(closed(open), serde_json::from_str::<Value>(expected).unwrap());
    }

    #[test]
    fn formats_are_kept_to_and_end_or_are_notes() {
        let given = r#"{"items": {"anyOf": [{"format": "password"}, {"format": "duration"}, {"format": "email"}]},
            "enum": [{"format": "path"}]}"#;
        let settled = r#"{"items": {"anyOf": [{}, {"format": "duration", "maxLength": 40}, {"format": "email"}]},
            "enum": [{"format": "path"}]}"#;
        assert_eq!(closed(given), serde_json::from_str::<Value>(settled).unwrap());
    }

    #[test]
    fn what_may_have_other_properties_stays_open() {
        for same in [
            r#"{"type": "object"}"#,
            r#"{"properties": {}}"#,
            r#"{"properties": {"a": {}}, "additionalProperties": true}"#,
            r#"{"properties": {"a": {}}, "patternProperties": {"^x": {}}}"#,
            r#"{"properties": {"a": {}}, "required": ["b"]}"#,
            r#"{"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}"#,
            r#"{"properties": {"a": {}}, "anyOf": [{"properties": {"b": {}}}]}"#,
            r##"{"$ref": "#/$defs/A", "properties": {"a": {}}, "$defs": {"A": {"properties": {"b": {}}}}}"##,
            r#"{"enum": [{"properties": {"a": 1}}]}"#,
            r#"{"required": ["a"], "anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}"#,
            r#"{"additionalProperties": {"type": "integer"}, "allOf": [{"properties": {"a": {}}}]}"#,
            r#"{"oneOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}"#,
            r#"{"items": {"not": {"properties": {"a": {}}}}}"#,
        ] {
            assert_eq!(closed(same), serde_json::from_str::<Value>(same).unwrap(), "{same}");
        }
    }
}
