//! Small files that would take all memory while they are compiled.

use std::fs;

use host::{Error, Host, Limits};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ElementSection, Elements, ExportKind, ExportSection, Function, FunctionSection,
    Instruction, MemorySection, MemoryType, Module, RefType, TypeSection, ValType,
};

/// A program of WASI preview 1, which is packed into a component, with `functions` functions: each does `times` times
/// `v[n] = v[n + 1] + v[n]` for other locals, behind a branch each time where `branches`.
fn program(functions: u32, locals: u32, times: u32, branches: bool) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let (mut section, mut code) = (FunctionSection::new(), CodeSection::new());
    for _ in 0..functions {
        section.function(0);
        let mut function = Function::new([(locals, ValType::I32)]);
        for n in 0..times {
            if branches {
                function.instruction(&Instruction::LocalGet((n * 7 + 3) % locals));
                function.instruction(&Instruction::If(BlockType::Empty));
            }
            for instruction in [
                Instruction::LocalGet((n * 3 + 1) % locals),
                Instruction::LocalGet(n % locals),
                Instruction::I32Add,
                Instruction::LocalSet((n * 5 + 2) % locals),
            ] {
                function.instruction(&instruction);
            }
            if branches {
                function.instruction(&Instruction::End);
            }
        }
        function.instruction(&Instruction::End);
        code.function(&function);
    }
    let (memories, exports) = surroundings();
    let mut module = Module::new();
    module.section(&types).section(&section).section(&memories).section(&exports).section(&code);
    module.finish()
}

/// A memory, and the exports that a program has.
fn surroundings() -> (MemorySection, ExportSection) {
    let mut memories = MemorySection::new();
    let (minimum, maximum) = (1, None);
    memories.memory(MemoryType { minimum, maximum, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    exports.export("_start", ExportKind::Func, 0).export("memory", ExportKind::Memory, 0);
    (memories, exports)
}

/// A program with one segment of this many items, each a constant expression of three bytes.
fn segment(items: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    functions.function(0);
    let mut function = Function::new([]);
    function.instruction(&Instruction::End);
    code.function(&function);
    let (memories, exports) = surroundings();
    let mut elements = ElementSection::new();
    elements.passive(Elements::Expressions(RefType::FUNCREF, vec![ConstExpr::ref_func(0); items].into()));
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&elements).section(&code);
    module.finish()
}

/// Why it can't be used.
async fn load(bytes: Vec<u8>) -> String {
    let host = Host::uncached(Limits::default()).unwrap();
    match host.load_bytes("bomb.wasm", bytes).await.unwrap_err() {
        Error::NoPlugin { reason, .. } => reason,
        other => other.to_string(),
    }
}

/// Whether this process is one for this test alone, so that no other's memory is counted; if not, such a one was run.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "RUNWRIGHT_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let name = format!("bombs::{test}");
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let run = command.args(["--exact", "--include-ignored", "--nocapture", &name]).env(ALONE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && told.contains("1 passed"), "{told}");
    false
}

/// The most megabytes that this process had.
fn peak_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok());
    peak.unwrap() / 1024
}

#[tokio::test]
async fn what_was_reported_is_refused_with_its_function_and_limit() {
    if !is_alone("what_was_reported_is_refused_with_its_function_and_limit") {
        return;
    }
    for (bytes, told) in [
        (program(1, 2_000, 50_000, true), "function 0 (_start) has 50000 branches with 2002 values"),
        (program(1, 2_000, 300_000, true), "function 0 (_start) has 400001 operations or more"),
        (program(1, 2_000, 300_000, false), "function 0 (_start) has 400001 operations or more"),
        (segment(5_000_000), "it has 500001 types, imports, exports, globals, segments and parts of them"),
        (program(400_000, 1, 1, false), "it has 400000 functions or more, where at most 100000"),
    ] {
        let why = load(bytes).await;
        assert!(why.starts_with(told) && why.contains("can be compiled"), "{told}: {why}");
    }
    assert!(peak_mb() < 1000, "{} MB", peak_mb());
}

/// What is just within the limits is compiled, within the memory that the limits are for; and is no plugin.
#[tokio::test]
async fn what_is_just_allowed_takes_less_than_a_gigabyte() {
    if !is_alone("what_is_just_allowed_takes_less_than_a_gigabyte") {
        return;
    }
    for bytes in [
        program(2, 2_000, 4_900, true),
        program(1, 400, 24_000, true),
        program(1, 2_000, 99_000, false),
        segment(249_990),
    ] {
        let (size, begin) = (bytes.len(), std::time::Instant::now());
        let why = load(bytes).await;
        assert!(!why.contains("can be compiled"), "{why}");
        eprintln!("{size} bytes: {:?}, {} MB", begin.elapsed(), peak_mb());
    }
    assert!(peak_mb() < 1000, "{} MB", peak_mb());
}

/// The same for a plugin that is at a limit in all: half a minute of compiling each.
#[tokio::test]
#[ignore = "slow: its figures stand in docs/capabilities.md"]
async fn what_is_just_allowed_in_all_takes_less_than_a_gigabyte() {
    if !is_alone("what_is_just_allowed_in_all_takes_less_than_a_gigabyte") {
        return;
    }
    for bytes in [
        program(99_999, 1, 1, false),
        program(35, 200, 49_000, false),
        program(5, 2_000, 4_900, true),
        program(49, 400, 2_400, true),
    ] {
        let (size, begin) = (bytes.len(), std::time::Instant::now());
        let why = load(bytes).await;
        assert!(!why.contains("can be compiled"), "{why}");
        eprintln!("{size} bytes: {:?}, {} MB", begin.elapsed(), peak_mb());
    }
    assert!(peak_mb() < 1000, "{} MB", peak_mb());
}
