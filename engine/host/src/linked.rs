//! A plugin that is ready to be called, by whichever of the two ways it knows.

use serde::Serialize;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::bindings::PluginPre;
use crate::said::clean;
use crate::state::State;

/// How a plugin is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It exports the interface `actions` of `sdk/wit`.
    Component,
    /// It is a program: a JSON request on standard input, a JSON response on standard output.
    Command,
}

/// A plugin that is linked with everything that there is.
pub(crate) enum Linked {
    Component(PluginPre<State>),
    Command(CommandPre<State>),
}

impl Linked {
    /// Links what `component` says that it is.
    pub(crate) fn new(linked: InstancePre<State>, kind: Kind) -> wasmtime::Result<Self> {
        Ok(match kind {
            Kind::Component => Self::Component(PluginPre::new(linked)?),
            Kind::Command => Self::Command(CommandPre::new(linked)?),
        })
    }

    pub(crate) fn exports(&self, engine: &Engine) -> Vec<String> {
        let component = match self {
            Self::Component(plugin) => plugin.instance_pre().component(),
            Self::Command(program) => program.instance_pre().component(),
        };
        exports(component, engine)
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Component(_) => Kind::Component,
            Self::Command(_) => Kind::Command,
        }
    }
}

/// How `component` is called, by what it exports. An error is a fragment that says what it lacks.
pub(crate) fn kind(component: &Component, engine: &Engine) -> Result<Kind, String> {
    let exports = exports(component, engine);
    let has = |interface: &str| exports.iter().any(|name| name.split('@').next() == Some(interface));
    if has("runwright:plugin/actions") {
        Ok(Kind::Component)
    } else if has("wasi:cli/run") {
        Ok(Kind::Command)
    } else if exports.is_empty() {
        Err("it exports nothing, where a plugin exports runwright:plugin/actions or wasi:cli/run".to_owned())
    } else {
        let exports = clean(&exports.join(", "));
        Err(format!("it exports {exports}, where a plugin exports runwright:plugin/actions or wasi:cli/run"))
    }
}

/// The names of what `component` exports.
fn exports(component: &Component, engine: &Engine) -> Vec<String> {
    component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect()
}
