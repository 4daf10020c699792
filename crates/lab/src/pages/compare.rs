//! `/compare`: two runs or more: the first against each of the others, figure by figure, and below the
//! figures of all.

use super::archive::{Kept, kept, short};
use super::asked::{Asked, encoded};
use super::shell::{Wrong, escape, page as shell};
use super::{Desk, Paged, figures, fine};
use pacemark_bench::contrast::{self, Pairing, Sides, Source};
use pacemark_bench::reported;
use pacemark_record::Run;
use pacemark_report::layout::varied;
use pacemark_report::picture::Legend;
use pacemark_report::{Document, Lang, Reading, Standing, Verdict, page as pages};

/// Runs at most.
const MOST: usize = 10;
/// Turns of one run at most.
const MOST_TURNS: u64 = 64;

pub(super) fn page(desk: &Desk, asked: &Asked, _: &str) -> Paged {
    asked.only(&["id"])?;
    let names: Vec<&str> = asked.all("id").collect();
    if names.is_empty() {
        return fine(shell("Compare", "", &form()));
    }
    if names.len() > MOST {
        let n = names.len();
        return Err(Wrong::asked(format!("expected {MOST} runs at most, found {n}")));
    }
    let store = desk.archive.required()?;
    let mut runs: Vec<Kept> = Vec::new();
    for name in names {
        let run = kept(&store, name)?;
        if runs.iter().all(|known| known.id != run.id) {
            runs.push(run);
        }
    }
    let documents = match &runs[..] {
        [only] => in_turn(only)?,
        several => against_first(several).into_iter().chain(reports(several)).collect(),
    };
    let main = chosen(&runs) + &pages::article(Lang::En, &documents);
    let title = match runs.len() {
        1 => "What one run measured in turn".to_owned(),
        n => format!("Comparison of {n} runs"),
    };
    fine(shell(&title, "", &main))
}

/// Names of two runs, by hand.
fn form() -> String {
    "<p>Choose two runs or more in the <a href=\"/\">history</a>, or name two here: by the first digits \
     of their ids, <code>latest</code> or <code>latest~1</code>.</p>\n\
     <form class=\"filter\" method=\"get\" action=\"/compare\" aria-label=\"Runs to compare\">\n\
     <label>Compared with <input name=\"id\" required maxlength=\"64\"></label>\n\
     <label>This run <input name=\"id\" required maxlength=\"64\"></label>\n\
     <button>Compare</button>\n</form>\n"
        .to_owned()
}

/// Which runs these are, with ways to them.
fn chosen(runs: &[Kept]) -> String {
    let row = |(at, kept): (usize, &Kept)| {
        let said = kept.written.tags.iter().map(String::as_str).chain(kept.written.note.as_deref());
        let parts =
            [figures::minute(kept.run.env.started_unix_s), kept.experiment.name().to_owned()];
        let parts = parts.iter().map(String::as_str).chain(said).filter(|part| !part.is_empty());
        let words = escape(&parts.collect::<Vec<_>>().join(", "));
        let role = if at == 0 && runs.len() > 1 { " (base)" } else { "" };
        let (id, name) = (encoded(&kept.id), escape(&short(&kept.id)));
        format!("<li><a href=\"/runs/{id}\">{name}</a>{role}: {words}</li>\n")
    };
    let rows: String = runs.iter().enumerate().map(row).collect();
    format!("<ul>\n{rows}</ul>\n")
}

fn source(kept: &Kept) -> Source {
    Source { name: short(&kept.id), run: kept.run.clone() }
}

/// The first run against each of the others.
fn against_first(runs: &[Kept]) -> Vec<Document> {
    let Some((base, others)) = runs.split_first() else { return Vec::new() };
    let base = source(base);
    let against = |new: &Kept| {
        let new = source(new);
        let title = format!("{} compared with {}", new.name, base.name);
        let sides = Sides { base: vec![base.clone()], new: vec![new], pairing: Pairing::None };
        document(title, &sides)
    };
    others.iter().map(against).collect()
}

/// The backends of one run, which were measured in turn.
fn in_turn(only: &Kept) -> Result<Vec<Document>, Wrong> {
    let sources = [source(only)];
    let last = only.run.trials.iter().map(|trial| trial.turn).max().unwrap_or(0);
    let sides = (1..=last.min(MOST_TURNS)).filter_map(|turn| contrast::turns(&sources, turn));
    let documents: Vec<Document> = sides
        .map(|sides| {
            let name = |side: &[Source]| side.first().map_or("-".into(), |one| one.name.clone());
            document(format!("{} compared with {}", name(&sides.new), name(&sides.base)), &sides)
        })
        .collect();
    if documents.is_empty() {
        let name = short(&only.id);
        return Err(Wrong::asked(format!(
            "run {name} alone has nothing to compare: choose a second"
        )));
    }
    Ok(documents)
}

/// What two sides come to, or why nothing.
fn document(title: String, sides: &Sides) -> Document {
    let found = match contrast::contrast(sides, &[]) {
        Ok(found) => found,
        Err(error) => {
            let verdict = Verdict { standing: Standing::Open, text: error.to_string() };
            let reading = Reading { verdicts: vec![verdict], ..Reading::default() };
            return Document { title: Some(title), reading, ..Document::default() };
        }
    };
    let picture = contrast::picture(&found);
    let legend = Legend { colours: picture.legend, notes: picture.notes };
    Document {
        title: Some(title),
        panels: picture.panels,
        legend,
        ..contrast::document(&found, false)
    }
}

/// A report of each stretch of runs of one experiment.
fn reports(runs: &[Kept]) -> Vec<Document> {
    // What stands once for a run, as its grade, is not another's.
    let is_alone = |kept: &Kept| {
        let document = kept.experiment.document(&kept.run, &[]);
        !kept.experiment.streams() || document.facts.iter().any(|fact| fact.told.is_some())
    };
    let is_continued = |a: &Kept, b: &Kept| {
        a.experiment.name() == b.experiment.name() && !is_alone(a) && !is_alone(b)
    };
    let reports = runs.chunk_by(is_continued).map(|of_one| {
        let runs: Vec<Run> = of_one.iter().map(|kept| kept.run.clone()).collect();
        let names: Vec<String> = of_one.iter().map(|kept| short(&kept.id)).collect();
        reported::report(of_one[0].experiment, &runs, &names, &varied(&runs))
    });
    reports.collect()
}
