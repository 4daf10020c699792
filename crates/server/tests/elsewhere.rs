//! A server whose engine computes on other machines: what it counts of them, and what it says when
//! one is lost.

mod common;

use common::{Answer, instant, options, request};
use pacemark_backend::elsewhere::{Elsewhere, Usage, WorkerUsage};
use pacemark_backend::{
    BackendInfo, Bell, Capabilities, GenerateRequest, MockService, Service, ServiceStatus, Sink,
    Text, Ticket,
};
use pacemark_server::{Running, start};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, Weak};

/// A mock with workers, one of them llama.cpp's own, which says nothing of its computing.
struct Distributed {
    mock: MockService,
    broken: Mutex<Option<String>>,
}

impl Service for Distributed {
    fn info(&self) -> BackendInfo {
        self.mock.info()
    }

    fn capabilities(&self) -> Capabilities {
        self.mock.capabilities()
    }

    fn text(&self) -> Option<&dyn Text> {
        self.mock.text()
    }

    fn submit(&self, request: GenerateRequest, sink: Sink) -> Ticket {
        self.mock.submit(request, sink)
    }

    fn add_bell(&self, bell: Weak<Bell>) {
        self.mock.add_bell(bell);
    }

    fn status(&self) -> ServiceStatus {
        self.mock.status()
    }

    fn elsewhere(&self) -> Option<Elsewhere> {
        let worker = |endpoint: &str, computing_ns| WorkerUsage {
            endpoint: endpoint.parse().unwrap(),
            sent_bytes: 1000,
            received_bytes: 2000,
            commands: 50,
            round_trips: 40,
            graphs: 30,
            turn_ns: 2_500_000_000,
            computing_ns,
        };
        let workers = vec![worker("10.0.0.2:50052", Some(2_000_000_000)), worker("b:1", None)];
        Some(Elsewhere { links: Vec::new(), usage: Usage { workers, away_ns: 5_000_000_000 } })
    }

    fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap().clone()
    }
}

fn get(running: &Running, path: &str) -> Answer {
    let mut stream = TcpStream::connect(running.address()).unwrap();
    stream.write_all(request("GET", path, &[], "").as_bytes()).unwrap();
    Answer::read(&mut stream)
}

#[test]
fn workers_are_counted_and_a_lost_one_is_no_health() {
    let mock = MockService::new(instant()).unwrap();
    let service = Arc::new(Distributed { mock, broken: Mutex::default() });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let running = start(service.clone(), options(), listener, None).unwrap();
    let text = String::from_utf8(get(&running, "/metrics").body).unwrap();
    let of = |name: &str, worker: &str| {
        let start =
            format!("pacemark:worker_{name}_total{{model_name=\"m\",worker=\"{worker}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    };
    for (name, value) in [
        ("sent_bytes", "1000"),
        ("received_bytes", "2000"),
        ("graphs", "30"),
        ("turn_seconds", "2.5"),
    ] {
        for worker in ["10.0.0.2:50052", "b:1"] {
            assert_eq!(of(name, worker).as_deref(), Some(value), "{name}: {text}");
        }
    }
    assert_eq!(of("computing_seconds", "10.0.0.2:50052").as_deref(), Some("2"));
    assert_eq!(of("computing_seconds", "b:1"), None, "what is not known is not zero");
    assert_eq!((get(&running, "/health").status, get(&running, "/ready").status), (200, 200));
    *service.broken.lock().unwrap() = Some("worker 10.0.0.2:50052 is lost: it left".into());
    for path in ["/health", "/ready"] {
        let answer = get(&running, path);
        assert_eq!(answer.status, 503, "{path}");
        let said = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(said.contains("10.0.0.2:50052") && said.contains("anew"), "{said}");
    }
}
