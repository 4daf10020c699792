//! The lines of benchmark_genai, which scripts read: those of its C++ program or of its Python script,
//! to the character but for the first line, which says what ran.

use pacemark_backends::native::NAME as NATIVE;
use pacemark_bench::genai::{MeanSd, Perf};
use pacemark_record::{Env, Model};

/// Which of the two samples' lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    /// `samples/cpp/text_generation/benchmark_genai.cpp`.
    Cpp,
    /// `samples/python/text_generation/benchmark_genai.py`.
    Python,
}

/// All lines.
pub(super) fn lines(perf: &Perf, env: &Env, model: &Model, sample: Sample) -> String {
    let build = format!("{} ({})", env.commit, env.build_number);
    let other = format!("{}, measured by pacemark {}, build {build}", model.engine, env.version);
    let (version, space, per_token, throughput) = match sample {
        Sample::Cpp => (format!("{}, build {build}", model.engine), "", "ms/token ", "Throughput"),
        Sample::Python => {
            let version = format!("pacemark runtime version: {}, build: {build}", env.version);
            (version, " ", "ms", "Throughput ")
        }
    };
    let is_ours = ["", NATIVE].contains(&model.backend.as_str());
    let lines = [
        if is_ours { version } else { other },
        format!("Prompt token size:{space}{}", perf.prompt_tokens),
        format!("Output token size:{space}{}", perf.output_tokens),
        format!("Load time: {:.2} ms", perf.load_ms),
        format!("Generate time: {} ms", told(perf.generate_ms)),
        format!("Tokenization time: {} ms", told(perf.tokenization_ms)),
        format!("Detokenization time: {} ms", told(perf.detokenization_ms)),
        format!("TTFT: {} ms", told(perf.ttft_ms)),
        format!("TPOT: {} {per_token}", told(perf.tpot_ms)),
        format!("{throughput}: {} tokens/s", told(perf.throughput)),
    ];
    lines.join("\n") + "\n"
}

/// Dashes for what there is none of, where the original prints -1.
fn told(value: Option<MeanSd>) -> String {
    value.map_or("- ± -".to_owned(), |MeanSd { mean, sd }| format!("{mean:.2} ± {sd:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::{Request, Trial};

    const MS: u64 = 1_000_000;

    /// An iteration that began to generate after `ttft` ms, and then took these gaps.
    fn iteration(ttft: u64, gaps: &[u64]) -> Request {
        let chunks = gaps.iter().scan(ttft, |at, gap| {
            *at += gap;
            Some(*at * MS)
        });
        let chunks_ns: Vec<u64> = std::iter::once(ttft * MS).chain(chunks).collect();
        let phases = [("tokenize", MS), ("prefill", 0), ("detokenize", ttft * MS / 10)];
        Request {
            prompt_tokens: Some(5),
            end_ns: chunks_ns.last().unwrap() + MS,
            output_usage: Some(chunks_ns.len() as u64),
            chunks_ns,
            phases_ns: phases.map(|(name, ns)| (name.to_owned(), ns)).to_vec(),
            ..Request::default()
        }
    }

    fn shown(requests: Vec<Request>, sample: Sample) -> String {
        let mut trial = Trial { measured: requests.into(), ..Trial::default() };
        trial.model.engine = "pacemark 0.1.0 native".to_owned();
        trial.model.load_ns = vec![("map".to_owned(), MS), ("pack".to_owned(), 30 * MS / 4)];
        let env = Env {
            version: "0.1.0".into(),
            commit: "abc".into(),
            build_number: 7,
            ..Env::default()
        };
        lines(&Perf::of(&trial), &env, &trial.model, sample)
    }

    /// By numpy 2: `a = [20, 40]; mean, std` of TTFT, `[61, 91]` of the whole, `g = [10, 10, 20, 15,
    /// 15, 20]`, `1000 / g.mean()`, `1000 * g.std() / g.mean() ** 2`.
    const CPP: &str = "\
pacemark 0.1.0 native, build abc (7)
Prompt token size:5
Output token size:4
Load time: 8.50 ms
Generate time: 76.00 ± 15.00 ms
Tokenization time: 1.00 ± 0.00 ms
Detokenization time: 3.00 ± 1.00 ms
TTFT: 30.00 ± 10.00 ms
TPOT: 15.00 ± 4.08 ms/token\x20
Throughput: 66.67 ± 18.14 tokens/s
";

    fn two() -> Vec<Request> {
        vec![iteration(20, &[10, 10, 20]), iteration(40, &[15, 15, 20])]
    }

    #[test]
    fn the_lines_of_the_program() {
        assert_eq!(shown(two(), Sample::Cpp), CPP);
    }

    #[test]
    fn the_lines_of_the_script() {
        let expected = CPP
            .replace("pacemark 0.1.0 native, build", "pacemark runtime version: 0.1.0, build:")
            .replace("size:", "size: ")
            .replace("ms/token ", "ms")
            .replace("Throughput:", "Throughput :");
        assert_eq!(shown(two(), Sample::Python), expected);
    }

    #[test]
    fn one_iteration_has_no_spread_and_one_token_no_gap() {
        let text = shown(vec![iteration(20, &[10])], Sample::Cpp);
        for line in [
            "Output token size:2",
            "Generate time: 31.00 ± 0.00 ms",
            "TPOT: 10.00 ± 0.00 ms/token ",
            "Throughput: 100.00 ± 0.00 tokens/s",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        let text = shown(vec![iteration(20, &[])], Sample::Cpp);
        assert!(text.ends_with("TPOT: - ± - ms/token \nThroughput: - ± - tokens/s\n"), "{text}");
    }
}
