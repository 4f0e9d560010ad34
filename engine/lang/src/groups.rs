//! Steps that hold steps: groups, steps side by side, and for-each.

use std::ops::RangeInclusive;
use std::sync::Arc;

use runwright_core::{OnFailure, Share, Step, Work, short};

use crate::check::{Check, find};
use crate::limits;
use crate::node::{Entry, Kind, Node};
use crate::runbook::{first, id};
use crate::scope::Scope;

/// Keys that mean something for a `for-each` only, or for one with waves.
const OF_EACH: [&str; 4] = ["as", "waves", "max-failures", "between"];

/// Keys of calls, which steps that hold steps do not make.
const OF_CALLS: [&str; 3] = ["with", "on-unknown", "idempotent"];

/// What a group has and one in waves has not: an item is tried again by a group in its steps.
const NOT_OF_EACH: [&str; 3] = ["fail-fast", "rescue", "retry"];

/// Kinds of step that may have steps to mend their failure.
const HAVE_RESCUE: [&str; 2] = ["steps", "parallel"];

/// Items at work at the same time, at most.
const AT_ONCE: RangeInclusive<u32> = 1..=1_000;

impl Check<'_> {
    /// The work of a step with `steps`, or with `parallel`.
    pub(crate) fn group(
        &mut self,
        fields: &[Entry],
        entry: &Entry,
        on_failure: OnFailure,
        scope: Scope,
    ) -> Option<Work> {
        let is_parallel = entry.key == "parallel";
        self.without(fields, &OF_CALLS, if is_parallel { "`parallel`" } else { "a group of steps" });
        let steps = self.inner(entry, on_failure, scope, !is_parallel)?;
        let rescue = self.rescue(fields, &steps, on_failure, scope)?;
        let at_once = match find(fields, "at-once").filter(|_| is_parallel) {
            Some(field) => Some(self.integer(&field.value, AT_ONCE)?),
            None => is_parallel.then(|| u32::try_from(steps.len()).unwrap_or(u32::MAX).max(1)),
        };
        let fail_fast = find(fields, "fail-fast").and_then(|field| self.boolean(&field.value)).unwrap_or(false);
        Some(Work::Group { steps, at_once, fail_fast, rescue })
    }

    /// The steps that mend what a group's failure left, if it has any; they see the group's steps. The outer nothing: they
    /// are wrong.
    #[expect(clippy::option_option, reason = "no rescue, and one that is wrong, are two things")]
    fn rescue(
        &mut self,
        fields: &[Entry],
        steps: &[Arc<Step>],
        on_failure: OnFailure,
        scope: Scope,
    ) -> Option<Option<Arc<Step>>> {
        let Some(field) = find(fields, "rescue") else { return Some(None) };
        if steps.iter().any(|step| step.id == "rescue") {
            let error = self.error("duplicate-step", field.at.clone(), "there is a step `rescue` in the group already");
            error.help("give that step another id");
            return None;
        }
        let seen: Vec<&str> = scope.before().iter().copied().chain(steps.iter().map(|step| step.id.as_str())).collect();
        let rescue = self.inner(field, on_failure, scope.inside(&seen, seen.len()), true)?;
        Some(Some(Arc::new(Step::new("rescue", Work::group(rescue)))))
    }

    /// The work of a step with `for-each`.
    pub(crate) fn for_each(
        &mut self,
        node: &Node,
        fields: &[Entry],
        entry: &Entry,
        on_failure: OnFailure,
        scope: Scope,
    ) -> Option<Work> {
        self.without(fields, &OF_CALLS, "a `for-each`");
        self.without(fields, &NOT_OF_EACH, "a `for-each`");
        self.items(&entry.value, scope);
        let field = |key| find(fields, key);
        let name = match field("as") {
            Some(field) => self.item_name(&field.value, scope),
            None if scope.items().contains(&"item") => {
                let error = self.error("missing-key", first(node), "there is an `item` around this `for-each` already");
                error.help("give its item a name of its own, for example `as: disk`");
                None
            }
            None => Some("item".to_owned()),
        };
        let waves = field("waves").map_or(Some(Vec::new()), |field| self.waves(&field.value));
        let at_once = field("at-once").map_or(Some(1), |field| self.integer(&field.value, AT_ONCE));
        let max_failures =
            field("max-failures").map_or(Some(Share::Items(0)), |field| self.share(&field.value, 0..=10_000));
        let Some(steps) = field("steps") else {
            let error = self.error("missing-key", first(node), "the `for-each` has no `steps`");
            error.help("say what is done for each item, in `steps`");
            return None;
        };
        let named = name.clone().unwrap_or_default();
        let items: Vec<&str> = scope.items().iter().copied().chain([named.as_str()]).collect();
        let body = self.inner(steps, on_failure, scope.with_items(&items), true);
        let between = field("between").map(|field| self.inner(field, on_failure, scope, true));
        if let (Some(field), Some([])) = (field("between"), waves.as_deref()) {
            let error = self.error("bad-value", field.at.clone(), "`between` stands between waves, and there are none");
            error.help("add `waves`, for example `waves: [1, 10%, 100%]`");
        }
        let group = |steps| Arc::new(Step::new("", Work::group(steps)));
        Some(Work::Each {
            items: entry.value.value(),
            name: name?,
            waves: waves?,
            at_once: at_once?,
            max_failures: max_failures?,
            body: group(body?),
            between: match between {
                Some(between) => Some(group(between?)),
                None => None,
            },
        })
    }

    /// Tells of keys that only a `for-each`, or steps side by side, may have.
    pub(crate) fn only_for_each(&mut self, fields: &[Entry], kinds: &[&Entry]) {
        let is_parallel = kinds.iter().any(|kind| kind.key == "parallel");
        for entry in fields {
            let of = match entry.key.as_str() {
                "at-once" if !is_parallel => "`parallel` or `for-each`",
                "fail-fast" if !is_parallel => "`parallel`",
                "rescue" if !kinds.iter().any(|kind| HAVE_RESCUE.contains(&kind.key.as_str())) => {
                    "`steps` or `parallel`"
                }
                key if OF_EACH.contains(&key) => "`for-each`",
                _ => continue,
            };
            let message = format!("`{}` belongs to {of}", entry.key);
            self.error("bad-value", entry.at.clone(), message).help("leave it out");
        }
    }

    /// The list: a list, or text that is one expression.
    fn items(&mut self, node: &Node, scope: Scope) {
        self.template(node, scope);
        let whole = node.text().is_some_and(|text| {
            matches!(script::parts(text).as_deref(), Ok([script::Part::Expression { .. }]) | Err(_))
        });
        match &node.kind {
            Kind::List(_) | Kind::Broken => {}
            _ if whole => {}
            _ => self.wrong_type(node, "a list, or an expression like `${{ inputs.vms }}`"),
        }
    }

    fn item_name(&mut self, node: &Node, scope: Scope) -> Option<String> {
        let name = self.text(node)?;
        let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_word {
            let error = self.error("bad-value", node.span.clone(), format!("`{}` is no name for an item", short(name)));
            error.help("a name is a letter, then letters, digits or `_`, at most 64 in all");
            return None;
        }
        if scope.roots().contains(&name) || name == "output" {
            let error = self.error("bad-value", node.span.clone(), format!("there is a `{name}` here already"));
            error.help("give the item another name");
            return None;
        }
        Some(name.to_owned())
    }

    fn waves(&mut self, node: &Node) -> Option<Vec<Share>> {
        let Kind::List(ends) = &node.kind else {
            self.wrong_type(node, "a list like `[1, 10%, 100%]`");
            return None;
        };
        let mut waves: Vec<Share> = Vec::new();
        for end in ends {
            let share = self.share(end, 1..=10_000)?;
            let grows = match (waves.last(), share) {
                (Some(Share::Items(before)), Share::Items(now)) => before < &now,
                (Some(Share::Percent(before)), Share::Percent(now)) => before < &now,
                (Some(Share::Percent(_)), Share::Items(_)) => false,
                _ => true,
            };
            if !grows {
                let error = self.error("bad-value", end.span.clone(), "this wave ends before the one before it");
                error.help("each entry says how many items, or what share of all, are done by its end: let them grow, numbers first");
                return None;
            }
            waves.push(share);
        }
        Some(waves)
    }

    /// A number of items, or a share like `10%`.
    fn share(&mut self, node: &Node, range: RangeInclusive<u32>) -> Option<Share> {
        let Some(text) = node.text() else { return self.integer(node, range).map(Share::Items) };
        let percent = text.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
        match percent.filter(|percent| (*range.start()..=100).contains(percent)) {
            Some(percent) => Some(Share::Percent(percent)),
            None => {
                self.wrong_type(node, "a whole number, or a share like `10%`");
                None
            }
        }
    }

    /// The steps in a step. In a group each sees those before it; side by side none sees another.
    fn inner(&mut self, entry: &Entry, on_failure: OnFailure, scope: Scope, in_order: bool) -> Option<Vec<Arc<Step>>> {
        let Kind::List(nodes) = &entry.value.kind else {
            self.wrong_type(&entry.value, "a list of steps");
            return None;
        };
        if nodes.is_empty() {
            let warning = self.warning("empty", entry.at.clone(), "there are no steps: it does nothing");
            warning.help("each step has an `id`, and `uses` or `script`");
        }
        if nodes.len() > limits::STEPS || scope.depth() >= limits::DEPTH_OF_STEPS {
            let message = match nodes.len() > limits::STEPS {
                true => format!("{} steps; at most {} stand side by side", nodes.len(), limits::STEPS),
                false => format!("steps stand in steps more than {} deep", limits::DEPTH_OF_STEPS),
            };
            self.error("too-large", entry.at.clone(), message);
            return None;
        }
        let around: Vec<&str> = scope.before().to_vec();
        let ids: Vec<&str> = nodes.iter().map(|step| id(step).unwrap_or_default()).collect();
        let all: Vec<&str> = around.iter().copied().chain(ids.iter().copied()).collect();
        ids.iter().for_each(|id| _ = self.types.outputs.remove(*id));
        self.same_steps(nodes, &around);
        let (mut steps, mut read) = (Vec::new(), Vec::new());
        for (at, node) in nodes.iter().enumerate() {
            let same = ids[..at].iter().position(|id| *id == ids[at]).map(|first| &nodes[first]);
            if around.contains(&ids[at]) && !ids[at].is_empty() {
                let error = self.error(
                    "duplicate-step",
                    first(node),
                    format!("there is a step `{}` before it already", ids[at]),
                );
                error.help("give the steps that see one another ids of their own");
            }
            let seen: Vec<&str> =
                if in_order { all.clone() } else { around.iter().copied().chain([ids[at]]).collect() };
            let before = around.len() + if in_order { at } else { 0 };
            let Some(step) = self.step(node, same, on_failure, scope.inside(&seen, before)) else { continue };
            read.extend(step.builds_on.iter().filter(|id| around.contains(&id.as_str())).cloned());
            steps.push(Arc::new(step));
        }
        self.steps_read.extend(read);
        Some(steps)
    }
}
