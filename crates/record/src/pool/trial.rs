//! One row of a load of several.

use super::axis::Axis;
use super::{Names, Part, PoolError, params, unused};
use crate::{Client, Measured, Request, Requests, Sender, Trial, Warmup};
use std::collections::HashMap;

/// Where all sent for less of the time than this, the rest is a smaller load.
const TOGETHER: f64 = 0.8;

/// The row of that number, of all parts.
pub(super) fn pooled(parts: &[Part], row: usize) -> Result<Trial, PoolError> {
    let axis = Axis::of(parts, row)?;
    let params = params::pooled(parts, row)?;
    let trials = || parts.iter().map(|part| &part.run.trials[row]);
    let mut load = Requests { began: axis.began.clone(), ..Requests::default() };
    let mut taken = Names::new();
    let mut requests: Vec<(Request, Vec<u64>)> = Vec::new();
    for ((part, trial), (shift, offset)) in parts.iter().zip(trials()).zip(&axis.parts) {
        let Some(of_part) = trial.load() else { continue };
        load.cut_requests = load.cut_requests.saturating_add(of_part.cut_requests);
        load.unsent_requests = load.unsent_requests.saturating_add(of_part.unsent_requests);
        let (senders, names) = senders(part, trial, *shift, *offset, &mut taken);
        let emitted = of_part.emitted_ns.iter().cloned().chain(std::iter::repeat_with(Vec::new));
        for (request, emitted_ns) in of_part.requests.iter().zip(emitted) {
            let name = names.get(request.sender.as_deref().unwrap_or_default());
            let emitted_ns = emitted_ns.iter().map(|at| at.saturating_add(*shift)).collect();
            let sender = name.or(names.get("")).cloned().or_else(|| request.sender.clone());
            requests.push((Request { sender, ..later(request, *shift) }, emitted_ns));
        }
        load.senders.extend(senders);
        // Who asks the servers is one of them; more would be the same counts again.
        if load.servers.is_empty() {
            load.servers = of_part.servers.iter().map(|server| server.later(*shift)).collect();
        }
    }
    requests.sort_by_key(|(request, _)| request.end_ns);
    (load.requests, load.emitted_ns) = requests.into_iter().unzip();
    if load.emitted_ns.iter().all(Vec::is_empty) {
        load.emitted_ns.clear();
    }
    load.client = client(trials().filter_map(|trial| trial.load()?.client.as_ref()));
    let mut notes = notes(parts, row);
    if axis.together < TOGETHER {
        notes.push(format!(
            "all {} sent together for {:.0} % of the time only: before and after, the load was less than said",
            parts.len(),
            axis.together * 100.0
        ));
    }
    let first = &parts[0].run.trials[row];
    Ok(Trial {
        started_unix_s: trials().map(|trial| trial.started_unix_s).min().unwrap_or(0),
        params,
        warmup: Warmup {
            n_tokens: trials().map(|trial| trial.warmup.n_tokens).max().unwrap_or(0),
            elapsed_ns: trials().flat_map(|trial| trial.warmup.elapsed_ns.clone()).collect(),
            settled: trials().all(|trial| trial.warmup.settled),
        },
        repetitions: trials().map(|trial| trial.repetitions).fold(0, usize::saturating_add),
        notes,
        measured: Measured::Requests(load),
        peak_rss_bytes: trials().filter_map(|trial| trial.peak_rss_bytes).max(),
        steal_share: trials().filter_map(|trial| trial.steal_share).reduce(f64::max),
        ..first.clone()
    })
}

/// Who sent a part, and what each of them is called now; `""` is the part itself.
fn senders(
    part: &Part,
    trial: &Trial,
    shift: u64,
    offset: crate::Offset,
    taken: &mut Names,
) -> (Vec<Sender>, HashMap<String, String>) {
    let load = trial.load();
    let before = load.map_or(&[][..], |load| &load.senders);
    let mut names = HashMap::new();
    if before.is_empty() {
        let name = unused(&part.sender, taken);
        names.insert(String::new(), name.clone());
        let env = &part.run.env;
        let sender = Sender {
            name,
            machine: env.machine(),
            build: format!("{} {}", env.version, env.commit),
            clock: Some(offset),
            began_ns: shift,
            params: params::own(&trial.params),
            client: load.and_then(|load| load.client.clone()),
            lost: None,
        };
        return (vec![sender], names);
    }
    let renamed = before.iter().map(|sender| {
        let name = unused(&sender.name, taken);
        names.insert(sender.name.clone(), name.clone());
        Sender { name, began_ns: sender.began_ns.saturating_add(shift), ..sender.clone() }
    });
    (renamed.collect(), names)
}

/// The same request with all its stamps so much later.
fn later(request: &Request, shift: u64) -> Request {
    let at = |ns: u64| ns.saturating_add(shift);
    Request {
        scheduled_ns: at(request.scheduled_ns),
        sent_ns: at(request.sent_ns),
        resent_ns: request.resent_ns.map(at),
        connected_ns: request.connected_ns.map(at),
        started_ns: request.started_ns.map(at),
        head_ns: request.head_ns.map(at),
        chunks_ns: request.chunks_ns.iter().map(|ns| at(*ns)).collect(),
        end_ns: at(request.end_ns),
        ..request.clone()
    }
}

/// The busiest one's share of a processor, the threads and timers of all.
fn client<'a>(of: impl Iterator<Item = &'a Client> + Clone) -> Option<Client> {
    let busiest = of.clone().max_by(|a, b| a.cpu_share().total_cmp(&b.cpu_share()))?;
    let mut stamps: Vec<&str> = of.clone().map(|client| client.stamps.as_str()).collect();
    stamps.sort_unstable();
    stamps.dedup();
    Some(Client {
        cpu_ns: busiest.cpu_ns,
        wall_ns: busiest.wall_ns,
        threads: of.clone().map(|client| client.threads).fold(0, u64::saturating_add),
        lag_ns: of.flat_map(|client| client.lag_ns.iter().copied()).collect(),
        stamps: stamps.join(", "),
    })
}

/// What was noticed by each, with its name; what all noticed, once.
fn notes(parts: &[Part], row: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in parts {
        for note in &part.run.trials[row].notes {
            let all = parts.iter().all(|other| other.run.trials[row].notes.contains(note));
            let note = if all { note.clone() } else { format!("{}: {note}", part.name) };
            if !found.contains(&note) {
                found.push(note);
            }
        }
    }
    found
}
