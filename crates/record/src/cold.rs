//! Starts of fresh processes: when each gave its first token, and what it took of memory.

use crate::Sample;
use serde::{Deserialize, Serialize};

/// Starts of one command, in order; those of all that were compared were taken in turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cold {
    /// Each start.
    pub starts: Vec<Start>,
    /// Bytes of the weights by their type, the largest first; empty of another engine's command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<(String, u64)>,
}

/// One process, from its start to its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// From asking the system for the process to its first token (metrics.md: cold TTFT). Of a
    /// command that is not ours: to its first byte of output; absent where it printed nothing.
    pub first_ns: Option<u64>,
    /// From asking for the process to its end.
    pub ended_ns: u64,
    /// Bytes that came from storage meanwhile; absent where the system does not say.
    pub storage_bytes: Option<u64>,
    /// What the process says of itself; absent of another engine's command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
}

/// What a process of ours knows of its own start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inside {
    /// From opening the file to ready to compute.
    pub load_ns: u64,
    /// Resident before the model was opened.
    pub empty_rss_bytes: Option<u64>,
    /// When it was loaded.
    pub loaded_rss_bytes: Option<u64>,
    /// When it had generated.
    pub generated_rss_bytes: Option<u64>,
    /// The most at any time.
    pub peak_rss_bytes: Option<u64>,
    /// Pages of keys and values that were held at the end of the generation.
    pub kv_bytes: Option<u64>,
    /// The first prompt and what was generated after it, nothing being warm.
    pub sample: Sample,
}

impl Inside {
    /// What loading the model added to the process.
    pub fn load_bytes(&self) -> Option<u64> {
        Some(self.loaded_rss_bytes?.saturating_sub(self.empty_rss_bytes?))
    }

    /// What generating added to that.
    pub fn inference_bytes(&self) -> Option<u64> {
        Some(self.generated_rss_bytes?.saturating_sub(self.loaded_rss_bytes?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_was_added() {
        let inside = Inside {
            empty_rss_bytes: Some(10),
            loaded_rss_bytes: Some(110),
            generated_rss_bytes: Some(125),
            ..Inside::default()
        };
        assert_eq!((inside.load_bytes(), inside.inference_bytes()), (Some(100), Some(15)));
        assert_eq!(Inside::default().load_bytes(), None);
    }
}
