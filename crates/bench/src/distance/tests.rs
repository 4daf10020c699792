//! Which rows are compared, and what cannot be.

use super::*;
use crate::Warmups;
use crate::{Repetitions, Silent};
use pacemark_backend::{Backend, BackendError, Capabilities, EventStream, GenerateRequest};

/// Predicts a vocabulary of `n_vocab`: `scale` times the distance of a token's number from the last
/// token's.
struct Predictor {
    n_vocab: usize,
    scale: f32,
}

const SHARP: Predictor = Predictor { n_vocab: 8, scale: -1.0 };
const BLUNT: Predictor = Predictor { n_vocab: 8, scale: -0.5 };

impl Backend for Predictor {
    fn info(&self) -> BackendInfo {
        BackendInfo { bos: Some(0), model_type: "tiny".into(), ..BackendInfo::default() }
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { logits: true, ..Capabilities::default() }
    }
    fn generate(&self, _: GenerateRequest) -> EventStream<'_> {
        unreachable!("a distance only predicts")
    }
    fn predict(
        &self,
        request: &ScoreRequest,
        row: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        assert_eq!(request.tokens[0], 0, "BOS");
        for i in request.first..request.tokens.len() - 1 {
            let last = request.tokens[i] as f32;
            let logits = (0..self.n_vocab).map(|t| self.scale * (t as f32 - last).abs());
            if row(i, &logits.collect::<Vec<_>>()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn measured(
    reference: Reference<'_>,
    candidate: &Predictor,
    kv: Option<&str>,
    stop: bool,
) -> Result<Vec<Trial>, CutShort> {
    let tokens: Vec<TokenId> = (0..22).map(|i| i % 7).collect();
    let case = Case::Distance(Box::new(apartness(kv)));
    let text = Text { backend: candidate, tokens: &tokens, n_bytes: &|t| t as usize };
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut Silent,
        stop: &AtomicBool::new(stop),
    };
    Distance.measure(&case, &mut Subject::Pair(reference, text), &mut how)
}

fn apartness(kv: Option<&str>) -> Apartness {
    Apartness {
        chunks: Chunks { n_ctx: 6, ..Chunks::default() },
        kv: kv.map(str::to_owned),
        ..Apartness::default()
    }
}

#[test]
fn the_second_half_of_each_chunk_is_compared() {
    let trials = measured(Reference::Live(&SHARP), &BLUNT, None, false).unwrap();
    let found = trials[0].distances().unwrap();
    // Three chunks of six tokens, of which two are scored; the rest of four is left out. The tokens
    // are 4 after 3 and 5 after 4, and so on round 7.
    assert_eq!(
        (found.n_scored(), found.candidate.n_bytes(), found.candidate.n_tokens),
        (6, 21, 22)
    );
    let one = divergence(
        &(0..8).map(|t| -(t as f32 - 3.0).abs()).collect::<Vec<_>>(),
        &(0..8).map(|t| -0.5 * (t as f32 - 3.0).abs()).collect::<Vec<_>>(),
        4,
    );
    let one = one.unwrap();
    assert_eq!(found.apart[0].kld[0], one.kld as f32);
    assert_eq!(found.candidate.chunks[0].logprobs[0], one.candidate as f32);
    assert_eq!(found.reference.chunks[0].logprobs[0], one.reference as f32);
    assert!(found.apart.iter().all(|apart| apart.same_top == [true, true]));
    assert!(one.kld > 0.1);
}

#[test]
fn predictions_that_were_kept_are_as_good() {
    let tokens: Vec<TokenId> = (0..22).map(|i| i % 7).collect();
    let requests = apartness(None).requests(&tokens, Some(0), None).unwrap();
    let known = Predictions::of(&SHARP, &requests, &AtomicBool::new(false), &mut |_| {}).unwrap();
    let of = |reference| {
        let trials = measured(reference, &BLUNT, None, false).unwrap();
        trials[0].distances().unwrap().apart.clone()
    };
    assert_eq!(of(Reference::Known(&known)), of(Reference::Live(&SHARP)));
    let itself = measured(Reference::Known(&known), &SHARP, None, false).unwrap();
    assert!(itself[0].distances().unwrap().klds().iter().all(|kld| *kld == 0.0));
}

#[test]
fn a_policy_is_the_candidates_and_the_first_half_its_prompt() {
    let tokens: Vec<TokenId> = (0..12).collect();
    let asked = apartness(Some("recent:4")).requests(&tokens, None, Some("recent:4")).unwrap();
    assert_eq!((asked.len(), asked[0].first, asked[0].n_prompt), (2, 3, Some(3)));
    let trials = measured(Reference::Live(&SHARP), &BLUNT, Some("recent:4"), false).unwrap();
    assert_eq!(trials[0].params["kv"], "recent:4");
    assert_eq!(trials[0].params["reference_type"], "tiny");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let small = Predictor { n_vocab: 7, scale: 1.0 };
    let error = measured(Reference::Live(&SHARP), &small, None, false).unwrap_err().error;
    assert_eq!(error, BenchError::Vocabulary { expected: 8, found: 7 });
    let broken = Predictor { n_vocab: 8, scale: f32::NAN };
    let error = measured(Reference::Live(&SHARP), &broken, None, false).unwrap_err().error;
    assert_eq!(error, BenchError::NotFinite { token: 0 });
    let stopped = measured(Reference::Live(&SHARP), &BLUNT, None, true).unwrap_err();
    assert_eq!((stopped.partial.len(), stopped.error), (0, BenchError::Interrupted));
}
