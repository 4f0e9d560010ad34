//! Arguments, commands, rendering and exit codes
