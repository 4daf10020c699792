//! `/`: the runs of the history, newest first, by pages.

use super::archive::{short, wrong};
use super::asked::Asked;
use super::shell::{Wrong, escape, option, page as shell, scroll};
use super::{Desk, Paged, figures, fine};
use pacemark_store::{Choices, Entry, Filter, Store};

/// Runs on a page.
const ON_PAGE: usize = 50;
/// Names to choose from at most.
const CHOICES: usize = 200;
/// Pages at most.
const MOST_PAGES: usize = 1_000_000;

pub(super) fn page(desk: &Desk, asked: &Asked, _: &str) -> Paged {
    asked.only(&["model", "experiment", "tag", "since", "page"])?;
    let filter = filter(asked)?;
    let number = asked.number("page", MOST_PAGES)?.unwrap_or(1);
    let Some(store) = desk.archive.open()? else {
        let absent = escape(desk.archive.absent());
        return fine(shell("History", "/", &format!("<p>{absent}</p>\n")));
    };
    let choices = store.choices(CHOICES).map_err(|error| wrong(&error))?;
    let main = form(asked, &choices) + &listed(&store, &filter, asked, number)?;
    fine(shell("History", "/", &main))
}

/// Which runs are asked for.
pub(super) fn filter(asked: &Asked) -> Result<Filter, Wrong> {
    let owned = |name| asked.text(name).map(str::to_owned);
    Ok(Filter {
        model: owned("model"),
        experiment: owned("experiment"),
        tag: owned("tag"),
        since_unix_s: asked.since("since")?,
        newest: None,
    })
}

fn form(asked: &Asked, choices: &Choices) -> String {
    let text = |name| escape(asked.text(name).unwrap_or_default());
    let list = |values: &[String], name: &str| -> String {
        let chosen = asked.text(name);
        // One that no run has may be asked for by hand.
        let other = chosen.filter(|chosen| !values.iter().any(|value| value == chosen));
        let values = values.iter().map(String::as_str).chain(other);
        let values = values.filter(|value| !value.is_empty());
        option("", "any", None) + &values.map(|v| option(v, v, chosen)).collect::<String>()
    };
    let models: String = choices.models.iter().map(|model| option(model, model, None)).collect();
    let (experiments, tags) =
        (list(&choices.experiments, "experiment"), list(&choices.tags, "tag"));
    format!(
        "<form class=\"filter\" method=\"get\" action=\"/\" role=\"search\" aria-label=\"Runs\">\n\
         <label>Model <input name=\"model\" list=\"models\" value=\"{}\" maxlength=\"200\"></label>\n\
         <datalist id=\"models\">\n{models}</datalist>\n\
         <label>Experiment <select name=\"experiment\">\n{experiments}</select></label>\n\
         <label>Tag <select name=\"tag\">\n{tags}</select></label>\n\
         <label>Since <input name=\"since\" value=\"{}\" placeholder=\"2026-11-29 or 7d\" maxlength=\"40\"></label>\n\
         <button>Filter</button> <a href=\"/\">All runs</a>\n</form>\n",
        text("model"),
        text("since")
    )
}

fn listed(store: &Store, filter: &Filter, asked: &Asked, number: usize) -> Result<String, Wrong> {
    let n_runs = store.count(filter).map_err(|error| wrong(&error))?;
    let skip = (number - 1) * ON_PAGE;
    let of_page = Filter { newest: Some(ON_PAGE), ..filter.clone() };
    let entries = store.list_after(&of_page, skip).map_err(|error| wrong(&error))?;
    if entries.is_empty() {
        let why = if n_runs == 0 { "No run passes this filter." } else { "There is no such page." };
        return Ok(format!("<p>{why}</p>\n"));
    }
    let rows: String = entries.iter().map(row).collect();
    let heads = ["When (UTC)", "Experiment", "Model", "Figures", "Tags", "Note"];
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let table = format!(
        "<table class=\"runs\">\n<thead><tr><th scope=\"col\">Compare</th>{heads}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n"
    );
    let (from, to) = (skip + 1, skip + entries.len());
    Ok(format!(
        "<form method=\"get\" action=\"/compare\" aria-label=\"Runs to compare\">\n\
         <p>Runs {from} to {to} of {n_runs}. <button>Compare the chosen</button></p>\n{}</form>\n{}",
        scroll("Runs", &table),
        ways(asked, number, n_runs)
    ))
}

fn row(entry: &Entry) -> String {
    let (id, name) = (escape(&entry.id), short(&entry.id));
    let when = figures::minute(entry.started_unix_s);
    let when = if when.is_empty() { name.clone() } else { when };
    let cells: String = [
        entry.experiment.clone(),
        figures::models(entry),
        figures::line(entry),
        entry.tags.join(" "),
        entry.note.clone().unwrap_or_default(),
    ]
    .iter()
    .map(|cell| format!("<td>{}</td>", escape(cell)))
    .collect();
    format!(
        "<tr><td><input type=\"checkbox\" name=\"id\" value=\"{id}\" aria-label=\"Compare run {}\"></td>\
         <td><a href=\"/runs/{id}\">{}</a></td>{cells}</tr>\n",
        escape(&name),
        escape(&when)
    )
}

/// To newer and older runs.
fn ways(asked: &Asked, number: usize, n_runs: u64) -> String {
    let last = n_runs.div_ceil(ON_PAGE as u64).max(1);
    if last == 1 {
        return String::new();
    }
    let way = |to: usize, name: &str, rel: &str| {
        let to = escape(&asked.with("/", "page", &to.to_string()));
        format!("<a rel=\"{rel}\" href=\"{to}\">{name}</a> ")
    };
    let newer = if number > 1 { way(number - 1, "Newer", "prev") } else { String::new() };
    let older =
        if (number as u64) < last { way(number + 1, "Older", "next") } else { String::new() };
    format!(
        "<nav class=\"turn\" aria-label=\"Pages of runs\">{newer}<span>Page {number} of {last}</span> \
         {older}</nav>\n"
    )
}
