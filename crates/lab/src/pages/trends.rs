//! `/trends`: a figure over the runs of the history, with its levels and where they change.

use super::archive::{short, wrong};
use super::asked::{Asked, encoded};
use super::shell::{Wrong, escape, option, page as shell};
use super::{Desk, Paged, figures, fine, history};
use pacemark_bench::EXPERIMENTS;
use pacemark_bench::experiment::find;
use pacemark_bench::trend::{Line, Lines, Past, document, lines, picture};
use pacemark_record::{Metric, Run};
use pacemark_report::picture::Legend;
use pacemark_report::{Document, Lang, page as pages};
use pacemark_store::{Entry, Filter, Store};

/// Runs unless others are asked for, and at most: each is read whole, and where levels change is found in
/// a time that grows much faster than their number.
const RUNS: usize = 50;
const MOST_RUNS: usize = 80;
/// Bytes of records after which no more are read unless a number of runs is asked for.
const QUICK_BYTES: usize = 8 << 20;
/// Lines that are drawn.
const DRAWN: usize = 12;
/// Experiments of a history that are looked through.
const MOST_EXPERIMENTS: usize = 200;
/// The figure that most runs have.
const USUAL: &str = "avg_ts";

pub(super) fn page(desk: &Desk, asked: &Asked, _: &str) -> Paged {
    asked.only(&["metric", "model", "experiment", "tag", "since", "test", "n"])?;
    let filter = history::filter(asked)?;
    let n = asked.number("n", MOST_RUNS)?;
    let Some(store) = desk.archive.open()? else {
        let absent = escape(desk.archive.absent());
        return fine(shell("Trends", "/trends", &format!("<p>{absent}</p>\n")));
    };
    let choices = store.choices(MOST_EXPERIMENTS).map_err(|error| wrong(&error))?;
    let known = metrics(&choices.experiments);
    let metric = match asked.text("metric") {
        Some(metric)
            if !pacemark_bench::trend::metric_names().iter().any(|name| name == metric) =>
        {
            let found = pacemark_files::quoted(metric);
            return Err(Wrong::asked(format!("metric: there is no figure {found}")));
        }
        Some(metric) => metric.to_owned(),
        None => usual(&known),
    };
    let read = read(&store, &filter, &metric, &choices.experiments, n)?;
    let found = lines(&metric, &read.runs, asked.text("test").unwrap_or_default(), DRAWN);
    let main = form(asked, &known, &choices.models, &metric, n) + &shown(&metric, found, &read);
    fine(shell("Trends", "/trends", &main))
}

/// The figures that runs of these experiments can have, by name and in words.
fn metrics(experiments: &[String]) -> Vec<(String, String)> {
    let experiments = experiments.iter().filter_map(|name| find(EXPERIMENTS, name));
    let metrics = experiments.flat_map(|experiment| experiment.metrics());
    let mut known: Vec<(String, String)> = metrics.map(|m| (m.name(), m.title())).collect();
    known.sort_unstable();
    known.dedup_by(|next, first| next.0 == first.0);
    known
}

fn usual(known: &[(String, String)]) -> String {
    let has = known.iter().any(|(name, _)| name == USUAL);
    let first = known.first().filter(|_| !has).map(|(name, _)| name.clone());
    first.unwrap_or_else(|| USUAL.to_owned())
}

/// Runs that were read.
struct Read {
    /// The oldest first.
    runs: Vec<Past>,
    /// How many this version cannot read.
    unread: usize,
    /// How many older ones were left, for what was read is long.
    left: usize,
}

/// The newest runs that can have the figure: `n` of them, or without that as many as are quickly read.
fn read(
    store: &Store,
    filter: &Filter,
    metric: &str,
    experiments: &[String],
    n: Option<usize>,
) -> Result<Read, Wrong> {
    let has = |name: &&String| {
        let metrics = find(EXPERIMENTS, name).map_or(&[][..], |experiment| experiment.metrics());
        metrics.iter().map(Metric::name).any(|name| name == metric)
    };
    let wanted = |name: &&String| filter.experiment.as_ref().is_none_or(|only| only == *name);
    let newest = n.unwrap_or(RUNS);
    let mut entries: Vec<Entry> = Vec::new();
    for experiment in experiments.iter().filter(has).filter(wanted) {
        let experiment = Some(experiment.clone());
        let of = Filter { experiment, newest: Some(newest), ..filter.clone() };
        entries.extend(store.list(&of).map_err(|error| wrong(&error))?);
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.started_unix_s));
    entries.truncate(newest);
    let (mut read, mut n_bytes) = (Read { runs: Vec::new(), unread: 0, left: 0 }, 0);
    for (at, entry) in entries.iter().enumerate() {
        if n.is_none() && n_bytes > QUICK_BYTES {
            read.left = entries.len() - at;
            break;
        }
        let record = store.written(&entry.id).map_err(|error| wrong(&error))?.record;
        n_bytes += record.len();
        // One that a later version wrote does not hide the others.
        match Run::from_json(&record) {
            Ok(run) => read.runs.push(Past { id: entry.id.clone(), run }),
            Err(_) => read.unread += 1,
        }
    }
    read.runs.reverse();
    Ok(read)
}

fn form(
    asked: &Asked,
    known: &[(String, String)],
    models: &[String],
    metric: &str,
    n: Option<usize>,
) -> String {
    let n = n.map_or(String::new(), |n| n.to_string());
    let text = |name| escape(asked.text(name).unwrap_or_default());
    let named = |name: &str, words: &str| match words.is_empty() || words == name {
        true => name.to_owned(),
        false => format!("{name} ({words})"),
    };
    let mut metrics: String =
        known.iter().map(|(name, words)| option(name, &named(name, words), Some(metric))).collect();
    if known.iter().all(|(name, _)| name != metric) {
        metrics += &option(metric, metric, Some(metric));
    }
    let models: String = models.iter().map(|model| option(model, model, None)).collect();
    let experiment = asked.text("experiment").map_or(String::new(), |name| {
        let name = escape(name);
        format!("<input type=\"hidden\" name=\"experiment\" value=\"{name}\">\n")
    });
    format!(
        "<form class=\"filter\" method=\"get\" action=\"/trends\" aria-label=\"Figure and runs\">\n\
         <label>Figure <select name=\"metric\">\n{metrics}</select></label>\n\
         <label>Model <input name=\"model\" list=\"models\" value=\"{}\" maxlength=\"200\"></label>\n\
         <datalist id=\"models\">\n{models}</datalist>\n\
         <label>Test <input name=\"test\" value=\"{}\" placeholder=\"tg128\" maxlength=\"200\"></label>\n\
         <label>Tag <input name=\"tag\" value=\"{}\" maxlength=\"200\"></label>\n\
         <label>Since <input name=\"since\" value=\"{}\" placeholder=\"2026-11-29 or 7d\" maxlength=\"40\"></label>\n\
         <label>Newest runs <input name=\"n\" type=\"number\" min=\"1\" max=\"{MOST_RUNS}\" value=\"{n}\" placeholder=\"{RUNS}\"></label>\n\
         {experiment}<button>Show</button>\n</form>\n",
        text("model"),
        text("test"),
        text("tag"),
        text("since")
    )
}

fn shown(metric: &str, found: Lines, read: &Read) -> String {
    let Lines { lines: found, left: more } = found;
    if found.is_empty() {
        let metric = escape(metric);
        return format!("<p>No run of these has the figure {metric}.</p>\n");
    }
    let picture = picture(metric, &found);
    let drawn = Document {
        title: Some(picture.title),
        panels: picture.panels,
        legend: Legend { colours: picture.legend, notes: picture.notes },
        ..Document::default()
    };
    let mut document = Document { charts: Vec::new(), ..document(metric, &found) };
    if more > 0 {
        let n_lines = found.len() + more;
        document.notes.push(format!(
            "of {n_lines} tests the {DRAWN} that ran last are shown; ask for a model or a test to see the other {more}"
        ));
    }
    let Read { unread, left, .. } = read;
    if *left > 0 {
        document.notes.push(format!(
            "records are long: {left} older runs are not shown; a number of runs brings them"
        ));
    }
    if *unread > 0 {
        document.notes.push(format!("{unread} runs cannot be read by this version"));
    }
    changes(&found) + &pages::article(Lang::En, &[drawn, document])
}

/// Ways to the runs with which levels begin.
fn changes(found: &[Line]) -> String {
    let change = |line: &Line, at: usize| {
        let point = &line.points[at];
        let (id, name) = (encoded(&point.id), escape(&short(&point.id)));
        let (test, when) = (escape(&line.test), escape(&figures::minute(point.started_unix_s)));
        format!("<li>{test}: <a href=\"/runs/{id}\">{name}</a> of {when}</li>\n")
    };
    let of_line = |line| move |at: &usize| change(line, *at);
    let rows: String =
        found.iter().flat_map(|line| line.changes.iter().map(of_line(line))).collect();
    match rows.is_empty() {
        true => "<p>No level changes that can be told from noise.</p>\n".to_owned(),
        false => format!("<h2>Runs with which a new level begins</h2>\n<ul>\n{rows}</ul>\n"),
    }
}
