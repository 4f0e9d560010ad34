//! The action of a step, and what it is given.

use runwright_core::{ActionName, Map, Value, Work};

use crate::check::{Check, short};
use crate::diagnostic::closest;
use crate::expression::Scope;
use crate::node::{Entry, Kind};

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
        let action: ActionName = match text.parse() {
            Ok(action) => action,
            Err(_) => {
                let message = format!("`{}` is no name of an action", short(text));
                let error = self.error("unknown-action", uses.value.span.clone(), message);
                error.help("an action is named by its plugin and itself, for example `vm/restart`");
                return None;
            }
        };
        let input = match with.map(|with| with.value.value()) {
            Some(Value::Object(input)) => input,
            _ => Map::new(),
        };
        if let Some(catalog) = self.catalog {
            match catalog.get(&action) {
                Some(facts) => {
                    let sound = with.is_none_or(|with| with.value.is_null() || matches!(with.value.kind, Kind::Map(_)));
                    if sound {
                        self.fits(&action, &facts.input_schema, uses, with);
                    }
                }
                None => self.unknown(&action, uses),
            }
        }
        Some(Work::Action { action, with: input })
    }

    fn unknown(&mut self, action: &ActionName, uses: &Entry) {
        let Some(catalog) = self.catalog else { return };
        let names: Vec<&ActionName> = catalog.names().collect();
        let of_plugin: Vec<&str> =
            names.iter().filter(|name| name.plugin() == action.plugin()).map(|name| name.action()).collect();
        let best = closest(action.as_str(), names.iter().map(|name| name.as_str()));
        let span = uses.value.span.clone();
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
