//! Whether a comparison is of the engines alone: what has to be the same, and what is not.

use pacemark_record::Trial;

/// What has to be the same, by the names of [`Contender::terms`](pacemark_record::Contender::terms).
pub const TERMS: [&str; 6] =
    ["device", "threads", "precision", "keys and values", "prompts", "output tokens"];

/// A term that is not the same for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unequal {
    /// What it is, e.g. `threads`.
    pub term: String,
    /// What each has, in the order of the trials: its name and its value, or a dash.
    pub values: Vec<(String, String)>,
}

/// Terms in which trials that were measured differ, or of which one is not known.
pub fn unequal(trials: &[Trial]) -> Vec<Unequal> {
    let measured: Vec<&Trial> = trials.iter().filter(|trial| super::n_runs(trial) > 0).collect();
    let of = |trial: &Trial, term: &str| {
        trial.contender().and_then(|found| found.terms.get(term)).cloned()
    };
    if measured.len() < 2 {
        return Vec::new();
    }
    let differs = |term: &&str| {
        let first = measured.first().map(|trial| of(trial, term));
        let is_known = first.as_ref().is_some_and(Option::is_some);
        !is_known || measured.iter().any(|trial| Some(of(trial, term)) != first)
    };
    TERMS
        .into_iter()
        .filter(differs)
        .map(|term| Unequal {
            term: term.to_owned(),
            values: measured
                .iter()
                .map(|trial| {
                    let value = of(trial, term).unwrap_or_else(|| "-".to_owned());
                    (super::name(trial).to_owned(), value)
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::trial;
    use super::*;

    #[test]
    fn what_differs_or_is_not_known_is_told() {
        let with = |name: &str, terms: &[(&str, &str)]| {
            let mut trial = trial(name, 100.0, 20.0);
            let of = trial.contender_mut().unwrap();
            of.terms = terms.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
            trial
        };
        let same = TERMS.map(|term| (term, "2"));
        assert_eq!(unequal(&[with("a", &same), with("b", &same)]), []);
        let mut other = same.to_vec();
        other[1].1 = "1";
        other.remove(3);
        let found = unequal(&[with("a", &same), with("b", &other)]);
        let of = |term: &str, a: &str, b: &str| Unequal {
            term: term.into(),
            values: vec![("a".into(), a.into()), ("b".into(), b.into())],
        };
        assert_eq!(found, [of("threads", "2", "1"), of("keys and values", "2", "-")]);
        // What nobody tells is not the same.
        let silent = unequal(&[with("a", &[]), with("b", &[])]);
        assert_eq!(silent.len(), TERMS.len());
        // One that was not measured has no terms, and no say.
        let mut failed = with("c", &[]);
        failed.contender_mut().unwrap().runs.clear();
        assert_eq!(unequal(&[with("a", &same), failed]), []);
    }
}
