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

/// The component that the file with these bytes is or becomes.
///
/// Programs for WASI preview 1 get the adapter for commands and answer on their standard output; modules that know
/// their component's type get the one for libraries. Nothing is run. An error is a fragment that says why not.
pub fn pack(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let adapter = match form(&bytes)? {
        Form::Component => return Ok(bytes),
        Form::Typed => REACTOR,
        Form::Command => COMMAND,
    };
    // The encoder reads a stranger's module: a fault in it may end this file's loading and nothing else.
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

    #[test]
    fn a_module_with_its_component_s_type_becomes_that_component() {
        let mut resolve = wit_parser::Resolve::new();
        let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/wit")).unwrap();
        let world = resolve.select_world(&[package], Some("minimal")).unwrap();
        let mut module = wit_component::dummy_module(&resolve, world, wit_parser::ManglingAndAbi::Standard32);
        assert!(form(&module).is_err(), "without its type it is nothing");
        let utf8 = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, &resolve, world, utf8).unwrap();
        assert_eq!(form(&module), Ok(Form::Typed));
        let component = pack(module).unwrap();
        let engine = crate::engine::engine().unwrap();
        let component = wasmtime::component::Component::from_binary(&engine, &component).unwrap();
        assert_eq!(crate::linked::kind(&component, &engine), Ok(crate::Kind::Component));
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
