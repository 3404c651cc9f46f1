//! Which line of the text a problem belongs to.

use std::collections::HashSet;

use diracx_core::config::{ConfigError, Place, Problem};

use crate::tree::{self, Kind, Node};

/// The entry of `Operations` that every VO starts from.
const DEFAULTS: &str = "Defaults";

/// Gives every problem its place in `text`: that of the value that is wrong, or of the section in which one is
/// missing. What all VOs have from `Operations.Defaults` is told once, under that name.
pub(crate) fn locate(text: &str, error: ConfigError) -> ConfigError {
    let Some(root) = tree::read(text) else { return error };
    let mut seen = HashSet::new();
    let placed = error.problems.into_iter().filter_map(|mut problem| {
        let (mut depth, mut place) = follow(&root, &problem.path);
        if let Some(shared) = in_defaults(&problem) {
            let (shared_depth, shared_place) = follow(&root, &shared);
            if shared_depth > depth {
                (depth, place) = (shared_depth, shared_place);
                problem.path = shared;
            }
        }
        problem.place = (depth > 0 || problem.path.len() <= 1).then_some(place);
        seen.insert((problem.path.clone(), problem.message.clone())).then_some(problem)
    });
    let mut problems: Vec<Problem> = placed.collect();
    problems.sort_by_key(|problem| problem.place.map(|place| (place.line, place.column)));
    ConfigError { problems }
}

fn in_defaults(problem: &Problem) -> Option<Vec<String>> {
    let mut path = problem.path.clone();
    let top = path.first().is_some_and(|top| top == "Operations");
    (top && path.len() > 2).then(|| {
        DEFAULTS.clone_into(&mut path[1]);
        path
    })
}

/// How far along the path the text goes, and where that is.
fn follow(root: &Node, path: &[String]) -> (usize, Place) {
    let (mut node, mut place, mut depth) = (root, root.place, 0);
    for key in path {
        let next = match &node.kind {
            Kind::Mapping(..) => node.entry(key).or_else(|| node.entry(&snake(key))),
            Kind::Sequence(_, items) => {
                key.parse::<usize>().ok().and_then(|i| items.get(i)).map(|item| (item, item))
            }
            Kind::Scalar(..) | Kind::Alias => None,
        };
        let Some((key, value)) = next else { break };
        (node, place, depth) = (value, key.place, depth + 1);
    }
    (depth, place)
}

/// The other name that a key may have, near enough: `DefaultGroup`, `default_group`.
fn snake(key: &str) -> String {
    let mut snake = String::new();
    let mut after_lower = false;
    for letter in key.chars() {
        if letter.is_uppercase() && after_lower {
            snake.push('_');
        }
        after_lower = letter.is_lowercase();
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use diracx_core::config::Config;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let value = crate::yaml::parse(text).unwrap();
        let error = locate(text, Config::from_value(value).unwrap_err());
        let found: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_problem_is_told_with_its_line_and_all_at_once() {
        check(
            "DIRAC:\n  NoSetup: perhaps\nRegistry:\n  lhcb:\n    DefaultGroup: user\n    IdP: {URL: 7}\n    \
             Users: {}\n    Groups:\n      user:\n        Properties: [NormalUser, 5]\n        Users: []\nTasks: {}\n",
            &[
                "line 2, column 3: DIRAC.NoSetup: must be true or false, not \"perhaps\"",
                "line 6, column 5: Registry.lhcb.IdP.ClientID: is required",
                "line 6, column 11: Registry.lhcb.IdP.URL: must be text, not 7",
                "line 10, column 34: Registry.lhcb.Groups.user.Properties.1: must be text, not 5",
                "line 12, column 1: Tasks: is not a known key here",
            ],
        );
        check("# nothing here\n{}\n", &[
            "line 2, column 1: DIRAC: is required",
            "line 2, column 1: Registry: is required",
        ]);
    }

    #[test]
    fn what_is_wrong_in_the_defaults_is_told_once_and_there() {
        let vo = "    DefaultGroup: user\n    IdP: {URL: u, ClientID: c}\n    Users: {}\n    Groups: {}\n";
        check(
            &format!(
                "DIRAC: {{}}\nOperations:\n  Defaults:\n    Services:\n      JobScheduling:\n        \
                 MaxRescheduling: many\n  b:\n    Pilot: 7\nRegistry:\n  a:\n{vo}  b:\n{vo}"
            ),
            &[
                "line 6, column 9: Operations.Defaults.Services.JobScheduling.MaxRescheduling: must be a whole \
                 number, not \"many\"",
                "line 8, column 5: Operations.b.Pilot: must be a section of keys and values, not 7",
            ],
        );
    }

    #[test]
    fn a_value_that_stands_elsewhere_is_placed_where_it_is_used() {
        check(
            "DIRAC: {}\nSystems: &idp {URL: 1, ClientID: 2}\nRegistry:\n  a:\n    DefaultGroup: user\n    IdP: \
             *idp\n    Users: {}\n    groups: {user: {Users: []}}\n",
            &[
                "line 6, column 5: Registry.a.IdP.URL: must be text, not 1",
                "line 6, column 5: Registry.a.IdP.ClientID: must be text, not 2",
                "line 8, column 14: Registry.a.Groups.user.Properties: is required",
            ],
        );
    }
}
