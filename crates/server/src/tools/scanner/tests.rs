//! Answers of real models' forms, whole and cut at every place, give the same text and calls.

use super::*;

/// Text said, and calls with their arguments.
fn taken_apart(
    parsing: &ToolParsing,
    pieces: impl Iterator<Item = String>,
) -> (String, Vec<(String, String)>) {
    let mut scanner = Scanner::new(parsing.clone());
    let mut said = String::new();
    let mut calls: Vec<(String, String)> = Vec::new();
    let mut all: Vec<Piece> = pieces.flat_map(|piece| scanner.feed(&piece)).collect();
    all.extend(scanner.finish());
    for piece in all {
        match piece {
            Piece::Text(text) => said.push_str(&text),
            Piece::Call(name) => calls.push((name, String::new())),
            Piece::Arguments(more) => calls.last_mut().unwrap().1.push_str(&more),
        }
    }
    assert_eq!(scanner.n_calls(), calls.len());
    (said, calls)
}

fn check(parsing: ToolParsing, text: &str, said: &str, calls: &[(&str, &str)]) {
    let calls: Vec<(String, String)> =
        calls.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    let expected = (said.to_string(), calls);
    assert_eq!(taken_apart(&parsing, std::iter::once(text.to_string())), expected, "whole: {text}");
    assert_eq!(
        taken_apart(&parsing, text.chars().map(String::from)),
        expected,
        "a character at a time: {text}"
    );
    for cut in text.char_indices().map(|(i, _)| i) {
        let (a, b) = text.split_at(cut);
        assert_eq!(
            taken_apart(&parsing, [a.to_string(), b.to_string()].into_iter()),
            expected,
            "cut at {cut}: {text}"
        );
    }
}

#[test]
fn calls_between_tags() {
    let tagged = |text: &str, said: &str, calls: &[(&str, &str)]| {
        check(ToolParsing::Tagged, text, said, calls)
    };
    tagged("Just é text < and <tool", "Just é text < and <tool", &[]);
    tagged(
        "I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"}<\", \"b\": [1]}}\n</tool_call>",
        "I look.",
        &[("f", "{\"a\": \"}<\", \"b\": [1]}")],
    );
    tagged(
        "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n<tool_call>{\"arguments\":{\"x\":1},\"name\":\"g\"}</tool_call>\n",
        "",
        &[("f", "{}"), ("g", "{\"x\":1}")],
    );
    tagged("<tool_call>{\"name\": \"f\"}</tool_call>", "", &[("f", "{}")]);
    tagged("<tool_call>no JSON</tool_call>", "<tool_call>no JSON</tool_call>", &[]);
    tagged("a <tool_call>{\"nam", "a<tool_call>{\"nam", &[]);
    tagged("<tool_call>{\"name\": \"f\", \"arguments\": {\"cut", "", &[("f", "{\"cut")]);
}

#[test]
fn calls_in_place_of_tags() {
    let tagged = |text: &str, said: &str, calls: &[(&str, &str)]| {
        check(ToolParsing::Tagged, text, said, calls)
    };
    // Qwen2.5 Coder's, word for word.
    let fenced = "```json\n{\n  \"name\": \"get_weather\",\n  \"arguments\": {\n    \"city\": \"Paris\"\n  }\n}\n```";
    tagged(fenced, "", &[("get_weather", "{\n    \"city\": \"Paris\"\n  }")]);
    tagged(
        &format!("{fenced}\n{fenced}\n"),
        "",
        &[("get_weather", "{\n    \"city\": \"Paris\"\n  }"); 2],
    );
    tagged("<tools>{\"name\": \"f\", \"arguments\": {}}</tools> Done.", " Done.", &[("f", "{}")]);
    tagged("{\"name\": \"f\", \"arguments\": {}}", "", &[("f", "{}")]);
    tagged("```json\n{\"answer\": 1}\n```", "```json\n{\"answer\": 1}\n```", &[]);
    tagged("{\"name\": \"Ann\", \"age\": 3}", "{\"name\": \"Ann\", \"age\": 3}", &[]);
    // Cut, or no call after all: what the model wrote, and nothing else.
    for said in [
        "```json\n{\"name\": \"f\"",
        "\n```json\n{\"name\": \"f\", \"arguments\":",
        "```json\n{\"name\": \"\\q\", \"arguments\": {}}\n```",
    ] {
        tagged(said, said, &[]);
    }
}

#[test]
fn calls_without_tags() {
    let bare = |text: &str, said: &str, calls: &[(&str, &str)]| {
        check(ToolParsing::Bare, text, said, calls)
    };
    bare("{\"name\": \"f\", \"parameters\": {\"a\": 1}}", "", &[("f", "{\"a\": 1}")]);
    bare(
        "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\", \"parameters\": {}}",
        "",
        &[("f", "{}"), ("g", "{}")],
    );
    bare("{\"answer\": 42}", "{\"answer\": 42}", &[]);
    bare("  No call {\"name\"", "  No call {\"name\"", &[]);
    bare("{\"name\": 3, ", "{\"name\": 3, ", &[]);
}

#[test]
fn calls_that_were_required() {
    let array =
        "[{\"name\": \"f\", \"parameters\": {\"a\": null}}, {\"name\":\"g\",\"parameters\":{}}]";
    check(ToolParsing::Array, array, "", &[("f", "{\"a\": null}"), ("g", "{}")]);
    let cut = "[{\"name\": \"f\", \"parameters\": {}}, {\"na";
    check(ToolParsing::Array, cut, "", &[("f", "{}")]);
    check(ToolParsing::Named("f".into()), "{\"a\": 1}", "", &[("f", "{\"a\": 1}")]);
}
