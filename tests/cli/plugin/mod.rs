//! `runwright plugin`

mod build;
mod inspect;
mod list;
mod new;
mod test;
