//! What a machine is and can do at best. Who asks the machine implements [`Machine`]; here its
//! answers become trials and a document: one trial of facts, then one of limits for each number of
//! threads.

use crate::experiment::{Case, How, Subject, mismatch};
use crate::parameter::N_THREADS;
use crate::repeat::{CutShort, now_unix_s};
use crate::{BenchError, Experiment, devices};
use pacemark_record::{Measured, Metric, Run, Trial};
use pacemark_report::{Cell, Column, Document, Fact, Kind, Rank, Row, Table};
use serde_json::{Map, Value, json};

/// The machine and its limits.
pub struct Doctor;

/// Whoever can ask the machine.
pub trait Machine {
    /// What it is: the facts of [`FACTS`] by name, as far as the system tells them.
    fn facts(&mut self) -> Result<Map<String, Value>, String>;

    /// Its limits with so many threads, by the names of [`LIMITS`]; operations count a
    /// multiplication and an addition as two. Null where there is no such operation.
    fn limits(&mut self, n_threads: usize) -> Result<Map<String, Value>, String>;
}

/// Facts in the order in which programs read them.
pub const FACTS: &[&str] = &[
    "cpu_model",
    "logical_cpus",
    "cpu_quota",
    "cpu_quota_by",
    "memory_bytes",
    "memory_available_bytes",
    "memory_limit_bytes",
    "memory_limit_by",
    "kernel",
    "isa",
    "isa_available",
    "caches",
    "governor",
    "huge_pages",
    "memory_nodes",
    "backends",
    "devices",
    "devices_absent",
];

/// Limits: name, heading, width, digits.
pub const LIMITS: &[(&str, &str, isize, usize)] = &[
    ("read_gb_per_s", "read GB/s", 10, 1),
    ("int8_gops", "int8 GOPS", 10, 0),
    ("bf16_gflops", "bf16 GFLOPS", 11, 0),
    ("f32_gflops", "f32 GFLOPS", 10, 0),
];

impl Experiment for Doctor {
    fn name(&self) -> &'static str {
        "doctor"
    }

    fn help(&self) -> &'static str {
        "what this machine is, and its limits"
    }

    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        _: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Machine(n_threads), Subject::Machine(machine)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let failed = |why| CutShort { partial: Vec::new(), error: BenchError::Machine(why) };
        let facts = match n_threads {
            None => machine.facts(),
            Some(n) => machine.limits(*n),
        };
        let mut trial = Trial {
            experiment: self.name().to_owned(),
            started_unix_s: now_unix_s(),
            measured: Measured::Facts { facts: facts.map_err(failed)? },
            repetitions: 1,
            ..Trial::default()
        };
        trial.params.extend(n_threads.map(|n| (N_THREADS.name.to_owned(), n.into())));
        Ok(vec![trial])
    }

    fn row_name(&self, _: &Run, trial: &Trial) -> String {
        match trial.count(N_THREADS.name) {
            0 => "machine".to_owned(),
            n => format!("{n} threads"),
        }
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Facts { .. })
    }

    fn metrics(&self) -> &'static [Metric] {
        &[]
    }

    fn format(&self) -> &'static str {
        "table"
    }

    fn streams(&self) -> bool {
        false
    }

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        let facts = facts(run).cloned().unwrap_or_default();
        let value = |name: &str| facts.get(name).cloned().unwrap_or_default();
        let mut all: Vec<Fact> = FACTS.iter().map(|name| Fact::value(name, value(name))).collect();
        all.push(Fact::value("steal_share", run.env.steal_share));
        all.push(Fact::value("findings", self.notes(run)));
        all.extend(told(&facts, run));
        all.extend(devices::told(&facts));
        Document { facts: all, tables: vec![table(run, self)], ..Document::default() }
    }

    /// What makes figures taken here doubtful.
    fn notes(&self, run: &Run) -> Vec<String> {
        let Some(facts) = facts(run) else { return Vec::new() };
        let mut found = Vec::new();
        let text = |name: &str| facts.get(name).and_then(Value::as_str);
        if let Some(governor) = text("governor").filter(|name| *name != "performance") {
            found.push(format!(
                "the frequency governor is {governor}: speed depends on what ran before (performance is steady)"
            ));
        }
        if text("huge_pages") == Some("never") {
            found.push(
                "huge pages are off: large weights are read more slowly (madvise is enough)".into(),
            );
        }
        if let Some(steal) = run.env.steal_share.filter(|share| *share > 0.01) {
            found.push(format!(
                "{:.1} % of the time went to other virtual machines: figures are too low",
                100.0 * steal
            ));
        }
        if let Some(load) = run.env.load_average_1m.filter(|load| *load > 1.5) {
            found.push(format!(
                "{load:.1} processes were running in the last minute: figures may be too low"
            ));
        }
        let nodes = facts.get("memory_nodes").and_then(Value::as_u64);
        if let Some(nodes) = nodes.filter(|nodes| *nodes > 1) {
            found.push(format!(
                "memory is in {nodes} nodes: threads of one node read the other's more slowly"
            ));
        }
        found
    }
}

/// The facts of a run's first trial of the machine itself.
fn facts(run: &Run) -> Option<&Map<String, Value>> {
    run.trials.iter().find_map(|trial| match &trial.measured {
        Measured::Facts { facts } if !trial.params.contains_key(N_THREADS.name) => Some(facts),
        _ => None,
    })
}

/// The facts as people read them; a dash where the system does not tell.
fn told(facts: &Map<String, Value>, run: &Run) -> Vec<Fact> {
    let text = |name: &str| facts.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| facts.get(name).and_then(Value::as_u64);
    let or_dash =
        |value: Option<String>| value.unwrap_or_else(|| "- (the system does not tell)".into());
    let list = |name: &str| facts.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let cache = |cache: &Value| {
        let kib = cache["bytes"].as_u64().unwrap_or(0) >> 10;
        format!("L{} {} {kib} KiB", cache["level"], cache["kind"].as_str().unwrap_or("-"))
    };
    let caches: Vec<String> = list("caches").iter().map(cache).collect();
    let available = list("isa_available");
    let available: Vec<&str> = available.iter().filter_map(Value::as_str).collect();
    let gib = number("memory_bytes").map(|n| format!("{:.1} GiB", n as f64 / (1u64 << 30) as f64));
    let limit = number("memory_limit_bytes").zip(text("memory_limit_by"));
    let memory = [
        Some(or_dash(gib)),
        limit.map(|(bytes, by)| format!("limited to {} MiB by {by}", bytes >> 20)),
        number("memory_available_bytes").map(|bytes| format!("{} MiB available", bytes >> 20)),
    ];
    let quota = facts.get("cpu_quota").and_then(Value::as_f64).zip(text("cpu_quota_by"));
    let quota = quota.map_or(String::new(), |(share, by)| {
        format!(", limited to {} processors' time by {by}", (share * 100.0).round() / 100.0)
    });
    let steal = run.env.steal_share.map(|share| format!("{:.1} %", 100.0 * share));
    let rows = [
        ("processor", or_dash(text("cpu_model"))),
        ("threads", format!("{}{quota}", number("logical_cpus").unwrap_or(0))),
        ("kernels", format!("{} (available: {})", or_dash(text("isa")), available.join(", "))),
        ("caches", or_dash(Some(caches.join(", ")).filter(|text| !text.is_empty()))),
        ("memory", memory.into_iter().flatten().collect::<Vec<_>>().join(", ")),
        ("memory nodes", or_dash(number("memory_nodes").map(|n| n.to_string()))),
        ("huge pages", or_dash(text("huge_pages"))),
        ("governor", or_dash(text("governor"))),
        ("steal", or_dash(steal)),
        ("system", or_dash(text("kernel"))),
    ];
    let rows = rows.into_iter().map(|(name, value)| Fact::told(name, value));
    rows.chain(list("backends").iter().map(backend)).collect()
}

/// A backend as people read it: what it has, or why it cannot be used and what mends that.
fn backend(of: &Value) -> Fact {
    let text = |name: &str| of[name].as_str().unwrap_or("-");
    let list = |name: &str| -> Vec<&str> {
        of[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let said = match of["cause"].as_str() {
        Some(cause) => format!("not usable: {cause}; mend: {}", text("mend")),
        None => {
            let all = [list("versions"), list("devices")].map(|words| words.join(", "));
            let all: Vec<String> = all.into_iter().filter(|words| !words.is_empty()).collect();
            format!("usable: {}", all.join("; "))
        }
    };
    Fact::told(format!("--backend {}", text("name")), said)
}

/// The limits by number of threads.
fn table(run: &Run, doctor: &Doctor) -> Table {
    let limits = LIMITS.iter().map(|&(name, title, width, _)| {
        Column::new(name, Kind::Float, title, width).ranked(Rank::Main)
    });
    let threads = Column::new("threads", Kind::Int, "threads", 7).ranked(Rank::Key);
    let rows: Vec<Row> = run.trials.iter().filter_map(row).collect();
    let mut legend = Vec::new();
    if doctor.notes(run).is_empty() {
        legend.push("nothing was found that would make figures doubtful");
    }
    if rows.iter().any(|row| row.cells[3].plain().is_empty()) {
        legend.push("bf16: - because these kernels have no product of bfloat16 on this processor");
    }
    Table {
        name: "roofs".to_owned(),
        columns: std::iter::once(threads).chain(limits).collect(),
        rows,
        legend: (!legend.is_empty()).then(|| legend.join("\n\n")),
        ..Table::default()
    }
}

fn row(trial: &Trial) -> Option<Row> {
    let Measured::Facts { facts } = &trial.measured else { return None };
    let n_threads = trial.params.get(N_THREADS.name)?;
    let limit = |&(name, _, _, digits): &(&str, &str, isize, usize)| {
        let value = facts.get(name).cloned().unwrap_or_default();
        let text = value.as_f64().map_or("-".to_owned(), |value| format!("{value:.digits$}"));
        Cell::Told(value, text)
    };
    let threads = Cell::Told(json!(n_threads), n_threads.to_string());
    Some(std::iter::once(threads).chain(LIMITS.iter().map(limit)).collect::<Vec<_>>().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Repetitions, Silent, Warmups};
    use pacemark_record::Env;
    use pacemark_report::{Page, render, render::find};
    use std::sync::atomic::AtomicBool;

    struct Known;

    impl Machine for Known {
        fn facts(&mut self) -> Result<Map<String, Value>, String> {
            let facts = json!({ "cpu_model": "A processor", "logical_cpus": 2, "cpu_quota": 1.5,
                "cpu_quota_by": "control group /a", "memory_bytes": 3_u64 << 30, "isa": "avx2",
                "isa_available": ["sse2", "avx2"], "huge_pages": "never",
                "caches": [{ "level": 2, "kind": "Unified", "bytes": 1 << 20 }] });
            Ok(facts.as_object().unwrap().clone())
        }
        fn limits(&mut self, n_threads: usize) -> Result<Map<String, Value>, String> {
            if n_threads > 2 {
                return Err("cannot start 4 threads".into());
            }
            let limits = json!({ "read_gb_per_s": 10.06, "int8_gops": 500.4, "f32_gflops": 99.6 });
            Ok(limits.as_object().unwrap().clone())
        }
    }

    fn measured(case: Case) -> Result<Vec<Trial>, CutShort> {
        let mut how = How {
            repetitions: Repetitions::exactly(1),
            warmup: Warmups::None,
            seed: 0,
            observer: &mut Silent,
            stop: &AtomicBool::new(false),
        };
        Doctor.measure(&case, &mut Subject::Machine(&mut Known), &mut how)
    }

    #[test]
    fn a_machine_on_a_page_and_in_an_object() {
        let trials = [None, Some(1), Some(2)].map(|n| measured(Case::Machine(n)).unwrap()).concat();
        let run = Run { trials, env: Env::default(), ..Run::default() };
        let shown = |name: &str| {
            let mut document = Doctor.document(&run, &[]);
            document.notes = Doctor.notes(&run);
            render(&document, find(name).unwrap(), &Page::default())
        };
        insta::assert_snapshot!("doctor_table", shown("table"));
        let object: Value = serde_json::from_str(&shown("json")).unwrap();
        assert_eq!((&object["roofs"][1]["threads"], &object["isa"]), (&json!(2), &json!("avx2")));
        assert_eq!(object["roofs"][0]["bf16_gflops"], Value::Null);
        assert!(object["findings"][0].as_str().unwrap().starts_with("huge pages are off"));
        assert!(shown("csv").starts_with("threads,read_gb_per_s,"));
        let cut = measured(Case::Machine(Some(4))).unwrap_err();
        assert_eq!(cut.error.to_string(), "cannot start 4 threads");
    }
}
