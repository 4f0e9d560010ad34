//! `runwright plugin`

mod build;
mod grants;
mod inspect;
mod list;
mod new;
mod test;
