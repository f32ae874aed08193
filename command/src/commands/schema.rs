//! `tollgate schema`: the JSON Schema of policies, for editors.

use super::error::CommandError;
use super::exit::Exit;
use crate::output::Out;
use crate::output::report;
use crate::read::document::Document;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

/// Print the JSON Schema of policies
///
/// Editors complete and explain every key with it: name it in the first line of a YAML file, as
/// `# yaml-language-server: $schema=policy.schema.json`. The schema knows the shape of a policy; whether it is one,
/// `tollgate check` knows.
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArguments {
    /// The schema is JSON in any case
    #[arg(long, value_enum, default_value_t)]
    format: SchemaFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum SchemaFormat {
    /// JSON Schema, draft 2020-12
    #[default]
    Json,
}

pub(crate) fn run(_: &SchemaArguments) -> Result<Exit, CommandError> {
    let mut out = Out::data();
    report::pretty(&of_policies(), &mut out)?;
    out.finish()?;
    Ok(Exit::Fine)
}

/// The schema of [`Document`].
fn of_policies() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with_transform(AsWritten);
    settings.into_generator().into_root_schema_for::<Document>()
}

/// Turns the schema of what serde takes into that of what a policy may say: no `null`, and no defaults that only stand
/// for an absent key.
#[derive(Clone, Debug)]
struct AsWritten;

impl Transform for AsWritten {
    fn transform(&mut self, schema: &mut Schema) {
        schema.remove("default");
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|listed| listed != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                schema.remove("anyOf");
                for (key, value) in only {
                    schema.insert(key, value);
                }
            }
        }
        // numbers of the language are JSON's own
        if schema.get("type").is_some_and(|listed| listed == "integer") {
            schema.remove("format");
        }
        transform_subschemas(self, schema);
    }
}
