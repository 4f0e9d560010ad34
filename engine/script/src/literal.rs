//! What is written out in a text, and so known before it runs.

use rhai::Expr;
use runwright_core::Value;

use crate::{At, Key};

/// A value in a text, as far as it is written out.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// Where it stands.
    pub at: At,
    /// What is known of it.
    pub form: Form,
}

/// What is known of a value in a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// It is this text, number, boolean or null.
    Value(Value),
    /// It is a list of these.
    List(Vec<Literal>),
    /// It is a map of these.
    Map(Vec<(Key, Literal)>),
    /// Only the run will know.
    Open,
}

impl Literal {
    pub(crate) fn of(expr: &Expr) -> Self {
        let form = match expr {
            Expr::StringConstant(text, _) => Form::Value(text.as_str().into()),
            Expr::CharConstant(c, _) => Form::Value(c.to_string().into()),
            Expr::IntegerConstant(number, _) => Form::Value((*number).into()),
            Expr::FloatConstant(number, _) => Form::Value((**number).into()),
            Expr::BoolConstant(value, _) => Form::Value((*value).into()),
            Expr::Unit(_) => Form::Value(Value::Null),
            Expr::Array(items, _) => Form::List(items.iter().map(Self::of).collect()),
            Expr::Map(map, _) => {
                let entry = |(key, value): &(_, Expr)| (key_of(key), Self::of(value));
                Form::Map(map.0.iter().map(entry).collect())
            }
            _ => Form::Open,
        };
        Self { at: expr.position().into(), form }
    }
}

fn key_of(key: &rhai::Ident) -> Key {
    Key { name: key.name.to_string(), at: key.pos.into() }
}
