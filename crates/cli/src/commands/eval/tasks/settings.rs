//! The settings that are compared: `--kv` as often as wanted, and lists of cache types.

use crate::exit::UsageError;
use crate::setup;
use pacemark_bench::tasks::Setting;
use pacemark_engine::Policy;
use pacemark_kernels::KvType;
use pacemark_setup::{CacheTypes, DType};

/// Settings of the KV cache.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct SettingArgs {
    /// What of the keys and values is kept: full, streaming:4+508, snapkv:512, … `pacemark kv --list`
    /// has them all. Several are compared with the first: --kv again, or a list [default: full]
    #[arg(long, value_name = "SPEC[,SPEC]", value_parser = specs)]
    kv: Vec<Specs>,
    /// Store keys as f32, f16, q8_0 or q4_0 (-ctk); a list is compared [default: f16]
    #[arg(long, value_name = "TYPE[,TYPE]", value_delimiter = ',', value_parser = setup::kv_type)]
    cache_type_k: Vec<DType>,
    /// Store values so (-ctv): a type for each of -ctk, or one for all [default: f16]
    #[arg(long, value_name = "TYPE[,TYPE]", value_delimiter = ',', value_parser = setup::kv_type)]
    cache_type_v: Vec<DType>,
}

/// The policies of one flag.
#[derive(Clone, Debug)]
pub(super) struct Specs(Vec<String>);

/// Checked as far as that can be done without a model. Specs have commas of their own.
fn specs(list: &str) -> Result<Specs, String> {
    let specs = Policy::list(list).into_iter().map(|spec| setup::policy(&spec));
    specs.collect::<Result<_, _>>().map(Specs)
}

/// How a setting stores keys and values.
pub(super) fn cache_of(setting: &Setting) -> CacheTypes {
    setting.cache
}

impl SettingArgs {
    /// All of them, those of one type beside each other; the first is what others are compared with.
    pub(super) fn all(&self) -> Result<Vec<Setting>, UsageError> {
        let full = || vec!["full".to_owned()];
        let named: Vec<String> = self.kv.iter().flat_map(|specs| specs.0.clone()).collect();
        let specs = if named.is_empty() { full() } else { named };
        let types = self.types()?;
        let mut settings: Vec<Setting> = Vec::new();
        for cache in &types {
            for kv in &specs {
                let [k, v] = cache.names();
                let stored = if k == v { k } else { format!("{k}/{v}") };
                let name = if types.len() == 1 { kv.clone() } else { format!("{kv} {stored}") };
                if settings.iter().any(|other| other.name == name) {
                    return Err(UsageError(format!("--kv, -ctk, -ctv: {name} is there twice")));
                }
                settings.push(Setting { name, kv: kv.clone(), cache: *cache });
            }
        }
        Ok(settings)
    }

    /// The types, in the order of the flags.
    fn types(&self) -> Result<Vec<CacheTypes>, UsageError> {
        let or_f16 = |given: &[DType]| {
            if given.is_empty() { vec![KvType::F16.dtype()] } else { given.to_vec() }
        };
        let (k, v) = (or_f16(&self.cache_type_k), or_f16(&self.cache_type_v));
        let n = k.len().max(v.len());
        let fits = |len: usize| len == n || len == 1;
        if !fits(k.len()) || !fits(v.len()) {
            return Err(UsageError(format!(
                "-ctk, -ctv: expected as many types of values as of keys, or one, found {} and {}",
                k.len(),
                v.len()
            )));
        }
        Ok((0..n).map(|i| CacheTypes { k: k[i % k.len()], v: v[i % v.len()] }).collect())
    }

    /// Each type, and the number of its first setting: a type is a load of the model.
    pub(super) fn passes(&self) -> Result<Vec<(usize, CacheTypes)>, UsageError> {
        let settings = self.all()?;
        let starts = settings.iter().enumerate();
        let starts = starts.filter(|(i, s)| *i == 0 || settings[i - 1].cache != s.cache);
        Ok(starts.map(|(i, setting)| (i, setting.cache)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        settings: SettingArgs,
    }

    fn names(line: &str) -> Result<Vec<String>, String> {
        let words = std::iter::once("x").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let settings = line.settings.all().map_err(|error| error.0)?;
        Ok(settings.into_iter().map(|setting| setting.name).collect())
    }

    #[test]
    fn flags_become_settings() {
        assert_eq!(names("").unwrap(), ["full"]);
        let both = "--kv full --kv fix_size_l2:64,keep=0.5,recent:32";
        assert_eq!(names(both).unwrap(), ["full", "fix_size_l2:64,keep=0.5", "recent:32"]);
        assert_eq!(
            names("--kv full,recent:9 --cache-type-k f16,q8_0 --cache-type-v f16,q4_0").unwrap(),
            ["full f16", "recent:9 f16", "full q8_0/q4_0", "recent:9 q8_0/q4_0"]
        );
        let found = names("--cache-type-k q8_0,q4_0 --cache-type-v f16").unwrap();
        assert_eq!(found, ["full q8_0/f16", "full q4_0/f16"]);
        for (line, said) in [
            ("--kv full --kv full", "full is there twice"),
            ("--cache-type-k f16,q8_0,q4_0 --cache-type-v f16,f16", "found 3 and 2"),
            ("--kv recnt:4", "expected recent"),
            ("--cache-type-k q5", "not one of f32"),
        ] {
            let error = names(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
