//! One item asked of a backend.

use super::battery::{Ask, Question};
use crate::BenchError;
use pacemark_backend::{Backend, Event, GenerateRequest, ScoreRequest, TokenId};
use pacemark_record::{Answer, Choices, Item, Outcome};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// What a backend makes of an item.
pub(super) fn ask(
    backend: &dyn Backend,
    question: &Question,
    kv: &str,
    stop: &AtomicBool,
) -> Result<Item, BenchError> {
    let started = Instant::now();
    let (n_prompt, outcome) = match &question.ask {
        Ask::Choices { context, choices, n_chars, gold } => {
            let logprobs = likelihoods(backend, context, choices, kv)?;
            let (n_chars, gold) = (n_chars.clone(), *gold as u64);
            (context.len(), Outcome::Choices(Choices { logprobs, n_chars, gold }))
        }
        Ask::Answer { prompt, kv_prompt, max_tokens, expected } => {
            let request = GenerateRequest {
                prompt: prompt.clone(),
                max_tokens: *max_tokens,
                kv: Some(kv.to_owned()),
                kv_prompt: Some(*kv_prompt),
                ..GenerateRequest::default()
            };
            (prompt.len(), Outcome::Answer(generate(backend, request, expected, stop)?))
        }
    };
    Ok(Item {
        id: question.id.clone(),
        depth: question.depth,
        n_prompt: n_prompt as u64,
        elapsed_ns: started.elapsed().as_nanos() as u64,
        outcome,
    })
}

/// The sum of the log-probabilities of each choice. A policy that works when a prompt ends does so
/// at the end of the context.
fn likelihoods(
    backend: &dyn Backend,
    context: &[TokenId],
    choices: &[Vec<TokenId>],
    kv: &str,
) -> Result<Vec<f64>, BenchError> {
    let request = |choice: &Vec<TokenId>| ScoreRequest {
        tokens: [context, choice].concat(),
        first: context.len() - 1,
        kv: Some(kv.to_owned()),
        n_prompt: Some(context.len()),
    };
    let requests: Vec<ScoreRequest> = choices.iter().map(request).collect();
    let scores = backend.score_texts(&requests)?;
    let sum = |(choice, logprobs): (&Vec<TokenId>, &Vec<f32>)| {
        let (expected, found) = (choice.len(), logprobs.len());
        if expected != found {
            return Err(BenchError::TooFewTokens { expected, found });
        }
        Ok(logprobs.iter().map(|logprob| f64::from(*logprob)).sum())
    };
    choices.iter().zip(scores.iter().map(|scores| &scores.logprobs)).map(sum).collect()
}

/// Generates until all answers are there, which no further token could change.
fn generate(
    backend: &dyn Backend,
    request: GenerateRequest,
    expected: &[String],
    stop: &AtomicBool,
) -> Result<Answer, BenchError> {
    let mut answer = Answer { output: String::new(), expected: expected.to_vec() };
    for event in backend.generate(request) {
        match event {
            Event::Token { text, .. } => {
                answer.output += &text;
                if answer.recall() == 1.0 {
                    break;
                }
            }
            Event::Failed(error) => return Err(error.into()),
            Event::Queued { .. }
            | Event::Started { .. }
            | Event::Prefill { .. }
            | Event::Finished { .. } => {}
        }
        if stop.load(Relaxed) {
            return Err(BenchError::Interrupted);
        }
    }
    Ok(answer)
}
