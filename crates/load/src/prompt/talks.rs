//! Conversations of files: prompts a line each, as JSON lines or as a JSON array; ShareGPT's form
//! and OpenAI's messages.
//!
//! Public data sets have entries that hold nothing to send (no conversation, no word of the user):
//! those are passed over and counted. What is not of any known form is an error that says where it
//! is.

use super::{PromptError, expected_count, json};
use crate::lengths::MAX_TOKENS;
use crate::numbers::whole;
use serde::Deserialize;
use serde_json::Value;

/// One conversation of a file: what is asked, and what was answered then.
pub type Talk = Vec<Asked>;

/// One turn of a conversation in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What the user says.
    pub prompt: String,
    /// The answer, whose length ours is to have.
    pub answer: Answer,
}

/// What a file says of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Nothing.
    Unknown,
    /// Its text.
    Text(String),
    /// Its tokens.
    Tokens(u64),
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Talks {
    /// At least one, each with something to send.
    pub talks: Vec<Talk>,
    /// Entries without anything to send.
    pub skipped: u64,
}

impl Talks {
    fn of(file: &str, found: impl IntoIterator<Item = Talk>) -> Result<Talks, PromptError> {
        let (talks, empty): (Vec<Talk>, Vec<Talk>) =
            found.into_iter().partition(|talk| !talk.is_empty());
        match (talks.is_empty(), empty.len()) {
            (false, skipped) => Ok(Talks { talks, skipped: skipped as u64 }),
            (true, 0) => Err(PromptError::Nothing(file.to_owned())),
            (true, n) => Err(PromptError::File {
                file: file.to_owned(),
                why: format!("expected entries with something that a user says, found none in {n}"),
            }),
        }
    }
}

/// Prompts: a text or a JSON object a line, or a JSON array of strings and objects. An object has
/// `prompt` (or `text`, `input`), or a conversation, whose first turn is taken, and perhaps
/// `output_tokens`.
pub fn lines(file: &str, text: &str) -> Result<Talks, PromptError> {
    if let Some(items) = json::array(file, text) {
        let talk = |(i, item): (usize, Value)| {
            let wrong = |why: String| PromptError::File {
                file: file.to_owned(),
                why: format!("item {}: {why}", i + 1),
            };
            match item {
                Value::String(text) => Ok(one(text, Answer::Unknown)),
                Value::Null => Ok(Talk::new()),
                item => prompt(&item).map_err(wrong),
            }
        };
        let talks: Result<Vec<Talk>, PromptError> =
            items?.into_iter().enumerate().map(talk).collect();
        return Talks::of(file, talks?);
    }
    let mut talks = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |why: String| PromptError::Line { file: file.to_owned(), line: i + 1, why };
        talks.push(if line.trim_start().starts_with('{') {
            let object: Value =
                serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            prompt(&object).map_err(wrong)?
        } else {
            one(line.to_owned(), Answer::Unknown)
        });
    }
    Talks::of(file, talks)
}

/// Nothing, if the text is blank.
fn one(prompt: String, answer: Answer) -> Talk {
    if prompt.trim().is_empty() { Talk::new() } else { vec![Asked { prompt, answer }] }
}

/// Of an object; what is wrong with it.
fn prompt(object: &Value) -> Result<Talk, String> {
    let answer = match object.get("output_tokens").filter(|value| !value.is_null()) {
        None => Answer::Unknown,
        Some(value) => {
            let count = whole(value).filter(|n| (1..=MAX_TOKENS).contains(n));
            Answer::Tokens(count.ok_or_else(|| expected_count("output_tokens", value))?)
        }
    };
    if let Some(text) = ["prompt", "text", "input"].iter().find_map(|key| object.get(key)?.as_str())
    {
        return Ok(one(text.to_owned(), answer));
    }
    let known = ["prompt", "text", "input", "conversations", "conversation", "messages"];
    let mut talk = match conversation(object) {
        Some(talk) => talk,
        None if known.iter().any(|key| object.get(key).is_some_and(Value::is_null)) => Talk::new(),
        None => return Err("expected a string prompt, text or input".into()),
    };
    talk.truncate(1);
    if let (Some(asked), Answer::Tokens(_)) = (talk.first_mut(), &answer) {
        asked.answer = answer;
    }
    Ok(talk)
}

/// Conversations in ShareGPT's form: `[{"conversations": [{"from": "human", "value": …}, {"from":
/// "gpt", "value": …}]}]`, or an object a line; OpenAI's `messages`, `role` and `content` mean the
/// same. The answers of the file give the lengths of ours; they are not sent.
pub fn share_gpt(file: &str, text: &str) -> Result<Talks, PromptError> {
    let read: Result<Vec<Entry>, serde_json::Error> = if text.trim_start().starts_with('{') {
        serde_json::Deserializer::from_str(text).into_iter().collect()
    } else {
        serde_json::from_str(text)
    };
    let wrong = |error: serde_json::Error| PromptError::File {
        file: file.to_owned(),
        why: format!("expected an array of conversations in ShareGPT's form: {error}"),
    };
    Talks::of(file, read.map_err(wrong)?.into_iter().map(|Entry(talk)| talk))
}

/// An entry of a data set, made a conversation as it is read: its JSON, many times larger, is not
/// kept.
#[derive(Deserialize)]
#[serde(from = "Value")]
struct Entry(Talk);

impl From<Value> for Entry {
    fn from(entry: Value) -> Entry {
        Entry(conversation(&entry).unwrap_or_default())
    }
}

/// The turns of a conversation; none where there is no list of messages.
fn conversation(entry: &Value) -> Option<Talk> {
    let lists = ["conversations", "conversation", "messages", "prompt"];
    let messages = lists.iter().find_map(|name| entry.get(name)?.as_array())?;
    let mut talk = Talk::new();
    for message in messages {
        let from = ["from", "role"]
            .iter()
            .find_map(|name| message.get(name)?.as_str())
            .unwrap_or_default();
        let text = ["value", "content", "text"]
            .iter()
            .find_map(|name| said(message.get(name)?))
            .unwrap_or_default();
        match from {
            "human" | "user" => talk.extend(one(text, Answer::Unknown)),
            "gpt" | "assistant" | "chatgpt" | "bing" | "bard" if !text.is_empty() => {
                if let Some(asked) = talk.last_mut() {
                    asked.answer = Answer::Text(text);
                }
            }
            _ => {} // system and tool messages
        }
    }
    Some(talk)
}

/// The text of a message: itself, or its parts that are text.
fn said(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            Some(parts.iter().filter_map(|part| part.get("text")?.as_str()).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(found: Result<Talks, PromptError>) -> Result<(Vec<String>, u64), String> {
        let prompts = |found: Talks| {
            (found.talks.iter().map(|talk| talk[0].prompt.clone()).collect(), found.skipped)
        };
        found.map(prompts).map_err(|error| error.to_string())
    }

    #[test]
    fn prompts_of_each_form() {
        for (text, found, skipped) in [
            ("hello\n\n{\"prompt\":\"a\\nb\",\"output_tokens\":3}\n", &["hello", "a\nb"][..], 0),
            ("[INST] hi [/INST]\n[1] two\n", &["[INST] hi [/INST]", "[1] two"], 0),
            ("[\"a\",\n \"b\"]", &["a", "b"], 0),
            ("[null, \"a\", {\"prompt\": null}, {\"messages\": null}]", &["a"], 3),
            (
                "  [ {\"prompt\":\"a\"}, {\"text\":\"b\",\"output_tokens\":5.0}, \"\", {\"input\":\" \"} ]",
                &["a", "b"],
                2,
            ),
            (
                "[{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"q\"}]}]",
                &["q"],
                0,
            ),
            (
                "{\"prompt\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\"}]}]}",
                &["q"],
                0,
            ),
            (
                "{\"conversations\":[{\"from\":\"human\",\"value\":\"q\"}],\"output_tokens\":2}\n{\"prompt\":\"\"}",
                &["q"],
                1,
            ),
        ] {
            assert_eq!(
                prompts(lines("f", text)),
                Ok((found.iter().map(|s| s.to_string()).collect(), skipped)),
                "{text}"
            );
        }
        let tokens = lines(
            "f",
            "[{\"prompt\":\"x\",\"output_tokens\":5.0},{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"output_tokens\":\"6\"}]",
        );
        let tokens: Vec<_> =
            tokens.unwrap().talks.into_iter().map(|talk| talk[0].answer.clone()).collect();
        assert_eq!(tokens, [Answer::Tokens(5), Answer::Tokens(6)]);
    }

    #[test]
    fn what_is_no_prompt_is_told_with_its_place() {
        for (text, says) in [
            ("x\n{\"y\":1}", "f: line 2: expected a string prompt, text or input"),
            (
                "{\"prompt\":\"x\",\"output_tokens\":-1}",
                "f: line 1: output_tokens: expected 1 to 10000000, found -1",
            ),
            (" \n", "f: there is no prompt in it"),
            ("[\"a\", {\"y\":1}]", "f: item 2: expected a string prompt"),
            ("[\"a\", 5]", "f: item 2: expected a string prompt"),
            ("[5, \"a\"]", "f: item 1: expected a string prompt"),
            ("[\"a\", \"b\"", "f: expected a JSON array of prompts"),
            ("[]", "f: there is no prompt in it"),
            ("[\"\"]", "found none in 1"),
        ] {
            let error = prompts(lines("f", text)).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn entries_without_a_conversation_are_skipped_and_counted() {
        let good = r#"{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"#;
        for empty in [
            "{}",
            "{\"id\":\"x\"}",
            "{\"conversations\":null}",
            "{\"conversations\":[]}",
            "{\"conversations\":3}",
            "null",
            "1",
            "\"x\"",
            r#"{"conversations":[{"from":"gpt","value":"a"}]}"#,
            r#"{"conversations":[{"value":"x"}]}"#,
            r#"{"conversations":[{"from":"human","value":""}]}"#,
            r#"{"conversations":[{"from":"human","value":null}]}"#,
            r#"{"conversations":["x",null]}"#,
            r#"{"conversations":[{"from":"system","value":"s"}]}"#,
        ] {
            assert_eq!(
                prompts(share_gpt("f", &format!("[{good},{empty},{good}]"))),
                Ok((vec!["q".into(); 2], 1)),
                "{empty}"
            );
            assert!(
                prompts(share_gpt("f", &format!("[{empty},{empty}]")))
                    .unwrap_err()
                    .contains("found none in 2")
            );
        }
        let by_line = "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}\n{\"messages\":[]}\n{\"id\":5}\n";
        assert_eq!(prompts(share_gpt("f", by_line)), Ok((vec!["q".into()], 2)));
        for wrong in ["", "[", "{", "5", "\"x\"", "[{\"conversations\":["] {
            assert!(prompts(share_gpt("f", wrong)).unwrap_err().starts_with("f: "), "{wrong}");
        }
    }

    #[test]
    fn turns_have_the_answers_of_the_file() {
        let talk = r#"[{"id":"x","conversations":[{"from":"system","value":"s"},{"from":"human","value":"q1"},
            {"from":"gpt","value":"four"},{"from":"human","value":"q2"},{"from":"gpt","value":null},{"from":"gpt","value":"5"}]}]"#;
        let asked = |prompt: &str, answer: &str| Asked {
            prompt: prompt.into(),
            answer: Answer::Text(answer.into()),
        };
        assert_eq!(share_gpt("f", talk).unwrap().talks, [[asked("q1", "four"), asked("q2", "5")]]);
    }
}
