//! GBNF's text to rules.

use super::{GbnfError, Item, Rule};
use pacemark_files::quoted;
use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

/// Deepest nesting of groups, and the most that a count may repeat.
const MAX_DEPTH: usize = 64;
const MAX_REPEAT: u32 = 10_000;

/// The rules, each in the place of its number, and the number of `root`.
pub(super) fn rules(text: &str) -> Result<(Vec<Rule>, usize), GbnfError> {
    let mut parser = Parser { chars: text.chars().peekable(), line: 1, names: HashMap::new() };
    let mut bodies: HashMap<usize, Vec<Vec<Item>>> = HashMap::new();
    parser.space(true);
    while parser.chars.peek().is_some() {
        let name = parser.name("a rule's name")?;
        let number = parser.number(&name);
        parser.space(false);
        for expected in "::=".chars() {
            parser.take(expected, "::= behind a rule's name")?;
        }
        parser.space(true);
        let body = parser.alternatives(false, 0)?;
        if bodies.insert(number, body).is_some() {
            return Err(parser.error("a name that is not taken", Some(name)));
        }
        parser.space(true);
    }
    let mut names: Vec<(String, (usize, usize))> = parser.names.into_iter().collect();
    names.sort_unstable_by_key(|(_, (number, _))| *number);
    let missing = |line: usize, name: &str| GbnfError {
        line,
        expected: "a rule of this name",
        found: quoted(name),
    };
    let root = names
        .iter()
        .position(|(name, _)| name == "root")
        .ok_or_else(|| missing(parser.line, "root"))?;
    let rule = |(name, (number, line)): (String, (usize, usize))| match bodies.remove(&number) {
        Some(body) => Ok((name, body)),
        None => Err(missing(line, &name)),
    };
    Ok((names.into_iter().map(rule).collect::<Result<_, _>>()?, root))
}

struct Parser<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
    /// The names met so far, and where each was first; the number of a name is its rule's.
    names: HashMap<String, (usize, usize)>,
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
        while let Some(c) =
            self.chars.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        {
            name.push(c);
        }
        if name.is_empty() { Err(self.error(expected, None)) } else { Ok(name) }
    }

    fn number(&mut self, name: &str) -> usize {
        let next = (self.names.len(), self.line);
        self.names.entry(name.to_string()).or_insert(next).0
    }

    /// Sequences with `|` between; within a group lines end nothing.
    fn alternatives(&mut self, grouped: bool, depth: usize) -> Result<Vec<Vec<Item>>, GbnfError> {
        if depth > MAX_DEPTH {
            return Err(self.error("fewer groups within each other", None));
        }
        let mut all = vec![self.sequence(grouped, depth)?];
        while self.chars.next_if_eq(&'|').is_some() {
            self.space(true);
            all.push(self.sequence(grouped, depth)?);
        }
        Ok(all)
    }

    fn sequence(&mut self, grouped: bool, depth: usize) -> Result<Vec<Item>, GbnfError> {
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
                    let group = self.alternatives(true, depth + 1)?;
                    self.take(')', ") or | in a group")?;
                    items.push(Item::Group(group));
                }
                '*' | '+' | '?' | '{' => self.repetition(&mut items)?,
                c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') => {
                    let name = self.name("a rule's name")?;
                    items.push(Item::Rule(self.number(&name)));
                }
                '|' | ')' | '\r' | '\n' => break,
                _ => {
                    return Err(self.error("a literal, a class, a group, a rule's name or .", None));
                }
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
                        return Err(
                            self.error("a range that goes up", Some(format!("{from}-{to}")))
                        );
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
        let Some(escape) = self.next() else {
            return Err(self.error("a character behind \\", None));
        };
        let digits = match escape {
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            '\\' | '"' | '[' | ']' => return Ok(escape),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            other => {
                return Err(self.error(
                    "one of \\n \\r \\t \\\\ \\\" \\[ \\] \\x \\u \\U",
                    Some(format!("\\{other}")),
                ));
            }
        };
        let mut code = 0u32;
        for _ in 0..digits {
            let digit = self.chars.next_if(char::is_ascii_hexdigit).and_then(|c| c.to_digit(16));
            let digit = digit.ok_or_else(|| self.error("a hexadecimal digit", None))?;
            code = code << 4 | digit;
        }
        char::from_u32(code)
            .ok_or_else(|| self.error("a character's number", Some(format!("{code:x}"))))
    }

    fn repetition(&mut self, items: &mut Vec<Item>) -> Result<(), GbnfError> {
        let (least, most) = match self.next() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            _ => self.counts()?,
        };
        match items.pop() {
            None => Err(self.error("an item before a repetition", None)),
            Some(Item::Repeat(..)) => {
                Err(self.error("one repetition behind an item", Some("another".into())))
            }
            Some(item) => {
                items.push(Item::Repeat(Box::new(item), least, most));
                Ok(())
            }
        }
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
