//! `/runs/ID`: a run as `report` shows it, in every format, and its record.

use super::archive::{Kept, kept, short, written};
use super::asked::{Asked, encoded};
use super::shell::{Wrong, escape, page as shell};
use super::{Desk, Paged, figures, fine};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use pacemark_bench::reported;
use pacemark_report::layout::varied;
use pacemark_report::{Cover, Document, Lang, PAGES, Page, RENDERERS, page as pages, render};

pub(super) fn page(desk: &Desk, asked: &Asked, name: &str) -> Paged {
    asked.only(&["format"])?;
    let format = asked.text("format");
    if let Some(format) = format {
        known(format)?;
    }
    let kept = kept(&desk.archive.required()?, name)?;
    let runs = std::slice::from_ref(&kept.run);
    let shown = short(&kept.id);
    let mut document =
        reported::report(kept.experiment, runs, std::slice::from_ref(&shown), &varied(runs));
    let title = document.title.take().unwrap_or_else(|| kept.experiment.name().to_owned());
    match format {
        Some(format) => file(&shown, format, title, document),
        None => {
            let main = head(&kept) + &pages::article(Lang::En, &[document]);
            fine(shell(&title, "", &main))
        }
    }
}

/// `/runs/ID/record.json`
pub(super) fn record(desk: &Desk, asked: &Asked, name: &str) -> Paged {
    asked.only(&[])?;
    let (id, written) = written(&desk.archive.required()?, name)?;
    let response = pacemark_server::typed("application/json", written.record);
    Ok(named(response, &format!("run-{}.json", short(&id))))
}

/// What is known of a run besides what was measured, and where it is in other formats.
fn head(kept: &Kept) -> String {
    let (id, written) = (encoded(&kept.id), &kept.written);
    let pair =
        |name: &str, value: &str| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(value));
    let mut pairs = pair("Run", &kept.id);
    let when = figures::minute(kept.run.env.started_unix_s);
    if !when.is_empty() {
        pairs += &pair("When (UTC)", &when);
    }
    if !written.tags.is_empty() {
        pairs += &pair("Tags", &written.tags.join(" "));
    }
    if let Some(note) = &written.note {
        pairs += &pair("Note", note);
    }
    let formats = RENDERERS.iter().map(|one| (one.name, one.help));
    let formats = formats.chain(PAGES.iter().map(|one| (one.name, one.help)));
    let links: String = formats
        .map(|(name, help)| {
            let help = escape(help);
            format!("<li><a href=\"/runs/{id}?format={name}\" title=\"{help}\">{name}</a></li>\n")
        })
        .collect();
    format!(
        "<dl>\n{pairs}</dl>\n<nav aria-label=\"Formats\">\n<ul class=\"links\">\n\
         <li><a href=\"/runs/{id}/record.json\">record</a></li>\n{links}</ul>\n</nav>\n\
         <form class=\"filter\" method=\"get\" action=\"/compare\" aria-label=\"Compare\">\n\
         <label>Compare with <input name=\"id\" required maxlength=\"64\" placeholder=\"latest~1\"></label>\n\
         <input type=\"hidden\" name=\"id\" value=\"{id}\"><button>Compare</button>\n</form>\n"
    )
}

fn known(format: &str) -> Result<(), Wrong> {
    if render::find(format).is_some() || pages::find(format).is_some() {
        return Ok(());
    }
    let names = RENDERERS.iter().map(|one| one.name).chain(PAGES.iter().map(|one| one.name));
    let (names, found) = (names.collect::<Vec<_>>().join(", "), pacemark_files::quoted(format));
    Err(Wrong::asked(format!("format: expected one of {names}, found {found}")))
}

/// A run in a format that is [`known`].
fn file(shown: &str, format: &str, title: String, mut document: Document) -> Paged {
    let content_type = match format {
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" => "application/json",
        "csv" => "text/csv; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    if let Some(whole) = pages::find(format) {
        let cover = Cover { title, lang: Lang::En };
        let bytes = (whole.write)(&cover, &[document])
            .map_err(|error| Wrong::unshown(format!("{format}: {error}")))?;
        return Ok(pacemark_server::typed(content_type, bytes));
    }
    document.title = Some(title);
    let Some(renderer) = render::find(format) else { return Err(Wrong::broken()) };
    let text = render(&document, renderer, &Page::default());
    Ok(named(pacemark_server::typed(content_type, text), &format!("run-{shown}.{format}")))
}

/// What a browser calls the file; the name is of letters that need no quoting.
fn named(mut response: Response, name: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("inline; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
