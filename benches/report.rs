//! The table, and the same as JSON.

use std::time::Duration;

use serde_json::{Value, json};

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Report {
    times: Vec<(String, [Duration; 3], usize)>,
    rates: Vec<(String, f64)>,
    targets: Vec<Target>,
}

/// A figure, and what it should be.
pub(crate) struct Target {
    name: &'static str,
    value: f64,
    bound: f64,
    at_most: bool,
    unit: &'static str,
}

impl Target {
    pub(crate) fn at_most(name: &'static str, value: f64, bound: f64, unit: &'static str) -> Self {
        Self { name, value, bound, at_most: true, unit }
    }

    pub(crate) fn at_least(name: &'static str, value: f64, bound: f64, unit: &'static str) -> Self {
        Self { name, value, bound, at_most: false, unit }
    }

    fn met(&self) -> bool {
        if self.at_most { self.value <= self.bound } else { self.value >= self.bound }
    }
}

impl Report {
    /// Keeps lower quartile, median and 99th percentile of these times; gives the lower quartile: whatever else the
    /// machine does meanwhile only adds to a time, so this is what it takes on a quieter one.
    pub(crate) fn times(&mut self, name: &str, times: &mut [Duration]) -> Duration {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        self.times.push((name.to_owned(), [at(25), at(50), at(99)], times.len()));
        at(25)
    }

    /// Keeps a rate per second.
    pub(crate) fn rate(&mut self, name: &str, rate: f64) {
        self.rates.push((name.to_owned(), rate));
    }

    /// Keeps a figure that should be something.
    pub(crate) fn target(&mut self, target: Target) {
        self.targets.push(target);
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("\n{:<48} {:>10} {:>10} {:>10} {:>8}\n", "time", "quartile", "median", "p99", "samples");
        for (name, times, samples) in &self.times {
            let [quartile, median, p99] = times.map(short);
            text += &format!("{name:<48} {quartile:>10} {median:>10} {p99:>10} {samples:>8}\n");
        }
        text += &format!("\n{:<48} {:>10}\n", "rate (median of the rounds)", "per second");
        for (name, rate) in &self.rates {
            text += &format!("{name:<48} {rate:>10.0}\n");
        }
        text += &format!("\n{:<48} {:>10} {:>10}\n", "ratio", "is", "should be");
        for target in &self.targets {
            let (name, sign) = (target.name, if target.at_most { "≤" } else { "≥" });
            let should = format!("{sign} {} {}", target.bound, target.unit);
            let met = if target.met() { "met" } else { "missed" };
            text += &format!("{name:<48} {:>10.2} {should:>10}  {met}\n", target.value);
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
        let times = self.times.iter().map(|(name, times, samples)| {
            let [quartile, median, p99] = times.map(micros);
            json!({"name": name, "quartile-us": quartile, "median-us": median, "p99-us": p99, "samples": samples})
        });
        let rates = self.rates.iter().map(|(name, rate)| json!({"name": name, "per-second": rate}));
        let targets = self.targets.iter().map(|target| {
            let bound = if target.at_most { "at-most" } else { "at-least" };
            json!({"name": target.name, "value": target.value, bound: target.bound, "unit": target.unit,
                   "met": target.met()})
        });
        json!({
            "times": times.collect::<Vec<_>>(),
            "rates": rates.collect::<Vec<_>>(),
            "targets": targets.collect::<Vec<_>>(),
        })
    }
}

/// The median of these figures.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The time in three digits or so.
fn short(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..1_000.0 => format!("{micros:.1} µs"),
        1_000.0..100_000.0 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.0} ms", micros / 1e3),
    }
}
