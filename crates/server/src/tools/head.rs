//! The beginning of a call: its name, and where its arguments begin.

use super::tracker::Tracker;
use serde_json::Value;

/// What the text of a call says so far.
#[derive(Debug, PartialEq)]
pub(super) enum Head {
    /// More is needed.
    Unclear,
    /// The name is known and the arguments begin at this offset.
    Arguments { name: String, at: usize },
    /// The whole object is there, up to this offset, with its name and arguments.
    Whole { name: String, arguments: String, end: usize },
    /// This is no call.
    NoCall,
}

/// Reads `text`, which starts with `{`.
pub(super) fn read(text: &str) -> Head {
    let mut name: Option<String> = None;
    let mut rest = Cursor { text, at: 1 };
    loop {
        rest.skip_space();
        match rest.peek() {
            Some(b'"') => {}
            None => return Head::Unclear,
            Some(_) => return whole(text),
        }
        let Some(key) = rest.value() else { return Head::Unclear };
        rest.skip_space();
        match rest.peek() {
            Some(b':') => rest.at += 1,
            None => return Head::Unclear,
            Some(_) => return Head::NoCall,
        }
        rest.skip_space();
        if rest.peek().is_none() {
            return Head::Unclear;
        }
        if matches!(key, "\"arguments\"" | "\"parameters\"")
            && let Some(name) = &name
        {
            return Head::Arguments { name: name.clone(), at: rest.at };
        }
        let Some(value) = rest.value() else { return Head::Unclear };
        if key == "\"name\"" {
            match serde_json::from_str(value) {
                Ok(text) => name = Some(text),
                Err(_) => return Head::NoCall,
            }
        }
        rest.skip_space();
        match rest.peek() {
            Some(b',') => rest.at += 1,
            None => return Head::Unclear,
            Some(_) => return whole(text),
        }
    }
}

/// A call whose object is complete, in whatever order its fields are.
fn whole(text: &str) -> Head {
    let Some(end) = Tracker::default().run(text) else { return Head::Unclear };
    let Ok(Value::Object(mut call)) = serde_json::from_str(&text[..end]) else {
        return Head::NoCall;
    };
    let arguments = call.remove("arguments").or_else(|| call.remove("parameters"));
    match call.remove("name") {
        Some(Value::String(name)) => Head::Whole {
            name,
            arguments: arguments.map_or_else(|| "{}".into(), |a| a.to_string()),
            end,
        },
        _ => Head::NoCall,
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// The value that begins here, if all of it is there.
    fn value(&mut self) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        let end = Tracker::default().run(rest)?;
        self.at += end;
        Some(&rest[..end])
    }
}
