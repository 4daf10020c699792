//! The reference of a distance: a backend that predicts beside the candidate, or what it predicted
//! before it was closed.

use crate::BenchError;
use pacemark_backend::{Backend, BackendInfo, ScoreRequest};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whose predictions the candidate's are compared with.
#[derive(Clone, Copy)]
pub enum Reference<'a> {
    /// A loaded model, which predicts chunk after chunk.
    Live(&'a dyn Backend),
    /// What one has predicted.
    Known(&'a Predictions),
}

impl Reference<'_> {
    /// What it is.
    pub(super) fn info(&self) -> BackendInfo {
        match self {
            Reference::Live(backend) => backend.info(),
            Reference::Known(known) => known.info.clone(),
        }
    }
}

/// Logits of chunks, and of whom.
#[derive(Debug)]
pub struct Predictions {
    info: BackendInfo,
    chunks: Vec<Vec<f32>>,
}

impl Predictions {
    /// Those of a backend on all chunks; `done(chunks)` is told after each.
    ///
    /// Memory: four bytes for each token of the vocabulary and each scored token.
    pub fn of(
        backend: &dyn Backend,
        chunks: &[ScoreRequest],
        stop: &AtomicBool,
        done: &mut dyn FnMut(usize),
    ) -> Result<Predictions, BenchError> {
        let mut predicted = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let mut logits = Vec::new();
            predict(backend, chunk, stop, &mut logits)?;
            predicted.push(logits);
            done(predicted.len());
        }
        Ok(Predictions { info: backend.info(), chunks: predicted })
    }

    /// Rows of one chunk, one after the other.
    pub(super) fn chunk(&self, i: usize) -> &[f32] {
        self.chunks.get(i).map_or(&[], |chunk| chunk)
    }
}

/// Writes the logits of a chunk's scored tokens to `into`, row after row.
pub(super) fn predict(
    backend: &dyn Backend,
    chunk: &ScoreRequest,
    stop: &AtomicBool,
    into: &mut Vec<f32>,
) -> Result<(), BenchError> {
    into.clear();
    let mut stopped = false;
    backend.predict(chunk, &mut |_, logits| {
        into.extend_from_slice(logits);
        stopped = stop.load(Relaxed);
        if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if stopped { Err(BenchError::Interrupted) } else { Ok(()) }
}
