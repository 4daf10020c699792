//! What a report says besides its figures, as Markdown: verdicts above them, the rest below.

use super::Page;
use crate::columns::{plain, wide};
use crate::document::Document;

/// Verdicts, and the heading of what follows; nothing of a document that only shows figures.
pub(super) fn before(document: &Document, page: &Page) -> String {
    let reading = &document.reading;
    if reading.is_empty() {
        return String::new();
    }
    let verdicts = reading.verdicts.iter().map(|verdict| {
        let line = format!("- {} {}", verdict.standing.mark(), page.text(&verdict.text));
        page.folded(&line) + "\n"
    });
    let verdicts: String = verdicts.collect();
    let (first, second) = (page.lang.say("Verdicts"), page.lang.say("Figures"));
    let figures = format!("## {second}\n\n");
    if verdicts.is_empty() { figures } else { format!("## {first}\n\n{verdicts}\n{figures}") }
}

/// Advice, definitions, machine and commands.
pub(super) fn after(document: &Document, page: &Page) -> String {
    let reading = &document.reading;
    let heading = |name: &str| format!("\n## {}\n\n", page.lang.say(name));
    let mut text = String::new();
    let line = |line: String| page.folded(&format!("- {}", page.text(&line))) + "\n";
    if !reading.advice.is_empty() {
        text += &heading("Advice");
        text.extend(reading.advice.iter().map(|advice| line(advice.clone())));
    }
    for (name, pairs) in [("Definitions", &reading.definitions), ("Taken on", &reading.environment)]
    {
        if !pairs.is_empty() {
            text += &heading(name);
            text.extend(pairs.iter().map(|(name, value)| line(format!("{name}: {value}"))));
        }
    }
    if !reading.commands.is_empty() {
        text += &heading("Again");
        // Code, in which Markdown has no markup.
        text.extend(reading.commands.iter().map(|one| command(&plain(one), page.width) + "\n"));
    }
    text
}

/// A command line as a shell takes it, on as many lines as it takes: none is broken within quotes.
fn command(line: &str, width: Option<usize>) -> String {
    let indent = "    ";
    let Some(width) = width.filter(|width| wide(line) + indent.len() > *width) else {
        return format!("{indent}{line}");
    };
    let mut words: Vec<String> = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in line.chars() {
        if c == ' ' && !is_quoted && !is_escaped {
            words.push(String::new());
            continue;
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
        is_quoted ^= c == '\'' && !is_escaped;
        is_escaped = c == '\\' && !is_quoted && !is_escaped;
    }
    let (mut out, mut column) = (indent.to_owned(), indent.len());
    for (i, word) in words.iter().enumerate() {
        // Behind it there is room for the backslash.
        if i > 0 && column + 1 + wide(word) + 2 > width {
            out += &format!(" \\\n{indent}  ");
            column = indent.len() + 2;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out += word;
        column += wide(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_still_one() {
        let line = "pacemark run -p 'it'\\''s a b' -n 16";
        assert_eq!(command(line, None), format!("    {line}"));
        assert_eq!(command(line, Some(80)), format!("    {line}"));
        let folded = command(line, Some(24));
        assert_eq!(folded, "    pacemark run -p \\\n      'it'\\''s a b' -n \\\n      16");
        assert!(folded.lines().all(|line| wide(line) <= 24));
    }
}
