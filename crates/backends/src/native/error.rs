//! The kinds that errors of the engine and of the scheduler have for whoever asked.

use pacemark_backend::BackendError;
use pacemark_engine::{EngineError, KV_BLOCK};
use pacemark_sched::AddError;

/// A forward pass failed.
pub(super) fn of_engine(error: EngineError) -> BackendError {
    let found = error.to_string();
    match error {
        EngineError::KvFull { .. } => BackendError::Full(found),
        EngineError::Positions { n_positions, .. } => {
            BackendError::TooLong { found, n_ctx: n_positions }
        }
        EngineError::Token { .. } => BackendError::InvalidRequest(found),
        _ => BackendError::Engine(found),
    }
}

/// The scheduler does not take a request.
pub(super) fn of_scheduler(error: AddError) -> BackendError {
    let found = error.to_string();
    match error {
        AddError::TooLong { n_blocks, .. } => {
            BackendError::TooLong { found, n_ctx: n_blocks * KV_BLOCK }
        }
        AddError::Empty => BackendError::InvalidRequest(found),
        AddError::Exists(_) => BackendError::Engine(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_keeps_its_kind_and_words() {
        let full = of_engine(EngineError::KvFull { n_blocks: 3 });
        assert_eq!(
            full,
            BackendError::Full("the KV cache is full: all 3 blocks are in use".into())
        );
        let long = of_engine(EngineError::Positions { n_tokens: 9, n_positions: 8 });
        assert!(matches!(&long, BackendError::TooLong { n_ctx: 8, found } if found.contains('9')));
        let foreign = of_engine(EngineError::Token { token: 7, n_vocab: 5 });
        assert!(matches!(foreign, BackendError::InvalidRequest(_)));
        let broken = of_engine(EngineError::Threads(std::io::ErrorKind::Other.into()));
        assert!(matches!(broken, BackendError::Engine(_)));
        let long = of_scheduler(AddError::TooLong { needed: 3, n_blocks: 2 });
        assert!(matches!(long, BackendError::TooLong { n_ctx, .. } if n_ctx == 2 * KV_BLOCK));
        assert!(matches!(of_scheduler(AddError::Empty), BackendError::InvalidRequest(_)));
        assert!(matches!(of_scheduler(AddError::Exists(1)), BackendError::Engine(_)));
    }
}
