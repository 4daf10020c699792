//! `/live`: the server's traffic, which the script reads from `/metrics` once a second.

use super::asked::Asked;
use super::shell::page as shell;
use super::{Desk, Paged, fine};

/// What is drawn: its name for the script, what people call it and its unit.
const FIGURES: [(&str, &str, &str); 8] = [
    ("generated", "Generated tokens", "tokens/s"),
    ("prompt", "Prompt tokens", "tokens/s"),
    ("requests", "Requests ended", "requests/s"),
    ("ttft", "Time to first token, mean of 10 s", "ms"),
    ("itl", "Between tokens, mean of 10 s", "ms"),
    ("running", "Running: the batch", "requests"),
    ("waiting", "Waiting", "requests"),
    ("kv", "KV cache in use", "%"),
];

pub(super) fn page(_: &Desk, asked: &Asked, _: &str) -> Paged {
    asked.only(&[])?;
    let card = |(key, name, unit): (&str, &str, &str)| {
        format!(
            "<section class=\"card\" data-figure=\"{key}\">\n<h2>{name}</h2>\n\
             <p class=\"now\"><output>–</output> {unit}</p>\n\
             <svg viewBox=\"0 0 240 60\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"{name}, the last two minutes\"><polyline points=\"\"></polyline></svg>\n\
             <p class=\"legend\">at most <span class=\"most\">–</span> {unit} in two minutes</p>\n</section>\n"
        )
    };
    let cards: String = FIGURES.into_iter().map(card).collect();
    let main = format!(
        "<noscript><p>This page needs its script; <code>/metrics</code> has the same numbers.</p></noscript>\n\
         <p id=\"said\" role=\"status\" aria-live=\"polite\">Not read yet.</p>\n\
         <p><button type=\"button\" id=\"pause\" aria-pressed=\"false\">Pause</button></p>\n\
         <div class=\"cards\" id=\"live\">\n{cards}</div>\n"
    );
    fine(shell("Live", "/live", &main))
}
