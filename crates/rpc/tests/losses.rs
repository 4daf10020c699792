//! Workers that are lost in every way: who, why, told once, and told before llama.cpp hears of it.

use pacemark_rpc::protocol::{Command, HELLO_BYTES};
use pacemark_rpc::testing::{Caller, Misdeed, Mock, MockWorker};
use pacemark_rpc::{Endpoint, Lost, RelayOptions, Relays, RpcError};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than anything takes that is waited for here.
const LONG: Duration = Duration::from_secs(60);

fn watched(endpoint: Endpoint, options: RelayOptions) -> (Relays, Receiver<Lost>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let on_lost: Box<dyn Fn(&Lost) + Send + Sync> = Box::new(move |lost| {
        let _ = sender.lock().unwrap().send(lost.clone());
    });
    let options = RelayOptions { on_lost: Some(on_lost), ..options };
    (Relays::start(&[endpoint], options).unwrap(), receiver)
}

/// A conversation up to the answer of a graph, with a worker that does this after so many commands.
fn lost(after: usize, misdeed: Misdeed) -> Lost {
    let worker = MockWorker::start(Mock { misdeed: Some((after, misdeed)), ..Mock::default() });
    let (relays, told) = watched(worker.endpoint(), RelayOptions::default());
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    let talk = |caller: &mut Caller| -> std::io::Result<Vec<u8>> {
        caller.hello()?;
        let buffer = caller.allocate(64)?;
        caller.step(buffer, &[0; 64])
    };
    // What came of a worker that is lost is handed on, and no more.
    assert!(talk(&mut caller).is_err(), "llama.cpp hears of it");
    let lost = told.recv_timeout(LONG).unwrap();
    assert_eq!(lost.endpoint, worker.endpoint());
    assert_eq!(relays.lost(), Some(lost.clone()));
    let text = lost.to_string();
    assert!(text.starts_with(&format!("worker {} is lost: it ", worker.endpoint())), "{text}");
    // Nobody is served any more, and nothing is told twice.
    let mut next = Caller::connect(relays.addresses()[0]).unwrap();
    assert!(next.hello().is_err());
    drop(relays);
    assert!(told.recv_timeout(Duration::from_millis(20)).is_err());
    lost
}

#[test]
fn closed_while_an_answer_was_awaited() {
    // HELLO, ALLOC_BUFFER, BUFFER_GET_BASE, SET_TENSOR, GRAPH_RECOMPUTE, GET_TENSOR.
    let why = lost(5, Misdeed::Close).why;
    let awaited = "while an answer to GET_TENSOR, after a graph to compute, was awaited";
    assert_eq!(why, format!("closed the connection {awaited}"));
    assert!(lost(1, Misdeed::Close).why.ends_with("an answer to ALLOC_BUFFER was awaited"));
}

#[test]
fn closed_or_reset_over_a_graph() {
    // What llama.cpp has sent by then depends on who is quicker.
    for misdeed in [Misdeed::Close, Misdeed::Reset] {
        let why = lost(4, misdeed).why;
        assert!(why.contains("closed the connection") || why.contains("reset"), "{why}");
        assert!(why.contains("graph"), "{why}");
    }
}

#[test]
fn closed_in_the_middle_of_an_answer() {
    let why = lost(1, Misdeed::HalfAnAnswer).why;
    assert_eq!(why, "closed the connection in the middle of its answer to ALLOC_BUFFER");
}

#[test]
fn reset() {
    let why = lost(2, Misdeed::Reset).why;
    assert_eq!(why, "reset the connection while an answer to BUFFER_GET_BASE was awaited");
}

#[test]
fn an_answer_that_would_end_the_process_is_a_loss_first() {
    let http = Misdeed::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    let why = lost(0, http).why;
    assert!(why.contains("the answer to HELLO claims") && why.contains("expected 28"), "{why}");
    let hostile = Misdeed::Garbage(u64::MAX.to_le_bytes().to_vec());
    assert!(lost(1, hostile).why.contains("the answer to ALLOC_BUFFER claims"));
    let unasked = Misdeed::Garbage(vec![0; 100]);
    assert!(lost(3, unasked).why.contains("nothing had asked for"));
}

#[test]
fn closed_between_two_commands() {
    let worker = MockWorker::start(Mock::default());
    let (relays, told) = watched(worker.endpoint(), RelayOptions::default());
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    caller.hello().unwrap();
    drop(worker);
    let lost = told.recv_timeout(LONG).unwrap();
    assert!(lost.why.contains("between two commands"), "{lost}");
    assert!(caller.receive().is_err());
}

#[test]
fn a_hello_that_is_not_answered() {
    let worker = MockWorker::start(Mock { misdeed: Some((0, Misdeed::Hang)), ..Mock::default() });
    let options = RelayOptions {
        heartbeat_every: Duration::from_millis(20),
        hello_timeout: Duration::from_millis(100),
        ..RelayOptions::default()
    };
    let (relays, told) = watched(worker.endpoint(), options);
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    caller.send(Command::Hello, &[0; HELLO_BYTES]).unwrap();
    let lost = told.recv_timeout(LONG).unwrap();
    assert!(lost.why.contains("did not answer HELLO for 0.1 s"), "{lost}");
    assert!(caller.receive().is_err());
}

#[test]
fn gone_when_llama_cpp_connects() {
    let worker = MockWorker::start(Mock::default());
    let (relays, told) = watched(worker.endpoint(), RelayOptions::default());
    let address = worker.address();
    drop(worker);
    // It listens no more once nobody can connect.
    while std::net::TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    let lost = told.recv_timeout(LONG).unwrap();
    assert!(lost.why.contains("could not be connected to"), "{lost}");
    assert!(caller.hello().is_err());
}

/// A gate that is as good as one until it is told to be silent.
fn failing_gate(silent: Arc<AtomicBool>, closes: bool) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in taken.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut buffer = [0; 64];
            if stream.peek(&mut buffer[..1]).unwrap_or(0) == 0 || buffer[0] != b'P' {
                // A caller: it is never answered.
                kept.push(stream);
                continue;
            }
            let silent = Arc::clone(&silent);
            std::thread::spawn(move || {
                while let Ok(n @ 1..) = stream.read(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                    if silent.load(Ordering::SeqCst) {
                        if closes {
                            return;
                        }
                        continue;
                    }
                    if text.contains("ping") {
                        stream.write_all(b"pong\n").unwrap();
                    }
                    if text.contains("usage") {
                        stream.write_all(b"{\"computing_ns\":5,\"graphs\":0,\"commands\":0,\"round_trips\":0,\"sent_bytes\":0,\"received_bytes\":0,\"callers\":0}\n").unwrap();
                    }
                }
            });
        }
    });
    listener
}

#[test]
fn a_heartbeat_that_fails() {
    for (closes, words) in
        [(false, "gave no sign of life for 0.2 s"), (true, "tells that it lives")]
    {
        let silent = Arc::new(AtomicBool::new(false));
        let gate = failing_gate(Arc::clone(&silent), closes);
        let options = RelayOptions {
            heartbeat_every: Duration::from_millis(10),
            dead_after: Duration::from_millis(200),
            gate_timeout: LONG,
            ..RelayOptions::default()
        };
        let (relays, told) = watched(gate.local_addr().unwrap().into(), options);
        assert_eq!(relays.usage().workers[0].computing_ns, Some(0), "it is a gate");
        let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
        caller.send(Command::Hello, &[0; HELLO_BYTES]).unwrap();
        silent.store(true, Ordering::SeqCst);
        let lost = told.recv_timeout(LONG).unwrap();
        assert!(lost.why.contains(words), "{lost}");
        assert!(caller.receive().is_err());
        assert_eq!(relays.usage().workers[0].computing_ns, None, "it no longer says");
    }
}

#[test]
fn the_loss_is_told_before_llama_cpp_hears_of_it() {
    let worker = MockWorker::start(Mock { misdeed: Some((1, Misdeed::Close)), ..Mock::default() });
    let told = Arc::new(AtomicBool::new(false));
    let telling = Arc::clone(&told);
    let on_lost: Box<dyn Fn(&Lost) + Send + Sync> = Box::new(move |_| {
        std::thread::sleep(Duration::from_millis(50));
        telling.store(true, Ordering::SeqCst);
    });
    let options = RelayOptions { on_lost: Some(on_lost), ..RelayOptions::default() };
    let relays = Relays::start(&[worker.endpoint()], options).unwrap();
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    caller.hello().unwrap();
    caller.send(Command::DeviceCount, &[]).unwrap();
    assert!(caller.receive().is_err());
    assert!(told.load(Ordering::SeqCst));
}

#[test]
fn nobody_there_is_an_error_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint: Endpoint = listener.local_addr().unwrap().into();
    drop(listener);
    let error = Relays::start(&[endpoint], RelayOptions::default()).unwrap_err();
    assert!(matches!(error, RpcError::Refused { .. }), "{error}");
}

#[test]
fn the_end_of_the_relays_is_no_loss() {
    let worker = MockWorker::start(Mock::default());
    let (relays, told) = watched(worker.endpoint(), RelayOptions::default());
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    caller.hello().unwrap();
    drop(relays);
    assert!(caller.receive().is_err());
    assert!(told.recv_timeout(Duration::from_millis(20)).is_err());
}
