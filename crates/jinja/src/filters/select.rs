//! Filters that apply a filter or a test to each item, or look at an attribute of each.

use crate::error::{Result, fail, failure};
use crate::interpret::{Args, Run, access};
use crate::value::iterate::Cursor;
use crate::value::{Iter, Value};

/// Attributes and items to go through, from an argument such as `"address.city"`, `"0.name"` or
/// `1`.
pub(super) struct Path {
    parts: Vec<Value>,
    default: Option<Value>,
}

impl Path {
    /// The path that an argument names.
    pub(super) fn new(run: &Run<'_>, argument: &Value) -> Result<Path> {
        let parts = match argument {
            Value::Text(text) => {
                text.split('.').map(|part| Path::part(run, part)).collect::<Result<_>>()?
            }
            Value::None => Vec::new(),
            other => vec![other.clone()],
        };
        Ok(Path { parts, default: None })
    }

    fn part(run: &Run<'_>, part: &str) -> Result<Value> {
        run.budget.step()?;
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        Ok(match part.parse() {
            Ok(number) if is_number => Value::Int(number),
            _ => Value::Text(run.budget.text(part)?),
        })
    }

    /// What stands for what is not there, unless it is `None`.
    pub(super) fn or(mut self, default: Option<Value>) -> Path {
        self.default = default.filter(|default| !matches!(default, Value::None));
        self
    }

    /// What is at the path in `item`.
    pub(super) fn get(&self, run: &Run<'_>, item: &Value) -> Result<Value> {
        let mut value = item.clone();
        for part in &self.parts {
            run.budget.step()?;
            value = access::item(run, &value, part)?;
            if let (Value::Undefined(_), Some(default)) = (&value, &self.default) {
                value = default.clone();
            }
        }
        Ok(value)
    }

    /// How deep what it holds is.
    fn depth(&self) -> u16 {
        self.default.as_ref().map_or(0, Value::depth)
    }
}

/// `attr(name)`: an attribute, and never an item.
pub(super) fn attr(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [name] = args.required("attr", ["name"])?;
    let name = name.text("attr")?;
    if matches!(value, Value::Undefined(_)) {
        return value.defined().cloned();
    }
    Ok(access::own_attribute(run, value, name)?.unwrap_or_else(|| {
        Value::undefined(format!("'{} object' has no attribute '{}'", value.type_name(), &name[..]))
    }))
}

/// How deep the arguments of a generator are.
fn depth_of(args: &Args) -> u16 {
    let given = args.positional.iter().chain(args.keyword.iter().map(|(_, value)| value));
    given.map(Value::depth).max().unwrap_or(0)
}

/// `map('filter', …)`, `map(attribute='name', default=None)`
pub(super) fn map(run: &Run<'_>, value: &Value, mut args: Args) -> Result<Value> {
    const NAME: &str = "sync_do_map";
    if !value.is_true() {
        return Iter::over(NAME, 0, Cursor::Empty);
    }
    let depth = value.depth().max(depth_of(&args));
    let mut cursor = Cursor::new(value)?;
    if args.positional.is_empty() && args.keyword.iter().any(|(name, _)| name[..] == *"attribute") {
        let [attribute, default] = args.optional("map", ["attribute", "default"])?;
        let path = Path::new(run, &attribute.unwrap_or(Value::None))?.or(default);
        let step = move |run: &Run<'_>| match cursor.next(run)? {
            Some(item) => path.get(run, &item).map(Some),
            None => Ok(None),
        };
        return Iter::value(NAME, depth, Box::new(step));
    }
    if args.positional.is_empty() {
        return fail("map requires a filter argument");
    }
    let name = args.positional.remove(0);
    let filter =
        name.as_str().and_then(run.environment.filter).ok_or_else(|| unknown("filter", &name))?;
    let step = move |run: &Run<'_>| match cursor.next(run)? {
        Some(item) => (filter.call)(run, &item, args.clone()).map(Some),
        None => Ok(None),
    };
    Iter::value(NAME, depth, Box::new(step))
}

fn unknown(kind: &str, name: &Value) -> Box<crate::error::Error> {
    match name {
        Value::Text(text) => failure(format!("no {kind} named '{}'", &text[..])),
        other => failure(format!("no {kind} of this name: {}", other.described())),
    }
}

/// `select('test', …)`
pub(super) fn select(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    chosen(run, "sync_do_select", value, args, false, true)
}

/// `reject('test', …)`
pub(super) fn reject(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    chosen(run, "sync_do_reject", value, args, false, false)
}

/// `selectattr('name', 'test', …)`
pub(super) fn selectattr(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    chosen(run, "sync_do_selectattr", value, args, true, true)
}

/// `rejectattr('name', 'test', …)`
pub(super) fn rejectattr(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    chosen(run, "sync_do_rejectattr", value, args, true, false)
}

/// The items of which (or of whose attribute) a test says `wanted`; without a test, whether they
/// are true.
fn chosen(
    run: &Run<'_>,
    name: &'static str,
    value: &Value,
    mut args: Args,
    by_attribute: bool,
    wanted: bool,
) -> Result<Value> {
    if !value.is_true() {
        return Iter::over(name, 0, Cursor::Empty);
    }
    let depth = value.depth().max(depth_of(&args));
    let mut cursor = Cursor::new(value)?;
    let path = match by_attribute {
        true if args.positional.is_empty() => return fail("missing parameter for attribute name"),
        true => Path::new(run, &args.positional.remove(0))?,
        false => Path::new(run, &Value::None)?,
    };
    let predicate = match args.positional.is_empty() {
        true => None,
        false => {
            let test = args.positional.remove(0);
            Some(
                test.as_str()
                    .and_then(run.environment.predicate)
                    .ok_or_else(|| unknown("test", &test))?,
            )
        }
    };
    let depth = depth.max(path.depth());
    let step = move |run: &Run<'_>| {
        while let Some(item) = cursor.next(run)? {
            let looked_at = path.get(run, &item)?;
            let holds = match predicate {
                Some(predicate) => (predicate.holds)(run, &looked_at, args.clone())?,
                None => looked_at.is_true(),
            };
            if holds == wanted {
                return Ok(Some(item));
            }
        }
        Ok(None)
    };
    Iter::value(name, depth, Box::new(step))
}
