//! Relays before workers that are well: everything arrives and is counted exactly.

use pacemark_rpc::protocol::Command;
use pacemark_rpc::testing::{Caller, Delayed, Mock, MockWorker};
use pacemark_rpc::{Gate, GateOptions, RelayOptions, Relays};
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn relays(workers: &[&MockWorker]) -> Relays {
    let endpoints: Vec<_> = workers.iter().map(|worker| worker.endpoint()).collect();
    // A mock without a gate closes the connection that asks for one, so the wait is not waited.
    Relays::start(&endpoints, RelayOptions::default()).unwrap()
}

#[test]
fn a_scripted_conversation_is_counted_to_the_byte() {
    let worker = MockWorker::start(Mock::default());
    let relays = relays(&[&worker]);
    let mut sent_bytes = 0;
    let mut received_bytes = 0;
    // llama.cpp opens and closes several connections, one after the other.
    for connection in 1..=3u64 {
        let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
        caller.hello().unwrap();
        let buffer = caller.allocate(1 << 20).unwrap();
        let data: Vec<u8> = (0..1 << 20).map(|i| (i * connection % 251) as u8).collect();
        assert_eq!(caller.step(buffer, &data).unwrap(), data);
        assert_eq!(caller.step(buffer, &data[..100]).unwrap(), data[..100]);
        caller.send(Command::FreeBuffer, &buffer.0.to_le_bytes()).unwrap();
        caller.send(Command::GetAlignment, &[0; 4]).unwrap();
        caller.receive().unwrap();
        sent_bytes += caller.sent_bytes;
        received_bytes += caller.received_bytes;
        let used = relays.usage().workers.remove(0);
        assert_eq!((used.sent_bytes, used.received_bytes), (sent_bytes, received_bytes));
        // HELLO, ALLOC_BUFFER, BUFFER_GET_BASE, two steps of three, FREE_BUFFER, GET_ALIGNMENT.
        assert_eq!((used.commands, used.round_trips), (11 * connection, 6 * connection));
        assert_eq!(used.graphs, 2 * connection);
        assert_eq!(used.computing_ns, None, "no gate stands there");
    }
    assert_eq!(worker.commands().len(), 33);
    assert_eq!(relays.lost(), None, "what llama.cpp closes is no loss");
}

#[test]
fn nothing_waits_for_a_whole_message() {
    let worker = MockWorker::start(Mock::default());
    let relays = relays(&[&worker]);
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    caller.hello().unwrap();
    let before = relays.usage();
    // A command of which most never comes, and that no memory would hold.
    use std::io::Write;
    let mut stream = caller.stream();
    stream.write_all(&[Command::SetTensor as u8]).unwrap();
    stream.write_all(&(u64::MAX - 1).to_le_bytes()).unwrap();
    stream.write_all(&[1; 5000]).unwrap();
    while relays.usage().since(&before).workers[0].sent_bytes < 5009 {
        std::thread::yield_now();
    }
    assert_eq!(relays.usage().since(&before).workers[0].commands, 0);
}

#[test]
fn turns_of_two_workers_are_one_time_away() {
    let graph_time = Duration::from_millis(20);
    let slow = MockWorker::start(Mock { graph_time, ..Mock::default() });
    let quick = MockWorker::start(Mock::default());
    let relays = relays(&[&slow, &quick]);
    let mut callers: Vec<_> = relays
        .addresses()
        .iter()
        .map(|address| {
            let mut caller = Caller::connect(*address).unwrap();
            caller.hello().unwrap();
            let buffer = caller.allocate(64).unwrap();
            (caller, buffer)
        })
        .collect();
    let before = relays.usage();
    assert_eq!(before.away_ns, 0, "asking and allocating is nobody's turn");
    let start = Instant::now();
    for _ in 0..3 {
        for (caller, buffer) in &mut callers {
            caller.step(*buffer, &[1; 64]).unwrap();
        }
    }
    let all_ns = start.elapsed().as_nanos() as u64;
    // What the caller computes itself.
    std::thread::sleep(graph_time);
    let used = relays.usage().since(&before);
    assert!(used.workers[0].turn_ns >= 60_000_000, "{used:?}");
    assert_eq!((used.workers[0].graphs, used.workers[1].graphs), (3, 3));
    // One after the other: the union is the sum, and no more than all of it.
    let turns_ns = used.workers[0].turn_ns + used.workers[1].turn_ns;
    assert!(used.away_ns <= turns_ns && used.away_ns >= used.workers[0].turn_ns, "{used:?}");
    assert!(used.away_ns <= all_ns, "{used:?} of {all_ns}");
}

#[test]
fn turns_at_the_same_time_count_once() {
    let graph_time = Duration::from_millis(30);
    let workers = [(); 2].map(|()| MockWorker::start(Mock { graph_time, ..Mock::default() }));
    let relays = relays(&[&workers[0], &workers[1]]);
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for address in relays.addresses() {
            scope.spawn(|| {
                let mut caller = Caller::connect(*address).unwrap();
                caller.hello().unwrap();
                let buffer = caller.allocate(64).unwrap();
                caller.set(buffer, &[0; 64]).unwrap();
                barrier.wait();
                caller.step(buffer, &[0; 64]).unwrap();
                // Both turns have begun before either can end, for a graph lies between.
            });
        }
    });
    let used = relays.usage();
    let turns_ns = used.workers[0].turn_ns + used.workers[1].turn_ns;
    assert!(used.away_ns < turns_ns, "{used:?}");
    assert!(used.workers.iter().all(|worker| used.away_ns >= worker.turn_ns), "{used:?}");
}

#[test]
fn tensors_alone_are_settled_by_asking() {
    let worker = MockWorker::start(Mock::default());
    let relays = relays(&[&worker]);
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    caller.hello().unwrap();
    let buffer = caller.allocate(1 << 10).unwrap();
    caller.set(buffer, &[7; 1 << 10]).unwrap();
    while relays.usage().workers[0].commands < 4 {
        std::thread::yield_now();
    }
    let loaded = relays.usage();
    // Nothing is under way, so the time until the next command is not the worker's.
    assert_eq!(relays.usage().since(&loaded).away_ns, 0);
    assert_eq!(relays.usage().since(&loaded).workers[0].turn_ns, 0);
}

#[test]
fn what_the_network_takes_is_the_turn_without_the_computing() {
    let graph_time = Duration::from_millis(10);
    let delay = Duration::from_millis(8);
    let worker = MockWorker::start(Mock { graph_time, ..Mock::default() });
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let gate = Gate::start(listen(), worker.address(), GateOptions::default()).unwrap();
    let way = Delayed::start(listen(), gate.address(), delay).unwrap();
    let relays = Relays::start(&[way.address().into()], RelayOptions::default()).unwrap();
    let mut caller = Caller::connect(relays.addresses()[0]).unwrap();
    caller.hello().unwrap();
    let buffer = caller.allocate(64).unwrap();
    let before = relays.usage();
    for _ in 0..4 {
        caller.step(buffer, &[3; 64]).unwrap();
    }
    let used = relays.usage().since(&before).workers.remove(0);
    assert!(used.computing_ns.unwrap() >= 40_000_000, "{used:?}");
    assert!(used.network_ns().unwrap() >= 64_000_000, "{used:?}");
    assert!(used.turn_ns >= 104_000_000, "{used:?}");
}
