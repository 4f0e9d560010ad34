//! The plugin host: wasmtime, limits and capabilities
