//! The JSON schema that calls must keep to where a call is required.

use pacemark_openai_api::Tool;
use serde_json::{Value, json};

/// Keywords whose values are data: what looks like a reference there is none.
const DATA: &[&str] = &["const", "default", "enum", "example", "examples"];

/// Of the arguments of a tool's call: an object, whether the tool's schema says so or not.
pub fn of_arguments(tool: &Tool) -> Value {
    let mut schema = tool.function.parameters.clone().unwrap_or_else(|| json!({ "properties": {} }));
    let elsewhere = ["$ref", "allOf", "anyOf", "oneOf", "type"];
    if let Value::Object(object) = &mut schema
        && !elsewhere.iter().any(|name| object.contains_key(*name))
    {
        object.insert("type".into(), json!("object"));
    }
    schema
}

/// Of an array of calls, or of one. Each tool's schema becomes a definition, and what it refers to within itself is found there.
pub fn of_calls(tools: &[Tool], one_call: bool) -> Value {
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
const NAMED: &[&str] = &["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// Makes references to the root of a schema that has moved to `root` follow it. One that names itself (`$id`) is its own root.
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
