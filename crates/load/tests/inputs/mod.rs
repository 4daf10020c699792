//! What the tests of a load's inputs and their fuzz target do with bytes.

use pacemark_load::prompt::{
    Answer, Cache, Listed, ListedOptions, PromptError, Source, Talks, lines, share_gpt, trace,
};
use pacemark_load::{Arrival, Endpoint, Lengths, Target, server_counts};
use pacemark_record::pool::{Part, pool};
use pacemark_record::{Grades, Run, SERVER_METRICS, Slo};

/// Longest answer that a file may ask for.
const MAX_TOKENS: u64 = 10_000_000;

/// The first byte says what the rest is taken for. It is read, or refused in words that name the
/// file.
pub(crate) fn input(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match kind % 5 {
        0 => arrivals(text),
        1 => talks(lines("file", text)),
        2 => talks(share_gpt("file", text)),
        3 => flags(text),
        _ => {
            assert!(server_counts(text).values().all(|value| value.is_finite()));
            match Run::from_json(text) {
                Ok(run) => pooled(run),
                Err(error) => assert!(error.to_string().len() < 1000),
            }
        }
    }
}

/// Put together with itself a little later: all requests of both, or a refusal.
fn pooled(run: Run) {
    let part = |name: &str, run: &Run| Part {
        name: name.to_owned(),
        sender: name.to_owned(),
        run: run.clone(),
        offset: None,
    };
    let mut later = run.clone();
    for request in
        later.trials.iter_mut().filter_map(|trial| trial.load_mut()).flat_map(|l| &mut l.requests)
    {
        request.end_ns = request.end_ns.saturating_add(1);
    }
    match pool(&[part("a", &run), part("b", &later)]) {
        Ok(trials) => {
            for (trial, of) in trials.iter().zip(&run.trials) {
                assert_eq!(trial.requests().len(), 2 * of.requests().len());
                assert!(trial.requests().is_sorted_by_key(|request| request.end_ns));
                for side in trial.load().map_or(&[][..], |load| &load.servers) {
                    SERVER_METRICS.iter().for_each(|known| {
                        side.figure(known);
                    });
                }
            }
        }
        Err(error) => assert!(error.to_string().len() < 1000),
    }
}

fn arrivals(text: &str) {
    match trace("file", text) {
        Ok(arrived) => {
            assert!(arrived[0].at_ns == 0 && arrived.is_sorted_by_key(|one| one.at_ns));
            let counts =
                arrived.iter().flat_map(|one| [one.input_tokens, one.output_tokens]).flatten();
            assert!(counts.into_iter().all(|n| (1..=MAX_TOKENS).contains(&n)));
            assert!(arrived.iter().all(|one| one.prompt.is_some() || one.input_tokens.is_some()));
        }
        Err(error) => named(&error),
    }
}

fn talks(read: Result<Talks, PromptError>) {
    let talks = match read {
        Ok(read) => read.talks,
        Err(error) => return named(&error),
    };
    let answers = talks.iter().flatten().map(|asked| &asked.answer);
    assert!(
        answers
            .into_iter()
            .all(|answer| !matches!(answer, Answer::Tokens(n) if !(1..=MAX_TOKENS).contains(n)))
    );
    let options = ListedOptions {
        turns: 3,
        output: None,
        cache: Cache::Cold,
        special: false,
        seed: 1,
        nonce: 2,
    };
    let mut listed = Listed::new(talks, options, None);
    let session = listed.next().unwrap();
    assert!((1..=3).contains(&session.turns.len()));
}

fn named(error: &PromptError) {
    let said = error.to_string();
    assert!(said.starts_with("file") && said.len() < 1100, "{said:.2000}");
}

/// What is taken can be written, and is taken again as the same.
fn flags(text: &str) {
    if let Ok(slo) = text.parse::<Slo>() {
        assert!(!slo.limits.is_empty() && slo.limits.iter().all(|limit| limit.limit_ns > 0.0));
        assert!(slo.to_string().parse::<Slo>().is_ok(), "{slo}");
    }
    if let Ok(lengths) = text.parse::<Lengths>() {
        assert_eq!(lengths.to_string().parse(), Ok(lengths));
    }
    if let Ok(arrival) = text.parse::<Arrival>() {
        assert_eq!(arrival.to_string().parse(), Ok(arrival));
    }
    if let Ok(grades) = text.parse::<Grades>() {
        assert_eq!(grades.to_string().parse(), Ok(grades));
    }
    let refusals = [
        text.parse::<Slo>().err(),
        text.parse::<Lengths>().err(),
        text.parse::<Arrival>().err(),
        text.parse::<Grades>().err(),
        text.parse::<Endpoint>().err(),
        Target::parse(text).err().map(|error| error.to_string()),
    ];
    assert!(
        refusals.iter().flatten().all(|said| said.len() < 1000),
        "{:?}",
        refusals.map(|said| said.map(|s| s.len()))
    );
}
