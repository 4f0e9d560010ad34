//! JSON Schemas 2020-12 of an action's types.

use schemars::{JsonSchema, generate::SchemaSettings};

/// What `T` accepts.
pub(crate) fn input<T: JsonSchema>() -> String {
    SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<T>().as_value().to_string()
}

/// What `T` writes.
pub(crate) fn output<T: JsonSchema>() -> String {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().as_value().to_string()
}
