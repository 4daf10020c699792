//! Two sides by hand: what is compared with what, and what may be said.

use super::*;
use pacemark_record::{SCHEMA, Sample};

/// A row of `n_gen` tokens without a prompt, at these rates.
fn trial(n_gen: u64, rates: &[f64]) -> Trial {
    let sample =
        |rate: &f64| Sample { elapsed_ns: (n_gen as f64 * 1e9 / rate) as u64, ..Sample::default() };
    let mut trial = Trial {
        experiment: "throughput".into(),
        measured: rates.iter().map(sample).collect::<Vec<_>>().into(),
        peak_rss_bytes: Some(1 << 30),
        ..Trial::default()
    };
    trial.model.path = "m.gguf".into();
    for (name, value) in [("n_prompt", 0), ("n_gen", n_gen), ("n_threads", 2)] {
        trial.params.insert(name.into(), value.into());
    }
    trial
}

fn source(name: &str, trials: Vec<Trial>) -> Source {
    Source { name: name.into(), run: Run { schema: SCHEMA, trials, ..Run::default() } }
}

fn sides(base: Vec<Source>, new: Vec<Source>, pairing: Pairing) -> Sides {
    Sides { base, new, pairing }
}

fn figure(name: &str) -> Vec<Named> {
    vec![Named::parse(name).unwrap()]
}

/// Around `middle`, give or take a percent.
fn around(middle: f64) -> Vec<f64> {
    [1.0, 1.01, 0.99, 1.005, 0.995, 1.0].map(|factor| factor * middle).into()
}

#[test]
fn one_run_each_is_an_indication() {
    let (a, b) =
        (source("a", vec![trial(8, &around(100.0))]), source("b", vec![trial(8, &around(90.0))]));
    let found = contrast(&sides(vec![a.clone()], vec![b], Pairing::None), &[]).unwrap();
    let rate = &found.ratios[0];
    assert_eq!(
        (rate.test.as_str(), rate.figure.name(), rate.verdict()),
        ("tg8", "decode_tps", "worse, unpaired")
    );
    assert!((rate.versus.ratio - 0.9).abs() < 1e-3 && rate.versus.pairs == 0);
    assert!(found.notes.iter().any(|note| note.contains("not measured in turn")));
    let memory = found.ratios.iter().find(|r| r.figure.name() == "peak_memory_gb").unwrap();
    assert_eq!((memory.versus.ratio, memory.verdict()), (1.0, "no interval"));
    let same = contrast(&sides(vec![a.clone()], vec![a], Pairing::None), &[]).unwrap();
    assert_eq!(same.ratios[0].verdict(), "not distinguishable");
}

#[test]
fn runs_are_the_unit_and_not_samples() {
    // Each run has its own speed, by ten percent and more; within it repetitions agree. The new side
    // is 3 % slower in every pair.
    let speeds = [100.0, 120.0, 90.0, 110.0, 80.0, 105.0];
    let runs = |factor: f64| -> Vec<Source> {
        let run = |speed: &f64| source("r", vec![trial(8, &around(speed * factor))]);
        speeds.iter().map(run).collect()
    };
    let found =
        contrast(&sides(runs(1.0), runs(0.97), Pairing::Runs), &figure("decode_tps")).unwrap();
    let rate = &found.ratios[0];
    assert_eq!((rate.verdict(), rate.versus.pairs), ("worse", 6));
    assert!((rate.versus.ratio - 0.97).abs() < 1e-3);
    // Paired with runs of other speeds nothing is to be seen, however many repetitions there are.
    let mut turned = runs(0.97);
    turned.rotate_left(1);
    let found = contrast(&sides(runs(1.0), turned, Pairing::Runs), &figure("decode_tps")).unwrap();
    assert_eq!(found.ratios[0].verdict(), "not distinguishable");
    let few = sides(runs(1.0)[..3].to_vec(), runs(0.97)[..3].to_vec(), Pairing::Runs);
    let found = contrast(&few, &figure("decode_tps")).unwrap();
    assert_eq!(found.ratios[0].verdict(), "too few pairs");
    let unequal = sides(runs(1.0), runs(1.0)[..3].to_vec(), Pairing::Runs);
    assert!(
        contrast(&unequal, &[]).unwrap_err().to_string().contains("6 runs cannot be paired with 3")
    );
}

#[test]
fn backends_of_one_run_are_pairs_of_repetitions() {
    let turn = |turn, rates: &[f64]| Trial { turn, ..trial(8, rates) };
    let drifting = [100.0, 80.0, 120.0, 90.0, 110.0, 95.0];
    let slower = drifting.map(|rate| rate * 0.97);
    let run = source("r", vec![turn(0, &drifting), turn(1, &slower), trial(16, &drifting)]);
    let found = turns(std::slice::from_ref(&run), 1).unwrap();
    assert_eq!(found.pairing, Pairing::Repetitions);
    let found = contrast(&found, &figure("decode_tps")).unwrap();
    assert_eq!((found.ratios.len(), found.ratios[0].verdict()), (1, "worse"));
    assert!(turns(&[source("r", vec![trial(8, &drifting)])], 1).is_none());
    assert_eq!(turns(&[run.clone(), run], 1).unwrap().pairing, Pairing::Runs);
}

#[test]
fn tests_are_matched_by_name_and_by_what_tells_them_apart() {
    let threads = |n: u64, rate: f64| {
        let mut trial = trial(8, &around(rate));
        trial.params.insert("n_threads".into(), n.into());
        trial
    };
    let a = source("a", vec![threads(1, 50.0), threads(2, 100.0), trial(16, &[1.0])]);
    let b = source("b", vec![threads(2, 100.0), threads(1, 40.0), trial(32, &[1.0])]);
    let found = contrast(&sides(vec![a], vec![b], Pairing::None), &figure("decode_tps")).unwrap();
    let told: Vec<_> = found.ratios.iter().map(|r| (r.test.as_str(), r.verdict())).collect();
    assert_eq!(
        told,
        [("tg8, n_threads 1", "worse, unpaired"), ("tg8, n_threads 2", "not distinguishable")]
    );
    assert!(found.notes.iter().any(|note| note.contains("left out: tg16, n_threads 2, tg32")));
    // Of one row each threads are no part of the name: that they differ is told.
    let (a, b) = (source("a", vec![threads(1, 50.0)]), source("b", vec![threads(2, 100.0)]));
    let found = contrast(&sides(vec![a], vec![b], Pairing::None), &[]).unwrap();
    let difference = Difference { name: "n_threads".into(), base: "1".into(), new: "2".into() };
    assert!(found.differences.contains(&difference), "{:?}", found.differences);
}

#[test]
fn nothing_in_common_is_an_error() {
    let of = |name: &str, experiment: &str, n_gen| {
        let trials = vec![
            Trial { experiment: experiment.into(), ..trial(n_gen, &around(9.0)) },
            Trial { experiment: experiment.into(), ..trial(n_gen + 1, &around(9.0)) },
        ];
        source(name, trials)
    };
    let none =
        sides(vec![of("a", "throughput", 8)], vec![of("b", "throughput", 18)], Pairing::None);
    assert_eq!(
        contrast(&none, &[]).unwrap_err().to_string(),
        "nothing in common: tg8, tg9 on one side, tg18, tg19 on the other"
    );
    let other = sides(vec![of("a", "throughput", 8)], vec![of("b", "batched", 8)], Pairing::None);
    assert!(contrast(&other, &[]).is_err());
    let same = sides(vec![of("a", "throughput", 8)], vec![of("b", "throughput", 8)], Pairing::None);
    let error = contrast(&same, &figure("goodput")).unwrap_err().to_string();
    assert_eq!(error, "no figure that both sides have, of goodput");
    let empty = sides(vec![source("a", Vec::new())], vec![of("b", "batched", 8)], Pairing::None);
    assert!(contrast(&empty, &[]).unwrap_err().to_string().contains("no test on one side"));
}

#[test]
fn what_else_is_different_is_told() {
    let mut a = source("a", vec![trial(8, &around(9.0))]);
    let mut b = a.clone();
    (a.run.env.governor, b.run.env.governor) =
        (Some("performance".into()), Some("powersave".into()));
    (a.run.env.started_unix_s, b.run.env.started_unix_s) = (1_000_000, 1_010_800);
    b.run.env.load_average_1m = Some(3.5);
    b.run.env.logical_cpus = 2;
    b.run.trials[0].model.bytes = 5;
    let found = contrast(&sides(vec![a], vec![b], Pairing::None), &[]).unwrap();
    let told: Vec<_> = found.differences.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(told, ["logical processors", "governor", "model bytes"]);
    assert!(found.notes.iter().any(|note| note.contains("3 h apart")), "{:?}", found.notes);
    assert!(found.notes.iter().any(|note| note.contains("up to 3.50 when 1 of 2 runs began")));
}

#[test]
fn conditions_go_by_the_interval() {
    let runs = |factors: &[f64]| -> Vec<Source> {
        factors.iter().map(|f| source("r", vec![trial(8, &[100.0 * f])])).collect()
    };
    let base = runs(&[1.0; 6]);
    let held = |new: &[f64], text: &str| {
        let new = runs(new);
        let found = contrast(&sides(base[..new.len()].to_vec(), new, Pairing::Runs), &[]).unwrap();
        text.parse::<Condition>().unwrap().held(&found)[0].1
    };
    let clear = [0.90, 0.91, 0.89, 0.90, 0.91, 0.89];
    assert_eq!(held(&clear, "decode_tps < 0.97"), Held::Yes);
    assert_eq!(held(&clear, "decode_tps<97%"), Held::Yes);
    assert_eq!(held(&clear, "decode_tps < 0.85"), Held::No);
    assert_eq!(held(&clear, "decode_tps > 1"), Held::No);
    assert_eq!(held(&[0.95, 0.99, 0.94, 0.98, 0.97, 0.96], "decode_tps < 0.97"), Held::Unclear);
    // Fewer pairs than an interval takes: by the ratio alone.
    assert_eq!(held(&[0.9, 0.9], "tokens_per_second < 0.97"), Held::Yes);
    assert_eq!(held(&[0.98, 0.98], "decode_tps < 0.97"), Held::No);
    for wrong in [
        "",
        "decode_tps",
        "decode_tps < x",
        "decode_tps < -1",
        "decode_tps < 0",
        "nope < 1",
        "< 1",
        "decode_tps = 1",
    ] {
        assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
    }
}

#[test]
fn the_page_and_the_picture() {
    let (a, b) = (
        source("a.json", vec![trial(8, &around(100.0))]),
        source("b.json", vec![trial(8, &around(90.0))]),
    );
    let found = contrast(&sides(vec![a], vec![b], Pairing::None), &figure("decode_tps")).unwrap();
    let shown = |name: &str| {
        let renderer = pacemark_report::render::find(name).unwrap();
        pacemark_report::render(
            &document(&found, true),
            renderer,
            &pacemark_report::Page::default(),
        )
    };
    let table = shown("table");
    assert!(table.contains("unpaired: one run each") && table.contains("●"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&shown("json")).unwrap();
    assert_eq!(
        (&json["pairing"], &json["ratios"][0]["verdict"]),
        (&"none".into(), &"worse, unpaired".into())
    );
    assert!(
        shown("csv")
            .starts_with("test,metric,base,new,ratio,ci95_low,ci95_high,pairs,verdict,method\n")
    );
    let svg = pacemark_report::picture::svg(&picture(&found));
    assert!(svg.contains("b.json compared with a.json") && svg.contains("decode_tps"));
}
