//! What a configuration may say, and what becomes of it.

use serde_json::{Value, json};

use super::{read::Read, *};

fn minimal() -> Value {
    json!({
        "DIRAC": {},
        "Registry": {"lhcb": {
            "DefaultGroup": "user",
            "IdP": {"URL": "https://idp.example.org", "ClientID": "dirac"},
            "Users": {},
            "Groups": {"user": {"Properties": ["NormalUser"], "Users": []}},
        }},
    })
}

/// The minimal document with one value put at a JSON pointer whose parent exists.
fn with(pointer: &str, value: Value) -> Value {
    let mut document = minimal();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value);
    document
}

#[track_caller]
fn read(document: Value) -> Config {
    Config::from_value(document).unwrap()
}

#[track_caller]
fn check_refused(document: Value, expected: &str) {
    assert_eq!(Config::from_value(document).unwrap_err().to_string(), expected);
}

#[test]
fn a_minimal_document_is_filled_with_defaults() {
    let config = read(minimal());
    let vo = config.vo("lhcb").unwrap();
    assert_eq!(vo.default_proxy_life_time, 43_200);
    assert_eq!(vo.support.message, "Please contact system administrator");
    assert_eq!(vo.idp.metadata_url(), "https://idp.example.org/.well-known/openid-configuration");
    assert_eq!(config.group("lhcb", "user").unwrap().job_share, 1000);
    let operations = config.operations("lhcb").unwrap();
    assert!(operations.services.job_monitoring.global_jobs_info);
    assert_eq!(operations.job_description.allowed_job_types, ["User", "Test", "Hospital"]);
    assert_eq!(config.vo("belle"), None);
}

#[test]
fn problems_name_the_place() {
    check_refused(json!({}), "DIRAC: is required; Registry: is required");
    check_refused(json!([]), "must be a section of keys and values, not a list");
    check_refused(
        json!({"DIRAC": null, "Registry": {}}),
        "DIRAC: must be a section of keys and values, not empty",
    );
    check_refused(
        with("/Registry/lhcb/Groups/user", json!({"Users": []})),
        "Registry.lhcb.Groups.user.Properties: is required",
    );
    check_refused(
        with("/Registry/lhcb/Groups/user/Properties", json!("NormalUser")),
        "Registry.lhcb.Groups.user.Properties: must be a list, not \"NormalUser\"",
    );
    check_refused(
        with("/Registry/lhcb/Groups/user/Users", json!(["a", 7])),
        "Registry.lhcb.Groups.user.Users.1: must be text, not 7",
    );
    check_refused(with("/tasks", json!({})), "tasks: is not a known key here");
    check_refused(
        with("/Registry/lhcb/Support", Value::Null),
        "Registry.lhcb.Support: must be a section of keys and values, not empty",
    );
    check_refused(with("/Operations", json!(7)), "Operations: must be a section of keys and values, not 7");
    check_refused(
        with("/Registry/lhcb/default_group", json!("x")),
        "Registry.lhcb.DefaultGroup: is given twice, also as default_group",
    );
    check_refused(
        with("/Registry/lhcb/Users/s1", json!({"PreferedUsername": "alice", "Email": "nobody"})),
        "Registry.lhcb.Users.s1.Email: must be an e-mail address",
    );
}

#[test]
fn unknown_keys_are_ignored_only_where_dirac_expects_them() {
    read(with("/Resources", json!({"Sites": {}, "Computing": {"CPUScalingFactor": 1}})));
    read(with("/Operations", json!({"lhcb": {"InputDataPolicy": {"Mine": 1}}})));
    check_refused(
        with("/Operations", json!({"lhcb": {"InputDataPolicy": {"Protocols": {"Near": []}}}})),
        "Operations.lhcb.InputDataPolicy.Protocols.Near: is not a known key here",
    );
}

#[test]
fn numbers_and_truths_may_be_text() {
    #[track_caller]
    fn check<T: Read + PartialEq + std::fmt::Debug>(value: &Value, expected: Option<&T>) {
        let read = Reader::document::<T>(value.clone()).ok();
        assert_eq!(read.as_ref(), expected, "{value}");
    }
    for (value, expected) in [
        (json!("12"), Some(12)),
        (json!(" -3 "), Some(-3)),
        (json!("1_000"), Some(1000)),
        (json!("12.0"), Some(12)),
        (json!(12.0), Some(12)),
        (json!(true), Some(1)),
        (json!("1.5"), None),
        (json!(1.5), None),
        (json!("1e3"), None),
        (json!(""), None),
        (json!("99999999999999999999"), None),
        (json!(1e300), None),
        (json!(null), None),
    ] {
        check::<i64>(&value, expected.as_ref());
    }
    for (value, expected) in [
        (json!("yes"), Some(true)),
        (json!("On"), Some(true)),
        (json!("1"), Some(true)),
        (json!(1), Some(true)),
        (json!("OFF"), Some(false)),
        (json!("n"), Some(false)),
        (json!(0.0), Some(false)),
        (json!(2), None),
        (json!("maybe"), None),
    ] {
        check::<bool>(&value, expected.as_ref());
    }
    for (value, expected) in
        [(json!(2000), Some(2000.0)), (json!("0.5"), Some(0.5)), (json!("inf"), None), (json!("x"), None)]
    {
        check::<f64>(&value, expected.as_ref());
    }
}

#[test]
fn our_own_names_are_accepted_and_dirac_names_are_served() {
    let config = read(json!({
        "dirac": {"no_setup": "yes"},
        "registry": {"lhcb": {
            "default_group": "user",
            "idp": {"url": "https://idp.example.org", "client_id": "dirac"},
            "users": {"s1": {"preferred_username": "alice", "dns": ["/CN=alice"]}},
            "groups": {"user": {"properties": [], "users": ["s1"], "allow_background_tqs": true}},
        }},
        "operations": {"Defaults": {"services": {"job_scheduling": {"max_rescheduling": 9}}}},
    }));
    assert!(config.dirac.no_setup);
    assert_eq!(config.operations("lhcb").unwrap().services.job_scheduling.max_rescheduling, 9);
    let served: Value = serde_json::from_str(&config.to_document()).unwrap();
    assert_eq!(served["Registry"]["lhcb"]["Users"]["s1"]["PreferedUsername"], "alice");
    assert_eq!(served["Registry"]["lhcb"]["Groups"]["user"]["AllowBackgroundTQs"], true);
}

#[test]
fn operations_of_a_vo_lie_over_the_defaults_and_the_defaults_are_not_served() {
    let config = read(with(
        "/Operations",
        json!({
            "Defaults": {
                "Services": {"JobMonitoring": {"GlobalJobsInfo": false}, "Catalogs": {"A": {}}},
                "JobDescription": {"AllowedJobTypes": ["User"]},
                "Pilot": {"Version": 1, "Project": "LHCb"},
            },
            "lhcb": {"Pilot": {"Version": 2}, "Services": null, "JobDescription": {"AllowedJobTypes": ["Test"]}},
            "stranger": {"SoftwareDistModule": "Other"},
        }),
    ));
    let lhcb = config.operations("lhcb").unwrap();
    assert!(!lhcb.services.job_monitoring.global_jobs_info);
    assert_eq!(lhcb.job_description.allowed_job_types, ["Test"]);
    assert_eq!(Value::from(lhcb.pilot.clone().unwrap()), json!({"Version": 2, "Project": "LHCb"}));
    assert!(config.operations("stranger").unwrap().services.job_monitoring.global_jobs_info);
    assert_eq!(config.operations("Defaults"), None);
}

#[test]
fn sets_are_served_as_sorted_lists_and_platforms_run_their_own_jobs() {
    let mut document =
        with("/Resources", json!({"Computing": {"OSCompatibility": {"el9": ["el8"], "el7": []}}}));
    document["Registry"]["lhcb"]["Groups"]["user"]["Properties"] = json!({"Pilot": null, "NormalUser": null});
    let served: Value = serde_json::from_str(&read(document).to_document()).unwrap();
    assert_eq!(
        served["Resources"]["Computing"]["OSCompatibility"].to_string(),
        r#"{"el9":["el8","el9"],"el7":["el7"]}"#
    );
    assert_eq!(served["Registry"]["lhcb"]["Groups"]["user"]["Properties"], json!(["NormalUser", "Pilot"]));
}

#[test]
fn the_document_reads_back_as_the_same_configuration() {
    let config = read(with("/Systems", json!({"b": [1, {"a": null}], "a": 1.5})));
    let document = config.to_document();
    let again = Config::from_document(&document).unwrap();
    assert_eq!(again, config);
    assert_eq!(again.to_document(), document);
    assert!(Config::from_document("{").unwrap_err().to_string().starts_with("is not JSON: "));
}

#[test]
fn a_user_has_the_properties_of_all_own_groups() {
    let config = read(with(
        "/Registry/lhcb/Groups",
        json!({
            "user": {"Properties": ["NormalUser"], "Users": ["s1", "s2"]},
            "admin": {"Properties": ["JobAdministrator", "NormalUser"], "Users": ["s2"]},
        }),
    ));
    assert_eq!(config.user_properties("lhcb", "s1").into_iter().collect::<Vec<_>>(), ["NormalUser"]);
    assert_eq!(
        config.user_properties("lhcb", "s2").into_iter().collect::<Vec<_>>(),
        ["JobAdministrator", "NormalUser"]
    );
    assert!(config.user_properties("lhcb", "s3").is_empty());
    let groups: Vec<_> = config.vo("lhcb").unwrap().groups_of("s2").map(|(name, _)| name).collect();
    assert_eq!(groups, ["user", "admin"]);
}

#[test]
fn many_problems_are_counted_and_not_all_listed() {
    let groups: Map<String, Value> = (0..5000).map(|i| (format!("g{i}"), json!({}))).collect();
    let error = Config::from_value(with("/Registry/lhcb/Groups", groups.into())).unwrap_err();
    assert!(error.problems.len() <= 1000);
    assert!(error.to_string().ends_with("more"));
}

#[test]
fn what_vos_do_not_tune_is_in_memory_once() {
    let mut document = with(
        "/Operations",
        json!({"Defaults": {"Pilot": {"Version": 1}}, "c": {"Pilot": {"Version": 2}}, "d": {}}),
    );
    let vo = document["Registry"]["lhcb"].clone();
    document["Registry"] = json!({"a": vo, "b": vo, "c": vo, "d": vo});
    let config = read(document);
    let shared = |one: &str, other: &str| config.operations[one].is_same(&config.operations[other]);
    assert!(shared("a", "b") && shared("b", "d") && !shared("a", "c"));
    let again = Config::from_document(&config.to_document()).unwrap();
    assert!(again.operations["a"].is_same(&again.operations["b"]), "also for those who are sent it");
    assert_eq!(again, config);
}

#[test]
fn long_defaults_below_many_vos_are_refused_before_they_fill_the_memory() {
    let long: Map<String, Value> = (0..10_000).map(|i| (format!("k{i:04}"), json!("x".repeat(90)))).collect();
    let mut document = with("/Operations", json!({"Defaults": {"Pilot": long}}));
    let vo = document["Registry"]["lhcb"].clone();
    for i in 0..1000 {
        document["Registry"][format!("vo{i}")] = vo.clone();
    }
    // As long as nobody tunes anything there is one of them, but it cannot be served a thousand times.
    assert_eq!(read(document.clone()).operations.len(), 1001);
    let mut gradual = Gradual::new(64 << 20);
    let mut rest = document.clone();
    for (name, vo) in std::mem::take(rest["Registry"].as_object_mut().unwrap()) {
        gradual.vo(name, vo);
    }
    assert_eq!(gradual.finish(rest).unwrap_err(), GradualError::TooLarge { most: 64 << 20 });

    for i in 0..1000 {
        document["Operations"][format!("vo{i}")] = json!({"Pilot": {"own": i}});
    }
    check_refused(
        document,
        "Operations.Defaults: is too long to be laid below the entries of so many VOs (1010011 bytes)",
    );
}

#[test]
fn a_document_is_read_with_every_problem_and_its_place() {
    #[track_caller]
    fn check(document: &str, expected: &str) {
        assert_eq!(Config::from_document(document).unwrap_err().to_string(), expected);
    }
    check("{}", "DIRAC: is required; Registry: is required");
    check(
        r#"{"DIRAC": {"NoSetup": 7}, "Registry": {"a": {}}, "Operations": {"a": {"Pilot": 1}}, "Tasks": 1}"#,
        "Registry.a.IdP: is required; Registry.a.DefaultGroup: is required; Registry.a.Users: is required; \
         Registry.a.Groups: is required; Operations.a.Pilot: must be a section of keys and values, not 1; \
         DIRAC.NoSetup: must be true or false, not 7; Tasks: is not a known key here",
    );
    check(
        r#"{"DIRAC": {}, "Registry": 1}"#,
        "invalid type: integer `1`, expected a section of keys and values at line 1 column 27",
    );
    check(r#"{"DIRAC": {}, "Registry": {}} x"#, "is not JSON: trailing characters at line 1 column 31");
    let config = Config::from_document(r#"{"DIRAC": {}, "Registry": {}, "Operations": {}}"#).unwrap();
    assert!(config.registry.is_empty() && config.operations.is_empty());
}
