//! What wit-bindgen makes of `wit/`: the one place that knows its names, and the only unsafe code.

#![allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "wit",
    world: "runwright:plugin/plugin",
    pub_export_macro: true,
    export_macro_name: "bindings_export",
    default_bindings_module: "::runwright_sdk::__export",
});

pub use exports::runwright::plugin::actions::Guest;
