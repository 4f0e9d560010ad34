//! Texts to what can be evaluated.

use rhai::{AST, Dynamic};
use runwright_core::Value;

use crate::guard::Variables;
use crate::names::{Names, collect};
use crate::{Error, Limits, Reason, calls, convert};

/// A compiled expression or script.
pub(crate) struct Compiled {
    pub(crate) ast: AST,
    pub(crate) names: Names,
    /// The whole text is one read, such as `inputs.vm`: it is looked up without evaluating anything.
    pub(crate) plain: bool,
    wanted: Vec<Wanted>,
}

/// What is needed of one variable or property: all of it, or only some of its properties.
struct Wanted {
    name: String,
    whole: bool,
    inner: Vec<Wanted>,
}

/// Compiles `text`, an expression or else a script.
pub(crate) fn compile(engine: &rhai::Engine, limits: &Limits, text: &str, script: bool) -> Result<Compiled, Error> {
    if text.len() > limits.text_bytes {
        return Err(Error::new(Reason::Limit, format!("it is longer than {} KiB", limits.text_bytes / 1024)));
    }
    if text.trim().is_empty() && !script {
        return Err(Error::new(Reason::Syntax, "there is no expression"));
    }
    let ast = match script {
        true => engine.compile(text),
        false => engine.compile_expression(text),
    };
    let ast = ast.map_err(|error| Error::of_parse(&error))?;
    let (mut names, perhaps) = collect(&ast)?;
    names.calls = calls::collect(&ast, script)?;
    let mut wanted = Vec::new();
    for read in names.iter() {
        want(&mut wanted, &read.variable, read.keys.iter().map(|key| key.name.as_str()));
    }
    for name in &perhaps {
        want(&mut wanted, name, std::iter::empty());
    }
    let plain = names.only().is_some_and(|read| read.to_string() == text.trim());
    Ok(Compiled { ast, names, plain, wanted })
}

fn want<'a>(known: &mut Vec<Wanted>, name: &str, mut keys: impl Iterator<Item = &'a str>) {
    let at = known.iter().position(|wanted| wanted.name == name).unwrap_or_else(|| {
        known.push(Wanted { name: name.to_owned(), whole: false, inner: Vec::new() });
        known.len() - 1
    });
    match keys.next() {
        None => known[at].whole = true,
        Some(key) => want(&mut known[at].inner, key, keys),
    }
}

impl Compiled {
    /// The value that a plain read finds, where every part of it is there.
    pub(crate) fn look_up<'a>(&self, scope: &'a Value) -> Option<&'a Value> {
        let read = self.names.only().filter(|_| self.plain)?;
        read.keys.iter().try_fold(scope.get(&read.variable)?, |value, key| value.as_object()?.get(&key.name))
    }

    /// The variables that the text reads, with only the properties that it reads. Those that are missing are left out:
    /// whether that matters is known when the text reads them.
    pub(crate) fn variables(&self, scope: &Value) -> Variables {
        let known = |wanted: &Wanted| Some((wanted.name.clone(), wanted.take(scope.get(&wanted.name)?)));
        self.wanted.iter().filter_map(known).collect()
    }
}

impl Wanted {
    fn take(&self, value: &Value) -> Dynamic {
        match value {
            Value::Object(map) if !self.whole => {
                let known = |inner: &Wanted| Some((inner.name.as_str().into(), inner.take(map.get(&inner.name)?)));
                Dynamic::from_map(self.inner.iter().filter_map(known).collect())
            }
            value => convert::dynamic(value),
        }
    }
}
