//! What pages show, of runs and without any, and what they say to a wrong question.

use super::runs::{genai, kept, later, load, throughput, two_levels};
use super::*;

const PAGES: [&str; 8] =
    ["/", "/compare", "/trends", "/jobs", "/live", "/chat", "/login", "/login?to=%2Fjobs"];

#[test]
fn every_page_is_there_without_any_run() {
    let empty = lab("empty", &[]);
    for path in PAGES {
        empty.page(path);
    }
    assert!(empty.page("/").contains("No run was kept yet"));
    assert!(empty.page("/trends").contains("No run was kept yet"));
    assert!(empty.page("/jobs").contains("No job was asked for yet"));
    assert!(!empty.folder.join("history.db").exists(), "to look makes no history");
    for path in ["/runs/latest", "/runs/abc/record.json", "/compare?id=a&id=b"] {
        empty.wrong(path, StatusCode::NOT_FOUND);
    }
    let off = router(&empty.folder, None, "tiny", Limits::default());
    let answer = get(&off, "/");
    tame("/", &answer);
    assert!(answer.text().contains("the history is off"), "{}", answer.text());
    assert_eq!(get(&off, "/runs/latest").status, StatusCode::NOT_FOUND);
    // A history that is there, and has no run.
    drop(Store::open(&empty.folder.join("history.db")).unwrap());
    assert!(empty.page("/").contains("No run passes"));
    empty.page("/trends");
    empty.wrong("/runs/latest", StatusCode::NOT_FOUND);
}

#[test]
fn a_history_is_listed_by_pages_and_filtered() {
    let mut runs: Vec<KeptRun> = (0..120).map(|i| kept(&throughput(i, 100.0))).collect();
    runs[7].tags = vec!["release".into()];
    runs.push(kept(&genai(200)).said(vec![], Some("with a note".into())));
    let lab = lab("list", &runs);
    let rows = |path: &str| lab.page(path).matches("type=\"checkbox\"").count();
    assert_eq!((rows("/"), rows("/?page=2"), rows("/?page=3"), rows("/?page=4")), (50, 50, 21, 0));
    let first = lab.page("/");
    for said in
        ["Runs 1 to 50 of 121", "with a note", "href=\"/?page=2\"", "llama 135M Q4_1", "tg16"]
    {
        assert!(first.contains(said), "{said}: {first}");
    }
    assert!(first.contains(&format!("href=\"/runs/{}\"", lab.ids[120])));
    assert!(!first.contains(&lab.ids[0]) && lab.page("/?page=3").contains(&lab.ids[0]));
    assert_eq!((rows("/?experiment=genai"), rows("/?tag=release"), rows("/?tag=other")), (1, 1, 0));
    assert_eq!((rows("/?model=LLAMA&page=3"), rows("/?model=%25")), (21, 0));
    assert_eq!((rows("/?since=2026-09-24"), rows("/?since=2300-01-01")), (50, 0));
    let second = lab.page("/?experiment=throughput&model=llama&page=2");
    assert!(
        second.contains("href=\"/?experiment=throughput&amp;model=llama&amp;page=3\""),
        "{second}"
    );
    for wrong in
        ["/?since=yesterday", "/?page=0", "/?page=x", "/?colour=red", "/?page=99999999999999"]
    {
        lab.wrong(wrong, StatusCode::BAD_REQUEST);
    }
    lab.wrong(&format!("/?model={}", "x".repeat(2000)), StatusCode::BAD_REQUEST);
}

#[test]
fn a_run_is_shown_as_a_report_and_in_every_format() {
    let said = kept(&throughput(1, 100.0)).said(vec!["kept".into()], Some("a note".into()));
    let lab = lab("run", &[said, kept(&genai(2)), kept(&load(3, 40)), kept(&later(4))]);
    for id in &lab.ids[..3] {
        let page = lab.page(&format!("/runs/{id}"));
        for part in
            ["<h2>Verdicts</h2>", "<table>", "<svg", "<h2>Again</h2>", "/record.json", "format=csv"]
        {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
    let page = lab.page(&format!("/runs/{}", &lab.ids[0][..12]));
    assert!(page.contains("<dd>kept</dd>") && page.contains("<dd>a note</dd>"), "{page}");
    lab.page("/runs/latest~1");
    for name in pacemark_report::RENDERERS.iter().map(|one| one.name).chain(["html", "svg", "png"])
    {
        let answer = lab.get(&format!("/runs/{}?format={name}", lab.ids[0]));
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert!(answer.bytes.len() > 50 && answer.headers.contains_key("content-security-policy"));
    }
    let csv = lab.get(&format!("/runs/{}?format=csv", lab.ids[0]));
    assert!(csv.text().contains("avg_ts") && csv.text().lines().count() == 3, "{}", csv.text());
    let record = lab.get(&format!("/runs/{}/record.json", lab.ids[0]));
    assert_eq!(record.headers["content-type"], "application/json");
    let read = pacemark_record::Run::from_json(record.text()).unwrap();
    assert_eq!(read, throughput(1, 100.0));
    let unshown = lab.wrong(&format!("/runs/{}", lab.ids[3]), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unshown.contains("not known to this version"), "{unshown}");
    assert_eq!(lab.get(&format!("/runs/{}/record.json", lab.ids[3])).status, StatusCode::OK);
    for unknown in ["/runs/0000", "/runs/latest~9", "/runs/..%2F..", "/runs/%3Cb%3E", "/jobs/none"]
    {
        lab.wrong(unknown, StatusCode::NOT_FOUND);
    }
    let wrong = lab.wrong(&format!("/runs/{}?format=pdf", lab.ids[0]), StatusCode::BAD_REQUEST);
    assert!(wrong.contains("expected one of"), "{wrong}");
    lab.wrong("/runs/%FF", StatusCode::BAD_REQUEST);
}

#[test]
fn runs_are_compared_with_intervals_or_it_is_said_why_not() {
    let runs: Vec<KeptRun> = [throughput(1, 100.0), throughput(2, 80.0), genai(3), load(4, 40)]
        .iter()
        .map(kept)
        .collect();
    let lab = lab("compare", &runs);
    let [a, b, c, d] = &lab.ids[..] else { panic!() };
    let two = lab.page(&format!("/compare?id={a}&id={b}"));
    for part in ["Comparison of 2 runs", "compared with", "95 % from", "0.80", "unpaired", "<svg"] {
        assert!(two.contains(part), "{part}: {two}");
    }
    let many = lab.page(&format!("/compare?id={a}&id={b}&id={c}&id={d}"));
    assert!(many.contains("nothing in common") && many.contains("Comparison of 4 runs"), "{many}");
    let twice = lab.wrong(&format!("/compare?id={a}&id={a}"), StatusCode::BAD_REQUEST);
    assert!(twice.contains("choose a second"), "{twice}");
    lab.wrong(&format!("/compare?id={a}&id=0000"), StatusCode::NOT_FOUND);
    lab.wrong(&format!("/compare?{}", "id=latest&".repeat(11)), StatusCode::BAD_REQUEST);
    lab.wrong("/compare?run=latest", StatusCode::BAD_REQUEST);
    lab.page("/compare?id=latest&id=latest~1");
}

#[test]
fn a_trend_marks_where_its_level_changes() {
    let lab = lab("trend", &two_levels());
    let page = lab.page("/trends?metric=avg_ts");
    assert!(page.contains("Runs with which a new level begins"), "{page}");
    assert!(page.contains(&format!("href=\"/runs/{}\"", lab.ids[8])), "{page}");
    assert!(
        page.contains("<svg")
            && page.contains("worse")
            && page.contains("value=\"avg_ts\" selected")
    );
    let other = lab.page("/trends?test=pp512");
    assert!(other.contains("No level changes") && other.contains("pp512"), "{other}");
    assert!(lab.page("/trends?metric=ppl").contains("No run of these has the figure ppl"));
    assert!(lab.page("/trends?model=other").contains("No run of these"));
    let newest = lab.page("/trends?n=3");
    let has = |i: usize| newest.contains(&lab.ids[i][..10]);
    assert!(has(13) && has(11) && !has(10), "{newest}");
    for wrong in ["metric=nonsense", "n=0", "n=81", "since=x", "other=1"] {
        lab.wrong(&format!("/trends?{wrong}"), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn a_history_that_cannot_be_read_is_a_page() {
    let lab = lab("newer", &[kept(&throughput(1, 1.0))]);
    let path = lab.folder.join("history.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&99u32.to_be_bytes()); // user_version, big-endian: SQLite's file format, 1.3
    std::fs::write(&path, &bytes).unwrap();
    for path in ["/", "/trends", "/runs/latest", "/compare?id=a&id=b"] {
        let page = lab.wrong(path, StatusCode::SERVICE_UNAVAILABLE);
        assert!(page.contains("has schema 99"), "{page}");
    }
    std::fs::write(&path, "no database at all, but a text of some length".repeat(40)).unwrap();
    lab.wrong("/", StatusCode::SERVICE_UNAVAILABLE);
    lab.page("/jobs");
}

#[test]
fn a_page_that_breaks_down_is_one_that_says_so_and_others_go_on() {
    let folder = folder("broken");
    let runner = Arc::new(Idle(Vec::new()));
    let jobs = Jobs::open(&folder, runner, Limits::default(), |why| panic!("{why}"));
    let desk = Desk::new(Arc::new(jobs), &[], false, None);
    let router = Router::new()
        .route("/broken", crate::pages::page(|_, _, _| panic!("a page that breaks down")))
        .route("/login", crate::pages::page(crate::pages::login::page))
        .with_state(desk);
    for _ in 0..3 {
        let answer = get(&router, "/broken");
        tame("/broken", &answer);
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert!(get(&router, "/login").text().contains("asks for no key"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn jobs_are_listed_and_one_says_how_it_stands() {
    let progress = Progress { done: 3, of: 8, step: Some("tg16".into()) };
    let failed = Job {
        progress: Some(progress),
        error: Some("it broke".into()),
        finished_at: Some(1_790_000_060),
        ..job("0002", Status::Failed)
    };
    let lab = lab_of("jobs", &[], &[job("0001", Status::Queued), failed], "tiny");
    let list = lab.page("/jobs");
    for part in [
        "href=\"/jobs/0001\"",
        "queued",
        "failed",
        "3 of 8<",
        "id=\"start\"",
        "<textarea name=\"settings\"",
        ">tiny</option>",
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
    let queued = lab.page("/jobs/0001");
    assert!(
        queued.contains("id=\"cancel\"") && queued.contains("id=\"results\" hidden"),
        "{queued}"
    );
    let failed = lab.page("/jobs/0002");
    for part in ["it broke", "value=\"3\" max=\"8\"", "/api/benchmark/0002/results?format=html"] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    assert!(!failed.contains("id=\"cancel\""));
    let closed = Limits { takes_jobs: false, ..Limits::default() };
    let closed = router(&lab.folder.join("closed"), None, "tiny", closed);
    assert!(!get(&closed, "/jobs").text().contains("<form"));
}

#[test]
fn where_no_page_is_a_browser_gets_one_that_says_so_and_programs_an_error() {
    let lab = lab("nowhere", &[]);
    let ask = |method: &str, path: &str, accept: &str| {
        let request = Request::builder().method(method).uri(path).header("accept", accept);
        answered(&lab.router, request.body(Body::empty()).unwrap())
    };
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    for path in ["/nothing", "/runs/a/b", "/jobs/a/b", "/runs/", "/%3Cb%3E", "/trends/x?y=1"] {
        let answer = ask("GET", path, browser);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        tame(path, &answer);
        assert!(answer.text().contains("there is no page /"), "{}", answer.text());
    }
    for path in ["/runs/nothing", "/jobs/nothing"] {
        assert_eq!(ask("GET", path, browser).status, StatusCode::NOT_FOUND, "{path}");
        lab.wrong(path, StatusCode::NOT_FOUND);
    }
    for (method, path, accept) in [
        ("GET", "/api/nothing", browser),
        ("GET", "/v1/nothing", browser),
        ("GET", "/nothing", "*/*"),
        ("POST", "/nothing", browser),
    ] {
        let answer = ask(method, path, accept);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(answer.text().contains("there is no such route"), "{}", answer.text());
    }
    assert_eq!(ask("POST", "/jobs", browser).status, StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn files_of_pages_are_kept_by_browsers_and_fetch_nothing() {
    let lab = lab("assets", &[]);
    for (path, kind) in [("css", "text/css"), ("js", "text/javascript")] {
        let answer = lab.get(&format!("/assets/pages.{path}?v=1"));
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert!(header("content-type").starts_with(kind));
        assert!(header("cache-control").contains("immutable"));
        let text = answer.text();
        for never in
            ["http://", "https://", "@import", "url(", "innerHTML", "eval(", "document.write"]
        {
            assert!(!text.contains(never), "{path}: {never}");
        }
    }
    // What the script looks for is there.
    let script = lab.get("/assets/pages.js");
    let pages: String = PAGES.iter().map(|path| lab.page(path)).collect();
    for id in ["said", "pause", "talk", "send", "stop", "clear", "start", "live", "chat", "login"] {
        assert!(script.text().contains(&format!("\"{id}\"")), "{id}");
        assert!(pages.contains(&format!("id=\"{id}\"")), "{id}");
    }
}
