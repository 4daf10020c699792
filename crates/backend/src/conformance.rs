//! The suite that every backend must pass, whatever it runs.

use crate::{Backend, BackendError, Event, GenerateRequest, ScoreRequest, TokenId};
use std::ops::ControlFlow;

/// Checks `backend` against the contract of [`Backend`]; the error says what was expected and
/// found.
pub fn check(backend: &dyn Backend) -> Result<(), String> {
    order_and_counts(backend)?;
    prompt_only(backend)?;
    greedy_is_deterministic(backend)?;
    refusals(backend)?;
    a_full_house(backend)?;
    dropping_aborts(backend)?;
    batches(backend)?;
    policies(backend)?;
    scores(backend)?;
    logits(backend)
}

fn request(n_prompt: usize, max_tokens: usize) -> GenerateRequest {
    let prompt = (0..n_prompt).map(|i| (i % 50 + 1) as TokenId).collect();
    GenerateRequest { prompt, max_tokens, ignore_eos: true, ..GenerateRequest::default() }
}

fn expect(condition: bool, what: &str) -> Result<(), String> {
    if condition { Ok(()) } else { Err(what.to_string()) }
}

/// Queued, Started, the tokens, Finished; stamps never go back; usage counts what was seen.
fn order_and_counts(backend: &dyn Backend) -> Result<(), String> {
    let top_logprobs = backend.capabilities().logprobs.then_some(3);
    let events: Vec<Event> =
        backend.generate(GenerateRequest { top_logprobs, ..request(5, 4) }).collect();
    let [
        Event::Queued { at: queued },
        Event::Started { at: started, .. },
        tokens @ ..,
        Event::Finished { usage, at: finished, .. },
    ] = &events[..]
    else {
        return Err(format!("expected Queued, Started, tokens, Finished; found {events:?}"));
    };
    let mut last = *started;
    expect(queued <= started, "Queued is stamped after Started")?;
    for (i, token) in tokens.iter().enumerate() {
        let Event::Token { at, top, logprob, last: is_last, .. } = token else {
            return Err(format!("expected a token, found {token:?}"));
        };
        expect(*at >= last, "a token is stamped before its predecessor")?;
        expect(
            *is_last == (i + 1 == tokens.len()),
            "not the last token, and only it, is said to be the last",
        )?;
        if backend.capabilities().logprobs {
            expect(logprob.is_some_and(|l| l <= 0.0), "a log-probability is absent or positive")?;
            expect(
                top.len() == 3 && top.is_sorted_by(|a, b| a.1 >= b.1),
                "alternatives are not the three best in order",
            )?;
        }
        last = *at;
    }
    expect(*finished >= last, "Finished is stamped before the last token")?;
    expect(
        usage.prompt_tokens == 5 && usage.output_tokens == tokens.len() && tokens.len() == 4,
        "usage disagrees with the events",
    )
}

/// No token is asked for: the prompt is computed and the stream ends.
fn prompt_only(backend: &dyn Backend) -> Result<(), String> {
    let events: Vec<Event> = backend.generate(request(5, 0)).collect();
    expect(
        matches!(events[..], [Event::Queued { .. }, Event::Started { .. }, Event::Finished { .. }]),
        "max_tokens 0 gave tokens",
    )
}

/// The same request gives the same ids, with or without a kept prefix.
fn greedy_is_deterministic(backend: &dyn Backend) -> Result<(), String> {
    let ids = |r: GenerateRequest| ids(backend.generate(r));
    let plain = ids(request(9, 6));
    expect(plain == ids(request(9, 6)), "the same request gave other ids")?;
    for round in 0..2 {
        let kept = ids(GenerateRequest { reuse_prefix: true, ..request(9, 6) });
        expect(plain == kept, &format!("reusing a prefix changed the ids in round {round}"))?;
    }
    Ok(())
}

/// Requests that cannot be served fail with an event, and the backend still works.
fn refusals(backend: &dyn Backend) -> Result<(), String> {
    let info = backend.info();
    let last = |r: GenerateRequest| backend.generate(r).last();
    expect(
        matches!(last(request(0, 1)), Some(Event::Failed(BackendError::InvalidRequest(_)))),
        "an empty prompt was not refused as invalid",
    )?;
    for (n_prompt, max_tokens) in [(info.n_ctx + 1, 1), (5, info.n_ctx)] {
        let refused = matches!(
            last(request(n_prompt, max_tokens)),
            Some(Event::Failed(
                BackendError::ContextExceeded { .. } | BackendError::TooLong { .. }
            ))
        );
        expect(refused, "more than the context holds was not refused as too long")?;
    }
    let events: Vec<Event> = backend.generate(request(2, 1)).collect();
    expect(matches!(events.last(), Some(Event::Finished { .. })), "after a refusal nothing works")
}

/// Who comes when all sequences are under way waits, or is told that there is no room now; it does
/// not hurt the others, and afterwards there is room.
fn a_full_house(backend: &dyn Backend) -> Result<(), String> {
    let mut streams: Vec<_> =
        (0..backend.info().n_seqs).map(|_| backend.generate(request(3, 4))).collect();
    for stream in &mut streams {
        let begun = stream.by_ref().take(3).all(|event| !matches!(event, Event::Failed(_)));
        expect(begun, "fewer sequences at once than n_seqs says")?;
    }
    let one_more = backend.generate(request(3, 4)).last();
    expect(
        matches!(one_more, Some(Event::Finished { .. } | Event::Failed(BackendError::Full(_)))),
        &format!("one more than there is room for ended with {one_more:?}"),
    )?;
    for stream in streams {
        expect(
            matches!(stream.last(), Some(Event::Finished { .. })),
            "one too many hurt the others",
        )?;
    }
    let last = backend.generate(request(3, 4)).last();
    expect(matches!(last, Some(Event::Finished { .. })), "there is no room when all have ended")
}

/// A dropped stream leaves nothing behind.
fn dropping_aborts(backend: &dyn Backend) -> Result<(), String> {
    let before = backend.memory().map(|m| m.kv_used_bytes);
    drop(backend.generate(request(5, 50)).take(4).collect::<Vec<_>>());
    expect(backend.memory().map(|m| m.kv_used_bytes) <= before, "a dropped stream kept its KV")
}

/// Requests computed together give, each in the order of a single stream, the ids of single
/// requests; one that is refused does not concern the others; a dropped batch leaves nothing
/// behind.
fn batches(backend: &dyn Backend) -> Result<(), String> {
    let n_seqs = backend.info().n_seqs.min(3);
    let requests: Vec<_> = (0..n_seqs).map(|i| request(5 + 4 * i, 6 - i)).collect();
    if !backend.capabilities().batch {
        let events: Vec<_> = backend.generate_batch(requests).collect();
        let refused =
            |e: &(usize, Event)| matches!(e.1, Event::Failed(BackendError::Unsupported { .. }));
        return expect(
            events.len() == n_seqs && events.iter().all(refused),
            "an ability that is denied was not refused",
        );
    }
    let before = backend.memory().map(|m| m.kv_used_bytes);
    drop(backend.generate_batch(requests.clone()).take(3 * n_seqs).collect::<Vec<_>>());
    expect(backend.memory().map(|m| m.kv_used_bytes) <= before, "a dropped batch kept its KV")?;
    let mut with_refused = requests.clone();
    with_refused.insert(1, request(0, 1));
    let events: Vec<_> = backend.generate_batch(with_refused).collect();
    for (i, alone) in requests.into_iter().enumerate() {
        let index = if i == 0 { 0 } else { i + 1 };
        let of_request = || events.iter().filter(|(of, _)| *of == index).map(|(_, event)| event);
        let kinds: String = of_request().map(letter).collect();
        let expected = format!("QS{}F", "T".repeat(alone.max_tokens));
        expect(
            kinds == expected,
            &format!("request {index} of a batch: expected {expected}, found {kinds}"),
        )?;
        let single = ids(backend.generate(alone));
        let batched = ids(of_request().cloned());
        expect(
            single == batched,
            &format!("request {index} of a batch gave {batched:?}, alone {single:?}"),
        )?;
    }
    let refused: Vec<_> = events.iter().filter(|(of, _)| *of == 1).collect();
    expect(
        matches!(refused[..], [(_, Event::Failed(_))]),
        "a bad request of a batch was not refused alone",
    )
}

fn ids(events: impl Iterator<Item = Event>) -> Vec<TokenId> {
    events.filter_map(|e| if let Event::Token { id, .. } = e { Some(id) } else { None }).collect()
}

/// One for each kind of event; none for progress, which may or may not come.
fn letter(event: &Event) -> &'static str {
    match event {
        Event::Queued { .. } => "Q",
        Event::Started { .. } => "S",
        Event::Prefill { .. } => "",
        Event::Token { .. } => "T",
        Event::Finished { .. } => "F",
        Event::Failed(_) => "X",
    }
}

/// A policy that keeps everything changes nothing; one that nobody knows is refused, and so is any
/// where there are none.
fn policies(backend: &dyn Backend) -> Result<(), String> {
    let with = |kv: &str| {
        let request = GenerateRequest { kv: Some(kv.into()), ..request(5, 3) };
        backend.generate(request).collect::<Vec<_>>()
    };
    expect(
        ids(with("full").into_iter()) == ids(backend.generate(request(5, 3))),
        "`full` is not the same as no policy",
    )?;
    expect(matches!(with("no-such:4")[..], [Event::Failed(_)]), "an unknown policy is taken")?;
    let kept = with("recent:64");
    match kept.last() {
        Some(Event::Finished { .. }) if backend.capabilities().kv_policies => expect(
            ids(kept.into_iter()) == ids(backend.generate(request(5, 3))),
            "with room for everything a policy changes something",
        ),
        Some(Event::Failed(BackendError::Unsupported { .. }))
            if !backend.capabilities().kv_policies =>
        {
            Ok(())
        }
        other => Err(format!("policies and capabilities() disagree: {other:?}")),
    }
}

/// Logits of each row, over the whole vocabulary, whose probabilities are those of the scores.
fn logits(backend: &dyn Backend) -> Result<(), String> {
    let text = ScoreRequest { tokens: request(9, 0).prompt, first: 4, ..ScoreRequest::default() };
    let mut rows: Vec<(usize, Vec<f32>)> = Vec::new();
    let result = backend.predict(&text, &mut |i, logits| {
        rows.push((i, logits.to_vec()));
        ControlFlow::Continue(())
    });
    match result {
        Err(BackendError::Unsupported { .. }) if !backend.capabilities().logits => return Ok(()),
        Ok(()) if backend.capabilities().logits => {}
        other => return Err(format!("predict() and capabilities() disagree: {other:?}")),
    }
    let n_vocab = backend.info().vocab_size;
    expect(
        rows.iter().map(|(i, _)| *i).eq(4..8) && rows.iter().all(|(_, row)| row.len() == n_vocab),
        "predict() gave other rows than the four that were asked for",
    )?;
    let scores = backend.score(&text.tokens, 4).map_err(|error| error.to_string())?;
    for ((i, row), score) in rows.iter().zip(scores) {
        let sum: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
        let own = f64::from(row[text.tokens[i + 1] as usize]) - sum.ln();
        let said = format!("predict() has {own} after token {i}, score() {score}");
        expect((own - f64::from(score)).abs() < 1e-3, &said)?;
    }
    let mut n_rows = 0;
    let ended = backend.predict(&text, &mut |_, _| {
        n_rows += 1;
        ControlFlow::Break(())
    });
    expect(ended.is_ok() && n_rows == 1, "predict() went on after it was told to end")
}

/// As many scores as promised, all log-probabilities; or a refusal that names the ability.
fn scores(backend: &dyn Backend) -> Result<(), String> {
    match backend.score(&request(9, 0).prompt, 4) {
        Ok(scores) if backend.capabilities().score => expect(
            scores.len() == 4 && scores.iter().all(|s| *s <= 0.0),
            "score() gave other than four log-probabilities",
        ),
        Err(BackendError::Unsupported { .. }) if !backend.capabilities().score => Ok(()),
        other => Err(format!("score() and capabilities() disagree: {other:?}")),
    }
}
