//! JSON documents with a string of a megabyte in each place that can hold one: no error may repeat
//! it.

use serde_json::{Map, Value};

/// What is longer than any message may be.
pub const MESSAGE: usize = 2500;

/// Entries of a list, or of an object with many, that are tried: a vocabulary has hundreds alike.
const ALIKE: usize = 3;

/// A string that no message repeats.
pub fn string() -> String {
    "x".repeat(1 << 20)
}

/// Calls `check` with every document that comes of `document` by a long string in the place of a
/// value or of a name. Tells how many there were.
pub fn each(document: &str, check: &mut dyn FnMut(&str)) -> usize {
    let document: Value = serde_json::from_str(document).expect("a seed is JSON");
    let mut count = 0;
    variants(&document, &|value| value, &mut |variant| {
        count += 1;
        check(&variant.to_string());
    });
    count
}

/// Of `value` and all within it; `whole` puts what comes of it in its place.
fn variants(value: &Value, whole: &dyn Fn(Value) -> Value, check: &mut dyn FnMut(Value)) {
    check(whole(Value::String(string())));
    match value {
        Value::Array(entries) => {
            for (at, entry) in entries.iter().enumerate().take(ALIKE) {
                let put = |new: Value| {
                    let mut entries = entries.clone();
                    entries[at] = new;
                    whole(entries.into())
                };
                variants(entry, &put, check);
            }
        }
        Value::Object(fields) => {
            let n = if fields.len() > 64 { ALIKE } else { fields.len() };
            for (name, field) in fields.iter().take(n) {
                let renamed = fields.iter().map(|(other, value)| {
                    (if other == name { string() } else { other.clone() }, value.clone())
                });
                check(whole(Value::Object(renamed.collect::<Map<_, _>>())));
                let put = |new: Value| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), new);
                    whole(fields.into())
                };
                variants(field, &put, check);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_place_is_tried() {
        let mut seen = Vec::new();
        let n = super::each(r#"{"a": [1, {"b": 2}]}"#, &mut |text| {
            seen.push(text.replace(&super::string(), "L"))
        });
        assert_eq!(n, seen.len());
        seen.sort();
        let all = [
            r#""L""#,
            r#"{"L":[1,{"b":2}]}"#,
            r#"{"a":"L"}"#,
            r#"{"a":["L",{"b":2}]}"#,
            r#"{"a":[1,"L"]}"#,
            r#"{"a":[1,{"L":2}]}"#,
            r#"{"a":[1,{"b":"L"}]}"#,
        ];
        assert_eq!(seen, all);
    }
}
