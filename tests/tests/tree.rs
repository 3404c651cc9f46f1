//! What the documents and sources say about each other: tests that are named exist, links lead somewhere, tables are
//! whole.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files of ours with this extension, in their order.
fn files(extension: &str) -> Vec<PathBuf> {
    let (mut found, mut todo) = (Vec::new(), vec![root()]);
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
                    todo.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The names of all functions.
fn functions() -> BTreeSet<String> {
    let function = Regex::new(r"\bfn ([a-z0-9_]+)").unwrap();
    let mut names = BTreeSet::new();
    for path in files("rs") {
        let text = fs::read_to_string(path).unwrap();
        names.extend(function.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    names
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Does it look like the name of a test? Ours are sentences; `diracx_…` are metrics.
fn is_sentence(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && word.matches('_').count() >= 2
        && !word.starts_with("diracx_")
}

/// Does it look like a file of ours?
fn is_path(word: &str) -> bool {
    let ours = ["crates/", "docs/", "gateway/", "proto/", "services/", "tests/"];
    ours.iter().any(|folder| word.starts_with(folder)) && !word.contains(['*', '<', '…'])
}

/// The cells of a row of a table; bars that are escaped do not divide.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().replace(r"\|", "\u{0}");
    let inside = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')).unwrap_or(&line);
    inside.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What is wrong with the tables of a document, each with its line.
fn broken_tables(text: &str) -> Vec<String> {
    let (mut broken, mut table, mut in_code) = (Vec::new(), Vec::new(), false);
    for (number, line) in text.lines().chain([""]).enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        if line.starts_with('|') && !in_code {
            table.push((number + 1, cells(line)));
            continue;
        }
        let Some((first, head)) = table.first() else { continue };
        let is_ruler = |cells: &[String]| {
            cells.iter().all(|cell| cell.contains('-') && cell.trim_matches(['-', ':']).is_empty())
        };
        if table.get(1).is_none_or(|(_, cells)| !is_ruler(cells)) {
            broken.push(format!("line {first}: rows without the head of a table"));
        }
        for (number, cells) in table.iter().filter(|(_, cells)| cells.len() != head.len()) {
            broken.push(format!("line {number}: {} cells below {} heads", cells.len(), head.len()));
        }
        table.clear();
    }
    broken
}

#[test]
fn every_test_and_file_that_the_compatibility_document_names_is_there() {
    let document = fs::read_to_string(root().join("docs/compatibility.md")).unwrap();
    let functions = functions();
    let is_there = |word: &str| {
        if is_path(word) {
            root().join(word).exists()
        } else {
            !is_sentence(word) || functions.contains(word)
        }
    };
    let mut missing: Vec<_> = quoted(&document).filter(|word| !is_there(word)).map(str::to_owned).collect();
    // the column of tests holds nothing else
    let mut last_is_test = false;
    for line in document.lines() {
        let last = cells(line).pop().unwrap_or_default();
        if last_is_test && line.starts_with('|') {
            let others = quoted(&last).filter(|word| !functions.contains(*word) && !is_path(word));
            missing.extend(others.map(str::to_owned));
        } else {
            last_is_test = line.starts_with('|') && last == "test";
        }
    }
    assert!(missing.is_empty(), "named in docs/compatibility.md, and not there: {missing:#?}");
}

#[test]
fn links_in_documents_lead_to_files() {
    let link = Regex::new(r"\]\(([^)#:\s]+)[^):]*\)").unwrap();
    let mut dead = Vec::new();
    for path in files("md") {
        let text = fs::read_to_string(&path).unwrap();
        let directory = path.parent().unwrap();
        let targets = link.captures_iter(&text).map(|found| found[1].to_owned());
        dead.extend(
            targets.filter(|target| !directory.join(target).exists()).map(|target| (path.clone(), target)),
        );
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn tables_in_documents_are_whole() {
    let mut broken = Vec::new();
    for path in files("md") {
        let text = fs::read_to_string(&path).unwrap();
        broken
            .extend(broken_tables(&text).into_iter().map(|problem| format!("{}: {problem}", path.display())));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_table_that_is_cut_or_has_a_cell_too_many_is_found() {
    let good = "| a | b |\n|---|:-:|\n| `x\\|y` | |\n\n```text\n| no table\n```\n";
    assert_eq!(broken_tables(good), [""; 0]);
    let cut = "| a | b |\n|---|---|\n| 1 | 2 |\n\n| 3 | 4 |\n";
    assert_eq!(broken_tables(cut), ["line 5: rows without the head of a table"]);
    let too_many = "| a | b |\n|---|---|\n| 1 | 2 | 3 |\n";
    assert_eq!(broken_tables(too_many), ["line 3: 3 cells below 2 heads"]);
}

/// `cargo xtask test` leaves these out where there is no MariaDB, and knows them by their names.
#[test]
fn tests_that_need_mariadb_have_it_in_their_names() {
    let mut nameless = Vec::new();
    for path in files("rs") {
        let is_test_code = path.components().any(|part| part.as_os_str() == "tests");
        if is_test_code && !path.ends_with("tree.rs") {
            let text = fs::read_to_string(&path).unwrap();
            nameless.extend(need_mariadb_and_hide_it(&text).into_iter().map(|name| (path.clone(), name)));
        }
    }
    assert!(nameless.is_empty(), "{nameless:#?}");
}

/// The tests of a file that use a MariaDB, by themselves or through a function beside them, and do not say so.
fn need_mariadb_and_hide_it(text: &str) -> Vec<String> {
    struct Function<'a> {
        name: String,
        is_test: bool,
        body: Vec<&'a str>,
        needs_it: bool,
    }
    let head = Regex::new(r"^\s*(?:pub(?:\(crate\))? )?(?:async )?fn ([a-z0-9_]+)").unwrap();
    let mut functions: Vec<Function> = Vec::new();
    let mut is_test = false;
    for line in text.lines() {
        if let Some(found) = head.captures(line) {
            functions.push(Function {
                name: found[1].to_owned(),
                is_test,
                body: Vec::new(),
                needs_it: false,
            });
        }
        if let Some(function) = functions.last_mut() {
            function.body.push(line);
        }
        is_test = line.trim_start().starts_with("#[") && (is_test || line.contains("test"));
    }
    let mut signs = vec!["TestDatabase::mariadb()".to_owned(), "Store::MariaDb".to_owned()];
    while let Some(sign) = signs.pop() {
        for function in functions.iter_mut().filter(|function| !function.needs_it) {
            function.needs_it = function.body.iter().skip(1).any(|line| line.contains(&sign));
            if function.needs_it && !function.is_test {
                signs.push(format!("{}(", function.name));
            }
        }
    }
    let hide_it =
        |function: &Function| function.is_test && function.needs_it && !function.name.contains("mariadb");
    functions.into_iter().filter(hide_it).map(|function| function.name).collect()
}

#[test]
fn a_test_that_needs_mariadb_by_a_helper_is_found() {
    let text = "fn on_a_server() {\n  TestDatabase::mariadb()\n}\n#[test]\nfn one() {\n  on_a_server();\n}\n\
                #[tokio::test]\nasync fn two_on_mariadb() {\n  on_a_server();\n}\n#[test]\nfn three() {}\n";
    assert_eq!(need_mariadb_and_hide_it(text), ["one"]);
}
