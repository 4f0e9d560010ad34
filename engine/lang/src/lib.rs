//! Runbook text to a checked runbook, with every diagnostic at once
