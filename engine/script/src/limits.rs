//! How much an expression or a script may use.

use std::time::Duration;

/// The bounds within which expressions and scripts run. Every one of them has a reason; none can be switched off.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Operations of one expression: far more than a condition needs, few enough that none takes long.
    pub expression_operations: u64,
    /// Time of one expression. The operations end it first unless the machine is overloaded.
    pub expression_time: Duration,
    /// Operations of one script.
    pub script_operations: u64,
    /// Bytes of the text of one expression or script.
    pub text_bytes: usize,
    /// Calls inside calls.
    pub call_levels: usize,
    /// Parts inside parts of an expression.
    pub expression_depth: usize,
    /// Variables that one scope holds.
    pub variables: usize,
    /// Functions that one script defines.
    pub functions: usize,
    /// Bytes of all text in one value that an operation makes.
    pub string_bytes: usize,
    /// Items of all lists in one value that an operation makes.
    pub list_items: usize,
    /// Entries of all maps in one value that an operation makes.
    pub map_entries: usize,
    /// Bytes of all variables together, and of what one template resolves to.
    pub data_bytes: usize,
    /// Calls by which one script reaches outside: each is kept in the run's history.
    pub calls: usize,
    /// Compiled texts that are kept.
    pub cached: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            expression_operations: 100_000,
            expression_time: Duration::from_secs(1),
            script_operations: 1_000_000,
            text_bytes: 64 * 1024,
            call_levels: 16,
            expression_depth: 32,
            variables: 128,
            functions: 32,
            string_bytes: 64 * 1024,
            list_items: 4_096,
            map_entries: 1_024,
            data_bytes: 16 * 1024 * 1024,
            calls: 1_000,
            cached: 2_048,
        }
    }
}
