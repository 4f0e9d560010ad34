//! Rhai: expressions in runbooks and script steps, compiled once and bounded
