//! What a reader of a load's figures must know before believing them.

use pacemark_record::{SteadyVerdict, Trial, stats};

/// Above this share of a processor the client may be what is measured.
const BUSY: f64 = 0.8;

/// A timer this late, at its 99th percentile, makes sends late too. The runtime's timers tick in milliseconds.
const LATE_NS: f64 = 10e6;

/// A cold cache that gives back more than this share of prompt tokens is not cold.
const CACHED: f64 = 0.01;

/// Sentences, none where all is well.
pub fn warnings(trial: &Trial) -> Vec<String> {
    let mut found = Vec::new();
    let n = trial.requests.len();
    let answered = trial.answered().count();
    if trial.cut_requests > 0 {
        found.push(format!("interrupted: {} requests in flight were given up and are not counted", trial.cut_requests));
    }
    for (kind, (count, example)) in trial.failures() {
        found.push(format!("{count} of {n} requests failed: {}, e.g. {example}", kind.name()));
    }
    let disagreement = trial.disagreement();
    if disagreement.wanted > 0 {
        let n = disagreement.wanted;
        found.push(format!("{n} of {answered} answers have another number of tokens (by usage) than asked for"));
    }
    if disagreement.tokenizer > 0 {
        let n = disagreement.tokenizer;
        found.push(format!("{n} of {answered} answers have another number of tokens by usage than by the tokenizer"));
    }
    if disagreement.prompt > 0 {
        found.push(format!("{} of {answered} prompts have fewer tokens by usage than were sent", disagreement.prompt));
    }
    if answered > 0 && !trial.chunks_are_tokens() {
        let why = match trial.token_source().name() {
            "chunks" => "nothing but chunks counted the tokens".to_owned(),
            source => format!("{} of {answered} answers have not one token a chunk, by {source}", disagreement.chunks),
        };
        found.push(format!("{why}: gaps are between chunks (ICL), not between tokens (ITL)"));
    }
    if trial.params.get("cache").is_some_and(|cache| cache == "cold")
        && let Some(share) = trial.cached_share().filter(|share| *share > CACHED)
    {
        found.push(format!(
            "the server found {:.1} % of the prompt tokens in its cache, though every prompt is new: a template or an \
             earlier run is shared, and times are too good",
            share * 100.0
        ));
    }
    if trial.params.get("prompt_tokens_exact").is_some_and(|exact| exact == false) {
        found
            .push("the number of prompt tokens was not verified: nothing here or at the server counts them".to_owned());
    }
    found.extend(steady(trial));
    found.extend(client(trial));
    found
}

fn steady(trial: &Trial) -> Option<String> {
    let steady = trial.steady();
    match steady.map(|steady| steady.verdict) {
        Some(SteadyVerdict::Steady) => None,
        Some(SteadyVerdict::TooShort) => Some(
            "the steady-state window is too short for its rate to be one that lasts: send more requests".to_owned(),
        ),
        Some(SteadyVerdict::Drifting(change)) => {
            Some(format!("no steady state: the rate changed by {:+.0} % within the window", change * 100.0))
        }
        Some(SteadyVerdict::Growing(growth)) => Some(format!(
            "no steady state: requests in flight grew by {:.0} %, more arrive than are answered",
            growth * 100.0
        )),
        None if trial.params.contains_key("ramp") => None,
        None => Some("no steady-state window: the last request was sent before all streams had answered".to_owned()),
    }
}

fn client(trial: &Trial) -> Vec<String> {
    let mut found = Vec::new();
    let Some(client) = &trial.client else { return found };
    if client.cpu_share() > BUSY {
        found.push(format!(
            "the client used {:.0} % of a processor: it may be what is measured",
            100.0 * client.cpu_share()
        ));
    }
    let p99 = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        stats::supported_quantile(&values, 0.99, stats::CONFIDENCE)
    };
    if let Some(lag) = p99(client.lag_ns.iter().map(|ns| *ns as f64).collect()).filter(|lag| *lag > LATE_NS) {
        found.push(format!("the client's timers fired {:.0} ms late (p99): it is too busy to be believed", lag / 1e6));
    }
    let held = trial.requests.iter().filter(|request| request.held_back).count();
    if held > 0 {
        found.push(format!(
            "{held} of {} requests were held back by --max-in-flight: the load was less than asked for",
            trial.requests.len()
        ));
    }
    found
}
