//! Other tools' spelling of options: short options of several letters as llama.cpp and
//! benchmark_genai have them, and `_` for `-` in long ones of llama-bench and of scripts in Python.
//!
//! clap reads `-ngl 0` as `-n gl 0`, so such options are turned to their long names before it sees
//! them.

use super::compat::FLAGS;
use std::ffi::{OsStr, OsString};

/// Prompt tokens computed at once.
const UBATCH: (&str, &str) = ("-ub", "--ubatch-size");

/// Short options of several letters that are not in [`FLAGS`].
const SHORT: &[(&str, &str)] = &[
    ("-hf", "--hf-repo"),
    ("-hfr", "--hf-repo"),
    ("-hff", "--hf-file"),
    ("-pg", "--pg"),
    ("-npp", "--npp"),
    ("-ntg", "--ntg"),
    ("-npl", "--npl"),
    UBATCH,
    ("-oe", "--output-err"),
    ("-rpc", "--rpc"),
];

/// Devices, of commands that run one model; `bench` has them in lists ([`FLAGS`]).
const DEVICES: &[(&str, &str)] = &[
    ("-ngl", "--n-gpu-layers"),
    ("-sm", "--split-mode"),
    ("-mg", "--main-gpu"),
    ("-ts", "--tensor-split"),
    ("-dev", "--device"),
    ("-rpc", "--rpc"),
];

/// Those of every command that computes.
const ENGINE: &[(&str, &str)] =
    &[("-tb", "--threads-batch"), ("-ctk", "--cache-type-k"), ("-ctv", "--cache-type-v")];

/// Those of benchmark_genai before it gave each a letter.
const GENAI: &[(&str, &str)] =
    &[("-pf", "--prompt-file"), ("-nw", "--num-warmup"), ("-mt", "--max-new-tokens")];

/// The command line with the long names of options that clap can't read; nothing is changed for
/// commands without such.
pub(crate) fn long_options(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let long: fn(&str) -> Option<String> = match args.get(1).and_then(|command| command.to_str()) {
        Some("bench") => long_option,
        Some("kv") => |arg| dashed(arg).or_else(|| find(ENGINE, arg)),
        Some("genai-bench") => |arg| dashed(arg).or_else(|| find(GENAI, arg)),
        Some("tune") => |arg| find(ENGINE, arg).or_else(|| find(&[UBATCH], arg)),
        Some("run" | "eval" | "serve") => |arg| find(ENGINE, arg).or_else(|| find(DEVICES, arg)),
        Some("stages" | "fit") => |arg| find(ENGINE, arg),
        _ => return args,
    };
    for arg in &mut args[2..] {
        if let Some(long) = arg.to_str().and_then(long) {
            *arg = OsStr::new(&long).to_owned();
        }
    }
    args
}

/// The long name, with the value behind `=` if there is one.
fn find(options: &[(&str, &str)], arg: &str) -> Option<String> {
    let (name, value) = arg.split_at(arg.find('=').unwrap_or(arg.len()));
    options.iter().find(|(short, _)| *short == name).map(|(_, long)| format!("{long}{value}"))
}

fn long_option(arg: &str) -> Option<String> {
    if arg.starts_with("--") {
        return dashed(arg);
    }
    find(SHORT, arg).or_else(|| find(ENGINE, arg)).or_else(|| {
        let (name, value) = arg.split_at(arg.find('=').unwrap_or(arg.len()));
        let flag = FLAGS.iter().find(|flag| flag.short == Some(name));
        flag.map(|flag| format!("--{}{value}", flag.long))
    })
}

/// A long option with `-` for `_`, where it has any.
fn dashed(arg: &str) -> Option<String> {
    let rest = arg.strip_prefix("--")?;
    let (name, value) = rest.split_at(rest.find('=').unwrap_or(rest.len()));
    name.contains('_').then(|| format!("--{}{value}", name.replace('_', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_llama_bench_users_type_them() {
        let convert = |line: &str| {
            let words = long_options(line.split(' ').map(OsString::from));
            words.join(OsStr::new(" ")).into_string().unwrap()
        };
        for (typed, expected) in [
            ("pacemark bench -ngl 0 -fa on", "pacemark bench --n-gpu-layers 0 --flash-attn on"),
            (
                "pacemark bench -oe csv -pg 1,2 -n 5",
                "pacemark bench --output-err csv --pg 1,2 -n 5",
            ),
            ("pacemark bench --n_prompt 1 --n_gen=2", "pacemark bench --n-prompt 1 --n-gen=2"),
            ("pacemark bench -m a_b.gguf -p512", "pacemark bench -m a_b.gguf -p512"),
            ("pacemark bench --model=a_b.gguf -n -1", "pacemark bench --model=a_b.gguf -n -1"),
            ("pacemark bench -t 1 -tb 2", "pacemark bench -t 1 --threads-batch 2"),
            ("pacemark eval perplexity -ctk q8_0", "pacemark eval perplexity --cache-type-k q8_0"),
            (
                "pacemark stages -ctk q8_0 -ctv q4_0",
                "pacemark stages --cache-type-k q8_0 --cache-type-v q4_0",
            ),
            (
                "pacemark kv --model_id a_b --start_size=4 -ctk q8_0",
                "pacemark kv --model-id a_b --start-size=4 --cache-type-k q8_0",
            ),
            (
                "pacemark genai-bench -pf a_b -nw 0 -mt 20 --num_iter=1 --nw 0",
                "pacemark genai-bench --prompt-file a_b --num-warmup 0 --max-new-tokens 20 --num-iter=1 --nw 0",
            ),
            ("pacemark genai-bench -pf=a=b", "pacemark genai-bench --prompt-file=a=b"),
            ("pacemark bench -ngl=0 -tb=2", "pacemark bench --n-gpu-layers=0 --threads-batch=2"),
            ("pacemark run -tb 2 -ngl 0", "pacemark run --threads-batch 2 --n-gpu-layers 0"),
            (
                "pacemark tune -ub 64,128 -ctk q8_0",
                "pacemark tune --ubatch-size 64,128 --cache-type-k q8_0",
            ),
            ("pacemark tokenize -tb", "pacemark tokenize -tb"),
            ("pacemark", "pacemark"),
        ] {
            assert_eq!(convert(typed), expected);
        }
    }
}
