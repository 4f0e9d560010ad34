//! How much code a plugin may have: looked at before any of it is compiled.
//!
//! Compiling runs in the engine's process, and what it takes does not follow from a file's size: one megabyte of a single
//! function can take gigabytes, because the compiler keeps a value for each local at each place where control flow
//! meets. So everything is validated and weighed first, in one pass that takes time in proportion to the bytes. What
//! real plugins have, and what a plugin at the limits takes, stands in `docs/capabilities.md`.

use wasmparser::{
    BinaryReaderError, CompositeInnerType, ConstExpr, Data, DataKind, Element, ElementItems, ElementKind, Encoding,
    ExternalKind, FromReader, FuncToValidate, FuncValidatorAllocations, FunctionBody, KnownCustom, Name, Operator,
    Parser, Payload, RecGroup, SectionLimited, SubType, TableInit, ValidPayload, Validator, ValidatorResources,
};

use crate::said::clean;

/// The most that one function, and all of a plugin together, may have.
mod most {
    /// Values that live at one time: parameters, locals and the operand stack at its highest.
    pub(super) const FUNCTION_VALUES: u64 = 10_000;
    pub(super) const FUNCTION_OPERATIONS: u64 = 400_000;
    /// Branches times values: what the compiler's memory follows, up to 35 bytes for each, and its time, up to 0.8 µs.
    pub(super) const FUNCTION_JOINS: u64 = 10_000_000;
    /// The same for all functions that are compiled at one time.
    pub(super) const JOINS_AT_ONCE: u64 = 20_000_000;
    pub(super) const FUNCTIONS: u64 = 100_000;
    pub(super) const OPERATIONS: u64 = 7_000_000;
    pub(super) const JOINS: u64 = 50_000_000;
    /// Entries of all other sections of modules: types, imports, exports, globals, segments. One entry may be as large as
    /// the file, so what it is made of counts too: parameters, results and fields, items, operators of constant
    /// expressions.
    pub(super) const ENTRIES: u64 = 500_000;
    /// Modules and components inside the component.
    pub(super) const PARTS: u64 = 200;
    /// Bytes that describe the component's types and how its parts are wired.
    pub(super) const DESCRIPTION_BYTES: u64 = 1 << 20;
}

/// On how many threads the plugin with these bytes may be compiled. An error is a fragment that says what is too large (in
/// which function, where it is one), and the limit.
pub(crate) fn check(bytes: &[u8]) -> Result<usize, String> {
    weighed(bytes).map(|weighing| (most::JOINS_AT_ONCE / weighing.heaviest.max(1)).min(4) as usize)
}

fn weighed(bytes: &[u8]) -> Result<Weighing, String> {
    let mut weighing = Weighing::default();
    let mut validator = Validator::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let weighed = payload.map_err(Wrong::from).and_then(|payload| weighing.payload(&payload, &mut validator));
        weighed.map_err(|wrong| wrong.told(bytes, &weighing))?;
    }
    Ok(weighing)
}

/// Why a plugin is not compiled.
enum Wrong {
    Damaged(BinaryReaderError),
    Plugin(String),
    /// The function that was looked at last.
    Function(String),
}

impl From<BinaryReaderError> for Wrong {
    fn from(error: BinaryReaderError) -> Self {
        Self::Damaged(error)
    }
}

impl Wrong {
    fn told(self, bytes: &[u8], weighing: &Weighing) -> String {
        match self {
            Self::Damaged(error) => format!("it is damaged: {}", clean(error.message())),
            Self::Plugin(what) => format!("it has {what}"),
            Self::Function(what) => {
                let name = name(bytes, weighing.modules, weighing.function).unwrap_or_default();
                let module = match weighing.modules {
                    1 => String::new(),
                    number => format!(" of core module {}", number - 1),
                };
                let function = weighing.function;
                format!("function {function}{name}{module} has {what}; split it into smaller functions")
            }
        }
    }
}

/// What a plugin has in all, so far.
#[derive(Default)]
struct Weighing {
    /// Core modules met.
    modules: u64,
    parts: u64,
    functions: u64,
    operations: u64,
    joins: u64,
    /// The most joins of one function.
    heaviest: u64,
    entries: u64,
    description_bytes: u64,
    /// The index of the function looked at last, in its module.
    function: u32,
    /// Kept from function to function.
    allocations: FuncValidatorAllocations,
}

/// What one function has.
#[derive(Default)]
struct Weight {
    values: u64,
    operations: u64,
    branches: u64,
}

impl Weighing {
    /// Counts before it validates, because validating keeps what it has seen.
    fn payload(&mut self, payload: &Payload, validator: &mut Validator) -> Result<(), Wrong> {
        self.count(payload)?;
        if let ValidPayload::Func(function, body) = validator.payload(payload)? {
            self.function(function, &body)?;
        }
        Ok(())
    }

    fn count(&mut self, payload: &Payload) -> Result<(), Wrong> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.modules += u64::from(*encoding == Encoding::Module);
                add(&mut self.parts, 1, most::PARTS + 1, "modules and components inside")
            }
            Payload::CodeSectionStart { count, .. } => {
                add(&mut self.functions, u64::from(*count), most::FUNCTIONS, "functions")
            }
            Payload::TypeSection(section) => self.each(section, |weighing, group| weighing.types(&group)),
            Payload::ImportSection(section) => self.entries(section),
            Payload::TableSection(section) => self.each(section, |weighing, table| match table.init {
                TableInit::Expr(expression) => weighing.expression(&expression),
                TableInit::RefNull => Ok(()),
            }),
            Payload::MemorySection(section) => self.entries(section),
            Payload::TagSection(section) => self.entries(section),
            Payload::GlobalSection(section) => {
                self.each(section, |weighing, global| weighing.expression(&global.init_expr))
            }
            Payload::ExportSection(section) => self.entries(section),
            Payload::ElementSection(section) => self.each(section, Self::element),
            Payload::DataSection(section) => self.each(section, Self::data),
            Payload::CoreTypeSection(section) => self.described(section),
            Payload::InstanceSection(section) => self.described(section),
            Payload::ComponentInstanceSection(section) => self.described(section),
            Payload::ComponentAliasSection(section) => self.described(section),
            Payload::ComponentTypeSection(section) => self.described(section),
            Payload::ComponentCanonicalSection(section) => self.described(section),
            Payload::ComponentImportSection(section) => self.described(section),
            Payload::ComponentExportSection(section) => self.described(section),
            _ => Ok(()),
        }
    }

    fn entries<T>(&mut self, section: &SectionLimited<T>) -> Result<(), Wrong> {
        self.parts_of_entries(section.count())
    }

    fn parts_of_entries(&mut self, count: u32) -> Result<(), Wrong> {
        let what = "types, imports, exports, globals, segments and parts of them";
        add(&mut self.entries, count.into(), most::ENTRIES, what)
    }

    /// Counts the section's entries, and of each what `weigh` finds in it.
    fn each<'a, T: FromReader<'a>>(
        &mut self,
        section: &SectionLimited<'a, T>,
        weigh: impl Fn(&mut Self, T) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        self.entries(section)?;
        section.clone().into_iter().try_for_each(|entry| weigh(self, entry?))
    }

    /// The group itself is counted already.
    fn types(&mut self, group: &RecGroup) -> Result<(), Wrong> {
        let parts = |subtype: &SubType| match &subtype.composite_type.inner {
            CompositeInnerType::Func(function) => function.params().len() + function.results().len(),
            CompositeInnerType::Struct(structure) => structure.fields.len(),
            CompositeInnerType::Array(_) | CompositeInnerType::Cont(_) => 0,
        };
        let count = group.types().map(|subtype| 1 + parts(subtype)).sum::<usize>().saturating_sub(1);
        self.parts_of_entries(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn element(&mut self, element: Element<'_>) -> Result<(), Wrong> {
        if let ElementKind::Active { offset_expr, .. } = &element.kind {
            self.expression(offset_expr)?;
        }
        match element.items {
            ElementItems::Functions(functions) => self.entries(&functions),
            ElementItems::Expressions(_, items) => items.into_iter().try_for_each(|item| self.expression(&item?)),
        }
    }

    fn data(&mut self, data: Data<'_>) -> Result<(), Wrong> {
        match &data.kind {
            DataKind::Active { offset_expr, .. } => self.expression(offset_expr),
            DataKind::Passive => Ok(()),
        }
    }

    /// Counts each operator, and the end.
    fn expression(&mut self, expression: &ConstExpr<'_>) -> Result<(), Wrong> {
        let mut operators = expression.get_operators_reader();
        while !operators.eof() {
            operators.read()?;
            self.parts_of_entries(1)?;
        }
        Ok(())
    }

    fn described<T>(&mut self, section: &SectionLimited<T>) -> Result<(), Wrong> {
        let range = section.range();
        let what = "bytes that describe its types and how its parts are wired";
        add(&mut self.description_bytes, range.end - range.start, most::DESCRIPTION_BYTES, what)
    }

    fn function(&mut self, function: FuncToValidate<ValidatorResources>, body: &FunctionBody) -> Result<(), Wrong> {
        self.function = function.index;
        let weight = self.weigh(function, body)?;
        let joins = weight.branches * weight.values;
        if joins > most::FUNCTION_JOINS {
            let (branches, values, most) = (weight.branches, weight.values, most::FUNCTION_JOINS);
            let what = format!("{branches} branches with {values} values that may live across each, {joins} in all");
            return Err(Wrong::Function(format!("{what}, where at most {most} can be compiled")));
        }
        self.heaviest = self.heaviest.max(joins);
        add(&mut self.operations, weight.operations, most::OPERATIONS, "operations")?;
        add(&mut self.joins, joins, most::JOINS, "branches, each times the values that may live across it")
    }

    /// Stops at the first operation that is too much.
    fn weigh(&mut self, function: FuncToValidate<ValidatorResources>, body: &FunctionBody) -> Result<Weight, Wrong> {
        let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader)?;
        let locals = u64::from(validator.len_locals());
        let mut weight = Weight { values: locals, ..Weight::default() };
        let mut operators = body.get_operators_reader()?;
        let mut height = 0;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            validator.op(offset, &operator)?;
            let before = std::mem::replace(&mut height, u64::from(validator.operand_stack_height()));
            // A call can give a thousand values at once.
            weight.operations += height.saturating_sub(before).max(1);
            weight.branches += branches(&operator);
            weight.values = weight.values.max(locals + height);
            if weight.values > most::FUNCTION_VALUES {
                return Err(more(weight.values, "parameters, locals and operands", most::FUNCTION_VALUES));
            }
            if weight.operations > most::FUNCTION_OPERATIONS {
                return Err(more(weight.operations, "operations or more", most::FUNCTION_OPERATIONS));
            }
        }
        operators.finish()?;
        self.allocations = validator.into_allocations();
        Ok(weight)
    }
}

fn more(count: u64, what: &str, most: u64) -> Wrong {
    Wrong::Function(format!("{count} {what}, where at most {most} can be compiled"))
}

/// Adds `count` to `sum`; an error where that is more than `most`.
fn add(sum: &mut u64, count: u64, most: u64, what: &str) -> Result<(), Wrong> {
    *sum += count;
    match *sum <= most {
        true => Ok(()),
        false => Err(Wrong::Plugin(format!("{sum} {what} or more, where at most {most} can be compiled"))),
    }
}

/// The ways that control flow takes from, or to, an operation.
fn branches(operator: &Operator) -> u64 {
    match operator {
        Operator::BrTable { targets } => u64::from(targets.len()) + 1,
        Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::If { .. }
        | Operator::Else
        | Operator::Br { .. }
        | Operator::BrIf { .. } => 1,
        _ => 0,
    }
}

/// How a module calls its function, in brackets: by its names, or as it exports it.
fn name(bytes: &[u8], module: u64, function: u32) -> Option<String> {
    let mut modules = 0;
    let mut exported = None;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::Version { encoding: Encoding::Module, .. } => modules += 1,
            Payload::ExportSection(exports) if modules == module => {
                let mut exports = exports.into_iter().flatten();
                exported = exports
                    .find(|export| export.kind == ExternalKind::Func && export.index == function)
                    .map(|export| export.name);
            }
            Payload::CustomSection(section) if modules == module => {
                if let KnownCustom::Name(names) = section.as_known() {
                    let maps = names.into_iter().flatten().filter_map(|name| match name {
                        Name::Function(map) => Some(map),
                        _ => None,
                    });
                    let mut names = maps.flatten().flatten();
                    if let Some(naming) = names.find(|naming| naming.index == function) {
                        return Some(quoted(naming.name));
                    }
                }
            }
            _ => {}
        }
    }
    exported.map(quoted)
}

fn quoted(name: &str) -> String {
    const MOST: usize = 100;
    format!(" ({})", clean(name).chars().take(MOST).collect::<String>())
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        BlockType, CodeSection, Function, FunctionSection, Instruction, Module, NameMap, NameSection, TypeSection,
        ValType,
    };

    use super::*;

    /// A module with `count` functions like this one, without parameters; the last is called `heavy`.
    fn module(count: u32, locals: u32, body: &[Instruction], times: usize) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        for _ in 0..count {
            functions.function(0);
            let mut function = Function::new([(locals, ValType::I32)]);
            for _ in 0..times {
                for instruction in body {
                    function.instruction(instruction);
                }
            }
            function.instruction(&Instruction::End);
            code.function(&function);
        }
        let mut names = NameMap::new();
        names.append(count - 1, "heavy\u{1b}[2J");
        let mut named = NameSection::new();
        named.functions(&names);
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&code).section(&named);
        module.finish()
    }

    /// A branch, as an empty block.
    const BRANCH: [Instruction; 2] = [Instruction::Block(BlockType::Empty), Instruction::End];
    const NOTHING: [Instruction; 1] = [Instruction::Nop];

    fn refused(bytes: &[u8]) -> String {
        check(bytes).unwrap_err()
    }

    #[test]
    fn a_function_has_only_so_many_branches_times_values() {
        let values = 2_000;
        let most = (most::FUNCTION_JOINS / values) as usize;
        assert!(check(&module(1, values as u32, &BRANCH, most)).is_ok());
        assert_eq!(
            refused(&module(1, values as u32, &BRANCH, most + 1)),
            "function 0 (heavy) has 5001 branches with 2000 values that may live across each, 10002000 in all, where \
             at most 10000000 can be compiled; split it into smaller functions"
        );
    }

    #[test]
    fn a_function_has_only_so_many_operations_and_values() {
        let most = most::FUNCTION_OPERATIONS as usize - 1;
        assert!(check(&module(1, 0, &NOTHING, most)).is_ok());
        let told = refused(&module(3, 0, &NOTHING, most + 1));
        assert_eq!(
            told,
            "function 0 has 400001 operations or more, where at most 400000 can be compiled; split it into smaller functions"
        );
        assert!(check(&module(1, most::FUNCTION_VALUES as u32, &NOTHING, 1)).is_ok());
        let told = refused(&module(1, most::FUNCTION_VALUES as u32 + 1, &NOTHING, 1));
        assert!(told.contains("(heavy) has 10001 parameters, locals and operands"), "{told}");
        // The operand stack counts as the locals do.
        let mut push = vec![Instruction::I32Const(1); most::FUNCTION_VALUES as usize + 1];
        push.push(Instruction::Unreachable);
        let told = refused(&module(1, 0, &push, 1));
        assert!(told.contains("10001 parameters, locals and operands"), "{told}");
    }

    #[test]
    fn a_plugin_has_only_so_many_functions_and_operations() {
        let most = most::FUNCTIONS as u32;
        assert!(check(&module(most, 0, &[], 0)).is_ok());
        let told = refused(&module(most + 1, 0, &[], 0));
        assert_eq!(told, "it has 100001 functions or more, where at most 100000 can be compiled");
        let each = 200_000;
        let most = most::OPERATIONS as u32 / each;
        assert!(check(&module(most, 0, &NOTHING, each as usize - 1)).is_ok());
        let told = refused(&module(most, 0, &NOTHING, each as usize));
        assert!(told.starts_with("it has 7000035 operations"), "{told}");
        let most = (most::JOINS / 1_000_000) as u32;
        assert!(check(&module(most, 1_000, &BRANCH, 1_000)).is_ok());
        let told = refused(&module(most + 1, 1_000, &BRANCH, 1_000));
        assert!(told.contains("branches, each times the values"), "{told}");
    }

    #[test]
    fn heavy_functions_are_not_compiled_side_by_side() {
        assert_eq!(check(&module(8, 10, &BRANCH, 10)), Ok(4));
        assert_eq!(check(&module(2, 1_000, &BRANCH, 6_000)), Ok(3));
        assert_eq!(check(&module(2, 1_000, &BRANCH, 10_000)), Ok(2));
    }

    #[test]
    fn real_plugins_have_a_wide_margin() {
        for name in ["vm", "files", "test/fixture", "test/command-fixture"] {
            let path = format!("{}/../../plugins/dist/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
            let bytes = std::fs::read(path).unwrap();
            let Weighing { functions, operations, joins, heaviest, entries, parts, description_bytes, .. } =
                weighed(&bytes).unwrap();
            for (count, most) in [
                (functions, most::FUNCTIONS),
                (operations, most::OPERATIONS),
                (joins, most::JOINS),
                (heaviest, most::FUNCTION_JOINS),
                (entries, most::ENTRIES),
                (parts, most::PARTS),
                (description_bytes, most::DESCRIPTION_BYTES),
            ] {
                assert!(count * 8 < most, "{name}: {count} of {most}");
            }
        }
    }

    #[test]
    fn what_is_not_code_is_bounded_too() {
        let exporting = |count: u64| {
            let exports: String = (0..count).map(|n| format!("(export \"{n}\" (func 0))")).collect();
            wat::parse_str(format!("(module (func) {exports})")).unwrap()
        };
        assert!(check(&exporting(most::ENTRIES - 1)).is_ok());
        let told = refused(&exporting(most::ENTRIES));
        assert_eq!(
            told,
            "it has 500001 types, imports, exports, globals, segments and parts of them or more, where at most 500000 can be compiled"
        );
        let nested = |count: usize| wat::parse_str(format!("(component {})", "(core module)".repeat(count))).unwrap();
        assert!(check(&nested(most::PARTS as usize)).is_ok());
        let told = refused(&nested(most::PARTS as usize + 1));
        assert!(told.contains("modules and components inside"), "{told}");
        let described = |count: usize| wat::parse_str(format!("(component {})", "(type u8)".repeat(count))).unwrap();
        assert!(check(&described(10_000)).is_ok());
        let told = refused(&described(1 << 20));
        assert!(told.contains("bytes that describe its types"), "{told}");
    }

    #[test]
    fn what_an_entry_is_made_of_counts() {
        // Two operators and two for each time.
        let sum = |times: usize| format!("(i32.const 1) {}", "(i32.const 1) i32.add ".repeat(times));
        let half = most::ENTRIES as usize / 2;
        let cases: [(usize, &dyn Fn(usize) -> String); 7] = [
            (half - 2, &|n| format!("(global i32 {})", sum(n))),
            (half - 2, &|n| format!("(memory 1) (data (offset {}))", sum(n))),
            (half - 2, &|n| format!("(table 1 funcref) (elem (offset {}) func)", sum(n))),
            (half - 2, &|n| format!("(table 1 i31ref {} ref.i31)", sum(n))),
            (half - 1, &|n| format!("(func) (elem funcref {})", "(ref.func 0)".repeat(n))),
            (2 * half - 2, &|n| format!("(func) (elem func {})", "0 ".repeat(n))),
            (half / 500, &|n| format!("(type (func (param {})))", "i32 ".repeat(999)).repeat(n)),
        ];
        for (most, fields) in cases {
            let module = |count| wat::parse_str(format!("(module {})", fields(count))).unwrap();
            let first: String = fields(1).chars().take(60).collect();
            assert_eq!(check(&module(most)), Ok(4), "{first}");
            let told = refused(&module(most + 1));
            assert!(told.contains("segments and parts of them"), "{first}: {told}");
        }
    }

    #[test]
    fn a_function_without_a_name_is_called_as_it_is_exported_and_damage_is_told() {
        let text = format!(
            r#"(component (core module) (core module (func (export "go") {})))"#,
            "nop ".repeat(most::FUNCTION_OPERATIONS as usize)
        );
        let told = refused(&wat::parse_str(text).unwrap());
        assert!(told.starts_with("function 0 (go) of core module 1 has 400001 operations"), "{told}");
        let told = refused(&wat::parse_str("(module (func (result i32)))").unwrap());
        assert!(told.starts_with("it is damaged: type mismatch"), "{told}");
    }
}
