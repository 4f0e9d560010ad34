//! The durable journal: a commit log in front of sled
