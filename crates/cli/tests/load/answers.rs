//! `pacemark load` through the real binary, against a scripted server that answers well and in
//! every bad way.

use crate::scripted::{Answer, Server, chat_chunk, usage_chunk};
use serde_json::Value;
use std::process::Output;

fn load(arguments: &[&str]) -> Output {
    crate::binary::pacemark().arg("load").args(arguments).output().unwrap()
}

/// The rows of `-o json`, the exit code and what was said besides.
fn figures(url: &str, arguments: &[&str]) -> (Vec<Value>, i32, String) {
    let usual = ["--url", url, "-o", "json", "--input-tokens", "8", "--output-tokens", "4"];
    let warmup = if arguments.contains(&"--warmup") { &[][..] } else { &["--warmup", "0"] };
    let output = load(&[&usual, warmup, arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    assert!(
        !said.contains('\x1b') && !output.stdout.contains(&0x1b),
        "escape codes go to terminals only"
    );
    let rows = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (rows.as_array().cloned().unwrap_or_default(), output.status.code().unwrap(), said)
}

/// Four tokens, a chunk each.
fn good() -> Answer {
    let chunks = (0..4).map(|i| chat_chunk(&format!("\"content\":\" t{i}\"")));
    Answer::stream(chunks.chain([usage_chunk(8, 4, 0), "data: [DONE]\n\n".into()]))
}

#[test]
fn a_good_server_gives_every_figure() {
    let server = Server::new(|_| good());
    let (rows, code, said) = figures(&server.url(), &["-c", "1,3", "-n", "12"]);
    assert_eq!((rows.len(), code), (2, 0), "{said}");
    let row = &rows[1];
    assert_eq!(
        (&row["requests"], &row["failed"], &row["concurrency"]),
        (&12.into(), &0.into(), &3.into())
    );
    assert_eq!((&row["output_tokens"], &row["input_tokens"]), (&48.into(), &96.into()));
    assert_eq!(
        (row["token_source"].as_str(), row["chunks_are_tokens"].as_bool()),
        (Some("usage"), Some(true))
    );
    for figure in [
        "ttft_ms_p50",
        "tpot_ms_mean",
        "itl_ms_p50",
        "e2e_ms_p50",
        "output_ts_total",
        "request_rate",
    ] {
        assert!(row[figure].as_f64().unwrap() >= 0.0, "{figure}");
    }
    assert_eq!((&row["ttft_ms_p99"], &row["icl_ms_p50"]), (&Value::Null, &Value::Null));
    assert_eq!(row["prompt_tokens_exact"], true);
    assert_eq!(row["ci_method"], "binomial order statistics for percentiles");
    assert!(row["throughput_ci_method"].as_str().unwrap().contains("block bootstrap"));
    let names: Vec<&String> = row.as_object().unwrap().keys().collect();
    assert!(
        names.iter().all(|name| !name.contains("rss")),
        "its own memory is no figure of the server: {names:?}"
    );
    // Every request: exact length, streamed, with usage, ended by length; no prompt twice.
    let bodies = server.bodies();
    assert_eq!(bodies.len(), 24);
    for body in &bodies {
        assert_eq!(
            (&body["max_tokens"], &body["min_tokens"], &body["ignore_eos"]),
            (&4.into(), &4.into(), &true.into())
        );
        assert_eq!(body["stream_options"]["include_usage"], true);
        let prompt = body["messages"][0]["content"].as_str().unwrap();
        assert_eq!(prompt.split(' ').count(), 8, "{prompt}");
    }
    let mut prompts: Vec<String> = bodies.iter().map(|body| body["messages"].to_string()).collect();
    prompts.sort();
    prompts.dedup();
    assert_eq!(prompts.len(), 24);
}

#[test]
fn failures_by_kind_each_with_an_example() {
    type Case = (&'static str, fn() -> Answer, &'static [&'static str]);
    let cases: &[Case] = &[
        ("server_error", || Answer::status(500, "{\"error\":{\"message\":\"boom\"}}"), &["boom"]),
        ("client_error", || Answer::status(400, "{\"error\":{\"message\":\"no\"}}"), &["no"]),
        ("too_many", || Answer::status(429, "slow down"), &["slow down"]),
        ("cut", || Answer::stream([chat_chunk("\"content\":\"a\"")]).cut(), &[]),
        ("unfinished", || Answer::stream([chat_chunk("\"content\":\"a\"")]), &["[DONE]"]),
        (
            "garbage",
            || Answer::stream(["data: {nonsense\n\n".to_owned(), "data: [DONE]\n\n".to_owned()]),
            &["nonsense"],
        ),
        ("garbage", || Answer::raw("220 smtp ready\r\n"), &[]),
        ("reset", || Answer::raw(""), &[]),
        ("empty", || Answer::stream(["data: [DONE]\n\n".to_owned()]), &[]),
        (
            "stream_error",
            || Answer::stream(["data: {\"error\":{\"message\":\"oom\"}}\n\n".to_owned()]),
            &["oom"],
        ),
        ("stalled", || Answer::stream([chat_chunk("\"content\":\"a\"")]).hang(), &[]),
        ("first_byte_timeout", || Answer::raw("").hang(), &[]),
    ];
    for (kind, answer, says) in cases {
        let answer = *answer;
        let server = Server::new(move |_| answer());
        let short =
            ["-c", "2", "-n", "4", "--stall-timeout", "300ms", "--first-byte-timeout", "300ms"];
        let (rows, code, said) = figures(&server.url(), &short);
        assert_eq!(code, 1, "{kind}: all failed; {said}");
        let found = &rows[0]["failures"][kind];
        assert_eq!(found["count"], 4, "{kind}: {}", rows[0]["failures"]);
        for part in *says {
            assert!(found["example"].as_str().unwrap().contains(part), "{found}");
        }
        assert_eq!((&rows[0]["requests"], &rows[0]["failed"]), (&4.into(), &4.into()), "{kind}");
        assert!(said.contains("4 of 4 requests failed"), "{said}");
    }
}

#[test]
fn answers_without_end_and_connections_that_are_not_taken() {
    let of_kind = |url: &str, arguments: &[&str], kind: &str| {
        let usual =
            ["--model", "m", "-c", "1", "-n", "2", "--prompt-ids", "--endpoint", "completions"];
        let (rows, code, said) = figures(url, &[&usual, arguments].concat());
        assert_eq!(
            (code, &rows[0]["failures"][kind]["count"]),
            (1, &2.into()),
            "{}: {said}",
            rows[0]["failures"]
        );
    };
    let server = Server::new(|_| {
        Answer::stream([chat_chunk(&format!("\"content\":\"{}\"", "a".repeat(17 << 20)))])
    });
    of_kind(&server.url(), &[], "too_large");
    let server = Server::new(|_| Answer::status(302, "elsewhere"));
    of_kind(&server.url(), &[], "odd_status");
    // A byte now and then keeps every limit but that of the whole.
    let drops = || {
        Answer::stream((0..1000).map(|_| chat_chunk("\"content\":\"a\"")))
            .in_pieces_of(60)
            .every_ms(20)
    };
    let server = Server::new(move |_| drops());
    of_kind(&server.url(), &["--timeout", "400ms", "--stall-timeout", "10s"], "total_timeout");
    // Nobody accepts, and the system's queue of connections is full: the next one is not answered.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let short = std::time::Duration::from_millis(200);
    let queued: Vec<_> =
        std::iter::from_fn(|| std::net::TcpStream::connect_timeout(&address, short).ok()).collect();
    assert!(!queued.is_empty());
    of_kind(&format!("http://{address}"), &["--connect-timeout", "200ms"], "connect_timeout");
}

#[test]
fn nobody_listens() {
    let gone = Server::new(|_| good()).url();
    let (rows, code, said) = figures(&gone, &["--model", "m", "-n", "3", "-c", "1"]);
    assert_eq!((code, &rows[0]["failures"]["refused"]["count"]), (1, &3.into()), "{said}");
    // Without a model's name the server must be asked for it.
    let output = load(&["--url", &gone]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--model"));
    // What is no address is no reason to ask anybody.
    for (url, says) in [
        ("http://localhost:99999", "port '99999': expected 1 to 65535"),
        ("localhost:1", "begins with http"),
    ] {
        let output = load(&["--url", url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(says), "{url}");
    }
}

#[test]
fn some_failures_stay_in_the_denominator() {
    let server = Server::new(|i| if i % 4 == 3 { Answer::status(500, "{}") } else { good() });
    let (rows, code, said) =
        figures(&server.url(), &["-c", "1", "-n", "40", "--slo", "ttft:p50<10s,tpot<10s"]);
    let row = &rows[0];
    assert_eq!((&row["requests"], &row["failed"]), (&40.into(), &10.into()), "{said}");
    assert_eq!(row["good_share"], 0.75);
    // The median is met; that all of them are is not.
    assert_eq!(
        (&row["slo_results"][0]["verdict"], &row["slo_results"][1]["verdict"]),
        (&"met".into(), &"missed".into())
    );
    assert_eq!(code, 3);
}

#[test]
fn chunks_that_are_not_tokens_are_not_called_so() {
    // Two tokens a chunk, by usage; reasoning is a token; characters cut by the network arrive
    // whole.
    let server = Server::new(|_| {
        let chunks =
            [chat_chunk("\"reasoning_content\":\"hm\""), chat_chunk("\"content\":\"é🦀\"")];
        Answer::stream(chunks.into_iter().chain([usage_chunk(8, 4, 6), "data: [DONE]\n\n".into()]))
            .in_pieces_of(7)
    });
    let (rows, code, said) = figures(&server.url(), &["-c", "2", "-n", "10"]);
    let row = &rows[0];
    assert_eq!((code, &row["failed"], &row["output_tokens"]), (0, &0.into(), &40.into()), "{said}");
    assert_eq!(
        (&row["itl_ms_p50"], row["chunks_are_tokens"].as_bool()),
        (&Value::Null, Some(false))
    );
    assert!(row["icl_ms_p50"].as_f64().is_some() && said.contains("ICL"), "{said}");
    assert!(said.contains("in its cache"), "a cold run with cached tokens is told of: {said}");
    // Nobody counts: chunks are what there is, and it is said.
    let server = Server::new(|_| {
        Answer::stream([chat_chunk("\"content\":\"a\""), "data: [DONE]\n\n".into()])
    });
    let (uncounted, _, said) = figures(&server.url(), &["-c", "1", "-n", "2"]);
    assert_eq!(uncounted[0]["token_source"], "chunks");
    assert!(said.contains("nothing but chunks counted"), "{said}");
}

#[test]
fn open_loads_keep_their_schedule_and_the_record_holds_it() {
    let server = Server::new(|_| good().after_ms(30));
    let file = std::env::temp_dir().join(format!("pacemark-load-{}.json", std::process::id()));
    let save =
        ["--rate", "200", "--arrival", "constant", "-n", "30", "--max-in-flight", "2", "--save"];
    let (rows, code, said) = figures(
        &server.url(),
        &[&save[..], &[file.to_str().unwrap(), "--api-key", "hush"]].concat(),
    );
    assert_eq!(code, 0, "{said}");
    // Two at a time take 15 ms a request, and one is due every 5 ms: most wait, and waiting counts.
    let row = &rows[0];
    assert!(row["held_back"].as_u64().unwrap() >= 5, "{}", row["held_back"]);
    let (sent, due) =
        (row["ttft_ms_p50"].as_f64().unwrap(), row["ttft_scheduled_ms_p50"].as_f64().unwrap());
    assert!(due > sent + 10.0, "from the send {sent}, from the schedule {due}");
    assert!(said.contains("held back"), "{said}");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(!text.contains("hush"), "keys are not recorded");
    let run = pacemark_record::Run::from_json(&text).unwrap();
    assert_eq!((run.trials.len(), run.trials[0].requests().len()), (1, 30));
    let mut due: Vec<u64> =
        run.trials[0].requests().iter().map(|request| request.scheduled_ns / 1_000_000).collect();
    due.sort_unstable();
    assert_eq!(due, (0..30).map(|i| i * 5).collect::<Vec<u64>>());
    let metric =
        pacemark_load::METRICS.iter().find(|metric| metric.name() == "ttft_ms_p50").unwrap();
    assert!(
        (metric.of(&run.trials[0]).value.unwrap() - sent).abs() < 1e-3,
        "figures are made of the record"
    );
}

#[test]
fn a_limit_that_the_sample_cannot_show_is_not_met() {
    let server = Server::new(|_| good());
    let (rows, code, said) =
        figures(&server.url(), &["-c", "2", "-n", "40", "--slo", "ttft:p99<100s"]);
    assert_eq!(
        (code, &rows[0]["slo_results"][0]["verdict"]),
        (3, &"too few requests".into()),
        "{said}"
    );
    assert!(said.contains("ttft:p99<100000ms: too few requests, it takes 299"), "{said}");
    let (_, code, said) =
        figures(&server.url(), &["-c", "2", "-n", "40", "--slo", "ttft:p90<100s"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn warm_ups_are_real_requests_and_not_counted() {
    let server = Server::new(|_| good());
    let (rows, code, said) = figures(&server.url(), &["-c", "2", "-n", "12", "--warmup", "3"]);
    let row = &rows[0];
    assert_eq!(
        (code, &row["requests"], &row["output_tokens"]),
        (0, &12.into(), &48.into()),
        "{said}"
    );
    assert_eq!((&row["warmup_runs"], server.bodies().len()), (&3.into(), 15));
}

#[test]
fn what_was_due_and_never_sent_is_told_and_keeps_no_limit() {
    // Fifty are due in the second, and a server that takes 200 ms is sent one at a time.
    let server = Server::new(|_| good().after_ms(200));
    let rate = ["--rate", "50", "--arrival", "constant", "--duration", "1s", "--max-in-flight"];
    let slo = ["--slo", "ttft:p50<100s"];
    let (rows, code, said) = figures(&server.url(), &[&rate[..], &["1"], &slo[..]].concat());
    let row = &rows[0];
    let (sent, unsent) = (row["requests"].as_u64().unwrap(), row["unsent"].as_u64().unwrap());
    assert!(sent + unsent == 50 && sent <= 6 && row["failed"] == 0, "{sent} sent, {unsent} not");
    assert_eq!(server.bodies().len() as u64, sent);
    assert!(
        said.contains("were due and never sent") && said.contains("p50<100000ms: missed"),
        "{said}"
    );
    assert_eq!((code, row["good_share"].as_f64()), (3, Some(sent as f64 / 50.0)));
    // With room for all, all are sent, those of the last moment too.
    let (rows, code, said) = figures(&server.url(), &[&rate[..], &["50"], &slo[..]].concat());
    assert_eq!(
        (code, &rows[0]["requests"], &rows[0]["unsent"]),
        (0, &50.into(), &0.into()),
        "{said}"
    );
}

#[test]
fn whole_answers_have_no_first_token() {
    let whole = || {
        let choice =
            r#"{"message":{"role":"assistant","content":"a b c d"},"finish_reason":"length"}"#;
        let usage = r#"{"prompt_tokens":8,"completion_tokens":4}"#;
        Answer::status(200, &format!("{{\"choices\":[{choice}],\"usage\":{usage}}}"))
    };
    let server = Server::new(move |_| whole());
    let (rows, code, said) =
        figures(&server.url(), &["-c", "1", "-n", "8", "--no-stream", "--slo", "e2e<10s"]);
    let row = &rows[0];
    assert_eq!(
        (code, &row["output_tokens"], &row["token_source"]),
        (0, &32.into(), &"usage".into()),
        "{said}"
    );
    for figure in [
        "ttft_ms_p50",
        "ttft_ms_mean",
        "ttft_scheduled_ms_p50",
        "tpot_ms_mean",
        "itl_ms_p50",
        "icl_ms_p50",
    ] {
        assert_eq!(row[figure], Value::Null, "{figure}");
    }
    assert!(
        row["e2e_ms_p50"].as_f64().is_some() && row["stream"] == false && !said.contains("ICL"),
        "{row} {said}"
    );
    assert!(server.bodies().iter().all(|body| body.get("stream").is_none()));
    for limit in ["ttft<1s", "e2e<1s,tpot:p50<1s"] {
        let output = load(&["--url", &server.url(), "--no-stream", "--slo", limit]);
        assert_eq!(output.status.code(), Some(2), "{limit}");
    }
    // A server that does not stream though it is asked to: the same, and it is told.
    let (rows, code, said) = figures(&server.url(), &["-c", "1", "-n", "8", "--slo", "tpot<10s"]);
    assert_eq!((code, &rows[0]["ttft_ms_p50"]), (3, &Value::Null), "{said}");
    assert!(
        said.contains("8 of 8 answers came whole") && said.contains("found requests without it"),
        "{said}"
    );
}

#[test]
fn turns_carry_the_answers_and_fresh_connections_are_fresh() {
    let server = Server::new(|_| good());
    let (rows, code, said) =
        figures(&server.url(), &["-c", "1", "-n", "6", "--turns", "3", "--connections", "fresh"]);
    assert_eq!((code, &rows[0]["requests"]), (0, &6.into()), "{said}");
    let bodies = server.bodies();
    assert_eq!(bodies[2]["messages"].as_array().unwrap().len(), 5);
    assert_eq!(bodies[2]["messages"][1]["content"], " t0 t1 t2 t3");
    assert_eq!(bodies[2]["messages"][3]["role"], "assistant");
    assert_eq!(bodies[3]["messages"].as_array().unwrap().len(), 1, "a new conversation");
    assert!(server.connections() >= 6, "{}", server.connections());
}

#[test]
fn every_format_and_the_examples_of_the_help() {
    let server = Server::new(|_| good());
    for format in ["table", "md", "csv", "json", "jsonl", "sql"] {
        let output = load(&[
            "--url",
            &server.url(),
            "-n",
            "8",
            "-c",
            "2",
            "-o",
            format,
            "--output-tokens",
            "4",
        ]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("ttft") && text.contains("scripted"), "{format}: {text}");
    }
    let output = load(&["--url", &server.url(), "--target", "output_ts_total>=1e12", "-n", "4"]);
    assert_eq!(output.status.code(), Some(3));
    for wrong in [
        &["--rate", "0"][..],
        &["--slo", "ttft"],
        &["--arrival", "never"],
        &["--input-tokens", "0"],
        &["--prompt-ids"],
        &["--ramp", "1..2"],
        &["--body", "[]"],
    ] {
        let output = load(&[&["--url", &server.url()], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn the_self_test_measures_the_client_against_our_own_mock() {
    let output = load(&["--self-test", "--streams", "40", "-o", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = &found["rows"][0];
    assert_eq!(
        (&row["streams"], &row["requests"], &row["failed"]),
        (&40.into(), &120.into(), &0.into())
    );
    let itl = row["itl_ms_p50"]["measured"].as_f64().unwrap();
    // The mock's clock says 50: a client that stamped chunks wrongly would not come near, on any
    // machine.
    assert!(
        (itl - 50.0).abs() < 25.0 && row["ttft_ms_p50"]["measured"].as_f64().unwrap() >= 50.0,
        "{row}"
    );
}
