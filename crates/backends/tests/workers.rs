//! llama.cpp over workers: real ones of this process behind gates, and mocks that misbehave. Only in
//! builds with llama.cpp.
#![cfg(feature = "llama-cpp")]

use pacemark_backend::{
    Backend, BackendError, Event, GenerateRequest, Service, TokenId, conformance,
};
use pacemark_backends::served::ServedBackend;
use pacemark_backends::{LoadError, Work, find, work};
use pacemark_rpc::protocol::Version;
use pacemark_rpc::testing::{Misdeed, Mock, MockWorker};
use pacemark_rpc::{Gate, GateOptions};
use pacemark_setup::{Offload, Residence, Setup, Threads};
use pacemark_testmodel::TestModel;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A model's file, removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, model: &TestModel) -> File {
        let path = std::env::temp_dir()
            .join(format!("pacemark-workers-{}-{name}.gguf", std::process::id()));
        model.write(&path).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A worker of llama.cpp's behind a gate. The worker itself lives as long as the process.
fn worker() -> Gate {
    let upstream = work(Work { n_threads: 1, devices: Vec::new(), cache: None }).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    Gate::start(listener, upstream, GateOptions::default()).unwrap()
}

fn offload(workers: Vec<String>) -> Offload {
    Offload { workers, dead_after: Duration::from_secs(2), ..Offload::default() }
}

fn load(file: &File, offload: Offload) -> Result<Box<dyn Backend>, LoadError> {
    let threads = Threads::new(1);
    // As workers compute: with weights as they lie in the file.
    let weights = Residence { pack: false, ..Residence::default() };
    let setup = Setup {
        threads,
        weights,
        n_ctx: Some(512),
        n_seqs: 2,
        n_ubatch: 32,
        offload,
        ..Setup::default()
    };
    find("llama-cpp").unwrap().load.unwrap()(&file.0, &setup, &mut |_, _| {})
}

fn error(file: &File, offload: Offload) -> String {
    load(file, offload).err().map(|error| error.to_string()).expect("it was refused")
}

fn generate(backend: &dyn Backend, n: usize) -> (Vec<TokenId>, Option<BackendError>) {
    let prompt = (0..40).map(|i| i * 7 % 300).collect();
    let request =
        GenerateRequest { prompt, max_tokens: n, ignore_eos: true, ..GenerateRequest::default() };
    let mut found = (Vec::new(), None);
    for event in backend.generate(request) {
        match event {
            Event::Token { id, .. } => found.0.push(id),
            Event::Failed(error) => found.1 = Some(error),
            _ => {}
        }
    }
    found
}

#[test]
fn workers_conform_and_give_what_one_machine_gives() {
    for (name, model) in [("llama", TestModel::llama()), ("gemma3", TestModel::gemma3())] {
        let file = File::new(name, &model);
        let alone = load(&file, Offload::default()).unwrap();
        let tokens: Vec<TokenId> = (0..40).map(|i| (i * 37 % 300) as TokenId).collect();
        let (ids, scores) = (generate(&*alone, 12).0, alone.score(&tokens, 0).unwrap());
        drop(alone);
        for n in [1, 2] {
            let gates: Vec<Gate> = (0..n).map(|_| worker()).collect();
            let addresses = gates.iter().map(|gate| gate.address().to_string()).collect();
            let backend = load(&file, offload(addresses)).unwrap();
            conformance::check(&*backend).unwrap_or_else(|error| panic!("{name}, {n}: {error}"));
            let before = backend.elsewhere().unwrap();
            assert_eq!(generate(&*backend, 12), (ids.clone(), None), "{name} on {n} workers");
            let used = backend.elsewhere().unwrap().usage.since(&before.usage);
            assert_eq!((used.workers.len(), before.links.len()), (n, n));
            for worker in &used.workers {
                assert!(worker.graphs >= 12 && worker.round_trips >= 12, "{worker:?}");
                assert!(
                    worker.computing_ns.is_some_and(|ns| ns > 0 && ns <= worker.turn_ns),
                    "{worker:?}"
                );
            }
            let far = backend.score(&tokens, 0).unwrap();
            let apart = scores.iter().zip(&far).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-4, "{name} on {n} workers: scores differ by {apart}");
        }
    }
}

#[test]
fn no_layer_elsewhere_is_this_machine_alone() {
    let (file, gate) = (File::new("none", &TestModel::llama()), worker());
    let none = Offload { n_layers: Some(0), ..offload(vec![gate.address().to_string()]) };
    let backend = load(&file, none).unwrap();
    assert!(backend.elsewhere().is_none() && backend.info().device == "llama.cpp CPU");
    let some = Offload { n_layers: Some(2), ..offload(vec![gate.address().to_string()]) };
    let backend = load(&file, some).unwrap();
    assert_eq!(backend.info().device, "llama.cpp RPC");
    assert_eq!(generate(&*backend, 4).0.len(), 4);
}

/// The gate is closed while tokens come: an error that names the worker, soon, and nothing hangs, not
/// even the backend's end. What comes after fails alike, and a new worker is a new beginning.
#[test]
fn a_lost_worker_is_an_error_with_its_name() {
    let (file, gate) = (File::new("lost", &TestModel::llama()), worker());
    let address = gate.address().to_string();
    let backend = load(&file, offload(vec![address.clone()])).unwrap();
    let prompt = (0..10).collect();
    let request =
        GenerateRequest { prompt, max_tokens: 400, ignore_eos: true, ..GenerateRequest::default() };
    let (mut gate, mut failed, mut n) = (Some(gate), None, 0);
    for event in backend.generate(request) {
        match event {
            Event::Token { .. } => n += 1,
            Event::Failed(error) => failed = Some(error.to_string()),
            _ => {}
        }
        if n == 3 {
            drop(gate.take());
        }
    }
    let failed = failed.expect("the worker is gone");
    assert!(failed.contains(&address) && failed.contains("is lost"), "{failed}");
    assert!(generate(&*backend, 2).1.is_some_and(|error| error.to_string().contains(&address)));
    drop(backend);
    let again = error(&file, offload(vec![address.clone()]));
    // A gate that closes may still take the call and hang up.
    let is_gone = again.contains("refused") || again.contains("closed the connection");
    assert!(again.contains(&address) && is_gone, "{again}");
    let gate = worker();
    let backend = load(&file, offload(vec![gate.address().to_string()])).unwrap();
    assert_eq!(generate(&*backend, 3).0.len(), 3);
}

/// As a service: what the workers did is counted after each batch, and a lost one is told.
#[test]
fn a_service_over_workers_counts_them_and_knows_a_loss() {
    let (file, gate) = (File::new("served", &TestModel::llama()), worker());
    let address = gate.address().to_string();
    let wanted = offload(vec![address.clone()]);
    let service = ServedBackend::start(move || load(&file, wanted), None).unwrap();
    let graphs = || service.elsewhere().unwrap().usage.workers[0].graphs;
    let ask = || {
        let (told, events) = std::sync::mpsc::channel();
        let request = GenerateRequest {
            prompt: (0..10).collect(),
            max_tokens: 5,
            ignore_eos: true,
            ..GenerateRequest::default()
        };
        let _ticket = service.submit(request, Box::new(move |event| drop(told.send(event))));
        events.iter().last().unwrap()
    };
    let before = graphs();
    assert!(matches!(ask(), Event::Finished { .. }));
    // Counted when the batch has ended, which is after its last event.
    let begun = Instant::now();
    while graphs() < before + 5 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} graphs", graphs());
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(service.broken(), None);
    drop(gate);
    // It is known though nobody asks for anything.
    while service.broken().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the worker is gone");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(service.broken().is_some_and(|why| why.contains(&address)));
    let Event::Failed(error) = ask() else { panic!("the worker is gone") };
    assert!(error.to_string().contains(&address), "{error}");
}

#[test]
fn workers_that_cannot_be_used_are_named() {
    let file = File::new("named", &TestModel::llama());
    let mock = |mock: Mock| {
        let worker = MockWorker::start(mock);
        let said = error(&file, offload(vec![worker.address().to_string()]));
        assert!(said.contains(&worker.address().to_string()), "{said}");
        said
    };
    let said = mock(Mock { version: Version { major: 6, ..Version::OURS }, ..Mock::default() });
    assert!(said.contains("version 6."), "{said}");
    let said = mock(Mock { memory_bytes: (1000, 2000), ..Mock::default() });
    assert!(said.contains("more than the workers' memory"), "{said}");
    let said = mock(Mock { misdeed: Some((1, Misdeed::Close)), ..Mock::default() });
    assert!(said.contains("closed the connection"), "{said}");
    // It answers what it is asked first, and dies when llama.cpp sends it the model.
    let said = mock(Mock { misdeed: Some((60, Misdeed::Reset)), ..Mock::default() });
    assert!(!said.is_empty(), "{said}");
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    assert!(error(&file, offload(vec![nobody.to_string()])).contains("refused the connection"));
    let nowhere = error(&file, offload(vec!["no-such-host.invalid:1".into()]));
    assert!(nowhere.contains("no-such-host.invalid:1"), "{nowhere}");
    let public = error(&file, offload(vec!["203.0.113.7:50052".into()]));
    assert!(public.contains("203.0.113.7") && public.contains("--rpc-public"), "{public}");
}

#[test]
fn devices_that_are_not_there_are_refused() {
    let file = File::new("devices", &TestModel::llama());
    let said = error(&file, Offload { n_layers: Some(10), ..Offload::default() });
    assert!(said.contains("there are none") && said.contains("--rpc"), "{said}");
    let gate = worker();
    let with = |change: fn(&mut Offload)| {
        let mut offload = offload(vec![gate.address().to_string()]);
        change(&mut offload);
        error(&file, offload)
    };
    let said = with(|offload| offload.devices = Some(vec!["RPC7".into()]));
    assert!(said.contains("-dev RPC7: there is no such device, of RPC0"), "{said}");
    assert!(with(|offload| offload.main = 3).contains("-mg 3"));
    assert!(with(|offload| offload.shares = vec![1.0, 1.0]).contains("2 shares for 1 devices"));
    assert!(with(|offload| offload.split = pacemark_setup::Split::Row).contains("-sm row"));
}
