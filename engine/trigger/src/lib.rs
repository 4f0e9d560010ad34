//! Alarm formats, matching and deduplication
