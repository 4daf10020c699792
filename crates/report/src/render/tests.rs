//! Every renderer on one fixed record. The figures were computed by hand from the samples below.

use super::*;
use crate::layout::{BATCHED_BENCH, LLAMA_BENCH, Layout, TrialRow, comparisons};
use pacemark_record::Statistic::{Only, Quantile};
use pacemark_record::{
    Better, Comparison, Env, Metric, Model, Sample, Series, Trial, Unit, compare,
};
use serde_json::{Value, json};

const METRICS: &[Metric] = &[
    Metric::new(&TTFT, Only).shown(),
    Metric::new(&TPOT, Quantile(0.5)).shown(),
    Metric::new(&PEAK_RSS, Only).shown(),
    Metric::new(&DRIFT, Only),
];

const TTFT: Series = series("ttft_ms", "ttft ms", Unit::Milliseconds, |t| {
    vec![t.samples()[0].ttft_ns.unwrap() as f64 / 1e6]
});
const TPOT: Series = series("tpot_ms", "tpot", Unit::Milliseconds, |_| Vec::new());
const PEAK_RSS: Series = series("peak_rss_bytes", "peak RSS", Unit::Bytes, |t| {
    t.peak_rss_bytes.map(|bytes| bytes as f64).into_iter().collect()
});
const DRIFT: Series = series("drift", "drift", Unit::Ratio, |_| vec![-0.015]);

const fn series(
    name: &'static str,
    title: &'static str,
    unit: Unit,
    of: fn(&Trial) -> Vec<f64>,
) -> Series {
    Series { name, title, unit, better: Better::Neither, help: "", of }
}

fn env() -> Env {
    Env {
        cpu_model: Some("Example \"CPU\"".into()),
        logical_cpus: 8,
        kernel: Some("Linux 6.12.0".into()),
        version: "0.1.0".into(),
        commit: "def4d406a".into(),
        build_number: 11325,
        ..Env::default()
    }
}

fn trial(n_prompt: u64, n_gen: u64, n_depth: u64, elapsed_ns: &[u64]) -> Trial {
    let params = json!({
        "n_batch": 2048, "n_ubatch": 512, "n_threads": 8, "cpu_mask": "0x0", "cpu_strict": false, "poll": 50,
        "type_k": "f16", "type_v": "f16", "n_gpu_layers": -1, "n_cpu_moe": 0, "split_mode": "layer", "main_gpu": 0,
        "no_kv_offload": false, "flash_attn": -1, "devices": "auto", "tensor_split": "0.00",
        "tensor_buft_overrides": "none", "load_mode": "auto", "lazy_mode": "auto", "embeddings": false,
        "no_op_offload": 0, "no_host": false, "repack": true, "fit_target": 0, "fit_min_ctx": 4096,
        "n_prompt": n_prompt, "n_gen": n_gen, "n_depth": n_depth,
    });
    let Value::Object(params) = params else { unreachable!() };
    let samples = elapsed_ns.iter().map(|&elapsed_ns| Sample {
        elapsed_ns,
        ttft_ns: Some(elapsed_ns / 2),
        ..Sample::default()
    });
    Trial {
        started_unix_s: 1_790_290_599,
        model: Model {
            path: "it's.gguf".into(),
            model_type: "qwen2 1B Q4_K - Medium".into(),
            bytes: 485_452_288,
            n_params: 630_167_424,
            backend: "native".into(),
            engine: "pacemark 0.1.0 native".into(),
            device: "CPU".into(),
            isa: "avx512".into(),
            ..Model::default()
        },
        params,
        measured: samples.collect::<Vec<_>>().into(),
        peak_rss_bytes: Some(3 << 29),
        ..Trial::default()
    }
}

/// Trials as a document.
fn document(layout: &Layout<'_>, rows: &[(&Trial, &[Comparison])], notes: &[&str]) -> Document {
    let env = env();
    let row = |&(trial, comparisons): &(&Trial, _)| {
        layout.row(&TrialRow { env: &env, trial, comparisons })
    };
    let compared: Vec<Comparison> =
        rows.iter().flat_map(|(_, compared)| compared.to_vec()).collect();
    let table = Table { rows: rows.iter().map(row).collect(), ..layout.head() };
    Document {
        tables: vec![table, comparisons(layout.varied, &compared)],
        notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        build: Some((env.commit.clone(), env.build_number)),
        ..Document::default()
    }
}

fn shown(document: &Document, name: &str, width: Option<usize>) -> String {
    super::render(document, find(name).unwrap(), &Page { width, ..Page::default() })
}

fn three_rows(varied: &[&str]) -> Document {
    let layout = Layout { varied, metrics: METRICS, form: &LLAMA_BENCH };
    let trials = [
        trial(64, 0, 0, &[99_503_886, 98_452_854]),
        trial(0, 16, 0, &[109_117_216]),
        trial(512, 128, 4096, &[4_000_000_000, 5_000_000_000]),
    ];
    document(&layout, &trials.each_ref().map(|trial| (trial, &[][..])), &[])
}

/// All that a renderer writes for three rows.
fn render(name: &str, varied: &[&str]) -> String {
    shown(&three_rows(varied), name, None)
}

#[test]
fn on_a_terminal_a_table_fits() {
    let document = three_rows(&[]);
    for width in [80, 100, 140, 200] {
        let text = shown(&document, "md", Some(width));
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} of {width}:\n{text}");
        insta::assert_snapshot!(format!("markdown_on_{width}_columns"), text);
    }
    assert_eq!(shown(&document, "md", Some(1000)), render("md", &[]), "there is room for all");
}

#[test]
fn markdown_is_llama_benchs_table_then_ours() {
    insta::assert_snapshot!(render("md", &[]));
    insta::assert_snapshot!(
        "markdown_varied",
        render("md", &["flash_attn", "n_ubatch", "n_depth", "load_mode"])
    );
}

#[test]
fn markdown_up_to_the_rate_is_llama_benchs_own_text() {
    // Header and first row as llama-bench prints them for the same samples.
    let lines = "\
| model                          |       size |     params | backend    | threads |            test |                  t/s |
| ------------------------------ | ---------: | ---------: | ---------- | ------: | --------------: | -------------------: |
| qwen2 1B Q4_K - Medium         | 462.96 MiB |   630.17 M | CPU        |       8 |            pp64 |        646.62 ± 4.86 |
";
    for (ours, theirs) in render("md", &[]).lines().zip(lines.lines()) {
        assert!(ours.starts_with(theirs), "{ours}\n{theirs}");
    }
    assert!(render("md", &[]).ends_with("\n\nbuild: def4d406a (11325)\n"));
}

#[test]
fn formats_for_programs() {
    for name in ["csv", "sql", "json", "jsonl"] {
        insta::assert_snapshot!(name, render(name, &[]));
    }
}

#[test]
fn json_reads_back_and_keeps_llama_benchs_order() {
    let rows: Value = serde_json::from_str(&render("json", &[])).unwrap();
    let lines: Vec<Value> =
        render("jsonl", &[]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.as_array().unwrap(), &lines);
    let names: Vec<_> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected: Vec<_> = LLAMA_BENCH
        .fields
        .iter()
        .map(|f| f.name)
        .chain(["samples_ns", "samples_ts", "isa"])
        .collect();
    assert_eq!(names[..expected.len()], expected);
    assert_eq!(lines[0]["avg_ns"], 98_978_370);
    assert_eq!(lines[1]["tpot_ms_p50"], Value::Null);
}

/// Two backends, the second 2.5 times as slow, and a note.
#[test]
fn comparisons_stand_below_the_table_and_within_the_rows_for_programs() {
    let rate = Series {
        better: Better::Higher,
        ..series("avg_ts", "t/s", Unit::TokensPerSecond, Trial::rates_ts)
    };
    let first = trial(64, 0, 0, &[100, 101, 99, 100, 102]);
    let mut second = trial(64, 0, 0, &[250, 253, 247, 251, 255]);
    second.model.backend = "llama-cpp".into();
    second.model.device = "llama.cpp CPU".into();
    let compared = [compare(&first, &second, &rate).unwrap()];
    let varied = &["backend", "n_threads"];
    let layout = Layout { varied, metrics: METRICS, form: &LLAMA_BENCH };
    let rows = [(&first, &[][..]), (&second, &compared[..])];
    let document = document(&layout, &rows, &["pp64: it was noisy"]);
    let render = |name: &str| shown(&document, name, None);
    insta::assert_snapshot!("markdown_compared", render("md"));
    let rows: Value = serde_json::from_str(&render("json")).unwrap();
    assert_eq!(rows[0]["comparisons"], json!([]));
    let found = &rows[1]["comparisons"][0];
    assert_eq!(
        (&found["metric"], &found["verdict"], &found["pairs"]),
        (&json!("avg_ts"), &json!("faster"), &json!(5))
    );
    assert!(
        found["ci95_low"].as_f64() < Some(2.5) && found["ci95_high"].as_f64() > Some(2.5),
        "{found}"
    );
    assert!(render("csv").contains(r#"[{""metric"":""avg_ts"""#), "{}", render("csv"));
}

#[test]
fn renderers_have_unique_names() {
    let mut names: Vec<_> = RENDERERS.iter().map(|renderer| renderer.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["csv", "json", "jsonl", "md", "sql", "table"]);
}

/// One batch of eight. By hand: 256 prompt tokens in 0.4 s, then 400 generated in 2 s.
#[test]
fn a_batch_is_llama_batched_benchs_table_then_ours() {
    let mut batch = trial(32, 50, 0, &[2_400_000_000, 2_400_000_000]);
    batch.params.insert("n_parallel".into(), 8.into());
    batch.params.insert("n_kv_max".into(), 664.into());
    for sample in batch.samples_mut().unwrap() {
        sample.ttft_ns = Some(400_000_000);
    }
    let layout = Layout { varied: &[], metrics: METRICS, form: &BATCHED_BENCH };
    let document = document(&layout, &[(&batch, &[])], &[]);
    let render = |name: &str| shown(&document, name, None);
    // Header, rule and row in its own format strings.
    let theirs = "\
|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |
|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|
|    32 |     50 |    8 |    656 |    0.400 |   640.00 |    2.000 |   200.00 |    2.400 |   273.33 |
";
    for (ours, theirs) in render("md").lines().zip(theirs.lines()) {
        assert!(ours.starts_with(theirs), "{ours}\n{theirs}");
    }
    let rows: Value = serde_json::from_str(&render("json")).unwrap();
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().take(18).map(String::as_str).collect();
    assert_eq!(
        keys.join(","),
        "n_kv_max,n_batch,n_ubatch,flash_attn,is_pp_shared,n_gpu_layers,n_threads,n_threads_batch,pp,tg,pl,n_kv,t_pp,\
         speed_pp,t_tg,speed_tg,t,speed"
    );
    assert_eq!(
        (&rows[0]["pl"], &rows[0]["n_kv"], &rows[0]["speed_tg"]),
        (&json!(8), &json!(656), &json!(200.0))
    );
    assert_eq!(rows[0]["samples_pp_ns"], json!([400_000_000, 400_000_000]));
    assert!(
        render("sql")
            .starts_with("CREATE TABLE IF NOT EXISTS llama_batched_bench (\n  n_kv_max INTEGER,")
    );
    assert!(render("csv").starts_with("n_kv_max,n_batch,"));
}
