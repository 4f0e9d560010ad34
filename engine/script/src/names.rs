//! What an expression or script reads of its scope.

use std::collections::BTreeSet;

use rhai::{AST, ASTFlags, ASTNode, Expr, Position, Stmt};
use runwright_core::{Map, Value};

use crate::known::Called;
use crate::{Call, Error, Reason};

/// Every read of a scope variable, and every call that reaches outside.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    reads: Vec<Read>,
    pub(crate) calls: Vec<Call>,
    pub(crate) called: Called,
}

/// One read: a variable and the properties behind it, as far as they are known before it runs.
///
/// `steps.test.output.tags[i].x` reads `steps` with the keys `test`, `output` and `tags`.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The variable.
    pub variable: String,
    /// Where the variable stands.
    pub at: At,
    /// The properties, outermost first.
    pub keys: Vec<Key>,
    /// It stands before `??`: what is missing has another value.
    pub defaulted: bool,
}

/// A property in a [`Read`].
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub at: At,
}

/// A place in a text, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Names {
    /// Whether this variable is read.
    pub fn reads(&self, variable: &str) -> bool {
        self.reads.iter().any(|read| read.variable == variable)
    }

    /// The names that the entries of this variable may have which are read; none where any entry may be read, or where a
    /// name may stand for too many.
    pub fn entries(&self, variable: &str) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for read in self.reads.iter().filter(|read| read.variable == variable) {
            names.extend(meant(&read.keys.first()?.name)?);
        }
        Some(names)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.reads.extend(other.reads.iter().cloned());
    }

    /// Every read.
    pub fn iter(&self) -> impl Iterator<Item = &Read> {
        self.reads.iter()
    }

    /// Every call that reaches outside, in the order of the text; an expression has none.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The calls of `act`, each with the action that it names.
    pub fn acts(&self) -> impl Iterator<Item = (&str, &Call)> {
        self.calls.iter().filter_map(|call| Some((call.action.as_deref()?, call)))
    }

    /// The one read, where there is only one.
    pub(crate) fn only(&self) -> Option<&Read> {
        match self.reads.as_slice() {
            [read] => Some(read),
            _ => None,
        }
    }

    /// The variables, each once, sorted.
    pub fn variables(&self) -> BTreeSet<&str> {
        self.reads.iter().map(|read| read.variable.as_str()).collect()
    }
}

impl Read {
    /// The value that it finds, where every part of it is there.
    pub(crate) fn value<'v>(&self, scope: &'v Value) -> Option<&'v Value> {
        let mut keys = self.keys.iter();
        let mut value = scope.get(&self.variable)?;
        if has_names(&self.variable)
            && let Some(first) = keys.next()
        {
            value = named(value.as_object()?, &first.name)?;
        }
        keys.try_fold(value, |value, key| value.as_object()?.get(&key.name))
    }

    /// Whether it is all labels or all annotations of an alarm, of which none must be there.
    pub(crate) fn is_labels(&self) -> bool {
        self.variable == "alarm"
            && matches!(self.keys.as_slice(), [key] if matches!(key.name.as_str(), "labels" | "annotations"))
    }
}

impl std::fmt::Display for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.variable)?;
        self.keys.iter().try_for_each(|key| match is_word(&key.name) {
            true => write!(f, ".{}", key.name),
            false => write!(f, "[{:?}]", key.name),
        })
    }
}

/// Whether `written`, behind `inputs.` or `steps.`, is the one that is called `known`: `_` stands for `-` too, which is
/// minus in an expression.
///
/// ```
/// assert!(script::means("older_than", "older-than") && script::means("older-than", "older-than"));
/// assert!(!script::means("older-than", "older_than") && !script::means("older", "older-than"));
/// ```
pub fn means(written: &str, known: &str) -> bool {
    written.len() == known.len() && written.bytes().zip(known.bytes()).all(|(w, k)| w == k || (w, k) == (b'_', b'-'))
}

/// Underscores of a name that may stand for something else, at most: each makes twice as many names.
const UNDERSCORES_MAX: usize = 6;

/// The names for which [`means`] holds; none where they are too many.
fn meant(written: &str) -> Option<Vec<String>> {
    let mut names = vec![String::with_capacity(written.len())];
    if written.matches('_').count() > UNDERSCORES_MAX {
        return None;
    }
    for letter in written.chars() {
        let also = if letter == '_' { names.clone() } else { Vec::new() };
        names.iter_mut().for_each(|name| name.push(letter));
        names.extend(also.into_iter().map(|name| name + "-"));
    }
    Some(names)
}

/// Whether the names in this variable are those that people gave to inputs and steps.
pub(crate) fn has_names(variable: &str) -> bool {
    matches!(variable, "inputs" | "steps")
}

/// The value that `written` means in a map of inputs or steps.
pub(crate) fn named<'v>(map: &'v Map, written: &str) -> Option<&'v Value> {
    map.get(written).or_else(|| map.iter().find(|(known, _)| means(written, known)).map(|(_, value)| value))
}

pub(crate) fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl From<Position> for At {
    fn from(position: Position) -> Self {
        Self { line: position.line().unwrap_or(1), column: position.position().unwrap_or(1).max(1) }
    }
}

/// What `ast` reads, and names that closures inside functions may read besides; an error for what no text may contain.
pub(crate) fn collect(ast: &AST) -> Result<(Names, BTreeSet<String>), Error> {
    // Rhai's closures get what they capture as further parameters, so inside them such a name looks free; where the
    // closure is made, a call of `curry` tells whether it was a local variable.
    let closures = ast.iter_functions().filter(|f| f.name.starts_with("anon$"));
    let captured: BTreeSet<&str> = closures.flat_map(|f| f.params).collect();

    let mut reads: Vec<Read> = Vec::new();
    let mut local = BTreeSet::new();
    let mut wrong = None;
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Expr(Expr::ThisPtr(at))) => wrong = Some(syntax("`this` is not available here", *at)),
            Some(ASTNode::Stmt(Stmt::Import(_, at) | Stmt::Export(_, at))) => {
                wrong = Some(syntax("modules are not available here", *at));
            }
            Some(ASTNode::Stmt(Stmt::Assignment(parts))) => wrong = wrong.take().or(assignment(&parts.1.lhs)),
            Some(ASTNode::Expr(Expr::Variable(parts, _, at))) if parts.0.is_none() => {
                reads.push(read(path, &parts.1, *at));
            }
            Some(ASTNode::Expr(Expr::Variable(parts, ..))) if captured.contains(parts.1.as_str()) && curried(path) => {
                local.insert(parts.1.to_string());
            }
            _ => {}
        }
        wrong.is_none()
    });
    if let Some(error) = wrong {
        return Err(error);
    }
    let mut perhaps = BTreeSet::new();
    reads.retain(|read| {
        let sure = !local.contains(&read.variable);
        if !sure {
            perhaps.insert(read.variable.clone());
        }
        sure
    });
    // Functions are walked in any order. Where a closure is made, what it captures comes before what it reads of it.
    reads.sort_by_key(|read| (read.at.line, read.at.column, read.keys.len()));
    Ok((Names { reads, ..Names::default() }, perhaps))
}

fn curried(path: &[ASTNode]) -> bool {
    matches!(path, [.., ASTNode::Expr(Expr::FnCall(call, _)), _] if call.name == "curry")
}

fn syntax(message: &str, at: Position) -> Error {
    Error::new(Reason::Syntax, message).at(at)
}

/// The error of an assignment to a variable from outside: it would change a copy.
fn assignment(target: &Expr) -> Option<Error> {
    match target {
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => assignment(&parts.lhs),
        Expr::Variable(parts, _, at) if parts.0.is_none() => {
            let error = syntax(&format!("`{}` can't be changed", parts.1), *at);
            Some(error.hint("take a copy with `let`; to compare, write `==`"))
        }
        _ => None,
    }
}

impl Error {
    pub(crate) fn place(mut self, at: At) -> Self {
        (self.line, self.column) = (at.line, at.column);
        self
    }
}

fn read(path: &[ASTNode], variable: &str, at: Position) -> Read {
    let mut read = Read { variable: variable.to_owned(), at: at.into(), keys: Vec::new(), defaulted: false };
    let [above @ .., ASTNode::Expr(this)] = path else { return read };
    let (above, whole) = match above {
        [above @ .., ASTNode::Expr(chain @ (Expr::Dot(parts, ..) | Expr::Index(parts, ..)))]
            if std::ptr::eq(&parts.lhs, *this) =>
        {
            (above, chain)
        }
        _ => (above, this),
    };
    follow(whole, &mut read.keys);
    if let Some(ASTNode::Expr(Expr::Coalesce(parts, _))) = above.last() {
        read.defaulted = parts.iter().rev().skip(1).any(|part| std::ptr::eq(part, *whole));
    }
    read
}

/// Collects the constant properties of a chain: `a.b["c"].d` is `Dot(a, Index(b, Dot("c", d)))`.
fn follow(chain: &Expr, keys: &mut Vec<Key>) {
    let (Expr::Dot(parts, flags, _) | Expr::Index(parts, flags, _)) = chain else { return };
    let (element, rest) = match &parts.rhs {
        next @ (Expr::Dot(inner, ..) | Expr::Index(inner, ..)) if !flags.contains(ASTFlags::BREAK) => {
            (&inner.lhs, Some(next))
        }
        last => (last, None),
    };
    let dot = matches!(chain, Expr::Dot(..));
    let key = match element {
        Expr::Property(names, at) if dot => Key { name: names.2.to_string(), at: (*at).into() },
        Expr::StringConstant(name, at) if !dot => Key { name: name.to_string(), at: (*at).into() },
        _ => return,
    };
    keys.push(key);
    if let Some(rest) = rest {
        follow(rest, keys);
    }
}
