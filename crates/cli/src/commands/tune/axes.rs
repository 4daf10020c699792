//! What may be changed, and the settings that this makes: all combinations, or one change at a time.
//!
//! The setting that changes nothing always takes part, and is the first. What a setting is called and
//! how it is run by hand is `choice`'s.

use super::choice::Choice;
use crate::exit::{UsageError, distinct};
use crate::{machine, setup};
use pacemark_engine::Policy;
use pacemark_kernels::KvType;
use pacemark_setup::{CacheTypes, DType, Recipe};
use std::num::NonZeroUsize;

/// More settings than this are refused: each takes a run in every round.
const MOST_SETTINGS: usize = 100;

/// What is tried where no axis is named.
const UBATCH: usize = 128;
const CACHE: KvType = KvType::Q8_0;

/// Lists of values, a list for each axis.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "What is tried, besides the defaults")]
pub(super) struct AxisArgs {
    /// Threads that compute [without any list here: half of the processors]
    #[arg(short, long, value_name = "LIST", value_delimiter = ',')]
    threads: Vec<NonZeroUsize>,
    /// Prompt tokens computed at once (-ub) [without any list here: 128]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    ubatch_size: Vec<NonZeroUsize>,
    /// Types of keys (-ctk): f32, f16, q8_0 or q4_0 [without any list here: q8_0]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = setup::kv_type)]
    cache_type_k: Vec<DType>,
    /// Types of values (-ctv): one for each of -ctk, or one for all [default: those of the keys]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = setup::kv_type, requires = "cache_type_k")]
    cache_type_v: Vec<DType>,
    /// Types of weights, made of the model's own; `pacemark models quantize --help` has them all
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = setup::recipe)]
    pub(super) weights: Vec<Recipe>,
    /// The model may be quantized already: what it stands for is taken as its weights
    #[arg(long, requires = "weights")]
    pub(super) allow_requantize: bool,
    /// What of the keys and values is kept: streaming:4+508, … of `pacemark kv --list`; again for
    /// several
    #[arg(long, value_name = "SPEC[,SPEC]", value_parser = specs)]
    kv: Vec<Specs>,
    /// Tokens to guess from what was written before, as `serve --speculate` does; all settings then
    /// run as `serve` runs one request
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(0..=64))]
    speculate: Vec<u32>,
    /// Every combination of the lists, or the default and one change of it at a time
    #[arg(long, value_name = "HOW", default_value = "product", value_parser = ["product", "moves"])]
    search: String,
}

/// The policies of one flag.
#[derive(Clone, Debug)]
struct Specs(Vec<String>);

/// Specs have commas of their own.
fn specs(list: &str) -> Result<Specs, String> {
    let specs = Policy::list(list).into_iter().map(|spec| setup::policy(&spec));
    specs.collect::<Result<_, _>>().map(Specs)
}

/// A change of a setting.
type Change = Box<dyn Fn(&mut Choice)>;

impl AxisArgs {
    /// The settings, those of one load of the model beside each other.
    pub(super) fn choices(&self) -> Result<Vec<Choice>, UsageError> {
        let axes = self.axes()?;
        let n: usize = match self.search.as_str() {
            "moves" => 1 + axes.iter().map(Vec::len).sum::<usize>(),
            _ => axes.iter().map(|axis| axis.len() + 1).fold(1, usize::saturating_mul),
        };
        if n < 2 {
            let why = "the default is the only setting: name another value, e.g. --threads 1,2";
            return Err(UsageError(format!("nothing to choose from: {why}")));
        }
        if n > MOST_SETTINGS {
            let why = "fewer values, or --search moves, which changes one at a time";
            return Err(UsageError(format!(
                "{n} settings, at most {MOST_SETTINGS} can be raced: {why}"
            )));
        }
        let mut choices = vec![Choice::default()];
        for axis in &axes {
            let with = |choice: &Choice, change: &Change| {
                let mut choice = choice.clone();
                change(&mut choice);
                choice
            };
            choices = match self.search.as_str() {
                "moves" => {
                    let moved = axis.iter().map(|change| with(&choices[0], change));
                    choices.iter().cloned().chain(moved).collect()
                }
                _ => {
                    let all = |choice: &Choice| -> Vec<Choice> {
                        let changed = axis.iter().map(|change| with(choice, change));
                        std::iter::once(choice.clone()).chain(changed).collect()
                    };
                    choices.iter().flat_map(all).collect()
                }
            };
        }
        for choice in &choices {
            setup::check_native(choice.setup(None))?;
        }
        Ok(choices)
    }

    /// Of each axis the values that are not the default; what loads anew first.
    fn axes(&self) -> Result<Vec<Vec<Change>>, UsageError> {
        let default = Choice::default();
        let named = !(self.threads.is_empty()
            && self.ubatch_size.is_empty()
            && self.cache_type_k.is_empty()
            && self.weights.is_empty()
            && self.kv.is_empty()
            && self.speculate.is_empty());
        let numbers = |list: &[NonZeroUsize], usual: usize| -> Vec<usize> {
            if named { list.iter().map(|n| n.get()).collect() } else { vec![usual] }
        };
        let threads = numbers(&self.threads, (default.threads / 2).max(1));
        machine::note_threads("-t", threads.iter().copied());
        let ubatch = numbers(&self.ubatch_size, UBATCH);
        let cache = if named { self.caches()? } else { vec![CacheTypes::both(CACHE.dtype())] };
        let kv: Vec<String> = self.kv.iter().flat_map(|specs| specs.0.clone()).collect();
        distinct("--threads", &threads)?;
        distinct("--ubatch-size", &ubatch)?;
        distinct("--kv", &kv)?;
        distinct("--speculate", &self.speculate)?;
        let weights: Vec<&str> = self.weights.iter().map(|recipe| recipe.info().name).collect();
        distinct("--weights", &weights)?;
        if let Some(n) = threads.iter().find(|n| **n > 512) {
            return Err(UsageError(format!("--threads {n}: from 1 to 512")));
        }
        if let Some(n) = ubatch.iter().find(|n| **n > 65536) {
            return Err(UsageError(format!("--ubatch-size {n}: from 1 to 65536")));
        }
        let speculate = self.speculate.iter().map(|n| *n as usize).collect();
        let weights: Vec<Option<Recipe>> = self.weights.iter().map(|r| Some(*r)).collect();
        let kv = kv.into_iter().filter(|spec| spec != "full").map(Some).collect();
        Ok(vec![
            changes(weights, &default.weights, |choice, to| choice.weights = *to),
            changes(threads, &default.threads, |choice, to| choice.threads = *to),
            changes(ubatch, &default.ubatch, |choice, to| choice.ubatch = *to),
            changes(cache, &default.cache, |choice, to| choice.cache = *to),
            changes(speculate, &default.speculate, |choice, to| choice.speculate = *to),
            changes(kv, &default.kv, |choice, to| choice.kv.clone_from(to)),
        ])
    }

    fn caches(&self) -> Result<Vec<CacheTypes>, UsageError> {
        let (keys, values) = (&self.cache_type_k, &self.cache_type_v);
        if values.len() > 1 && values.len() != keys.len() {
            return Err(UsageError(format!(
                "-ctk, -ctv: expected as many types of values as of keys, or one, found {} and {}",
                keys.len(),
                values.len()
            )));
        }
        let value = |i: usize, k: DType| match values[..] {
            [] => k,
            [only] => only,
            _ => values[i],
        };
        let caches: Vec<CacheTypes> =
            keys.iter().enumerate().map(|(i, k)| CacheTypes { k: *k, v: value(i, *k) }).collect();
        let names: Vec<String> = caches.iter().map(|cache| cache.names().join("/")).collect();
        distinct("-ctk, -ctv", &names)?;
        Ok(caches)
    }
}

/// The changes that the values of an axis are.
fn changes<T: PartialEq + 'static>(
    values: Vec<T>,
    default: &T,
    set: fn(&mut Choice, &T),
) -> Vec<Change> {
    let others = values.into_iter().filter(|value| value != default);
    others.map(|value| Box::new(move |choice: &mut Choice| set(choice, &value)) as Change).collect()
}

#[cfg(test)]
mod tests {
    use super::super::choice::Named;
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        axes: AxisArgs,
    }

    fn choices(line: &str) -> Result<Vec<Choice>, String> {
        let words = std::iter::once("x").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.axes.choices().map_err(|error| error.0)
    }

    fn names(line: &str) -> Vec<String> {
        let subject = Named { model: "m.gguf", n_prompt: 8, n_gen: 4, allow_requantize: false };
        let choices = choices(line).unwrap();
        choices.iter().map(|choice| choice.described(&subject, 0).name).collect()
    }

    #[test]
    fn the_default_takes_part_and_is_there_once() {
        assert_eq!(
            names("--ubatch-size 64,512 --cache-type-k q8_0"),
            ["default", "-ctk q8_0 -ctv q8_0", "-ub 64", "-ub 64 -ctk q8_0 -ctv q8_0"]
        );
        assert_eq!(
            names("--ubatch-size 64,128 --kv full,recent:9 --search moves"),
            ["default", "-ub 64", "-ub 128", "--kv recent:9"]
        );
        assert_eq!(
            names("--cache-type-k q8_0,q4_0 --cache-type-v f16,q4_0"),
            ["default", "-ctk q8_0 -ctv f16", "-ctk q4_0 -ctv q4_0"]
        );
        assert!(names("").len() >= 4, "something is tried where nothing is named");
    }

    #[test]
    fn what_cannot_be_raced_is_refused() {
        for (line, said) in [
            ("--ubatch-size 512", "nothing to choose from"),
            ("--kv full", "nothing to choose from"),
            ("--ubatch-size 64,64", "64 is there twice"),
            ("--threads 0", "--threads"),
            ("--threads 513", "from 1 to 512"),
            ("--ubatch-size 70000", "from 1 to 65536"),
            ("--cache-type-k q5_0", "not one of f32"),
            ("--cache-type-k f32 --cache-type-v f16", "-ctk, -ctv"),
            ("--cache-type-k q8_0,q4_0,f16 --cache-type-v f16,f16", "found 3 and 2"),
            ("--cache-type-v f16", "--cache-type-k"),
            ("--weights Q9_9", "not one of"),
            ("--kv recnt:4", "expected recent"),
            ("--speculate 65", "--speculate"),
            (
                "--ubatch-size 1,2,3,4,5,6,7,8,9,10 --threads 1,2,3,4,5,6,7,8,9,10",
                "settings, at most 100",
            ),
        ] {
            let error = choices(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
