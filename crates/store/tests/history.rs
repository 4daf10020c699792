//! A history in a file: what goes in comes out, whoever else is at it, and whatever the file is.

mod inputs;

use pacemark_record::{Env, Model, Run, SCHEMA, Sample, Trial};
use pacemark_store::{Filter, KeptRun, Label, Store, StoreError, Sweep, Trouble, lines};
use std::path::PathBuf;

/// A new folder, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("pacemark-store-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn history(&self) -> PathBuf {
        self.0.join("home/history.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn label(_: &Run, trial: &Trial) -> Label {
    Label { test: trial.test_name(), figure: Some(("avg_ts".to_owned(), 12.5)) }
}

/// A run that began then, with a model of that name.
fn run(started_unix_s: u64, model: &str) -> KeptRun {
    let model = Model {
        path: format!("/models/{model}.gguf"),
        model_type: format!("llama {model}"),
        backend: "native".to_owned(),
        ..Model::default()
    };
    let samples = vec![Sample { elapsed_ns: 7, ..Sample::default() }];
    let mut trial = Trial {
        experiment: "throughput".to_owned(),
        model,
        measured: samples.into(),
        ..Trial::default()
    };
    trial.params.insert("n_gen".to_owned(), 128.into());
    let env = Env { started_unix_s, commit: "abc".to_owned(), ..Env::default() };
    KeptRun::of(&Run { schema: SCHEMA, env, trials: vec![trial], ..Run::default() }).unwrap()
}

fn ids(store: &Store, filter: &Filter) -> Vec<String> {
    store.list(filter).unwrap().into_iter().map(|entry| entry.id).collect()
}

#[test]
fn what_goes_in_comes_out_once() {
    let folder = Folder::new("in-out");
    assert!(Store::open_existing(&folder.history()).unwrap().is_none(), "nothing is made to look");
    let mut store = Store::open(&folder.history()).unwrap();
    let first = run(1, "small").said(vec!["a".into()], None);
    assert!(store.save(std::slice::from_ref(&first), &label).unwrap()[0].is_new);
    // The same again, with another tag and a note: they are added.
    let again = run(1, "small").said(vec!["b".into()], Some("said".into()));
    assert!(!store.save(&[again], &label).unwrap()[0].is_new);
    drop(store);
    let mut store = Store::open_existing(&folder.history()).unwrap().unwrap();
    let entries = store.list(&Filter::default()).unwrap();
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!((entry.id.as_str(), entry.started_unix_s), (first.id(), 1));
    assert_eq!((entry.tags.join(" "), entry.note.as_deref()), ("a b".to_owned(), Some("said")));
    let trial = &entry.trials[0];
    assert_eq!((trial.test.as_str(), trial.file.as_str()), ("tg128", "small.gguf"));
    assert_eq!(trial.figure, Some(("avg_ts".to_owned(), 12.5)));
    let loaded = store.load(&entry.id).unwrap();
    assert_eq!((loaded.record(), loaded.run()), (first.record(), first.run()));
    store.tag(&entry.id, &[], &["a".into()]).unwrap();
    store.note(&entry.id, None).unwrap();
    let loaded = store.load(&entry.id).unwrap();
    assert_eq!((loaded.tags, loaded.note), (vec!["b".to_owned()], None));
    store.remove(&entry.id).unwrap();
    assert!(ids(&store, &Filter::default()).is_empty());
    assert!(matches!(store.load(&entry.id), Err(StoreError::Unknown { .. })));
}

#[test]
fn filters_and_names() {
    let folder = Folder::new("filters");
    let mut store = Store::open(&folder.history()).unwrap();
    let runs: Vec<KeptRun> =
        (0..10).map(|i| run(100 + i, if i % 2 == 0 { "small" } else { "Large" })).collect();
    store.save(&runs, &label).unwrap();
    store.tag(runs[3].id(), &["kept".into()], &[]).unwrap();
    let all = ids(&store, &Filter::default());
    assert_eq!(all.len(), 10);
    assert_eq!(all[0], runs[9].id(), "the newest first");
    let some = |filter| ids(&store, &filter);
    assert_eq!(some(Filter { newest: Some(3), ..Filter::default() }), all[..3]);
    assert_eq!(some(Filter { since_unix_s: Some(108), ..Filter::default() }), all[..2]);
    assert_eq!(some(Filter { model: Some("LARGE".into()), ..Filter::default() }).len(), 5);
    assert_eq!(some(Filter { model: Some("%".into()), ..Filter::default() }).len(), 0);
    assert_eq!(some(Filter { tag: Some("kept".into()), ..Filter::default() }), [runs[3].id()]);
    assert!(some(Filter { experiment: Some("ppl".into()), ..Filter::default() }).is_empty());
    assert_eq!(store.find("latest").unwrap(), runs[9].id());
    assert_eq!(store.find("latest~9").unwrap(), runs[0].id());
    assert!(matches!(store.find("latest~10"), Err(StoreError::TooFew { kept: 10, .. })));
    assert_eq!(store.find(&runs[4].id()[..20].to_uppercase()).unwrap(), runs[4].id());
    // Ten ids and sixteen digits: two begin alike only by chance, so look for one that is ambiguous.
    let digits = "0123456789abcdef".chars().map(|digit| digit.to_string());
    for digit in digits {
        let matching = all.iter().filter(|id| id.starts_with(&digit)).count();
        match (store.find(&digit), matching) {
            (Ok(_), 1) | (Err(StoreError::Unknown { .. }), 0) => {}
            (Err(StoreError::Ambiguous { found, .. }), n) => assert_eq!(found.len(), n.min(5)),
            (other, n) => panic!("{digit}: {other:?}, {n}"),
        }
    }
    for wrong in ["", "latest~", "latest~x", "nonsense", "g", "' OR 1 --", &"a".repeat(65)] {
        assert!(matches!(store.find(wrong), Err(StoreError::Unknown { .. })), "{wrong}");
    }
}

#[test]
fn pages_of_a_list_and_what_there_is_to_choose_from() {
    let folder = Folder::new("pages");
    let mut store = Store::open(&folder.history()).unwrap();
    let runs: Vec<KeptRun> =
        (0..10).map(|i| run(100 + i, if i < 3 { "small" } else { "large" })).collect();
    store.save(&runs, &label).unwrap();
    store.tag(runs[4].id(), &["kept".into()], &[]).unwrap();
    let all = ids(&store, &Filter::default());
    let page = |skip| {
        let filter = Filter { newest: Some(4), ..Filter::default() };
        let page = store.list_after(&filter, skip).unwrap().into_iter();
        page.map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!((page(0), page(4)), (all[..4].to_vec(), all[4..8].to_vec()));
    assert_eq!((page(8), page(10), page(usize::MAX)), (all[8..].to_vec(), vec![], vec![]));
    let count = |filter: &Filter| store.count(filter).unwrap();
    assert_eq!(count(&Filter::default()), 10);
    assert_eq!(count(&Filter { model: Some("SMALL".into()), ..Filter::default() }), 3);
    assert_eq!(count(&Filter { tag: Some("kept".into()), ..Filter::default() }), 1);
    let choices = store.choices(9).unwrap();
    assert_eq!(choices.models, ["llama large", "llama small"]);
    assert_eq!((choices.tags, choices.experiments.len()), (vec!["kept".to_owned()], 1));
    assert_eq!(store.choices(1).unwrap().models, ["llama large"]);
    let written = store.written(runs[4].id()).unwrap();
    assert_eq!((written.record.as_str(), written.tags), (runs[4].record(), vec!["kept".into()]));
    assert!(matches!(store.written("abc"), Err(StoreError::Unknown { .. })));
}

#[test]
fn what_has_a_tag_stays() {
    let folder = Folder::new("gc");
    let mut store = Store::open(&folder.history()).unwrap();
    let runs: Vec<KeptRun> = (0..10).map(|i| run(100 + i, "m")).collect();
    store.save(&runs, &label).unwrap();
    store.tag(runs[0].id(), &["release".into()], &[]).unwrap();
    assert!(store.would_remove(Sweep::default()).unwrap().is_empty(), "nothing was asked for");
    let both = Sweep { keep: Some(4), before_unix_s: Some(104) };
    let would = store.would_remove(both).unwrap();
    assert_eq!(would.iter().map(|e| e.started_unix_s).collect::<Vec<_>>(), [103, 102, 101]);
    // It gets a tag after the look.
    store.tag(runs[2].id(), &["late".into()], &[]).unwrap();
    assert_eq!(store.sweep(&would).unwrap(), 2);
    assert_eq!(ids(&store, &Filter::default()).len(), 8);
    let rest = store.would_remove(Sweep { keep: Some(0), before_unix_s: None }).unwrap();
    assert_eq!(rest.len(), 6);
}

#[test]
fn exports_are_imported_with_all_that_was_said() {
    let folder = Folder::new("export");
    let mut store = Store::open(&folder.history()).unwrap();
    let said = run(1, "m").said(vec!["a".into()], Some("with \"quotes\"\n".into()));
    store.save(&[said.clone(), run(2, "m")], &label).unwrap();
    let all = ids(&store, &Filter::default());
    let text: String = all.iter().map(|id| lines::line(&store.load(id).unwrap())).collect();
    assert_eq!(text.lines().count(), 2);
    let read: Vec<KeptRun> = lines::runs(&text).collect::<Result<_, _>>().unwrap();
    assert_eq!(read, [run(2, "m"), said.clone()]);
    // A record by itself, on any number of lines, is the same run.
    let value: serde_json::Value = serde_json::from_str(said.record()).unwrap();
    let indented = format!("{value:#}\n{value:#}");
    let read: Vec<KeptRun> = lines::runs(&indented).collect::<Result<_, _>>().unwrap();
    assert_eq!((read.len(), read[1].id()), (2, said.id()));
    assert!(!store.save(&read, &label).unwrap()[0].is_new);
}

#[test]
fn what_is_no_run_is_refused_by_line() {
    let good = lines::line(&run(1, "m"));
    let newer = good.replace("\"schema\":2", "\"schema\":99");
    let later = good.replace("\"pacemark_history\":1", "\"pacemark_history\":2");
    let tags = good.replace("\"tags\":[]", "\"tags\":[\"a b\"]");
    let empty = r#"{"schema":2,"command":[],"env":{},"trials":[]}"#;
    let text = format!("{good}{newer}{later}{tags}[1]\n{empty}\n{good}{{\"truncated\": ");
    let read: Vec<_> = lines::runs(&text).collect();
    assert_eq!(read.iter().filter(|run| run.is_ok()).count(), 2, "{read:?}");
    let errors: Vec<String> =
        read.iter().filter_map(|run| run.as_ref().err()).map(ToString::to_string).collect();
    let expected = [
        "line 2: the record has schema 99",
        "line 3: pacemark_history is 2, this version reads up to 1",
        "line 4: \"a b\": expected a tag",
        "line 5: not a record of Pacemark",
        "line 6: not a record of Pacemark",
        "line 8: expected JSON: EOF",
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error}");
    }
}

/// Four threads, each with a connection of its own, to a file that none has made yet.
#[test]
fn writers_at_once_lose_nothing() {
    let folder = Folder::new("writers");
    let path = folder.history();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for i in 0..25 {
                    let mut store = Store::open(path).unwrap();
                    store.save(&[run(1000 * writer + i, "m")], &label).unwrap();
                }
            });
        }
    });
    let store = Store::open(&path).unwrap();
    assert_eq!(ids(&store, &Filter::default()).len(), 100);
}

#[test]
fn what_is_no_history_is_not_touched() {
    let folder = Folder::new("foreign");
    let path = folder.0.join("text.db");
    std::fs::write(&path, "this is no database, and longer than a header of one is\n".repeat(40))
        .unwrap();
    let error = Store::open(&path).unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::Damaged), "{error}");
    assert!(error.to_string().contains("text.db"), "{error}");
    assert!(std::fs::read(&path).unwrap().starts_with(b"this is no"));
    let other = folder.0.join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE bookmarks (x)").unwrap();
    assert!(matches!(Store::open(&other), Err(StoreError::Foreign { .. })));
    let mode: String =
        connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete", "not even its journal");
    let newer = folder.history();
    drop(Store::open(&newer).unwrap());
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&newer).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }));
    assert!(error.to_string().contains("newer Pacemark"), "{error}");
    assert!(matches!(Store::open(&folder.0), Err(StoreError::Database { .. })), "a folder");
    let below = path.join("history.db");
    assert!(matches!(Store::open(&below), Err(StoreError::Folder { .. })), "below a file");
}

/// The list is read in the order of the index, without a look at the records.
#[test]
fn a_list_uses_the_index() {
    let folder = Folder::new("plan");
    drop(Store::open(&folder.history()).unwrap());
    let connection = rusqlite::Connection::open(folder.history()).unwrap();
    let sql = format!("EXPLAIN QUERY PLAN {}", pacemark_store::LIST);
    let mut statement = connection.prepare(&sql).unwrap();
    let wanted = rusqlite::params![0, "e", "t", "m", 20];
    let plan = statement.query_map(wanted, |row| row.get(3)).unwrap();
    let plan: Vec<String> = plan.collect::<Result<_, _>>().unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("USING INDEX runs_by_start"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE") && !plan.contains("records"), "{plan}");
    assert!(!plan.contains("SCAN tags") && !plan.contains("SCAN trials"), "{plan}");
}

#[test]
fn mutated_seeds_are_survived() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/history");
    let mut n = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        inputs::import(&seed);
        for at in 0..seed.len() {
            for byte in [b'"', b'{', b'}', b'0', b'\n', 0xff] {
                let mut mutated = seed.clone();
                mutated[at] = byte;
                inputs::import(&mutated);
            }
            inputs::import(&seed[..at]);
            n += 1;
        }
    }
    assert!(n > 500, "the seeds are there");
}
