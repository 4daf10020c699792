//! Records of one load that several sent, as one record: every request of a row, on one time axis.
//!
//! Nothing is averaged and no percentile is combined: what there is of the pooled requests is
//! computed of them as of any other load. Latencies are differences of one worker's own stamps, so
//! moving these leaves every one of them as it was; only what looks at requests of several workers
//! at once (rates, the steady window, what is in flight) depends on how well clocks are known.

mod axis;
mod error;
mod params;
mod trial;

use crate::{LOAD_EXPERIMENT, Offset, Requests, Run, Trial};
pub use error::PoolError;
use std::collections::HashMap;

/// A record and who made it.
#[derive(Clone, Debug)]
pub struct Part {
    /// What errors call it: its file.
    pub name: String,
    /// What its requests are to carry.
    pub sender: String,
    /// Its record.
    pub run: Run,
    /// How far its clock is before ours, where that was measured; of all parts or of none.
    pub offset: Option<Offset>,
}

/// Row by row, the load of all together. Parts may be put together before: their senders stay
/// apart.
pub fn pool(parts: &[Part]) -> Result<Vec<Trial>, PoolError> {
    let Some((first, others)) = parts.split_first() else { return Err(PoolError::Nothing) };
    for part in parts {
        if let Some(at) = part
            .run
            .trials
            .iter()
            .position(|t| t.experiment != LOAD_EXPERIMENT || t.load().is_none())
        {
            let found = part.run.trials[at].experiment.clone();
            return Err(PoolError::NoLoad { name: part.name.clone(), trial: at, found });
        }
    }
    let expected = first.run.trials.len();
    if let Some(other) = others.iter().find(|other| other.run.trials.len() != expected) {
        let (name, of) = (other.name.clone(), first.name.clone());
        return Err(PoolError::Rows { name, of, expected, found: other.run.trials.len() });
    }
    for (i, part) in parts.iter().enumerate() {
        let same = parts[..i].iter().find(|before| is_same(before, part));
        if let Some(before) = same {
            return Err(PoolError::Twice { name: part.name.clone(), of: before.name.clone() });
        }
    }
    (0..expected).map(|row| trial::pooled(parts, row)).collect()
}

/// The same requests at the same times: one file given twice, or copied.
fn is_same(a: &Part, b: &Part) -> bool {
    fn load(part: &Part) -> Option<&Requests> {
        part.run.trials.first().and_then(Trial::load)
    }
    load(a).is_some_and(|load| !load.requests.is_empty()) && load(a) == load(b)
}

/// Names that are taken, and the number that the next one of a name may have.
type Names = HashMap<String, u64>;

/// A name that is not taken: as it is, or with a number.
fn unused(name: &str, taken: &mut Names) -> String {
    let mut next = taken.get(name).copied().unwrap_or(1);
    let free = loop {
        let candidate = if next == 1 { name.to_owned() } else { format!("{name} ({next})") };
        next += 1;
        if !taken.contains_key(&candidate) {
            break candidate;
        }
    };
    taken.insert(name.to_owned(), next);
    taken.entry(free.clone()).or_insert(2);
    free
}

#[cfg(test)]
mod tests;
