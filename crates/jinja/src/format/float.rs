//! Digits of a float, as C's `%f`, `%e` and `%g` write them. The number is not negative.

use crate::value::repr::with_exponent;

/// `inf` and `nan`, where there are no digits.
pub(crate) fn special(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("nan")
    } else if number.is_infinite() {
        Some("inf")
    } else {
        None
    }
}

/// `%.{precision}f`, with the point even where no digit follows if `alternate`.
pub(crate) fn fixed(number: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{number:.precision$}");
    if alternate && precision == 0 { text + "." } else { text }
}

/// `%.{precision}e`
pub(crate) fn exponential(number: f64, precision: usize, alternate: bool) -> String {
    let text = with_exponent(&format!("{number:.precision$e}"));
    if alternate && precision == 0 { text.replacen('e', ".e", 1) } else { text }
}

/// `%.{precision}g`: the shorter of both; trailing zeros stay if `alternate`. From the exponent
/// `limit` on it is exponential.
pub(crate) fn general(
    number: f64,
    precision: usize,
    alternate: bool,
    limit: Option<i64>,
) -> String {
    let precision = precision.max(1);
    let text = format!("{number:.*e}", precision - 1);
    let exponent =
        text.split_once('e').and_then(|(_, exponent)| exponent.parse::<i64>().ok()).unwrap_or(0);
    let is_fixed = (-4..limit.unwrap_or(precision as i64)).contains(&exponent);
    if !is_fixed {
        let text = exponential(number, precision - 1, alternate);
        let Some((digits, exponent)) = text.split_once('e') else { return text };
        return format!("{}e{exponent}", if alternate { digits } else { trimmed(digits) });
    }
    let decimals = usize::try_from(precision as i64 - 1 - exponent).unwrap_or(0);
    let text = fixed(number, decimals, alternate);
    if alternate { text } else { trimmed(&text).to_owned() }
}

/// Without the zeros that end it, and without a point that then ends it.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}
