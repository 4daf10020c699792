//! Handshakes with a server of rustls and certificates of OpenSSL (tests/data/tls/make.sh).

use super::*;
use crate::net::{Connections, Outgoing, Pool, exchange};
use crate::{Endpoint, Settings, Target};
use hyper::header::HeaderMap;
use pacemark_record::FailureKind;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::AtomicU64;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
const CUT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nh";
/// One that only the end of its connection ends.
const OPEN: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhi";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

fn server(name: &str, protocols: &[&str]) -> Arc<ServerConfig> {
    let certificates = CertificateDer::pem_file_iter(data(&format!("{name}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(data(&format!("{name}.key"))).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config =
        builder.with_single_cert(certificates.map(Result::unwrap).collect(), key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Answers a connection's first requests, and then leaves without TLS's end.
fn answer(stream: &mut (impl io::Read + io::Write), answers: &[&[u8]]) {
    for answer in answers {
        let mut request = [0; 4096];
        if !matches!(stream.read(&mut request), Ok(1..)) || stream.write_all(answer).is_err() {
            return;
        }
        let _ = stream.flush(); // the client may have left
    }
}

/// What came of requests to `https://HOST` or `http://HOST` by turns of one connection.
fn ask(
    scheme_and_host: &str,
    trust: Trust,
    n: usize,
    serve: impl FnOnce(TcpStream) + Send + 'static,
) -> Vec<Result<String, (FailureKind, String)>> {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let target =
        Target::parse(&format!("{scheme_and_host}:{}", listener.local_addr().unwrap().port()))
            .unwrap();
    let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    let settings = Settings { trust, ..Settings::new(target, Endpoint::Chat, "m".to_owned()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(async {
        let connector = settings.connector(true).await.unwrap();
        let (pool, headers, frames) =
            (Pool::new(Connections::Reuse), HeaderMap::new(), AtomicU64::new(0));
        let mut found = Vec::new();
        for _ in 0..n {
            let outgoing = Outgoing {
                path: "/",
                headers: &headers,
                body: "{}".into(),
                max_bytes: 100,
                frames: &frames,
            };
            let exchange = exchange(&connector, &pool, outgoing).await;
            let received = exchange.answer.map_err(|failure| (failure.kind, failure.message));
            found.push(received.map(|received| {
                assert!(
                    received
                        .frames
                        .iter()
                        .all(|(_, at)| *at >= exchange.connected_ns.unwrap_or(exchange.sent_ns))
                );
                format!("{}{:?}", String::from_utf8_lossy(&received.bytes), received.end)
            }));
        }
        found
    });
    drop(runtime);
    thread.join().unwrap();
    found
}

/// A TLS server that answers so.
fn encrypted(
    name: &str,
    protocols: &[&str],
    answers: &'static [&'static [u8]],
) -> impl FnOnce(TcpStream) + Send + use<> {
    let config = server(name, protocols);
    move |stream| {
        answer(&mut StreamOwned::new(ServerConnection::new(config).unwrap(), stream), answers)
    }
}

fn ours() -> Trust {
    Trust::File(data("ca.pem"))
}

#[test]
fn a_connection_serves_several_requests() {
    for host in ["https://localhost", "https://127.0.0.1"] {
        let found = ask(host, ours(), 2, encrypted("good", &["h2", "http/1.1"], &[ANSWER, ANSWER]));
        assert_eq!(found, [Ok("hiComplete".to_owned()), Ok("hiComplete".to_owned())], "{host}");
    }
}

#[test]
fn a_server_that_leaves_without_the_end_of_tls_has_answered() {
    let found = ask("https://localhost", ours(), 1, encrypted("good", &[], &[OPEN]));
    assert_eq!(found, [Ok("hiComplete".to_owned())]);
    // What HTTP itself calls cut is cut.
    let cut = ask("https://localhost", ours(), 1, encrypted("good", &[], &[CUT]));
    assert!(cut[0].as_ref().unwrap().starts_with("hBroken"), "{cut:?}");
}

#[test]
fn why_there_was_no_handshake() {
    let trusts_self = || Trust::File(data("self.pem"));
    for (name, trust, says) in [
        ("expired", ours(), "has expired"),
        ("elsewhere", ours(), "is not for localhost: it is for example.org"),
        ("self", ours(), "signed by nobody that is trusted here"),
        ("good", trusts_self(), "signed by nobody that is trusted here"),
        ("good", Trust::System, "signed by nobody that is trusted here"),
    ] {
        let found = ask("https://localhost", trust, 1, encrypted(name, &[], &[ANSWER]));
        let (kind, message) = found[0].clone().unwrap_err();
        assert!(kind == FailureKind::Tls && message.contains(says), "{name}: {message}");
        let unchecked =
            ask("https://localhost", Trust::Anybody, 1, encrypted(name, &[], &[ANSWER]));
        assert_eq!(unchecked, [Ok("hiComplete".to_owned())], "{name}");
    }
    let own = ask("https://localhost", trusts_self(), 1, encrypted("self", &[], &[ANSWER]));
    assert_eq!(own, [Ok("hiComplete".to_owned())], "its own certificate was given");
    let found = ask("https://localhost", ours(), 1, encrypted("good", &["h2"], &[ANSWER]));
    assert!(found[0].as_ref().unwrap_err().1.contains("NoApplicationProtocol"), "{found:?}");
}

#[test]
fn a_certificate_that_is_its_own_authority_is_trusted_if_it_was_given() {
    let ask = |host, trust, name| ask(host, trust, 1, encrypted(name, &[], &[ANSWER])).remove(0);
    let given = |name: &str| Trust::File(data(&format!("{name}.pem")));
    assert!(ask("https://localhost", given("authority"), "authority").is_ok());
    for (host, trusted, name, says) in [
        ("https://localhost", "ca", "authority", "(CA:TRUE) that is not trusted here"),
        ("https://127.0.0.2", "authority", "authority", "is not for 127.0.0.2"),
        ("https://localhost", "authority-expired", "authority-expired", "has expired"),
    ] {
        let (_, message) = ask(host, given(trusted), name).unwrap_err();
        assert!(message.contains(says), "{name}: {message}");
    }
}

#[test]
fn the_wrong_scheme_is_said() {
    let plain = |mut stream: TcpStream| {
        answer(&mut stream, &[b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"])
    };
    let found = ask("https://localhost", ours(), 1, plain);
    assert!(
        found[0]
            .as_ref()
            .unwrap_err()
            .1
            .contains("does not speak TLS on this port: is it http://?"),
        "{found:?}"
    );
    let found = ask("http://localhost", Trust::System, 1, encrypted("good", &[], &[ANSWER]));
    assert!(
        found[0].as_ref().unwrap_err().1.contains("speaks TLS on this port: is it https://?"),
        "{found:?}"
    );
    let gone = |stream: TcpStream| drop(stream);
    let found = ask("https://localhost", ours(), 1, gone);
    assert_eq!(found[0].as_ref().unwrap_err().0, FailureKind::Tls, "{found:?}");
}

#[test]
fn files_without_an_authority_are_refused() {
    for name in ["make.sh", "good.key", "nothing-here"] {
        let refused =
            Secure::new("localhost", &Trust::File(data(name))).map(drop).unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains("expected certificates"), "{refused}");
    }
}

#[test]
fn a_kept_connection_that_closes_under_a_request_costs_no_request() {
    let config = server("good", &[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    // Two connections: the first reads a second request and says TLS's own end instead of an
    // answer.
    let thread = std::thread::spawn(move || {
        for answers in [&[ANSWER, &[]][..], &[ANSWER]] {
            let stream = listener.accept().unwrap().0;
            let mut stream =
                StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            answer(&mut stream, answers);
            stream.conn.send_close_notify();
            let _ = io::Write::flush(&mut stream); // the client may have left
        }
    });
    let settings =
        Settings { trust: ours(), ..Settings::new(target, Endpoint::Chat, "m".to_owned()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connector = settings.connector(true).await.unwrap();
        let (pool, headers, frames) =
            (Pool::new(Connections::Reuse), HeaderMap::new(), AtomicU64::new(0));
        for resent in [false, true] {
            let outgoing = Outgoing {
                path: "/",
                headers: &headers,
                body: "{}".into(),
                max_bytes: 100,
                frames: &frames,
            };
            let exchange = exchange(&connector, &pool, outgoing).await;
            assert_eq!(
                (exchange.answer.unwrap().bytes.as_slice(), exchange.resent_ns.is_some()),
                (&b"hi"[..], resent)
            );
        }
    });
    drop(runtime);
    thread.join().unwrap();
}
