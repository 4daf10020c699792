//! What a call is given.

use super::Run;
use super::frame::Frame;
use crate::ast::{Arguments, Name};
use crate::error::{Result, fail};
use crate::value::{Value, iterate};
use std::rc::Rc;

/// The arguments of a call.
#[derive(Clone, Default)]
pub(crate) struct Args {
    /// By place.
    pub positional: Vec<Value>,
    /// By name.
    pub keyword: Vec<(Name, Value)>,
}

impl Args {
    /// The arguments as parameters of these names, the first `n_required` of which must be given.
    pub(crate) fn bind<const N: usize>(
        self,
        function: &str,
        names: [&str; N],
        n_required: usize,
    ) -> Result<[Option<Value>; N]> {
        let n_given = self.positional.len();
        if n_given > N {
            return fail(format!("{function}: expected at most {N} arguments, found {n_given}"));
        }
        let mut bound = [const { None }; N];
        for (place, value) in bound.iter_mut().zip(self.positional) {
            *place = Some(value);
        }
        for (name, value) in self.keyword {
            let Some(at) = names.iter().position(|expected| *expected == &name[..]) else {
                return fail(format!("{function}: unexpected keyword argument '{name}'"));
            };
            if bound[at].is_some() {
                return fail(format!("{function}: multiple values for argument '{name}'"));
            }
            bound[at] = Some(value);
        }
        match names.iter().zip(&bound).take(n_required).find(|(_, value)| value.is_none()) {
            Some((name, _)) => fail(format!("{function}: missing argument '{name}'")),
            None => Ok(bound),
        }
    }

    /// [`Args::bind`] where nothing is required.
    pub(crate) fn optional<const N: usize>(
        self,
        function: &str,
        names: [&str; N],
    ) -> Result<[Option<Value>; N]> {
        self.bind(function, names, 0)
    }

    /// [`Args::bind`] where all are required.
    pub(crate) fn required<const N: usize>(
        self,
        function: &str,
        names: [&str; N],
    ) -> Result<[Value; N]> {
        let bound = self.bind(function, names, N)?;
        Ok(bound.map(|value| value.unwrap_or(Value::None)))
    }
}

impl Run<'_> {
    /// Evaluates the arguments of a call.
    pub(super) fn arguments(&self, arguments: &Arguments, frame: &Rc<Frame>) -> Result<Args> {
        let mut found = Args {
            positional: Vec::with_capacity(arguments.positional.len()),
            keyword: Vec::with_capacity(arguments.keyword.len()),
        };
        for value in &arguments.positional {
            found.positional.push(self.eval(value, frame)?);
        }
        for (name, value) in &arguments.keyword {
            found.keyword.push((name.clone(), self.eval(value, frame)?));
        }
        if let Some(all) = &arguments.all {
            found.positional.extend(iterate::collect(self, &self.eval(all, frame)?)?);
        }
        if let Some(all) = &arguments.all_keyword {
            let all = self.eval(all, frame)?;
            let Value::Dict(dict) = &all else {
                return fail(format!(
                    "argument after ** must be a mapping, not {}",
                    all.described()
                ));
            };
            for (key, value) in dict.entries() {
                self.budget.step()?;
                let Value::Text(name) = key else { return fail("keywords must be strings") };
                // Only names of the source are looked for: a dictionary has no key twice.
                if found.keyword[..arguments.keyword.len()]
                    .iter()
                    .any(|(existing, _)| existing[..] == name[..])
                {
                    return fail(format!(
                        "got multiple values for keyword argument '{}'",
                        &name[..]
                    ));
                }
                found.keyword.push((name.chars_shared().clone(), value.clone()));
            }
        }
        Ok(found)
    }
}
