//! Nothing that comes from outside becomes markup: names, tags, notes, prompts, jobs, addresses.

use super::runs::{genai, kept, later, throughput};
use super::*;
use crate::pages::shell::escape;
use pacemark_record::Run;

const HOSTILE: &str =
    "\"><script>alert(1)</script><img src=x onerror=alert(2)>'</title>&lt;\u{202e}\0";

/// With such words everywhere that a record has a text.
fn hostile(mut run: Run) -> Run {
    let words = || HOSTILE.to_owned();
    run.command = vec![words(), words()];
    run.varied = vec!["prompt".into(), words()];
    (run.env.commit, run.env.version) = (words(), words());
    run.env.cpu_model = Some(words());
    for trial in &mut run.trials {
        (trial.model.model_type, trial.model.path) = (words(), format!("/{HOSTILE}"));
        trial.model.backend = words();
        trial.notes = vec![words()];
        for name in ["prompt", HOSTILE, "model", "url"] {
            trial.params.insert(name.to_owned(), HOSTILE.into());
        }
    }
    run
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let said = |run: Run| kept(&hostile(run)).said(vec![HOSTILE.into()], Some(HOSTILE.into()));
    let mut named = later(4);
    named.trials[0].experiment = HOSTILE.into();
    let runs = [said(throughput(1, 90.0)), said(throughput(2, 100.0)), said(genai(3)), said(named)];
    let mut queued = job("0001", Status::Queued);
    queued.request.model_name = HOSTILE.into();
    queued.request.name = Some(HOSTILE.into());
    queued.request.settings.insert(HOSTILE.into(), HOSTILE.into());
    queued.waits_for = Some(HOSTILE.into());
    let progress = Progress { done: 9, of: 8, step: Some(HOSTILE.into()) };
    let failed = Job {
        error: Some(HOSTILE.into()),
        progress: Some(progress),
        ..Job { id: "0002".into(), status: Status::Failed, ..queued.clone() }
    };
    let lab = lab_of("hostile", &runs, &[queued, failed], HOSTILE);
    let shown = escape("<script>alert(1)</script>");
    let of_run = format!("/runs/{}", lab.ids[0]);
    let two = format!("/compare?id={}&id={}&id={}", lab.ids[0], lab.ids[1], lab.ids[2]);
    for path in ["/", &of_run, &two, "/trends", "/jobs", "/jobs/0001", "/jobs/0002", "/chat"] {
        let page = lab.page(path);
        assert!(page.contains(&shown), "it is shown as text on {path}");
        assert!(!page.contains('\0') && !page.contains('\u{202e}'), "{path}");
    }
    let unshown = lab.wrong(&format!("/runs/{}", lab.ids[3]), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unshown.contains("&lt;script&gt;"), "{unshown}");
    // A file that a browser opens is no other page of this server's.
    for format in ["html", "svg"] {
        let answer = lab.get(&format!("{of_run}?format={format}"));
        assert!(!answer.text().contains("<script") && !answer.text().contains("<img"), "{format}");
        assert!(answer.headers.contains_key("content-security-policy"));
    }
    for format in ["csv", "md", "table", "sql", "json", "jsonl"] {
        let answer = lab.get(&format!("{of_run}?format={format}"));
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(!answer.headers["content-type"].to_str().unwrap().contains("html"), "{format}");
    }
}

#[test]
fn an_address_is_text_too() {
    let lab = lab("address", &[kept(&throughput(1, 1.0))]);
    let words = encoded(HOSTILE);
    for name in ["model", "tag", "experiment"] {
        let page = lab.page(&format!("/?{name}={words}"));
        assert!(page.contains("&lt;script&gt;alert"), "{page}");
    }
    lab.page(&format!("/trends?model={words}&tag={words}&test={words}&experiment={words}"));
    lab.page(&format!("/login?to={words}"));
    for wrong in ["/?since=", "/?page=", "/trends?metric=", "/trends?n=", "/?"] {
        let answer = lab.get(&format!("{wrong}{words}"));
        tame(wrong, &answer);
    }
    lab.wrong(&format!("/?{words}=1"), StatusCode::BAD_REQUEST);
    lab.wrong(&format!("/runs/latest?format={words}"), StatusCode::BAD_REQUEST);
    for path in ["/runs/", "/jobs/"] {
        lab.wrong(&format!("{path}{words}"), StatusCode::NOT_FOUND);
    }
    lab.wrong(&format!("/compare?id=latest&id={words}"), StatusCode::NOT_FOUND);
}

#[test]
fn texts_are_escaped() {
    assert_eq!(escape("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
    assert_eq!(escape("\u{202e}\0"), "\u{fffd}\u{fffd}");
}
