//! `--mock ttft=50ms,itl=10ms`: what stands in for a model.

use super::duration;
use pacemark_backend::MockOptions;

/// Reads the list of settings.
pub(super) fn options(spec: &str) -> Result<MockOptions, String> {
    let mut options = MockOptions::default();
    let (settings, answer) = match spec.split_once("answer=") {
        Some((settings, answer)) => (settings.trim_end_matches(','), Some(answer)),
        None => (spec, None),
    };
    if let Some(answer) = answer {
        options.answer = Some(answer.into());
    }
    for setting in settings.split(',').filter(|setting| answer.is_none() || !setting.is_empty()) {
        let Some((name, value)) = setting.split_once('=') else {
            return Err(format!("expected NAME=VALUE, found {setting:?}"));
        };
        let count = || {
            value
                .parse::<u32>()
                .map(|n| n as usize)
                .map_err(|_| format!("{name}: expected a number, found {value:?}"))
        };
        match name {
            "ttft" => options.ttft = duration(value)?,
            "itl" => options.itl = duration(value)?,
            "prompt" => options.per_prompt_token = duration(value)?,
            "ctx" => options.n_ctx = count()?.max(1),
            "seqs" => options.max_num_seqs = count()?,
            _ => {
                return Err(format!(
                    "expected ttft, itl, prompt, ctx, seqs or answer, found {name:?}"
                ));
            }
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn settings_are_read_or_refused_by_name() {
        let mock = options("ttft=50ms,itl=200us,seqs=4,ctx=100,prompt=1ms").unwrap();
        assert_eq!((mock.ttft, mock.itl), (Duration::from_millis(50), Duration::from_micros(200)));
        assert_eq!(
            (mock.max_num_seqs, mock.n_ctx, mock.per_prompt_token),
            (4, 100, Duration::from_millis(1))
        );
        let answer = options("itl=0,answer=a, b=c <tool_call>").unwrap();
        assert_eq!(
            (answer.itl, answer.answer.as_deref()),
            (Duration::ZERO, Some("a, b=c <tool_call>"))
        );
        for wrong in ["", "ttft", "ttft=5", "speed=1ms", "seqs=-1", "ctx=x"] {
            assert!(options(wrong).is_err(), "{wrong}");
        }
    }
}
