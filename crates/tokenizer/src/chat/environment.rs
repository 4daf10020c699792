//! The environment a template finds: minijinja made to look like Hugging Face's Jinja2.

use super::{FUEL, tojson};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind};
use minijinja_contrib::pycompat::unknown_method_callback;

/// The message of `raise_exception`, as the source of an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Raised(pub String);

/// Compiles `source` under `name`.
pub fn compile(name: &'static str, source: String) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.set_fuel(Some(FUEL));
    // Debug information holds values; they may be deep, and an error is dropped on the caller's stack.
    environment.set_debug(false);
    environment.add_filter("tojson", tojson::tojson);
    environment.add_function("raise_exception", raise_exception);
    // These write a value's inside with an indentation: as the square of its depth.
    environment.remove_filter("pprint");
    environment.remove_global("debug");
    environment.add_template_owned(name, source)?;
    Ok(environment)
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
}

/// Turns `{% generation %}…{% endgeneration %}`, which mark the assistant's words for training, into a block that does
/// nothing. A block and not nothing: it trims the white space around it as theirs does.
pub fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        out.push_str(before);
        let sign = usize::from(tag.starts_with(['-', '+']));
        out.push_str(&tag[..sign]);
        let word = tag[sign..].trim_start();
        let length = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len());
        let replacement = match &word[..length] {
            "generation" => Some(" if true "),
            "endgeneration" => Some(" endif "),
            _ => None,
        };
        rest = match replacement {
            Some(block) => {
                out.push_str(block);
                word[length..].trim_start()
            }
            None => &tag[sign..],
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::without_generation_tags;

    #[test]
    fn only_generation_tags_change() {
        let source = "{%- generation -%}a{% endgeneration%}{%generations%}{% if x %}generation{{ '{%' }}";
        let expected = "{%- if true -%}a{% endif %}{%generations%}{% if x %}generation{{ '{%' }}";
        assert_eq!(without_generation_tags(source), expected);
        assert_eq!(without_generation_tags("{%"), "{%");
        assert_eq!(without_generation_tags("{%é"), "{%é");
    }
}
