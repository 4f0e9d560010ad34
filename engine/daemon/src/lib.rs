//! Watched directories, the HTTP API and shutdown
