//! Whatever is submitted as a job description: an answer comes, soon, and it is not a panic.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use diracx_core::{
    Explain, JobId, Reason,
    jdl::{
        JdlError, JobDescription, JobDescriptionLimits, MAX_BYTES_IN_ALL, MAX_TEXT_BYTES, SubmissionContext,
        expand, expand_while, payload,
    },
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
        max_bytes: MAX_BYTES_IN_ALL,
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

/// Expands, and counts the steps: one for each text that is read, and one for each job of a series.
fn steps(texts: &[String], context: &SubmissionContext) -> (Result<Vec<JobDescription>, JdlError>, usize) {
    let steps = Cell::new(0);
    let result = expand_while(texts, context, || {
        steps.set(steps.get() + 1);
        true
    });
    (result, steps.get())
}

#[test]
fn what_the_jobs_of_a_call_have_together_is_bounded() {
    let context = SubmissionContext { max_jobs: 10_000, max_bytes: 1 << 20, ..context() };
    let long = "y".repeat(100_000);
    let options = (0..1_000).fold(String::new(), |text, i| format!("{text}a{i}=%n;"));
    let series = |job: &str| vec![format!("Executable = \"x\"; Parameters = 10000; {job}")];
    for (texts, most_steps) in [
        // Without parameters inside, it is clear before the first job is made.
        (series(&format!("Arguments = \"{long}\";")), 1),
        (series(&format!("Arguments = \"%n {long}\";")), 12),
        // Options take more room than their texts.
        (series(&options), 20),
        (vec![format!("Executable = \"x\"; Arguments = \"{long}\";"); 20], 20),
    ] {
        let (result, steps) = steps(&texts, &context);
        let error = result.unwrap_err();
        assert_eq!(error, JdlError::TooLarge { limit: 1 << 20 });
        let sentence =
            "The job descriptions of one call may have 1048576 bytes in all: submit fewer jobs at once";
        assert_eq!(error.to_string(), sentence);
        assert_eq!(error.explain().reason, Reason::TooManyJobs);
        assert!(steps <= most_steps, "{steps} steps");
    }
    let few = vec!["Executable = \"x\"; Arguments = \"%n\"; Parameters = 200;".to_owned()];
    let (jobs, steps) = steps(&few, &context);
    assert_eq!((jobs.unwrap().len(), steps), (200, 201));
}

#[test]
fn too_many_texts_are_refused_unread_and_some_too_many_in_diracx_s_order() {
    let (result, steps) = steps(&vec![String::new(); 1_000_000], &context());
    assert_eq!((result.unwrap_err(), steps), (JdlError::TooManyJobs { limit: 20 }, 0));

    let plain = "Executable = \"x\";".to_owned();
    let with = |wrong: &[(usize, &str)]| {
        let mut texts = vec![plain.clone(); 30];
        for (place, text) in wrong {
            texts[*place] = (*text).to_owned();
        }
        expand(&texts, &context()).unwrap_err()
    };
    assert_eq!(with(&[]), JdlError::TooManyJobs { limit: 20 });
    assert_eq!(with(&[(3, "JobType = \"None\";")]), JdlError::TooManyJobs { limit: 20 });
    assert_eq!(with(&[(29, "Parameters = 2;")]), JdlError::ParametricInBulk { index: 29 });
    assert!(matches!(
        with(&[(3, "Parameters = 0;"), (4, "Parameters = 2;")]),
        JdlError::Parametric { index: 3, .. }
    ));
    assert!(matches!(with(&[(3, "Parameters = 2;"), (29, "A = ;")]), JdlError::Refused { index: 29, .. }));
}

#[test]
fn jobs_that_nobody_wants_any_more_are_not_made() {
    let series = "Executable = \"x\"; Parameters = 20;".to_owned();
    for (texts, after) in
        [(vec![series], 5), (vec!["Executable = \"x\";".to_owned(); 20], 5), (vec![String::new()], 0)]
    {
        let left = Cell::new(after);
        let wanted = || left.replace(left.get() - 1) > 0;
        assert_eq!(expand_while(&texts, &context(), wanted).unwrap_err(), JdlError::Abandoned);
        assert_eq!(left.get(), -1, "it is not asked again");
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
