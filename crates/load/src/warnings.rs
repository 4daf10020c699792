//! What a reader of a load's figures must know before believing them.

use pacemark_record::{Request, SteadyVerdict, Trial, stats};

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
        let requests = if trial.cut_requests == 1 { "request" } else { "requests" };
        found.push(format!("interrupted: {} {requests} in flight given up and not counted", trial.cut_requests));
    }
    for (kind, (count, example)) in trial.failures() {
        found.push(format!("{count} of {n} requests failed: {}, e.g. {example}", kind.name()));
    }
    let resent = trial.requests.iter().filter(|request| request.resent_ns.is_some()).count();
    if resent > 0 {
        found.push(format!(
            "{resent} of {n} requests were sent once more, on a new connection: the server had closed theirs without a byte of an \
             answer; their times hold what that took (--connections fresh avoids it)"
        ));
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
    found.extend(cached(trial));
    if trial.params.get("prompt_tokens_exact").is_some_and(|exact| exact == false) {
        found
            .push("the number of prompt tokens was not verified: nothing here or at the server counts them".to_owned());
    }
    found.extend(steady(trial));
    found.extend(client(trial));
    found
}

/// A cold run that was not: what of first turns, which repeat nothing, the server had in its cache.
fn cached(trial: &Trial) -> Option<String> {
    if trial.params.get("cache").is_none_or(|cache| cache != "cold") {
        return None;
    }
    let told: Vec<(u64, &Request)> =
        trial.answered().filter(|r| r.turn == 0).filter_map(|r| Some((r.cached_tokens?, r))).collect();
    let prompts: u64 = told.iter().filter_map(|(_, request)| request.prompt_usage).sum();
    let share = told.iter().map(|(cached, _)| cached).sum::<u64>() as f64 / prompts.max(1) as f64;
    if share <= CACHED {
        return None;
    }
    let found = format!("the server found {:.1} % of the prompt tokens in its cache", share * 100.0);
    // What is sent besides the text is the template's, and the same every time.
    let added = |request: &Request| Some(request.prompt_usage?.saturating_sub(request.prompt_tokens?));
    let of_template = told.iter().all(|(cached, request)| added(request).is_some_and(|added| *cached <= added));
    Some(if of_template {
        let most = told.iter().map(|(cached, _)| *cached).max().unwrap_or(0);
        format!("{found}: {most} a prompt, no more than the chat template adds; --endpoint completions has none")
    } else {
        format!("{found}, though every prompt is new: an earlier run or a prefix is shared, and times are too good")
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(requests: Vec<Request>) -> Option<String> {
        let mut trial = Trial { requests, ..Trial::default() };
        trial.params.insert("cache".into(), "cold".into());
        warnings(&trial).into_iter().find(|note| note.contains("in its cache"))
    }

    #[test]
    fn caches_on_a_cold_run() {
        let request = |turn, prompt_tokens, cached_tokens| Request {
            turn,
            chunks_ns: vec![1],
            prompt_usage: Some(62),
            prompt_tokens,
            cached_tokens: Some(cached_tokens),
            ..Request::default()
        };
        let template = told(vec![request(0, Some(32), 16)]).unwrap();
        assert!(template.contains("25.8 %") && template.contains("16 a prompt, no more than"), "{template}");
        let shared = told(vec![request(0, Some(32), 16), request(0, Some(32), 48)]).unwrap();
        assert!(shared.contains("though every prompt is new"), "{shared}");
        // Later turns repeat the ones before: that is what a cache is for.
        assert_eq!(told(vec![request(0, Some(62), 0), request(1, None, 60)]), None);
    }
}
