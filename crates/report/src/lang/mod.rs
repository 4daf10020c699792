//! Documents in other languages: everything in them that people read, and nothing that programs do.
//!
//! A document is made in English. Each language has a table of English sentences and its own, in which
//! `{}` stands for what differs: names and numbers, or words that have an entry themselves; `{#}` for what
//! begins with a number. What has no entry stays English; that nothing of our own does is for tests of those
//! who make documents.

mod zh;
mod zh_load;
mod zh_words;

use crate::picture::{Marks, Panel, Picture};
use crate::{Cell, Document, Table};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, in simplified characters.
    Zh,
}

/// The tables of Chinese.
const ZH_SAID: [&[(&str, &str)]; 3] = [zh::SAID, zh_load::SAID, zh_words::SAID];

/// Entries that begin and end with a gap and have no more fixed bytes than this are for texts no longer
/// than that.
const FEW: usize = 7;
const SHORT: usize = 60;

/// How deep words may stand in sentences that stand in sentences.
const DEPTH: usize = 4;

impl Lang {
    /// All of them.
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Zh];

    /// Its name as BCP 47 has it.
    pub fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh-Hans",
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh",
        }
    }

    /// Every character of all tables, for fonts.
    #[cfg(test)]
    pub(crate) fn characters() -> impl Iterator<Item = char> {
        let of_tables = zh_load::OF_TABLES.iter().map(|(_, _, other)| other);
        let said = ZH_SAID.iter().flat_map(|said| *said).map(|(_, other)| other);
        said.chain(of_tables).flat_map(|other| other.chars())
    }

    /// An English text in it; the text itself where there is no entry for it.
    pub fn say(self, text: &str) -> Cow<'_, str> {
        self.known(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// The same, if there is an entry.
    pub fn known(self, text: &str) -> Option<String> {
        match self {
            Lang::En => Some(text.to_owned()),
            Lang::Zh => ZH.say(text, DEPTH),
        }
    }

    /// A title: what was measured, and behind a colon of what.
    pub fn title(self, title: &str) -> String {
        // What was measured may have a colon, too.
        let parts = || {
            let mut colons = title.match_indices(": ");
            colons.find_map(|(at, _)| Some((self.known(&title[..at])?, &title[at + 2..])))
        };
        match (self, self.known(title)) {
            (Lang::En, _) => title.to_owned(),
            (_, Some(known)) => known,
            (_, None) => {
                parts().map_or_else(|| title.to_owned(), |(head, of)| format!("{head}：{of}"))
            }
        }
    }

    /// A document as it is read in it.
    pub fn document(self, document: &Document) -> Document {
        let mut said = document.clone();
        if self == Lang::En {
            return said;
        }
        let one = |text: &mut String| *text = self.say(text).into_owned();
        said.title.iter_mut().for_each(|title| *title = self.title(title));
        for (name, value) in said.facts.iter_mut().filter_map(|fact| fact.told.as_mut()) {
            one(name);
            one(value);
        }
        said.tables.iter_mut().for_each(|table| self.table(table));
        for chart in &mut said.charts {
            one(&mut chart.title);
            chart.points.iter_mut().for_each(|point| one(&mut point.name));
        }
        said.panels.iter_mut().for_each(|panel| self.panel(panel));
        said.legend.colours.iter_mut().for_each(|(_, words)| one(words));
        said.legend.notes.iter_mut().for_each(one);
        said.notes.iter_mut().for_each(one);
        let reading = &mut said.reading;
        reading.verdicts.iter_mut().for_each(|verdict| one(&mut verdict.text));
        reading.advice.iter_mut().for_each(one);
        for (name, value) in reading.definitions.iter_mut().chain(&mut reading.environment) {
            one(name);
            one(value);
        }
        said
    }

    /// A picture as it is read in it.
    pub fn picture(self, picture: &Picture) -> Picture {
        let mut said = picture.clone();
        let one = |text: &mut String| *text = self.say(text).into_owned();
        said.title = self.title(&said.title);
        said.notes.iter_mut().for_each(one);
        said.legend.iter_mut().for_each(|(_, words)| one(words));
        said.panels.iter_mut().for_each(|panel| self.panel(panel));
        said
    }

    /// A heading of a table: the same word may be two things in two tables.
    fn heading(self, table: &str, title: &str) -> String {
        let own =
            zh_load::OF_TABLES.iter().find(|(of, english, _)| (*of, *english) == (table, title));
        match (self, own) {
            (Lang::Zh, Some((_, _, other))) => (*other).to_owned(),
            _ => self.say(title).into_owned(),
        }
    }

    fn table(self, table: &mut Table) {
        let one = |text: &mut String| *text = self.say(text).into_owned();
        table.legend.iter_mut().for_each(one);
        for column in table.columns.iter_mut().filter(|column| column.readers.has_people()) {
            // A heading may be padded by hand.
            column.title = self.heading(&table.name, column.title.trim_end());
        }
        for row in &mut table.rows {
            for cell in &mut row.cells {
                match cell {
                    Cell::Text(text) | Cell::Told(_, text) => one(text),
                    _ => {}
                }
            }
            if let Some(block) = &mut row.block {
                one(&mut block.heading);
                block.lines.iter_mut().for_each(|(name, value)| {
                    one(name);
                    one(value);
                });
                block.spreads.iter_mut().for_each(|spread| one(&mut spread.name));
                if let Some((name, figures)) = &mut block.summary {
                    one(name);
                    figures.iter_mut().for_each(|(title, _)| one(title));
                }
            }
        }
    }

    fn panel(self, panel: &mut Panel) {
        let one = |text: &mut String| *text = self.say(text).into_owned();
        [&mut panel.title, &mut panel.x_axis, &mut panel.y_axis].into_iter().for_each(one);
        match &mut panel.marks {
            Marks::Bars(bars) => bars.iter_mut().for_each(|bar| one(&mut bar.label)),
            Marks::Points { points, .. } => points.iter_mut().for_each(|p| one(&mut p.label)),
            Marks::Lines { lines, guides, .. } => {
                lines.iter_mut().for_each(|line| one(&mut line.label));
                guides.iter_mut().for_each(|guide| one(&mut guide.label));
            }
            Marks::Spans(spans) => spans.iter_mut().for_each(|span| {
                one(&mut span.label);
                one(&mut span.words);
            }),
            Marks::Cells { columns, rows, .. } => columns.iter_mut().chain(rows).for_each(one),
        }
    }
}

static ZH: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::new(&ZH_SAID, &[zh::SAME, zh_words::SAME]));

/// Entries of a language, to look up.
struct Catalogue {
    /// What is the same in both.
    same: HashSet<&'static str>,
    whole: HashMap<&'static str, &'static str>,
    /// Those with a gap, the longest first: the most that is fixed decides.
    gapped: Vec<Sentence>,
}

/// What stands for what differs.
const GAP: &str = "{}";
/// The same for what begins with a number.
const NUMBER: &str = "{#}";

/// An entry with gaps.
struct Sentence {
    /// What is fixed: before, between and behind the gaps.
    parts: Vec<&'static str>,
    /// The numbers of the gaps that begin with a digit.
    numbers: Vec<usize>,
    other: &'static str,
}

impl Sentence {
    fn of((mut rest, other): (&'static str, &'static str)) -> Sentence {
        let (mut parts, mut numbers) = (Vec::new(), Vec::new());
        while let Some((before, behind)) = rest.split_once('{') {
            if behind.starts_with('#') {
                numbers.push(parts.len());
            }
            parts.push(before);
            rest = behind.split_once('}').map_or("", |(_, behind)| behind);
        }
        parts.push(rest);
        Sentence { parts, numbers, other }
    }

    /// The bytes that are fixed.
    fn fixed(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// Few letters between two gaps say little of a long text, which has them by chance.
    fn says_enough(&self, text: &str) -> bool {
        let is_open = self.parts.first() == Some(&"") && self.parts.last() == Some(&"");
        !is_open || self.fixed() > FEW || text.len() <= SHORT
    }

    /// What stands in its gaps, if the text is such a sentence.
    fn gaps<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let gaps = gaps(text, &self.parts)?;
        let is_number = |gap: &str| {
            gap.trim_start_matches(['-', '−', '+']).starts_with(|c: char| c.is_ascii_digit())
        };
        self.numbers.iter().all(|i| is_number(gaps[*i])).then_some(gaps)
    }
}

impl Catalogue {
    fn new(
        said: &[&'static [(&'static str, &'static str)]],
        same: &[&'static [&'static str]],
    ) -> Catalogue {
        let (gapped, whole): (Vec<_>, Vec<_>) = said
            .iter()
            .flat_map(|said| *said)
            .copied()
            .partition(|(english, _)| english.contains(GAP) || english.contains(NUMBER));
        let mut gapped: Vec<Sentence> = gapped.into_iter().map(Sentence::of).collect();
        gapped.sort_by_key(|sentence| std::cmp::Reverse(sentence.fixed()));
        let same = same.iter().flat_map(|same| *same).copied().collect();
        Catalogue { same, whole: whole.into_iter().collect(), gapped }
    }

    fn say(&self, text: &str, depth: usize) -> Option<String> {
        if let Some(other) = self.whole.get(text) {
            return Some((*other).to_owned());
        }
        if self.same.contains(text) {
            return Some(text.to_owned());
        }
        // Nothing of ours is that long.
        if depth == 0 || text.len() > 2000 {
            return None;
        }
        let fitting = self.gapped.iter().filter(|sentence| sentence.says_enough(text));
        let mut found = fitting.filter_map(|known| Some((known.gaps(text)?, known.other)));
        let (gaps, other) = found.next()?;
        // Between sentences there is a space in English only.
        let inner =
            |gap: &&str| self.say(gap.trim(), depth - 1).unwrap_or_else(|| (*gap).to_owned());
        Some(filled(other, &gaps.iter().map(inner).collect::<Vec<_>>()))
    }
}

/// What stands in the gaps between `parts`, if the text has them in their order; none is empty.
fn gaps<'t>(text: &'t str, parts: &[&str]) -> Option<Vec<&'t str>> {
    let mut rest = text.strip_prefix(parts[0])?;
    let mut gaps = Vec::with_capacity(parts.len() - 1);
    for (i, part) in parts.iter().enumerate().skip(1) {
        let is_last = i + 1 == parts.len();
        let (gap, after) = match (is_last, part.is_empty()) {
            (true, _) => (rest.strip_suffix(part)?, ""),
            (false, _) => split(rest, part)?,
        };
        if gap.is_empty() {
            return None;
        }
        gaps.push(gap);
        rest = after;
    }
    Some(gaps)
}

/// What stands before and behind a part, at its first place that is not within a number: a point and a comma
/// are its decimals', a colon that of a time.
fn split<'t>(text: &'t str, part: &str) -> Option<(&'t str, &'t str)> {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let is_mark = |c: Option<char>| c.is_some_and(|c| ".,:".contains(c));
    let mut places =
        text.match_indices(part).map(|(at, _)| (&text[..at], &text[at + part.len()..]));
    places.find(|(before, behind)| {
        let begins = is_mark(part.chars().next()) && is_digit(before.chars().next_back());
        let second = part.chars().nth(1).or(behind.chars().next());
        !(begins && is_digit(second))
    })
}

/// The gaps of a sentence filled: in their order, or by their number, `{1}` for the second. What fills
/// them is not looked at again.
fn filled(sentence: &str, gaps: &[String]) -> String {
    let (mut said, mut next, mut rest) = (String::new(), 0, sentence);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((number, behind)) = after.split_once('}') else { break };
        let index = number.parse().unwrap_or_else(|_| {
            next += 1;
            next - 1
        });
        said += before;
        said += gaps.get(index).map_or("", String::as_str);
        rest = behind;
    }
    said + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_found_with_what_differs_in_them() {
        let said: &[(&str, &str)] = &[
            ("rate", "速率"),
            ("median", "中位数"),
            ("{}: {}", "{}：{}"),
            ("{} of {} is far", "{1} 中的 {0} 很远"),
            ("a fixed {} end", "固定 {} 结束"),
        ];
        let catalogue = Catalogue::new(&[said], &[&["same"]]);
        let say = |text| catalogue.say(text, DEPTH);
        assert_eq!(say("rate").unwrap(), "速率");
        assert_eq!(say("rate: median").unwrap(), "速率：中位数");
        assert_eq!(say("2 of rate is far").unwrap(), "速率 中的 2 很远");
        assert_eq!(say("a fixed x end").unwrap(), "固定 x 结束");
        assert_eq!(
            say("a fixed A{}B{0} end").unwrap(),
            "固定 A{}B{0} 结束",
            "gaps are not read again"
        );
        assert_eq!(say("same").unwrap(), "same");
        for unknown in ["", "a fixed  end", ": ", "something else"] {
            assert_eq!(say(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn numbers_stay_whole() {
        let of = |reason: &str| {
            format!(
                "Generation: t/s: nothing is shown to be better than n_threads 1, with 812.5; at 8 it is 705.8.{reason}"
            )
        };
        let plain = Lang::Zh.say(&of("")).into_owned();
        assert!(plain.contains("705.8") && plain.contains("812.5"), "{plain}");
        let reason = " A reason: each token looks at the keys and values of all before it.";
        let reasoned = Lang::Zh.say(&of(reason)).into_owned();
        assert!(reasoned.contains("705.8") && reasoned.ends_with("键值。"), "{reasoned}");
        let said: &[(&str, &str)] = &[("{}.{}", "{}。{}"), ("{}, {}", "{}，{}")];
        let catalogue = Catalogue::new(&[said], &[]);
        assert_eq!(catalogue.say("at 1.5.then", DEPTH).unwrap(), "at 1.5。then");
        assert_eq!(catalogue.say("0.25", DEPTH), None);
    }

    #[test]
    fn a_title_is_said_up_to_what_it_is_of() {
        let title = "one generation: its text, and what it cost: llama 1B mean";
        assert_eq!(Lang::Zh.title(title), "一次生成：文本与代价：llama 1B mean");
        let title = "what this machine is, and its limits: llama: 1B";
        assert_eq!(Lang::Zh.title(title), "本机的配置与极限：llama: 1B");
        let note = "so trust the interval rather than the mean";
        assert_eq!(Lang::Zh.say(note), note);
    }

    #[test]
    fn every_entry_has_as_many_gaps_and_none_stands_twice() {
        let mut seen = HashSet::new();
        for (english, other) in ZH_SAID.iter().flat_map(|said| *said) {
            assert!(seen.insert(english), "twice: {english}");
            let n = english.matches(GAP).count() + english.matches(NUMBER).count();
            let filled = (0..n).map(|i| other.contains(&format!("{{{i}}}")));
            let numbered = filled.filter(|is_there| *is_there).count();
            assert_eq!(n, other.matches(GAP).count() + numbered, "{english}: {other}");
            assert!(!english.contains("}{"), "{english}: nothing tells two gaps apart");
        }
    }

    #[test]
    fn a_gap_of_a_number_takes_no_words() {
        let said: &[(&str, &str)] = &[
            ("out t/s", "输出 t/s"),
            ("out t/s {#}", "输出 t/s {}"),
            ("{} over {}", "{} 随 {} 的变化"),
        ];
        let catalogue = Catalogue::new(&[said], &[&["concurrency"]]);
        let say = |text| catalogue.say(text, DEPTH);
        assert_eq!(say("out t/s 31.16").unwrap(), "输出 t/s 31.16");
        assert_eq!(say("out t/s -0.5 %").unwrap(), "输出 t/s -0.5 %");
        assert_eq!(say("out t/s over concurrency").unwrap(), "输出 t/s 随 concurrency 的变化");
        assert_eq!(say("out t/s in all"), None);
    }

    #[test]
    fn a_word_that_is_two_things_is_told_by_its_table() {
        assert_eq!(Lang::Zh.heading("pacemark_load", "load"), "负载");
        assert_eq!(Lang::Zh.heading("breakdown", "load"), "加载");
        assert_eq!(Lang::En.heading("pacemark_load", "load"), "load");
        for (_, english, other) in zh_load::OF_TABLES {
            assert!(Lang::Zh.known(english).is_some_and(|plain| plain != *other), "{english}");
        }
    }
}
