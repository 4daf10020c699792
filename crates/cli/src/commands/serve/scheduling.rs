//! Flags that say how requests share the engine.

use crate::backend::{is_native, refusal};
use crate::exit::UsageError;
use pacemark_backends::BackendEntry;
use pacemark_backends::native::ServiceOptions;
use pacemark_setup::Setup;

/// How requests share the engine.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct Scheduling {
    /// Requests computed at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    max_num_seqs: u32,
    /// Tokens of one step, over all requests; at least --max-num-seqs
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    max_num_batched_tokens: u32,
    /// Tokens of KV cache, over all requests; at least one context [default: context times
    /// --max-num-seqs, at most 16384 or one context]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    kv_tokens: Option<u32>,
    /// Compute prompts anew even where an earlier one began alike
    #[arg(long)]
    no_prefix_cache: bool,
    /// Guess up to N tokens from what was written before, and compute them at once; the text stays
    /// the same
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64))]
    speculate: u32,
}

impl Scheduling {
    /// The native engine's scheduling.
    pub(super) fn options(self) -> ServiceOptions {
        ServiceOptions {
            max_num_seqs: self.max_num_seqs as usize,
            max_num_batched_tokens: self.max_num_batched_tokens as usize,
            n_kv_tokens: self.kv_tokens.map(|n| n as usize),
            prefix_cache: !self.no_prefix_cache,
            n_draft: self.speculate as usize,
            ..ServiceOptions::default()
        }
    }

    /// The setup of a backend in which all that is scheduled is a batch; what takes a scheduler is
    /// refused. The native engine's own setup stays as it is.
    pub(super) fn apply(self, entry: &BackendEntry, setup: Setup) -> Result<Setup, UsageError> {
        if is_native(entry) {
            return Ok(setup);
        }
        for (asked, flag, why) in [
            (
                self.kv_tokens.is_some(),
                "--kv-tokens",
                "it holds a context for each of --max-num-seqs",
            ),
            (self.no_prefix_cache, "--no-prefix-cache", "only the native backend has such a cache"),
            (self.speculate > 0, "--speculate", "only the native backend guesses"),
        ] {
            if asked {
                return Err(refusal(flag, entry, why));
            }
        }
        let n_seqs = self.max_num_seqs as usize;
        let n_step = n_seqs.max(self.max_num_batched_tokens as usize);
        Ok(Setup { n_seqs, n_batch: n_step, n_ubatch: n_step, ..setup })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use pacemark_backends::find;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        scheduling: Scheduling,
    }

    fn setup(backend: &str, line: &str) -> Result<Setup, String> {
        let line = Line::try_parse_from(["serve"].into_iter().chain(line.split_whitespace()));
        let applied = line.unwrap().scheduling.apply(find(backend).unwrap(), Setup::default());
        applied.map_err(|error| error.to_string())
    }

    #[test]
    fn a_backend_without_a_scheduler_gets_batches() {
        let setup_of = |line| {
            let setup = setup("llama-cpp", line).unwrap();
            (setup.n_seqs, setup.n_batch, setup.n_ubatch)
        };
        assert_eq!(setup_of(""), (16, 512, 512));
        assert_eq!(setup_of("--max-num-seqs 8 --max-num-batched-tokens 64"), (8, 64, 64));
        assert_eq!(setup_of("--max-num-seqs 8 --max-num-batched-tokens 4"), (8, 8, 8));
    }

    #[test]
    fn what_takes_a_scheduler_is_refused_and_never_ignored() {
        for (line, why) in [
            ("--kv-tokens 512", "--kv-tokens: not with --backend llama-cpp: it holds a context"),
            (
                "--no-prefix-cache",
                "--no-prefix-cache: not with --backend llama-cpp: only the native",
            ),
            ("--speculate 4", "--speculate: not with --backend llama-cpp: only the native"),
        ] {
            let refusal = setup("llama-cpp", line).unwrap_err();
            assert!(refusal.starts_with(why), "{refusal}");
            assert_eq!(setup("native", line), Ok(Setup::default()), "{line}");
        }
    }
}
