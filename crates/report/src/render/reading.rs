//! What a report says besides its figures, as Markdown: verdicts above them, the rest below.

use super::{Page, folded};
use crate::columns::plain;
use crate::document::Document;

/// Verdicts, and the heading of what follows; nothing of a document that only shows figures.
pub(super) fn before(document: &Document, page: &Page) -> String {
    let reading = &document.reading;
    if reading.is_empty() {
        return String::new();
    }
    let verdicts = reading.verdicts.iter().map(|verdict| {
        let line = format!("- {} {}", verdict.standing.mark(), plain(&verdict.text));
        folded(&line, page.width) + "\n"
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
    let line = |line: String| folded(&plain(&line), page.width) + "\n";
    if !reading.advice.is_empty() {
        text += &heading("Advice");
        text.extend(reading.advice.iter().map(|advice| line(format!("- {advice}"))));
    }
    for (name, pairs) in [("Definitions", &reading.definitions), ("Taken on", &reading.environment)]
    {
        if !pairs.is_empty() {
            text += &heading(name);
            text.extend(pairs.iter().map(|(name, value)| line(format!("- {name}: {value}"))));
        }
    }
    if !reading.commands.is_empty() {
        text += &heading("Again");
        text.extend(reading.commands.iter().map(|command| format!("    {}\n", plain(command))));
    }
    text
}
