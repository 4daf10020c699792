//! Who reaches a server's jobs and pages: with keys, names and origins.

use super::served::Folder;

/// What a browser is given; what stands in each page is `lab`'s own tests' business.
#[test]
fn pages_are_there_for_browsers() {
    let folder = Folder::new("jobs-pages");
    let served = folder.start(&["--mock", "ttft=1ms,itl=1ms", "--api-key", "k"]);
    let (browser, cookie) = ("accept: text/html\r\n", "cookie: pacemark_key=k\r\n");
    let page = |path: &str, headers: &str| {
        let (status, head, body) = served.call("GET", path, headers, "");
        (status, head, String::from_utf8(body).unwrap())
    };
    for path in ["/", "/jobs", "/live", "/chat", "/trends", "/compare"] {
        assert_eq!(page(path, browser).0, 303, "{path}: a key is asked for");
        assert_eq!(page("/v1/models", browser).0, 401, "programs are not sent to a page");
        let (status, head, body) = page(path, cookie);
        assert_eq!(status, 200, "{path}: {body}");
        assert!(head.contains("content-security-policy: default-src 'self'"), "{path}: {head}");
        assert!(
            body.starts_with("<!doctype html>") || body.starts_with("<!DOCTYPE html>"),
            "{body}"
        );
        for file in ["/assets/pages.css", "/assets/pages.js"] {
            assert!(body.contains(file), "{path}: {file}");
            assert_eq!(page(file, "").0, 200, "what pages are made of takes no key");
        }
    }
    assert_eq!(page("/login?to=/jobs", browser).0, 200);
    assert_eq!(page("/runs/nothing", cookie).0, 404);
}

#[test]
fn whoever_has_no_key_cannot_hold_a_server() {
    let folder = Folder::new("jobs-keys");
    let served = folder.start(&["--mock", "ttft=1ms,itl=1ms", "--host", "0.0.0.0"]);
    let (status, error) = served.json("POST", "/api/benchmark", r#"{"model_name": "gpt2"}"#);
    assert_eq!((status, &error["error"]["code"]), (403, &"jobs_not_taken".into()), "{error}");
    drop(served);
    let served = folder.start(&["--mock", "ttft=1ms,itl=1ms", "--api-key", "k 1"]);
    assert_eq!(served.get("/api/benchmark").0, 401);
    let cookie = "cookie: pacemark_key=k%201\r\n";
    assert_eq!(served.call("GET", "/api/benchmark", cookie, "").0, 200);
    let (status, head, _) = served.call("GET", "/jobs", "accept: text/html\r\n", "");
    assert!(status == 303 && head.contains("/login?to=/jobs"), "{head}");
    drop(served);
    let served = folder.start(&["--mock", "ttft=1ms,itl=1ms", "--no-jobs"]);
    assert_eq!(served.get("/api/benchmark").0, 404);
}

/// A page of elsewhere whose name was made to lead to this machine.
#[test]
fn names_of_elsewhere_do_not_lead_here() {
    let folder = Folder::new("jobs-hosts");
    let mock = ["--mock", "ttft=1ms,itl=1ms", "--allow-host", "box.lan"];
    let served = folder.start(&mock);
    let status = |method: &str, path: &str, host: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        served.answer(&head)
    };
    for path in ["/", "/api/benchmark", "/v1/models"] {
        for (host, expected) in [
            (served.address.as_str(), 200),
            ("localhost", 200),
            ("box.lan:80", 200),
            ("evil.example", 403),
            ("127.0.0.1.evil.example", 403),
        ] {
            let (found, text) = status("GET", path, host);
            assert_eq!(found, expected, "{host} {path}: {text}");
            assert!(found == 200 || text.contains("unknown_host"), "{text}");
        }
    }
    drop(served);
    // Whoever has a key is no page of elsewhere.
    let served = folder.start(&["--mock", "ttft=1ms,itl=1ms", "--api-key", "k"]);
    let head = "GET /v1/models HTTP/1.1\r\nhost: elsewhere.example\r\nauthorization: Bearer k\r\nconnection: close\r\n\r\n";
    assert_eq!(served.answer(head).0, 200);
}
