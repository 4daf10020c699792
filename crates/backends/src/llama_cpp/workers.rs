//! The workers of `--rpc`: asked first whether they can be used, then reached by llama.cpp through
//! relays that count, time and name them (`pacemark-rpc`). They are kept for the next load of the
//! same workers: llama.cpp never forgets the devices of an address.

use super::LlamaCppError;
use super::ffi::{self, Device, Guard};
use pacemark_rpc::{Client, Endpoint, Link, Lost, RelayOptions, Relays, RpcError, is_private};
use pacemark_setup::Offload;
use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a worker is asked whether it lives, at least.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// What is kept from one load to the next.
static KEPT: Mutex<Vec<Arc<Workers>>> = Mutex::new(Vec::new());

/// Workers that answer.
pub(super) struct Workers {
    /// As they were given.
    endpoints: Vec<Endpoint>,
    dead_after: Duration,
    /// The way to each.
    pub(super) links: Vec<Link>,
    /// Their memory, bytes: what each says it has in all.
    memory_bytes: Vec<u64>,
    /// Between llama.cpp and them.
    pub(super) relays: Relays,
    /// Their devices as llama.cpp has them, in the workers' order.
    pub(super) devices: Vec<Device>,
    /// Calls that use them.
    pub(super) guard: Arc<Guard>,
}

impl Workers {
    /// Those of `offload`; `None` where there are none.
    pub(super) fn of(offload: &Offload) -> Result<Option<Arc<Workers>>, LlamaCppError> {
        if offload.workers.is_empty() {
            return Ok(None);
        }
        let endpoints = offload
            .workers
            .iter()
            .map(|text| text.parse::<Endpoint>().map_err(|e| LlamaCppError::Worker(e.to_string())))
            .collect::<Result<Vec<_>, _>>()?;
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was lost may be back: it is asked anew, through new relays.
        kept.retain(|workers| workers.relays.lost().is_none());
        let is_it = |workers: &&Arc<Workers>| {
            workers.endpoints == endpoints && workers.dead_after == offload.dead_after
        };
        if let Some(workers) = kept.iter().find(is_it) {
            return Ok(Some(workers.clone()));
        }
        let workers = Arc::new(Workers::reach(endpoints, offload)?);
        kept.push(workers.clone());
        Ok(Some(workers))
    }

    fn reach(endpoints: Vec<Endpoint>, offload: &Offload) -> Result<Workers, LlamaCppError> {
        let reached = reached(&endpoints, offload)?;
        let names: Vec<(String, String)> = reached
            .iter()
            .map(Endpoint::to_string)
            .zip(endpoints.iter().map(Endpoint::to_string))
            .collect();
        let failed = |error: RpcError| LlamaCppError::Worker(renamed(error.to_string(), &names));
        let (mut links, mut memory_bytes) = (Vec::new(), Vec::new());
        for endpoint in &reached {
            let mut client = Client::connect(endpoint, offload.dead_after).map_err(failed)?;
            let devices = client.devices().map_err(failed)?;
            memory_bytes.push(devices.iter().map(|device| device.total_bytes).sum());
            links.push(client.measure_link().map_err(failed)?);
        }
        let guard = Arc::new(Guard::new().map_err(|e| LlamaCppError::Worker(e.to_string()))?);
        let (lifeline, known) = (guard.lifeline(), names.clone());
        let tell = move |lost: &Lost| lifeline.lose(&renamed(lost.to_string(), &known));
        let options = RelayOptions {
            connect_timeout: offload.dead_after,
            hello_timeout: offload.dead_after,
            // Often enough that its absence is known in time.
            heartbeat_every: (offload.dead_after / 4).min(HEARTBEAT),
            dead_after: offload.dead_after,
            on_lost: Some(Box::new(tell)),
            ..RelayOptions::default()
        };
        let relays = Relays::start(&reached, options).map_err(failed)?;
        let devices = devices(&guard, &relays, &endpoints)?;
        let dead_after = offload.dead_after;
        Ok(Workers { endpoints, dead_after, links, memory_bytes, relays, devices, guard })
    }

    /// Refuses a model of so many bytes that the workers cannot hold, where all of it goes to them.
    pub(super) fn check_room(&self, n_bytes: u64) -> Result<(), LlamaCppError> {
        let total: u64 = self.memory_bytes.iter().fold(0, |sum, n| sum.saturating_add(*n));
        if n_bytes <= total {
            return Ok(());
        }
        let gib = |n: u64| format!("{:.2} GiB", n as f64 / f64::from(1 << 30));
        let each = self.endpoints.iter().zip(&self.memory_bytes);
        let each: Vec<String> = each.map(|(e, n)| format!("{e} has {}", gib(*n))).collect();
        Err(LlamaCppError::Worker(format!(
            "the layers that go to the workers take {}, more than the workers' memory ({}); fewer \
             layers (-ngl) or more workers",
            gib(n_bytes),
            each.join(", ")
        )))
    }

    /// llama.cpp's words with the workers' names in place of the relays' addresses.
    pub(super) fn named(&self, mut words: String) -> String {
        for (address, endpoint) in self.relays.addresses().iter().zip(&self.endpoints) {
            words = put(&words, &address.to_string(), &endpoint.to_string());
        }
        words
    }
}

/// Words with a name in place of an address, but not of the beginning of a longer one.
fn put(words: &str, address: &str, name: &str) -> String {
    let mut rest = words;
    let mut all = String::new();
    while let Some(at) = rest.find(address) {
        let (before, after) = (&rest[..at], &rest[at + address.len()..]);
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
        let is_whole =
            !before.ends_with(is_part) && !after.starts_with(|c: char| c.is_ascii_digit());
        all += before;
        all += if is_whole { name } else { address };
        rest = after;
    }
    all + rest
}

/// The workers by the addresses that their names have now: what is checked here is what is connected
/// to later, whatever a name comes to mean meanwhile.
fn reached(endpoints: &[Endpoint], offload: &Offload) -> Result<Vec<Endpoint>, LlamaCppError> {
    let mut reached: Vec<Endpoint> = Vec::new();
    for endpoint in endpoints {
        let address = endpoint.resolve()?;
        if !offload.public && !is_private(address.ip()) {
            return Err(LlamaCppError::Worker(format!(
                "worker {endpoint}: {} is an address that anybody on the internet reaches, and \
                 workers have no password and no encryption; --rpc-public uses it all the same",
                address.ip()
            )));
        }
        let address = Endpoint::from(address);
        if let Some(same) = reached.iter().position(|other| *other == address) {
            let other = &endpoints[same];
            return Err(LlamaCppError::Worker(format!(
                "workers {other} and {endpoint} are the same one ({address})"
            )));
        }
        reached.push(address);
    }
    Ok(reached)
}

/// Words with the workers' names as they were given in place of their addresses.
fn renamed(mut words: String, names: &[(String, String)]) -> String {
    for (address, name) in names.iter().filter(|(address, name)| address != name) {
        words = put(&words, address, name);
    }
    words
}

/// All workers' devices, which llama.cpp asks the workers for.
fn devices(
    guard: &Guard,
    relays: &Relays,
    endpoints: &[Endpoint],
) -> Result<Vec<Device>, LlamaCppError> {
    let mut all = Vec::new();
    for (address, endpoint) in relays.addresses().iter().zip(endpoints) {
        let wrong = |why: &str| LlamaCppError::Worker(format!("worker {endpoint}: {why}"));
        let address = CString::new(address.to_string()).map_err(|e| wrong(&e.to_string()))?;
        let devices = guard
            .call(move || ffi::of_worker(&address))
            .map_err(LlamaCppError::Worker)?
            .ok_or_else(|| {
                wrong("it has no device, or this llama.cpp was built without workers")
            })?;
        all.extend(devices);
    }
    Ok(all)
}

impl From<RpcError> for LlamaCppError {
    fn from(error: RpcError) -> LlamaCppError {
        LlamaCppError::Worker(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_its_own_address_alone() {
        let names = [("127.0.0.1:5199".to_owned(), "localhost:5199".to_owned())];
        let said = |words: &str| renamed(words.to_owned(), &names);
        assert_eq!(said("worker 127.0.0.1:5199 is lost"), "worker localhost:5199 is lost");
        assert_eq!(said("127.0.0.1:51995, 127.0.0.1:5199"), "127.0.0.1:51995, localhost:5199");
        assert_eq!(said("1127.0.0.1:5199"), "1127.0.0.1:5199");
    }
}
