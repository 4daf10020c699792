//! The methods of integers and floats.

use super::Method;
use crate::error::{Result, fail};
use crate::interpret::Args;
use crate::value::Value;

/// Those of `int` and `bool`.
pub(super) const INT: &[Method] = &[
    Method::new("bit_length", |_, value, args| {
        Ok(Value::Int(i128::from(u128::BITS - int(value, args)?.unsigned_abs().leading_zeros())))
    }),
    Method::new("bit_count", |_, value, args| {
        Ok(Value::Int(i128::from(int(value, args)?.unsigned_abs().count_ones())))
    }),
    Method::new("conjugate", |_, value, args| Ok(Value::Int(int(value, args)?))),
    Method::new("is_integer", |_, value, args| Ok(Value::Bool(int(value, args).is_ok()))),
    Method::new("as_integer_ratio", |run, value, args| {
        Value::tuple(vec![Value::Int(int(value, args)?), Value::Int(1)], &run.budget)
    }),
    Method::refused("to_bytes"),
    Method::refused("from_bytes"),
];

/// Those of `float`.
pub(super) const FLOAT: &[Method] = &[
    Method::new("is_integer", |_, value, args| {
        let number = float(value, args)?;
        Ok(Value::Bool(number.is_finite() && number.trunc() == number))
    }),
    Method::new("conjugate", |_, value, args| Ok(Value::Float(float(value, args)?))),
    Method::refused("as_integer_ratio"),
    Method::refused("fromhex"),
    Method::refused("hex"),
];

/// The integer that the method is of; it is given nothing.
fn int(value: &Value, args: Args) -> Result<i128> {
    let [] = args.optional("int method", [])?;
    value.index("int method")
}

/// The float that the method is of; it is given nothing.
fn float(value: &Value, args: Args) -> Result<f64> {
    let [] = args.optional("float method", [])?;
    match value {
        Value::Float(number) => Ok(*number),
        other => fail(format!("expected a float, found {}", other.type_name())),
    }
}
