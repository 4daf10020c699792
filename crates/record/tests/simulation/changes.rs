//! Histories of runs: levels that are not there, and one that is.

use crate::draw::Draw;
use crate::{QUICK, percent, share};
use pacemark_record::stats::{CHANGE_CONFIDENCE, change_points};

fn series(draw: &mut Draw, n: usize) -> Vec<f64> {
    draw.list(n, |draw| 100.0 + 2.0 * draw.normal())
}

#[test]
fn a_level_is_seldom_seen_where_none_is() {
    for n in [10, 20, 50] {
        let seen =
            share(QUICK, |draw| !change_points(&series(draw, n), CHANGE_CONFIDENCE).is_empty());
        println!("{n} runs: called in {} %", percent(seen));
        assert!(seen <= 0.02, "{n} runs: {}", percent(seen));
    }
    // Whatever the noise is like.
    let skewed = |draw: &mut Draw| draw.list(20, |draw| draw.normal().exp());
    let seen = share(QUICK, |draw| !change_points(&skewed(draw), CHANGE_CONFIDENCE).is_empty());
    assert!(seen <= 0.02, "skewed: {}", percent(seen));
}

/// A tenth slower from some run on, among noise of 2 %; three runs of the new level are enough.
#[test]
fn a_step_is_found_and_where_it_is() {
    for (before, after) in [(15, 3), (10, 10), (6, 6), (40, 4)] {
        let found = share(QUICK / 2, |draw| {
            let mut series = series(draw, before + after);
            series[before..].iter_mut().for_each(|x| *x *= 0.9);
            let points = change_points(&series, CHANGE_CONFIDENCE);
            points.iter().any(|at| at.abs_diff(before) <= 1)
        });
        println!("{before} + {after} runs: found in {} %", percent(found));
        assert!(found >= 0.95, "{before} + {after}: {}", percent(found));
    }
}
