//! `pacemark kv --list`: every policy, what it keeps, and where it comes from.

use pacemark_engine::POLICIES;

/// Columns of the page, and where its texts begin.
const WIDTH: usize = 100;
const MARGIN: usize = 41;

const HEAD: &str = "\
Policies of the KV cache, as --kv of run, serve, bench and eval and --policies of kv take them.
Sizes are tokens of each KV head of each layer, or shares of the tokens there are (0.5, 50%).";

const COMMON: &[(&str, &str)] = &[
    ("skip=A-B", "of every policy: these layers keep everything; the cache is then without bound"),
    (
        "every=E",
        "of those that work on prompts: work again whenever there are E tokens more, after the prompt \
         or in a text that has none",
    ),
];

/// The page.
pub(super) fn page() -> String {
    let full = ("full", "everything: no policy, and what the others are compared with", "");
    let policies = POLICIES.iter().map(|entry| (entry.form, entry.help, entry.source));
    let policies: String = std::iter::once(full)
        .chain(policies)
        .map(|(form, help, source)| entry(form, &[help, source]))
        .collect();
    let common: String = COMMON.iter().map(|(form, help)| entry(form, &[help])).collect();
    format!("{HEAD}\n\n{policies}\nParameters that several take, after a comma:\n\n{common}")
}

/// A form, and texts beside it, each from a line of its own on.
fn entry(form: &str, texts: &[&str]) -> String {
    let lines = texts.iter().filter(|text| !text.is_empty()).flat_map(|text| wrapped(text));
    let beside = |(i, line): (usize, String)| {
        let form = if i == 0 { form } else { "" };
        format!("  {form:width$} {line}\n", width = MARGIN - 3)
    };
    lines.enumerate().map(beside).collect()
}

/// Lines that end between words; what continues one stands in.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH - MARGIN => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_there_and_fit() {
        let page = page();
        assert!(page.lines().all(|line| line.chars().count() <= WIDTH), "{page}");
        let is_aligned = |line: &str| line.len() < MARGIN || line.as_bytes()[MARGIN - 1] == b' ';
        assert!(
            page.lines().skip(3).all(|line| is_aligned(line) || !line.starts_with(' ')),
            "{page}"
        );
        for entry in POLICIES {
            assert!(page.contains(&format!("  {} ", entry.form)), "{}: {page}", entry.form);
        }
        let words: Vec<&str> = page.split_whitespace().collect();
        for source in POLICIES.iter().flat_map(|entry| entry.source.split(' ')) {
            assert!(words.contains(&source), "{source}");
        }
    }
}
