//! Functions for lists and maps that keep what a closure gives for each item: Rhai's own hold it where nobody counts it.

use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext};

use crate::functions::Fallible;
use crate::guard::Collected;

/// Puts them in the place of Rhai's own.
pub(crate) fn register(engine: &mut rhai::Engine) {
    engine
        .register_fn("map", |context: NativeCallContext, list: &mut Array, make: FnPtr| map_list(&context, list, &make))
        .register_fn("map", |context: NativeCallContext, map: &mut Map, make: FnPtr| map_map(&context, map, &make))
        .register_fn("zip", |context: NativeCallContext, list: &mut Array, other: Array, make: FnPtr| {
            zip(&context, list, other, &make)
        });
}

fn map_list(context: &NativeCallContext, list: &mut Array, make: &FnPtr) -> Fallible<Array> {
    let mut collected = Collected::new();
    let made = list.iter_mut().enumerate().map(|(index, item)| {
        let made = make.call_raw_with_extra_args("map", context, Some(item), [], [number(index)], Some(0))?;
        collected.add(&made)?;
        Ok(made)
    });
    made.collect()
}

fn map_map(context: &NativeCallContext, map: &mut Map, make: &FnPtr) -> Fallible<Map> {
    let mut collected = Collected::new();
    let made = map.iter_mut().map(|(key, value)| {
        let made = make.call_raw_with_extra_args("map", context, Some(value), [key.into()], [], Some(1))?;
        collected.add(&made)?;
        Ok((key.clone(), made))
    });
    made.collect()
}

fn zip(context: &NativeCallContext, list: &mut Array, other: Array, make: &FnPtr) -> Fallible<Array> {
    let mut collected = Collected::new();
    let made = list.iter().zip(other).enumerate().map(|(index, (left, right))| {
        let pair = [left.clone(), right];
        let made = make.call_raw_with_extra_args("zip", context, None, pair, [number(index)], None)?;
        collected.add(&made)?;
        Ok(made)
    });
    made.collect()
}

fn number(index: usize) -> Dynamic {
    i64::try_from(index).unwrap_or(i64::MAX).into()
}
