//! llama-bench's flags beyond the common ones: those that steer how a model is loaded and run become
//! settings, which each backend has or refuses; those that steer what this engine does not have are
//! accepted where the value changes nothing on a CPU, so that command lines keep working, and
//! refused where it asks for something that would not happen.

mod choice;
mod table;

use crate::exit::UsageError;
use crate::setup::strict_without_processors;
use choice::Choice;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches};
use pacemark_backends::{BACKENDS, BackendEntry};
use pacemark_bench::parameter::{CPU_MASK, CPU_STRICT, N_GPU_LAYERS};
use pacemark_bench::{Axis, Parameter};
use pacemark_setup::{Cpus, DType};
use table::CACHE_TYPES;
pub(super) use table::FLAGS;

/// A flag that is read, checked and recorded.
pub(super) struct Flag {
    /// Its long name, without dashes.
    pub long: &'static str,
    /// Its short name, if it has several letters (argv.rs) or one (`-C`).
    pub short: Option<&'static str>,
    /// The parameter that records it, with its default; `None` where llama-bench records nothing.
    pub records: Option<(Parameter, Choice)>,
    /// What may be given, and what that is.
    accepts: Accepts,
    /// Why nothing else may; completes "…: ".
    why: &'static str,
    /// A switch without a value.
    switch: bool,
    /// The parameter of another flag, of which this is another name for some values.
    sets: Option<Parameter>,
}

/// Where the flags stand that say which devices compute.
const DEVICES_HEADING: &str =
    "Devices (needs --backend llama-cpp; --device also another that has devices)";

/// The values of a flag, whatever the backend.
enum Accepts {
    /// These.
    Only(&'static [(&'static str, Choice)]),
    /// A type of the KV cache.
    CacheType(fn(DType) -> Choice),
    /// These, and what the function reads: `None` for what may not be.
    Free(&'static [(&'static str, Choice)], fn(&str) -> Option<Choice>),
    /// Any whole number from 0.
    AnyCount,
    /// A hexadecimal set of processors.
    Mask,
    /// None at all.
    Nothing,
}

/// What was given for [`FLAGS`], in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct CompatFlags {
    given: Vec<Vec<String>>,
}

/// What was chosen for a parameter.
pub(super) struct Choices {
    /// The parameter.
    pub parameter: Parameter,
    /// Its values, in the order asked for.
    pub values: Vec<Choice>,
    /// Several, or another than the default.
    pub is_varied: bool,
}

impl Choices {
    /// With no layer on a device, and with all: what is planned for beside this machine alone. What
    /// was asked for stays.
    pub(super) fn or_none_and_all(mut self) -> Choices {
        if self.parameter.name == N_GPU_LAYERS.name && !self.is_varied {
            self.values = vec![Choice::Layers(Some(0)), Choice::Layers(None)];
            self.is_varied = true;
        }
        self
    }

    /// Them as an axis of tests.
    pub(super) fn axis(self) -> Axis {
        let parameter = self.parameter;
        Axis::new(parameter, self.values, move |test, choice| choice.set(parameter, test))
    }
}

impl CompatFlags {
    /// The choices for each parameter. Refuses the first value that would not happen on one of
    /// `backends`, and a strict placement without processors.
    pub(super) fn choices(&self, backends: &[&BackendEntry]) -> Result<Vec<Choices>, UsageError> {
        let check = |(flag, given): (&Flag, &Vec<String>)| -> Result<Vec<Choice>, UsageError> {
            given.iter().map(|value| flag.check(value, backends)).collect()
        };
        let checked: Vec<Vec<Choice>> =
            FLAGS.iter().zip(&self.given).map(check).collect::<Result<_, _>>()?;
        let mut all = Vec::new();
        for (flag, values) in FLAGS.iter().zip(&checked) {
            let Some((parameter, default)) = flag.records else { continue };
            let is_other = |other: &Flag| other.sets.is_some_and(|p| p.name == parameter.name);
            let others = FLAGS.iter().zip(&checked).filter(|(other, _)| is_other(other));
            let mut values: Vec<Choice> =
                values.iter().chain(others.flat_map(|(_, values)| values)).copied().collect();
            let is_varied = values.len() > 1 || values.first().is_some_and(|v| *v != default);
            if values.is_empty() {
                values.push(default);
            }
            all.push(Choices { parameter, values, is_varied });
        }
        let has = |parameter: Parameter, choice| {
            let of_it = all.iter().filter(|choices| choices.parameter.name == parameter.name);
            of_it.flat_map(|choices| &choices.values).any(|value| *value == choice)
        };
        // Every combination is run.
        if has(CPU_STRICT, Choice::Strict(true)) && has(CPU_MASK, Choice::Processors(None)) {
            return Err(strict_without_processors());
        }
        Ok(all)
    }
}

impl Accepts {
    /// The values that have names.
    fn named(&self) -> Vec<(String, Choice)> {
        match self {
            Accepts::Only(values) | Accepts::Free(values, _) => {
                values.iter().map(|(name, choice)| ((*name).to_owned(), *choice)).collect()
            }
            Accepts::CacheType(of) => {
                CACHE_TYPES.iter().map(|t| (t.name().to_lowercase(), of(*t))).collect()
            }
            Accepts::AnyCount | Accepts::Mask | Accepts::Nothing => Vec::new(),
        }
    }

    fn by_name(&self, given: &str) -> Option<Choice> {
        self.named().into_iter().find(|(name, _)| name == given).map(|(_, choice)| choice)
    }

    /// What was given, if it may be.
    fn read(&self, given: &str) -> Option<Choice> {
        match self {
            Accepts::Only(_) | Accepts::CacheType(_) => self.by_name(given),
            Accepts::Free(_, read) => self.by_name(given).or_else(|| read(given)),
            Accepts::AnyCount => given.parse::<u32>().ok().map(|n| Choice::Int(n.into())),
            Accepts::Mask => {
                let cpus = Cpus::from_mask(given).ok()?;
                Some(Choice::Processors((cpus.count() > 0).then_some(cpus)))
            }
            Accepts::Nothing => None,
        }
    }
}

/// The names of those of `values` that `is_wanted`, as a list ends.
fn names(values: &[(String, Choice)], is_wanted: impl Fn(Choice) -> bool) -> Vec<&str> {
    values.iter().filter(|(_, choice)| is_wanted(*choice)).map(|(name, _)| name.as_str()).collect()
}

impl Flag {
    /// What was given, or why it would not happen on one of `backends`.
    fn check(&self, given: &str, backends: &[&BackendEntry]) -> Result<Choice, UsageError> {
        let choice = self.accepts.read(given);
        let refused = |choice: Choice| backends.iter().find_map(|b| choice.refused_by(b));
        let why = match choice.map(|choice| (choice, refused(choice))) {
            Some((choice, None)) => return Ok(choice),
            Some((_, Some(why))) => why,
            None => self.why.to_owned(),
        };
        let name = self.short.map_or(format!("--{}", self.long), str::to_owned);
        let what = if self.switch { name } else { format!("{name} {given}") };
        let named = self.accepts.named();
        let taken = names(&named, |choice| backends.iter().all(|b| choice.is_taken_by(b)));
        let instead = match &taken[..] {
            [] => String::new(),
            // What may be is more than what has a name, and `why` says it.
            _ if choice.is_none() && matches!(self.accepts, Accepts::Free(..)) => String::new(),
            taken => format!(" Here it may be {}.", taken.join(" or ")),
        };
        let takers = BACKENDS.iter().filter(|b| choice.is_some_and(|choice| choice.is_taken_by(b)));
        let elsewhere = takers.map(|BackendEntry { name, .. }| {
            format!(" The {name} backend takes it (--backend {name}).")
        });
        let elsewhere: String = elsewhere.collect();
        Err(UsageError(format!("{what}: {why}.{instead}{elsewhere}")))
    }

    fn help(&self) -> String {
        let short = self.short.map_or(String::new(), |short| format!(" ({short})"));
        match self.accepts {
            Accepts::Only(_) if self.switch => self.why.to_owned(),
            Accepts::Only(_) | Accepts::CacheType(_) => format!("{}{short}", self.values()),
            Accepts::Free(..) => format!("{}; llama-cpp: {}{short}", self.values(), self.why),
            Accepts::AnyCount => format!("any number{short}"),
            Accepts::Mask => {
                format!("processors to compute on, as a hexadecimal mask; 0x0 for any{short}")
            }
            Accepts::Nothing => format!("refused: {}{short}", self.why),
        }
    }

    /// The values that the default backend takes, then those that others take besides.
    fn values(&self) -> String {
        let (default, named) = (&BACKENDS[0], self.accepts.named());
        let mut text = names(&named, |choice| choice.is_taken_by(default)).join(" or ");
        for other in &BACKENDS[1..] {
            let besides =
                names(&named, |choice| choice.is_taken_by(other) && !choice.is_taken_by(default));
            if !besides.is_empty() {
                text += &format!("; {}: {} too", other.name, besides.join(", "));
            }
        }
        text
    }
}

impl clap::Args for CompatFlags {
    fn augment_args(command: Command) -> Command {
        FLAGS.iter().fold(command, |command, flag| {
            let heading = match flag.accepts {
                Accepts::Free(..) => DEVICES_HEADING,
                _ => "Accepted for llama-bench's sake",
            };
            let mut arg = Arg::new(flag.long)
                .long(flag.long)
                .help(flag.help())
                .help_heading(heading)
                .hide_short_help(true);
            if flag.switch {
                arg = arg.action(ArgAction::SetTrue);
            } else {
                arg = arg
                    .action(ArgAction::Append)
                    .value_name("V")
                    .value_delimiter(',')
                    .allow_hyphen_values(true);
            }
            if let Some([letter]) =
                flag.short.and_then(|short| short.strip_prefix('-')).map(str::as_bytes)
            {
                arg = arg.short(char::from(*letter));
            }
            command.arg(arg)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for CompatFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = FLAGS.iter().map(|flag| {
            if flag.switch {
                return if matches.get_flag(flag.long) { vec![String::new()] } else { Vec::new() };
            }
            matches
                .get_many::<String>(flag.long)
                .map_or(Vec::new(), |values| values.cloned().collect())
        });
        Ok(CompatFlags { given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
