//! From the configuration of DIRAC, where every value is a text, to the one of DiracX.

use serde_json::{Map, Value, json};

use super::{Config, ConfigError, read::Reader, section::section};
use crate::cfg::Section;

/// What a conversion made.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// The document, as an administrator would write it: only what is set, `Operations.Defaults` as they are.
    pub document: Value,
    /// What was left out, in sentences.
    pub remarks: Vec<String>,
}

/// What a configuration of DIRAC lacks for its conversion, or what in it makes no configuration of DiracX.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// A section that must be there.
    #[error("the configuration has no section {0}")]
    NoSection(String),
    /// VOs are switched off for DIRAC's clients, and some of its clients are switched over to DiracX.
    #[error("DisabledVOs cannot be set if any Legacy clients are enabled")]
    DisabledVos,
    /// `DiracX/CsSync` does not say what it must.
    #[error("DiracX/CsSync: {0}")]
    Plan(ConfigError),
    /// What came out is no configuration.
    #[error("what the conversion makes is no configuration: {0}")]
    Config(ConfigError),
}

section! {
    /// `DiracX/CsSync`: how the one becomes the other.
    pub(super) struct Plan [ignores unknown] {
        /// By name.
        "VOs" vos: indexmap::IndexMap<String, VoPlan>;
    }
}

section! {
    /// What DIRAC does not know about a VO.
    pub(super) struct VoPlan [ignores unknown] {
        /// The group of those who ask for none.
        "DefaultGroup" default_group: String;
        /// Where its people log in.
        "IdP" idp: IdpPlan;
        /// The subject of each user, by DIRAC's login.
        "UserSubjects" user_subjects: indexmap::IndexMap<String, String>;
        /// Taken over as it is.
        "Support" support: Map<String, Value> = Map::new();
    }
}

section! {
    /// The identity provider of a VO.
    pub(super) struct IdpPlan [ignores unknown] {
        /// The issuer.
        "URL" url: String;
        /// Of a public client.
        "ClientID" client_id: String;
    }
}

/// Of no use to DiracX.
const DROPPED: [&str; 10] = [
    "Extensions",
    "Framework",
    "Security",
    "PreferredURLPatterns",
    "ConnConf",
    "DefaultSetup",
    "Setups",
    "Configuration",
    "VirtualOrganization",
    "DefaultGroup",
];

/// Converts the configuration of DIRAC, by the plan in its section `DiracX/CsSync`.
pub fn convert(mut old: Section) -> Result<Converted, ConversionError> {
    let missing = |name: &str| ConversionError::NoSection(name.to_owned());
    let Some(Value::Object(mut diracx)) = old.remove("DiracX") else { return Err(missing("DiracX")) };
    if text(&diracx, "DisabledVOs").is_some_and(|vos| !vos.is_empty()) && any_client_enabled(&diracx) {
        return Err(ConversionError::DisabledVos);
    }
    let plan = diracx.remove("CsSync").ok_or_else(|| missing("DiracX/CsSync"))?;
    let plan: Plan = Reader::document(plan).map_err(ConversionError::Plan)?;
    let Some(Value::Object(dirac)) = old.get_mut("DIRAC") else { return Err(missing("DIRAC")) };
    dirac.retain(|key, _| !DROPPED.contains(&key.as_str()));
    let Some(Value::Object(registry)) = old.remove("Registry") else { return Err(missing("Registry")) };

    let mut remarks = Vec::new();
    let ignored: Vec<&str> =
        entries(&registry, "VO").map(|(vo, _)| vo).filter(|vo| !plan.vos.contains_key(*vo)).collect();
    if !ignored.is_empty() {
        remarks.push(format!("{} don't have a migration config, ignoring", ignored.join(", ")));
    }
    for (group, options) in entries(&registry, "Groups") {
        if text(options, "VO").is_none() {
            remarks.push(format!("Can't convert group {group} because it is not associated to any VO"));
        }
    }
    let vos: Map<String, Value> =
        plan.vos.iter().map(|(vo, plan)| (vo.clone(), convert_vo(vo, plan, &registry))).collect();
    let operations = old.entry("Operations").or_insert_with(|| Value::Object(Map::new()));
    if let Some(operations) = operations.as_object_mut() {
        for vo in plan.vos.keys() {
            operations.entry(vo).or_insert_with(|| Value::Object(Map::new()));
        }
    }
    old.insert("Registry".to_owned(), Value::Object(vos));

    let raw = Value::Object(old);
    let typed: Config = Reader::legacy(raw.clone()).map_err(ConversionError::Config)?;
    let typed: Value = serde_json::from_str(&typed.to_document())
        .map_err(|error| ConversionError::Config(ConfigError::whole(error.to_string())))?;
    Ok(Converted { document: only_what_is_set(typed, &raw), remarks })
}

/// Whether any option below `DiracX/LegacyClientEnabled/<system>` is `True`.
fn any_client_enabled(diracx: &Section) -> bool {
    let systems = entries(diracx, "LegacyClientEnabled");
    systems.flat_map(|(_, clients)| clients.values()).any(|enabled| enabled == "True")
}

fn convert_vo(vo: &str, plan: &VoPlan, registry: &Section) -> Value {
    let mut new = Map::new();
    new.insert("IdP".to_owned(), json!(plan.idp));
    new.insert("DefaultGroup".to_owned(), json!(plan.default_group));
    new.insert("Support".to_owned(), Value::Object(plan.support.clone()));
    for key in ["DefaultStorageQuota", "DefaultProxyLifeTime"] {
        new.extend(registry.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    let own = entries(registry, "VO").find(|(name, _)| *name == vo).map(|(_, own)| own);
    let voms_name = own.and_then(|own| own.get("VOMSName"));
    new.extend(voms_name.map(|name| ("VOMSName".to_owned(), name.clone())));

    let mut members = std::collections::HashSet::new();
    let mut groups = Map::new();
    for (name, options) in entries(registry, "Groups").filter(|(_, group)| text(group, "VO") == Some(vo)) {
        let mut group = options.clone();
        group.retain(|key, _| key != "IdPRole" && key != "VO");
        let logins: Vec<&str> = items(text(options, "Users").unwrap_or_default()).collect();
        members.extend(logins.iter().copied());
        let subjects = logins.iter().filter_map(|login| plan.user_subjects.get(*login));
        group.insert("Users".to_owned(), subjects.map(|subject| json!(subject)).collect());
        groups.insert(name.to_owned(), Value::Object(group));
    }
    let mut users = Map::new();
    for (login, options) in entries(registry, "Users").filter(|(login, _)| members.contains(login)) {
        let Some(subject) = plan.user_subjects.get(login) else { continue };
        let mut user = options.clone();
        user.remove("CA");
        user.insert("PreferedUsername".to_owned(), json!(login));
        let dns = user.remove("DN");
        let dns = items(dns.as_ref().and_then(Value::as_str).unwrap_or_default());
        // those of an attempt at OAuth2 that DIRAC has given up
        let dns = dns.filter(|dn| !dn.starts_with("/O=DIRAC/"));
        user.insert("DNs".to_owned(), dns.map(|dn| json!(dn)).collect());
        users.insert(subject.clone(), Value::Object(user));
    }
    new.insert("Groups".to_owned(), Value::Object(groups));
    new.insert("Users".to_owned(), Value::Object(users));
    Value::Object(new)
}

/// The sections within a section.
fn entries<'a>(section: &'a Section, name: &str) -> impl Iterator<Item = (&'a str, &'a Section)> {
    let inner = section.get(name).and_then(Value::as_object).into_iter().flatten();
    inner.filter_map(|(name, value)| Some((name.as_str(), value.as_object()?)))
}

fn text<'a>(section: &'a Section, option: &str) -> Option<&'a str> {
    section.get(option)?.as_str()
}

/// The items of a list as DIRAC writes it.
pub(super) fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Of `typed`, where every default is filled in, what `raw` sets.
fn only_what_is_set(typed: Value, raw: &Value) -> Value {
    match (typed, raw) {
        (Value::Object(typed), Value::Object(raw)) => typed
            .into_iter()
            .filter_map(|(key, value)| {
                let value = only_what_is_set(value, raw.get(&key)?);
                Some((key, value))
            })
            .collect(),
        (typed, _) => typed,
    }
}
