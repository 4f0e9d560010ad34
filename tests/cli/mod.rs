//! The commands as people and programs call them.

mod alarm;
mod api;
mod bad;
mod beside;
mod blocked;
mod broken;
mod check;
mod completions;
mod doctor;
mod folders;
mod fresh;
mod help;
mod inbox;
mod interrupted;
mod journal;
mod plan;
mod plugin;
mod rollback;
mod run;
mod runs;
mod scripts;
mod serve;
mod settle;
mod signals;
mod start;
mod status;
