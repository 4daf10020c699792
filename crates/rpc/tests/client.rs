//! The client before workers that are well, and before everything that can be wrong with one.

use pacemark_rpc::protocol::{Command, Version};
use pacemark_rpc::testing::{Delayed, Misdeed, Mock, MockWorker};
use pacemark_rpc::{Client, Device, Endpoint, RpcError};
use std::net::TcpListener;
use std::time::Duration;

/// Long enough for a slow machine, where an answer is expected.
const LONG: Duration = Duration::from_secs(20);
/// Where none is.
const SHORT: Duration = Duration::from_millis(100);

fn misbehaving(after: usize, misdeed: Misdeed) -> MockWorker {
    MockWorker::start(Mock { misdeed: Some((after, misdeed)), ..Mock::default() })
}

fn error(worker: &MockWorker, timeout: Duration) -> (RpcError, String) {
    let error = Client::connect(&worker.endpoint(), timeout).map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&worker.endpoint().to_string()), "{text}");
    (error, text)
}

#[test]
fn a_worker_says_what_it_has() {
    let worker = MockWorker::start(Mock { devices: 2, ..Mock::default() });
    let mut client = Client::connect(&worker.endpoint(), LONG).unwrap();
    assert_eq!(client.version(), Version::OURS);
    let device = Device {
        free_bytes: 3 << 30,
        total_bytes: 4 << 30,
        alignment_bytes: 32,
        largest_buffer_bytes: u64::MAX,
    };
    assert_eq!(client.devices().unwrap(), [device.clone(), device]);
}

#[test]
fn a_link_is_measured_and_what_was_taken_is_given_back() {
    let worker = MockWorker::start(Mock::default());
    let mut client = Client::connect(&worker.endpoint(), LONG).unwrap();
    let link = client.measure_link().unwrap();
    assert_eq!((link.round_trips_ns.len(), link.sent.len(), link.received.len()), (20, 3, 3));
    assert!(link.round_trip_ns > 0 && link.round_trips_ns.contains(&link.round_trip_ns));
    for (bytes_per_s, transfers) in
        [(link.sent_bytes_per_s, &link.sent), (link.received_bytes_per_s, &link.received)]
    {
        assert!(bytes_per_s.is_finite() && bytes_per_s > 0.0);
        let bytes = transfers[0].bytes;
        assert!(bytes.is_power_of_two() && (64 << 10..=8 << 20).contains(&bytes));
        assert!(transfers.iter().all(|transfer| transfer.bytes == bytes && transfer.ns > 0));
    }
    let commands = worker.commands();
    let count = |command| commands.iter().filter(|c| **c == command).count();
    assert_eq!((count(Command::AllocBuffer), count(Command::FreeBuffer)), (1, 1));
    assert!(count(Command::GetAlignment) >= 23 + count(Command::SetTensor));
    assert_eq!(commands.last(), Some(&Command::GetAlignment), "the freeing was waited for");
}

#[test]
fn a_long_way_is_a_long_round_trip() {
    let worker = MockWorker::start(Mock::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let delay = Duration::from_millis(3);
    let way = Delayed::start(listener, worker.address(), delay).unwrap();
    let mut client = Client::connect(&way.address().into(), LONG).unwrap();
    let link = client.measure_link().unwrap();
    assert!(link.round_trips_ns.iter().all(|ns| *ns >= 6_000_000), "{link:?}");
    assert!(link.sent.iter().all(|transfer| transfer.ns >= 6_000_000));
    assert!(link.time_ns(10, 0, 0) >= 60e6);
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint: Endpoint = listener.local_addr().unwrap().into();
    drop(listener);
    let error = Client::connect(&endpoint, LONG).unwrap_err();
    assert!(matches!(error, RpcError::Refused { .. }), "{error}");
    assert!(error.to_string().contains(&endpoint.to_string()));
}

#[test]
fn nobody_answers() {
    // The system takes the connection, and nobody takes it from the system.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint: Endpoint = listener.local_addr().unwrap().into();
    let error = Client::connect(&endpoint, SHORT).unwrap_err();
    assert!(matches!(error, RpcError::NoAnswer { during: "HELLO", .. }), "{error}");
    assert!(error.to_string().contains("another caller"), "{error}");
    let (hung, text) = error_of_hung();
    assert!(matches!(hung, RpcError::NoAnswer { .. }), "{text}");
}

fn error_of_hung() -> (RpcError, String) {
    error(&misbehaving(0, Misdeed::Hang), SHORT)
}

#[test]
fn a_worker_that_serves_another_does_not_answer() {
    let worker = MockWorker::start(Mock::default());
    let first = Client::connect(&worker.endpoint(), LONG).unwrap();
    assert!(matches!(error(&worker, SHORT).0, RpcError::NoAnswer { .. }));
    drop(first);
    // The second caller's connection is dropped too; it is looked at and left.
    Client::connect(&worker.endpoint(), LONG).unwrap();
}

#[test]
fn it_hangs_up() {
    for misdeed in [Misdeed::Close, Misdeed::Reset] {
        let (found, text) = error(&misbehaving(0, misdeed), LONG);
        assert!(matches!(found, RpcError::Closed { during: "HELLO", .. }), "{text}");
    }
    let worker = misbehaving(2, Misdeed::Close);
    let found = Client::connect(&worker.endpoint(), LONG).unwrap().devices().unwrap_err();
    assert!(matches!(found, RpcError::Closed { during: "GET_DEVICE_MEMORY", .. }), "{found}");
}

#[test]
fn it_is_of_another_version() {
    for (major, minor) in [(6, 0), (8, 0), (7, 1)] {
        let version = Version { major, minor, patch: 3 };
        let worker = MockWorker::start(Mock { version, ..Mock::default() });
        let (found, text) = error(&worker, LONG);
        assert!(matches!(found, RpcError::Version { found, .. } if found == version), "{text}");
        assert!(text.contains(&format!("version {major}.{minor}.3")), "{text}");
        assert!(text.contains("expected 7.0.0"), "{text}");
    }
    let patched = Mock { version: Version { patch: 9, ..Version::OURS }, ..Mock::default() };
    Client::connect(&MockWorker::start(patched).endpoint(), LONG).unwrap();
    // Servers of before version 7 answer with three bytes.
    let old = [&3u64.to_le_bytes()[..], &[3, 6, 0]].concat();
    let (found, text) = error(&misbehaving(0, Misdeed::Garbage(old)), LONG);
    assert!(matches!(found, RpcError::Version { .. }) && text.contains("3.6.0"), "{text}");
}

#[test]
fn it_is_no_worker() {
    let http = misbehaving(0, Misdeed::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let (found, text) = error(&http, LONG);
    assert!(matches!(found, RpcError::NotAWorker { .. }), "{text}");
    assert!(text.contains("an HTTP server answers"), "{text}");
    for length in [0, 27, u64::MAX] {
        let odd = misbehaving(0, Misdeed::Garbage(length.to_le_bytes().to_vec()));
        let (found, text) = error(&odd, LONG);
        assert!(matches!(found, RpcError::NotAWorker { .. }), "{text}");
        assert!(text.contains(&format!("claims {length} bytes; expected 28")), "{text}");
    }
    // Three bytes that would be our version are no answer of it.
    let short = [&3u64.to_le_bytes()[..], &[7, 0, 0]].concat();
    let (found, text) = error(&misbehaving(0, Misdeed::Garbage(short)), LONG);
    assert!(matches!(found, RpcError::NotAWorker { .. }), "{text}");
}

#[test]
fn what_it_answers_cannot_be() {
    for devices in [0, 257, u32::MAX] {
        let worker = MockWorker::start(Mock { devices, ..Mock::default() });
        let mut client = Client::connect(&worker.endpoint(), LONG).unwrap();
        let error = client.devices().unwrap_err().to_string();
        assert!(error.contains(&format!("devices is {devices}; expected 1 to 256")), "{error}");
    }
    // An answer to GET_ALIGNMENT that claims everything there is.
    let worker = misbehaving(1, Misdeed::Garbage(u64::MAX.to_le_bytes().to_vec()));
    let mut client = Client::connect(&worker.endpoint(), LONG).unwrap();
    let error = client.measure_link().unwrap_err();
    assert!(matches!(error, RpcError::NotAWorker { .. }), "{error}");
}

#[test]
fn a_worker_without_room_says_so() {
    // HELLO, 23 round trips, then the buffer: none.
    let none = [&16u64.to_le_bytes()[..], &[0; 16]].concat();
    let worker = misbehaving(24, Misdeed::Garbage(none));
    let error = Client::connect(&worker.endpoint(), LONG).unwrap().measure_link().unwrap_err();
    assert!(error.to_string().contains("8 MiB"), "{error}");
}
