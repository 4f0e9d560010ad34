//! `runwright plugin`

mod build;
mod grants;
mod inspect;
mod list;
mod lock;
mod new;
mod test;
