//! Evaluates expressions.

use super::frame::Frame;
use super::{Args, Run, access};
use crate::ast::{Comparison, Escape, Expr, Literal, Postfix, Variable};
use crate::error::{Result, fail};
use crate::value::text::Buffer;
use crate::value::{Dict, Missing, Value, compare, operators, repr};
use std::cmp::Ordering;
use std::rc::Rc;

impl Run<'_> {
    /// The value of `expr`.
    pub(super) fn eval(&self, expr: &Expr, frame: &Rc<Frame>) -> Result<Value> {
        self.budget.step()?;
        match expr {
            Expr::Literal(literal) => Ok(constant(literal)),
            Expr::Variable(variable) => Ok(self.variable(variable, frame)),
            deeper => {
                self.budget.enter(1)?;
                let value = self.eval_deeper(deeper, frame)?;
                self.budget.leave(1);
                Ok(value)
            }
        }
    }

    fn variable(&self, variable: &Variable, frame: &Frame) -> Value {
        let missing = || Value::Undefined(Rc::new(Missing::Name(variable.name.clone())));
        frame.get(variable.slot).unwrap_or_else(missing)
    }

    fn eval_deeper(&self, expr: &Expr, frame: &Rc<Frame>) -> Result<Value> {
        match expr {
            Expr::Literal(literal) => Ok(constant(literal)),
            Expr::Variable(variable) => Ok(self.variable(variable, frame)),
            Expr::Postfix(base, applied) => self.postfix(base, applied, None, frame),
            Expr::List(items) => Value::list(self.all(items, frame)?, &self.budget),
            Expr::Tuple(items) => Value::tuple(self.all(items, frame)?, &self.budget),
            Expr::Dict(entries) => self.dict(entries, frame),
            Expr::Negative(inner) => operators::signed(&self.eval(inner, frame)?, true),
            Expr::Positive(inner) => operators::signed(&self.eval(inner, frame)?, false),
            Expr::Not(inner) => Ok(Value::Bool(!self.eval(inner, frame)?.is_true())),
            Expr::Arithmetic(first, rest) => {
                let mut value = self.eval(first, frame)?;
                for (operator, operand) in rest {
                    let operand = self.eval(operand, frame)?;
                    value = operators::binary(self, *operator, &value, &operand)?;
                }
                Ok(value)
            }
            Expr::Concat(parts, escape) => self.concat(parts, *escape, frame),
            Expr::Compare(first, rest) => self.compare(first, rest, frame),
            Expr::And(parts) => self.first_where(parts, false, frame),
            Expr::Or(parts) => self.first_where(parts, true, frame),
            Expr::Conditional(arms, otherwise) => {
                for (value, test) in arms {
                    if self.eval(test, frame)?.is_true() {
                        return self.eval(value, frame);
                    }
                }
                match otherwise {
                    Some(value) => self.eval(value, frame),
                    None => Ok(Value::undefined(
                        "the inline if-expression evaluated to false and has no else",
                    )),
                }
            }
        }
    }

    /// The first operand that is true (or not), or the last.
    fn first_where(&self, parts: &[Expr], wanted: bool, frame: &Rc<Frame>) -> Result<Value> {
        let mut value = Value::None;
        for part in parts {
            value = self.eval(part, frame)?;
            if value.is_true() == wanted {
                break;
            }
        }
        Ok(value)
    }

    fn all(&self, items: &[Expr], frame: &Rc<Frame>) -> Result<Vec<Value>> {
        items.iter().map(|item| self.eval(item, frame)).collect()
    }

    fn dict(&self, entries: &[(Expr, Expr)], frame: &Rc<Frame>) -> Result<Value> {
        let mut dict = Dict::default();
        for (key, value) in entries {
            let key = self.eval(key, frame)?;
            dict.insert(key, self.eval(value, frame)?, &self.budget)?;
        }
        Ok(Value::dict(dict))
    }

    /// `a ~ b`: plain text, unless values get escapes here (known beforehand, as in Jinja2) and one
    /// of the parts is markup.
    fn concat(&self, parts: &[Expr], escape: Escape, frame: &Rc<Frame>) -> Result<Value> {
        let values = self.all(parts, frame)?;
        let is_markup = |value: &Value| matches!(value, Value::Text(text) if text.is_markup());
        let markup = escape == Escape::On && values.iter().any(is_markup);
        let mut out = Buffer::new(&self.budget);
        for value in &values {
            match value {
                Value::Text(text) if markup => out.push_str(&text.escaped(&self.budget)?)?,
                value if markup => out.push_escaped(&repr::to_text(self, value)?)?,
                value => repr::write_str(self, value, &mut out)?,
            }
        }
        Ok(Value::Text(out.into_text(markup)))
    }

    /// Whether a value that is written here gets HTML escapes.
    pub(super) fn escapes(&self, escape: Escape) -> bool {
        match escape {
            Escape::Off => false,
            Escape::On => true,
            Escape::AsSet => self.autoescape.get(),
        }
    }

    fn compare(
        &self,
        first: &Expr,
        rest: &[(Comparison, Expr)],
        frame: &Rc<Frame>,
    ) -> Result<Value> {
        let mut left = self.eval(first, frame)?;
        for (comparison, operand) in rest {
            let right = self.eval(operand, frame)?;
            if !self.holds(*comparison, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    /// Whether two values compare so.
    pub(crate) fn holds(&self, comparison: Comparison, a: &Value, b: &Value) -> Result<bool> {
        let budget = &self.budget;
        Ok(match comparison {
            Comparison::Equal => compare::equal(a, b, budget)?,
            Comparison::NotEqual => !compare::equal(a, b, budget)?,
            Comparison::In => compare::contains(self, b, a)?,
            Comparison::NotIn => !compare::contains(self, b, a)?,
            Comparison::Less => compare::order(a, b, "<", budget)? == Some(Ordering::Less),
            Comparison::Greater => compare::order(a, b, ">", budget)? == Some(Ordering::Greater),
            Comparison::LessOrEqual => {
                compare::order(a, b, "<=", budget)?.is_some_and(Ordering::is_le)
            }
            Comparison::GreaterOrEqual => {
                compare::order(a, b, ">=", budget)?.is_some_and(Ordering::is_ge)
            }
        })
    }

    /// What is applied to `base`, in order; the last call gets `caller` too.
    pub(super) fn postfix(
        &self,
        base: &Expr,
        applied: &[Postfix],
        caller: Option<Value>,
        frame: &Rc<Frame>,
    ) -> Result<Value> {
        let mut value = self.eval(base, frame)?;
        let mut rest = applied.iter();
        while let Some(postfix) = rest.next() {
            self.budget.step()?;
            // A method that is called at once needs no value of its own.
            if let (Postfix::Attribute(name), Some(Postfix::Call(arguments))) =
                (postfix, rest.as_slice().first())
                && let Some(method) = (self.environment.method)(&value, name)
                && !method.is_unsafe
            {
                rest.next();
                let mut args = self.arguments(arguments, frame)?;
                add_caller(&mut args, rest.as_slice(), &caller)?;
                value = (method.call)(self, &value, args)?;
                continue;
            }
            value = match postfix {
                Postfix::Call(arguments) => {
                    let mut args = self.arguments(arguments, frame)?;
                    add_caller(&mut args, rest.as_slice(), &caller)?;
                    self.call(&value, args)?
                }
                other => self.apply(&value, other, frame)?,
            };
        }
        Ok(value)
    }

    /// What a filter block or a captured block does with its text.
    pub(super) fn filtered(
        &self,
        value: Value,
        filters: &[Postfix],
        frame: &Rc<Frame>,
    ) -> Result<Value> {
        filters.iter().try_fold(value, |value, filter| self.apply(&value, filter, frame))
    }

    fn apply(&self, value: &Value, postfix: &Postfix, frame: &Rc<Frame>) -> Result<Value> {
        match postfix {
            Postfix::Attribute(name) => access::attribute(self, value, name),
            Postfix::Item(key) => access::item(self, value, &self.eval(key, frame)?),
            Postfix::Slice(bounds) => {
                let mut found = [const { None }; 3];
                for (place, bound) in found.iter_mut().zip(bounds.iter()) {
                    *place = bound.as_ref().map(|bound| self.eval(bound, frame)).transpose()?;
                }
                access::slice(self, value, &found)
            }
            Postfix::Call(arguments) => self.call(value, self.arguments(arguments, frame)?),
            Postfix::Filter(call) => match call.filter {
                Some(filter) => (filter.call)(self, value, self.arguments(&call.arguments, frame)?),
                None => fail(format!("no filter named '{}' found", call.name)),
            },
            Postfix::Test { name, predicate, arguments, negated } => match predicate {
                Some(predicate) => {
                    let holds = (predicate.holds)(self, value, self.arguments(arguments, frame)?)?;
                    Ok(Value::Bool(holds != *negated))
                }
                None => fail(format!("no test named '{name}' found")),
            },
        }
    }

    /// Calls a value.
    pub(crate) fn call(&self, value: &Value, args: Args) -> Result<Value> {
        match value.defined()? {
            Value::Object(object) => object.call(self, args),
            other => fail(format!("'{}' object is not callable", other.type_name())),
        }
    }
}

/// Gives `caller` to the call that nothing follows.
fn add_caller(args: &mut Args, rest: &[Postfix], caller: &Option<Value>) -> Result<()> {
    if let (Some(caller), true) = (caller, rest.is_empty()) {
        if args.keyword.iter().any(|(name, _)| name[..] == *"caller") {
            return fail("got multiple values for keyword argument 'caller'");
        }
        args.keyword.push(("caller".into(), caller.clone()));
    }
    Ok(())
}

fn constant(literal: &Literal) -> Value {
    match literal {
        Literal::None => Value::None,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(value) => Value::Int(*value),
        Literal::Float(value) => Value::Float(*value),
        Literal::Text(text) => Value::Text(text.clone()),
    }
}
