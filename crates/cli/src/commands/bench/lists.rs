//! Lists and ranges of numbers, in llama-bench's spelling.

use std::str::FromStr;

/// Longest list: a range that is typed wrong must not fill the memory.
pub(super) const MAX_VALUES: usize = 10_000;

/// Numbers separated by commas, each `first`, `first-last`, `first-last+step` or
/// `first-last*factor`, ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers(pub Vec<usize>);

impl FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Numbers, String> {
        let mut values = Vec::new();
        for part in text.split(',') {
            range(part, &mut values)?;
        }
        Ok(Numbers(values))
    }
}

fn range(text: &str, values: &mut Vec<usize>) -> Result<(), String> {
    let Some((first, rest)) = text.split_once('-') else {
        values.push(number(text, text)?);
        return Ok(());
    };
    let operator = rest.find(['+', '*']);
    let (last, step) = operator.map_or((rest, None), |at| (&rest[..at], Some(&rest[at..])));
    let (mut value, last) = (number(first, text)?, number(last, text)?);
    if last < value {
        return Err(format!("the range {text:?} ends before it begins"));
    }
    let (multiply, by) = match step {
        None => (false, 1),
        Some(step) => (step.starts_with('*'), number(&step[1..], text)?),
    };
    loop {
        values.push(value);
        let next = if multiply { value.checked_mul(by) } else { value.checked_add(by) };
        match next {
            Some(next) if next <= value => {
                return Err(format!("the range {text:?} never reaches its end"));
            }
            Some(next) if next <= last => value = next,
            _ => return Ok(()),
        }
        if values.len() >= MAX_VALUES {
            return Err(format!("{text:?} makes more than {MAX_VALUES} values"));
        }
    }
}

fn number(digits: &str, within: &str) -> Result<usize, String> {
    // Tokens are counted in 32 bits everywhere below.
    let value =
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u32>().ok()).flatten();
    value.map(|n| n as usize).ok_or_else(|| {
        format!("expected a number, a range (a-b, a-b+step, a-b*factor) or a list of them, found {within:?}")
    })
}

/// Two numbers: prompt and generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair(pub usize, pub usize);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Pair, String> {
        let wrong = || format!("expected two numbers as in 512,128, found {text:?}");
        let (prompt, generation) = text.split_once(',').ok_or_else(wrong)?;
        let number = |digits| number(digits, text).map_err(|_| wrong());
        Ok(Pair(number(prompt)?, number(generation)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_llama_bench_takes() {
        let cases: &[(&str, &[usize])] = &[
            ("512", &[512]),
            ("0", &[0]),
            ("1,2,4", &[1, 2, 4]),
            ("2-5", &[2, 3, 4, 5]),
            ("7-7", &[7]),
            ("10-31+10", &[10, 20, 30]),
            ("128-2048*2", &[128, 256, 512, 1024, 2048]),
            ("1-100*10,5,2-3", &[1, 10, 100, 5, 2, 3]),
            ("4294967295", &[4_294_967_295]),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Numbers>().as_ref().map(|n| &n.0[..]), Ok(*expected), "{text}");
        }
    }

    #[test]
    fn what_it_does_not_take() {
        for (text, says) in [
            ("", "expected a number"),
            ("a", "found \"a\""),
            ("1,,2", "expected a number"),
            ("1,", "expected a number"),
            ("-1", "expected a number"),
            ("1-", "expected a number"),
            ("5-2", "ends before it begins"),
            ("1-5+0", "never reaches its end"),
            ("1-5*1", "never reaches its end"),
            ("0-5*2", "never reaches its end"),
            ("1-5+", "expected a number"),
            ("1-5/2", "expected a number"),
            ("+1", "expected a number"),
            ("1-4000000000", "more than 10000 values"),
            ("4294967296", "expected a number"),
        ] {
            let error = text.parse::<Numbers>().unwrap_err();
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn pairs() {
        assert_eq!("512,128".parse(), Ok(Pair(512, 128)));
        for text in ["512", "1,2,3", ",", "a,1", "1-2,3"] {
            assert!(text.parse::<Pair>().is_err(), "{text}");
        }
    }
}
