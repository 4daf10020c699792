//! Multiple choice from JSON lines: what the fields of a line are, how they become a context and
//! continuations, and what is wrong with a line that has not what it takes.
//!
//! Formats follow lm-eval 0.4.13 (`tasks/hellaswag`, `tasks/truthfulqa`): a choice follows its
//! context after one space.

mod format;
mod line;

use super::{Ask, Encoder, Question};
pub use format::Format;
use line::Line;
use pacemark_files::excerpt;

/// What follows a context, before each choice.
const DELIMITER: &str = " ";

/// One item, as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Choosing {
    /// Its name.
    pub id: String,
    /// What the choices follow.
    pub context: String,
    /// The choices; at least two, none empty.
    pub choices: Vec<String>,
    /// Number of the right one.
    pub gold: usize,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {field}: expected {expected}, found {found}")]
pub struct LineError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The field, or what stands for it.
    pub field: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// The items of a file's text, at most `limit`; empty lines are passed over. Every line is checked.
pub fn read(
    file: &str,
    text: &str,
    format: Format,
    limit: Option<usize>,
) -> Result<Vec<Choosing>, LineError> {
    let mut items: Vec<Choosing> = Vec::new();
    let mut ids = std::collections::HashSet::new();
    for (i, text) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line = Line { file, number: i + 1 };
        let item = line.read(text, format)?;
        if !ids.insert(item.id.clone()) {
            let found = format!("{} again", excerpt(&item.id));
            return Err(line.wrong("id", "a name that no other line has", found));
        }
        items.push(item);
    }
    if items.is_empty() {
        let line = Line { file, number: 1 };
        return Err(line.wrong("the file", "a JSON object on a line", "no line with text"));
    }
    items.truncate(limit.unwrap_or(usize::MAX));
    Ok(items)
}

impl Choosing {
    /// Its tokens; `None` where a model has no token for an empty context, or where a choice has none
    /// of its own.
    pub fn encoded(&self, encoder: &Encoder<'_>) -> Option<Question> {
        let pair = |choice: &String| encoder.pair(&self.context, &format!("{DELIMITER}{choice}"));
        let pairs: Vec<_> = self.choices.iter().map(pair).collect::<Option<_>>()?;
        let context = pairs.first()?.0.clone();
        let choices: Vec<_> = pairs.into_iter().map(|(_, choice)| choice).collect();
        if choices.iter().any(Vec::is_empty) {
            return None;
        }
        let n_chars = self.choices.iter().map(|choice| choice.chars().count() as u64).collect();
        let ask = Ask::Choices { context, choices, n_chars, gold: self.gold };
        Some(Question { id: self.id.clone(), depth: None, ask })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::toy;
    use super::*;

    #[test]
    fn a_line_that_lacks_something_is_named() {
        for (line, said) in [
            ("{", "found EOF while parsing an object (column 1)"),
            ("[1]", "line 2: the line: expected a JSON object, found invalid type: sequence"),
            (
                r#"{"query": "q", "choices": ["a", "b"], "answer": 0, "answer": 1}"#,
                "expected a JSON object, found field answer twice (column ",
            ),
            (
                r#"{"query": "q", "answer": 0}"#,
                "line 2: choices: expected a list of texts, found nothing",
            ),
            (
                r#"{"query": "q", "choices": "a", "answer": 0}"#,
                "choices: expected a list of texts, found a text",
            ),
            (
                r#"{"query": "q", "choices": ["a"], "answer": 0}"#,
                "choices: expected at least 2, found 1",
            ),
            (
                r#"{"query": "q", "choices": ["a", 1], "answer": 0}"#,
                "choices[1]: expected a text, found a number",
            ),
            (
                r#"{"query": "q", "choices": ["a", ""], "answer": 0}"#,
                "choices[1]: expected a text, found an empty one",
            ),
            (
                r#"{"query": "q", "choices": ["a", "b"]}"#,
                "answer: expected the number of a choice, 0 to 1, found nothing",
            ),
            (
                r#"{"query": "q", "choices": ["a", "b"], "answer": 2}"#,
                "answer: expected the number of a choice, 0 to 1, found 2",
            ),
            (
                r#"{"query": "q", "choices": ["a", "b"], "gold": -1}"#,
                "gold: expected the number of a choice, 0 to 1, found -1",
            ),
            (
                r#"{"query": "q", "choices": ["a", "b"], "label": "B"}"#,
                "label: expected the number of a choice, 0 to 1, found \"B\"",
            ),
            (r#"{"choices": ["a", "b"], "label": 0}"#, "context: expected a text, found nothing"),
            (
                r#"{"context": 5, "choices": ["a", "b"], "label": 0}"#,
                "context: expected a text, found a number",
            ),
            (
                r#"{"id": "x", "query": "q", "choices": ["a", "b"], "label": 0}"#,
                "id: expected a name that no other line has, found x again",
            ),
        ] {
            let first = r#"{"id": "x", "query": "q", "choices": ["a", "b"], "label": "1"}"#;
            let text = format!("{first}\n{line}\n");
            let error = read("f.jsonl", &text, Format::Plain, None).unwrap_err().to_string();
            assert!(error.starts_with("f.jsonl, line 2") && error.contains(said), "{error}");
        }
        let error = read("f.jsonl", "\n \n", Format::Plain, None).unwrap_err().to_string();
        assert!(error.contains("found no line with text"), "{error}");
    }

    #[test]
    fn fields_have_several_names() {
        let text =
            "\n{\"question\": \"q?\", \"endings\": [\"a b\", \"c\"], \"expected_index\": 1}\n";
        let items = read("f", text, Format::Plain, None).unwrap();
        let expected = Choosing {
            id: "line 2".into(),
            context: "q?".into(),
            choices: vec!["a b".into(), "c".into()],
            gold: 1,
        };
        assert_eq!(items, [expected]);
        let encoder = Encoder { encode: &toy, bos: None, empty: None };
        let Ask::Choices { context, choices, n_chars, gold } =
            items[0].encoded(&encoder).unwrap().ask
        else {
            panic!()
        };
        assert_eq!((context, n_chars, gold), (toy("q?"), vec![3, 1], 1));
        assert_eq!(choices, [toy(" a b"), toy(" c")]);
    }
}
