//! `pacemark load` against servers that close connections: after an answer, under a request, in the
//! middle of an answer.

use crate::scripted::{Answer, Server, chat_chunk, usage_chunk};
use pacemark_record::{FailureKind, Run, Trial};

/// Two tokens.
fn good() -> Answer {
    let chunks = (0..2).map(|i| chat_chunk(&format!("\"content\":\" t{i}\"")));
    Answer::stream(chunks.chain([usage_chunk(8, 2, 0), "data: [DONE]\n\n".into()]))
}

/// What the record holds, the field `resent` of the row, the exit code, and what was said besides.
fn load(server: &Server, name: &str, arguments: &[&str]) -> (Trial, u64, Option<i32>, String) {
    let path = std::env::temp_dir()
        .join(format!("pacemark-connections-{}-{name}.json", std::process::id()));
    let output = crate::binary::pacemark()
        .args([
            "load",
            "--url",
            &server.url(),
            "-o",
            "json",
            "--input-tokens",
            "8",
            "--output-tokens",
            "2",
        ])
        .args(["--warmup", "0", "--save", path.to_str().unwrap()])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let run = Run::from_json(&std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{said}")))
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    (run.trials[0].clone(), rows[0]["resent"].as_u64().unwrap(), output.status.code(), said)
}

fn kinds(trial: &Trial) -> Vec<Option<FailureKind>> {
    trial
        .requests()
        .iter()
        .map(|request| request.failure.as_ref().map(|failure| failure.kind))
        .collect()
}

#[test]
fn a_server_that_closes_after_each_answer_loses_none() {
    for (name, answer) in
        [("said", (|| good().closes(true)) as fn() -> Answer), ("unsaid", || good().closes(false))]
    {
        let server = Server::new(move |_| answer());
        let (trial, _, code, said) = load(&server, name, &["-c", "4", "-n", "60"]);
        assert_eq!((code, trial.answered().count()), (Some(0), 60), "{name}: {said}");
        // What was written to a connection that had closed was never read, so nothing was computed
        // twice.
        assert_eq!(server.bodies().len(), 60, "{name}");
    }
}

#[test]
fn a_connection_closed_under_a_request_costs_time_and_no_request() {
    // Every second request of a connection is read, and the connection closed 30 ms later without a
    // byte.
    let server = Server::new(|i| if i % 2 == 1 { Answer::raw("").after_ms(30) } else { good() });
    let (trial, resent, code, said) = load(&server, "resent", &["-c", "1", "-n", "6"]);
    assert_eq!((code, trial.answered().count(), resent), (Some(0), 6, 5), "{said}");
    assert!(said.contains("5 of 6 requests were sent once more, on a new connection"), "{said}");
    let bodies = server.bodies();
    assert_eq!(bodies.len(), 11);
    assert_eq!(bodies[1]["messages"], bodies[2]["messages"], "the same request again");
    for request in &trial.requests()[1..] {
        let resent_ns = request.resent_ns.unwrap();
        assert!(
            resent_ns - request.sent_ns >= 30_000_000 && request.scheduled_ns == request.sent_ns
        );
        assert!(request.connected_ns.unwrap() >= resent_ns);
        assert!(request.ttft_ns().unwrap() >= 30_000_000, "the loss is part of it");
    }
    // A server that does not close is not said to.
    let server = Server::new(|_| good());
    let (_, resent, _, said) = load(&server, "kept", &["-c", "1", "-n", "6"]);
    assert!(resent == 0 && !said.contains("once more") && server.connections() <= 4, "{said}");
}

#[test]
fn a_new_connection_that_fails_is_a_failure() {
    // The second request is read and not answered, nor is its repeat: one repeat, one failure.
    let server = Server::new(|i| if i == 1 || i == 2 { Answer::raw("") } else { good() });
    let (trial, resent, code, said) = load(&server, "twice", &["-c", "1", "-n", "3"]);
    assert_eq!((code, resent, server.bodies().len()), (Some(0), 1, 4), "{said}");
    assert_eq!(kinds(&trial), [None, Some(FailureKind::Reset), None]);
    // The very first has a new connection and gets no second chance; nor does any with connections
    // of their own.
    let server = Server::new(|i| if i == 0 { Answer::raw("") } else { good() });
    let (trial, resent, _, said) = load(&server, "first", &["-c", "1", "-n", "2"]);
    assert_eq!((kinds(&trial), resent), (vec![Some(FailureKind::Reset), None], 0), "{said}");
    let server = Server::new(|i| if i % 2 == 1 { Answer::raw("") } else { good() });
    let (trial, resent, _, said) =
        load(&server, "fresh", &["-c", "1", "-n", "4", "--connections", "fresh"]);
    assert_eq!((trial.answered().count(), resent, server.bodies().len()), (2, 0, 4), "{said}");
}

#[test]
fn an_answer_that_has_begun_is_not_asked_for_again() {
    type Case = (&'static str, FailureKind, fn() -> Answer);
    let cases: &[Case] = &[
        ("half-head", FailureKind::Reset, || Answer::raw("HTTP/1.1 200 OK\r\ncontent-ty")),
        ("half-head-reset", FailureKind::Reset, || {
            Answer::raw("HTTP/1.1 200 OK\r\ncontent-ty").reset()
        }),
        ("cut", FailureKind::Cut, || Answer::stream([chat_chunk("\"content\":\"a\"")]).cut()),
        ("cut-reset", FailureKind::Cut, || {
            Answer::stream([chat_chunk("\"content\":\"a\"")]).cut().reset()
        }),
        ("garbage", FailureKind::Garbage, || Answer::raw("220 smtp ready\r\n")),
    ];
    for (name, kind, answer) in cases {
        let answer = *answer;
        let server = Server::new(move |i| if i == 1 { answer() } else { good() });
        let (trial, resent, code, said) = load(&server, name, &["-c", "1", "-n", "3"]);
        assert_eq!(kinds(&trial), [None, Some(*kind), None], "{name}: {said}");
        assert_eq!((code, resent, server.bodies().len()), (Some(0), 0, 3), "{name}: {said}");
    }
    // Without a byte of an answer, it is no matter how the connection went.
    let server = Server::new(|i| if i == 1 { Answer::raw("").reset() } else { good() });
    let (trial, resent, _, said) = load(&server, "bare-reset", &["-c", "1", "-n", "3"]);
    assert_eq!((trial.answered().count(), resent), (3, 1), "{said}");
}

#[test]
fn a_server_that_hangs_is_given_up_by_the_limit_of_the_whole_too() {
    let server = Server::new(|_| Answer::raw("").hang());
    let (trial, ..) = load(&server, "hang", &["-c", "2", "-n", "2", "--timeout", "300ms"]);
    assert_eq!(kinds(&trial), [Some(FailureKind::TotalTimeout); 2]);
}
