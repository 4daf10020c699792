//! `pacemark load` over TLS: a front of rustls before the scripted server, with certificates that
//! OpenSSL made.

use crate::scripted::{Answer, Server, chat_chunk, usage_chunk};
use pacemark_record::Run;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../load/tests/data/tls").join(name)
}

/// Two tokens, a chunk each.
fn good() -> Answer {
    let chunks = (0..2).map(|i| chat_chunk(&format!("\"content\":\" t{i}\"")));
    Answer::stream(chunks.chain([usage_chunk(8, 2, 0), "data: [DONE]\n\n".into()]))
}

/// Lets TLS in and hands what it says to a plain server; its port.
fn front(server: &Server) -> u16 {
    let certificates =
        CertificateDer::pem_file_iter(data("good.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(data("good.key")).unwrap();
    let builder =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(builder.with_single_cert(certificates, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, behind) =
        (listener.local_addr().unwrap().port(), server.url().replace("http://", ""));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (config, behind) = (config.clone(), TcpStream::connect(&behind).unwrap());
            std::thread::spawn(move || {
                relay(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), behind)
            });
        }
    });
    port
}

/// Both ways by turns, until either side has ended.
fn relay(mut outside: StreamOwned<ServerConnection, TcpStream>, mut inside: TcpStream) {
    let mut some = [0; 16 << 10];
    let wait = Some(Duration::from_millis(1));
    outside.sock.set_read_timeout(wait).unwrap();
    inside.set_read_timeout(wait).unwrap();
    let waits = |error: &std::io::Error| {
        matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
    };
    loop {
        for outwards in [false, true] {
            let read = if outwards { inside.read(&mut some) } else { outside.read(&mut some) };
            let written = match read {
                Err(error) if waits(&error) => continue,
                Ok(0) | Err(_) => return,
                Ok(n) if outwards => outside.write_all(&some[..n]).and_then(|()| outside.flush()),
                Ok(n) => inside.write_all(&some[..n]),
            };
            if written.is_err() {
                return;
            }
        }
    }
}

fn load(url: &str, arguments: &[&str]) -> Output {
    let mut command = crate::binary::pacemark();
    command
        .args(["load", "--model", "m", "-n", "6", "-c", "2", "-o", "json", "--url", url])
        .args(arguments);
    // The system's own authorities have not signed ours, whatever the machine says.
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").output().unwrap()
}

#[test]
fn figures_over_tls_and_what_the_record_says_of_it() {
    let server = Server::new(|_| good());
    let url = format!("https://localhost:{}/v1/chat/completions", front(&server));
    let (authority, record) = (
        data("ca.pem"),
        std::env::temp_dir().join(format!("pacemark-tls-{}.json", std::process::id())),
    );
    for trusted in [&["--cacert", authority.to_str().unwrap()][..], &["--insecure"]] {
        let output = load(&url, &[trusted, &["--save", record.to_str().unwrap()]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let run = Run::from_json(&std::fs::read_to_string(&record).unwrap()).unwrap();
        let (trial, unchecked) = (&run.trials[0], trusted == ["--insecure"]);
        assert!(
            trial.requests().len() == 6 && trial.requests().iter().all(|request| request.is_ok()),
            "{said}"
        );
        assert!(trial.requests().iter().any(|request| request.connected_ns.is_some()));
        assert_eq!(trial.params["url"], url.trim_end_matches("/chat/completions"));
        assert_eq!(trial.params.get("insecure").is_some(), unchecked);
        assert_eq!(said.contains("certificate was not checked (--insecure)"), unchecked, "{said}");
    }
    std::fs::remove_file(record).unwrap();
}

#[test]
fn certificates_are_checked() {
    let server = Server::new(|_| good());
    let port = front(&server);
    let trusts = data("ca.pem").display().to_string();
    for (url, arguments, says) in [
        (format!("https://localhost:{port}"), &[][..], "signed by nobody that is trusted here"),
        (format!("http://localhost:{port}"), &[], "speaks TLS on this port: is it https://?"),
        (
            server.url().replace("http://", "https://"),
            &["--cacert", trusts.as_str()],
            "within the TLS handshake",
        ),
    ] {
        let output = load(&url, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(says), "{url}: {said}");
    }
    assert!(server.bodies().is_empty(), "nothing was sent to a server that is not believed");
    let output = load(&format!("https://localhost:{port}"), &["--cacert", "/nowhere.pem"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("/nowhere.pem: expected certificates")
    );
}
