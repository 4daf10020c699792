//! What a report says besides its figures: what they come to, what follows, what they mean, where
//! they were taken and how to take them again.

/// All of it; empty in a document that only shows what was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// What it comes to, the most important first.
    pub verdicts: Vec<Verdict>,
    /// What follows from it, a sentence or two each.
    pub advice: Vec<String>,
    /// What its figures mean: their names, and how they are defined.
    pub definitions: Vec<(String, String)>,
    /// The machine and the build: names and values.
    pub environment: Vec<(String, String)>,
    /// Command lines that measure it again.
    pub commands: Vec<String>,
}

/// A sentence on what figures come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it is meant.
    pub standing: Standing,
    /// In words.
    pub text: String,
}

/// How a verdict is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// A figure, neither good nor bad.
    #[default]
    Plain,
    /// What was wanted.
    Good,
    /// What was not wanted.
    Bad,
    /// Not shown either way.
    Open,
}

impl Standing {
    /// Its word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Plain => "figure",
            Standing::Good => "good",
            Standing::Bad => "bad",
            Standing::Open => "open",
        }
    }

    /// Its mark before a sentence: never told by colour alone.
    pub fn mark(self) -> &'static str {
        match self {
            Standing::Plain => "•",
            Standing::Good => "✓",
            Standing::Bad => "✗",
            Standing::Open => "?",
        }
    }
}

impl Verdict {
    /// A figure in words.
    pub fn plain(text: impl Into<String>) -> Verdict {
        Verdict { standing: Standing::Plain, text: text.into() }
    }
}

impl Reading {
    /// There is nothing to read.
    pub fn is_empty(&self) -> bool {
        *self == Reading::default()
    }
}
