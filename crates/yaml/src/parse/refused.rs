//! What the library refuses, in words of ours where it is about a bound.

use super::{DEEPEST, MOST_VALUES};
use crate::Mistake;
use pacemark_files::excerpt;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DefaultMessageFormatter, Error, Location, MessageFormatter};

/// What the library says, in our words where it is about bounds.
pub(super) fn mistake(error: &Error, text: &str) -> Mistake {
    let mut error = error.without_snippet();
    let mut places = error.locations();
    while let Error::AliasError { error: inner, locations, .. } = error {
        (error, places) = (inner, Some(*locations));
    }
    let location = places.and_then(|places| places.primary_location());
    let line = location.map_or(0, |location| location.line());
    let aliased = || {
        let named = location.and_then(|location| anchor(text, location));
        named.map_or_else(|| "an anchor".to_owned(), |name| format!("the anchor {name}"))
    };
    let what = match error {
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => format!(
            "{} is repeated until the file has more than {MOST_VALUES} values or {DEEPEST} levels",
            aliased()
        ),
        Error::MultipleDocuments { .. } => "expected one document, found another".to_owned(),
        Error::Budget { breach, .. } => bound(breach),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an alias stands within its own anchor".to_owned()
        }
        Error::NullIntoString { .. } => "expected text as a key, found null".to_owned(),
        // Its words repeat the file.
        other => {
            excerpt(&DefaultMessageFormatter.format_message(other)).replace(char::is_control, " ")
        }
    };
    Mistake { line, path: String::new(), what }
}

fn bound(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => {
            format!("expected at most {DEEPEST} levels of tables and lists, found more")
        }
        BudgetBreach::Documents { .. } => "expected one document, found another".to_owned(),
        _ => format!("expected at most {MOST_VALUES} values, found more"),
    }
}

/// The anchor that is repeated at a place: of an alias its name; within what an anchor stands for,
/// the last one before.
fn anchor(text: &str, location: Location) -> Option<String> {
    let at = usize::try_from(location.span().byte_offset()?).ok()?;
    let name = match text.get(at..)?.strip_prefix('*') {
        Some(name) => name,
        None => text.get(..at)?.rsplit_once('&')?.1,
    };
    let ends = |c: char| c.is_whitespace() || ",[]{}:".contains(c);
    let name = name.split(ends).next().filter(|name| !name.is_empty())?;
    Some(pacemark_files::quoted(name))
}
