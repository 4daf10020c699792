//! Pages as a browser gets them, of made-up runs and jobs.

mod hostile;
mod quick;
mod runs;
mod shown;

use super::asked::encoded;
use super::{Desk, of};
use crate::job::{Job, Progress, Status, TestType, Wanted};
use crate::jobs::{Jobs, Limits};
use crate::{Refusal, Results, Runner, kept};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use pacemark_store::{KeptRun, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tower::ServiceExt;

/// A runner that measures nothing.
struct Idle(Vec<String>);

impl Runner for Idle {
    fn models(&self) -> Vec<String> {
        self.0.clone()
    }

    fn check(&self, _: &Wanted) -> Result<(), Refusal> {
        Ok(())
    }

    fn run(&self, _: &Wanted, _: &Path, _: &AtomicBool) -> Result<(), String> {
        Ok(())
    }

    fn progress(&self, _: &Path) -> Option<Progress> {
        None
    }

    fn formats(&self) -> Vec<&'static str> {
        vec!["json", "html"]
    }

    fn results(&self, _: &Path, _: &str) -> Result<Results, String> {
        Err("nothing was measured".to_owned())
    }
}

/// A laboratory in a folder of its own.
struct Lab {
    folder: PathBuf,
    router: Router,
    /// Of runs, in the order in which they were kept.
    ids: Vec<String>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("pacemark-pages-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A laboratory with these runs; without any there is no history yet.
fn lab(name: &str, runs: &[KeptRun]) -> Lab {
    lab_of(name, runs, &[], "tiny")
}

fn lab_of(name: &str, runs: &[KeptRun], jobs: &[Job], model: &str) -> Lab {
    let folder = folder(name);
    let path = folder.join("history.db");
    let mut ids = Vec::new();
    if !runs.is_empty() {
        let saved = Store::open(&path).unwrap().save(runs, &runs::label).unwrap();
        ids = saved.into_iter().map(|saved| saved.id).collect();
    }
    for job in jobs {
        kept::Kept::at(&folder.join("jobs")).save(job).unwrap();
    }
    let router = router(&folder, Some(path), model, Limits::default());
    Lab { folder, router, ids }
}

fn router(folder: &Path, history: Option<PathBuf>, model: &str, limits: Limits) -> Router {
    let runner = Arc::new(Idle(vec![model.to_owned()]));
    let warn = |why: String| panic!("{why}");
    let jobs = Jobs::open(&folder.join("jobs"), runner, limits, warn);
    of(Desk::new(Arc::new(jobs), &[model.to_owned()], true, history))
}

fn job(id: &str, status: Status) -> Job {
    let request = Wanted {
        model_name: "tiny".into(),
        test_types: TestType::ALL.to_vec(),
        settings: Default::default(),
        name: None,
    };
    Job {
        id: id.into(),
        status,
        request,
        created_at: 1_790_000_000,
        started_at: None,
        finished_at: None,
        progress: None,
        waits_for: None,
        error: None,
    }
}

impl Lab {
    fn get(&self, path: &str) -> Answer {
        get(&self.router, path)
    }

    /// A page that is there and is whole.
    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        tame(path, &answer);
        answer.text().to_owned()
    }

    /// A page that says what is wrong.
    fn wrong(&self, path: &str, status: StatusCode) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        tame(path, &answer);
        answer.text().to_owned()
    }
}

fn get(router: &Router, path: &str) -> Answer {
    answered(router, Request::get(path).body(Body::empty()).unwrap())
}

fn answered(router: &Router, request: Request<Body>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let response = router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, bytes }
    })
}

/// A page is HTML of balanced elements, with its one script and nothing that others could have put in.
fn tame(path: &str, answer: &Answer) {
    let text = answer.text();
    let header = |name: &str| answer.headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "text/html; charset=utf-8", "{path}");
    let policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                  frame-ancestors 'none'";
    assert!(header("content-security-policy").starts_with(policy), "{path}");
    assert_eq!(header("cache-control"), "no-store", "{path}");
    assert_eq!(text.matches("<script").count(), 1, "{path}: {text}");
    assert!(text.contains("<script src=\"/assets/pages.js?v="), "{path}");
    for forbidden in ["<img", "<iframe", "href=\"http", "src=\"http", "javascript:", "\" onerror"] {
        assert!(!text.contains(forbidden), "{path}: {forbidden}: {text}");
    }
    for needed in
        ["<html lang=\"en\">", "class=\"skip\" href=\"#main\"", "<main id=\"main\"", "<h1>"]
    {
        assert!(text.contains(needed), "{path}: {needed}");
    }
    let all = "html head body main nav form table tbody section ul dl dt dd li label select \
               fieldset div p a figure svg details pre h1 h2 h3 button datalist";
    for tag in all.split_whitespace() {
        let start = format!("<{tag}");
        let opened = text.split(&start).skip(1);
        let opened = opened.filter(|rest| rest.starts_with([' ', '>', '\n'])).count();
        assert_eq!(opened, text.matches(&format!("</{tag}>")).count(), "{path}: {tag}: {text}");
    }
    // Every id is one element's.
    let mut ids: Vec<&str> =
        text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let n = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), n, "{path}: an id stands twice");
}
