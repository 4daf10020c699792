//! `bench --plan`: what a model would do over links that are not there yet, from workers that are
//! processes of this machine.

use crate::child::Child;
use crate::exit::UsageError;
use crate::offload::MAX_DEVICES;
use anyhow::{Context, Result};
use pacemark_bench::parameter::PLAN;
use pacemark_bench::{PlannedLink, Test};

/// Links to plan for.
#[derive(clap::Args, Debug)]
pub(super) struct PlanArgs {
    /// Predict the rates over links such as 1gbit/1ms (bandwidth and round trip), before there are
    /// any: workers are started on this machine, measured, and the network is computed
    #[arg(
        long,
        value_name = "LINK",
        value_delimiter = ',',
        conflicts_with_all = ["rpc", "cold"],
        help_heading = "Other machines"
    )]
    plan: Vec<PlannedLink>,
    /// Workers to plan for
    #[arg(long, value_name = "N", default_value_t = 1, requires = "plan",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DEVICES)), help_heading = "Other machines")]
    plan_workers: u32,
}

impl PlanArgs {
    /// Whether there is anything to plan.
    pub(super) fn is_wanted(&self) -> bool {
        !self.plan.is_empty()
    }

    /// The links, to be recorded with a test; its workers are not known before they run.
    pub(super) fn set(&self, test: &mut Test) -> Result<(), UsageError> {
        if self.is_wanted() {
            let links: Vec<String> = self.plan.iter().map(spelled).collect();
            test.inert.push((PLAN.name, links.join(",").into()));
            test.setup.offload.workers = vec!["127.0.0.1:1".to_owned(); self.plan_workers as usize];
        }
        Ok(())
    }

    /// Starts the workers, if any are wanted, and gives them to the tests. They have the threads of
    /// the test that has most, and end when they are dropped.
    pub(super) fn start(&self, tests: &mut [Test]) -> Result<Vec<Child>> {
        if !self.is_wanted() {
            return Ok(Vec::new());
        }
        if tests.iter().all(|test| test.setup.offload.n_layers == Some(0)) {
            return Err(UsageError(
                "--plan: -ngl 0 is this machine alone; without -ngl both are planned for".into(),
            )
            .into());
        }
        let n = tests.iter().map(|test| test.setup.threads.in_all()).max().unwrap_or(1).to_string();
        let start = |_| Child::start(&["rpc-worker", "-t", &n]);
        let children = (0..self.plan_workers).map(start).collect::<Result<Vec<_>>>()?;
        let address = |child: &Child| {
            let address = child.ready.split_once(" at ").and_then(|(_, rest)| rest.split_once(','));
            address.map(|(address, _)| address.to_owned())
        };
        let addresses: Option<Vec<String>> = children.iter().map(address).collect();
        let addresses = addresses.context("a worker does not tell where it listens")?;
        tests.iter_mut().for_each(|test| test.setup.offload.workers.clone_from(&addresses));
        Ok(children)
    }
}

/// A link as it may be given.
fn spelled(link: &PlannedLink) -> String {
    format!("{}kbit/{}us", link.bytes_per_s * 8.0 / 1e3, link.round_trip_ns as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_read_again() {
        for text in ["1gbit/1ms", "10gbit/0.1ms", "56kbit/300ms"] {
            let link: PlannedLink = text.parse().unwrap();
            assert_eq!(spelled(&link).parse(), Ok(link), "{text}");
        }
    }
}
