//! One job of a submission: checked, completed with what the VO sets, and finished with its number.

use std::{collections::HashSet, ops::Range};

use crate::JobId;

use super::{
    JobDescriptionLimits, OPTION_BYTES, SubmissionContext,
    attributes::{Attribute, Attributes},
    error::{JdlError, Located, Problem},
    manifest::{Manifest, Node, written_on_one_line},
    number, platform,
    reader::Wrapped,
    record::Entry,
    value::{list_items, pieces},
};

/// How many characters the columns of the job take.
const COLUMNS: [(&str, usize); 4] = [("JobName", 128), ("JobType", 32), ("JobGroup", 32), ("Site", 100)];
const LFN_LENGTH: usize = 255;

/// A job that passed every check and lacks only its number.
#[derive(Debug, Clone)]
pub struct JobDescription {
    /// The text to keep as what was submitted: of a parametric job, this job's part of it.
    pub original_jdl: String,
    /// Whether it is one of a parametric series.
    pub parametric: bool,
    parts: Parts,
    /// The job with the longest number there is, if it is short and the number stands in one place only: most jobs are
    /// printed once.
    printed: Option<Printed>,
}

/// What a job is made of.
#[derive(Debug, Clone)]
struct Parts {
    manifest: Manifest,
    /// What the VO and the submitter decide, in place of what the text may say.
    imposed: Vec<(&'static str, String)>,
    /// What the VO adds where the text says nothing.
    defaults: Vec<(&'static str, String)>,
    requirements: Attributes,
    user_priority: i32,
}

/// A job with a number in its text.
#[derive(Debug, Clone)]
struct Printed {
    job: FinishedJob,
    /// Where in the text the number stands.
    number: Range<usize>,
}

/// A job with its number, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedJob {
    /// The description that matchers and pilots read, sorted by attribute.
    pub jdl: String,
    /// What goes into columns of the job.
    pub attributes: JobAttributes,
    /// The input files; nothing if the description does not speak of them.
    pub input_data: Option<Vec<String>>,
}

/// What of a description goes into columns of the job. What is absent takes the column's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobAttributes {
    /// `Priority`, dimensionless; larger is sooner.
    pub user_priority: i32,
    /// `JobName`.
    pub job_name: Option<String>,
    /// `JobType`.
    pub job_type: Option<String>,
    /// `JobGroup`.
    pub job_group: Option<String>,
    /// `Site`; `Multiple` if there are several.
    pub site: Option<String>,
}

impl JobDescription {
    /// One job of a parametric series, from the text that was made for it.
    pub(super) fn of_series(text: &str, context: &SubmissionContext) -> Result<Self, JdlError> {
        let read =
            Wrapped::new(text).and_then(|text| Self::new(text.text.clone(), text.read()?, true, context));
        // a place in a text that nobody submitted would only confuse
        read.map_err(|located| JdlError::refused(0, Located { at: None, ..located }))
    }

    /// A job that was accepted once, from the text that was kept.
    pub(super) fn renewed(text: &str, context: &SubmissionContext) -> Result<Self, JdlError> {
        let read = Wrapped::new(text)
            .and_then(|text| Self::made(text.text.clone(), text.read()?, false, context, |_, _| Ok(())));
        read.map_err(|located| JdlError::refused(0, Located { at: None, ..located }))
    }

    /// Checks one description, which must stand for one job.
    pub(super) fn new(
        original_jdl: String,
        record: Vec<Entry>,
        parametric: bool,
        context: &SubmissionContext,
    ) -> Result<Self, Located> {
        Self::made(original_jdl, record, parametric, context, check_limits)
    }

    fn made(
        original_jdl: String,
        record: Vec<Entry>,
        parametric: bool,
        context: &SubmissionContext,
        check: impl FnOnce(&Manifest, &JobDescriptionLimits) -> Result<(), Located>,
    ) -> Result<Self, Located> {
        let mut manifest = Manifest::from_record(record)?;
        manifest.set("Owner", &*context.owner);
        manifest.set("OwnerGroup", &*context.owner_group);
        set_numbers(&mut manifest, &context.job_description)?;
        check(&manifest, &context.job_description)?;
        manifest.set("JobID", "0");

        let located = |problem, key| Located { problem, at: manifest.position(key) };
        if manifest.get("Parameters").is_some() {
            return Err(located(Problem::ParametersLeft, "Parameters"));
        }
        let mut requirements = Attributes::default();
        requirements.set_quoted("Owner", &context.owner);
        requirements.set_quoted("OwnerGroup", &context.owner_group);
        requirements.set_quoted("VirtualOrganization", &context.vo);
        let int = |key| manifest.text(key).map(|text| text.and_then(number::int));
        let priority = int("Priority")?.unwrap_or_default();
        let user_priority =
            priority.parse().map_err(|_| located(Problem::NumberTooLarge("Priority"), "Priority"))?;
        requirements.set_written("UserPriority", priority);
        requirements.set_written("CPUTime", int("CPUTime")?.unwrap_or_default());
        let written = |key| manifest.get(key).map(|node| written_on_one_line(key, node)).transpose();
        if let Some(written) = written("Platform")? {
            let requested = list_items(&written);
            if !requested.is_empty() {
                let platforms = platform::compatible(&requested, &context.os_compatibility)
                    .map_err(|problem| located(problem, "Platform"))?;
                requirements.set_written("Platforms", format!("{{\"{}\"}}", platforms.join("\",\"")));
            }
        }
        if let Some(vo) = written("VirtualOrganization")?.map(|written| written.replace('"', ""))
            && !vo.is_empty()
            && vo != context.vo
        {
            return Err(located(Problem::WrongVirtualOrganization, "VirtualOrganization"));
        }
        let quoted = |text: &str| format!("\"{text}\"");
        let parts = Parts {
            imposed: vec![
                ("Owner", quoted(&context.owner)),
                ("OwnerGroup", quoted(&context.owner_group)),
                ("VirtualOrganization", quoted(&context.vo)),
            ],
            defaults: vec![
                ("InputDataModule", quoted(&context.input_data_module)),
                ("SoftwareDistModule", quoted(&context.software_dist_module)),
            ],
            requirements,
            user_priority,
            manifest,
        };
        // with the longest number the database has, so that finishing with the real one does not fail
        let printed = parts.print(JobId(i64::from(u32::MAX)))?;
        Ok(Self { original_jdl, parametric, parts, printed })
    }

    /// What it takes of the bytes of its call.
    pub(super) fn bytes(&self) -> usize {
        self.original_jdl.len() + OPTION_BYTES * self.parts.manifest.options()
    }

    /// The files and sandboxes that the job reads, as they are named. What is no list of names is none.
    pub fn input_sandbox(&self) -> Vec<String> {
        let text = self.parts.manifest.text("InputSandbox").ok().flatten().unwrap_or_default();
        pieces(text).map(str::to_owned).collect()
    }

    /// The job with its number.
    ///
    /// # Errors
    /// Only if the number itself makes two input files the same.
    pub fn finish(&self, id: JobId) -> Result<FinishedJob, JdlError> {
        match &self.printed {
            Some(printed) => Ok(printed.with(id)),
            None => {
                self.parts.finish(id).map(|(job, _)| job).map_err(|located| JdlError::refused(0, located))
            }
        }
    }

    /// The manifest with its number: the options in their order, with owner and defaults.
    ///
    /// # Errors
    /// It is too long.
    pub fn manifest_jdl(&self, id: JobId) -> Result<String, JdlError> {
        let mut manifest = self.parts.manifest.clone();
        manifest.set("JobID", id.to_string());
        manifest.print().map_err(|problem| JdlError::refused(0, problem.into()))
    }
}

impl Printed {
    /// The same job with another number.
    fn with(&self, id: JobId) -> FinishedJob {
        let FinishedJob { jdl, attributes, input_data } = &self.job;
        let Range { start, end } = self.number;
        FinishedJob {
            jdl: [&jdl[..start], &id.to_string(), &jdl[end..]].concat(),
            attributes: attributes.clone(),
            input_data: input_data.clone(),
        }
    }
}

/// Longer texts are not kept beside what they are made of: many of them would fill the memory.
const LONGEST_KEPT: usize = 16 * 1024;

/// The option that holds the job's number.
const JOB_ID: &str = "JobID";

impl Parts {
    /// The job with this number; nothing if it is long, or the number stands in other places than its option.
    fn print(&self, id: JobId) -> Result<Option<Printed>, Located> {
        let (job, number) = self.finish(id)?;
        Ok(number.filter(|_| job.jdl.len() <= LONGEST_KEPT).map(|number| Printed { job, number }))
    }

    /// The job with its number, and where in the text that stands if it is in one place only.
    fn finish(&self, id: JobId) -> Result<(FinishedJob, Option<Range<usize>>), Located> {
        let id = id.to_string();
        let mut job = Attributes::default();
        let spread = numbered(&self.manifest, &id, &mut job)?;
        job.set_written(JOB_ID, &*id);
        let located = |problem, key| Located { problem, at: self.manifest.position(key) };
        let text = |key: &str| match (job.contains(key), self.manifest.get(key)) {
            (true, Some(node)) => {
                written_on_one_line(key, node).map(|t| Some(t.replace("%j", &id).replace('"', "")))
            }
            _ => Ok(None),
        };
        let column = |(key, limit): (&'static str, usize)| -> Result<Option<String>, Located> {
            let mut text = text(key)?.filter(|text| !text.is_empty());
            if key == "Site" && text.as_ref().is_some_and(|site| site.contains(',')) {
                text = Some("Multiple".to_owned());
            }
            match text {
                Some(text) if text.chars().count() > limit => {
                    Err(located(Problem::ValueTooLong { name: key, limit }, key))
                }
                text => Ok(text),
            }
        };
        let [job_name, job_type, job_group, site] = COLUMNS.map(column);
        let attributes = JobAttributes {
            user_priority: self.user_priority,
            job_name: job_name?,
            job_type: job_type?,
            job_group: job_group?,
            site: site?,
        };
        let input_data = match self.manifest.get("InputData") {
            Some(node) => {
                let written = written_on_one_line("InputData", node)?.replace("%j", &id);
                Some(input_files(&written).map_err(|problem| located(problem, "InputData"))?)
            }
            None => None,
        };
        for (name, written) in &self.imposed {
            job.set_written(name, &**written);
        }
        for (name, written) in &self.defaults {
            if !job.contains(name) {
                job.set_written(name, &**written);
            }
        }
        job.set("JobRequirements", Attribute::Record(self.requirements.clone()));
        let (jdl, at) = job.print(JOB_ID)?;
        let number = at.filter(|_| !spread).map(|at| at..at + id.len());
        Ok((FinishedJob { jdl, attributes, input_data }, number))
    }
}

/// The attributes of the manifest, with `%j` replaced in names and values; tells whether there was any.
fn numbered(manifest: &Manifest, id: &str, attributes: &mut Attributes) -> Result<bool, Problem> {
    let mut found = false;
    for (key, node) in manifest.iter() {
        let value = match node {
            Node::Option { .. } => {
                let written = written_on_one_line(key, node)?;
                found |= written.contains("%j");
                Attribute::Text(written.replace("%j", id))
            }
            Node::Section(section) => {
                let mut inner = Attributes::default();
                found |= numbered(section, id, &mut inner)?;
                Attribute::Record(inner)
            }
        };
        found |= key.contains("%j");
        attributes.set(&key.replace("%j", id), value);
    }
    Ok(found)
}

/// The numbers of DIRAC's job manifest: checks and defaults.
fn set_numbers(manifest: &mut Manifest, limits: &JobDescriptionLimits) -> Result<(), Located> {
    let numbers = [
        ("CPUTime", limits.default_cpu_time, limits.min_cpu_time, limits.max_cpu_time),
        ("Priority", limits.default_priority, limits.min_priority, limits.max_priority),
    ];
    for (key, default, min, max) in numbers {
        // a number that is given stays as it is, however far out; the bounds are for the default
        match manifest.get(key) {
            None => manifest.set(key, default.min(max).max(min).to_string()),
            Some(Node::Option { text, .. }) if number::int(text).is_some() => {}
            Some(_) => {
                return Err(Located { problem: Problem::NotANumber(key), at: manifest.position(key) });
            }
        }
    }
    Ok(())
}

/// What DIRAC's job manifest allows a new job.
fn check_limits(manifest: &Manifest, limits: &JobDescriptionLimits) -> Result<(), Located> {
    let located = |problem, key| Located { problem, at: manifest.position(key) };
    if let Some(files) = manifest.text("InputData")? {
        let (count, limit) = (pieces(files).count(), limits.max_input_data);
        if count > limit {
            return Err(located(Problem::TooMuchInputData { count, limit }, "InputData"));
        }
    }
    if let Some(types) = manifest.text("JobType")?
        && let Some(other) = pieces(types).find(|name| !limits.allowed_job_types.iter().any(|t| t == name))
    {
        return Err(located(Problem::JobTypeNotAllowed(other.to_owned()), "JobType"));
    }
    Ok(())
}

fn input_files(written: &str) -> Result<Vec<String>, Problem> {
    let files: Vec<String> = list_items(written).into_iter().filter(|file| !file.is_empty()).collect();
    let mut seen = HashSet::new();
    for file in &files {
        if !seen.insert(file) {
            return Err(Problem::DuplicateInputData(file.clone()));
        }
        if file.chars().count() > LFN_LENGTH {
            return Err(Problem::ValueTooLong { name: "InputData", limit: LFN_LENGTH });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::jdl::{expand, reader::Wrapped};

    fn context() -> SubmissionContext {
        SubmissionContext {
            owner: "chaen".to_owned(),
            owner_group: "lhcb_user".to_owned(),
            vo: "lhcb".to_owned(),
            job_description: JobDescriptionLimits::default(),
            input_data_module: "DIRAC.WorkloadManagementSystem.Client.InputDataResolution".to_owned(),
            software_dist_module: String::new(),
            os_compatibility: BTreeMap::new(),
            max_jobs: 10,
            max_bytes: 1 << 20,
        }
    }

    /// Texts that may speak of the job's number, in names, values and sections, and of what looks like it.
    fn with_numbers() -> impl Strategy<Value = String> {
        let word = "[A-Z]?(%j|%|JobID|4294967295|[a-z ,{}\n]{1,6}){1,2}";
        let option = prop_oneof![
            (word, word).prop_map(|(key, value)| format!("{key} = \"{value}\";")),
            (word, word).prop_map(|(key, value)| format!("{key} = {value};")),
            (word, word, word).prop_map(|(name, key, value)| format!("{name} = [ {key} = \"{value}\"; ];")),
        ];
        prop::collection::vec(option, 0..5).prop_map(|options| options.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_job_that_was_printed_once_differs_by_its_number_only(text in with_numbers(), id in 1_i64..1 << 40) {
            for job in expand(&[text], &context()).unwrap_or_default() {
                let (printed, _) = job.parts.finish(JobId(id)).unwrap();
                prop_assert_eq!(job.finish(JobId(id)).unwrap(), printed);
            }
        }
    }

    #[test]
    fn only_a_description_that_names_its_number_is_printed_again() {
        let job = |text: &str| {
            let text = Wrapped::new(text).unwrap();
            JobDescription::new(text.text.clone(), text.read().unwrap(), false, &context()).unwrap()
        };
        assert!(job("Executable = \"ls\"; JobID = 7; A = [ JobID = 4294967295; ]").printed.is_some());
        for text in ["Arguments = \"%j\"", "A%j = 1", "A = [ B = [ C = %j; ]; ]", "A = \"%\nj\""] {
            assert!(job(text).printed.is_none(), "{text}");
        }
    }
}
