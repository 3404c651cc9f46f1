//! Attributes and parameters of jobs.

use std::collections::{BTreeMap, BTreeSet};

use diracx_core::{JobId, JobStatus};
use diracx_proto::{
    Invalid,
    jobs::v1::{self as pb, job_parameter::Value as Wire},
    status::of_item,
    time,
};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{MOST_JOBS, job_ids};
use crate::{
    Deps,
    logic::{
        metadata::{self, Attribute, AttributeValue, MetadataPatch},
        parameters::ParameterValue,
    },
    policy,
    store::Parameters,
};

/// How long the name of a parameter may be, in characters.
const LONGEST_NAME: usize = 255;
/// How long the value of a parameter may be, in bytes.
const LARGEST_VALUE: usize = 64 * 1024;
/// How many parameters one call may set.
const MOST_PARAMETERS: usize = 100_000;
/// How many names one call may ask for.
const MOST_NAMES: usize = 1_000;

pub(super) async fn patch_job_metadata(
    deps: &Deps,
    request: Request<pb::PatchJobMetadataRequest>,
) -> Result<Response<pb::PatchJobMetadataResponse>, Status> {
    let identity = identity(&request)?;
    let patches = decode(request.into_inner()).map_err(to_status)?;
    let permit = policy::patch(deps, &identity, patches).await.map_err(to_status)?;
    let outcomes = metadata::patch(deps, permit).await.map_err(to_status)?;
    let outcomes = outcomes
        .into_iter()
        .map(|(job, result)| pb::PatchJobOutcome {
            job_id: job.get(),
            error: result.err().map(|error| of_item(&to_status(error))),
        })
        .collect();
    Ok(Response::new(pb::PatchJobMetadataResponse { outcomes }))
}

pub(super) async fn get_job_parameters(
    deps: &Deps,
    request: Request<pb::GetJobParametersRequest>,
) -> Result<Response<pb::GetJobParametersResponse>, Status> {
    let identity = identity(&request)?;
    let pb::GetJobParametersRequest { job_ids: ids, names } = request.into_inner();
    let jobs = job_ids("job_ids", &ids).map_err(to_status)?;
    if names.len() > MOST_NAMES {
        let problem = format!("has {} names, {MOST_NAMES} is the limit", names.len());
        return Err(to_status(Invalid::field("names", problem)));
    }
    let names: BTreeSet<String> = names.into_iter().collect();
    let permit = policy::read(deps, &identity, jobs).await.map_err(to_status)?;
    let outcomes = metadata::parameters(deps, permit, names).await.map_err(to_status)?;
    let outcomes = outcomes
        .into_iter()
        .map(|(job, result)| pb::JobParametersOutcome {
            job_id: job.get(),
            result: Some(match result {
                Ok(parameters) => pb::job_parameters_outcome::Result::Parameters(encode(parameters)),
                Err(error) => pb::job_parameters_outcome::Result::Error(of_item(&to_status(error))),
            }),
        })
        .collect();
    Ok(Response::new(pb::GetJobParametersResponse { outcomes }))
}

fn decode(request: pb::PatchJobMetadataRequest) -> Result<Vec<MetadataPatch>, Invalid> {
    if request.patches.len() > MOST_JOBS {
        let problem = format!("has {} jobs, {MOST_JOBS} is the limit", request.patches.len());
        return Err(Invalid::field("patches", problem));
    }
    let parameters: usize = request.patches.iter().map(|patch| patch.parameters.len()).sum();
    if parameters > MOST_PARAMETERS {
        let problem = format!("sets {parameters} parameters, {MOST_PARAMETERS} is the limit");
        return Err(Invalid::field("patches", problem));
    }
    let mut seen = BTreeSet::new();
    let read = |(i, patch): (usize, pb::JobMetadataPatch)| {
        if !seen.insert(patch.job_id) {
            return Err(Invalid::field(
                format!("patches[{i}].job_id"),
                format!("{} is there twice", patch.job_id),
            ));
        }
        read_patch(patch).map_err(|invalid| invalid.within(format_args!("patches[{i}]")))
    };
    request.patches.into_iter().enumerate().map(read).collect()
}

fn read_patch(patch: pb::JobMetadataPatch) -> Result<MetadataPatch, Invalid> {
    let attributes = patch.attributes.unwrap_or_default();
    let within = |invalid: Invalid| invalid.within("attributes");
    let status = attributes.status.as_deref().map(read_status).transpose().map_err(within)?;
    let attributes = read_attributes(attributes).map_err(within)?;
    let mut names = BTreeSet::new();
    let read = |(i, parameter): (usize, pb::JobParameter)| {
        let (name, value) =
            read_parameter(parameter).map_err(|invalid| invalid.within(format_args!("parameters[{i}]")))?;
        if !names.insert(name.clone()) {
            return Err(Invalid::field(format!("parameters[{i}].name"), format!("{name:?} is there twice")));
        }
        Ok((name, value))
    };
    let parameters = patch.parameters.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(MetadataPatch { job: JobId(patch.job_id), status, attributes, parameters })
}

/// Attributes that are there and fit into their columns.
#[derive(Default)]
struct Fitting(BTreeMap<Attribute, AttributeValue>);

impl Fitting {
    fn text(
        &mut self,
        column: Attribute,
        most: usize,
        field: &str,
        text: Option<String>,
    ) -> Result<(), Invalid> {
        let Some(text) = text else { return Ok(()) };
        if text.chars().nth(most).is_some() {
            return Err(Invalid::field(field, format!("has more than {most} characters")));
        }
        self.0.insert(column, AttributeValue::Text(text));
        Ok(())
    }

    fn time(
        &mut self,
        column: Attribute,
        field: &str,
        time: Option<&prost_types::Timestamp>,
    ) -> Result<(), Invalid> {
        if let Some(time) = time {
            self.0.insert(column, AttributeValue::Time(time::datetime(field, time)?));
        }
        Ok(())
    }

    fn int(&mut self, column: Attribute, number: Option<i32>) {
        self.0.extend(number.map(|number| (column, AttributeValue::Int(number))));
    }

    fn flag(&mut self, column: Attribute, word: Option<&str>) {
        self.0.extend(word.map(|word| (column, AttributeValue::Text(word.to_owned()))));
    }
}

fn read_status(word: &str) -> Result<JobStatus, Invalid> {
    word.parse().map_err(|_| Invalid::field("status", format!("{word:?} is no status of a job")))
}

/// What the columns hold, in characters, is in the contract.
fn read_attributes(from: pb::JobAttributes) -> Result<BTreeMap<Attribute, AttributeValue>, Invalid> {
    let accounted =
        from.accounted_flag.map(|number| read_accounted_flag("accounted_flag", number)).transpose()?;
    let mut into = Fitting::default();
    into.text("JobType", 32, "job_type", from.job_type)?;
    into.text("JobGroup", 32, "job_group", from.job_group)?;
    into.text("Site", 100, "site", from.site)?;
    into.text("JobName", 128, "job_name", from.job_name)?;
    into.text("Owner", 64, "owner", from.owner)?;
    into.text("OwnerGroup", 128, "owner_group", from.owner_group)?;
    into.text("VO", 32, "vo", from.vo)?;
    into.text("MinorStatus", 128, "minor_status", from.minor_status)?;
    into.text("ApplicationStatus", 255, "application_status", from.application_status)?;
    into.time("SubmissionTime", "submission_time", from.submission_time.as_ref())?;
    into.time("RescheduleTime", "reschedule_time", from.reschedule_time.as_ref())?;
    into.time("LastUpdateTime", "last_update_time", from.last_update_time.as_ref())?;
    into.time("StartExecTime", "start_exec_time", from.start_exec_time.as_ref())?;
    into.time("HeartBeatTime", "heart_beat_time", from.heart_beat_time.as_ref())?;
    into.time("EndExecTime", "end_exec_time", from.end_exec_time.as_ref())?;
    into.int("UserPriority", from.user_priority);
    into.int("RescheduleCounter", from.reschedule_counter);
    into.flag("VerifiedFlag", from.verified_flag.map(|flag| if flag { "True" } else { "False" }));
    into.flag("AccountedFlag", accounted);
    Ok(into.0)
}

fn read_accounted_flag(field: &str, number: i32) -> Result<&'static str, Invalid> {
    match pb::AccountedFlag::try_from(number) {
        Ok(pb::AccountedFlag::False) => Ok("False"),
        Ok(pb::AccountedFlag::True) => Ok("True"),
        Ok(pb::AccountedFlag::Failed) => Ok("Failed"),
        Ok(pb::AccountedFlag::Unspecified) | Err(_) => {
            Err(Invalid::field(field, format!("{number} is none of the flags that there are")))
        }
    }
}

fn read_parameter(parameter: pb::JobParameter) -> Result<(String, ParameterValue), Invalid> {
    let pb::JobParameter { name, value } = parameter;
    if name.is_empty() {
        return Err(Invalid::field("name", "is empty"));
    }
    if name.chars().nth(LONGEST_NAME).is_some() {
        return Err(Invalid::field("name", format!("has more than {LONGEST_NAME} characters")));
    }
    if name == "JobID" {
        return Err(Invalid::field("name", "is JobID, which is no parameter"));
    }
    let value = match value {
        None => return Err(Invalid::field("value", "is required")),
        Some(Wire::IntValue(number)) => ParameterValue::Int(number),
        Some(Wire::DoubleValue(number)) if number.is_finite() => ParameterValue::Float(number),
        Some(Wire::DoubleValue(_)) => return Err(Invalid::field("double_value", "is not finite")),
        Some(Wire::StringValue(text)) => ParameterValue::Text(small("string_value", text)?),
        Some(Wire::BoolValue(flag)) => ParameterValue::Flag(flag),
        Some(Wire::TimeValue(time)) => ParameterValue::Time(time::datetime("time_value", &time)?),
        Some(Wire::JsonValue(text)) => {
            let text = small("json_value", text)?;
            serde_json::from_str::<serde::de::IgnoredAny>(&text)
                .map_err(|error| Invalid::field("json_value", format!("is not JSON: {error}")))?;
            ParameterValue::Json(text)
        }
    };
    Ok((name, value))
}

fn small(field: &str, text: String) -> Result<String, Invalid> {
    if text.len() > LARGEST_VALUE {
        return Err(Invalid::field(field, format!("has {} bytes, {LARGEST_VALUE} is the limit", text.len())));
    }
    Ok(text)
}

fn encode(parameters: Parameters) -> pb::JobParameters {
    let parameters = parameters
        .into_iter()
        .map(|(name, value)| pb::JobParameter {
            name,
            value: match value {
                ParameterValue::Int(number) => Some(Wire::IntValue(number)),
                ParameterValue::Float(number) => Some(Wire::DoubleValue(number)),
                ParameterValue::Text(text) => Some(Wire::StringValue(text)),
                ParameterValue::Flag(flag) => Some(Wire::BoolValue(flag)),
                ParameterValue::Time(time) => Some(Wire::TimeValue(time::timestamp(time))),
                ParameterValue::Json(text) if text.trim() == "null" => None,
                ParameterValue::Json(text) => Some(Wire::JsonValue(text)),
            },
        })
        .collect();
    pb::JobParameters { parameters }
}
