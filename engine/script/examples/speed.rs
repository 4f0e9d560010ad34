use serde_json::json;
fn main() {
    let e = script::Engine::new(script::Limits::default());
    let mut steps = serde_json::Map::new();
    for i in 0..200 { steps.insert(format!("s{i}"), json!({"ran":true,"succeeded":true,"output":{"text":"x".repeat(1000), "n": i}})); }
    let scope = json!({"inputs":{"vm":"web-1","n":3},"steps":steps});
    for t in [json!({"vm":"web-1","a":1}), json!({"vm":"${{ inputs.vm }}"}), json!("vm-${{ inputs.vm }}-x"), json!("${{ steps.s7.output.n + 1 }}"), json!("${{ if steps.s7.ran { \"image\" } else { \"restart\" } }}"), json!("${{ !steps.s7.succeeded }}")] {
        let n = 100_000; let at = std::time::Instant::now();
        for _ in 0..n { e.resolve(&t, &scope).unwrap(); }
        println!("{:>8.0} ns {t}", at.elapsed().as_nanos() as f64 / n as f64);
    }
}
