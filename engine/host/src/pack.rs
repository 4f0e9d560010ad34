//! From what a compiler left to a component: core modules are wrapped, components stay as they are.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as COMMAND,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REACTOR,
};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

/// What a WebAssembly file is, before it is made to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A component: it runs as it is.
    Component,
    /// A core module with the type of its component in a custom section, as the bindings of C and Go leave it.
    Typed,
    /// A core module with `_start`: a program of WASI preview 1.
    Command,
}

/// What the file with these bytes is. An error is a fragment that says why it is nothing that can become a plugin.
pub fn form(bytes: &[u8]) -> Result<Form, String> {
    if !bytes.starts_with(b"\0asm") {
        return Err("it does not begin as WebAssembly does".to_owned());
    }
    let mut typed = false;
    let (mut starts, mut remembers) = (false, false);
    let mut foreign = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| format!("it is damaged: {}", error.message()))? {
            Payload::Version { encoding: Encoding::Component, .. } => return Ok(Form::Component),
            Payload::CustomSection(section) => typed |= section.name().starts_with("component-type"),
            Payload::ExportSection(exports) => {
                for export in exports.into_iter().flatten() {
                    starts |= export.name == "_start";
                    remembers |= export.name == "memory";
                }
            }
            Payload::ImportSection(imports) => {
                let imports = imports.into_imports().flatten().filter(|import| import.module != PREVIEW1);
                foreign.extend(imports.map(|import| format!("{}.{}", import.module, import.name)).take(5));
            }
            _ => {}
        }
    }
    match (typed, starts) {
        (true, _) => Ok(Form::Typed),
        (false, true) if foreign.is_empty() && remembers => Ok(Form::Command),
        (false, true) if foreign.is_empty() => {
            Err("it exports _start but no memory, so it could neither read a request nor answer".to_owned())
        }
        (false, true) => {
            Err(format!("it is a program for something else than WASI preview 1: it imports {}", foreign.join(", ")))
        }
        (false, false) => Err("it is a core module that neither exports _start, as programs for WASI do, nor has the \
                               type of a component in it, as the bindings from sdk/wit leave it"
            .to_owned()),
    }
}

/// The component that a stranger's file with these bytes is, or becomes when it is loaded.
///
/// A module with its component's type in it becomes none here, only by [`pack`]: reading such a type is not bounded, and
/// a hostile one overflows the stack, which no engine survives.
pub(crate) fn loadable(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    match form(&bytes)? {
        Form::Component => Ok(bytes),
        Form::Command => pack(bytes),
        Form::Typed => {
            Err("it is a core module that is to become a component: runwright plugin build makes one of it, \
                            in the project that it came from"
                .to_owned())
        }
    }
}

/// The component that the file with these bytes is or becomes, for files of one's own: see `runwright plugin build`.
///
/// Programs for WASI preview 1 get the adapter for commands and answer on their standard output; modules that know
/// their component's type get the one for libraries. Nothing is run. An error is a fragment that says why not.
pub fn pack(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let adapter = match form(&bytes)? {
        Form::Component => return Ok(bytes),
        Form::Typed => REACTOR,
        Form::Command => COMMAND,
    };
    // A fault in the encoder may end this file's loading and nothing else.
    let encoded = catch_unwind(AssertUnwindSafe(|| {
        ComponentEncoder::default()
            .validate(true)
            .module(&bytes)
            .and_then(|encoder| encoder.adapter(PREVIEW1, adapter))
            .and_then(ComponentEncoder::encode)
            .map_err(|error| format!("{error:#}"))
    }));
    let encoded = encoded.unwrap_or_else(|_| Err("the encoder failed on it".to_owned()));
    encoded.map_err(|error| format!("it does not become a component: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module for the world `minimal` with its type in it.
    fn typed() -> Vec<u8> {
        let mut resolve = wit_parser::Resolve::new();
        let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/wit")).unwrap();
        let world = resolve.select_world(&[package], Some("minimal")).unwrap();
        let mut module = wit_component::dummy_module(&resolve, world, wit_parser::ManglingAndAbi::Standard32);
        assert!(form(&module).is_err(), "without its type it is nothing");
        let utf8 = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, &resolve, world, utf8).unwrap();
        module
    }

    #[test]
    fn a_module_with_its_component_s_type_becomes_that_component() {
        let module = typed();
        assert_eq!(form(&module), Ok(Form::Typed));
        let component = pack(module).unwrap();
        let engine = crate::engine::engine().unwrap();
        let component = wasmtime::component::Component::from_binary(&engine, &component).unwrap();
        assert_eq!(crate::linked::kind(&component, &engine), Ok(crate::Kind::Component));
    }

    #[test]
    fn a_stranger_s_module_is_an_error_and_nothing_else() {
        let typed = typed();
        assert!(loadable(typed.clone()).unwrap_err().contains("plugin build"));
        let program = wat::parse_str(
            r#"(module
              (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 2) (table 4 funcref) (elem (i32.const 0) $write $exit) (global (mut i32) (i32.const 7))
              (data (i32.const 64) "hello")
              (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (call $exit (i32.const 0))))"#,
        );
        let program = program.unwrap();
        assert!(loadable(program.clone()).is_ok());
        // The same damage each time: a few bytes here and there, or the end missing.
        let mut state = 1_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for whole in [&program, &typed] {
            let mut taken = 0;
            for _ in 0..1000 {
                let mut damaged = whole.clone();
                for _ in 0..=next(3) {
                    let place = 8 + next(damaged.len() - 8);
                    damaged[place] = next(256) as u8;
                }
                if next(4) == 0 {
                    damaged.truncate(8 + next(damaged.len() - 8));
                }
                taken += usize::from(loadable(damaged).is_ok());
            }
            assert!(taken < 900, "hardly any damage was noticed: {taken}");
        }
    }

    #[test]
    fn what_can_not_become_a_plugin_is_told_apart() {
        assert!(form(b"#!/bin/sh").unwrap_err().contains("does not begin"));
        assert_eq!(form(b"\0asm\x0d\0\x01\0"), Ok(Form::Component));
        assert!(form(b"\0asm\x01\0\0\0").unwrap_err().contains("_start"));
        let foreign = r#"(module (import "env" "abort" (func)) (export "_start" (func 0)))"#;
        assert!(form(&wat::parse_str(foreign).unwrap()).unwrap_err().contains("env.abort"));
        let empty = wat::parse_str(r#"(module (func (export "_start")))"#).unwrap();
        assert!(form(&empty).unwrap_err().contains("no memory"));
        let command = wat::parse_str(r#"(module (func (export "_start")) (memory (export "memory") 1))"#).unwrap();
        assert_eq!(form(&command), Ok(Form::Command));
        assert_eq!(form(&pack(command.clone()).unwrap()), Ok(Form::Component));
        assert!(form(&command[..20]).is_err());
    }
}
