//! What every template finds: a table of names and functions.

use crate::error::{Error, Result, fail};
use crate::interpret::{Args, Run};
use crate::time;
use crate::value::iterate::{Cursor, collect};
use crate::value::object::{Namespace, check_name, function, object};
use crate::value::repr::to_text;
use crate::value::text::Buffer;
use crate::value::{Dict, Object, Range, Text, Value};
use std::cell::Cell;
use std::rc::Rc;

/// A global function.
type Global = fn(&Run<'_>, Args) -> Result<Value>;

/// All of them: those of jinja2's `defaults.py` and of Hugging Face's environment.
const GLOBALS: &[(&str, Global)] = &[
    ("cycler", cycler),
    ("dict", |run, args| Ok(Value::dict(dict(run, args)?))),
    ("joiner", joiner),
    ("lipsum", |_, _| fail("'lipsum' is not supported: a prompt is the same each time")),
    ("namespace", namespace),
    ("raise_exception", raise_exception),
    ("range", range),
    ("strftime_now", strftime_now),
];

/// The global of a name.
pub(crate) fn find(name: &str) -> Option<Value> {
    GLOBALS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(known, global)| function(known, 0, global))
}

fn range(_run: &Run<'_>, args: Args) -> Result<Value> {
    let n_given = args.positional.len();
    let [first, second, step] = args.bind("range", ["start", "stop", "step"], 1)?;
    let index =
        |value: Option<Value>, missing| value.map_or(Ok(missing), |value| value.index("range"));
    let (first, step) = (index(first, 0)?, index(step, 1)?);
    let range = if n_given == 1 {
        Range::new(0, first, step)
    } else {
        Range::new(first, index(second, 0)?, step)
    };
    range.map(Value::Range)
}

/// `dict(mapping or pairs, name=value, …)`
fn dict(run: &Run<'_>, mut args: Args) -> Result<Dict> {
    if args.positional.len() > 1 {
        return fail(format!("dict expected at most 1 argument, got {}", args.positional.len()));
    }
    let mut dict = match args.positional.pop() {
        None => Dict::default(),
        Some(Value::Dict(from)) => from.copied(&run.budget)?,
        Some(pairs) => {
            let mut dict = Dict::default();
            let mut cursor = Cursor::new(&pairs)?;
            while let Some(pair) = cursor.next(run)? {
                match <[Value; 2]>::try_from(collect(run, &pair)?) {
                    Ok([key, value]) => dict.insert(key, value, &run.budget)?,
                    Err(items) => {
                        return fail(format!("dict: expected pairs, found {} items", items.len()));
                    }
                }
            }
            dict
        }
    };
    for (name, value) in args.keyword {
        dict.insert(Value::Text(Text::shared(name)), value, &run.budget)?;
    }
    Ok(dict)
}

fn namespace(run: &Run<'_>, args: Args) -> Result<Value> {
    let attributes = dict(run, args)?;
    attributes.entries().iter().filter_map(|(name, _)| name.as_str()).try_for_each(check_name)?;
    run.budget.produce(size_of::<Dict>())?;
    let mut namespaces = run.state.namespaces.borrow_mut();
    namespaces.push(attributes);
    Ok(object(Namespace(namespaces.len() - 1)))
}

fn raise_exception(run: &Run<'_>, args: Args) -> Result<Value> {
    let [message] = args.required("raise_exception", ["message"])?;
    Err(Box::new(Error::Raised(to_text(run, &message)?.to_string())))
}

fn strftime_now(run: &Run<'_>, args: Args) -> Result<Value> {
    let [format] = args.required("strftime_now", ["format"])?;
    let mut out = Buffer::new(&run.budget);
    time::format(run.now, format.text("strftime_now")?, &mut out)?;
    Ok(Value::Text(out.into_text(false)))
}

/// `cycler(…)`: gives its items in turn.
struct Cycler {
    items: Value,
    at: Rc<Cell<usize>>,
}

fn cycler(run: &Run<'_>, args: Args) -> Result<Value> {
    if args.positional.is_empty() || !args.keyword.is_empty() {
        return fail("cycler: at least one item has to be provided");
    }
    Ok(object(Cycler { items: Value::tuple(args.positional, &run.budget)?, at: Rc::default() }))
}

impl Object for Cycler {
    fn type_name(&self) -> &'static str {
        "Cycler"
    }

    fn depth(&self) -> u16 {
        self.items.depth().saturating_add(1)
    }

    fn attribute(&self, _run: &Run<'_>, name: &str) -> Result<Option<Value>> {
        let (items, at) = (self.items.clone(), self.at.clone());
        let current =
            |items: &Value, at: usize| items.as_items().and_then(|items| items.get(at)).cloned();
        Ok(match name {
            "items" => Some(items),
            "pos" => Some(Value::Int(at.get() as i128)),
            "current" => current(&items, at.get()),
            "next" => Some(function("next", self.depth(), move |_, args| {
                let [] = args.optional("next", [])?;
                let item = current(&items, at.get());
                at.set((at.get() + 1) % items.len().unwrap_or(1).max(1));
                Ok(item.unwrap_or(Value::None))
            })),
            "reset" => Some(function("reset", 0, move |_, args| {
                let [] = args.optional("reset", [])?;
                at.set(0);
                Ok(Value::None)
            })),
            _ => None,
        })
    }
}

/// `joiner(sep=', ')`: nothing the first time, then the separator.
struct Joiner {
    separator: Value,
    used: Cell<bool>,
}

fn joiner(_run: &Run<'_>, args: Args) -> Result<Value> {
    let [separator] = args.optional("joiner", ["sep"])?;
    Ok(object(Joiner {
        separator: separator.unwrap_or_else(|| Value::str(", ")),
        used: Cell::new(false),
    }))
}

impl Object for Joiner {
    fn type_name(&self) -> &'static str {
        "Joiner"
    }

    fn depth(&self) -> u16 {
        self.separator.depth().saturating_add(1)
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn attribute(&self, _run: &Run<'_>, name: &str) -> Result<Option<Value>> {
        Ok(match name {
            "sep" => Some(self.separator.clone()),
            "used" => Some(Value::Bool(self.used.get())),
            _ => None,
        })
    }

    fn call(&self, _run: &Run<'_>, args: Args) -> Result<Value> {
        let [] = args.optional("joiner", [])?;
        Ok(if self.used.replace(true) { self.separator.clone() } else { Value::str("") })
    }
}
