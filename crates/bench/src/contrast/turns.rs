//! One run in which several backends were measured in turn, as two sides.

use super::{Pairing, Sides, Source};
use pacemark_record::{Run, Trial};

/// The first of each test against the one of turn `turn`, of every source; `None` where a source has
/// no such rows. Of one source repetitions are pairs, of several runs are: their repetitions share
/// the state of a machine.
pub fn turns(sources: &[Source], turn: u64) -> Option<Sides> {
    let of = |turn: u64| -> Option<Vec<Source>> {
        let side = |source: &Source| {
            let trials = in_turn(&source.run, turn);
            let backend = &trials.first()?.model.backend;
            let name = format!("{} {backend} ({})", source.name, turn + 1);
            Some(Source { name, run: Run { trials, ..source.run.clone() } })
        };
        sources.iter().map(side).collect()
    };
    let (base, new) = (of(0)?, of(turn)?);
    let pairing = if sources.len() == 1 { Pairing::Repetitions } else { Pairing::Runs };
    Some(Sides { base, new, pairing })
}

/// The rows of that turn, of tests that have others.
fn in_turn(run: &Run, turn: u64) -> Vec<Trial> {
    let groups = run.trials.chunk_by(|_, next| next.turn > 0).filter(|group| group.len() > 1);
    groups.flat_map(|group| group.iter().filter(|trial| trial.turn == turn)).cloned().collect()
}
