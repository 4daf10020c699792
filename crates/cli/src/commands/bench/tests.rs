//! From the command line to the list of tests.

use super::plan::Plan;
use super::*;
use crate::exit::UsageError;
use clap::Parser;
use pacemark_bench::{PARAMETERS, Test};
use pacemark_setup::{Cpus, DType, Place, Residence, Setup};
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
    plan::plan(&Line::try_parse_from(words)?.args)
}

fn names(line: &str) -> Vec<String> {
    plan(line).unwrap().tests.iter().map(Test::name).collect()
}

#[test]
fn defaults_are_llama_benchs() {
    let plan = plan("").unwrap();
    assert_eq!(plan.varied, [] as [&str; 0]);
    assert_eq!(names(""), ["pp512", "tg128"]);
    let params = plan.tests[0].params();
    for (name, expected) in [
        ("n_batch", 2048),
        ("n_ubatch", 512),
        ("poll", 50),
        ("n_gpu_layers", -1),
        ("flash_attn", -1),
    ] {
        assert_eq!(params[name], expected, "{name}");
    }
    assert_eq!(plan.tests[0].model, hub::DEFAULT_MODEL);
    assert_eq!(plan.tests[0].setup, Setup::default());
}

#[test]
fn lists_ranges_and_order() {
    assert_eq!(names("-p 8,16 -n 4-6+2 -pg 8,4"), ["pp8", "pp16", "tg4", "tg6", "pp8+tg4"]);
    assert_eq!(names("-p 0 -n 4 -n 5 -d 0,64"), ["tg4", "tg5", "tg4 @ d64", "tg5 @ d64"]);
    let plan =
        plan("-p 8 -n 0 -m a.gguf,b.gguf -t 1,2 -ub 64 -fa on,auto --no-kv-offload 1").unwrap();
    let order = |name: &str| {
        plan.tests.iter().map(|test| test.params()[name].to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(order("n_threads"), "1 2 1 2 1 2 1 2");
    assert_eq!(order("flash_attn"), "1 1 -1 -1 1 1 -1 -1");
    assert!(order("model").starts_with(r#""a.gguf" "a.gguf" "a.gguf" "a.gguf" "b.gguf""#));
    assert_eq!(plan.varied, ["model", "n_ubatch", "n_threads", "no_kv_offload", "flash_attn"]);
    assert!(plan.tests.iter().all(|test| test.setup.threads.n_batch.is_none()));
}

#[test]
fn threads_of_batches_are_an_axis_of_their_own() {
    let plan = plan("-p 8 -n 0 -t 1,2 -tb 2,3").unwrap();
    let threads = plan.tests.iter().map(|test| test.setup.threads);
    let threads: Vec<_> = threads.map(|threads| (threads.n, threads.n_batch)).collect();
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
        ("-ngl 99", "-ngl 99: Pacemark's own engine computes on the CPU"),
        ("-ngl 0,99", "Here it may be -1 or 0."),
        ("-ngl -2", "-ngl -2: expected a number of layers, or -1 for all."),
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
        ("--mlock --backend llama-cpp", "only the native backend locks"),
        (
            "-lm mlock --backend llama-cpp",
            "Here it may be auto or mmap or none. The native backend takes",
        ),
        ("-ctk f32", "-ctk, -ctv: KV cache with keys in f32 and values in f16: the pairs are"),
        ("--numa isolate --backend llama-cpp", "-C, --numa: only the native backend places"),
        ("--type Q8_0 --backend llama-cpp", "--type: the llama-cpp backend reads GGUF files only"),
        ("--cpu-strict 0,1 -C 0,1", "--cpu-strict 1: it needs processors"),
        ("--cpu-strict 1 --numa isolate", "--cpu-strict 1: it needs processors"),
        ("--backend nope", "there is no such backend, only native (Pacemark's own engine)"),
        ("-mmp 2", "-mmp 2: expected 0 or 1"),
        ("-lm dio", "-lm dio: the file is mapped or read"),
        ("--rpc host:1", "--rpc: Pacemark's own engine computes on this machine only"),
        ("-ngl 1 -sm row --backend native,llama-cpp", "there is no GPU"),
        ("-ts 1/x --backend llama-cpp", "-ts 1/x: expected shares"),
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
    let setup = |line: &str| plan(line).tests[0].setup.clone();
    let place = |line: &str| setup(line).threads.place;
    assert_eq!(place("-C 0x0"), Place::Anywhere);
    let cpus = Cpus::from_mask("6").unwrap();
    assert_eq!(place("-C 0x06"), Place::Mask { cpus, strict: false });
    assert_eq!(place("-C 6 --cpu-strict 1"), Place::Mask { cpus, strict: true });
    assert_eq!(place("--numa isolate"), Place::Nodes(Numa::Isolate));
    let load = |line: &str| {
        let Residence { mmap, mlock, .. } = setup(line).weights;
        let params = plan(line).tests[0].params();
        (params["load_mode"].as_str().unwrap().to_owned(), mmap, mlock)
    };
    for (line, mode, mmap, mlock) in [
        ("", "auto", None, false),
        ("-lm mmap", "mmap", Some(true), false),
        ("-mmp 0", "none", Some(false), false),
        ("--no-mmap", "none", Some(false), false),
        ("--mlock", "mmap+mlock", None, true),
        ("--mlock --no-mmap", "mlock", Some(false), true),
        ("-lm mlock", "mlock", Some(false), true),
    ] {
        assert_eq!(load(line), (mode.to_owned(), mmap, mlock), "{line}");
    }
    assert_eq!(
        plan("-C 6 --cpu-strict 1 --no-mmap").varied,
        ["cpu_mask", "cpu_strict", "load_mode"]
    );
    assert_eq!(plan("--mlock --numa isolate").varied, ["load_mode", "numa"]);
    for (line, pack) in [("", true), ("--repack 1", true), ("-rpk 0", false), ("--no-pack", false)]
    {
        assert_eq!(setup(line).weights.pack, pack, "{line}");
        assert_eq!(plan(line).varied.contains(&"repack"), !pack, "{line}");
    }
}

#[test]
fn what_llama_cpp_alone_is_told_it_does() {
    let plan = plan("--backend llama-cpp -fa off,on -ctk q5_1 -ctv q8_0").unwrap();
    let values: Vec<_> =
        plan.tests.iter().map(|test| (test.setup.flash_attn, test.setup.cache.k)).collect();
    assert!(
        values.contains(&(Some(false), DType::Q5_1)) && values.contains(&(Some(true), DType::Q5_1)),
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
fn every_recorded_flag_is_a_parameter_and_a_field() {
    for (parameter, _) in compat::FLAGS.iter().filter_map(|flag| flag.records) {
        let name = parameter.name;
        assert!(PARAMETERS.iter().any(|known| known.name == name), "{name}");
        let fields = pacemark_report::layout::LLAMA_BENCH.fields;
        assert!(fields.iter().any(|field| field.name == name), "{name}");
    }
}

/// What the flags' table says a value is, is what the record says that was given.
#[test]
fn what_is_given_is_what_is_recorded() {
    for (line, name, recorded) in [
        ("-ngl 0", "n_gpu_layers", "0"),
        ("-sm none", "split_mode", "\"none\""),
        ("-nkvo 1", "no_kv_offload", "true"),
        ("-nopo 1", "no_op_offload", "1"),
        ("-ncmoe 12", "n_cpu_moe", "12"),
        ("-ctv q4_0", "type_v", "\"q4_0\""),
        ("-fa 1", "flash_attn", "1"),
        ("-C 0x06", "cpu_mask", "\"0x6\""),
        ("-C 0x06 --cpu-strict 1", "cpu_strict", "true"),
        ("--numa isolate", "numa", "\"isolate\""),
        ("-b 64", "n_batch", "64"),
        ("-ub 4096", "n_ubatch", "4096"),
        ("-d 7", "n_depth", "7"),
    ] {
        let params = plan(line).unwrap().tests[0].params();
        assert_eq!(params[name].to_string(), recorded, "{line}");
        let several = plan(&format!("-p 0 -n 1 {line}")).unwrap();
        assert!(name == "n_depth" || several.varied.contains(&name), "{line}");
    }
}

#[test]
fn tests_of_one_load_stand_together() {
    let loads = |line: &str| plan(line).unwrap().tests.chunk_by(Test::shares_load).count();
    assert_eq!(loads("-p 8 -n 8 -d 0,64"), 1);
    assert_eq!(loads("-p 8 -n 0 -b 64 -ub 64,512"), 1, "more than a batch is a batch");
    assert_eq!(loads("-p 8 -n 0 -lm auto,mmap -nkvo 0,1"), 1, "these change nothing");
    assert_eq!(loads("-p 8 -n 0 -b 64,512 -t 1,2"), 4);
}

#[test]
fn a_hub_file_is_named_by_two_flags() {
    let plan = plan("-hf org/repo -hff m.gguf").unwrap();
    assert_eq!(plan.tests[0].model, "hf:org/repo/m.gguf");
}
