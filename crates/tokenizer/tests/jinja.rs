//! Expressions and small templates against Python's Jinja2 in Hugging Face's environment:
//! `data/jinja_expressions.json`, made by `data/make_jinja_expressions.py`. All differences are
//! shown at once, by category.

use pacemark_tokenizer::{ChatTemplate, RenderOptions};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Deserialize)]
struct Golden {
    now: u64,
    variables: Map<String, Json>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    category: String,
    template: String,
    /// What Python makes of it; without one it failed.
    output: Option<String>,
    error: Option<String>,
}

/// What Jinja2 can do and our engine refuses by name or does not forbid, on purpose: what has no
/// fixed answer, what no template needs, and printing a class.
const ON_PURPOSE: &[&str] = &[
    "{{ list|random in list }}",
    "{{ '\\N{BULLET}' }}",
    "{{ '\\ud83d\\ude42'|length }}",
    "{% for a, in [[1]] %}{{ a }}{% endfor %}",
    "{% macro m() %}{{ self }}{% endmacro %}{{ m()|length > 0 }}",
    "{{ 'a'.encode() }}",
    "{{ 'abc'.translate({97: 'x'}) }}",
    "{{ 'abc'.maketrans('a', 'b') }}",
    "{{ lipsum(n=0)|string|length >= 0 }}",
    "{{ self }}",
    "{{ self.x }}",
    "{{ joiner }}",
    "{{ cycler }}",
];

#[test]
fn expressions_give_what_jinja2_gives() {
    let golden: Golden = serde_json::from_str(include_str!("data/jinja_expressions.json")).unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(golden.now);
    let options =
        RenderOptions { extra: golden.variables, now: Some(now), ..RenderOptions::default() };
    let mut different: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut n_outputs, mut n_errors, mut n_on_purpose) = (0, 0, 0);
    for case in golden.cases {
        let found = ChatTemplate::new(&case.template, "<s>", "</s>")
            .and_then(|template| template.render(&[], &options));
        let line = match (found, case.output) {
            (Ok(found), Some(expected)) if found == expected => {
                n_outputs += 1;
                continue;
            }
            (Err(_), None) => {
                n_errors += 1;
                continue;
            }
            (Ok(found), Some(expected)) => format!("found {found:?}, expected {expected:?}"),
            (Ok(found), None) => {
                format!("found {found:?}, expected {}", case.error.unwrap_or_default())
            }
            (Err(found), Some(expected)) => format!("found {found}, expected {expected:?}"),
        };
        if ON_PURPOSE.contains(&case.template.as_str()) {
            n_on_purpose += 1;
            continue;
        }
        different.entry(case.category).or_default().push(format!("{:?}: {line}", case.template));
    }
    let n_different: usize = different.values().map(Vec::len).sum();
    let mut report = format!(
        "{n_outputs} outputs and {n_errors} refusals as expected, {n_different} differences\n"
    );
    for (category, lines) in &different {
        let _ = write!(report, "{category}: {}\n  {}\n", lines.len(), lines.join("\n  "));
    }
    assert!(different.is_empty(), "{report}");
    assert_eq!(n_on_purpose, ON_PURPOSE.len(), "a difference on the list is none any more");
    // So that an empty or cut file cannot pass.
    assert!(n_outputs > 1000 && n_errors > 300, "{report}");
}
