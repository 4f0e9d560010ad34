//! A program as a plugin: a JSON request on standard input, a JSON response on standard output. For tests.

mod hostile;

use std::io::{self, Read, Write};
use std::{env, fs, process};

use serde_json::{Value, json};

/// What an action came to: what stands under `ok`, or under `error`.
type Answer = Result<Value, Value>;

fn main() {
    let mut request = String::new();
    let request = match io::stdin().read_to_string(&mut request) {
        Ok(_) => serde_json::from_str::<Value>(&request),
        Err(_) => process::exit(66),
    };
    let Ok(request) = request else { process::exit(65) };
    let response = match answer(&request) {
        Ok(ok) => json!({ "ok": ok }),
        Err(error) => json!({ "error": error }),
    };
    if request["action"] == "write" {
        // So that tests see what goes over the wire.
        log(&format!("debug: request {request}"));
        log(&format!("debug: response {response}"));
    }
    respond(response.to_string().as_bytes());
    if request["input"]["exit"].is_u64() {
        process::exit(request["input"]["exit"].as_u64().and_then(|exit| exit.try_into().ok()).unwrap_or(1));
    }
}

fn respond(bytes: &[u8]) {
    let mut out = io::stdout();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        process::exit(74);
    }
}

fn answer(request: &Value) -> Answer {
    let input = &request["input"];
    let text = |key: &str| input[key].as_str().unwrap_or_default();
    match (request["op"].as_str().unwrap_or_default(), request["action"].as_str().unwrap_or_default()) {
        ("describe", _) => Ok(describe()),
        ("run", "echo") => {
            log("debug: looking");
            log("warn: echoing");
            Ok(json!({ "output": { "value": input["value"], "context": request["context"] } }))
        }
        ("run", "environment") => {
            let variables: Vec<[String; 2]> = env::vars().map(|(name, value)| [name, value]).collect();
            Ok(json!({ "output": { "variables": variables, "arguments": env::args().count() } }))
        }
        ("plan", "write") => Ok(json!({
            "summary": "writes a file",
            "changes": [{ "kind": "create", "subject": text("file"), "summary": "a line", "after": text("line") }],
        })),
        ("run", "write") => write(text("file"), text("line")),
        ("verify", "write") => verify(text("file"), text("line")),
        ("undo", "write") => undo(&request["undo-data"]),
        ("run", "fail") => Err(input["error"].clone()),
        ("run", "misbehave") => hostile::misbehave(text("how")),
        (_, action) => Err(json!({ "kind": "unknown-action", "message": action })),
    }
}

fn log(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn write(file: &str, line: &str) -> Answer {
    match fs::write(file, line) {
        Ok(()) => Ok(json!({ "output": {}, "changed": true, "undo-data": file })),
        Err(error) => Err(json!({ "kind": "permanent", "message": format!("{file}: {error}"), "code": "write" })),
    }
}

fn verify(file: &str, line: &str) -> Answer {
    Ok(match fs::read_to_string(file) {
        Ok(text) if text == line => {
            json!({ "happened": { "output": {}, "changed": true, "undo-data": file } })
        }
        Ok(_) => json!({ "cannot-tell": "the file says something else" }),
        Err(_) => json!("not-happened"),
    })
}

fn undo(file: &Value) -> Answer {
    let gone = file.as_str().is_some_and(|file| fs::remove_file(file).is_ok());
    Ok(json!({ "output": {}, "changed": gone }))
}

fn describe() -> Value {
    let any = json!({ "type": "object" });
    let action = |name: &str, effect: &str| {
        json!({
            "name": name, "summary": format!("Does {name}"), "effect": effect, "input-schema": any,
            "output-schema": any,
        })
    };
    let mut write = action("write", "idempotent");
    for verb in ["has-plan", "has-verify", "has-undo", "undo-safe-if-not-run"] {
        write[verb] = json!(true);
    }
    write["input-schema"] = json!({
        "type": "object", "required": ["file", "line"], "additionalProperties": false,
        "properties": { "file": { "type": "string" }, "line": { "type": "string" } },
    });
    json!({
        "name": "command-fixture", "version": env!("CARGO_PKG_VERSION"), "summary": "A program as a plugin",
        "actions": [
            action("echo", "read"), action("environment", "read"), write, action("fail", "unsafe"),
            action("misbehave", "read"),
        ],
    })
}
