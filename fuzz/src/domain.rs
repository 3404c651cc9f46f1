//! Scopes, versions, job descriptions, configurations.

use std::{collections::BTreeSet, fmt::Write as _, sync::OnceLock};

use diracx_core::{
    JobId, Version,
    config::{Config, Gradual, convert},
    jdl::{JobDescriptionLimits, MAX_BYTES_IN_ALL, SubmissionContext, expand, payload},
    property::SecurityProperty,
    sandbox::{LONGEST_PFN, Pfn},
    scope::Scope,
    version::check_client_version,
};
use serde_json::json;

use super::{must_explain_itself, yaml};

/// A scope is refused with a reason, or means the same when it is written out in full.
pub fn scope(data: &[u8]) {
    static KNOWN: OnceLock<(Config, BTreeSet<SecurityProperty>)> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (config, known) = KNOWN.get_or_init(|| {
        let vo = |property: &str| {
            json!({"IdP": {"URL": "http://idp.invalid", "ClientID": "x"}, "DefaultGroup": "user", "Users": {},
                "Groups": {"user": {"Properties": [property], "Users": []}, "prod": {"Properties": [], "Users": []}}})
        };
        let document = json!({"DIRAC": {}, "Operations": {},
            "Registry": {"alpha": vo("NormalUser"), "beta": vo("GenericPilot")}});
        let config = Config::from_value(document).expect("a configuration");
        (config, SecurityProperty::BUILT_IN.iter().cloned().collect())
    });
    match Scope::parse(text, config, known) {
        Err(error) => must_explain_itself(&error),
        Ok(scope) => {
            assert!(config.group(&scope.vo, &scope.group).is_some(), "a scope of a group that is not there");
            assert!(scope.properties.is_subset(known), "a scope with a property that is not known");
            let mut full = format!("vo:{} group:{}", scope.vo, scope.group);
            for property in &scope.properties {
                let _ = write!(full, " property:{}", property.as_str());
            }
            if full.chars().count() <= diracx_core::scope::MAX_LENGTH {
                assert_eq!(Scope::parse(&full, config, known).as_ref(), Ok(&scope), "{full}");
            }
        }
    }
}

struct Vos(Gradual);

impl yaml::Sink for Vos {
    fn begin(&mut self) {
        self.0.begin();
    }

    fn vo(&mut self, name: String, value: serde_json::Value) {
        self.0.vo(name, value);
    }
}

/// A configuration of DIRAC is refused with a place in the text, or reads back when it is written out; and what becomes
/// of it is a configuration of DiracX, or an error that says why not.
pub fn cfg(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let section = match diracx_core::cfg::parse(text) {
        Ok(section) => section,
        Err(error) => {
            assert!(error.line <= text.split('\n').count() && error.line > 0 && error.column > 0, "{error}");
            return;
        }
    };
    let mut written = String::new();
    write_cfg(&section, &mut written);
    assert_eq!(diracx_core::cfg::parse(&written).as_ref(), Ok(&section), "{written}");
    match convert(section) {
        Ok(converted) => assert!(converted.document.get("DiracX").is_none(), "{}", converted.document),
        Err(error) => assert!(!error.to_string().trim().is_empty()),
    }
}

fn write_cfg(section: &diracx_core::cfg::Section, text: &mut String) {
    for (name, value) in section {
        let _ = match value {
            serde_json::Value::Object(inner) => {
                let _ = writeln!(text, "{name}\n{{");
                write_cfg(inner, text);
                writeln!(text, "}}")
            }
            value => writeln!(text, "{name} = {}", value.as_str().unwrap_or_default()),
        };
    }
}

/// A version reads the same when it is written again; two, one a line, compare the same from either side.
pub fn version(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, other) = text.split_once('\n').unwrap_or((text, "1.0"));
    let minimum: Version = "0.0.1a1".parse().expect("a version");
    if let Err(error) = check_client_version(text, &minimum) {
        must_explain_itself(&error);
    }
    let Ok(version) = text.parse::<Version>() else { return };
    let written = version.to_string();
    let again: Version = written.parse().expect("a version that we wrote");
    assert_eq!(again, version, "{written}");
    assert_eq!(again.to_string(), written);
    if let Ok(other) = other.parse::<Version>() {
        assert_eq!(version.cmp(&other), other.cmp(&version).reverse(), "{version} and {other}");
    }
}

/// Job descriptions, several with lines of `---` between them, become jobs whose own description can be read, or
/// are refused with a reason.
pub fn jdl(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let texts: Vec<_> = text.split("\n---\n").map(str::to_owned).collect();
    let context = |max_jobs, max_bytes| SubmissionContext {
        owner: "alice".into(),
        owner_group: "alpha_user".into(),
        vo: "alpha".into(),
        job_description: JobDescriptionLimits::default(),
        input_data_module: "Input.Data.Module".into(),
        software_dist_module: "LocalSoftwareDist".into(),
        os_compatibility: [("el9".to_owned(), ["el9".to_owned(), "el8".to_owned()].into())].into(),
        max_jobs,
        max_bytes,
    };
    // A call, and a batch of a stream with little room.
    for context in [context(20, MAX_BYTES_IN_ALL), context(10_000, 1 << 17)] {
        match expand(&texts, &context) {
            Err(error) => must_explain_itself(&error),
            Ok(jobs) => {
                assert!((1..=context.max_jobs).contains(&jobs.len()), "{} jobs", jobs.len());
                let bytes: usize = jobs.iter().map(|job| job.original_jdl.len()).sum();
                assert!(bytes <= context.max_bytes, "{bytes} bytes");
                for (job, id) in jobs.iter().zip(1..) {
                    let finished = job.finish(JobId(id)).expect("a job that was accepted");
                    let _ = payload(&finished.jdl);
                }
            }
        }
    }
}

/// A PFN is refused, or consists of what it says of itself: a bucket, an owner, a file; and never leads out of its bucket.
pub fn pfn(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(pfn) = text.parse::<Pfn>() else { return };
    assert!(text.chars().count() <= LONGEST_PFN && text.ends_with(pfn.as_str()), "{text:?} became {pfn}");
    let (owner, file) = (pfn.owner(), pfn.key().rsplit('/').next().unwrap_or_default());
    assert_eq!(Pfn::new(pfn.bucket(), &owner, file).as_ref(), Ok(&pfn), "{text:?}");
    assert!(pfn.as_str().starts_with(&owner.prefix(pfn.bucket())), "{text:?}");
    assert_eq!(pfn.with_storage_element("SandboxSE").parse::<Pfn>().as_ref(), Ok(&pfn), "{text:?}");
}

/// A configuration is refused with a reason, or is the same after it was written as the config service serves it.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let value = match yaml::parse(text) {
        Ok(value) => value,
        Err(error) => return assert!(!error.message.is_empty(), "an error without a sentence"),
    };
    let mut vos = Vos(Gradual::new(usize::MAX));
    let rest = yaml::parse_into(text, &mut vos).expect("a text that was read before");
    let gradual = vos.0.finish(rest);
    match Config::from_value(value) {
        Err(error) => {
            assert!(!error.to_string().trim().is_empty(), "an error without a sentence");
            assert!(gradual.is_err(), "VO by VO it is a configuration, as a whole not: {error}");
        }
        Ok(config) => {
            let served = config.to_document();
            let gradual = gradual.expect("a configuration, read VO by VO").document;
            let unordered = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
            assert_eq!(unordered(&gradual), unordered(&served), "VO by VO it is another configuration");
            let again = Config::from_document(&served).expect("a configuration that we wrote");
            assert_eq!(again.to_document(), served);
        }
    }
}
