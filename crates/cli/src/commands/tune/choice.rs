//! One setting: what it changes, what it is called, and the command line that runs a model so.

use pacemark_bench::parameter::{KV, N_THREADS, N_UBATCH, TYPE_K, TYPE_V};
use pacemark_bench::{Params, tune};
use pacemark_setup::{CacheTypes, Recipe, Setup, Threads};
use serde_json::Value;
use std::path::Path;

/// One setting.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    pub threads: usize,
    pub ubatch: usize,
    pub cache: CacheTypes,
    /// Which of `--weights`; the model's own where it is none.
    pub weights: Option<Recipe>,
    /// A policy's spec; all is kept where there is none.
    pub kv: Option<String>,
    pub speculate: usize,
}

impl Default for Choice {
    fn default() -> Choice {
        let setup = Setup::default();
        Choice {
            threads: setup.threads.per_token(),
            ubatch: setup.n_ubatch,
            cache: setup.cache,
            weights: None,
            kv: None,
            speculate: 0,
        }
    }
}

impl Choice {
    /// How a model is loaded so, with room for so many tokens.
    pub(super) fn setup(&self, n_ctx: Option<usize>) -> Setup {
        Setup {
            threads: Threads::new(self.threads),
            n_ctx,
            cache: self.cache,
            n_ubatch: self.ubatch,
            ..Setup::default()
        }
    }

    /// One load of a model serves both.
    pub(super) fn shares_load(&self, other: &Choice) -> bool {
        let loaded = |choice: &Choice| Choice { kv: None, ..choice.clone() };
        loaded(self) == loaded(other)
    }

    /// The answers of both are the same by construction.
    pub(super) fn answers_as(&self, other: &Choice) -> bool {
        (self.weights, self.cache, &self.kv) == (other.weights, other.cache, &other.kv)
    }

    /// What is not at its default, as flags.
    fn changed(&self) -> Vec<String> {
        let (default, [k, v]) = (Choice::default(), self.cache.names());
        let weights = self.weights.map(|recipe| format!("--weights {}", recipe.info().name));
        let changed = [
            weights,
            (self.threads != default.threads).then(|| format!("-t {}", self.threads)),
            (self.ubatch != default.ubatch).then(|| format!("-ub {}", self.ubatch)),
            (self.cache != default.cache).then(|| format!("-ctk {k} -ctv {v}")),
            (self.speculate > 0).then(|| format!("--speculate {}", self.speculate)),
            self.kv.as_ref().map(|spec| format!("--kv {spec}")),
        ];
        changed.into_iter().flatten().collect()
    }

    /// As it is measured and recorded.
    pub(super) fn described(&self, subject: &Named<'_>, answers: usize) -> tune::Setting {
        let changed = self.changed();
        let [k, v] = self.cache.names();
        let weights = self.weights.map_or("as they are", |recipe| recipe.info().name);
        let params: [(&str, Value); 7] = [
            ("weights", weights.into()),
            (N_THREADS.name, self.threads.into()),
            (N_UBATCH.name, self.ubatch.into()),
            (TYPE_K.name, k.into()),
            (TYPE_V.name, v.into()),
            (KV.name, self.kv.as_deref().unwrap_or("full").into()),
            ("speculate", self.speculate.into()),
        ];
        let params: Params =
            params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        tune::Setting {
            name: if changed.is_empty() { "default".to_owned() } else { changed.join(" ") },
            n_changes: changed.len(),
            command: self.command(subject),
            params,
            answers,
        }
    }

    fn command(&self, subject: &Named<'_>) -> String {
        let Named { model, n_prompt, n_gen, allow_requantize } = *subject;
        let (mut line, mut file) = (String::new(), quoted(model));
        if let Some(recipe) = self.weights {
            let name = recipe.info().name;
            let path = Path::new(model);
            let stem = path.file_stem().map_or(model.into(), |stem| stem.to_string_lossy());
            let again = if allow_requantize { " --allow-requantize" } else { "" };
            let made = quoted(&format!("{stem}-{name}.gguf"));
            line = format!("pacemark models quantize {file} {made} --type {name}{again} && ");
            file = made;
        }
        let (default, [k, v]) = (Choice::default(), self.cache.names());
        line += &match self.speculate {
            0 => format!("pacemark bench -m {file} -t {} -ub {}", self.threads, self.ubatch),
            n => format!(
                "pacemark serve -m {file} -t {} --max-num-batched-tokens {} --speculate {n}",
                self.threads, self.ubatch
            ),
        };
        if self.cache != default.cache {
            line += &format!(" -ctk {k} -ctv {v}");
        }
        line.extend(self.kv.iter().map(|spec| format!(" --kv {}", quoted(spec))));
        if self.speculate == 0 {
            line += &format!(" -p {n_prompt} -n {n_gen}");
        }
        line
    }
}

/// What a command line says besides the setting.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub model: &'a str,
    pub n_prompt: usize,
    pub n_gen: usize,
    pub allow_requantize: bool,
}

/// A word of a command line, as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_setup::DType;

    #[test]
    fn a_setting_is_a_command_line() {
        let subject = Named { model: "a b.gguf", n_prompt: 8, n_gen: 4, allow_requantize: true };
        let choice = Choice { threads: 3, ubatch: 64, ..Choice::default() };
        let found = |choice: &Choice| choice.described(&subject, 0);
        let line = found(&choice).command;
        assert_eq!(line, "pacemark bench -m 'a b.gguf' -t 3 -ub 64 -p 8 -n 4");
        let of_type =
            Choice { weights: Some(Recipe::Q8_0), kv: Some("recent:9".into()), ..choice.clone() };
        let line = found(&of_type).command;
        let made =
            "pacemark models quantize 'a b.gguf' 'a b-Q8_0.gguf' --type Q8_0 --allow-requantize";
        assert_eq!(
            line,
            format!(
                "{made} && pacemark bench -m 'a b-Q8_0.gguf' -t 3 -ub 64 --kv recent:9 -p 8 -n 4"
            )
        );
        let guessing =
            Choice { speculate: 4, cache: CacheTypes::both(DType::Q8_0), ..choice.clone() };
        assert!(
            found(&guessing)
                .command
                .ends_with("-t 3 --max-num-batched-tokens 64 --speculate 4 -ctk q8_0 -ctv q8_0")
        );
        assert!(!choice.answers_as(&of_type) && choice.answers_as(&Choice::default()));
        assert!(!choice.shares_load(&of_type));
        assert!(choice.shares_load(&Choice { kv: Some("recent:9".into()), ..choice.clone() }));
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
