//! From the command line to the list of tests.

use super::backends::Load;
use super::*;
use clap::Parser;
use pacemark_backends::native::{Cpus, Place};
use std::ffi::OsString;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn plan(line: &str) -> Result<Plan> {
    let words =
        ["pacemark", "bench"].into_iter().chain(line.split_whitespace()).map(OsString::from);
    let words = long_options(words).into_iter().skip(1);
    Line::try_parse_from(words)?.args.plan()
}

fn names(line: &str) -> Vec<String> {
    plan(line).unwrap().tests.iter().map(|test| pacemark_record::test_name(&test.params)).collect()
}

#[test]
fn defaults_are_llama_benchs() {
    let plan = plan("").unwrap();
    assert_eq!(plan.varied, [] as [&str; 0]);
    assert_eq!(names(""), ["pp512", "tg128"]);
    let test = &plan.tests[0];
    for (name, expected) in [
        ("n_batch", 2048),
        ("n_ubatch", 512),
        ("poll", 50),
        ("n_gpu_layers", -1),
        ("flash_attn", -1),
    ] {
        assert_eq!(test.params[name], expected, "{name}");
    }
    assert_eq!(test.params["model"], hub::DEFAULT_MODEL);
}

#[test]
fn lists_ranges_and_order() {
    assert_eq!(names("-p 8,16 -n 4-6+2 -pg 8,4"), ["pp8", "pp16", "tg4", "tg6", "pp8+tg4"]);
    assert_eq!(names("-p 0 -n 4 -n 5 -d 0,64"), ["tg4", "tg5", "tg4 @ d64", "tg5 @ d64"]);
    let plan =
        plan("-p 8 -n 0 -m a.gguf,b.gguf -t 1,2 -ub 64 -fa on,auto --no-kv-offload 1").unwrap();
    let order = |name: &str| {
        plan.tests.iter().map(|test| test.params[name].to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(order("n_threads"), "1 2 1 2 1 2 1 2");
    assert_eq!(order("flash_attn"), "1 1 -1 -1 1 1 -1 -1");
    assert!(order("model").starts_with(r#""a.gguf" "a.gguf" "a.gguf" "a.gguf" "b.gguf""#));
    assert_eq!(plan.varied, ["model", "n_ubatch", "n_threads", "no_kv_offload", "flash_attn"]);
    assert!(plan.tests.iter().all(|test| !test.params.contains_key("n_threads_batch")));
}

#[test]
fn threads_of_batches_are_an_axis_of_their_own() {
    let plan = plan("-p 8 -n 0 -t 1,2 -tb 2,3").unwrap();
    let load = |test| Load::of(test).options;
    let threads: Vec<_> =
        plan.tests.iter().map(load).map(|o| (o.n_threads, o.n_threads_batch)).collect();
    assert_eq!(threads, [(1, Some(2)), (1, Some(3)), (2, Some(2)), (2, Some(3))]);
    assert_eq!(plan.varied.last(), Some(&"n_threads_batch"));
}

#[test]
fn flags_of_other_hardware() {
    assert!(plan("-ngl 0 -sm none -mg 0 -nkvo 1 -fa auto -mmp 1 -dio 0 -ctk f16 -ctv q4_0 -lm mmap --prio 0").is_ok());
    assert!(
        plan("-ngl -1 -ncmoe 12 -dev none -ts 0 -embd 0 -C 0x0 --cpu_strict 0 --poll 50 -fitt off")
            .is_ok()
    );
    for (line, says) in [
        ("-ngl 99", "-ngl 99: Pacemark computes on the CPU"),
        ("-ngl 0,99", "Here it may be -1 or 0."),
        ("-fa off", "-fa off: the native backend has fused attention only"),
        (
            "-fa off --backend native,llama-cpp",
            "The llama-cpp backend takes it (--backend llama-cpp).",
        ),
        ("-ctk q5_0", "Here it may be f32 or f16 or q8_0 or q4_0. The llama-cpp backend takes it"),
        ("-ctk q9 --backend llama-cpp", "-ctk q9: "),
        ("--numa distribute -C 0x1", "--numa: not together with -C"),
        ("-C 0xg", "-C 0xg: expected a hexadecimal mask"),
        ("--cpu-strict 1", "--cpu-strict 1: it needs processors"),
        (
            "-t 1 -C 1 --backend native,llama-cpp",
            "only the native backend places its threads; taskset",
        ),
        ("-mmp 0 --backend llama-cpp", "only the native backend reads files without mapping"),
        ("--mlock --backend llama-cpp", "only the native backend locks"),
        ("--no-pack --backend llama-cpp", "only the native backend packs"),
        ("-mmp 2", "-mmp 2: expected 0 or 1"),
        ("-lm dio", "-lm dio: the file is mapped or read"),
        ("-rpc host:1", "-rpc host:1: Pacemark computes on this machine only"),
        ("-hft secret", "set HF_TOKEN in the environment"),
        ("--offline", "--offline: set HF_HUB_OFFLINE=1"),
        ("-hf org/repo", "give each"),
        ("-t 0", "-t 0: at least 1"),
        ("-ub 64,0", "-ub 0: at least 1"),
        ("-p 1-5000 -t 1-500 -d 1-500", "combinations"),
    ] {
        let error = plan(line).err().unwrap_or_else(|| panic!("{line} was accepted"));
        assert!(error.is::<UsageError>() && error.to_string().contains(says), "{line}: {error}");
    }
}

#[test]
fn places_and_ways_to_load() {
    let plan = |line: &str| plan(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let options = |line: &str| Load::of(&plan(line).tests[0]).options;
    assert_eq!(options("-C 0x0").place, Place::Anywhere);
    let cpus = Cpus::from_mask("6").unwrap();
    assert_eq!(options("-C 0x06").place, Place::Mask { cpus, strict: false });
    assert_eq!(options("-C 6 --cpu-strict 1").place, Place::Mask { cpus, strict: true });
    assert_eq!(options("--numa isolate").place, Place::Nodes(Numa::Isolate));
    let load = |line: &str| {
        let LoadOptions { no_mmap, mlock, .. } = options(line);
        (plan(line).tests[0].params["load_mode"].as_str().unwrap().to_owned(), no_mmap, mlock)
    };
    for (line, mode, no_mmap, mlock) in [
        ("", "auto", false, false),
        ("-lm mmap", "mmap", false, false),
        ("-mmp 0", "none", true, false),
        ("--no-mmap", "none", true, false),
        ("--mlock", "mmap+mlock", false, true),
        ("--mlock --no-mmap", "mlock", true, true),
        ("-lm mlock", "mlock", true, true),
    ] {
        assert_eq!(load(line), (mode.to_owned(), no_mmap, mlock), "{line}");
    }
    assert_eq!(
        plan("-C 6 --cpu-strict 1 --no-mmap").varied,
        ["cpu_mask", "cpu_strict", "load_mode"]
    );
    assert_eq!(plan("--mlock --numa isolate").varied, ["load_mode", "numa"]);
    for (line, no_pack) in
        [("", false), ("--repack 1", false), ("-rpk 0", true), ("--no-pack", true)]
    {
        assert_eq!(options(line).no_pack, no_pack, "{line}");
        assert_eq!(plan(line).varied.contains(&"repack"), no_pack, "{line}");
    }
}

#[test]
fn what_llama_cpp_alone_is_told_it_does() {
    let plan = plan("--backend llama-cpp -fa off,on -ctk q5_1 -ctv q8_0").unwrap();
    let values: Vec<_> = plan
        .tests
        .iter()
        .map(|t| (t.params["flash_attn"].as_i64(), t.params["type_k"].as_str()))
        .collect();
    assert!(
        values.contains(&(Some(0), Some("q5_1"))) && values.contains(&(Some(1), Some("q5_1"))),
        "{values:?}"
    );
}

#[test]
fn batches_are_in_llama_batched_benchs_order() {
    assert_eq!(
        names("-npp 32,64 -ntg 50 -npl 1,2"),
        ["pp32+tg50 x1", "pp32+tg50 x2", "pp64+tg50 x1", "pp64+tg50 x2"]
    );
    assert_eq!(names("-npl 3"), ["pp128+tg128 x3"]);
    let measures = |line| plan(line).unwrap().experiment.name();
    assert_eq!((measures("-npl 2"), measures("-p 2")), ("batched", "throughput"));
    assert_eq!(measures("-npl 2 --experiment batched"), "batched");
    for wrong in ["--experiment batched", "--experiment throughput -npl 2"] {
        let why = plan(wrong).err().map(|why| why.to_string());
        assert!(why.is_some_and(|why| why.contains("batches (-npl)")), "{wrong}");
    }
    for (line, says) in [
        ("-npl 0", "-npl 0: at least 1"),
        ("-npl 257", "-npl 257: at most 256"),
        ("-npl 1 -npp 0", "-npp 0: at least 1"),
        ("-npl 1 -p 5", "cannot be used with"),
        ("-npl 1 -d 5", "cannot be used with"),
        ("-npp 5", "--npl"),
    ] {
        let error = plan(line).err().unwrap_or_else(|| panic!("{line} was accepted"));
        assert!(error.to_string().contains(says), "{line}: {error}");
    }
}

#[test]
fn every_recorded_flag_has_its_place_in_the_order() {
    for (axis, _) in CompatFlags::default().axes(&[]).unwrap() {
        assert!(compat::ORDER.contains(&axis.name), "{}", axis.name);
    }
    let recorded = compat::FLAGS.iter().filter_map(|flag| flag.field);
    for (field, default) in recorded {
        assert!(compat::ORDER.contains(&field), "{field}");
        let value = Value::from(default);
        let in_report = pacemark_report::layout::LLAMA_BENCH.fields.iter().any(|f| f.name == field);
        assert!(in_report && !value.is_null(), "{field}");
    }
}

#[test]
fn a_hub_file_is_named_by_two_flags() {
    let plan = plan("-hf org/repo -hff m.gguf").unwrap();
    assert_eq!(plan.tests[0].params["model"], "hf:org/repo/m.gguf");
}
