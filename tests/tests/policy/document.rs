//! `docs/reference/access.md`: what the contract declares, and what came of trying.

use std::{fmt::Write as _, ops::Range};

use diracx_server::{
    AccessTable,
    access::{Requirement, Rule},
};
use prost_reflect::DescriptorPool;

use crate::{
    Outcome, Row,
    world::{Caller, World},
};

/// Every rpc of the contract with its declaration, in the order of the contract.
pub(crate) struct Contract(Vec<Rule>);

impl Contract {
    pub(crate) fn read(descriptors: &[u8]) -> Self {
        let table = AccessTable::of_prefix(descriptors, "diracx.").unwrap();
        let pool = DescriptorPool::decode(descriptors).unwrap();
        let methods = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()));
        Self(methods.filter_map(|path| table.rule(&path).map(|rule| (**rule).clone())).collect())
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }
}

/// The full name of the service of an rpc.
pub(crate) fn service(rule: &Rule) -> &str {
    rule.path.split('/').nth(1).unwrap()
}

/// An rpc for short: `JobsService/SubmitJobs`.
pub(crate) fn rpc(rule: &Rule) -> String {
    let (service, name) = (service(rule).rsplit('.').next().unwrap(), name(rule));
    format!("{service}/{name}")
}

fn name(rule: &Rule) -> &str {
    rule.path.split('/').nth(2).unwrap()
}

/// The whole document.
pub(crate) fn render(contract: &Contract, world: &World, callers: &[Caller], rows: &[Row]) -> String {
    let mut text = String::from(
        "# Who may call what\n\n\
         A test calls every rpc as everybody and compares the outcome with this document; `cargo xtask docs` writes\n\
         it. The first part is what the contract declares, the second what came of trying.\n\n\
         ## What the contract declares\n\n\
         - **open**: no token is needed, and one that is sent is not looked at.\n\
         - **any token**: every token of a user or pilot suffices, whatever its properties.\n\
         - **policy: action**: a user's token, and the service's policy decides by who asks for what. A pilot's own\n  \
           token is heard only where **pilots** says so, and the policy decides then, too.\n\n\
         A token of a component of the system opens only the rpcs that name the component; such a token passes their\n\
         policy.\n",
    );
    for rules in groups(contract) {
        let table = rules.iter().map(|rule| {
            let (kind, why) = match &rule.requirement {
                Requirement::Open { reason } => ("open".to_owned(), reason.as_str()),
                Requirement::Authenticated { reason } => ("any token".to_owned(), reason.as_str()),
                Requirement::Policy { policy, action } => {
                    (format!("{policy}: {}", action.trim_start_matches("ACTION_").to_lowercase()), "")
                }
            };
            let pilots = if rule.pilots { "yes" } else { "" };
            let components = rule.components.join(", ");
            vec![name(rule).to_owned(), kind, why.to_owned(), pilots.to_owned(), components]
        });
        let _ = write!(text, "\n### {}\n\n", service(rules[0]));
        add_table(&mut text, &["rpc", "access", "because", "pilots", "components"].map(str::to_owned), table);
    }
    text += "\n## What came of trying\n\n\
             Every request is right in itself, and what it names is alice's: her job, her login, her refresh token. The\n\
             VOs do not show the jobs of one member to the others (`GlobalJobsInfo` is false).\n\n\
             - **yes**: the call is answered.\n\
             - **no**: FORBIDDEN, the token does not suffice.\n\
             - **log in**: UNAUTHENTICATED, there is no good token.\n\
             - **–**: the caller was let in, but the rpc is UNIMPLEMENTED in this version.\n\n\
             The callers:\n\n";
    let who = callers.iter().filter_map(|caller| match caller {
        Caller::Component(_) => None,
        caller => Some(vec![title(world, caller), description(world, caller)]),
    });
    add_table(&mut text, &["column", "who"].map(str::to_owned), who);
    let people = callers.iter().position(|caller| matches!(caller, Caller::Component(_)));
    let people = people.unwrap_or(callers.len());
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let of_service = rest.iter().take_while(|row| service(&row.rule) == service(&first.rule)).count();
        let (now, later) = rest.split_at(of_service);
        for (kind, columns) in [("people", 0..people), ("components", people..callers.len())] {
            let _ = write!(text, "\n### {}, {kind}\n\n", service(&first.rule));
            add_matrix(&mut text, world, callers, now, &columns);
        }
        rest = later;
    }
    text
}

/// The rpcs, service by service.
fn groups(contract: &Contract) -> Vec<Vec<&Rule>> {
    let mut groups: Vec<Vec<&Rule>> = Vec::new();
    for rule in contract.rules() {
        match groups.last_mut() {
            Some(group) if service(group[0]) == service(rule) => group.push(rule),
            _ => groups.push(vec![rule]),
        }
    }
    groups
}

fn add_matrix(text: &mut String, world: &World, callers: &[Caller], rows: &[Row], columns: &Range<usize>) {
    let titles = callers[columns.clone()].iter().map(|caller| title(world, caller));
    let head: Vec<_> = std::iter::once("rpc".to_owned()).chain(titles).collect();
    let rows = rows.iter().map(|row| {
        let cells = row.outcomes[columns.clone()].iter().map(|outcome| cell(*outcome).to_owned());
        std::iter::once(name(&row.rule).to_owned()).chain(cells).collect()
    });
    add_table(text, &head, rows);
}

fn cell(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "yes",
        Outcome::Forbidden => "no",
        Outcome::Unauthenticated => "log in",
        Outcome::Unimplemented => "–",
    }
}

/// The head of a caller's column.
fn title(world: &World, caller: &Caller) -> String {
    match caller {
        Caller::Anonymous => "no token".to_owned(),
        Caller::Expired => "expired".to_owned(),
        Caller::Person("no_properties") => "bob, bare".to_owned(),
        Caller::Person(role) => world.claims(role).preferred_username,
        Caller::Pilot => "pilot".to_owned(),
        Caller::Component(name) => name.clone(),
    }
}

fn description(world: &World, caller: &Caller) -> String {
    match caller {
        Caller::Anonymous => "nobody in particular".to_owned(),
        Caller::Expired => "alice, with a token that ended an hour ago".to_owned(),
        Caller::Pilot => "a pilot of VO alpha with its own token; it runs the job".to_owned(),
        Caller::Component(name) => format!("the component {name}"),
        Caller::Person(role) => {
            let claims = world.claims(role);
            let properties = match claims.dirac_properties.join(", ") {
                none if none.is_empty() => "a token without properties".to_owned(),
                properties => properties,
            };
            format!("{} of VO {}: {properties}", claims.preferred_username, claims.vo)
        }
    }
}

/// A table that is as readable as text as it is rendered.
fn add_table(text: &mut String, head: &[String], rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<_> = rows.collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells =
            cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} |", width = *width));
        format!("|{}\n", cells.collect::<String>())
    };
    *text += &line(head);
    let rule = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2)));
    let _ = writeln!(text, "|{}", rule.collect::<String>());
    for row in &rows {
        *text += &line(row);
    }
}
