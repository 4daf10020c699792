//! `/jobs`: what is measured, what waits and what is over, a form to start another, and one job as it
//! goes on.

use super::asked::{Asked, encoded};
use super::shell::{Wrong, escape, option, page as shell, scroll};
use super::{Desk, Paged, figures, fine};
use crate::job::{Job, Progress, Status, TestType};
use crate::jobs::Jobs;

/// Jobs that are listed at most.
const LISTED: usize = 200;

pub(super) fn list(desk: &Desk, asked: &Asked, _: &str) -> Paged {
    asked.only(&[])?;
    let jobs = desk.jobs.list();
    let table = match jobs.is_empty() {
        true => "<p>No job was asked for yet.</p>\n".to_owned(),
        false => table(&jobs),
    };
    let main =
        format!("<h2>Start a benchmark</h2>\n{}<h2>All jobs</h2>\n{table}", form(&desk.jobs));
    fine(shell("Jobs", "/jobs", &main))
}

/// The status in a word.
fn word(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Running => "running",
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    }
}

/// What people call a job.
fn name(job: &Job) -> &str {
    let named = job.request.name.as_deref().filter(|name| !name.is_empty());
    named.unwrap_or(&job.request.model_name)
}

fn tests(job: &Job) -> String {
    job.request.test_types.iter().map(|test| test.name()).collect::<Vec<_>>().join(", ")
}

fn told(progress: &Progress) -> String {
    let Progress { done, of, step } = progress;
    let step = step.as_ref().map_or(String::new(), |step| format!(": {step}"));
    format!("{done} of {of}{step}")
}

fn table(jobs: &[Job]) -> String {
    let row = |job: &Job| {
        let id = encoded(&job.id);
        let cells: String = [
            figures::minute(job.created_at),
            word(job.status).to_owned(),
            job.request.model_name.clone(),
            tests(job),
            job.progress.as_ref().map_or(String::new(), told),
        ]
        .iter()
        .map(|cell| format!("<td>{}</td>", escape(cell)))
        .collect();
        format!("<tr><td><a href=\"/jobs/{id}\">{}</a></td>{cells}</tr>\n", escape(name(job)))
    };
    let rows: String = jobs.iter().take(LISTED).map(row).collect();
    let heads = ["Job", "Asked for (UTC)", "Status", "Model", "Tests", "Rows"];
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let table =
        format!("<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n");
    let older = jobs.len().saturating_sub(LISTED);
    let more = match older {
        0 => String::new(),
        n => format!("<p class=\"legend\">{n} older ones are not listed.</p>\n"),
    };
    scroll("Jobs", &table) + &more
}

fn form(jobs: &Jobs) -> String {
    if !jobs.limits().takes_jobs {
        return "<p>This server takes no jobs: whoever reaches it could hold it. It takes them with \
                <code>--api-key</code>, or on this machine alone.</p>\n"
            .to_owned();
    }
    let models = jobs.runner().models();
    if models.is_empty() {
        return "<p>There is no model that can be measured.</p>\n".to_owned();
    }
    let models: String = models.iter().map(|model| option(model, model, None)).collect();
    let test = |test: TestType| {
        let name = test.name();
        format!(
            "<label><input type=\"checkbox\" name=\"test\" value=\"{name}\" checked> {name}</label>\n"
        )
    };
    let tests: String = TestType::ALL.into_iter().map(test).collect();
    format!(
        "<noscript><p>This form needs the script of this page; <code>POST /api/benchmark</code> does the \
         same.</p></noscript>\n\
         <form class=\"filter\" id=\"start\">\n\
         <label>Model <select name=\"model\" required>\n{models}</select></label>\n\
         <fieldset><legend>Tests</legend>\n{tests}</fieldset>\n\
         <label>Name <input name=\"name\" maxlength=\"200\" placeholder=\"optional\"></label>\n\
         <label class=\"wide\">Settings <textarea name=\"settings\" rows=\"3\" spellcheck=\"false\" \
         aria-describedby=\"settings-help said\" placeholder=\"latency.test_runs: 3\"></textarea></label>\n\
         <p class=\"legend wide\" id=\"settings-help\">Optional: a setting of a suite in each line, such as \
         <code>latency.test_runs: 3</code> or <code>throughput.concurrent_requests = [1, 8]</code>.</p>\n\
         <button>Start</button>\n<p class=\"said\" id=\"said\" role=\"alert\"></p>\n</form>\n"
    )
}

pub(super) fn one(desk: &Desk, asked: &Asked, id: &str) -> Paged {
    asked.only(&[])?;
    let unknown = || Wrong::unknown(format!("there is no job {}", pacemark_files::excerpt(id)));
    let job = desk.jobs.get(id).ok_or_else(unknown)?;
    let main = status(&job) + &results(&job, &desk.jobs.runner().formats()) + &request(&job);
    fine(shell(&format!("Job: {}", name(&job)), "/jobs", &main))
}

/// How a job stands: the script keeps it so.
fn status(job: &Job) -> String {
    let id = escape(&job.id);
    let progress = job.progress.clone().unwrap_or_default();
    let (done, of) = (progress.done.min(progress.of), progress.of.max(1));
    let rows = job.progress.as_ref().map_or("not begun".to_owned(), told);
    let why = job.error.as_deref().or(job.waits_for.as_deref()).unwrap_or_default();
    let is_over = job.status.is_over();
    let cancel = match is_over {
        true => "",
        false => "<p><button type=\"button\" id=\"cancel\">Cancel</button></p>\n",
    };
    format!(
        "<section id=\"job\" data-id=\"{id}\" data-over=\"{is_over}\" aria-label=\"Status\">\n\
         <div aria-live=\"polite\">\n<p>Status: <strong id=\"status\">{}</strong> <span id=\"why\">{}</span></p>\n\
         <p><label for=\"bar\">Rows</label> <progress id=\"bar\" value=\"{done}\" max=\"{of}\"></progress> \
         <span id=\"rows\">{}</span></p>\n</div>\n{cancel}\
         <p class=\"said\" id=\"said\" role=\"alert\"></p>\n</section>\n",
        word(job.status),
        escape(why),
        escape(&rows)
    )
}

fn results(job: &Job, formats: &[&str]) -> String {
    let id = encoded(&job.id);
    let link = |format: &&str| {
        let (to, name) = (encoded(format), escape(format));
        format!("<li><a href=\"/api/benchmark/{id}/results?format={to}\">{name}</a></li>\n")
    };
    let links: String = formats.iter().map(link).collect();
    let hidden = if job.progress.is_some() { "" } else { " hidden" };
    format!(
        "<section id=\"results\"{hidden}>\n<h2>Results</h2>\n<p>What was measured until now.</p>\n\
         <ul class=\"links\">\n{links}</ul>\n</section>\n"
    )
}

/// What was asked for, and when what became of it.
fn request(job: &Job) -> String {
    let mut pairs = vec![
        ("Job".to_owned(), job.id.clone()),
        ("Model".to_owned(), job.request.model_name.clone()),
        ("Tests".to_owned(), tests(job)),
    ];
    for (key, value) in &job.request.settings {
        pairs.push((key.clone(), value.to_string()));
    }
    let times = [
        ("Asked for (UTC)", Some(job.created_at)),
        ("Began", job.started_at),
        ("Ended", job.finished_at),
    ];
    for (name, time) in times {
        pairs.extend(time.map(|time| (name.to_owned(), figures::minute(time))));
    }
    let pairs: String = pairs
        .iter()
        .map(|(name, value)| {
            format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value))
        })
        .collect();
    format!("<h2>What was asked for</h2>\n<dl>\n{pairs}</dl>\n")
}
