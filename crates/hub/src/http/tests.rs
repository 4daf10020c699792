//! Transfers from a server on this machine that cuts, changes, refuses and redirects.

use super::rules::*;
use super::*;
use crate::testing::{Directory, Quiet, Seen, Server, cut_response, response};
use std::path::PathBuf;

const BODY: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const SHA256: &str = "74e7e5bb9d22d6db26bf76946d40fff3ea9f0346b884fd0694920fccfad15e33";

fn client() -> Client<'static> {
    Client { pause: Duration::from_millis(1), ..Client::new(&Quiet) }
}

/// A place for a file in a directory of its own.
struct Destination {
    path: PathBuf,
    _directory: Directory,
}

fn target(name: &str) -> Destination {
    let directory = Directory::new(&format!("http-{name}"));
    Destination { path: directory.join("m.bin"), _directory: directory }
}

impl std::ops::Deref for Destination {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

fn get(server: &Server, target: &Path, token: Option<&str>) -> Result<Outcome> {
    client().fetch(&Fetch {
        url: &format!("{}/o/r/resolve/main/m.gguf", server.url),
        token,
        target,
    })
}

/// The error of a fetch that must fail, after checking that nothing got the target's name.
fn error(server: &Server, target: &Path, token: Option<&str>) -> String {
    let error = get(server, target, token).unwrap_err().in_full();
    assert!(!target.exists(), "a failed fetch leaves no file: {error}");
    error
}

/// An honest server's answer, with ranges, for the tag `"t"`.
fn ranged(request: &Seen, tag: &str) -> Vec<u8> {
    match request.range_start().filter(|_| request.header("if-range") == Some(tag)) {
        Some(start) => {
            let range = format!("bytes {start}-{}/{}", BODY.len() - 1, BODY.len());
            response(
                "206 Partial Content",
                &[("ETag", tag), ("Content-Range", &range)],
                &BODY[start..],
            )
        }
        None => response("200 OK", &[("ETag", tag)], BODY),
    }
}

fn left_over(target: &Path) -> Vec<String> {
    let entries = fs::read_dir(target.parent().unwrap()).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.contains(".part"))
        .collect()
}

#[test]
fn a_whole_file() {
    let server = Server::start(|request, _| ranged(request, "\"t\""));
    let target = target("whole");
    assert_eq!(get(&server, &target, Some("secret")).unwrap(), Outcome::Saved);
    assert_eq!(fs::read(&*target).unwrap(), BODY);
    assert_eq!(server.seen()[0].path, "/o/r/resolve/main/m.gguf");
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer secret"));
    assert!(left_over(&target).is_empty());
}

#[test]
fn a_cut_transfer_goes_on_where_it_ended() {
    let server = Server::start(|request, count| match count {
        0 => cut_response("200 OK", &[("ETag", "\"t\"")], BODY, 10),
        _ => ranged(request, "\"t\""),
    });
    let target = target("cut");
    assert_eq!(get(&server, &target, None).unwrap(), Outcome::Saved);
    assert_eq!(fs::read(&*target).unwrap(), BODY);
    let seen = server.seen();
    assert_eq!(
        (seen.len(), seen[1].header("range"), seen[1].header("if-range")),
        (2, Some("bytes=10-"), Some("\"t\""))
    );
}

#[test]
fn a_file_that_changed_meanwhile_begins_anew() {
    // Once by an honest server, once by one that ignores If-Range and answers with the rest of the
    // new file.
    for honest in [true, false] {
        let server = Server::start(move |request, count| match (count, request.range_start()) {
            (0, _) => cut_response("200 OK", &[("ETag", "\"old\"")], &[b'x'; 36], 10),
            (1, Some(start)) if !honest => {
                let range = format!("bytes {start}-35/36");
                response(
                    "206 Partial Content",
                    &[("ETag", "\"new\""), ("Content-Range", &range)],
                    &BODY[start..],
                )
            }
            _ => ranged(request, "\"new\""),
        });
        let target = target("changed");
        assert_eq!(get(&server, &target, None).unwrap(), Outcome::Saved);
        assert_eq!(fs::read(&*target).unwrap(), BODY);
    }
}

#[test]
fn a_range_past_the_end_begins_anew() {
    let server = Server::start(|request, _| match request.range_start() {
        Some(_) => response("416 Range Not Satisfiable", &[], b""),
        None => ranged(request, "\"t\""),
    });
    let target = target("past");
    fs::write(beside(&target, "part"), BODY).unwrap();
    fs::write(beside(&target, "part-etag"), "\"t\"\nt\n").unwrap();
    assert_eq!(get(&server, &target, None).unwrap(), Outcome::Saved);
    assert_eq!(fs::read(&*target).unwrap(), BODY);
}

#[test]
fn a_server_without_tags_is_asked_for_the_whole_again() {
    let server = Server::start(|request, count| {
        assert_eq!(request.range_start(), None);
        if count == 0 {
            cut_response("200 OK", &[], BODY, 10)
        } else {
            response("200 OK", &[], BODY)
        }
    });
    let target = target("tagless");
    assert_eq!(get(&server, &target, None).unwrap(), Outcome::Saved);
    assert_eq!(fs::read(&*target).unwrap(), BODY);
}

#[test]
fn refusals_say_what_to_do_and_are_not_repeated() {
    let server = Server::start(|request, _| {
        let status = if request.header("authorization").is_some() {
            "403 Forbidden"
        } else {
            "401 Unauthorized"
        };
        response(status, &[], b"")
    });
    let text = error(&server, &target("401"), None);
    assert!(text.contains("401 Unauthorized") && text.contains("set HF_TOKEN"), "{text}");
    let text = error(&server, &target("403"), Some("secret"));
    assert!(text.contains("accept the model's terms") && !text.contains("secret"), "{text}");
    assert_eq!(server.seen().len(), 2);
    let server = Server::start(|_, _| response("404 Not Found", &[], b""));
    let target = target("404");
    assert!(error(&server, &target, None).contains("check ORG, REPO, FILE and REV"));
    assert_eq!(server.seen().len(), 1);
    assert!(left_over(&target).is_empty());
}

#[test]
fn trouble_is_tried_again_but_not_for_ever() {
    let server = Server::start(|request, count| match count {
        0 => response("503 Service Unavailable", &[("Retry-After", "0")], b""),
        1 => b"not http at all".to_vec(),
        _ => ranged(request, "\"t\""),
    });
    assert_eq!(get(&server, &target("trouble"), None).unwrap(), Outcome::Saved);
    let server = Server::start(|_, _| response("500 Internal Server Error", &[], b""));
    let text = error(&server, &target("for-ever"), None);
    assert!(text.contains("gave up after 5 attempts") && text.contains("500"), "{text}");
    assert_eq!(server.seen().len(), 5);
}

#[test]
fn a_body_that_stays_short_is_kept_for_the_next_run() {
    let server = Server::start(|request, _| match request.range_start() {
        None => cut_response("200 OK", &[("ETag", "\"t\"")], BODY, 10),
        Some(start) => {
            let range = format!("bytes {start}-35/36");
            cut_response(
                "206 Partial Content",
                &[("ETag", "\"t\""), ("Content-Range", &range)],
                &BODY[start..],
                0,
            )
        }
    });
    let target = target("short");
    let text = error(&server, &target, None);
    assert!(text.contains("what has come so far is kept"), "{text}");
    assert_eq!(fs::read(beside(&target, "part")).unwrap(), &BODY[..10]);
    let server = Server::start(|request, _| ranged(request, "\"t\""));
    assert_eq!(get(&server, &target, None).unwrap(), Outcome::Saved);
    assert_eq!(server.seen()[0].header("range"), Some("bytes=10-"));
}

#[test]
fn the_hubs_hash_is_checked() {
    let wrong = format!("\"{}\"", "0".repeat(64));
    for (hash, right) in [(format!("\"{SHA256}\""), true), (wrong, false)] {
        let server = Server::start(move |_, _| {
            response("200 OK", &[("X-Linked-Etag", &hash), ("ETag", "\"t\"")], BODY)
        });
        let target = target("hash");
        if right {
            assert_eq!(get(&server, &target, None).unwrap(), Outcome::Saved);
        } else {
            let text = error(&server, &target, None);
            assert!(text.contains(&format!("got {SHA256}")), "{text}");
            assert!(left_over(&target).is_empty());
        }
    }
}

#[test]
fn the_token_stays_with_the_hub() {
    let store = Server::start(|request, count| match count {
        0 => cut_response("200 OK", &[("ETag", "\"store\"")], BODY, 20),
        _ => ranged(request, "\"store\""),
    });
    let place = format!("{}/bucket/x?signature=hush", store.url);
    let hash = format!("\"{SHA256}\"");
    let hub = Server::start(move |request, _| match request.path.as_str() {
        "/moved" => response(
            "302 Found",
            &[("Location", &place), ("X-Linked-Etag", &hash), ("X-Linked-Size", "36")],
            b"",
        ),
        _ => response("307 Temporary Redirect", &[("Location", "/moved")], b"elsewhere"),
    });
    let target = target("redirect");
    assert_eq!(get(&hub, &target, Some("secret")).unwrap(), Outcome::Saved);
    assert_eq!(fs::read(&*target).unwrap(), BODY);
    assert!(
        hub.seen().iter().all(|request| request.header("authorization") == Some("Bearer secret"))
    );
    assert!(store.seen().iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(store.seen()[1].header("if-range"), Some("\"store\""));
}

#[test]
fn endless_and_pointless_redirects_end() {
    let server = Server::start(|_, _| response("302 Found", &[("Location", "/again")], b""));
    assert!(error(&server, &target("endless"), None).contains("more than 10 redirects"));
    let server = Server::start(|_, _| response("302 Found", &[], b""));
    assert!(error(&server, &target("nowhere"), None).contains("redirects nowhere"));
}

#[test]
fn encryption_is_not_given_up() {
    let found = Response::builder()
        .status(302)
        .header("Location", "http://x/y")
        .body(Body::builder().data(""));
    let https = origin("https://hub/a").unwrap_or_else(|_| panic!("an address"));
    assert!(
        matches!(redirected(&https, &found.unwrap()), Err(Failure::Final(e)) if e.to_string().contains("unencrypted"))
    );
}

#[test]
fn an_unchanged_file_is_not_transferred_again() {
    let server = Server::start(|request, count| {
        ranged(request, if count < 2 { "\"t\"" } else { "\"new\"" })
    });
    let target = target("unchanged");
    let outcomes: Vec<_> = (0..3).map(|_| get(&server, &target, None).unwrap()).collect();
    assert_eq!(outcomes, [Outcome::Saved, Outcome::Unchanged, Outcome::Saved]);
    assert!(left_over(&target).is_empty());
}

#[test]
fn who_cannot_be_reached_is_named() {
    let target = target("nobody");
    let nobody = "http://127.0.0.1:1/x";
    let error = client().fetch(&Fetch { url: nobody, token: None, target: &target }).unwrap_err();
    assert!(error.in_full().contains("cannot reach 127.0.0.1:1"), "{error:?}");
    let error =
        client().fetch(&Fetch { url: "ftp://x", token: None, target: &target }).unwrap_err();
    assert!(error.in_full().contains("check HF_ENDPOINT"), "{error:?}");
}

#[test]
fn a_page_is_refused_and_does_not_cost_what_has_come() {
    let page = |kind: &'static str| {
        move |_: &Seen, _: usize| {
            response("200 OK", &[("Content-Type", kind)], b"<!doctype html><html>")
        }
    };
    for kind in ["text/html; charset=utf-8", "TEXT/HTML", "application/octet-stream"] {
        let server = Server::start(page(kind));
        let target = target("page");
        fs::write(beside(&target, "part"), &BODY[..10]).unwrap();
        fs::write(beside(&target, "part-etag"), "\"t\"\nt\n").unwrap();
        let text = error(&server, &target, None);
        assert!(
            text.contains("sends an HTML page") && text.contains("check the network"),
            "{text}"
        );
        assert_eq!(server.seen().len(), 1, "asking again would not help");
        let kept = fs::read(beside(&target, "part"));
        // By its type a page is known before anything is written.
        assert_eq!(
            kept.ok(),
            kind.to_lowercase().starts_with("text/html").then(|| BODY[..10].to_vec()),
            "{kind}"
        );
    }
}

#[test]
fn a_part_that_is_no_file_of_ours_is_left_alone() {
    let server = Server::start(|request, _| ranged(request, "\"t\""));
    let target = target("foreign");
    let victim = target.with_file_name("victim");
    fs::write(&victim, "mine").unwrap();
    std::os::unix::fs::symlink(&victim, beside(&target, "part")).unwrap();
    assert!(error(&server, &target, None).contains("no plain file"));
    assert_eq!(fs::read(victim).unwrap(), b"mine");
}

#[test]
fn a_port_that_is_none_is_not_another() {
    for url in ["http://127.0.0.1:99999/x", "https://h:70000/x"] {
        let Err(Failure::Final(error)) = origin(url) else { panic!("{url}") };
        assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    }
}
