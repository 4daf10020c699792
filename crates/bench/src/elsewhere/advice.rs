//! Whether other machines are worth it, and why or why not: for each row that used some, beside the
//! same test on this machine alone where that was measured too (`-ngl 0`).

use super::table::{per, unit};
use crate::Experiment;
use crate::parameter::PLAN;
use pacemark_record::stats::{CONFIDENCE, mean, mean_interval};
use pacemark_record::{Better, Figure, Run, Spent, Trial, Verdict, Versus};

/// Parameters that say where layers are computed.
const WHERE: &[&str] = &[
    "n_gpu_layers",
    "split_mode",
    "main_gpu",
    "devices",
    "tensor_split",
    "no_kv_offload",
    "no_op_offload",
    "rpc",
];

/// A sentence or two for each row that used other machines.
pub(crate) fn advice(experiment: &(impl Experiment + ?Sized), run: &Run) -> Vec<String> {
    // Workers that stand for others in a plan are not what is to be decided about.
    let real = run.trials.iter().filter(|trial| !trial.params.contains_key(PLAN.name));
    let rows = real.filter_map(|trial| Some((trial, Spent::of(trial)?)));
    rows.map(|(trial, spent)| {
        let name = experiment.row_name(run, trial);
        let said = match alone_in(run, trial) {
            Some(alone) => beside(trial, &spent, alone),
            None => estimated(trial, &spent),
        };
        if name.is_empty() { said } else { format!("{name}: {said}") }
    })
    .collect()
}

/// The trial of the same test on this machine alone.
pub(super) fn alone_in<'a>(run: &'a Run, trial: &Trial) -> Option<&'a Trial> {
    run.trials.iter().find(|other| is_alone(other, trial))
}

/// The same test of the same model, with nothing computed elsewhere.
fn is_alone(other: &Trial, trial: &Trial) -> bool {
    let plain = |trial: &Trial| {
        let mut params = trial.params.clone();
        params.retain(|name, _| !WHERE.contains(&name.as_str()));
        params
    };
    let round_trips = |trial: &Trial| {
        let turns = trial.away.iter().flat_map(|away| &away.workers);
        turns.map(|turns| turns.round_trips).sum::<u64>()
    };
    other.experiment == trial.experiment
        && other.model.model_type == trial.model.model_type
        && other.model.backend == trial.model.backend
        && round_trips(other) == 0
        && plain(other) == plain(trial)
}

/// Mean time of a repetition, nanoseconds.
pub(super) fn time(trial: &Trial) -> Figure {
    let ns: Vec<f64> = trial.samples().iter().map(|sample| sample.elapsed_ns as f64).collect();
    Figure { value: mean(&ns), interval: mean_interval(&ns, CONFIDENCE) }
}

/// Beside this machine alone, which was measured.
fn beside(trial: &Trial, spent: &Spent, alone: &Trial) -> String {
    let Some(versus) = Versus::unpaired(&time(alone), &time(trial)) else {
        return "nothing to compare: no time was measured".to_owned();
    };
    let (ms, unit) = (1.0 / per(trial) / 1e6, unit(trial));
    let (with, without) = (versus.new * ms, versus.base * ms);
    match versus.verdict(Better::Lower) {
        Verdict::Faster => format!(
            "the workers are worth it: {with:.3} ms a {unit} with them, {without:.3} on this machine alone, \
             {:.2} times as fast{}",
            1.0 / versus.ratio,
            shares(trial, spent)
        ),
        Verdict::Slower => format!(
            "one machine is faster: {without:.3} ms a {unit} on this machine alone, {with:.3} with workers. \
             {}",
            why(trial, spent, versus.base)
        ),
        Verdict::NotDistinguishable => format!(
            "no difference is shown between this machine alone ({without:.3} ms a {unit}) and workers \
             ({with:.3}){}",
            shares(trial, spent)
        ),
        Verdict::TooFewPairs => format!(
            "too few repetitions to tell this machine alone ({without:.3} ms a {unit}) from workers \
             ({with:.3}); -r 5 bounds both"
        ),
    }
}

/// What the way and the computing are of a run that is not slower.
fn shares(trial: &Trial, spent: &Spent) -> String {
    let (ms, unit) = (1.0 / per(trial) / 1e6, unit(trial));
    spent.network_ns().map_or(String::new(), |network| {
        let percent = network / spent.elapsed_ns * 100.0;
        format!("; {:.3} ms a {unit} ({percent:.0} %) are the way to them", network * ms)
    })
}

/// Why it is slower than this machine alone, which takes `alone_ns` a run.
fn why(trial: &Trial, spent: &Spent, alone_ns: f64) -> String {
    let (ms, unit) = (1.0 / per(trial) / 1e6, unit(trial));
    let (Some(network), Some(computing)) = (spent.network_ns(), spent.computing_ns()) else {
        return format!(
            "The workers' turns take {:.3} ms a {unit}; what of it is computing these workers do not \
             tell",
            spent.workers.iter().map(|worker| worker.turn_ns).sum::<f64>() * ms
        );
    };
    let lost = spent.elapsed_ns - alone_ns;
    // What this machine would compute of the workers' share, if it takes for the rest what it did.
    let here_instead = (alone_ns - spent.here_ns).max(0.0);
    let mut causes = Vec::new();
    if network >= lost / 4.0 {
        causes.push(format!(
            "the way to the workers takes {:.3} ms ({})",
            network * ms,
            way(trial, spent)
        ));
    }
    if computing - here_instead >= lost / 4.0 {
        causes.push(format!(
            "the workers take {:.3} ms for what this machine computes in {:.3}",
            computing * ms,
            here_instead * ms
        ));
    }
    let mut said = format!("Per {unit}, {}", causes.join(", and "));
    if causes.is_empty() {
        said = format!("Per {unit}, the way takes {:.3} ms", network * ms);
    }
    said + "; machines compute one after the other, so they bring memory to a sequence, not speed"
}

/// What goes over the network.
fn way(trial: &Trial, spent: &Spent) -> String {
    let per = per(trial);
    let sum =
        |of: fn(&pacemark_record::SpentAway) -> f64| spent.workers.iter().map(of).sum::<f64>();
    let kib = (sum(|w| w.sent_bytes) + sum(|w| w.received_bytes)) / per / 1024.0;
    let waiting: f64 = trial
        .workers
        .iter()
        .zip(&spent.workers)
        .map(|(worker, away)| away.round_trips * worker.round_trip_ns as f64)
        .sum();
    let link = spent.link_ns().unwrap_or(waiting);
    let (latency, moving) = (waiting / per / 1e6, (link - waiting).max(0.0) / per / 1e6);
    let trips = sum(|w| w.round_trips) / per;
    format!(
        "{trips:.1} round trips, {latency:.3} ms by their latency; {kib:.1} KiB, {moving:.3} ms by the \
         links' bandwidth"
    )
}

/// Where this machine alone was not measured.
fn estimated(trial: &Trial, spent: &Spent) -> String {
    let (ms, unit) = (1.0 / per(trial) / 1e6, unit(trial));
    match (spent.network_ns(), spent.computing_ns()) {
        (Some(network), Some(computing)) => format!(
            "{:.3} ms a {unit}, of which {:.3} ({:.0} %) are the way to the workers ({}). This machine \
             alone would take {:.3} if it computed as fast as they do and had the memory; -ngl 0 beside it \
             measures that",
            spent.elapsed_ns * ms,
            network * ms,
            network / spent.elapsed_ns * 100.0,
            way(trial, spent),
            (spent.here_ns + computing) * ms
        ),
        _ => format!(
            "{:.3} ms a {unit}; what of it is computing these workers do not tell; -ngl 0 beside it \
             measures this machine alone",
            spent.elapsed_ns * ms
        ),
    }
}
