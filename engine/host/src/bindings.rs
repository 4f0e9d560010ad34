//! What `sdk/wit` says, as Rust: generated, private, and renamed at the door.

wasmtime::component::bindgen!({
    world: "plugin",
    path: "../../sdk/wit",
    imports: { default: async | trappable },
    exports: { default: async },
    with: { "runwright:plugin/unix.connection": crate::capability::unix::Connection },
});

pub(crate) use exports::runwright::plugin::actions::Guest;
pub(crate) use runwright::plugin::{checkpoint, clock, exec, http, log, secrets, types, unix};
