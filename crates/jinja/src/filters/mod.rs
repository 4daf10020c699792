//! The filters: a table of names and functions.

mod entities;
mod html;
mod json;
mod number;
mod order;
mod pprint;
mod select;
mod sequence;
mod strip;
mod text;
mod urlize;
mod wrap;

use crate::error::{Result, fail};
use crate::interpret::environment::{Call, Filter};
use crate::interpret::{Args, Run};
use crate::value::{Value, repr};

const fn filter(name: &'static str, call: Call) -> Filter {
    Filter { name, call }
}

/// All of them: those of jinja2's `filters.py`, with the `tojson` of Hugging Face.
pub(crate) const FILTERS: &[Filter] = &[
    filter("abs", number::abs),
    filter("attr", select::attr),
    filter("batch", sequence::batch),
    filter("capitalize", text::capitalize),
    filter("center", text::center),
    filter("count", sequence::length),
    filter("d", default),
    filter("default", default),
    filter("dictsort", order::dictsort),
    filter("e", html::escape),
    filter("escape", html::escape),
    filter("filesizeformat", number::filesizeformat),
    filter("first", sequence::first),
    filter("float", number::float),
    filter("forceescape", html::forceescape),
    filter("format", text::format),
    filter("groupby", order::groupby),
    filter("indent", text::indent),
    filter("int", number::int),
    filter("items", sequence::items),
    filter("join", sequence::join),
    filter("last", sequence::last),
    filter("length", sequence::length),
    filter("list", sequence::list),
    filter("lower", text::lower),
    filter("map", select::map),
    filter("max", order::max),
    filter("min", order::min),
    filter("pprint", pprint::pprint),
    filter("random", |_, _, _| {
        fail("filter 'random' is not supported: a prompt is the same each time")
    }),
    filter("reject", select::reject),
    filter("rejectattr", select::rejectattr),
    filter("replace", text::replace),
    filter("reverse", sequence::reverse),
    filter("round", number::round),
    filter("safe", html::safe),
    filter("select", select::select),
    filter("selectattr", select::selectattr),
    filter("slice", sequence::slice),
    filter("sort", order::sort),
    filter("string", string),
    filter("striptags", strip::striptags),
    filter("sum", sequence::sum),
    filter("title", text::title),
    filter("tojson", json::tojson),
    filter("trim", text::trim),
    filter("truncate", text::truncate),
    filter("unique", order::unique),
    filter("upper", text::upper),
    filter("urlencode", html::urlencode),
    filter("urlize", urlize::urlize),
    filter("wordcount", text::wordcount),
    filter("wordwrap", wrap::wordwrap),
    filter("xmlattr", html::xmlattr),
];

/// The filter of a name.
pub(crate) fn find(name: &str) -> Option<&'static Filter> {
    FILTERS.iter().find(|filter| filter.name == name)
}

fn default(_run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [default, boolean] = args.optional("default", ["default_value", "boolean"])?;
    let is_missing = matches!(value, Value::Undefined(_)) || is_true(boolean) && !value.is_true();
    Ok(if is_missing { default.unwrap_or_else(|| Value::str("")) } else { value.clone() })
}

fn string(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("string", [])?;
    Ok(Value::Text(repr::to_text(run, value)?))
}

/// Whether an argument is given and true.
fn is_true(argument: Option<Value>) -> bool {
    argument.is_some_and(|value| value.is_true())
}

/// An argument, unless it is not given or `None`.
fn given(argument: Option<Value>) -> Option<Value> {
    argument.filter(|value| !matches!(value, Value::None))
}

/// A count from an argument; more than there is memory for is as good as any.
fn count(argument: &Value, what: &str) -> Result<usize> {
    match argument.index(what)? {
        n if n < 0 => fail(format!("{what}: expected a count, found {n}")),
        n => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
    }
}
