//! What a reader of a load's figures must know before believing them.

use pacemark_record::{Request, SteadyVerdict, Trial, stats};

/// Above this share of a processor the client may be what is measured.
pub const BUSY: f64 = 0.8;

/// A timer this late, at its 99th percentile, makes sends late too. The runtime's timers tick in
/// milliseconds.
const LATE_NS: f64 = 10e6;

/// A cold cache that gives back more than this share of prompt tokens is not cold.
const CACHED: f64 = 0.01;

/// Sentences, none where all is well.
pub fn warnings(trial: &Trial) -> Vec<String> {
    let mut found = Vec::new();
    let n = trial.requests().len();
    let answered = trial.answered().count();
    let n_cut = trial.load().map_or(0, |load| load.cut_requests);
    if n_cut > 0 {
        let requests = if n_cut == 1 { "request" } else { "requests" };
        found.push(format!("interrupted: {n_cut} {requests} in flight given up and not counted"));
    }
    if trial.params.get("insecure").is_some_and(|insecure| insecure == true) {
        found.push(
            "the server's certificate was not checked (--insecure): another may have answered"
                .to_owned(),
        );
    }
    for (kind, (count, example)) in trial.failures() {
        found.push(format!("{count} of {n} requests failed: {}, e.g. {example}", kind.name()));
    }
    let resent = trial.requests().iter().filter(|request| request.resent_ns.is_some()).count();
    if resent > 0 {
        found.push(format!(
            "{resent} of {n} requests were sent once more, on a new connection: the server had closed theirs without a byte of an \
             answer; their times hold what that took (--connections fresh avoids it)"
        ));
    }
    let disagreement = trial.disagreement();
    if disagreement.wanted > 0 {
        let n = disagreement.wanted;
        found.push(format!(
            "{n} of {answered} answers have another number of tokens (by usage) than asked for"
        ));
    }
    if disagreement.tokenizer > 0 {
        let n = disagreement.tokenizer;
        found.push(format!(
            "{n} of {answered} answers have another number of tokens by usage than by the tokenizer"
        ));
    }
    if disagreement.prompt > 0 {
        found.push(format!(
            "{} of {answered} prompts have fewer tokens by usage than were sent",
            disagreement.prompt
        ));
    }
    let whole = trial.answered().filter(|request| request.whole).count();
    if whole > 0 && trial.params.get("stream").is_some_and(|stream| stream == true) {
        found.push(format!(
            "{whole} of {answered} answers came whole, though streams were asked for: no time to first token"
        ));
    }
    if answered > whole && !trial.chunks_are_tokens() {
        let why = match trial.token_source().name() {
            "chunks" => "nothing but chunks counted the tokens".to_owned(),
            source => format!(
                "{} of {answered} answers have not one token a chunk, by {source}",
                disagreement.chunks
            ),
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
    let told: Vec<(u64, &Request)> = trial
        .answered()
        .filter(|r| r.turn == 0)
        .filter_map(|r| Some((r.cached_tokens?, r)))
        .collect();
    let prompts: u64 = told.iter().filter_map(|(_, request)| request.prompt_usage).sum();
    let share = told.iter().map(|(cached, _)| cached).sum::<u64>() as f64 / prompts.max(1) as f64;
    if share <= CACHED {
        return None;
    }
    let found =
        format!("the server found {:.1} % of the prompt tokens in its cache", share * 100.0);
    // What is sent besides the text is the template's, and the same every time.
    let added =
        |request: &Request| Some(request.prompt_usage?.saturating_sub(request.prompt_tokens?));
    // Where not every prompt was counted, it adds to the others what it adds to those that were.
    let least = told.iter().filter_map(|(_, request)| added(request)).min();
    let of_template = told
        .iter()
        .all(|(cached, request)| added(request).or(least).is_some_and(|added| *cached <= added));
    Some(if of_template {
        let most = told.iter().map(|(cached, _)| *cached).max().unwrap_or(0);
        format!(
            "{found}: {most} a prompt, no more than the chat template adds; --endpoint completions has none"
        )
    } else {
        format!(
            "{found}, though every prompt is new: an earlier run or a prefix is shared, and times are too good"
        )
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
    let Some(load) = trial.load() else { return found };
    let Some(client) = &load.client else { return found };
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
    if let Some(lag) =
        p99(client.lag_ns.iter().map(|ns| *ns as f64).collect()).filter(|lag| *lag > LATE_NS)
    {
        found.push(format!(
            "the client's timers fired {:.0} ms late (p99): it is too busy to be believed",
            lag / 1e6
        ));
    }
    if load.unsent_requests > 0 {
        found.push(format!(
            "{} requests were due and never sent, since --max-in-flight held them back until the end: no limit counts as kept for them",
            load.unsent_requests
        ));
    }
    let held = trial.requests().iter().filter(|request| request.held_back).count();
    if held > 0 {
        found.push(format!(
            "{held} of {} requests were held back by --max-in-flight: the load was less than asked for",
            trial.requests().len()
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::{Client, Measured, Requests};

    fn told(requests: Vec<Request>) -> Option<String> {
        let mut trial = Trial { measured: requests.into(), ..Trial::default() };
        trial.params.insert("cache".into(), "cold".into());
        warnings(&trial).into_iter().find(|note| note.contains("in its cache"))
    }

    #[test]
    fn a_client_that_cannot_be_believed_says_so() {
        let said = |cpu_ns, lag_ms: u64, requests: Vec<Request>| {
            let lag_ns = vec![lag_ms * 1_000_000; 299];
            let client = Client { cpu_ns, wall_ns: 1_000_000_000, lag_ns, ..Client::default() };
            let load = Requests { client: Some(client), requests, ..Requests::default() };
            let trial = Trial { measured: Measured::Requests(load), ..Trial::default() };
            super::client(&trial).join("; ")
        };
        assert_eq!(said(500_000_000, 2, vec![Request::default()]), "");
        assert!(
            said(900_000_000, 2, Vec::new())
                .contains("90 % of a processor: it may be what is measured")
        );
        assert!(said(0, 20, Vec::new()).contains("timers fired 20 ms late (p99)"));
        let held = Request { held_back: true, ..Request::default() };
        assert!(
            said(0, 0, vec![held, Request::default()]).contains("1 of 2 requests were held back")
        );
    }

    #[test]
    fn counts_that_disagree_are_told() {
        let request = Request {
            chunks_ns: vec![1, 2, 3],
            output_usage: Some(4),
            output_wanted: Some(5),
            output_tokenized: Some(3),
            prompt_usage: Some(7),
            prompt_tokens: Some(8),
            ..Request::default()
        };
        let mut trial =
            Trial { measured: vec![request.clone(), request].into(), ..Trial::default() };
        let said = warnings(&trial).join("; ");
        for part in [
            "2 of 2 answers have another number of tokens (by usage) than asked for",
            "2 of 2 answers have another number of tokens by usage than by the tokenizer",
            "2 of 2 prompts have fewer tokens by usage than were sent",
            "2 of 2 answers have not one token a chunk, by usage: gaps are between chunks (ICL)",
        ] {
            assert!(said.contains(part), "{said}");
        }
        for request in &mut trial.load_mut().unwrap().requests {
            (request.output_usage, request.output_tokenized) = (Some(3), Some(3));
            (request.output_wanted, request.prompt_usage) = (Some(3), Some(8));
        }
        let said = warnings(&trial).join("; ");
        assert!(!said.contains(" of 2 "), "{said}");
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
        assert!(
            template.contains("25.8 %") && template.contains("16 a prompt, no more than"),
            "{template}"
        );
        let shared = told(vec![request(0, Some(32), 16), request(0, Some(32), 48)]).unwrap();
        assert!(shared.contains("though every prompt is new"), "{shared}");
        let uncounted = told(vec![request(0, Some(32), 16), request(0, None, 30)]).unwrap();
        assert!(uncounted.contains("no more than"), "{uncounted}");
        assert!(
            told(vec![request(0, Some(32), 16), request(0, None, 31)])
                .unwrap()
                .contains("though every prompt")
        );
        // Later turns repeat the ones before: that is what a cache is for.
        assert_eq!(told(vec![request(0, Some(62), 0), request(1, None, 60)]), None);
    }
}
