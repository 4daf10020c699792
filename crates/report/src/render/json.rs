//! JSON: one array of objects, or one object a line. llama-bench's fields and samples come first,
//! then our own. A value that is absent is null.

use super::{Closing, Render, Renderer};
use crate::fields::{drop_in_columns, own_columns};
use crate::{Form, Layout, Row};

pub(super) const JSON: Renderer = Renderer {
    name: "json",
    help: "one JSON array, written when all tests are done",
    streams: false,
    tells: false,
    new: || Box::new(Json { first: true }),
};

pub(super) const JSONL: Renderer = Renderer {
    name: "jsonl",
    help: "one JSON object a line",
    streams: true,
    tells: false,
    new: || Box::new(JsonLines),
};

struct Json {
    first: bool,
}

impl Render for Json {
    fn begin(&mut self, _: &Layout<'_>) -> String {
        "[\n".to_owned()
    }

    fn row(&mut self, layout: &Layout<'_>, row: &Row<'_>) -> String {
        let before = if std::mem::take(&mut self.first) { "" } else { ",\n" };
        let members = members(layout, row);
        let lines: Vec<_> =
            members.iter().map(|(name, value)| format!("    \"{name}\": {value}")).collect();
        format!("{before}  {{\n{}\n  }}", lines.join(",\n"))
    }

    fn end(&mut self, _: &Layout<'_>, _: &Closing<'_>) -> String {
        "\n]\n".to_owned()
    }
}

struct JsonLines;

impl Render for JsonLines {
    fn begin(&mut self, _: &Layout<'_>) -> String {
        String::new()
    }

    fn row(&mut self, layout: &Layout<'_>, row: &Row<'_>) -> String {
        let members = members(layout, row);
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}\n", members.join(", "))
    }
}

/// Names and values, in order.
fn members(layout: &Layout<'_>, row: &Row<'_>) -> Vec<(&'static str, String)> {
    let list = |values: Vec<String>| format!("[ {} ]", values.join(", "));
    let mut members: Vec<_> = drop_in_columns(layout).map(|c| (c.name, c.of(row).json())).collect();
    if layout.form == Form::Load {
        members.extend(own_columns(layout).map(|c| (c.name, c.of(row).json())));
        return members;
    }
    members.push((
        "samples_ns",
        list(row.trial.samples.iter().map(|s| s.elapsed_ns.to_string()).collect()),
    ));
    if layout.form == Form::BatchedBench {
        let first = row
            .trial
            .samples
            .iter()
            .map(|s| s.ttft_ns.map_or("null".to_owned(), |ns| ns.to_string()));
        members.push(("samples_pp_ns", list(first.collect())));
    }
    members.push((
        "samples_ts",
        list(row.trial.rates_ts().iter().map(|rate| format!("{rate:.6}")).collect()),
    ));
    members.extend(own_columns(layout).map(|c| (c.name, c.of(row).json())));
    members
}
