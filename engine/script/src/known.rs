//! The functions that texts can call, and calls of functions that there are not.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};
use runwright_core::did_you_mean;

use crate::error::function_hint;
use crate::names::is_word;
use crate::{At, Error, Reason};

/// A function that texts can call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// How many values it takes, where it is written `name(value, …)`; behind a dot it is one less.
    pub values: BTreeSet<usize>,
}

/// The functions of the language itself, which are registered nowhere, with how many values they take.
const OF_LANGUAGE: [(&str, usize); 5] =
    [("Fn", 1), ("is_def_fn", 2), ("is_def_var", 1), ("is_shared", 1), ("type_of", 1)];

/// Functions of the language that take any number of values.
const ANY_NUMBER: [&str; 2] = ["call", "curry"];

/// All functions, with how many values they take.
pub(crate) struct Functions(BTreeMap<String, BTreeSet<usize>>);

impl Functions {
    /// Those that are registered with an engine, and those of the language.
    pub(crate) fn of(engine: &rhai::Engine) -> Self {
        let registered = engine.collect_fn_metadata(
            None,
            |function| Some((function.metadata.name.to_string(), function.metadata.num_params)),
            true,
        );
        let of_language = OF_LANGUAGE.into_iter().map(|(name, values)| (name.to_owned(), values));
        let mut all: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (name, values) in registered.into_iter().chain(of_language).filter(|(name, _)| is_word(name)) {
            all.entry(name).or_default().insert(values);
        }
        Self(all)
    }

    pub(crate) fn all(&self) -> Vec<Function> {
        let function =
            |(name, values): (&String, &BTreeSet<usize>)| Function { name: name.clone(), values: values.clone() };
        self.0.iter().map(function).collect()
    }

    /// An error for each call that can't be right.
    pub(crate) fn wrong<'a>(&'a self, called: &'a Called) -> impl Iterator<Item = Error> + 'a {
        called.calls.iter().filter_map(|call| self.wrong_call(call, called))
    }

    fn wrong_call(&self, call: &Counted, called: &Called) -> Option<Error> {
        let name = call.name.as_str();
        let error = |message| Error::new(Reason::Syntax, message).place(call.at);
        if ANY_NUMBER.contains(&name) || call.method && called.keys.contains(name) {
            return None;
        }
        let own: BTreeSet<usize> =
            called.own.iter().filter(|(own, _)| own == name).map(|(_, values)| *values).collect();
        let behind_dot = usize::from(call.method);
        let known = self.0.get(name);
        if own.contains(&call.values) || known.is_some_and(|known| known.contains(&(call.values + behind_dot))) {
            return None;
        }
        if own.is_empty() && known.is_none() {
            let names = self.0.keys().map(String::as_str).chain(called.own.iter().map(|(name, _)| name.as_str()));
            let hint = function_hint(name).map(str::to_owned).or_else(|| did_you_mean(name, names));
            let error = error(format!("there is no function `{name}`"));
            return Some(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
        let counts = known.into_iter().flatten().filter_map(|values| values.checked_sub(behind_dot));
        let counts: BTreeSet<usize> = counts.chain(own).collect();
        let takes = match counts.iter().copied().collect::<Vec<_>>().as_slice() {
            [0] => "nothing".to_owned(),
            [1] => "1 value".to_owned(),
            [one] => format!("{one} values"),
            counts => format!("{} values", counts.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ")),
        };
        let dot = if call.method { "." } else { "" };
        Some(error(format!("`{dot}{name}` takes {takes}, and is given {}", call.values)))
    }
}

/// The calls of a text, whatever they call.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Called {
    calls: Vec<Counted>,
    /// The functions that the text defines, with how many values they take.
    own: Vec<(String, usize)>,
    /// The keys of its maps: a closure in a map is called like a function of that name.
    keys: BTreeSet<String>,
}

/// A call, with how many values it gives, without what stands before a dot.
#[derive(Debug, Clone, PartialEq)]
struct Counted {
    name: String,
    values: usize,
    method: bool,
    at: At,
}

impl Called {
    /// The calls in `ast`, in the order of the text.
    pub(crate) fn collect(ast: &AST) -> Self {
        let own = ast.iter_functions().map(|function| (function.name.to_owned(), function.params.len()));
        let mut called = Self { own: own.collect(), ..Self::default() };
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                    called.add(call, *at, false);
                }
                Some(ASTNode::Expr(Expr::MethodCall(call, at))) => called.add(call, *at, true),
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    called.keys.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                Some(ASTNode::Expr(Expr::Property(names, _))) => _ = called.keys.insert(names.2.to_string()),
                _ => {}
            }
            true
        });
        called.calls.sort_by_key(|call| (call.at.line, call.at.column));
        called
    }

    fn add(&mut self, call: &FnCallExpr, at: Position, method: bool) {
        if call.op_token.is_none() && call.namespace.is_empty() && is_word(&call.name) {
            let name = call.name.to_string();
            self.calls.push(Counted { name, values: call.args.len(), method, at: at.into() });
        }
    }
}
