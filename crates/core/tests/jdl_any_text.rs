//! Whatever is submitted as a job description: an answer comes, soon, and it is not a panic.

use std::time::{Duration, Instant};

use diracx_core::{
    Explain, JobId, Reason,
    jdl::{JobDescriptionLimits, MAX_TEXT_BYTES, SubmissionContext, expand, payload},
};
use proptest::prelude::*;

fn context() -> SubmissionContext {
    SubmissionContext {
        owner: "alice".into(),
        owner_group: "myvo_user".into(),
        vo: "myvo".into(),
        job_description: JobDescriptionLimits::default(),
        input_data_module: "Input.Data.Module".into(),
        software_dist_module: "LocalSoftwareDist".into(),
        os_compatibility: [("el9".to_owned(), ["el9".to_owned()].into())].into(),
        max_jobs: 20,
    }
}

/// Text made of what JDL is made of.
fn jdl_like() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        3 => Just(";".to_owned()),
        3 => Just("=".to_owned()),
        1 => prop::sample::select(vec!["[", "]", "{", "}", "\"", ",", " ", "\n", "/", ".", "%n", "%s", "%j", "%(A)s"])
            .prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            "Executable", "Arguments", "InputData", "Platform", "Priority", "CPUTime", "JobName", "Parameters",
            "Parameters.A", "ParameterStart", "ParameterStep.A", "ParameterFactor", "JobType", "JobID", "Owner",
        ]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["1", "2", "-3", "0.5", "1e400", "nan", "a", "{a,b}", "{{a},{b}}", "\"x y\"", "[B=1;]"])
            .prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

/// `Key = "value";` with values that need quoting.
fn plain_job() -> impl Strategy<Value = String> {
    prop::collection::vec(("[A-Z][a-z]{1,8}", "[a-z0-9 ;=\\[\\]/.-]{0,12}"), 0..8).prop_map(|options| {
        options.iter().fold(String::new(), |text, (key, value)| format!("{text}{key} = \"{value}\";\n"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_texts_are_jobs_or_an_error_that_explains_itself(texts in prop::collection::vec(jdl_like(), 0..4)) {
        match expand(&texts, &context()) {
            Ok(jobs) => for (job, id) in jobs.iter().zip(1..) {
                let finished = job.finish(JobId(id));
                prop_assert!(finished.is_ok(), "{finished:?}");
                let _ = payload(&finished.map(|job| job.jdl).unwrap_or_default());
            },
            Err(error) => {
                let explanation = error.explain();
                prop_assert!(matches!(explanation.reason, Reason::InvalidJdl | Reason::TooManyJobs));
                prop_assert!(!error.cause().is_empty());
                prop_assert!(error.to_string().len() < 2000 && error.cause().len() < 2000);
            }
        }
    }

    #[test]
    fn what_is_stored_can_be_submitted_again(text in plain_job()) {
        let context = context();
        let job = expand(&[text], &context).unwrap().remove(0);
        let first = job.finish(JobId(7)).unwrap();
        for stored in [first.jdl.clone(), job.manifest_jdl(JobId(7)).unwrap()] {
            let again = expand(&[stored], &context).unwrap()[0].finish(JobId(7)).unwrap();
            prop_assert_eq!(&again.jdl, &first.jdl);
            prop_assert_eq!(&again.attributes, &first.attributes);
        }
    }
}

/// Texts as long as they may be, of the kinds that make careless readers slow.
#[test]
fn the_longest_texts_are_answered_in_time_that_grows_with_their_length() {
    let repeated = |unit: &str| unit.repeat(MAX_TEXT_BYTES / unit.len() - 64);
    let texts = [
        repeated("a=1;"),
        repeated("["),
        repeated("a=["),
        repeated("\""),
        format!("A = {{{}}};", repeated("\"x\",")),
        format!("Parameters = {{{}}};", repeated("{a},")),
        format!("Parameters = 2; A = \"{}\";", repeated("%s%n%j")),
        format!("Parameters = {{\"{}\"}}; A = \"%s%s\";", repeated("x")),
        format!("A = \"{}\";", repeated("%j")),
        format!("{}A = 1;", repeated("A = [B=1;];\n")),
        (0..40_000).fold("Parameters = 1;".to_owned(), |text, i| format!("{text}Parameters.x{i}={{1}};")),
        (0..60_000).fold(String::new(), |text, i| format!("{text}x{i}/y=1;")),
        format!("InputData = {{{}}};", repeated("a,")),
        format!("Platform = {{{}}};", repeated("a,")),
        "a=[".repeat(60) + &"b=1;".repeat(100_000) + &"];".repeat(60),
        format!("CPUTime = {};", repeated("9")),
    ];
    for text in texts {
        let start = Instant::now();
        let result = expand(std::slice::from_ref(&text), &context());
        let elapsed = start.elapsed();
        let beginning: String = text.chars().take(40).collect();
        // generous, for a debug build on a busy machine; quadratic work would take minutes
        assert!(elapsed < Duration::from_secs(10), "{beginning}: {elapsed:?}");
        if let Err(error) = result {
            assert!(error.to_string().len() < 2000 && error.cause().len() < 2000, "{beginning}");
        }
    }
}

#[test]
fn semicolons_and_brackets_in_quotes_are_text() {
    let text = r#"Executable = "/bin/sh"; Arguments = "-c 'echo v[1]; echo two'";"#;
    let job = expand(&[text.to_owned()], &context()).unwrap()[0].finish(JobId(1)).unwrap();
    assert!(job.jdl.contains(r#"Arguments = "-c 'echo v[1]; echo two'";"#), "{}", job.jdl);
    assert_eq!(payload(&job.jdl).unwrap().arguments, "-c 'echo v[1]; echo two'");
}

#[test]
fn the_same_input_file_twice_is_refused_where_it_stands() {
    let text = "Executable = \"a\";\n InputData = {\"LFN:/a\", \"LFN: /a\"};";
    let explanation = expand(&[text.to_owned()], &context()).unwrap_err().explain();
    assert_eq!(explanation.variables["cause"], "Input Data File LFN:/a is listed more than once");
    assert_eq!((&*explanation.variables["line"], &*explanation.variables["column"]), ("2", "2"));
}
