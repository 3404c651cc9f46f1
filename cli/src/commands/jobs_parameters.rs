//! `dirac jobs parameters`.

use clap::Args;
use diracx_client::proto::jobs::v1::{
    GetJobParametersRequest, JobParameter, job_parameter, job_parameters_outcome::Result as Outcome,
};
use diracx_core::search::{Cell, Table};
use serde_json::{Map, Value, json};

use crate::{
    arguments::Global,
    failure::Failure,
    job_numbers,
    output::{Format, print, print_json, tell},
    table, times,
};

/// How many jobs go into one call.
const BATCH: usize = 10_000;

/// Show what pilots and people noted about jobs
///
/// Exits with 1 if one of them does not exist.
#[derive(Debug, Args)]
pub(crate) struct ParametersArguments {
    /// Job numbers; - reads them from the standard input, as they are or as other commands print them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,

    /// Only the parameter of this name; may be repeated
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
}

/// Shows the parameters, job by job.
pub(crate) async fn run(global: &Global, arguments: ParametersArguments) -> Result<(), Failure> {
    let ids = job_numbers::of(&arguments.ids)?;
    let mut client = diracx_client::jobs(global.connect()?);
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for batch in ids.chunks(BATCH) {
        let job_ids = batch.iter().map(|id| id.get()).collect();
        let request = GetJobParametersRequest { job_ids, names: arguments.names.clone() };
        for outcome in client.get_job_parameters(request).await?.into_inner().outcomes {
            match outcome.result {
                Some(Outcome::Parameters(parameters)) => found.push((outcome.job_id, parameters.parameters)),
                Some(Outcome::Error(error)) => missing.push(error.message),
                None => missing.push(format!("the server says nothing of job {}", outcome.job_id)),
            }
        }
    }
    if global.format() == Format::Json {
        print_json(&Value::Array(found.iter().map(|(id, parameters)| object(*id, parameters)).collect()))?;
    } else if found.iter().any(|(_, parameters)| !parameters.is_empty()) {
        print(&table::draw(&rows(&found), table::terminal_width()))?;
    } else if missing.is_empty() {
        tell("No parameters found");
    }
    for message in &missing {
        tell(&format!("error: {message}"));
    }
    if missing.is_empty() { Ok(()) } else { Err(Failure::Incomplete) }
}

fn object(id: i64, parameters: &[JobParameter]) -> Value {
    let values: Map<String, Value> =
        parameters.iter().map(|parameter| (parameter.name.clone(), value(parameter))).collect();
    json!({"JobID": id, "Parameters": values})
}

fn rows(found: &[(i64, Vec<JobParameter>)]) -> Table {
    let row = |id: i64, parameter: &JobParameter| {
        let text = match value(parameter) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        vec![Cell::Int(id), Cell::Text(parameter.name.clone()), Cell::Text(text)]
    };
    Table {
        columns: ["JobID", "Name", "Value"].map(str::to_owned).to_vec(),
        rows: found.iter().flat_map(|(id, all)| all.iter().map(|one| row(*id, one))).collect(),
        total: 0,
    }
}

fn value(parameter: &JobParameter) -> Value {
    use job_parameter::Value as Given;
    match &parameter.value {
        None => Value::Null,
        Some(Given::IntValue(number)) => json!(number),
        Some(Given::DoubleValue(number)) => json!(number),
        Some(Given::StringValue(text)) => json!(text),
        Some(Given::BoolValue(flag)) => json!(flag),
        Some(Given::TimeValue(time)) => json!(times::from_wire(time.seconds, time.nanos).map(times::written)),
        Some(Given::JsonValue(text)) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_kind() {
        let parameter = |value| JobParameter { name: "x".into(), value };
        assert_eq!(value(&parameter(None)), Value::Null);
        assert_eq!(value(&parameter(Some(job_parameter::Value::IntValue(7)))), json!(7));
        assert_eq!(value(&parameter(Some(job_parameter::Value::StringValue("7".into())))), json!("7"));
        assert_eq!(value(&parameter(Some(job_parameter::Value::JsonValue("[1]".into())))), json!([1]));
    }
}
