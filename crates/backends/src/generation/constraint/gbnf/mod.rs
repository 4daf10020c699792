//! llama.cpp's grammars (GBNF) in the words of llguidance's Lark.
//!
//! The format is that of llama.cpp's `grammars/README.md`: rules `name ::= …` that begin at `root`; literals, character classes,
//! `.`, groups, `|`, and `*`, `+`, `?`, `{m,n}` behind an item; `#` begins a comment. What an item means is left to llguidance, with one
//! care: its lexer takes the longest match, which GBNF does not know. So every character is a lexeme of its own, and what may
//! follow what is decided by rules alone. Items that name tokens (`<…>`) are refused.

use pacemark_files::quoted;
use std::collections::HashMap;
use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// Deepest nesting of groups, and the most that a count may repeat.
const MAX_DEPTH: usize = 64;
const MAX_REPEAT: u32 = 10_000;

/// Why a grammar cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, found {found}")]
pub(super) struct GbnfError {
    line: usize,
    expected: &'static str,
    found: String,
}

/// What one place of a rule says.
#[derive(Debug, PartialEq)]
enum Item {
    /// One character: as the inside of a class of regular expressions, and whether it is excluded.
    Class(String, bool),
    Rule(String),
    Group(Vec<Vec<Item>>),
    /// At least so often, and at most.
    Repeat(Box<Item>, u32, Option<u32>),
}

/// The grammar in Lark.
pub(super) fn to_lark(text: &str) -> Result<String, GbnfError> {
    let mut parser = Parser { chars: text.chars().peekable(), line: 1 };
    let mut rules: Vec<(String, Vec<Vec<Item>>)> = Vec::new();
    let mut used: Vec<(String, usize)> = Vec::new();
    parser.space(true);
    while parser.chars.peek().is_some() {
        let name = parser.name("a rule's name")?;
        parser.space(false);
        for expected in "::=".chars() {
            parser.take(expected, "::= behind a rule's name")?;
        }
        parser.space(true);
        let body = parser.alternatives(false, 0, &mut used)?;
        if rules.iter().any(|(other, _)| *other == name) {
            return Err(parser.error("a name that is not taken", Some(name)));
        }
        rules.push((name, body));
        parser.space(true);
    }
    let numbers: HashMap<&str, usize> = rules.iter().enumerate().map(|(i, (name, _))| (name.as_str(), i)).collect();
    let missing = |line: usize, name: &str| GbnfError { line, expected: "a rule of this name", found: quoted(name) };
    if let Some((name, line)) = used.iter().find(|(name, _)| !numbers.contains_key(name.as_str())) {
        return Err(missing(*line, name));
    }
    let root = numbers.get("root").ok_or_else(|| missing(parser.line, "root"))?;
    let mut lark = format!("start: r{root}\n");
    for (i, (_, body)) in rules.iter().enumerate() {
        let _ = writeln!(lark, "r{i}: {}", alternatives(body, &numbers)); // a string takes all
    }
    Ok(lark)
}

fn alternatives(all: &[Vec<Item>], numbers: &HashMap<&str, usize>) -> String {
    let sequence = |items: &Vec<Item>| match &items[..] {
        [] => "\"\"".to_string(),
        items => items.iter().map(|item| one(item, numbers)).collect::<Vec<_>>().join(" "),
    };
    all.iter().map(sequence).collect::<Vec<_>>().join(" | ")
}

fn one(item: &Item, numbers: &HashMap<&str, usize>) -> String {
    match item {
        Item::Class(inside, excluded) => format!("/[{}{inside}]/", if *excluded { "^" } else { "" }),
        Item::Rule(name) => format!("r{}", numbers.get(name.as_str()).copied().unwrap_or_default()),
        Item::Group(all) => format!("({})", alternatives(all, numbers)),
        Item::Repeat(item, least, most) => {
            let item = format!("({})", one(item, numbers));
            match (least, most) {
                (0, None) => format!("{item}*"),
                (1, None) => format!("{item}+"),
                (0, Some(1)) => format!("{item}?"),
                (_, Some(0)) => "\"\"".into(),
                (least, None) => format!("{item}{{{least},}}"),
                (least, Some(most)) => format!("{item}{{{least},{most}}}"),
            }
        }
    }
}

struct Parser<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
}

impl Parser<'_> {
    fn error(&mut self, expected: &'static str, found: Option<String>) -> GbnfError {
        let next = self.chars.peek().map_or("the end".to_string(), |c| quoted(&c.to_string()));
        GbnfError { line: self.line, expected, found: found.map_or(next, |found| quoted(&found)) }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.chars.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn take(&mut self, wanted: char, expected: &'static str) -> Result<(), GbnfError> {
        match self.chars.next_if_eq(&wanted) {
            Some(_) => Ok(()),
            None => Err(self.error(expected, None)),
        }
    }

    /// Goes over blanks and comments, and over line ends where they end nothing.
    fn space(&mut self, lines: bool) {
        while let Some(c) = self.chars.peek().copied() {
            match c {
                ' ' | '\t' => {}
                '\r' | '\n' if lines => {}
                '#' => {
                    while self.chars.next_if(|c| !matches!(c, '\r' | '\n')).is_some() {}
                    continue;
                }
                _ => return,
            }
            self.next();
        }
    }

    fn name(&mut self, expected: &'static str) -> Result<String, GbnfError> {
        let mut name = String::new();
        while let Some(c) = self.chars.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            name.push(c);
        }
        if name.is_empty() { Err(self.error(expected, None)) } else { Ok(name) }
    }

    /// Sequences with `|` between; within a group lines end nothing.
    fn alternatives(
        &mut self,
        grouped: bool,
        depth: usize,
        used: &mut Vec<(String, usize)>,
    ) -> Result<Vec<Vec<Item>>, GbnfError> {
        if depth > MAX_DEPTH {
            return Err(self.error("fewer groups within each other", None));
        }
        let mut all = vec![self.sequence(grouped, depth, used)?];
        while self.chars.next_if_eq(&'|').is_some() {
            self.space(true);
            all.push(self.sequence(grouped, depth, used)?);
        }
        Ok(all)
    }

    fn sequence(
        &mut self,
        grouped: bool,
        depth: usize,
        used: &mut Vec<(String, usize)>,
    ) -> Result<Vec<Item>, GbnfError> {
        let mut items = Vec::new();
        while let Some(c) = self.chars.peek().copied() {
            match c {
                '"' => items.push(self.literal()?),
                '[' => items.push(self.class()?),
                '.' => {
                    self.next();
                    items.push(Item::Class(r"\s\S".into(), false));
                }
                '(' => {
                    self.next();
                    self.space(true);
                    let group = self.alternatives(true, depth + 1, used)?;
                    self.take(')', ") or | in a group")?;
                    items.push(Item::Group(group));
                }
                '*' | '+' | '?' | '{' => self.repetition(&mut items)?,
                c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') => {
                    let name = self.name("a rule's name")?;
                    used.push((name.clone(), self.line));
                    items.push(Item::Rule(name));
                }
                '|' | ')' | '\r' | '\n' => break,
                _ => return Err(self.error("a literal, a class, a group, a rule's name or .", None)),
            }
            self.space(grouped);
        }
        Ok(items)
    }

    /// A literal is one item, and what repeats behind it is all of it.
    fn literal(&mut self) -> Result<Item, GbnfError> {
        self.next();
        let mut items = Vec::new();
        loop {
            match self.chars.peek() {
                None | Some('\n') => return Err(self.error("\" at the end of a literal", None)),
                Some('"') => {
                    self.next();
                    return Ok(Item::Group(vec![items]));
                }
                Some(_) => {
                    let c = self.character()?;
                    items.push(Item::Class(escaped(c), false));
                }
            }
        }
    }

    fn class(&mut self) -> Result<Item, GbnfError> {
        self.next();
        let excluded = self.chars.next_if_eq(&'^').is_some();
        let mut inside = String::new();
        while self.chars.peek() != Some(&']') {
            if self.chars.peek().is_none() {
                return Err(self.error("] at the end of a class", None));
            }
            let from = self.character()?;
            inside.push_str(&escaped(from));
            if self.chars.next_if_eq(&'-').is_some() {
                // A minus before the end is one.
                if self.chars.peek() == Some(&']') {
                    inside.push_str(&escaped('-'));
                } else {
                    let to = self.character()?;
                    if to < from {
                        return Err(self.error("a range that goes up", Some(format!("{from}-{to}"))));
                    }
                    inside.push('-');
                    inside.push_str(&escaped(to));
                }
            }
        }
        self.next();
        if inside.is_empty() {
            Err(self.error("characters in a class", Some("[]".into())))
        } else {
            Ok(Item::Class(inside, excluded))
        }
    }

    /// A character as literals and classes have it.
    fn character(&mut self) -> Result<char, GbnfError> {
        let Some(c) = self.next() else { return Err(self.error("a character", None)) };
        if c != '\\' {
            return Ok(c);
        }
        let Some(escape) = self.next() else { return Err(self.error("a character behind \\", None)) };
        let digits = match escape {
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            '\\' | '"' | '[' | ']' => return Ok(escape),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            other => {
                return Err(self.error("one of \\n \\r \\t \\\\ \\\" \\[ \\] \\x \\u \\U", Some(format!("\\{other}"))));
            }
        };
        let mut code = 0u32;
        for _ in 0..digits {
            let digit = self.chars.next_if(char::is_ascii_hexdigit).and_then(|c| c.to_digit(16));
            let digit = digit.ok_or_else(|| self.error("a hexadecimal digit", None))?;
            code = code << 4 | digit;
        }
        char::from_u32(code).ok_or_else(|| self.error("a character's number", Some(format!("{code:x}"))))
    }

    fn repetition(&mut self, items: &mut Vec<Item>) -> Result<(), GbnfError> {
        let (least, most) = match self.next() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            _ => self.counts()?,
        };
        let Some(item) = items.pop() else { return Err(self.error("an item before a repetition", None)) };
        items.push(Item::Repeat(Box::new(item), least, most));
        Ok(())
    }

    /// What stands between braces: `m}`, `m,}`, `,n}` or `m,n}`.
    fn counts(&mut self) -> Result<(u32, Option<u32>), GbnfError> {
        self.space(false);
        let least = self.count()?;
        self.space(false);
        let most = if self.chars.next_if_eq(&',').is_some() {
            self.space(false);
            let most = self.count()?;
            self.space(false);
            most
        } else {
            least
        };
        self.take('}', "} behind counts")?;
        match (least, most) {
            (Some(least), Some(most)) if most < least => {
                Err(self.error("counts that go up", Some(format!("{least},{most}"))))
            }
            (None, None) => Err(self.error("a count", None)),
            (least, most) => Ok((least.unwrap_or(0), most)),
        }
    }

    fn count(&mut self) -> Result<Option<u32>, GbnfError> {
        let mut digits = String::new();
        while let Some(c) = self.chars.next_if(char::is_ascii_digit) {
            digits.push(c);
        }
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse() {
            Ok(n) if n <= MAX_REPEAT => Ok(Some(n)),
            _ => Err(self.error("a count of at most 10000", Some(digits))),
        }
    }
}

/// A character as regular expressions have it, whatever it means there.
fn escaped(c: char) -> String {
    if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\x{{{:x}}}", c as u32) }
}

#[cfg(test)]
mod tests;
