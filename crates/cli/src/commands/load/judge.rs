//! What all rows come to: the exit code, and which limits and targets were missed.

use super::Args;
use super::levels::Level;
use crate::exit::Exit;
use pacemark_record::{Limit, LimitVerdict, Trial, stats};

/// The exit code, and a sentence for each thing that was missed.
pub(super) fn judge(args: &Args, trials: &[Trial]) -> (Exit, Vec<String>) {
    if trials.iter().all(|trial| trial.answered().next().is_none()) {
        return (Exit::Failed, vec!["no request was answered".to_owned()]);
    }
    let mut missed = Vec::new();
    for trial in trials {
        let level = Level::of(trial);
        for result in trial.slo().map(|slo| slo.judge(trial)).unwrap_or_default() {
            let found = match result.found_ns {
                Some(ns) if ns.is_finite() => format!("found {:.1} ms, ", ns / 1e6),
                // Failed, not streamed, or due and never sent.
                Some(_) => "found requests without it, ".to_owned(),
                None => needed(&result.limit),
            };
            let (limit, share) = (&result.limit, result.share_met * 100.0);
            if result.verdict != LimitVerdict::Met {
                let verdict = result.verdict.name();
                missed.push(format!(
                    "{level}: {limit}: {verdict}, {found}{share:.1} % of requests within"
                ));
            }
        }
        let targets = args.target.iter().filter_map(|target| target.missed(trial));
        missed.extend(targets.map(|target| format!("{level}: {target}")));
    }
    (Exit::held_to(&missed), missed)
}

/// How many requests would do.
fn needed(limit: &Limit) -> String {
    let needed = limit.percentile.and_then(|p| stats::least_samples(p, stats::CONFIDENCE));
    needed.map_or(String::new(), |n| format!("it takes {n}, "))
}
