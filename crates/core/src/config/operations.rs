//! `Operations`: what a VO may tune, and the defaults that all VOs share.

use std::{collections::HashSet, ops::Deref, sync::Arc};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{
    OPERATIONS,
    read::{Read, Reader, Step},
    section::section,
};

/// The entry that every VO starts from.
const DEFAULTS: &str = "Defaults";

/// What VOs may together make of the defaults, in bytes of JSON: a short text must not become a memory full of it.
const MOST_MERGED: usize = 64 << 20;

/// A section whose content DIRAC does not look into, served as it is.
pub type FreeMap = Map<String, Value>;

section! {
    /// `Operations.<vo>`, with `Operations.Defaults` already merged in.
    pub struct Operations {
        /// Legacy.
        "EnableSecurityLogging" enable_security_logging: bool = false;
        /// How jobs reach their data.
        "InputDataPolicy" input_data_policy: InputDataPolicy = InputDataPolicy::default();
        /// What a job may ask for.
        "JobDescription" job_description: JobDescription = JobDescription::default();
        /// What services may do.
        "Services" services: Services = Services::default();
        /// Legacy.
        "SoftwareDistModule" software_dist_module: String = "LocalSoftwareDist".to_owned();
        /// Free.
        "Cloud" cloud: Option<FreeMap> = None;
        /// Free.
        "DataConsistency" data_consistency: Option<FreeMap> = None;
        /// Free.
        "DataManagement" data_management: Option<FreeMap> = None;
        /// Free.
        "EMail" email: Option<FreeMap> = None;
        /// Free.
        "GaudiExecution" gaudi_execution: Option<FreeMap> = None;
        /// Free.
        "Hospital" hospital: Option<FreeMap> = None;
        /// Free; not `Services.JobScheduling`.
        "JobScheduling" job_scheduling: Option<FreeMap> = None;
        /// Free.
        "JobTypeMapping" job_type_mapping: Option<FreeMap> = None;
        /// Free.
        "LogFiles" log_files: Option<FreeMap> = None;
        /// Free.
        "LogStorage" log_storage: Option<FreeMap> = None;
        /// Free.
        "Logging" logging: Option<FreeMap> = None;
        /// Free.
        "Matching" matching: Option<FreeMap> = None;
        /// Free.
        "MonitoringBackends" monitoring_backends: Option<FreeMap> = None;
        /// Free.
        "NagiosConnector" nagios_connector: Option<FreeMap> = None;
        /// Free.
        "Pilot" pilot: Option<FreeMap> = None;
        /// Free.
        "Productions" productions: Option<FreeMap> = None;
        /// Free.
        "Shares" shares: Option<FreeMap> = None;
        /// Free.
        "Shifter" shifter: Option<FreeMap> = None;
        /// Free.
        "SiteSEMappingByProtocol" site_se_mapping_by_protocol: Option<FreeMap> = None;
        /// Free.
        "TransformationPlugins" transformation_plugins: Option<FreeMap> = None;
        /// Free.
        "Transformations" transformations: Option<FreeMap> = None;
        /// Free.
        "ResourceStatus" resource_status: Option<FreeMap> = None;
    }
}

section! {
    /// How jobs reach their data. Other keys are allowed and not kept.
    pub struct InputDataPolicy [ignores unknown] {
        /// The value repeats its own key; clients expect that.
        "Default" default: String =
            "Default = DIRAC.WorkloadManagementSystem.Client.InputDataByProtocol".to_owned();
        /// The module that downloads.
        "Download" download: String = "DIRAC.WorkloadManagementSystem.Client.DownloadInputData".to_owned();
        /// The module that reads remotely.
        "Protocol" protocol: String = "DIRAC.WorkloadManagementSystem.Client.InputDataByProtocol".to_owned();
        /// Whether all replicas are considered.
        "AllReplicas" all_replicas: bool = true;
        /// Which protocols are near and which are far.
        "Protocols" protocols: InputDataProtocols = InputDataProtocols::default();
        /// The module that decides.
        "InputDataModule" input_data_module: String = "DIRAC.Core.Utilities.InputDataResolution".to_owned();
    }
}

section! {
    /// Which protocols are near and which are far.
    pub struct InputDataProtocols {
        /// Far.
        "Remote" remote: Vec<String> = Vec::new();
        /// Near.
        "Local" local: Vec<String> = Vec::new();
    }
}

section! {
    /// What a job may ask for.
    pub struct JobDescription {
        /// Seconds, for a job that names none.
        "DefaultCPUTime" default_cpu_time: i64 = 86_400;
        /// For a job that names none.
        "DefaultPriority" default_priority: i64 = 1;
        /// Seconds.
        "MinCPUTime" min_cpu_time: i64 = 100;
        /// Lowest allowed.
        "MinPriority" min_priority: i64 = 0;
        /// Seconds.
        "MaxCPUTime" max_cpu_time: i64 = 500_000;
        /// Highest allowed.
        "MaxPriority" max_priority: i64 = 10;
        /// Files.
        "MaxInputData" max_input_data: i64 = 100;
        /// Job types that are accepted.
        "AllowedJobTypes" allowed_job_types: Vec<String> =
            ["User", "Test", "Hospital"].map(str::to_owned).to_vec();
    }
}

section! {
    /// What services may do.
    pub struct Services {
        /// Free.
        "Catalogs" catalogs: Option<FreeMap> = None;
        /// Who sees which jobs.
        "JobMonitoring" job_monitoring: JobMonitoring = JobMonitoring::default();
        /// How jobs are scheduled.
        "JobScheduling" job_scheduling: JobScheduling = JobScheduling::default();
    }
}

section! {
    /// Who sees which jobs.
    pub struct JobMonitoring {
        /// Whether a user sees the jobs of everybody in the VO.
        "GlobalJobsInfo" global_jobs_info: bool = true;
    }
}

section! {
    /// How jobs are scheduled.
    pub struct JobScheduling {
        /// Whether past use corrects the shares of groups.
        "EnableSharesCorrection" enable_shares_correction: bool = false;
        /// How often a job may be rescheduled.
        "MaxRescheduling" max_rescheduling: i64 = 3;
    }
}

/// The operations of a VO. Those of VOs that tune nothing are one and the same in memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SharedOperations(Arc<Operations>);

impl SharedOperations {
    /// `own`, or `last` if that is the same.
    pub(super) fn same_as(last: Option<&Self>, own: Operations) -> Self {
        match last {
            Some(last) if *last.0 == own => last.clone(),
            _ => Self(Arc::new(own)),
        }
    }

    /// Whether both are the same in memory.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for SharedOperations {
    type Target = Operations;

    fn deref(&self) -> &Operations {
        &self.0
    }
}

impl Serialize for SharedOperations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Read for SharedOperations {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        Operations::read(reader, value).map(|own| Self(Arc::new(own)))
    }
}

/// Takes `Operations` out of a document. A document that has them twice is left for the reader to complain about.
pub(super) fn take(document: &mut Value) -> Value {
    let Some(top) = document.as_object_mut() else { return Value::Null };
    match (top.contains_key(OPERATIONS), top.contains_key("operations")) {
        (true, false) => top.shift_remove(OPERATIONS).unwrap_or_default(),
        (false, true) => top.shift_remove("operations").unwrap_or_default(),
        _ => Value::Null,
    }
}

/// Gives every VO its own entry, laid over the defaults, and hands them out one by one. Entries of others stay as
/// they are.
pub(super) fn expand(
    reader: &mut Reader,
    operations: Value,
    vos: &[String],
    mut each: impl FnMut(String, SharedOperations),
) {
    let mut own = match operations {
        Value::Null => Map::new(),
        Value::Object(own) => own,
        other => {
            reader.at(Step::Name(OPERATIONS), |reader| drop(reader.section(other)));
            return;
        }
    };
    let defaults = match own.shift_remove(DEFAULTS).unwrap_or_default() {
        Value::Null => Value::Object(Map::new()),
        defaults => defaults,
    };
    let size = defaults.to_string().len();
    let mut left = MOST_MERGED;
    let known: HashSet<&String> = vos.iter().collect();
    for vo in vos {
        own.entry(vo).or_insert(Value::Null);
    }
    let mut shared = None;
    for (vo, own) in own {
        let tunes_nothing = own.is_null() || own.as_object().is_some_and(Map::is_empty);
        let read = if known.contains(&vo) && tunes_nothing {
            let shared = shared.get_or_insert_with(|| below(reader, vo.clone(), defaults.clone()).1);
            (vo, shared.clone())
        } else if known.contains(&vo) {
            let Some(rest) = left.checked_sub(size) else {
                let message =
                    format!("is too long to be laid below the entries of so many VOs ({size} bytes)");
                reader.at(Step::Name(OPERATIONS), |reader| {
                    reader.at(Step::Name(DEFAULTS), |reader| reader.problem::<()>(message))
                });
                return;
            };
            left = rest;
            below(reader, vo, merge(defaults.clone(), own))
        } else {
            below(reader, vo, own)
        };
        if let (vo, Some(operations)) = read {
            each(vo, operations);
        }
    }
}

fn below(reader: &mut Reader, vo: String, own: Value) -> (String, Option<SharedOperations>) {
    reader.at(Step::Name(OPERATIONS), |reader| reader.entry(vo, own))
}

/// Lays `over` on `base`: sections are merged key by key, anything else replaces what is below it,
/// except nothing (null), which lets it shine through.
pub(super) fn merge(base: Value, over: Value) -> Value {
    match (base, over) {
        (base, Value::Null) => base,
        (Value::Object(mut base), Value::Object(over)) => {
            for (key, value) in over {
                let below = base.get_mut(&key).map(Value::take).unwrap_or_default();
                base.insert(key, merge(below, value));
            }
            Value::Object(base)
        }
        (_, over) => over,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::merge;

    #[test]
    fn merging_goes_into_sections_and_replaces_everything_else() {
        #[track_caller]
        fn check(base: Value, over: Value, expected: &Value) {
            assert_eq!(merge(base, over), *expected);
        }
        check(json!({"a": {"x": 1, "y": 2}}), json!({"a": {"y": 3}}), &json!({"a": {"x": 1, "y": 3}}));
        check(json!({"a": [1, 2]}), json!({"a": [3]}), &json!({"a": [3]}));
        check(json!({"a": 1}), json!({"a": null}), &json!({"a": 1}));
        check(json!({"a": {"x": 1}}), json!({"a": 7}), &json!({"a": 7}));
        check(json!(null), json!({}), &json!({}));
        check(json!({"a": 1}), json!(null), &json!({"a": 1}));
    }
}
