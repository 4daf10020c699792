//! Names of methods → policies: the names of the script that the study takes the place of, with
//! sizes from their own flags or in the name, and every spec.

use crate::exit::UsageError;
use pacemark_bench::kv::{Group, Method};
use pacemark_engine::{POLICIES, Policy};
use pacemark_setup::CacheTypes;

/// What names leave open.
#[derive(Clone, Debug)]
pub(super) struct Sizes {
    /// First tokens of streaming.
    pub start: usize,
    /// Its recent tokens, a size each.
    pub recent: Vec<usize>,
    /// Layers that keep everything, as a spec has them.
    pub skip: Option<String>,
    /// The newest share of `fix_size_l2`, and which of the others it keeps.
    pub fixed: String,
    /// How keys and values are stored.
    pub cache: CacheTypes,
}

impl Sizes {
    /// Tokens of each size in all: what the methods are compared at.
    fn totals(&self) -> Vec<usize> {
        self.recent.iter().map(|recent| recent.saturating_add(self.start)).collect()
    }

    fn method(&self, name: String, spec: String, group: Group) -> Method {
        let skips = spec.contains("skip=") || spec == "full";
        let kv = match self.skip.as_deref().filter(|_| !skips) {
            Some(skip) if spec.contains(':') => format!("{spec},skip={skip}"),
            Some(skip) => format!("{spec}:skip={skip}"),
            None => spec,
        };
        Method { name, kv, cache: self.cache, group, unscored: None }
    }

    /// A policy by its name and a size; [`None`] for what is no name of one.
    fn sized(&self, name: &str, total: usize) -> Option<Method> {
        let recent = total.saturating_sub(self.start);
        let (label, spec, group) = match name {
            "streaming" | "streaming_llm" => {
                ("streaming", format!("streaming:{}+{recent}", self.start), Group::Streaming)
            }
            "recent" | "recent_only" => ("recent_only", format!("recent:{total}"), Group::Recent),
            "fix_size_l2" => (name, format!("fix_size_l2:{total}{}", self.fixed), Group::Other),
            "h2o" => (name, format!("h2o:{}+{}", total / 2, total - total / 2), Group::Other),
            "random" => (name, format!("random:{total}"), Group::Control),
            _ if POLICIES.iter().any(|entry| entry.name == name) => {
                (name, format!("{name}:{total}"), Group::Other)
            }
            _ => return None,
        };
        Some(self.method(format!("{label}_{total}"), spec, group))
    }

    /// What one name of a list asks for.
    fn of(&self, name: &str) -> Result<Vec<Method>, UsageError> {
        if name == "baseline" || name == "full" {
            return Ok(vec![self.method("baseline".into(), "full".into(), Group::Baseline)]);
        }
        // `l2_compress` by itself is a whole spec.
        if Policy::parse(name).is_ok() {
            return Ok(vec![self.method(name.into(), name.into(), group_of(name))]);
        }
        if let Some(sized) =
            self.totals().into_iter().map(|total| self.sized(name, total)).collect::<Option<_>>()
        {
            return Ok(sized);
        }
        let with_size = name.rsplit_once('_').and_then(|(name, size)| {
            let size = size.parse().ok().filter(|_| size.bytes().all(|b| b.is_ascii_digit()))?;
            self.sized(name, size)
        });
        if let Some(method) = with_size {
            return Ok(vec![method]);
        }
        Err(unknown(name))
    }
}

/// What is no name, or a wrong spec: the engine's words, and for a name ours.
fn unknown(name: &str) -> UsageError {
    let error = Policy::parse(name).err().map_or(String::new(), |error| error.to_string());
    let policy = name.split([':', ',']).next();
    if POLICIES.iter().any(|entry| Some(entry.name) == policy) {
        return UsageError(error);
    }
    UsageError(format!(
        "{error}; or baseline, streaming_llm or recent_only; each with a size in its name \
         (streaming_512), or with those of --recent-sizes"
    ))
}

/// The group of a spec.
fn group_of(spec: &str) -> Group {
    match spec.split([':', ',']).next() {
        Some("streaming") => Group::Streaming,
        Some("recent") => Group::Recent,
        Some("random") => Group::Control,
        _ => Group::Other,
    }
}

/// The methods of a list, each once. Specs have commas of their own.
pub(super) fn of_list(list: &str, sizes: &Sizes) -> Result<Vec<Method>, UsageError> {
    let mut methods = Vec::new();
    for name in Policy::list(list) {
        add(&mut methods, sizes.of(name.trim())?);
    }
    Ok(methods)
}

/// The methods that the script compares one with: nothing let go, and for each size recent tokens
/// alone beside it.
pub(super) fn of_one(name: &str, sizes: &Sizes) -> Result<Vec<Method>, UsageError> {
    let mut methods = sizes.of("baseline")?;
    let [recent, own] = [sizes.of("recent_only")?, sizes.of(name)?];
    if own.len() == recent.len() {
        let pairs = recent.into_iter().zip(own).flat_map(|(recent, own)| [recent, own]);
        add(&mut methods, pairs.collect());
    } else {
        add(&mut methods, recent);
        add(&mut methods, own);
    }
    Ok(methods)
}

/// What the methods have to beat: as many tokens at random, and all tokens in fewer bits.
pub(super) fn controls(methods: &[Method], sizes: &Sizes) -> Vec<Method> {
    let mut controls: Vec<Method> = Vec::new();
    let mut totals: Vec<usize> = methods.iter().filter_map(|m| size_of(&m.kv)).collect();
    totals.sort_unstable();
    totals.dedup();
    add(&mut controls, totals.into_iter().filter_map(|n| sizes.sized("random", n)).collect());
    for dtype in [pacemark_setup::DType::Q8_0, pacemark_setup::DType::Q4_0] {
        let cache = CacheTypes { k: dtype, v: dtype };
        let name = format!("full_{}", cache.names()[0]);
        let full = sizes.method(name, "full".into(), Group::Control);
        add(&mut controls, vec![Method { cache, ..full }]);
    }
    controls.retain(|control| !has(methods, control));
    controls
}

/// The tokens that a spec keeps, where it says so in tokens.
fn size_of(spec: &str) -> Option<usize> {
    let sizes = spec.split_once(':')?.1.split(',').next()?;
    let tokens = |size: &str| size.parse::<u32>().ok().map(|n| n as usize);
    sizes.split('+').map(tokens).sum()
}

fn has(methods: &[Method], method: &Method) -> bool {
    methods.iter().any(|known| known.kv == method.kv && known.cache == method.cache)
}

fn add(methods: &mut Vec<Method>, more: Vec<Method>) {
    for method in more {
        if !has(methods, &method) {
            methods.push(method);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Sizes {
        Sizes {
            start: 4,
            recent: vec![252, 508],
            skip: None,
            fixed: ",keep=0.5,order=low".into(),
            cache: CacheTypes::default(),
        }
    }

    fn pairs(methods: &[Method]) -> Vec<String> {
        methods.iter().map(|method| format!("{}={}", method.name, method.kv)).collect()
    }

    #[test]
    fn names_of_the_script_become_specs() {
        let names = |list: &str| pairs(&of_list(list, &sizes()).unwrap());
        assert_eq!(
            names("baseline,streaming_llm,recent_only_1024,fix_size_l2"),
            [
                "baseline=full",
                "streaming_256=streaming:4+252",
                "streaming_512=streaming:4+508",
                "recent_only_1024=recent:1024",
                "fix_size_l2_256=fix_size_l2:256,keep=0.5,order=low",
                "fix_size_l2_512=fix_size_l2:512,keep=0.5,order=low",
            ]
        );
        assert_eq!(
            names("h2o_100,l2_compress,streaming:4+8,positions=original,recent:8"),
            [
                "h2o_100=h2o:50+50",
                "l2_compress=l2_compress",
                "streaming:4+8,positions=original=streaming:4+8,positions=original",
                "recent:8=recent:8",
            ]
        );
        assert_eq!(names("streaming_512,streaming:4+508").len(), 1, "the same is measured once");
        for entry in POLICIES {
            let found = of_list(entry.name, &sizes()).unwrap();
            assert!(found.iter().all(|m| Policy::parse(&m.kv).is_ok()), "{found:?}");
        }
    }

    #[test]
    fn a_method_stands_between_recent_tokens_of_its_sizes() {
        let sizes = Sizes { recent: vec![252, 508, 1020], ..sizes() };
        let found = of_one("streaming_llm", &sizes).unwrap();
        let names: Vec<_> = found.iter().map(|method| method.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "baseline",
                "recent_only_256",
                "streaming_256",
                "recent_only_512",
                "streaming_512",
                "recent_only_1024",
                "streaming_1024",
            ]
        );
        assert_eq!(of_one("baseline", &sizes).unwrap().len(), 4);
        assert_eq!(of_one("l2_compress", &sizes).unwrap().len(), 5);
    }

    #[test]
    fn skipped_layers_are_of_every_policy_that_lets_go() {
        let sizes = Sizes { skip: Some("0-1".into()), ..sizes() };
        let found =
            pairs(&of_list("baseline,recent_only_8,l2_compress,tova:8,skip=3", &sizes).unwrap());
        assert_eq!(
            found,
            [
                "baseline=full",
                "recent_only_8=recent:8,skip=0-1",
                "l2_compress=l2_compress:skip=0-1",
                "tova:8,skip=3=tova:8,skip=3",
            ]
        );
        for method in of_list("recent_only_8,l2_compress", &sizes).unwrap() {
            assert!(Policy::parse(&method.kv).is_ok(), "{}", method.kv);
        }
    }

    #[test]
    fn controls_are_of_the_sizes_studied() {
        let methods = of_list("baseline,streaming_llm,snapkv:0.5,recent:300", &sizes()).unwrap();
        assert_eq!(
            pairs(&controls(&methods, &sizes())),
            [
                "random_256=random:256",
                "random_300=random:300",
                "random_512=random:512",
                "full_q8_0=full",
                "full_q4_0=full",
            ]
        );
        let q8 = CacheTypes { k: pacemark_setup::DType::Q8_0, v: pacemark_setup::DType::Q8_0 };
        let sizes = Sizes { cache: q8, ..sizes() };
        let methods = of_list("baseline,random:9", &sizes).unwrap();
        assert_eq!(pairs(&controls(&methods, &sizes)), ["full_q4_0=full"], "none twice");
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_nearest_first() {
        for (list, says) in [
            ("recnt:8", "expected recent, "),
            ("stream_512", "baseline, streaming_llm"),
            ("recent:1.5", "N: expected a share above 0 and up to 1"),
            ("streaming_4", "R: expected at least 1"),
            ("", "baseline"),
        ] {
            let methods = of_list(list, &sizes());
            // A size in a name is checked with all other specs.
            let error = match methods {
                Ok(methods) => Policy::parse(&methods[0].kv).unwrap_err().to_string(),
                Err(error) => error.to_string(),
            };
            assert!(error.contains(says), "{list}: {error}");
        }
    }
}
