//! Which calls of a text reach outside: known before it runs, so that a run can be pinned to the actions.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::{At, Error, Literal, Reason};

/// A call in a script that reaches outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function: `act`, `now`, `random` or `uuid`.
    pub function: String,
    /// The action that `act` calls, as it is written, which may be no name of an action.
    pub action: Option<String>,
    /// Where the action stands, with its quotes, or else the function.
    pub at: At,
    /// The input that `act` gives to it, as far as it is written out; none where it is left out.
    pub input: Option<Literal>,
}

const FUNCTIONS: [&str; 4] = ["act", "now", "random", "uuid"];

const LIKE: &str = "it is called like this: act(\"vm/restart\", #{ vm: inputs.vm })";

/// The calls in `ast`, in the order of the text; an error where one is not written as it must be, and for any in an
/// expression.
pub(crate) fn collect(ast: &AST, script: bool) -> Result<Vec<Call>, Error> {
    if let Some(own) = ast.iter_functions().find(|f| FUNCTIONS.contains(&f.name)) {
        return Err(syntax(format!("`{}` is a function already", own.name), Position::NONE).hint("take another name"));
    }
    let mut calls = Vec::new();
    let mut wrong: Vec<Error> = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        let found = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                unbounded(call, *at, false).map(Err).or_else(|| read(call, *at, script))
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) if call.name == "act" => {
                Some(Err(syntax("`act` is no function of a value", *at).hint(LIKE)))
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) => unbounded(call, *at, true).map(Err),
            _ => None,
        };
        match found {
            Some(Ok(call)) => calls.push(call),
            Some(Err(error)) => wrong.push(error),
            None => {}
        }
        true
    });
    // Functions are walked in any order.
    calls.sort_by_key(|call| (call.at.line, call.at.column));
    match wrong.into_iter().min_by_key(|error| (error.line, error.column)) {
        Some(error) => Err(error),
        None => Ok(calls),
    }
}

/// The error of a call that would take more than its size shows: one with many arguments holds a copy of each, and what
/// `curry` gives can be doubled again and again. Closures use it too, with a function that is written out.
fn unbounded(call: &FnCallExpr, at: Position, method: bool) -> Option<Error> {
    const ARGUMENTS_MAX: usize = 32;
    if call.args.len() > ARGUMENTS_MAX && call.name != "curry" {
        let message = format!("`{}` gets {} values, at most {ARGUMENTS_MAX} are allowed", call.name, call.args.len());
        return Some(Error::new(Reason::Limit, message).at(at).hint("give it a list or a map"));
    }
    let written = || matches!(call.args.first(), Some(Expr::DynamicConstant(..)));
    match call.name.as_str() {
        "eval" if method => Some(syntax("`eval` is not available here", at)),
        "curry" if method || !written() => Some(syntax("`curry` is not available here", at).hint("write a closure")),
        _ => None,
    }
}

/// The call, where it reaches outside.
fn read(call: &FnCallExpr, at: Position, script: bool) -> Option<Result<Call, Error>> {
    let function = FUNCTIONS.into_iter().find(|known| call.name == known)?;
    let new = |action, at: Position| {
        let input = call.args.get(1).map(Literal::of);
        Call { function: function.to_owned(), action, at: at.into(), input }
    };
    if !script {
        let error = syntax(format!("`{function}` is not available in expressions"), at);
        return Some(Err(error.hint(match function {
            "act" => "a step calls an action: with `uses:`, or with `act(…)` in a `script:`",
            _ => "only a `script:` has it; other steps read it from that step's output",
        })));
    }
    Some(match (function, call.args.as_slice()) {
        ("act", [Expr::StringConstant(action, at), rest @ ..]) if rest.len() <= 1 => {
            Ok(new(Some(action.to_string()), *at))
        }
        ("act", [Expr::StringConstant(..), ..] | []) => {
            Err(syntax("`act` takes an action and a map of its input", at).hint(LIKE))
        }
        ("act", [action, ..]) => Err(syntax("the action must be a literal text", action.position())
            .hint("a run keeps the actions that it may call: write each out, and choose with `if` or `switch`")),
        (_, []) => Ok(new(None, at)),
        _ => Err(syntax(format!("`{function}` takes nothing"), at).hint(format!("write `{function}()`"))),
    })
}

fn syntax(message: impl Into<String>, at: Position) -> Error {
    Error::new(Reason::Syntax, message).at(at)
}
