//! Calls without tags where tags were asked for: models that were taught `<tool_call>` and write
//! code all day (Qwen2.5 Coder) begin their answer with the object itself, in a code fence, or
//! between tags of their own. llama.cpp's parser of Hermes' form takes these too.

/// What may stand around a call at the start of an answer.
const FENCES: &[(&str, &str)] =
    &[("```json", "```"), ("```", "```"), ("<tools>", "</tools>"), ("", "")];

/// What the start of an answer is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// More is needed.
    Unclear,
    /// Something said.
    Said,
    /// A call, whose object begins at this offset and which this text closes.
    Call(usize, &'static str),
}

/// Reads the start of an answer.
pub(super) fn read(text: &str) -> Opening {
    let answer = text.trim_start();
    let before = text.len() - answer.len();
    if answer.is_empty() {
        return Opening::Unclear;
    }
    let mut unclear = false;
    for (open, close) in FENCES {
        let Some(inside) = answer.strip_prefix(open) else {
            unclear |= open.starts_with(answer);
            continue;
        };
        let object = inside.trim_start();
        match begins_call(object) {
            Begins::Call => return Opening::Call(before + answer.len() - object.len(), close),
            Begins::Perhaps => unclear = true,
            Begins::No => {}
        }
    }
    if unclear { Opening::Unclear } else { Opening::Said }
}

enum Begins {
    Call,
    Perhaps,
    No,
}

/// Whether `{"name": "…", "arguments": ` stands here, or may still come to. Anything else is no
/// call: an answer that is some other object must not wait for its end.
fn begins_call(text: &str) -> Begins {
    let mut rest = text;
    for expected in ["{", "\"name\"", ":", "\"", ",", "\"", ":"] {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Begins::Perhaps;
        }
        let Some(behind) = rest.strip_prefix(expected) else {
            return if expected.starts_with(rest) { Begins::Perhaps } else { Begins::No };
        };
        rest = behind;
        if expected == "\"" {
            // The function's name, and then the name of the field.
            let Some((word, behind)) = behind.split_once('"') else { return Begins::Perhaps };
            if behind.trim_start().starts_with(':') && !matches!(word, "arguments" | "parameters") {
                return Begins::No;
            }
            rest = behind;
        }
    }
    Begins::Call
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_first_two_fields() {
        let call = "{\"name\": \"f\", \"arguments\": {";
        assert_eq!(read(call), Opening::Call(0, ""));
        assert_eq!(read(&format!("\n```json\n{call}")), Opening::Call(9, "```"));
        assert_eq!(read(&format!("```\n{call}")), Opening::Call(4, "```"));
        assert_eq!(read(&format!("<tools>{call}")), Opening::Call(7, "</tools>"));
        for said in [
            "Hello",
            "```python\nx",
            "{\"answer\"",
            "{\"name\": \"f\", \"age\": 3",
            "{\"name\": 3",
            "<tool_call>",
        ] {
            assert_eq!(read(said), Opening::Said, "{said}");
        }
        let fenced = "```json\n{\"name\": \"f\", \"parameters\"";
        for end in 0..=fenced.len() {
            assert_eq!(read(&fenced[..end]), Opening::Unclear, "{}", &fenced[..end]);
        }
    }
}
