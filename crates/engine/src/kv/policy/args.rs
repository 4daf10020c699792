//! Reading a spec: a name, sizes after a colon, NAME=VALUE after commas.

use super::PolicyError;
use super::budget::{Budget, Size};
use std::ops::RangeInclusive;

/// Bytes of a spec at most: it is kept with every request.
const MOST_BYTES: usize = 256;

/// What of a spec has not been taken yet.
pub(super) struct Args {
    spec: String,
    sizes: Vec<String>,
    values: Vec<(String, Option<String>)>,
}

impl Args {
    /// The name, and the rest.
    pub(super) fn new(spec: &str) -> Result<(&str, Args), PolicyError> {
        let mut args = Args { spec: spec.to_owned(), sizes: Vec::new(), values: Vec::new() };
        if spec.len() > MOST_BYTES {
            let (most, found) = (MOST_BYTES, spec.len());
            return Err(args.wrong(format!("expected at most {most} bytes, found {found}")));
        }
        let mut parts = spec.split(',');
        let (name, first) = parts.next().map_or(("", None), |part| match part.split_once(':') {
            Some((name, first)) => (name, Some(first)),
            None => (part, None),
        });
        for (at, part) in first.into_iter().chain(parts).enumerate() {
            match part.split_once('=') {
                _ if part.is_empty() => {
                    return Err(args.wrong("nothing stands behind a comma or colon"));
                }
                Some((name, value)) => args.values.push((name.to_owned(), Some(value.to_owned()))),
                None if at == 0 && first.is_some() => {
                    args.sizes = part.split('+').map(str::to_owned).collect();
                }
                None => args.values.push((part.to_owned(), None)),
            }
        }
        Ok((name, args))
    }

    pub(super) fn wrong(&self, why: impl Into<String>) -> PolicyError {
        PolicyError::new(&self.spec, why.into())
    }

    /// A size by itself: tokens, or a share of them (`0.5` or `50%`).
    pub(super) fn size(&mut self, form: &str) -> Result<Size, PolicyError> {
        match std::mem::take(&mut self.sizes).as_slice() {
            [text] => self.one_size("N", text),
            _ => Err(self.wrong(format!("expected {form}"))),
        }
    }

    /// The budget of a policy that works on prompts: a size that leaves room beside
    /// `least` tokens that stay anyway, and `every=E`, not less than its work is worth.
    pub(super) fn prompt_budget(
        &mut self,
        form: &str,
        least: usize,
        least_every: usize,
    ) -> Result<Budget, PolicyError> {
        let size = self.size(form)?;
        match size {
            Size::Tokens(size) if size <= least => {
                Err(self.wrong(format!("N: expected more than {least}, found {size}")))
            }
            size => {
                let every = self.count_if_any("every")?;
                if let Some(every) = every.filter(|every| *every < least_every) {
                    return Err(self.wrong(format!(
                        "every={every}: expected at least {least_every}, it looks at every key"
                    )));
                }
                Ok(Budget::Prompt { size, least, every, depth: None })
            }
        }
    }

    /// Two sizes; shares of one text that are more than all of it are refused.
    pub(super) fn two_sizes(
        &mut self,
        form: &str,
        names: [&str; 2],
    ) -> Result<[Size; 2], PolicyError> {
        let given = std::mem::take(&mut self.sizes);
        let [a, b] = given.as_slice() else {
            return Err(self.wrong(format!("expected {form}")));
        };
        let sizes = [self.one_size(names[0], a)?, self.one_size(names[1], b)?];
        match sizes {
            [Size::Share(a), Size::Share(b)] if a + b > 1.0 => {
                Err(self.wrong(format!("{}: shares of more than 1 together", names.join("+"))))
            }
            sizes => Ok(sizes),
        }
    }

    fn one_size(&self, name: &str, text: &str) -> Result<Size, PolicyError> {
        let expected = |what: &str| self.wrong(format!("{name}: expected {what}, found {text}"));
        let percent = text.strip_suffix('%');
        if percent.is_none() && !text.contains('.') {
            return whole(text).map(Size::Tokens).ok_or_else(|| expected("a number of tokens"));
        }
        let number: Option<f64> = percent.unwrap_or(text).parse().ok();
        let share = number.map(|number| if percent.is_some() { number / 100.0 } else { number });
        share
            .filter(|share| *share > 0.0 && *share <= 1.0)
            .map(Size::Share)
            .ok_or_else(|| expected("a share above 0 and up to 1"))
    }

    fn take(&mut self, name: &str) -> Result<Option<String>, PolicyError> {
        let Some(at) = self.values.iter().position(|(found, _)| found == name) else {
            return Ok(None);
        };
        let (_, value) = self.values.remove(at);
        if self.values.iter().any(|(found, _)| found == name) {
            return Err(self.wrong(format!("{name} is there twice")));
        }
        value.map(Some).ok_or_else(|| self.wrong(format!("{name}: expected NAME=VALUE")))
    }

    /// A value that is one of `names`, the first where it is not given.
    pub(super) fn one_of(
        &mut self,
        name: &str,
        names: &[&'static str],
    ) -> Result<&'static str, PolicyError> {
        let Some(value) = self.take(name)? else { return Ok(names[0]) };
        names
            .iter()
            .copied()
            .find(|known| *known == value)
            .ok_or_else(|| self.wrong(format!("{name}={value}: expected {}", names.join(" or "))))
    }

    /// A share, from 0 to 1.
    pub(super) fn share(&mut self, name: &str, default: f64) -> Result<f64, PolicyError> {
        let Some(value) = self.take(name)? else { return Ok(default) };
        value
            .parse()
            .ok()
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| self.wrong(format!("{name}={value}: expected a number from 0 to 1")))
    }

    /// A number of tokens.
    pub(super) fn count(&mut self, name: &str, default: usize) -> Result<usize, PolicyError> {
        let Some(value) = self.take(name)? else { return Ok(default) };
        whole(&value)
            .ok_or_else(|| self.wrong(format!("{name}={value}: expected a number of tokens")))
    }

    /// A number of tokens, where one is given.
    pub(super) fn count_if_any(&mut self, name: &str) -> Result<Option<usize>, PolicyError> {
        if !self.values.iter().any(|(found, _)| found == name) {
            return Ok(None);
        }
        match self.count(name, 0)? {
            0 => Err(self.wrong(format!("{name}=0: expected at least 1"))),
            n => Ok(Some(n)),
        }
    }

    /// Any value that is text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, PolicyError> {
        self.take(name)
    }

    /// Layers: `A` or `A-B`.
    pub(super) fn range(
        &mut self,
        name: &str,
    ) -> Result<Option<RangeInclusive<usize>>, PolicyError> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        let (from, to) = value.split_once('-').unwrap_or((&value, &value));
        let ends = whole(from).zip(whole(to));
        let ends = ends.filter(|(from, to): &(usize, usize)| from <= to);
        let expected = || self.wrong(format!("{name}={value}: expected a layer, or A-B"));
        ends.map(|(from, to)| Some(from..=to)).ok_or_else(expected)
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), PolicyError> {
        if !self.sizes.is_empty() {
            return Err(self.wrong("it takes no sizes"));
        }
        match self.values.first() {
            Some((name, _)) => Err(self.wrong(format!("it has no {name}"))),
            None => Ok(()),
        }
    }
}

/// A whole number of digits alone.
fn whole(text: &str) -> Option<usize> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n <= u32::MAX as usize)
}
