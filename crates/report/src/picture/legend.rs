//! What colours, lines and whiskers of several panels mean, for where they are shown apart from a
//! [`Picture`]: on a page, and on a terminal, which has no colours.

use super::{Marks, Panel, Picture, Role};
use crate::Lang;

/// How a note on whiskers begins, and what stands in its place on a terminal, which has numbers for them.
const WHISKERS: &str = "whiskers: ";
const BRACKETS: &str = "in brackets: ";

/// What marks mean. In English: who shows it says it in his language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legend {
    /// What colours mean, in order.
    pub colours: Vec<(Role, String)>,
    /// What else is to know, a line each.
    pub notes: Vec<String>,
}

impl Legend {
    /// That of pictures which stand beside each other, each thing once.
    pub fn of(pictures: impl IntoIterator<Item = Picture>) -> Legend {
        let mut all = Legend::default();
        for picture in pictures {
            all.add(Legend { colours: picture.legend, notes: picture.notes });
        }
        all
    }

    /// Adds what is not there yet.
    pub fn add(&mut self, more: Legend) {
        let colours = more.colours.into_iter();
        for one in colours {
            if !self.colours.contains(&one) {
                self.colours.push(one);
            }
        }
        for note in more.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// There is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Legend::default()
    }

    /// Its notes as they are true of a terminal.
    pub(crate) fn terminal_notes(&self) -> impl Iterator<Item = String> {
        self.notes.iter().map(|note| match note.strip_prefix(WHISKERS) {
            Some(what) => format!("{BRACKETS}{what}"),
            None => note.clone(),
        })
    }

    /// The panel with what a point's colour means behind its name. Bars keep their names, which are listed
    /// once in each panel.
    pub(crate) fn named(&self, panel: &Panel, lang: Lang) -> Panel {
        let mut named = panel.clone();
        if let Marks::Points { points, .. } = &mut named.marks {
            for point in points {
                let meant = self.colours.iter().find(|(role, _)| *role == point.role);
                let meant = meant.map(|(_, words)| lang.say(words));
                // What is called by what it is needs it no second time: the default.
                let is_name = |words: &str| words.ends_with(&format!(" {}", point.label));
                if let Some(words) = meant.filter(|words| !is_name(words)) {
                    point.label += &format!(" ({words})");
                }
            }
        }
        named
    }
}
