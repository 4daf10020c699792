//! What a study compares: a policy and how keys and values are stored, under a name.

use pacemark_report::picture::Role;
use pacemark_setup::CacheTypes;

/// One way to keep keys and values.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Its name in tables, files and pictures.
    pub name: String,
    /// What is kept, as a policy's spec.
    pub kv: String,
    /// How it is stored.
    pub cache: CacheTypes,
    /// What it is in the study.
    pub group: Group,
    /// Why it has no figures of quality, where it has none.
    pub unscored: Option<String>,
}

/// What a method is in a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// All are kept: what the others are compared with.
    Baseline,
    /// First and recent tokens.
    Streaming,
    /// Recent tokens alone.
    Recent,
    /// Any other policy.
    Other,
    /// What a policy has to beat for its bytes: chance, and all tokens in fewer bits.
    Control,
}

impl Group {
    /// All of them, in the order of a legend.
    pub const ALL: [Group; 5] =
        [Group::Baseline, Group::Streaming, Group::Recent, Group::Other, Group::Control];

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Group::Baseline => "baseline",
            Group::Streaming => "streaming",
            Group::Recent => "recent",
            Group::Other => "other",
            Group::Control => "control",
        }
    }

    /// Of that name; what is none is of any other kind.
    pub(super) fn named(name: &str) -> Group {
        Group::ALL.into_iter().find(|group| group.name() == name).unwrap_or(Group::Other)
    }

    /// Its colour in pictures.
    pub(super) fn role(self) -> Role {
        match self {
            Group::Baseline => Role::Baseline,
            Group::Streaming => Role::Streaming,
            Group::Recent => Role::Recent,
            Group::Other => Role::Other,
            Group::Control => Role::Control,
        }
    }

    /// Its colour in words.
    pub(super) fn legend(self) -> &'static str {
        match self {
            Group::Baseline => "baseline: everything kept",
            Group::Streaming => "first and recent tokens",
            Group::Recent => "recent tokens alone",
            Group::Other => "other policies",
            Group::Control => "controls: random tokens, fewer bits",
        }
    }
}
