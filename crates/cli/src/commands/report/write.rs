//! Where a report goes: standard output, or files in a folder.

use crate::exit::UsageError;
use crate::output;
use anyhow::{Context, Result, bail};
use pacemark_report::{Cover, Document, Page, Table, page, render};
use std::io::{IsTerminal, Write, stdout};
use std::path::Path;

/// One format on standard output.
pub(super) fn print(format: &str, cover: &Cover, documents: &[Document]) -> Result<()> {
    if let Some(format) = page::find(format) {
        if format.name == "png" && stdout().is_terminal() {
            let why = "a terminal does not show it; -o DIR or a redirection takes it";
            return Err(UsageError(format!("--format png: {why}")).into());
        }
        let hint = "-o DIR takes it as several files";
        let bytes = (format.write)(cover, documents).context(hint)?;
        return Ok(stdout().write_all(&bytes)?);
    }
    let renderer = output::renderer(format).context("clap checks formats")?;
    let is_program = !renderer.tells;
    if is_program && documents.len() > 1 {
        let n = documents.len();
        let why = format!("it would be {n} documents; -o DIR writes a file for each");
        return Err(UsageError(format!("--format {format}: {why}")).into());
    }
    for (i, document) in documents.iter().enumerate() {
        if i > 0 {
            writeln!(stdout())?;
        }
        output::write_in(cover.lang, &titled(cover, documents, document), renderer)?;
    }
    Ok(())
}

/// A document as it is read: a single one has the title of the whole.
fn titled(cover: &Cover, documents: &[Document], document: &Document) -> Document {
    let mut said = document.clone();
    if documents.len() == 1 {
        said.title = Some(cover.title.clone());
    }
    cover.lang.document(&said)
}

/// A file for each format, or of tables for each document and table.
pub(super) fn files(
    folder: &Path,
    formats: &[String],
    cover: &Cover,
    documents: &[Document],
) -> Result<()> {
    let cannot = || format!("cannot write to {}", folder.display());
    if folder.join("suite.json").exists() {
        let why = "it is a suite's, which has reports of its own there; give another folder";
        return Err(UsageError(format!("--output-dir {}: {why}", folder.display())).into());
    }
    std::fs::create_dir_all(folder).with_context(cannot)?;
    // A format that cannot be made keeps no other from being written.
    let mut failed = Vec::new();
    for format in formats {
        let made = match made(format, cover, documents) {
            Ok(made) => made,
            Err(error) => {
                failed.push(format!("--format {format}: {error:#}"));
                continue;
            }
        };
        for (name, bytes) in made {
            let path = folder.join(name);
            pacemark_files::write(&path, &bytes).with_context(|| path.display().to_string())?;
            eprintln!("report: {}", path.display());
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}

/// Names of files and what goes into them.
fn made(format: &str, cover: &Cover, documents: &[Document]) -> Result<Vec<(String, Vec<u8>)>> {
    if let Some(format) = page::find(format) {
        let pages = (format.pages)(cover, documents)?;
        let several = pages.len() > 1;
        let name = |i: usize| match several {
            true => format!("report-{}.{}", i + 1, format.name),
            false => format!("report.{}", format.name),
        };
        return Ok(pages.into_iter().enumerate().map(|(i, page)| (name(i), page)).collect());
    }
    let renderer = output::renderer(format).context("clap checks formats")?;
    let page = Page { lang: cover.lang, ..Page::default() };
    let text = |document: &Document| render(&titled(cover, documents, document), renderer, &page);
    let end = match renderer.name {
        "table" => "txt",
        name => name,
    };
    if renderer.tells {
        let all: Vec<String> = documents.iter().map(text).collect();
        return Ok(vec![(format!("report.{end}"), all.join("\n").into_bytes())]);
    }
    let mut made = Vec::new();
    for (i, document) in documents.iter().enumerate() {
        let number = if documents.len() > 1 { format!("-{}", i + 1) } else { String::new() };
        made.push((format!("report{number}.{end}"), text(document).into_bytes()));
        if matches!(renderer.name, "csv" | "sql") {
            // These have room for one table.
            for table in document.tables.iter().skip(1).filter(|table| has_more(table)) {
                let alone = Document { tables: vec![table.clone()], ..Document::default() };
                let name = format!("report{number}-{}.{end}", table.name);
                made.push((name, render(&alone, renderer, &page).into_bytes()));
            }
        }
    }
    Ok(made)
}

fn has_more(table: &Table) -> bool {
    !table.rows.is_empty() && !table.name.is_empty()
}
