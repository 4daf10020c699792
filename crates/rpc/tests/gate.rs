//! A gate before a mock: callers one by one, questions beside them, the worker's own time.

use pacemark_rpc::protocol::Command;
use pacemark_rpc::testing::{Caller, Misdeed, Mock, MockWorker};
use pacemark_rpc::{Client, Gate, GateEvent, GateOptions, RelayOptions, Relays};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than anything takes that is waited for here.
const LONG: Duration = Duration::from_secs(60);

fn gate(worker: &MockWorker, options: GateOptions) -> (Gate, Receiver<GateEvent>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let on_event: Box<dyn Fn(&GateEvent) + Send + Sync> = Box::new(move |event| {
        let _ = sender.lock().unwrap().send(event.clone());
    });
    let options = GateOptions { on_event: Some(on_event), ..options };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (Gate::start(listener, worker.address(), options).unwrap(), receiver)
}

fn next(events: &Receiver<GateEvent>) -> String {
    events.recv_timeout(LONG).unwrap().to_string()
}

#[test]
fn the_workers_own_time_is_between_its_graphs_and_the_turn() {
    let graph_time = Duration::from_millis(10);
    let worker = MockWorker::start(Mock { graph_time, ..Mock::default() });
    let (gate, _events) = gate(&worker, GateOptions::default());
    // Somebody else was there before; that is not ours.
    let mut other = Caller::connect(gate.address()).unwrap();
    other.hello().unwrap();
    let buffer = other.allocate(64).unwrap();
    other.step(buffer, &[0; 64]).unwrap();
    drop(other);
    let relays = Relays::start(&[gate.address().into()], RelayOptions::default()).unwrap();
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    caller.hello().unwrap();
    let buffer = caller.allocate(64).unwrap();
    assert_eq!(relays.usage().workers[0].computing_ns, Some(0), "asking is no computing");
    for _ in 0..5 {
        caller.step(buffer, &[1; 64]).unwrap();
    }
    let used = relays.usage().workers.remove(0);
    let computing_ns = used.computing_ns.unwrap();
    assert!(computing_ns >= 50_000_000 && computing_ns <= used.turn_ns, "{used:?}");
    let usage = gate.usage();
    assert_eq!((usage.graphs, usage.callers), (6, 2));
    assert!(usage.computing_ns >= computing_ns);
    assert!(usage.sent_bytes > used.sent_bytes && usage.round_trips > used.round_trips);
}

#[test]
fn questions_are_answered_beside_a_caller() {
    let worker = MockWorker::start(Mock { misdeed: Some((2, Misdeed::Hang)), ..Mock::default() });
    let (gate, _events) = gate(&worker, GateOptions::default());
    let mut caller = Caller::connect(gate.address()).unwrap();
    caller.hello().unwrap();
    caller.send(Command::DeviceCount, &[]).unwrap();
    caller.receive().unwrap();
    caller.send(Command::DeviceCount, &[]).unwrap();
    // The worker hangs; the gate does not.
    let mut line = TcpStream::connect(gate.address()).unwrap();
    line.write_all(b"PACEMARK\nping\nus").unwrap();
    line.write_all(b"age\r\nping\n").unwrap();
    let mut lines = BufReader::new(line.try_clone().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "pong");
    let usage = lines.next().unwrap().unwrap();
    assert!(usage.starts_with('{') && usage.contains("\"callers\":1"), "{usage}");
    assert_eq!(lines.next().unwrap().unwrap(), "pong");
}

#[test]
fn callers_come_one_by_one() {
    let worker = MockWorker::start(Mock::default());
    let (gate, events) = gate(&worker, GateOptions::default());
    let mut first = Caller::connect(gate.address()).unwrap();
    first.hello().unwrap();
    let first_address = first.stream().local_addr().unwrap();
    assert_eq!(next(&events), format!("serving {first_address}"));
    let mut second = Caller::connect(gate.address()).unwrap();
    second.send(Command::Hello, &[0; 24]).unwrap();
    let second_address = second.stream().local_addr().unwrap();
    assert_eq!(next(&events), format!("{second_address} waits for its turn, 1 before it"));
    let error = Client::connect(&gate.address().into(), Duration::from_millis(50)).unwrap_err();
    assert!(error.to_string().contains("another caller"), "{error}");
    assert!(next(&events).ends_with("waits for its turn, 2 before it"));
    drop(first);
    assert_eq!(second.receive().unwrap().len(), 28);
    assert_eq!(next(&events), format!("{first_address} left, 0 graphs computed"));
    assert_eq!(next(&events), format!("serving {second_address}"));
    drop(second);
    // The third had left before its turn, and holds nobody up.
    Client::connect(&gate.address().into(), LONG).unwrap();
}

#[test]
fn who_does_not_speak_the_protocol_is_refused() {
    let worker = MockWorker::start(Mock::default());
    let hello_timeout = Duration::from_millis(100);
    let (gate, events) = gate(&worker, GateOptions { hello_timeout, ..GateOptions::default() });
    let refused = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(gate.address()).unwrap();
        stream.write_all(bytes).unwrap();
        let event = next(&events);
        assert!(event.contains(" refused: "), "{event}");
        // Closed, or reset where it had sent more than was read.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{answer:?}");
        event
    };
    assert!(refused(b"GET / HTTP/1.1\r\n\r\n").contains("first byte is 71"));
    assert!(refused(b"POST / HTTP/1.1\r\n\r\n").contains("it began with \"POST / H\""));
    assert!(refused(b"PACEMARK\nhello\n").contains("it asked \"hello\""));
    assert!(refused(&[b"PACEMARK", &[b'x'; 100][..]].concat()).contains("more than 64 bytes"));
    assert!(refused(b"").contains("it said nothing"));
    assert_eq!(worker.commands(), [], "none came to the server");
}

#[test]
fn a_faulty_caller_is_no_longer_served() {
    let worker = MockWorker::start(Mock::default());
    let (gate, events) = gate(&worker, GateOptions::default());
    let mut caller = Caller::connect(gate.address()).unwrap();
    caller.hello().unwrap();
    caller.stream().write_all(&[99]).unwrap();
    assert!(caller.receive().is_err());
    assert!(next(&events).starts_with("serving"));
    let event = next(&events);
    assert!(event.contains("command 99 is not of the protocol, version 7.0.0"), "{event}");
    Client::connect(&gate.address().into(), LONG).unwrap();
}

#[test]
fn a_server_that_ends_is_told() {
    let worker = MockWorker::start(Mock { misdeed: Some((1, Misdeed::Close)), ..Mock::default() });
    let (gate, events) = gate(&worker, GateOptions::default());
    let mut caller = Caller::connect(gate.address()).unwrap();
    caller.hello().unwrap();
    caller.send(Command::DeviceCount, &[]).unwrap();
    assert!(caller.receive().is_err());
    assert!(next(&events).starts_with("serving"));
    let event = next(&events);
    let why = "the server closed the connection while an answer to DEVICE_COUNT was awaited";
    assert!(event.ends_with(why), "{event}");
}

#[test]
fn more_than_are_allowed_are_refused() {
    let worker = MockWorker::start(Mock::default());
    let options = GateOptions { most_connections: 1, ..GateOptions::default() };
    let (gate, events) = gate(&worker, options);
    let mut first = Caller::connect(gate.address()).unwrap();
    first.hello().unwrap();
    assert!(next(&events).starts_with("serving"));
    let mut second = Caller::connect(gate.address()).unwrap();
    assert!(next(&events).contains("1 connections are open already"));
    assert!(second.hello().is_err());
}

#[test]
fn a_gate_that_closes_ends_its_callers() {
    let worker = MockWorker::start(Mock::default());
    let (gate, _events) = gate(&worker, GateOptions::default());
    let mut caller = Caller::connect(gate.address()).unwrap();
    caller.hello().unwrap();
    let address = gate.address();
    drop(gate);
    assert!(caller.receive().is_err());
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}
