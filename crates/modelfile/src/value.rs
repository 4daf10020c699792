//! A metadata value and its types, as GGUF defines them.

use crate::Strings;

/// One value of a model's metadata.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the types'")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    U64(u64),
    I64(i64),
    F64(f64),
    U8s(Vec<u8>),
    I8s(Vec<i8>),
    U16s(Vec<u16>),
    I16s(Vec<i16>),
    U32s(Vec<u32>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
    Bools(Vec<bool>),
    Strings(Strings),
    U64s(Vec<u64>),
    I64s(Vec<i64>),
    F64s(Vec<f64>),
    /// An array of arrays; every element is one of the array variants.
    Nested(Vec<Value>),
}

/// The type of a value or of an array's elements. The discriminant is the type's number in the
/// file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the types'")]
pub enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl ValueType {
    const ALL: [(ValueType, &str); 13] = [
        (ValueType::U8, "u8"),
        (ValueType::I8, "i8"),
        (ValueType::U16, "u16"),
        (ValueType::I16, "i16"),
        (ValueType::U32, "u32"),
        (ValueType::I32, "i32"),
        (ValueType::F32, "f32"),
        (ValueType::Bool, "bool"),
        (ValueType::String, "string"),
        (ValueType::Array, "array"),
        (ValueType::U64, "u64"),
        (ValueType::I64, "i64"),
        (ValueType::F64, "f64"),
    ];

    /// The type with this number in a GGUF file.
    pub(crate) fn from_id(id: u32) -> Option<ValueType> {
        Self::ALL.get(id as usize).map(|entry| entry.0)
    }

    /// Its name in messages, e.g. `u32`.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// `(element type, Some(length) of an array)` of a value.
macro_rules! shapes {
    ($value:expr; $($scalar:ident $array:ident),*) => {
        match $value {
            $(Value::$scalar(_) => (ValueType::$scalar, None), Value::$array(v) => (ValueType::$scalar, Some(v.len())),)*
            Value::Nested(v) => (ValueType::Array, Some(v.len())),
        }
    };
}

impl Value {
    /// The type of the value, or for an array that of its elements with the array's length.
    pub fn shape(&self) -> (ValueType, Option<usize>) {
        shapes!(self; U8 U8s, I8 I8s, U16 U16s, I16 I16s, U32 U32s, I32 I32s, F32 F32s, Bool Bools, String Strings,
            U64 U64s, I64 I64s, F64 F64s)
    }

    /// Of an array these elements, as far as it has them; of anything else the value itself.
    pub(crate) fn elements(&self, at: &[usize]) -> Value {
        fn some<T: Clone>(values: &[T], at: &[usize]) -> Vec<T> {
            at.iter().filter_map(|&i| values.get(i)).cloned().collect()
        }
        macro_rules! taken {
            ($($array:ident),*) => {
                match self {
                    $(Value::$array(v) => Value::$array(some(v, at)),)*
                    Value::Strings(v) => {
                        Value::Strings(at.iter().filter_map(|&i| v.get(i)).collect())
                    }
                    other => other.clone(),
                }
            };
        }
        taken!(U8s, I8s, U16s, I16s, U32s, I32s, F32s, Bools, U64s, I64s, F64s, Nested)
    }

    /// The value as an integer, if it is one and fits.
    pub(crate) fn as_integer<T: TryFrom<i128>>(&self) -> Option<T> {
        let wide: i128 = match *self {
            Value::U8(v) => v.into(),
            Value::I8(v) => v.into(),
            Value::U16(v) => v.into(),
            Value::I16(v) => v.into(),
            Value::U32(v) => v.into(),
            Value::I32(v) => v.into(),
            Value::U64(v) => v.into(),
            Value::I64(v) => v.into(),
            _ => return None,
        };
        T::try_from(wide).ok()
    }

    /// The value as a list of integers, if it is an array of integers that all fit.
    pub(crate) fn as_integers<T: TryFrom<i128>>(&self) -> Option<Vec<T>> {
        fn fit<S: Copy + Into<i128>, T: TryFrom<i128>>(values: &[S]) -> Option<Vec<T>> {
            values.iter().map(|&v| T::try_from(v.into()).ok()).collect()
        }
        match self {
            Value::U8s(v) => fit(v),
            Value::I8s(v) => fit(v),
            Value::U16s(v) => fit(v),
            Value::I16s(v) => fit(v),
            Value::U32s(v) => fit(v),
            Value::I32s(v) => fit(v),
            Value::U64s(v) => fit(v),
            Value::I64s(v) => fit(v),
            _ => None,
        }
    }

    /// Type and, where short, content: what an error message says was found.
    pub fn describe(&self) -> String {
        const SHOWN: usize = 60;
        match self {
            Value::String(text) if text.len() > SHOWN => {
                format!("a string of {} bytes", text.len())
            }
            Value::String(text) => format!("string {text:?}"),
            Value::Bool(value) => format!("bool {value}"),
            Value::F32(value) => format!("f32 {value}"),
            Value::F64(value) => format!("f64 {value}"),
            other => match (other.shape(), other.as_integer::<i128>()) {
                ((kind, _), Some(integer)) => format!("{} {integer}", kind.name()),
                ((kind, len), None) => format!("array of {} {}", len.unwrap_or(0), kind.name()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_numbered_as_in_the_format() {
        for (id, (kind, _)) in ValueType::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, id);
        }
        assert_eq!(ValueType::from_id(13), None);
    }

    #[test]
    fn integers_are_taken_when_they_fit() {
        assert_eq!(Value::U64(7).as_integer::<u32>(), Some(7));
        assert_eq!(Value::I32(-1).as_integer::<u32>(), None);
        assert_eq!(Value::F32(1.0).as_integer::<u32>(), None);
        assert_eq!(Value::I64s(vec![1, 2]).as_integers::<u32>(), Some(vec![1, 2]));
        assert_eq!(Value::I64s(vec![1, -2]).as_integers::<u32>(), None);
    }

    #[test]
    fn descriptions_stay_short() {
        assert_eq!(Value::U16(9).describe(), "u16 9");
        assert_eq!(Value::String("llama".into()).describe(), "string \"llama\"");
        assert_eq!(Value::String("x".repeat(1000)).describe(), "a string of 1000 bytes");
        assert_eq!(Value::F32s(vec![0.0; 5]).describe(), "array of 5 f32");
    }
}
