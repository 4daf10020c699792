//! Reading a spec: sizes after the colon, then NAME=VALUE.

use super::PolicyError;
use std::ops::RangeInclusive;

/// What of a spec has not been taken yet.
pub(super) struct Args {
    spec: String,
    sizes: Vec<String>,
    values: Vec<(String, Option<String>)>,
}

impl Args {
    pub(super) fn new(spec: &str) -> Args {
        let rest = spec.split_once(':').map_or("", |(_, rest)| rest);
        let mut sizes = Vec::new();
        let mut values = Vec::new();
        for (i, part) in rest.split(',').filter(|part| !part.is_empty()).enumerate() {
            match part.split_once('=') {
                Some((name, value)) => values.push((name.to_owned(), Some(value.to_owned()))),
                None if i == 0 => sizes = part.split('+').map(str::to_owned).collect(),
                None => values.push((part.to_owned(), None)),
            }
        }
        Args { spec: spec.to_owned(), sizes, values }
    }

    pub(super) fn wrong(&self, why: impl Into<String>) -> PolicyError {
        let spec = pacemark_files::excerpt(&self.spec).into_owned();
        PolicyError { spec, why: why.into() }
    }

    /// The sizes, which are of these names.
    pub(super) fn sizes<const N: usize>(
        &mut self,
        form: &str,
        names: [&str; N],
    ) -> Result<[usize; N], PolicyError> {
        let given = std::mem::take(&mut self.sizes);
        let Ok(given) = <[String; N]>::try_from(given) else {
            return Err(self.wrong(format!("expected {form}")));
        };
        let mut sizes = [0; N];
        for ((size, name), text) in sizes.iter_mut().zip(names).zip(&given) {
            *size =
                text.parse().ok().filter(|n| *n <= u32::MAX as usize).ok_or_else(|| {
                    self.wrong(format!("{name}: expected a number, found {text}"))
                })?;
        }
        Ok(sizes)
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
        value
            .parse()
            .ok()
            .filter(|n| *n <= u32::MAX as usize)
            .ok_or_else(|| self.wrong(format!("{name}={value}: expected a number of tokens")))
    }

    /// Layers: `A` or `A-B`.
    pub(super) fn range(
        &mut self,
        name: &str,
    ) -> Result<Option<RangeInclusive<usize>>, PolicyError> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        let (from, to) = value.split_once('-').unwrap_or((&value, &value));
        let ends = from.parse().ok().zip(to.parse().ok());
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
