//! Why a figure does not go on to grow, where something measured or set says so, and what larger values
//! would come to.

use super::course::Course;
use super::roofline;
use super::rows::Rows;
use pacemark_record::Trial;

/// What reaches this part of what the machine allows is bound by it.
const AT_ROOF: f64 = 0.7;

/// Lengths are what is asked for, and nothing to be set better.
const LENGTHS: [&str; 3] = ["n_prompt", "n_gen", "n_depth"];

/// What to say of larger values where a figure had not stopped to grow with the largest.
pub(super) fn beyond(rows: &Rows<'_>, course: &Course, key: &str) -> String {
    let grows = "It had not stopped to grow";
    if LENGTHS.contains(&key) {
        return format!("{grows}.");
    }
    let Some(place) = course.points.get(course.knee) else { return String::new() };
    let trial = &rows.trials[place.row];
    match limit(rows, trial, key).filter(|(limit, _)| place.at >= *limit as f64) {
        Some((limit, [before, after])) => format!("{grows}, but {before} {limit} {after}."),
        None => format!("{grows}: larger values are worth a try."),
    }
}

/// From where on a parameter cannot help, and what stands around that in a sentence.
fn limit(rows: &Rows<'_>, trial: &Trial, key: &str) -> Option<(u64, [&'static str; 2])> {
    const NOTHING: &str = "larger values change nothing";
    let n_tokens = trial.n_parallel().saturating_mul(trial.count("n_prompt"));
    let prompts = (n_tokens, ["with prompts of", "tokens larger values change nothing"]);
    let limits = match key {
        "n_ubatch" => [prompts, (trial.count("n_batch"), ["with an n_batch of", NOTHING])],
        "n_batch" => [prompts, (trial.count("n_ubatch"), ["with an n_ubatch of", NOTHING])],
        _ if key.starts_with("n_threads") => {
            [(rows.logical_cpus as u64, ["there are only", "processors"]), (0, ["", ""])]
        }
        _ => return None,
    };
    limits.into_iter().filter(|(limit, _)| *limit > 0).min_by_key(|(limit, _)| *limit)
}

/// The reason of a course's end; begins with a space.
pub(super) fn why(rows: &Rows<'_>, course: &Course, key: &str) -> String {
    let Some(place) = course.points.get(course.knee) else { return String::new() };
    let trial = &rows.trials[place.row];
    if !course.helped() {
        let falls = course.worse_from(course.knee + 1).is_some();
        return if falls { context(trial, key) } else { String::new() };
    }
    if course.is_last() {
        return String::new();
    }
    let cpus = rows.logical_cpus;
    let last = course.points.last().map_or(0.0, |last| last.at);
    let is_beyond = cpus > 0 && last > cpus as f64 && place.at <= cpus as f64;
    if key.starts_with("n_threads") && is_beyond {
        return format!(
            " The reason: there are {cpus} processors, and more threads take turns on them."
        );
    }
    let near = |share: &f64| (AT_ROOF..=1.2).contains(share);
    let Some(share) = trial.roof_share().filter(near) else { return String::new() };
    let share = format!("{:.0} %", share * 100.0);
    match roofline::is_bound_by_memory(trial) {
        Some(true) => format!(
            " The reason: memory. {share} of its bandwidth is in use, and every token reads all weights."
        ),
        Some(false) => {
            format!(" The reason: the processors. {share} of what they can compute is in use.")
        }
        None => String::new(),
    }
}

/// Of longer sequences each token looks at more.
fn context(trial: &Trial, key: &str) -> String {
    if LENGTHS.contains(&key) && trial.model.kv_bytes_per_token > 0 {
        return " A reason: each token looks at the keys and values of all before it.".to_owned();
    }
    String::new()
}
