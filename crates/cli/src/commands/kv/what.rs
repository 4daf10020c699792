//! The flags that say what is studied.

use super::methods::Sizes;
use super::wrong;
use anyhow::Result;
use pacemark_engine::Policy;
use pacemark_setup::CacheTypes;
use std::num::NonZeroUsize;

/// Flags that say what is measured.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct What {
    /// Methods: names, names with a size, specs of --list [default: baseline,recent_only,
    /// streaming_llm,fix_size_l2]
    #[arg(long, value_name = "LIST", conflicts_with = "method")]
    pub policies: Option<String>,
    /// One method, beside baseline and recent_only of its sizes
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,
    /// Recent tokens of streaming_llm; with --start-size, the sizes of all names
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "252,508,1020")]
    pub recent_sizes: Vec<NonZeroUsize>,
    /// First tokens of streaming_llm
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub start_size: usize,
    /// Layers that keep everything under every policy, one after the other: 0,1. Their caches grow
    /// without bound, and are counted [default: none]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub skip_layers: Vec<usize>,
    /// Share of newest tokens in fix_size_l2
    #[arg(long, value_name = "SHARE", default_value = "0.5")]
    keep_ratio: String,
    /// Which of the others fix_size_l2 keeps, by key norms
    #[arg(long, value_name = "NAME", default_value = "keep_low", value_parser = ["keep_low", "keep_high", "random"])]
    strategy: String,
    /// Stretches of the text
    #[arg(long, value_name = "N", default_value = "3")]
    pub num_samples: NonZeroUsize,
    /// Tokens of each
    #[arg(long, value_name = "N", default_value = "2000")]
    pub max_tokens: NonZeroUsize,
    /// The last of them, that are not read but generated where time is measured
    #[arg(long, value_name = "N", default_value = "500")]
    pub max_new_tokens: NonZeroUsize,
    /// Take the first N tokens of a sample as a prompt, and score those after it, under all methods:
    /// policies that work when a prompt ends have no perplexity otherwise
    #[arg(long, value_name = "N")]
    pub eval_prompt: Option<NonZeroUsize>,
    /// Leave out the controls: random eviction at the sizes studied, full caches in q8_0 and q4_0
    #[arg(long)]
    pub no_controls: bool,
}

impl What {
    /// What is studied, in a word.
    pub(super) fn title(&self) -> &str {
        match (&self.method, self.policies.as_deref().map(Policy::list).as_deref()) {
            (Some(method), _) => method,
            (None, Some([_])) => self.policies.as_deref().unwrap_or("kv"),
            _ => "kv",
        }
    }

    /// What names leave open, each checked in the words of its flag.
    pub(super) fn sizes(&self, cache: CacheTypes) -> Result<Sizes> {
        let keep = self.keep_ratio.as_str();
        if !keep.parse().is_ok_and(|keep: f64| keep > 0.0 && keep <= 1.0) {
            return Err(wrong("--keep-ratio", keep, "expected a share above 0 and up to 1"));
        }
        let order = self.strategy.trim_start_matches("keep_");
        Ok(Sizes {
            start: self.start_size,
            recent: self.recent_sizes.iter().map(|n| n.get()).collect(),
            skip: self.skip()?,
            fixed: format!(",keep={keep},order={order}"),
            cache,
        })
    }

    /// The skipped layers as a spec has them.
    fn skip(&self) -> Result<Option<String>> {
        let mut layers = self.skip_layers.clone();
        layers.sort_unstable();
        layers.dedup();
        let (Some(first), Some(last)) = (layers.first(), layers.last()) else { return Ok(None) };
        if last - first + 1 != layers.len() {
            let shown: Vec<String> = layers.iter().map(usize::to_string).collect();
            let why = "expected layers that follow one another";
            return Err(wrong("--skip-layers", shown.join(","), why));
        }
        Ok(Some(format!("{first}-{last}")))
    }
}
