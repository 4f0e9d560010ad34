//! What expressions and scripts can call, and how the [`rhai::Engine`] that runs them is set up.
//!
//! They have Rhai's own functions for text, numbers, lists, maps, ranges and functions
//! (<https://rhai.rs/book/ref/>), except for `eval`, modules, blobs, time, and whatever waits or reaches outside. Three
//! differ: `trim` and `replace` give the new text as well as changing a variable; `to_json` takes every value; and lists
//! and maps become text as JSON has it. One is added: `host_of(text)` is the host in `host:port`, `[v6]:port` or a URL.

use std::cmp::Ordering;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
    BasicStringPackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{Dynamic, EvalAltResult, ImmutableString, NativeCallContext, OptimizationLevel, Position};

use crate::{Limits, collect, convert, guard, hosts, outside, words};

pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A bounded engine: no files, no clock, no modules, no `eval`, and nothing that writes to the terminal.
pub(crate) fn engine(limits: &Limits) -> rhai::Engine {
    let mut engine = rhai::Engine::new_raw();
    packages(&mut engine);
    replacements(&mut engine);
    comparisons(&mut engine);
    collect::register(&mut engine);
    hosts::register(&mut engine);
    outside::register(&mut engine);
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_fail_on_invalid_map_property(true)
        .set_max_operations(limits.script_operations.max(limits.expression_operations))
        .set_max_call_levels(limits.call_levels)
        .set_max_expr_depths(limits.expression_depth, limits.expression_depth)
        .set_max_variables(limits.variables)
        .set_max_functions(limits.functions)
        .set_max_modules(0)
        .set_max_string_size(limits.string_bytes)
        .set_max_array_size(limits.list_items)
        .set_max_map_size(limits.map_entries)
        .disable_symbol("eval")
        .disable_symbol("import")
        .disable_symbol("export")
        .on_progress(guard::progress)
        .on_print(guard::print)
        .on_debug(|text, _, _| guard::print(text));
    #[expect(deprecated, reason = "that is how Rhai marks what may change")]
    engine
        .on_var(|name, index, context| guard::variable(name, index, &context))
        .on_parse_token(|token, _, _| words::token(token));
    engine
}

fn packages(engine: &mut rhai::Engine) {
    ArithmeticPackage::new().register_into_engine(engine);
    BasicStringPackage::new().register_into_engine(engine);
    BasicIteratorPackage::new().register_into_engine(engine);
    BasicFnPackage::new().register_into_engine(engine);
    LogicPackage::new().register_into_engine(engine);
    BasicMathPackage::new().register_into_engine(engine);
    BasicArrayPackage::new().register_into_engine(engine);
    BasicMapPackage::new().register_into_engine(engine);
    MoreStringPackage::new().register_into_engine(engine);
}

/// Functions of those packages that allocate before their result is checked, or recurse as deep as their data: a value
/// can nest thousands of levels, and Rhai's own functions would overflow the stack.
fn replacements(engine: &mut rhai::Engine) {
    for name in ["to_string", "print", "to_debug", "debug"] {
        engine.register_fn(name, |context: NativeCallContext, items: &mut rhai::Array| {
            text(&context, |most, out| convert::write_list(items, convert::DEPTH_MAX, most, out))
        });
        engine.register_fn(name, |context: NativeCallContext, map: &mut rhai::Map| {
            text(&context, |most, out| convert::write_map(map, convert::DEPTH_MAX, most, out))
        });
    }
    engine
        .register_fn("==", |l: &mut rhai::Array, r: rhai::Array| convert::equal_lists(l, &r, convert::DEPTH_MAX))
        .register_fn("!=", |l: &mut rhai::Array, r: rhai::Array| !convert::equal_lists(l, &r, convert::DEPTH_MAX))
        .register_fn("==", |l: &mut rhai::Map, r: rhai::Map| convert::equal_maps(l, &r, convert::DEPTH_MAX))
        .register_fn("!=", |l: &mut rhai::Map, r: rhai::Map| !convert::equal_maps(l, &r, convert::DEPTH_MAX))
        .register_fn("to_json", |context: NativeCallContext, value: &mut Dynamic| to_json(&context, value))
        .register_fn("to_json", |context: NativeCallContext, map: &mut rhai::Map| {
            to_json(&context, &Dynamic::from_map(map.clone()))
        })
        .register_fn("parse_json", |text: &str| parse_json(text))
        .register_fn("trim", |text: &mut ImmutableString| {
            *text = text.trim().into();
            text.clone()
        })
        .register_fn("replace", |c: NativeCallContext, s: &mut ImmutableString, from: &str, to: &str| {
            replace(&c, s, from, to)
        })
        .register_fn("replace", |c: NativeCallContext, s: &mut ImmutableString, from: &str, to: char| {
            replace(&c, s, from, to.encode_utf8(&mut [0; 4]))
        })
        .register_fn("replace", |c: NativeCallContext, s: &mut ImmutableString, from: char, to: &str| {
            replace(&c, s, from.encode_utf8(&mut [0; 4]), to)
        })
        .register_fn("replace", |c: NativeCallContext, s: &mut ImmutableString, from: char, to: char| {
            replace(&c, s, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
        });
}

/// Compares whole numbers above Rhai's own integers with other numbers: of two types that it has no comparison for, Rhai says
/// that each is neither less nor greater.
fn comparisons(engine: &mut rhai::Engine) {
    use Ordering::{Equal, Greater, Less};
    type Holds = fn(Option<Ordering>) -> bool;
    let comparisons: [(&str, Holds); 6] = [
        ("==", |order| order == Some(Equal)),
        ("!=", |order| order != Some(Equal)),
        ("<", |order| order == Some(Less)),
        ("<=", |order| matches!(order, Some(Less | Equal))),
        (">", |order| order == Some(Greater)),
        (">=", |order| matches!(order, Some(Greater | Equal))),
    ];
    for (name, holds) in comparisons {
        engine
            .register_fn(name, move |l: u64, r: i64| holds(Some(i128::from(l).cmp(&i128::from(r)))))
            .register_fn(name, move |l: i64, r: u64| holds(Some(i128::from(l).cmp(&i128::from(r)))))
            .register_fn(name, move |l: u64, r: f64| holds((l as f64).partial_cmp(&r)))
            .register_fn(name, move |l: f64, r: u64| holds(l.partial_cmp(&(r as f64))));
    }
}

fn text(context: &NativeCallContext, write: impl FnOnce(usize, &mut String)) -> ImmutableString {
    let mut out = String::new();
    write(context.engine().max_string_size(), &mut out);
    out.into()
}

fn to_json(context: &NativeCallContext, value: &Dynamic) -> Fallible<ImmutableString> {
    let text = convert::value(value).map_err(|error| error.message)?.to_string();
    fits(context, text.len())?;
    Ok(text.into())
}

fn parse_json(text: &str) -> Fallible<Dynamic> {
    let value = serde_json::from_str(text).map_err(|error| format!("the text is no JSON: {error}"))?;
    Ok(convert::dynamic(&value))
}

/// Replaces in place, like Rhai's own, and gives the new text too, which is what expressions need.
fn replace(context: &NativeCallContext, text: &mut ImmutableString, from: &str, to: &str) -> Fallible<ImmutableString> {
    let times = text.matches(from).count();
    fits(context, (text.len() - times * from.len()).saturating_add(times.saturating_mul(to.len())))?;
    *text = text.replace(from, to).into();
    Ok(text.clone())
}

fn fits(context: &NativeCallContext, bytes: usize) -> Fallible<()> {
    match bytes <= context.engine().max_string_size() {
        true => Ok(()),
        false => Err(EvalAltResult::ErrorDataTooLarge("Length of string".into(), Position::NONE).into()),
    }
}
