//! `runwright plugin`

mod inspect;
mod list;
