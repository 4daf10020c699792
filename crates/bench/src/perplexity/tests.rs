//! Which tokens are scored, and when it ends.

use super::*;
use crate::Warmups;
use crate::{Repetitions, Silent};
use pacemark_backend::{
    Backend, BackendError, BackendInfo, Capabilities, EventStream, GenerateRequest, TokenId,
};
use pacemark_record::Until;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Gives token t the log-probability −t / 10, and checks what it is asked.
struct Scorer {
    bos: Option<TokenId>,
}

impl Backend for Scorer {
    fn info(&self) -> BackendInfo {
        BackendInfo { bos: self.bos, ..BackendInfo::default() }
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { score: true, ..Capabilities::default() }
    }
    fn generate(&self, _: GenerateRequest) -> EventStream<'_> {
        unreachable!("perplexity only scores")
    }
    fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
        assert_eq!(self.bos.unwrap_or(tokens[0]), tokens[0]);
        Ok(tokens[first + 1..].iter().map(|&t| -(t as f32) / 10.0).collect())
    }
}

fn run(tokens: &[TokenId], n_ctx: usize, max_chunks: Option<usize>) -> Result<Scores, BenchError> {
    measured(tokens, n_ctx, max_chunks, None, &AtomicBool::new(false)).map_err(|cut| cut.error)
}

fn measured(
    tokens: &[TokenId],
    n_ctx: usize,
    max_chunks: Option<usize>,
    until: Option<Until>,
    stop: &AtomicBool,
) -> Result<Scores, CutShort> {
    let case = Case::Chunks(Chunks { n_ctx, max_chunks, ..Chunks::default() });
    let backend = Scorer { bos: Some(0) };
    let text = Text { backend: &backend, tokens, n_bytes: &|t| t as usize };
    let mut how = How {
        repetitions: Repetitions { least: 1, until },
        warmup: Warmups::None,
        seed: 0,
        observer: &mut Silent,
        stop,
    };
    let trials = Perplexity.measure(&case, &mut Subject::Text(text), &mut how)?;
    Ok(trials[0].scores().unwrap().clone())
}

#[test]
fn the_second_half_of_each_chunk_is_scored() {
    // Chunks of 6: scored are the tokens 4 and 5 of each, so 5, 7 and 9, 11 tenths; the rest of
    // one token is left out.
    let tokens = [1, 1, 1, 1, 5, 7, 1, 1, 1, 1, 9, 11, 3];
    let scores = run(&tokens, 6, None).unwrap();
    let logprobs: Vec<&[f32]> = scores.chunks.iter().map(|chunk| &chunk.logprobs[..]).collect();
    assert_eq!(logprobs, [[-0.5, -0.7], [-0.9, -1.1]]);
    assert_eq!((scores.n_computed(), scores.n_bytes(), scores.n_chunks), (10, 32, 2));
    assert_eq!(run(&tokens, 6, Some(1)).unwrap().chunks.len(), 1);
}

#[test]
fn chunks_end_when_the_perplexity_is_known() {
    let until = |relative| Some(Until { relative, max_time: Duration::MAX });
    let running = AtomicBool::new(false);
    let alike = |until| measured(&[3; 48], 4, None, until, &running).unwrap().chunks.len();
    assert_eq!(alike(until(0.02)), 5, "five chunks make an interval, of no width here");
    let none = Some(Until { relative: 1e-9, max_time: Duration::ZERO });
    assert_eq!((alike(none), alike(None)), (1, 12));
}

#[test]
fn what_cannot_be_measured() {
    assert_eq!(run(&[1; 5], 6, None), Err(BenchError::TextTooShort { found: 5, n_ctx: 6 }));
    assert_eq!(run(&[1; 50], 7, None), Err(BenchError::ChunkLength(7)));
    assert_eq!(run(&[1; 50], 2, None), Err(BenchError::ChunkLength(2)));
    let cut = measured(&[1; 8], 4, None, None, &AtomicBool::new(true)).unwrap_err();
    assert!(cut.error == BenchError::Interrupted && cut.partial.is_empty());
}
