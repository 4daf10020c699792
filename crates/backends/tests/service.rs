//! The service: the contract of a backend, and that nobody's text depends on who else is served.

use pacemark_backend::{
    Backend, BackendError, Constraint, Event, FinishReason, GenerateRequest, JsonForm, Pooling,
    Priority, SamplingParams, ScoreRequest, Service, TokenId, Whitespace, conformance,
};
use pacemark_backends::native::{NativeBackend, NativeService, ServiceOptions};
use pacemark_modelfile::Value;
use pacemark_setup::{Setup, Threads};
use pacemark_testmodel::{N_CTX, N_VOCAB, TestModel};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::Duration;

/// A model's file, removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, model: &TestModel) -> File {
        let unique = format!("pacemark-service-{}-{name}.gguf", std::process::id());
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

fn models() -> [(&'static str, TestModel); 2] {
    [("llama", TestModel::llama()), ("gemma3", TestModel::gemma3())]
}

fn service(name: &str, model: &TestModel, options: ServiceOptions) -> NativeService {
    let setup = Setup { threads: Threads::new(2), n_ctx: Some(N_CTX), ..Setup::default() };
    NativeService::load(&File::new(name, model).0, &setup, options, &mut |_, _| {}).unwrap()
}

fn prompt(n: usize, seed: usize) -> Vec<TokenId> {
    (0..n).map(|i| ((i * 7919 + seed * 104_729) % N_VOCAB) as TokenId).collect()
}

fn request(prompt: Vec<TokenId>, max_tokens: usize) -> GenerateRequest {
    GenerateRequest {
        prompt,
        max_tokens,
        ignore_eos: true,
        reuse_prefix: true,
        ..GenerateRequest::default()
    }
}

/// Ids and text of a whole stream, and how many prompt tokens were found.
fn collect(events: impl Iterator<Item = Event>) -> (Vec<TokenId>, String, usize) {
    let (mut ids, mut all, mut cached) = (Vec::new(), String::new(), 0);
    for event in events {
        match event {
            Event::Token { id, text, .. } => {
                ids.push(id);
                all += &text;
            }
            Event::Finished { usage, .. } => {
                cached = usage.cached_tokens;
                assert_eq!(usage.output_tokens, ids.len());
            }
            Event::Failed(error) => panic!("{error}"),
            Event::Queued { .. } | Event::Started { .. } | Event::Prefill { .. } => {}
        }
    }
    (ids, all, cached)
}

fn batch(service: &NativeService, requests: Vec<GenerateRequest>) -> Vec<Vec<TokenId>> {
    let n = requests.len();
    let events: Vec<(usize, Event)> = service.generate_batch(requests).collect();
    (0..n)
        .map(|i| {
            collect(events.iter().filter(|(at, _)| *at == i).map(|(_, event)| event.clone())).0
        })
        .collect()
}

#[test]
fn it_conforms_on_every_architecture() {
    for (name, model) in models() {
        let service = service(&format!("conforms-{name}"), &model, ServiceOptions::default());
        conformance::check(&service).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Alone, in a batch of eight, with tiny steps, after losing its blocks, with a prefix found, with
/// guesses: greedy or drawn, a request's tokens are the same.
#[test]
fn a_text_does_not_depend_on_how_it_was_served() {
    for (name, model) in models() {
        let requests: Vec<GenerateRequest> = (0..8)
            .map(|i| GenerateRequest {
                sampling: SamplingParams {
                    temperature: (i % 2) as f32,
                    seed: i as u64,
                    ..SamplingParams::default()
                },
                priority: if i % 3 == 0 { Priority::Batch } else { Priority::Interactive },
                ..request(prompt(20 + 7 * i, i), 40)
            })
            .collect();
        let plain = service(&format!("plain-{name}"), &model, ServiceOptions::default());
        let alone: Vec<Vec<TokenId>> =
            requests.iter().map(|request| collect(plain.generate(request.clone())).0).collect();
        assert!(alone.iter().all(|ids| ids.len() == 40));
        assert_eq!(
            batch(&plain, requests.clone()),
            alone,
            "{name}: in a batch, with prefixes found"
        );
        assert!(Service::status(&plain).prefix_hits > 0);

        let chunks = ServiceOptions {
            max_num_seqs: 3,
            max_num_batched_tokens: 7,
            ..ServiceOptions::default()
        };
        let chunks = service(&format!("chunks-{name}"), &model, chunks);
        assert_eq!(batch(&chunks, requests.clone()), alone, "{name}: in small steps");

        let tiny = ServiceOptions {
            n_kv_tokens: Some(N_CTX),
            max_num_seqs: 8,
            ..ServiceOptions::default()
        };
        let tiny = service(&format!("tiny-{name}"), &model, tiny);
        assert_eq!(
            batch(&tiny, requests.clone()),
            alone,
            "{name}: in a cache that is too small for all"
        );
        let status = Service::status(&tiny);
        assert!(status.preemptions > 0, "{name}: nobody lost its blocks");
        assert_eq!((status.kv_blocks_used, status.running, status.waiting), (0, 0, 0));

        let guesses = service(
            &format!("guesses-{name}"),
            &model,
            ServiceOptions { n_draft: 4, ..Default::default() },
        );
        assert_eq!(batch(&guesses, requests.clone()), alone, "{name}: with guesses, in a batch");
        for (request, alone) in requests.iter().zip(&alone) {
            assert_eq!(
                collect(guesses.generate(request.clone())).0,
                *alone,
                "{name}: with guesses"
            );
        }
        let status = Service::status(&guesses);
        assert!(
            status.accepted_tokens > 0 && status.drafted_tokens > status.accepted_tokens,
            "{name}: {status:?}"
        );
    }
}

/// Under policies, alone, in a batch beside others, in small steps, after losing its blocks and with
/// a prefix found: the same tokens, and no more of the cache than the policy keeps.
#[test]
fn a_text_under_a_policy_does_not_depend_on_how_it_was_served() {
    let specs = [
        "streaming:4+28",
        "fix_size_l2:32,keep=0.5",
        "tova:24",
        "h2o:12+12",
        "snapkv:24,window=8",
        "expected_attention:0.5",
        "knorm:24,every=8",
    ];
    for (name, model) in models() {
        let under = |kv: Option<&str>| GenerateRequest {
            kv: kv.map(str::to_owned),
            ..request(prompt(50, 1), 40)
        };
        let mut requests: Vec<GenerateRequest> =
            specs.iter().map(|spec| under(Some(spec))).collect();
        requests.push(under(None));
        let alone: Vec<Vec<TokenId>> = requests
            .iter()
            .map(|request| {
                let fresh = service(&format!("kv-{name}"), &model, ServiceOptions::default());
                collect(fresh.generate(request.clone())).0
            })
            .collect();
        assert_ne!(alone[0], alone[specs.len()], "{name}: a policy changes the text");

        let plain = service(&format!("kv-plain-{name}"), &model, ServiceOptions::default());
        assert!(batch(&plain, requests.clone()) == alone, "{name}: in a batch");
        assert!(batch(&plain, requests.clone()) == alone, "{name}: with prefixes found");
        let found: Vec<usize> =
            requests.iter().map(|request| collect(plain.generate(request.clone())).2).collect();
        assert_eq!(found[0], 32, "{name}: as much as is kept of the beginning");
        assert_eq!(found[3], 0, "{name}: attention that nobody noted is not found");
        assert_eq!(found[4], 32, "{name}: 42 tokens before the window");

        let small = ServiceOptions {
            max_num_seqs: 3,
            max_num_batched_tokens: 7,
            ..ServiceOptions::default()
        };
        let small = service(&format!("kv-small-{name}"), &model, small);
        assert!(batch(&small, requests.clone()) == alone, "{name}: in small steps");
        let tiny = ServiceOptions { n_kv_tokens: Some(N_CTX), ..ServiceOptions::default() };
        let tiny = service(&format!("kv-tiny-{name}"), &model, tiny);
        assert!(batch(&tiny, requests.clone()) == alone, "{name}: where not all fit");
        let status = Service::status(&tiny);
        assert!(status.preemptions > 0, "{name}: nobody lost its blocks");
        assert_eq!((status.kv_blocks_used, status.running, status.waiting), (0, 0, 0));
    }
}

/// A question behind the prompt that a policy works on: alone, in a batch, in small steps and where
/// not all fit the same tokens, and those that scoring has as the most likely under the same terms.
#[test]
fn a_policy_works_where_it_is_told_that_the_prompt_ends() {
    let specs = ["snapkv:24,window=8", "expected_attention:0.5", "knorm:24,every=8", "tova:24"];
    for (name, model) in models() {
        let under = |spec: &str, kv_prompt| GenerateRequest {
            kv: Some(spec.into()),
            kv_prompt,
            ..request(prompt(50, 1), 20)
        };
        let requests: Vec<GenerateRequest> =
            specs.iter().map(|spec| under(spec, Some(37))).collect();
        let file = File::new(&format!("outside-{name}"), &model);
        let setup = Setup { threads: Threads::new(2), n_ctx: Some(N_CTX), ..Setup::default() };
        let backend = NativeBackend::load(&file.0, &setup, &mut |_, _| {}).unwrap();
        let alone: Vec<Vec<TokenId>> =
            requests.iter().map(|request| collect(backend.generate(request.clone())).0).collect();
        for (request, ids) in requests.iter().zip(&alone) {
            let text = ScoreRequest {
                tokens: [&request.prompt[..], ids].concat(),
                first: 49,
                kv: request.kv.clone(),
                n_prompt: Some(37),
            };
            let scores = backend.score_text(&text, &mut |_, _| ControlFlow::Continue(())).unwrap();
            assert_eq!(scores.hits, [true; 20], "{name}: {:?}", request.kv);
        }
        let held = |kv_prompt| match backend.generate(under(specs[0], kv_prompt)).last() {
            Some(Event::Finished { usage, .. }) => usage.kv.unwrap().mean_tokens(),
            other => panic!("{other:?}"),
        };
        // What was kept of the prompt, the question, and all generated tokens but the last.
        assert_eq!((held(None), held(Some(37))), (24.0 + 19.0, 24.0 + 13.0 + 19.0), "{name}");
        let small = ServiceOptions {
            max_num_seqs: 3,
            max_num_batched_tokens: 7,
            ..ServiceOptions::default()
        };
        let tiny = ServiceOptions { n_kv_tokens: Some(N_CTX), ..ServiceOptions::default() };
        for (how, options) in
            [("plain", ServiceOptions::default()), ("small", small), ("tiny", tiny)]
        {
            let service = service(&format!("outside-{how}-{name}"), &model, options);
            assert!(batch(&service, requests.clone()) == alone, "{name}: {how}");
            assert!(batch(&service, requests.clone()) == alone, "{name}: {how}, found again");
        }
    }
}

#[test]
fn a_policys_prompt_is_a_part_of_the_prompt() {
    let (name, model) = &models()[0];
    let service = service(&format!("kv-part-{name}"), model, ServiceOptions::default());
    for kv_prompt in [0, 51, usize::MAX] {
        let request = GenerateRequest { kv_prompt: Some(kv_prompt), ..request(prompt(50, 1), 1) };
        let events: Vec<Event> = service.generate(request).collect();
        let Some(Event::Failed(error)) = events.last() else { panic!("{kv_prompt}: {events:?}") };
        assert!(error.to_string().contains("kv_prompt: expected 1 to 50"), "{error}");
    }
}

/// More tokens than the context holds, and the cache that they take.
#[test]
fn a_bounded_policy_goes_on_beyond_the_context() {
    let (name, model) = &models()[0];
    let service = service(&format!("kv-long-{name}"), model, ServiceOptions::default());
    let long =
        |kv: &str| GenerateRequest { kv: Some(kv.into()), ..request(prompt(2 * N_CTX, 3), N_CTX) };
    let events: Vec<Event> = service.generate(long("streaming:4+28")).collect();
    let Some(Event::Finished { usage, .. }) = events.last() else { panic!("{events:?}") };
    let held = usage.kv.unwrap();
    assert_eq!((held.mean_tokens(), held.most_tokens, usage.output_tokens), (32.0, 32, N_CTX));
    assert!(held.page_bytes < held.resident_bytes * 2);
    for (kv, why) in [
        ("full", "but the context holds"),
        ("recent:0.9", "holds up to"),
        ("streaming:4+28,skip=0", "holds up to"),
        ("snapkv:64", "holds up to"),
        ("recnt:4", "KV policy `recnt:4`: expected recent"),
    ] {
        let events: Vec<Event> = service.generate(long(kv)).collect();
        let Some(Event::Failed(error)) = events.last() else { panic!("{kv}: {events:?}") };
        assert!(error.to_string().contains(why), "{kv}: {error}");
    }
}

/// Three answers to one prompt, asked for at once: two of them find its full blocks, and their
/// tokens are what they are alone.
#[test]
fn a_prompt_asked_for_several_times_is_computed_once() {
    for (name, model) in models() {
        let requests: Vec<GenerateRequest> = (0..3)
            .map(|seed| GenerateRequest {
                sampling: SamplingParams { temperature: 1.0, seed, ..SamplingParams::default() },
                ..request(prompt(40, 1), 12)
            })
            .collect();
        let alone = |request: &GenerateRequest| {
            let fresh = service(&format!("once-alone-{name}"), &model, ServiceOptions::default());
            collect(fresh.generate(request.clone())).0
        };
        let alone: Vec<Vec<TokenId>> = requests.iter().map(alone).collect();
        let small = ServiceOptions { max_num_batched_tokens: 16, ..ServiceOptions::default() };
        for (options, how) in [(ServiceOptions::default(), "at once"), (small, "in three steps")] {
            let shared = service(&format!("once-{name}"), &model, options);
            assert_eq!(batch(&shared, requests.clone()), alone, "{name}: {how}");
            let status = Service::status(&shared);
            assert_eq!((status.prefix_queries, status.prefix_hits), (120, 64), "{name}: {how}");
        }
    }
}

/// The same on a model of real size, whose text is text: greedy, as `cli/tests/reference.rs` has it
/// from llama.cpp.
#[test]
fn a_real_models_text_does_not_depend_on_how_it_was_served() {
    let Some(directory) = std::env::var_os("PACEMARK_TEST_MODELS") else {
        eprintln!(
            "skipped: set PACEMARK_TEST_MODELS to a directory with SmolLM2-135M-Instruct.Q4_1.gguf"
        );
        return;
    };
    let path = PathBuf::from(directory).join("SmolLM2-135M-Instruct.Q4_1.gguf");
    let load = |service| {
        let setup = Setup { n_ctx: Some(512), ..Setup::default() };
        NativeService::load(&path, &setup, service, &mut |_, _| {}).unwrap()
    };
    let plain = load(ServiceOptions::default());
    let texts = [
        "The sky is",
        "1, 2, 3, 4,",
        "a b a b a b",
        "Once upon a time",
        "def f(x):",
        "Paris is",
        "To be, or",
        "water",
    ];
    // A common beginning of several blocks, so that prefixes are found.
    let common = "Here is a list of things that are said again and again, again and again, and nobody knows why. Next: ";
    let tokens = |text: &str| plain.text().unwrap().encode(&format!("{common}{text}"), true);
    let requests: Vec<GenerateRequest> =
        texts.iter().map(|text| request(tokens(text), 32)).collect();
    let cold =
        |request: &GenerateRequest| GenerateRequest { reuse_prefix: false, ..request.clone() };
    let alone: Vec<Vec<TokenId>> =
        requests.iter().map(|request| collect(plain.generate(cold(request))).0).collect();
    assert_eq!(batch(&plain, requests.clone()), alone, "in a batch, with a prefix found");
    assert!(Service::status(&plain).prefix_hits > 0);
    let tiny = ServiceOptions {
        n_kv_tokens: Some(512),
        max_num_batched_tokens: 48,
        ..ServiceOptions::default()
    };
    // Without sharing, eight of these do not fit.
    let tiny = load(ServiceOptions { prefix_cache: false, ..tiny });
    let long: Vec<GenerateRequest> =
        requests.iter().map(|r| GenerateRequest { max_tokens: 64, ..r.clone() }).collect();
    let served = batch(&tiny, long);
    assert!(
        served.iter().zip(&alone).all(|(served, alone)| served.starts_with(alone)),
        "after losing blocks"
    );
    assert!(Service::status(&tiny).preemptions > 0);
    let guesses = load(ServiceOptions { n_draft: 4, ..ServiceOptions::default() });
    let guessed: Vec<_> =
        requests.iter().map(|request| collect(guesses.generate(request.clone())).0).collect();
    assert_eq!(guessed, alone, "with guesses");
    assert!(Service::status(&guesses).accepted_tokens > 0);
}

#[test]
fn dropping_a_ticket_frees_what_the_request_held() {
    let service = service("abort", &TestModel::llama(), ServiceOptions::default());
    let (told, events) = channel();
    let endless = request(prompt(30, 1), N_CTX - 30);
    let ticket = service.submit(endless, Box::new(move |event| drop(told.send(event))));
    assert!(events.iter().any(|event| matches!(event, Event::Token { .. })));
    drop(ticket);
    // The sink goes with the request, so the channel ends.
    assert!(!events.iter().any(|event| matches!(event, Event::Finished { .. })));
    let status = Service::status(&service);
    assert_eq!((status.running, status.kv_blocks_used), (0, 0), "told though nothing else happens");
    assert_eq!(collect(service.generate(request(prompt(5, 2), 3))).0.len(), 3);
    assert_eq!(Service::status(&service).kv_blocks_used, 0);
}

#[test]
fn stop_texts_and_tokens_end_an_output() {
    let service = service("stops", &TestModel::llama(), ServiceOptions::default());
    let plain = request(prompt(10, 3), 30);
    let (ids, text, _) = collect(service.generate(plain.clone()));
    let middle: String = text.chars().skip(text.chars().count() / 2).take(3).collect();
    let stopped = GenerateRequest { stop: vec![middle.clone()], ..plain.clone() };
    let events: Vec<Event> = service.generate(stopped.clone()).collect();
    assert!(matches!(events.last(), Some(Event::Finished { reason: FinishReason::Stop, .. })));
    let (_, cut, _) = collect(events.into_iter());
    assert_eq!(cut, text[..text.find(&middle).unwrap()]);
    let late = GenerateRequest { min_tokens: 30, ..stopped };
    assert_eq!(collect(service.generate(late)).0, ids, "no stop text ends it before min_tokens");
    let token = GenerateRequest { stop_tokens: vec![ids[7]], ..plain.clone() };
    let first = ids.iter().position(|id| *id == ids[7]).unwrap();
    assert_eq!(collect(service.generate(token.clone())).0, ids[..=first]);
    let late = GenerateRequest { min_tokens: 20, ..token };
    assert!(collect(service.generate(late)).0.len() > 20);
    let biased = SamplingParams { logit_bias: vec![(77, 1000.0)], ..SamplingParams::default() };
    assert_eq!(
        collect(service.generate(GenerateRequest { sampling: biased, ..plain })).0,
        [77; 30]
    );
}

#[test]
fn constrained_output_has_the_form() {
    let json = |schema: &str| {
        Constraint::Json(JsonForm { schema: schema.into(), whitespace: Whitespace::Bounded })
    };
    let service = service("forms", &TestModel::llama(), ServiceOptions::default());
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer","maximum":99},"b":{"enum":["x","y"]}},
        "required":["a","b"],"additionalProperties":false}"#;
    let request =
        |constraint| GenerateRequest { constraint: Some(constraint), ..request(prompt(9, 4), 100) };
    for seed in 0..3 {
        let sampling = SamplingParams { temperature: 1.0, seed, ..SamplingParams::default() };
        let request =
            |constraint| GenerateRequest { sampling: sampling.clone(), ..request(constraint) };
        let text =
            collect(service.generate(request(Constraint::Regex("(ab|c){2,3}[0-9]".into())))).1;
        assert!(
            matches!(text.len(), 3..=7) && text.ends_with(|c: char| c.is_ascii_digit()),
            "{text}"
        );
        // Of all that this schema allows only whitespace could be long: this model likes every
        // token alike, and takes it.
        for (whitespace, longest) in [
            (Whitespace::Bounded, 8 * 22 + 18),
            (Whitespace::None, 18),
            (Whitespace::Pattern(" {3}".into()), 8 * 3 + 18),
        ] {
            let text = collect(service.generate(GenerateRequest {
                max_tokens: 240,
                ..request(Constraint::Json(JsonForm {
                    schema: schema.into(),
                    whitespace: whitespace.clone(),
                }))
            }));
            let value: Result<serde_json::Value, _> = serde_json::from_str(&text.1);
            assert!(value.is_ok_and(|v| v["b"] == "x" || v["b"] == "y"), "{text:?}");
            assert!(text.1.len() <= longest, "{text:?}");
        }
    }
    // Numbers end too, whatever their schema says of their values, though this one likes zeros.
    let zero = collect(service.generate(request(Constraint::Regex("0".into())))).0[0];
    for seed in 0..3 {
        let sampling = SamplingParams {
            temperature: 1.0,
            seed,
            logit_bias: vec![(zero, 50.0)],
            ..SamplingParams::default()
        };
        for number in [
            r#"{"type":"number"}"#,
            r#"{"type":"integer"}"#,
            r#"{"type":"number","minimum":0,"maximum":1}"#,
        ] {
            let text = collect(service.generate(GenerateRequest {
                sampling: sampling.clone(),
                max_tokens: 200,
                ..request(json(&format!(
                    r#"{{"type":"array","minItems":1,"maxItems":1,"items":{number}}}"#
                )))
            }));
            assert!(
                serde_json::from_str::<serde_json::Value>(&text.1).is_ok(),
                "{number}: {text:?}"
            );
        }
    }
    let grammar = Constraint::Grammar("start: \"<\" start \">\" | /[0-9]{2}/".into());
    let text = collect(service.generate(request(grammar))).1;
    assert_eq!(text.matches('<').count(), text.matches('>').count(), "{text}");
    assert!(text.trim_matches(['<', '>']).parse::<u8>().is_ok(), "{text}");
    // Not a schema; one that allows nothing; one beyond the grammar engine's bounds: all of them
    // the request's fault.
    let nothing = r##"{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}"##;
    let properties: Vec<String> =
        (0..1500).map(|i| format!("\"p{i}\": {{\"type\": \"string\"}}")).collect();
    let huge = format!("{{\"type\": \"object\", \"properties\": {{{}}}}}", properties.join(","));
    for schema in ["{\"type\": 7}", nothing, &huge] {
        let broken = service.generate(request(json(schema))).last();
        let refused = matches!(broken, Some(Event::Failed(BackendError::InvalidRequest(_))));
        assert!(refused, "{}: {broken:?}", &schema[..11]);
    }
}

/// As long as the server takes them; each is refused, or kept to. What is deep must not end the
/// process.
#[test]
fn hostile_forms_of_full_length() {
    let service = service("hostile", &TestModel::llama(), ServiceOptions::default());
    let request =
        |constraint| GenerateRequest { constraint: Some(constraint), ..request(prompt(9, 4), 3) };
    let chain = |n: usize, link: &dyn Fn(usize) -> String, last: &str| {
        (0..n).map(link).collect::<String>() + last
    };
    let reference = |i: usize| format!("\"{i}\":{{\"$ref\":\"#/$defs/{}\"}},", i + 1);
    let references = chain(2000, &reference, "\"2000\":{\"type\":\"null\"}");
    let forms = [
        Constraint::Grammar(format!("root ::= \"a\"{}", "*".repeat(60_000))),
        Constraint::Grammar(format!("root ::= {}\"a\"{}", "(".repeat(30_000), ")".repeat(30_000))),
        Constraint::Grammar(chain(
            4000,
            &|i| format!("r{i} ::= r{}\n", i + 1),
            "r4000 ::= \"a\"\nroot ::= r0",
        )),
        Constraint::Grammar(format!(
            "start: a0\n{}",
            chain(4000, &|i| format!("a{i}: a{}\n", i + 1), "a4000: \"a\"")
        )),
        Constraint::Grammar(format!("root ::= {}\"a\"", "\"a\"|".repeat(15_000))),
        Constraint::Regex(format!("{}a{}", "(".repeat(30_000), ")".repeat(30_000))),
        Constraint::Json(JsonForm {
            schema: format!("{{\"$ref\":\"#/$defs/0\",\"$defs\":{{{references}}}}}"),
            whitespace: Whitespace::Bounded,
        }),
    ];
    let not_a_format = format!("{{\"format\": [\"{}\"]}}", "\u{e9}".repeat(200));
    let odd = Constraint::Json(JsonForm { schema: not_a_format, whitespace: Whitespace::Bounded });
    for form in forms.into_iter().chain([odd]) {
        let head = format!("{form:?}").chars().take(60).collect::<String>();
        let last = service.generate(request(form)).last();
        let fine = matches!(
            last,
            Some(Event::Finished { .. } | Event::Failed(BackendError::InvalidRequest(_)))
        );
        assert!(fine, "{head}: {last:?}");
    }
}

#[test]
fn embeddings_have_length_one_and_depend_on_all_tokens() {
    let service = service("embeddings", &TestModel::llama(), ServiceOptions::default());
    let embed = |prompt: Vec<TokenId>, pooling: Option<Pooling>| {
        let (told, result) = channel();
        let _ticket =
            service.embed(prompt, pooling, Box::new(move |vector| drop(told.send(vector))));
        result.recv().unwrap().unwrap()
    };
    for pooling in [None, Some(Pooling::Mean), Some(Pooling::Last)] {
        let a = embed(prompt(40, 1), pooling);
        let length: f32 = a.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
        assert_eq!(a, embed(prompt(40, 1), pooling), "found blocks must not change it");
        let mut other = prompt(40, 1);
        other[0] += 1;
        assert_ne!(a, embed(other, pooling));
    }
    let (told, result) = channel();
    let _ticket = service.embed(vec![], None, Box::new(move |vector| drop(told.send(vector))));
    assert!(result.recv().unwrap().is_err());
}

#[test]
fn the_models_own_pooling_is_used_where_the_caller_says_nothing() {
    let embed = |kind: Option<u32>, pooling| {
        let mut model = TestModel::llama();
        if let Some(kind) = kind {
            model.set("llama.pooling_type", Value::U32(kind));
        }
        let service = service("pooling", &model, ServiceOptions::default());
        let (told, result) = channel();
        let _ticket =
            service.embed(prompt(40, 1), pooling, Box::new(move |vector| drop(told.send(vector))));
        result.recv().unwrap()
    };
    let poolings = [(1, Pooling::Mean), (2, Pooling::Cls), (3, Pooling::Last)];
    let vectors = poolings.map(|(kind, pooling)| {
        let asked_for = embed(None, Some(pooling)).unwrap();
        assert_eq!(embed(Some(kind), None).unwrap(), asked_for, "{pooling:?}");
        asked_for
    });
    assert_eq!(embed(None, None).unwrap(), vectors[0]);
    assert!(vectors[0] != vectors[1] && vectors[1] != vectors[2] && vectors[0] != vectors[2]);
    let refused = embed(Some(4), None).unwrap_err().to_string();
    assert!(refused.contains("llama.pooling_type: expected 1 (mean)"), "{refused}");
    assert_eq!(embed(Some(4), Some(Pooling::Last)).unwrap(), vectors[2]);
}

/// The backend without a scheduler computes the same, and what a service is asked after it is as before.
#[test]
fn scores_are_the_backends() {
    for (name, model) in models() {
        let (name, setup) = (
            format!("{name}-scores"),
            Setup { threads: Threads::new(2), n_ctx: Some(N_CTX), ..Setup::default() },
        );
        let file = File::new(&name, &model);
        let backend = NativeBackend::load(&file.0, &setup, &mut |_, _| {}).unwrap();
        let options = ServiceOptions::default();
        let service = NativeService::load(&file.0, &setup, options, &mut |_, _| {}).unwrap();
        let score = |tokens: Vec<TokenId>, first: usize| {
            let (tell, told) = channel();
            let ticket =
                service.score(tokens, first, Box::new(move |scores| tell.send(scores).unwrap()));
            let scores = told.recv().unwrap();
            drop(ticket);
            scores
        };
        let before = collect(Backend::generate(&service, request(prompt(9, 1), 5)));
        for (n, first) in [(40, 0), (40, 17), (2, 0), (1, 0), (N_CTX, 3)] {
            let tokens = prompt(n, 4);
            assert_eq!(score(tokens.clone(), first), backend.score(&tokens, first), "{n} {first}");
        }
        assert_eq!(collect(Backend::generate(&service, request(prompt(9, 1), 5))).0, before.0);
        assert!(matches!(
            score(prompt(N_CTX + 2, 1), 0),
            Err(BackendError::ContextExceeded { .. })
        ));
        assert!(matches!(
            score(vec![N_VOCAB as TokenId, 1], 0),
            Err(BackendError::InvalidRequest(_))
        ));
    }
}

/// Whoever always asks for more does not keep it from its turn, and the end of the service ends it.
#[test]
fn a_score_has_its_turn_and_an_end() {
    let model = TestModel::llama();
    let service = service("score-turn", &model, ServiceOptions::default());
    let (tell, told) = channel();
    let asked = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ask = || {
            let mut seed = 0;
            while !stop.load(Relaxed) {
                seed += 1;
                let answer = collect(Backend::generate(&service, request(prompt(9, seed), 20)));
                assert_eq!(answer.0.len(), 20);
                asked.fetch_add(1, Relaxed);
            }
        };
        let others: Vec<_> = (0..3).map(|_| scope.spawn(ask)).collect();
        while asked.load(Relaxed) < 6 {
            std::thread::yield_now();
        }
        let _ticket = service.score(prompt(40, 4), 0, Box::new(move |s| tell.send(s).unwrap()));
        let scores = told.recv_timeout(Duration::from_secs(60));
        stop.store(true, Relaxed);
        assert_eq!(scores.expect("it has its turn").unwrap().len(), 39);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
    let (tell, told) = channel();
    let tickets: Vec<_> = (0..50)
        .map(|_| {
            let tell = tell.clone();
            service.score(prompt(N_CTX, 4), 0, Box::new(move |s| drop(tell.send(s))))
        })
        .collect();
    drop(tell);
    drop(service);
    for scores in told {
        assert_eq!(scores.unwrap().len() + 1, N_CTX, "what is told is whole");
    }
    drop(tickets);
}
