//! `wordwrap`: the algorithm of Python's `textwrap`.

use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use crate::methods::split::lines;
use crate::unicode::{is_decimal, is_word};
use crate::value::Value;
use crate::value::text::Buffer;

/// `wordwrap(width=79, break_long_words=True, wrapstring='\n', break_on_hyphens=True)`
pub(super) fn wordwrap(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let names = ["width", "break_long_words", "wrapstring", "break_on_hyphens"];
    let [width, long_words, separator, hyphens] = args.optional("wordwrap", names)?;
    let width = width.map_or(Ok(79), |width| width.index("wordwrap"))?;
    let separator = super::given(separator).unwrap_or_else(|| Value::str("\n"));
    let separator = separator.text("wordwrap")?;
    let is_on = |option: Option<Value>| option.is_none_or(|option| option.is_true());
    let Some(width) = usize::try_from(width).ok().filter(|width| *width > 0) else {
        return fail(format!("wordwrap: invalid width {width} (must be > 0)"));
    };
    let wrapping = Wrapping { width, long_words: is_on(long_words), hyphens: is_on(hyphens) };
    let text = value.text("wordwrap")?;
    let mut out = Buffer::new(&run.budget);
    for (n, line) in lines(text, false).into_iter().enumerate() {
        run.budget.steps(1 + line.len())?;
        if n > 0 {
            out.push_str(separator)?;
        }
        let line: Vec<char> = line.chars().collect();
        for (n, wrapped) in wrapping.wrap(&line).into_iter().enumerate() {
            if n > 0 {
                out.push_str(separator)?;
            }
            out.push_str(&wrapped)?;
        }
    }
    Ok(Value::Text(out.into_text(false)))
}

struct Wrapping {
    width: usize,
    long_words: bool,
    hyphens: bool,
}

impl Wrapping {
    /// The lines that a paragraph becomes.
    fn wrap(&self, text: &[char]) -> Vec<String> {
        let mut chunks = chunks(text, self.hyphens);
        chunks.reverse();
        let mut lines = Vec::new();
        while let Some(next) = chunks.last() {
            if is_blank(next) && !lines.is_empty() {
                chunks.pop();
            }
            let mut line: Vec<&[char]> = Vec::new();
            let mut length = 0;
            while let Some(chunk) = chunks.pop_if(|chunk| length + chunk.len() <= self.width) {
                length += chunk.len();
                line.push(chunk);
            }
            if let Some(chunk) = chunks.pop_if(|chunk| chunk.len() > self.width) {
                self.break_word(chunk, length, &mut line, &mut chunks);
            }
            line.pop_if(|chunk| is_blank(chunk));
            if !line.is_empty() {
                lines.push(line.concat().into_iter().collect());
            }
        }
        lines
    }

    /// Puts what fits of a word longer than a line, or all of it.
    fn break_word<'t>(
        &self,
        chunk: &'t [char],
        length: usize,
        line: &mut Vec<&'t [char]>,
        chunks: &mut Vec<&'t [char]>,
    ) {
        if !self.long_words {
            if line.is_empty() {
                line.push(chunk)
            } else {
                chunks.push(chunk)
            }
            return;
        }
        let mut end = self.width - length;
        let hyphen = chunk[..end].iter().rposition(|c| *c == '-').unwrap_or(0);
        if self.hyphens && hyphen > 0 && chunk[..hyphen].iter().any(|c| *c != '-') {
            end = hyphen + 1;
        }
        line.push(&chunk[..end]);
        chunks.push(&chunk[end..]);
    }
}

fn is_blank(chunk: &[char]) -> bool {
    chunk.iter().all(|c| crate::unicode::is_space(*c))
}

fn is_white(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

/// Words, the white space between them, and the parts of words with hyphens.
fn chunks(text: &[char], hyphens: bool) -> Vec<&[char]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = if is_white(text[start]) {
            text[start..].iter().position(|c| !is_white(*c)).map_or(text.len(), |n| start + n)
        } else if hyphens {
            dash(text, start).unwrap_or_else(|| end_of_word(text, start))
        } else {
            text[start..].iter().position(|c| is_white(*c)).map_or(text.len(), |n| start + n)
        };
        chunks.push(&text[start..end]);
        start = end;
    }
    chunks
}

/// The end of an em-dash (two hyphens or more between words) that begins at `start`.
fn dash(text: &[char], start: usize) -> Option<usize> {
    let before = *text.get(start.checked_sub(1)?)?;
    // Asked first, so that a run of hyphens is counted once and not from each of its places.
    if !(is_word(before) || "!\"'&.,?".contains(before)) {
        return None;
    }
    let end = start + text[start..].iter().take_while(|c| **c == '-').count();
    (end >= start + 2 && text.get(end).is_some_and(|c| is_word(*c))).then_some(end)
}

/// The end of the part of a word that begins at `start`.
fn end_of_word(text: &[char], start: usize) -> usize {
    let is_letter = |at: Option<usize>| {
        at.and_then(|at| text.get(at)).is_some_and(|c| is_word(*c) && !is_decimal(*c))
    };
    for at in start + 1..text.len() {
        if is_white(text[at]) || dash(text, at).is_some() {
            return at;
        }
        let two_letters = is_letter(at.checked_sub(1)) && is_letter(at.checked_sub(2));
        let letter_hyphen = is_letter(at.checked_sub(1))
            && at.checked_sub(2).is_some_and(|at| text[at] == '-')
            && is_letter(at.checked_sub(3));
        let next = at + 1 + usize::from(text.get(at + 2) == Some(&'-'));
        let letters_follow = is_letter(Some(at + 1)) && is_letter(Some(next + 1));
        if text[at] == '-' && (two_letters || letter_hyphen) && letters_follow {
            return at + 1;
        }
    }
    text.len()
}
