//! Addresses as they are written and pasted: each is right or refused by name.

use super::*;

#[test]
fn right() {
    let chat = |text: &str| {
        Target::parse(text).map(|target| (target.url(), target.of_api("/chat/completions")))
    };
    for (text, url, path) in [
        ("http://localhost:8000", "http://localhost:8000/v1", "/v1/chat/completions"),
        ("  http://localhost:8000/\n", "http://localhost:8000/v1", "/v1/chat/completions"),
        ("http://localhost:8000/v1//", "http://localhost:8000/v1", "/v1/chat/completions"),
        ("HTTP://LocalHost:8000/V1x", "http://localhost:8000/V1x/v1", "/V1x/v1/chat/completions"),
        ("http://a.b/openai/v1", "http://a.b/openai/v1", "/openai/v1/chat/completions"),
        ("http://a.b/proxy", "http://a.b/proxy/v1", "/proxy/v1/chat/completions"),
        ("http://a.b:80", "http://a.b/v1", "/v1/chat/completions"),
        ("https://a.b:443", "https://a.b/v1", "/v1/chat/completions"),
        ("https://a.b:80", "https://a.b:80/v1", "/v1/chat/completions"),
        ("HttpS://a.b:8443/v1", "https://a.b:8443/v1", "/v1/chat/completions"),
        ("https://host/api/v3", "https://host/api/v3", "/api/v3/chat/completions"),
        ("https://host/api/paas/v4/", "https://host/api/paas/v4", "/api/paas/v4/chat/completions"),
        (
            "https://host/v1beta/openai/",
            "https://host/v1beta/openai",
            "/v1beta/openai/chat/completions",
        ),
        ("http://h:8000/v1/chat/completions", "http://h:8000/v1", "/v1/chat/completions"),
        ("http://h:8000/v1/completions/", "http://h:8000/v1", "/v1/chat/completions"),
        ("http://h:8000/chat/completions", "http://h:8000", "/chat/completions"),
        ("http://h:8000/v1/models", "http://h:8000/v1", "/v1/chat/completions"),
        ("http://h:8000/models", "http://h:8000/models/v1", "/models/v1/chat/completions"),
        (
            "http://h:8000/openai/deployments/x",
            "http://h:8000/openai/deployments/x",
            "/openai/deployments/x/chat/completions",
        ),
        (
            "https://h/openai/deployments/x/chat/completions?api-version=2024-10-21",
            "https://h/openai/deployments/x?…",
            "/openai/deployments/x/chat/completions?api-version=2024-10-21",
        ),
        ("http://h?x=1", "http://h/v1?…", "/v1/chat/completions?x=1"),
        ("http://h/?", "http://h/v1", "/v1/chat/completions"),
        ("http://[::1]:9/x", "http://[::1]:9/x/v1", "/x/v1/chat/completions"),
        ("http://[fe80::1%25eth0]:9", "http://[fe80::1]:9/v1", "/v1/chat/completions"),
        ("http://[fe80::1%eth0]", "http://[fe80::1]/v1", "/v1/chat/completions"),
        ("http://model_server:65535", "http://model_server:65535/v1", "/v1/chat/completions"),
    ] {
        assert_eq!(chat(text), Ok((url.to_owned(), path.to_owned())), "{text}");
    }
}

#[test]
fn the_parts() {
    let target = Target::parse("http://[fe80::1%25eth0]:9/a/v1/completions?k").unwrap();
    assert_eq!((target.host.as_str(), target.name(), target.port), ("fe80::1%eth0", "fe80::1", 9));
    assert_eq!((target.tls, target.endpoint), (false, Some(Endpoint::Completions)));
    assert_eq!(
        (target.beside_api("/tokenize"), target.of_api("/models")),
        ("/a/tokenize?k".into(), "/a/v1/models?k".into())
    );
    let target = Target::parse("https://h").unwrap();
    assert_eq!(
        (target.tls, target.port, target.endpoint, target.authority()),
        (true, 443, None, "h".into())
    );
    assert_eq!(
        Target::parse("https://h/v1beta/openai").unwrap().beside_api("/tokenize"),
        "/v1beta/openai/tokenize"
    );
}

#[test]
fn refused() {
    for (text, says) in [
        ("http://127.0.0.1:99999/plain", "port '99999': expected 1 to 65535"),
        ("http://h:65536", "port '65536'"),
        ("http://h:0", "port '0'"),
        ("http://h:", "port ''"),
        ("http://h:/v1", "port ''"),
        ("http://h:+80", "port '+80'"),
        ("http://h:-1", "port '-1'"),
        ("http://h:80a", "port '80a'"),
        ("http://[::1]:70000", "port '70000'"),
        ("https://h:443443443443443443443443/v1", "expected 1 to 65535"),
        ("localhost:8000", "begins with http:// or https://"),
        ("localhost", "begins with http"),
        ("/v1", "begins with http"),
        ("", "begins with http"),
        ("ftp://x", "begins with http"),
        ("http:/x", "begins with http"),
        ("ws://x", "begins with http"),
        ("http://", "expected http[s]://HOST"),
        ("http:///v1", "expected http[s]://HOST"),
        ("http://:80", "expected http[s]://HOST"),
        ("http://::1:8000", "expected http[s]://HOST"),
        ("http://[::1", "expected http[s]://HOST"),
        ("http://[::g]", "expected http[s]://HOST"),
        ("http://[fe80::1%25]", "expected http[s]://HOST"),
        ("http://[::1]8000", "expected http[s]://HOST"),
        ("http://a b", "expected http[s]://HOST"),
        ("http://a/b c", "expected http[s]://HOST"),
        ("http://a\\b", "expected http[s]://HOST"),
        ("http://h\r\nX: y", "expected http[s]://HOST"),
        ("http://h/v1\r\nX:y", "expected http[s]://HOST"),
        ("http://user:secret@h", "a user in an address"),
        ("http://h/v1#top", "'#top': a fragment"),
        ("http://h/v1/responses", "not measured"),
        ("http://h/v1/embeddings", "not measured"),
        ("http://h:11434/api/chat", "not measured"),
        ("http://h/completion", "not measured"),
    ] {
        let error = Target::parse(text).map(|target| target.url()).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("secret"), "{text}: {error}");
    }
    let long = format!("http://h/{}/responses", "x".repeat(10_000));
    assert!(Target::parse(&long).unwrap_err().to_string().len() < 500);
}
