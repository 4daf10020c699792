//! What fits: each setting against the memory there is, and the one to take.

use super::{N_CTX, POLICY, page};
use pacemark_record::Trial;
use serde_json::Value;

/// Types of keys and values, the most exact first.
const EXACT: [&str; 4] = ["f32", "f16", "q8_0", "q4_0"];

fn left(trial: &Trial) -> Option<i128> {
    trial.fit()?.left()
}

/// Whether it fits, where that is known.
pub fn fits(trial: &Trial) -> Option<bool> {
    left(trial).map(|left| left >= 0)
}

/// The setting to take, and why: of those that fit, one that keeps everything if there is one, then
/// the most tokens, then the most exact types.
pub fn recommended(trials: &[Trial]) -> Option<(usize, String)> {
    let fitting = trials.iter().enumerate().filter(|(_, trial)| fits(trial) == Some(true));
    let (at, trial) = fitting.max_by_key(|(at, trial)| (worth(trial), std::cmp::Reverse(*at)))?;
    let fit = trial.fit()?;
    let free = page::size(left(trial)?.unsigned_abs());
    let n_tokens = n_tokens(trial);
    let holds = match keeps_all(trial) {
        true => format!("it holds {n_tokens} tokens, the most of what fits"),
        false => format!(
            "it goes through {n_tokens} tokens and keeps a part of them, for nothing fits that keeps \
             all"
        ),
    };
    let why = format!(
        "{}, {}: {holds}, with keys and values as exact as they can then be; {} of {} stay free",
        trial.model.model_type,
        page::name(&trial.params),
        free,
        page::size(fit.budget_bytes?.into()),
    );
    Some((at, why))
}

fn keeps_all(trial: &Trial) -> bool {
    trial.params.get(POLICY).and_then(Value::as_str) == Some("full")
}

/// Tokens of all sequences; what lies beyond the trained context is worth nothing.
fn n_tokens(trial: &Trial) -> u64 {
    let trained = trial.fit().and_then(|fit| fit.trained_ctx).unwrap_or(u64::MAX);
    trial.count(N_CTX).min(trained).saturating_mul(trial.n_parallel())
}

/// Whether all tokens are kept, how many, and how exactly.
fn worth(trial: &Trial) -> (bool, u64, usize) {
    let exact = |name: &str| {
        let found = trial.params.get(name).and_then(Value::as_str).unwrap_or_default();
        EXACT.iter().rev().position(|known| *known == found).unwrap_or(0)
    };
    (keeps_all(trial), n_tokens(trial), exact("type_k") + exact("type_v"))
}

/// That no setting fits, and what the smallest would take; `None` where one does, or where nothing
/// tells how much there is.
pub fn nothing_fits(trials: &[Trial]) -> Option<String> {
    let judged = || trials.iter().filter(|trial| fits(trial).is_some());
    if judged().count() == 0 || judged().any(|trial| fits(trial) == Some(true)) {
        return None;
    }
    let most = |trial: &Trial| trial.fit().map_or(u64::MAX, |fit| fit.memory.most());
    let least = judged().min_by_key(|trial| most(trial))?;
    Some(format!(
        "nothing fits: the smallest need is {} ({}), and there are {}",
        page::size(most(least).into()),
        page::name(&least.params),
        page::size(least.fit()?.budget_bytes?.into()),
    ))
}
