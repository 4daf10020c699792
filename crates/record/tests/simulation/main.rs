//! What the statistics promise, by simulation: how often intervals hold the truth, how often two
//! things that are the same are called different, and how often a difference is found.
//!
//! Samples are drawn here, from a generator and by formulas that no code under test shares; the truth
//! is known from the formula. Seeds are fixed, so a figure is the same in each run. The tests take a
//! thousand repetitions of what matters most; `cargo test --release -p pacemark-record --test simulation
//! -- --ignored --nocapture` makes the tables of docs/metrics.md with ten thousand.

mod changes;
mod draw;
mod intervals;
mod pairs;

/// Repetitions of a test.
const QUICK: usize = 1000;

/// Repetitions for the tables of the documentation.
const THOROUGH: usize = 10_000;

/// The share of repetitions in which `holds`, each with a generator of its own.
fn share(repetitions: usize, holds: impl Fn(&mut draw::Draw) -> bool) -> f64 {
    let held = (0..repetitions).filter(|seed| holds(&mut draw::Draw::new(*seed as u64)));
    held.count() as f64 / repetitions as f64
}

/// As it stands in the tables.
fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}
