//! The actions that a runbook names, and what a step gives to its own.

use std::ops::Range;

use runwright_core::{ActionName, Catalog, Map, Value, Work, closest, short};

use crate::check::Check;
use crate::node::{Entry, Kind};
use crate::schema::{Given, GivenBy};
use crate::scope::Scope;

impl Check<'_> {
    /// The work of a step with `uses`.
    pub(crate) fn action(&mut self, uses: &Entry, with: Option<&Entry>, scope: Scope) -> Option<Work> {
        if let Some(with) = with {
            self.template(&with.value, scope);
            if !with.value.is_null() {
                self.map(&with.value, "a map of the action's input");
            }
        }
        let text = self.text(&uses.value)?;
        let action = self.action_name(text, uses.value.span.clone())?;
        let input = match with.map(|with| with.value.value()) {
            Some(Value::Object(input)) => input,
            _ => Map::new(),
        };
        if let Some(facts) = self.catalog.and_then(|catalog| catalog.get(&action)) {
            let sound = with.is_none_or(|with| with.value.is_null() || matches!(with.value.kind, Kind::Map(_)));
            if sound {
                let node = with.map(|with| &with.value).filter(|node| !node.is_null());
                let missing = with.map_or(uses.value.span.clone(), |with| with.at.clone());
                self.fits(&action, &facts.input_schema, Given { node, missing, by: GivenBy::With });
                if let Some(node) = node {
                    self.numbers(node, Some(&facts.input_schema));
                }
            }
        }
        Some(Work::Action { action, with: input })
    }

    /// The action with this name, which stands at `span`. One that the catalog lacks is told of.
    pub(crate) fn action_name(&mut self, text: &str, span: Range<usize>) -> Option<ActionName> {
        let Ok(action) = text.parse::<ActionName>() else {
            let message = format!("`{}` is no name of an action", short(text));
            let error = self.error("unknown-action", span, message);
            error.help("an action is named by its plugin and itself, for example `vm/restart`");
            return None;
        };
        if let Some(catalog) = self.catalog
            && catalog.get(&action).is_none()
        {
            self.unknown(&action, span, catalog);
        }
        Some(action)
    }

    fn unknown(&mut self, action: &ActionName, span: Range<usize>, catalog: &Catalog) {
        let names: Vec<&ActionName> = catalog.names().collect();
        let of_plugin: Vec<&str> =
            names.iter().filter(|name| name.plugin() == action.plugin()).map(|name| name.action()).collect();
        let best = closest(action.as_str(), names.iter().map(|name| name.as_str()));
        if of_plugin.is_empty() {
            let mut plugins: Vec<&str> = names.iter().map(|name| name.plugin()).collect();
            plugins.dedup();
            let near = closest(action.plugin(), plugins.iter().copied()).map(|near| {
                let own = names.iter().filter(|name| name.plugin() == near).map(|name| name.action());
                match closest(action.action(), own) {
                    Some(own) => format!("did you mean `{near}/{own}`?"),
                    None => format!("did you mean the plugin `{near}`?"),
                }
            });
            let error = self.error("unknown-action", span, format!("there is no plugin `{}`", action.plugin()));
            error.help(near.unwrap_or_else(|| match plugins.as_slice() {
                [] => "no plugin is installed".to_owned(),
                plugins => format!("there are: {}", plugins.join(", ")),
            }));
            return;
        }
        let message = format!("the plugin `{}` has no action `{}`", action.plugin(), action.action());
        let help = match best {
            Some(best) => format!("did you mean `{best}`?"),
            None => format!("it has: {}", of_plugin.join(", ")),
        };
        self.error("unknown-action", span, message).help(help);
    }
}
