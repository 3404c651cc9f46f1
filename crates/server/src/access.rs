//! What the contract says about who may call which rpc, read from the descriptors at start.
//!
//! The contract is the only place where access is declared. A service that serves an rpc without a
//! declaration, or with one that contradicts itself, does not start, so nothing is open by accident.

use std::{collections::HashMap, sync::Arc};

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, ReflectMessage, Value,
};

/// The name of the method option.
const OPTION: &str = "diracx.options.v1.access";

/// What an rpc asks of its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// No token; a token that is sent is not looked at.
    Open {
        /// Why not.
        reason: String,
    },
    /// Any user's or pilot's token.
    Authenticated {
        /// Why that suffices.
        reason: String,
    },
    /// A user's token, and what the policy says about the request. The policy itself is the service's.
    Policy {
        /// The policy, such as `wms`.
        policy: String,
        /// What it is asked for, such as `ACTION_MANAGE`.
        action: String,
    },
}

/// The declaration of one rpc. The guard puts it into the request's extensions as `Arc<Rule>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The path of the rpc: `/package.Service/Method`.
    pub path: String,
    /// What it asks of its caller.
    pub requirement: Requirement,
    /// The components that may call it, besides users.
    pub components: Vec<String>,
    /// Whether a pilot's own token gets past the guard. What it may do then is for the policy to say.
    pub pilots: bool,
    /// Whether requests or answers come as a stream, which may take any time.
    pub streaming: bool,
}

/// The declarations of every rpc that a server serves.
#[derive(Debug, Clone, Default)]
pub struct AccessTable {
    rules: HashMap<String, Arc<Rule>>,
    services: Vec<String>,
}

/// Why a server may not start.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The bytes are no file descriptor set.
    #[error("the descriptor set cannot be read")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// The option is not part of the descriptor set.
    #[error("the descriptor set does not define the method option diracx.options.v1.access")]
    NoOption,
    /// A service that should be served is not described.
    #[error("the descriptor set does not describe the services: {}", .0.join(", "))]
    UnknownServices(Vec<String>),
    /// Rpcs that do not say who may call them, or say it wrongly; each with what is wrong.
    #[error("rpcs without a proper access declaration: {}", .0.join(", "))]
    Undeclared(Vec<String>),
}

impl AccessTable {
    /// Reads the declarations of `services` (full names such as `diracx.jobs.v1.JobsService`) from
    /// an encoded `FileDescriptorSet`.
    pub fn from_descriptor_set(encoded: &[u8], services: &[&str]) -> Result<Self, AccessError> {
        let pool = DescriptorPool::decode(encoded)?;
        let option = pool.get_extension_by_name(OPTION).ok_or(AccessError::NoOption)?;
        let mut table = Self::default();
        let (mut unknown, mut undeclared) = (Vec::new(), Vec::new());
        for name in services {
            let Some(service) = pool.get_service_by_name(name) else {
                unknown.push((*name).to_owned());
                continue;
            };
            table.services.push((*name).to_owned());
            for method in service.methods() {
                match rule(&method, &option) {
                    Ok(rule) => drop(table.rules.insert(rule.path.clone(), Arc::new(rule))),
                    Err(problem) => undeclared.push(format!("{} ({problem})", method.full_name())),
                }
            }
        }
        if !unknown.is_empty() {
            return Err(AccessError::UnknownServices(unknown));
        }
        if !undeclared.is_empty() {
            return Err(AccessError::Undeclared(undeclared));
        }
        Ok(table)
    }

    /// Reads the declarations of every service of a package, or of all that start with `prefix`.
    pub fn of_prefix(encoded: &[u8], prefix: &str) -> Result<Self, AccessError> {
        let pool = DescriptorPool::decode(encoded)?;
        let names: Vec<String> = pool.services().map(|service| service.full_name().to_owned()).collect();
        let names: Vec<&str> =
            names.iter().map(String::as_str).filter(|name| name.starts_with(prefix)).collect();
        Self::from_descriptor_set(encoded, &names)
    }

    /// The declaration of the rpc at this path, if it is served.
    pub fn rule(&self, path: &str) -> Option<&Arc<Rule>> {
        self.rules.get(path)
    }

    /// Every declaration, in no order.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.values()
    }

    /// The full names of the services.
    pub fn services(&self) -> &[String] {
        &self.services
    }
}

fn rule(method: &MethodDescriptor, option: &ExtensionDescriptor) -> Result<Rule, &'static str> {
    let options = method.options();
    if !options.has_extension(option) {
        return Err("no access option");
    }
    let access = options.get_extension(option);
    let access = access.as_message().ok_or("the option is no message")?;
    let given = |name: &str| Some(text(access, name)).filter(|text| !text.is_empty());
    let action = action(access);
    let requirement = match (given("policy"), given("open"), given("authenticated"), action) {
        (Some(policy), None, None, Some(action)) => Requirement::Policy { policy, action },
        (Some(_), None, None, None) => return Err("a policy without an action"),
        (None, Some(reason), None, None) => Requirement::Open { reason },
        (None, None, Some(reason), None) => Requirement::Authenticated { reason },
        (None, None, None, _) => return Err("neither policy nor open nor authenticated"),
        _ => return Err("more than one of policy, open and authenticated, or an action without a policy"),
    };
    let components = access
        .get_field_by_name("components")
        .and_then(|value| {
            let items = value.as_list()?.iter().filter_map(Value::as_str);
            Some(items.map(str::to_owned).collect())
        })
        .unwrap_or_default();
    let declared = access.get_field_by_name("pilots").and_then(|value| value.as_bool()).unwrap_or_default();
    let pilots = match requirement {
        Requirement::Open { .. } if declared => return Err("an open rpc that mentions pilots"),
        Requirement::Open { .. } => false,
        Requirement::Authenticated { .. } => true,
        Requirement::Policy { .. } => declared,
    };
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let streaming = method.is_client_streaming() || method.is_server_streaming();
    Ok(Rule { path, requirement, components, pilots, streaming })
}

fn text(access: &DynamicMessage, field: &str) -> String {
    access.get_field_by_name(field).and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

/// The name of the action; `None` if it is unspecified.
fn action(access: &DynamicMessage) -> Option<String> {
    let field = access.descriptor().get_field_by_name("action")?;
    let number = access.get_field(&field).as_enum_number().filter(|number| *number != 0)?;
    let value = field.kind().as_enum()?.get_value(number)?;
    Some(value.name().to_owned())
}
