//! A service made of a plain backend: the contract of a backend, texts that are those of the backend
//! alone, and what becomes of those who leave and of those whose backend fails.

mod scripted;

use pacemark_backend::{
    Backend, BackendError, BackendInfo, BatchStream, Capabilities, Event, EventStream,
    GenerateRequest, MemoryUsage, MockBackend, MockText, Pooling, SamplingParams, Service, TokenId,
    conformance,
};
use pacemark_backends::LoadError;
use pacemark_backends::native::NativeBackend;
use pacemark_backends::served::ServedBackend;
use pacemark_setup::{Setup, Threads};
use pacemark_testmodel::{N_CTX, N_VOCAB, TestModel};
use scripted::{Scripted, Step, eventually, listen, request};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// A model's file, removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, model: &TestModel) -> File {
        let unique = format!("pacemark-served-{}-{name}.gguf", std::process::id());
        let path = std::env::temp_dir().join(unique);
        model.write(&path).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn native(path: &Path) -> Result<NativeBackend, LoadError> {
    let threads = Threads::new(1);
    let setup = Setup { threads, n_ctx: Some(N_CTX), n_seqs: 3, n_ubatch: 16, ..Setup::default() };
    Ok(NativeBackend::load(path, &setup, &mut |_, _| {})?)
}

fn served(path: &Path) -> ServedBackend {
    let path = path.to_owned();
    ServedBackend::start(move || Ok(Box::new(native(&path)?)), None).unwrap()
}

fn mock() -> MockBackend {
    MockBackend::new(Duration::from_micros(10), Duration::from_millis(1))
}

/// The service as a plain backend, as the conformance suite wants it.
struct AsBackend(ServedBackend);

impl Backend for AsBackend {
    fn info(&self) -> BackendInfo {
        self.0.info()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        Box::new(self.generate_batch(vec![request]).map(|(_, event)| event))
    }

    fn generate_batch(&self, requests: Vec<GenerateRequest>) -> BatchStream<'_> {
        let (told, events) = channel();
        let submit = |(index, request)| {
            let told = told.clone();
            self.0.submit(request, Box::new(move |event| drop(told.send((index, event)))))
        };
        let tickets: Vec<_> = requests.into_iter().enumerate().map(submit).collect();
        drop(told);
        let mut events: Receiver<(usize, Event)> = events;
        Box::new(std::iter::from_fn(move || {
            let _held = (&tickets, &mut events);
            events.recv().ok()
        }))
    }

    /// What is held when all that was dropped is gone.
    fn memory(&self) -> Option<MemoryUsage> {
        let (_ticket, events) = listen(&self.0, request(1, 0));
        assert!(matches!(events.iter().last(), Some(Event::Finished { .. })));
        self.0.memory()
    }
}

#[test]
fn it_conforms_over_the_mock_and_over_the_engine() {
    let over_mock = ServedBackend::start(|| Ok(Box::new(mock())), None).unwrap();
    conformance::check(&AsBackend(over_mock)).unwrap_or_else(|error| panic!("mock: {error}"));
    for (name, model) in [("llama", TestModel::llama()), ("gemma3", TestModel::gemma3())] {
        let file = File::new(&format!("conforms-{name}"), &model);
        let over_native = AsBackend(served(&file.0));
        conformance::check(&over_native).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn ids(events: impl IntoIterator<Item = Event>) -> Vec<TokenId> {
    let id = |event| match event {
        Event::Token { id, .. } => Some(id),
        Event::Failed(error) => panic!("{error}"),
        _ => None,
    };
    events.into_iter().filter_map(id).collect()
}

fn drawn(i: usize) -> GenerateRequest {
    let prompt = (0..5 + 7 * (i % 5)).map(|k| ((k * 7919 + i * 104_729) % N_VOCAB) as TokenId);
    GenerateRequest {
        prompt: prompt.collect(),
        max_tokens: 3 + i % 11,
        ignore_eos: true,
        reuse_prefix: i.is_multiple_of(2),
        sampling: SamplingParams {
            temperature: (i % 3) as f32 / 2.0,
            seed: i as u64,
            ..SamplingParams::default()
        },
        ..GenerateRequest::default()
    }
}

/// Eight threads that ask at once, more than fit a batch: each gets what the backend gives alone, and
/// the counters count it.
#[test]
fn many_threads_get_the_texts_of_the_backend_alone() {
    let file = File::new("threads", &TestModel::llama());
    let alone: Vec<Vec<TokenId>> = {
        let backend = native(&file.0).unwrap();
        (0..40).map(|i| ids(backend.generate(drawn(i)))).collect()
    };
    let service = served(&file.0);
    assert_eq!((service.info().n_seqs, service.capabilities().batch), (3, true));
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (service, barrier, alone) = (&service, &barrier, &alone);
            scope.spawn(move || {
                barrier.wait();
                for i in (0..40).skip(thread).step_by(8) {
                    let (_ticket, events) = listen(service, drawn(i));
                    assert_eq!(ids(events.iter()), alone[i], "request {i}");
                }
            });
        }
    });
    let status = service.status();
    assert_eq!((status.running, status.waiting), (0, 0));
    assert_eq!(status.generated_tokens as usize, alone.iter().map(Vec::len).sum::<usize>());
    assert_eq!(
        status.prompt_tokens as usize,
        (0..40).map(|i| drawn(i).prompt.len()).sum::<usize>()
    );
    let looked_up: usize = (0..40).step_by(2).map(|i| drawn(i).prompt.len()).sum();
    assert_eq!(status.prefix_queries as usize, looked_up);
    assert!(status.steps > 0 && status.kv_blocks == 0, "{status:?}");
    assert!(service.memory().is_some_and(|memory| memory.model_bytes > 0));
}

/// Those who come while a batch runs wait for it, and make the next; a request that was aborted is
/// silent, and a batch that nobody listens to is dropped.
#[test]
fn who_leaves_is_forgotten_and_a_batch_without_listeners_is_dropped() {
    let (steps, script) = Scripted::new(2);
    let service = ServedBackend::start(move || Ok(Box::new(script)), None).unwrap();
    let (_first, first) = listen(&service, request(1, 1));
    assert!(matches!(first.recv(), Ok(Event::Queued { .. })));
    let (a, of_a) = listen(&service, request(2, 1000));
    let (b, of_b) = listen(&service, request(3, 1000));
    let (c, of_c) = listen(&service, request(4, 1000));
    assert!(of_a.try_recv().is_err(), "a batch is under way");
    steps.send(Step::Tokens);
    assert!(matches!(first.iter().last(), Some(Event::Finished { .. })));
    assert!(matches!(of_a.recv(), Ok(Event::Queued { .. })));
    assert!(matches!(of_b.recv(), Ok(Event::Queued { .. })));
    eventually(|| (service.status().running, service.status().waiting) == (2, 1));
    drop(c);
    steps.send(Step::Tokens);
    assert!(of_c.recv().is_err(), "it left before its turn: no event, and no sink any more");
    drop(a);
    // It is noticed when the step that is under way has ended.
    steps.send(Step::Tokens);
    assert!(of_a.iter().all(|event| !matches!(event, Event::Finished { .. } | Event::Failed(_))));
    eventually(|| service.status().running == 1);
    assert_eq!(steps.n_streams(), 1, "the other goes on");
    steps.send(Step::Tokens);
    assert!(
        of_b.recv().is_ok_and(|event| matches!(event, Event::Started { .. } | Event::Token { .. }))
    );
    drop(b);
    steps.send(Step::Tokens);
    eventually(|| steps.n_streams() == 0);
    assert_eq!((service.status().running, service.status().waiting), (0, 0));
    let (_next, next) = listen(&service, request(5, 1));
    steps.send(Step::Tokens);
    assert!(matches!(next.iter().last(), Some(Event::Finished { .. })), "it still serves");
}

/// Bells ring once for all events that are known at once.
#[test]
fn bells_ring_once_for_what_came_together() {
    let service = ServedBackend::start(|| Ok(Box::new(mock())), None).unwrap();
    let (rung, rings) = channel();
    let bell: Arc<pacemark_backend::Bell> = Arc::new(move || rung.send(()).unwrap_or_default());
    service.add_bell(Arc::downgrade(&bell));
    for round in 0..3 {
        let (_ticket, events) = listen(&service, request(3, 5));
        assert_eq!(rings.recv(), Ok(()), "round {round}");
        // All of the mock's events are known when its batch begins.
        assert_eq!(events.try_iter().count(), 8, "round {round}");
    }
    drop(service);
    assert_eq!(rings.try_iter().count(), 1, "the last ring is that of the end");
}

fn engine_error(event: Option<Event>) -> String {
    match event {
        Some(Event::Failed(BackendError::Engine(error))) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_batch_that_fails_fails_its_requests_and_the_next_is_served() {
    let (steps, script) = Scripted::new(4);
    let service = ServedBackend::start(move || Ok(Box::new(script)), None).unwrap();
    for (step, why) in [(Step::Error, "scripted"), (Step::End, "ended its events before")] {
        let (_ticket, events) = listen(&service, request(2, 100));
        steps.send(Step::Tokens);
        steps.send(step);
        let error = engine_error(events.iter().last());
        assert!(error.contains(why), "{error}");
        let (_ticket, events) = listen(&service, request(2, 1));
        // An index that there is not, and events behind the last, concern nobody.
        steps.send(Step::Nonsense);
        steps.send(Step::Tokens);
        assert!(matches!(events.iter().last(), Some(Event::Finished { .. })));
    }
}

#[test]
fn after_a_panic_everybody_is_told() {
    let (steps, script) = Scripted::new(1);
    let service = ServedBackend::start(move || Ok(Box::new(script)), None).unwrap();
    let (_ticket, events) = listen(&service, request(2, 100));
    let (_waits, waiting) = listen(&service, request(2, 100));
    assert_eq!(service.broken(), None);
    steps.send(Step::Tokens);
    steps.send(Step::Panic);
    for events in [events, waiting] {
        let error = engine_error(events.iter().last());
        assert!(error.contains("the backend panicked: as scripted"), "{error}");
    }
    for _ in 0..3 {
        let (_ticket, events) = listen(&service, request(2, 100));
        assert!(engine_error(events.iter().last()).contains("it serves no more"));
    }
    assert!(service.broken().is_some_and(|why| why.contains("as scripted")));
    assert_eq!((service.status().running, service.status().waiting), (0, 0));
}

#[test]
fn a_backend_that_does_not_load_says_why() {
    let refused = ServedBackend::start(|| Err("no such engine".into()), None).err().unwrap();
    assert_eq!(refused.to_string(), "no such engine");
    let broken = ServedBackend::start(|| panic!("while it loaded"), None).err().unwrap();
    assert!(broken.to_string().ends_with("panicked while it loaded: while it loaded"), "{broken}");
}

/// A backend that computes one request at a time serves one after the other.
#[test]
fn without_batches_requests_are_computed_one_by_one() {
    struct Single(MockBackend);
    impl Backend for Single {
        fn info(&self) -> BackendInfo {
            self.0.info()
        }
        fn capabilities(&self) -> Capabilities {
            Capabilities { batch: false, ..self.0.capabilities() }
        }
        fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
            self.0.generate(request)
        }
    }
    let service = ServedBackend::start(|| Ok(Box::new(Single(mock()))), None).unwrap();
    assert_eq!(service.info().n_seqs, 1);
    let heard: Vec<_> = (1..9).map(|n| listen(&service, request(n, 4))).collect();
    for (n, (_ticket, events)) in (1..).zip(heard) {
        assert_eq!(ids(events.iter()), (n..n + 4).collect::<Vec<TokenId>>());
    }
}

#[test]
fn what_a_backend_has_no_word_for_is_refused() {
    let text = Box::new(MockText::default());
    let service = ServedBackend::start(|| Ok(Box::new(mock())), Some(text)).unwrap();
    assert_eq!(service.text().unwrap().encode(" the", false), [256]);
    let can = service.capabilities();
    assert_eq!((can.embeddings, can.kv_policies, can.logprobs), (false, false, true));
    let kept = GenerateRequest { kv: Some("recent:4".into()), ..request(2, 2) };
    let (_ticket, events) = listen(&service, kept);
    let events: Vec<Event> = events.iter().collect();
    assert!(matches!(events[..], [Event::Failed(BackendError::Unsupported { .. })]), "{events:?}");
    assert!(service.room(Some("recent:4"), 2).is_err());
    assert_eq!(service.room(Some("full"), 96), Ok(4000));
    let (told, vector) = channel();
    let _ticket =
        service.embed(vec![1], Some(Pooling::Mean), Box::new(move |v| drop(told.send(v))));
    assert!(matches!(vector.recv(), Ok(Err(BackendError::Unsupported { .. }))));
}
