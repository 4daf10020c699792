//! The JSON schema that calls must keep to where a call is required.

use pacemark_openai_api::Tool;
use serde_json::{Value, json};

/// Keywords whose values are data: what looks like a reference there is none.
const DATA: &[&str] = &["const", "default", "enum", "example", "examples"];

/// Of the arguments of a tool's call: an object, whether the tool's schema says so or not. A tool
/// that names no parameters has none (OpenAI's reference, "omitting parameters defines a function
/// with an empty parameter list").
pub(super) fn of_arguments(tool: &Tool) -> Value {
    let mut schema = tool.function.parameters.clone().unwrap_or_else(|| json!({}));
    let elsewhere = ["$ref", "allOf", "anyOf", "oneOf", "type"];
    let Value::Object(object) = &mut schema else { return schema };
    let nothing =
        |properties: &Value| properties.as_object().is_some_and(|properties| properties.is_empty());
    if object.is_empty() || object.get("properties").is_some_and(nothing) {
        object.entry("additionalProperties").or_insert(json!(false));
    }
    if !elsewhere.iter().any(|name| object.contains_key(*name)) {
        object.insert("type".into(), json!("object"));
    }
    schema
}

/// Of an array of calls, or of one. Each tool's schema becomes a definition, and what it refers to
/// within itself is found there.
pub(super) fn of_calls(tools: &[Tool], one_call: bool) -> Value {
    let place = |i: usize| format!("tool{i}");
    let call = |(i, tool): (usize, &Tool)| {
        json!({
            "type": "object",
            "properties": {
                "name": { "const": tool.function.name },
                "parameters": { "$ref": format!("#/$defs/{}", place(i)) },
            },
            "required": ["name", "parameters"],
            "additionalProperties": false,
        })
    };
    let definition = |(i, tool): (usize, &Tool)| {
        let mut schema = of_arguments(tool);
        move_references(&mut schema, &format!("#/$defs/{}", place(i)));
        (place(i), schema)
    };
    let mut schema = json!({
        "type": "array",
        "minItems": 1,
        "items": { "anyOf": tools.iter().enumerate().map(call).collect::<Vec<_>>() },
        "$defs": tools.iter().enumerate().map(definition).collect::<serde_json::Map<_, _>>(),
    });
    if one_call {
        schema["maxItems"] = json!(1);
    }
    schema
}

/// Keywords whose value is an object of schemas: what names them is no keyword.
const NAMED: &[&str] =
    &["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// Makes references to the root of a schema that has moved to `root` follow it. One that names
/// itself (`$id`) is its own root.
fn move_references(schema: &mut Value, root: &str) {
    match schema {
        Value::Array(many) => many.iter_mut().for_each(|schema| move_references(schema, root)),
        Value::Object(object) if object.contains_key("$id") => {}
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(reference) if name == "$ref" && reference.starts_with('#') => {
                        *reference = format!("{root}{}", &reference[1..]);
                    }
                    Value::Object(schemas) if NAMED.contains(&name.as_str()) => {
                        schemas.values_mut().for_each(|schema| move_references(schema, root));
                    }
                    value if !DATA.contains(&name.as_str()) => move_references(value, root),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_openai_api::ToolFunction;

    #[test]
    fn a_tool_that_names_no_parameters_has_none() {
        let of = |parameters: Option<Value>| {
            let function =
                ToolFunction { name: "f".into(), description: None, parameters, strict: None };
            of_arguments(&Tool { kind: "function".into(), function })
        };
        let none = json!({ "type": "object", "additionalProperties": false });
        assert_eq!([of(None), of(Some(json!({})))], [none.clone(), none]);
        let empty = of(Some(json!({ "type": "object", "properties": {} })));
        assert_eq!(empty["additionalProperties"], false);
        for open in [
            json!({ "type": "object" }),
            json!({ "properties": {}, "additionalProperties": true, "type": "object" }),
        ] {
            assert_eq!(of(Some(open.clone())), open);
        }
    }

    #[test]
    fn references_follow_a_schema_that_moves() {
        let mut schema = json!({
            "$defs": { "A": { "$ref": "#" } },
            "properties": {
                "default": { "$ref": "#/$defs/A" },
                "b": { "enum": [{ "$ref": "#/$defs/A" }] },
                "$ref": { "type": "string" },
            },
        });
        move_references(&mut schema, "#/$defs/tool3");
        let moved = json!({
            "$defs": { "A": { "$ref": "#/$defs/tool3" } },
            "properties": {
                "default": { "$ref": "#/$defs/tool3/$defs/A" },
                "b": { "enum": [{ "$ref": "#/$defs/A" }] },
                "$ref": { "type": "string" },
            },
        });
        assert_eq!(schema, moved);
    }
}
