//! Job numbers, as people and other commands write them.

use std::{collections::BTreeSet, io::Read as _};

use diracx_core::JobId;
use serde_json::Value;

use crate::failure::Failure;

/// The jobs that the arguments of a command name, each once, in their order; `-` stands for the standard input.
pub(crate) fn of(arguments: &[String]) -> Result<Vec<JobId>, Failure> {
    let mut ids = Vec::new();
    for argument in arguments {
        if argument == "-" {
            let mut text = String::new();
            let read = std::io::stdin().lock().read_to_string(&mut text);
            read.map_err(|error| Failure::Usage(format!("cannot read the standard input: {error}")))?;
            ids.extend(numbers(&text)?);
        } else {
            ids.extend(numbers(argument)?);
        }
    }
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(*id));
    if ids.is_empty() {
        return Err(Failure::Usage("there are no job numbers".to_owned()));
    }
    Ok(ids)
}

/// The job numbers in a text: separated by anything usual, or JSON as `jobs submit` and `jobs search` print it.
fn numbers(text: &str) -> Result<Vec<JobId>, Failure> {
    let wrong = |what: &str| Failure::Usage(format!("{what:?} is no job number"));
    if let Ok(Value::Array(items)) = serde_json::from_str::<Value>(text) {
        let id = |item: &Value| item.as_i64().or_else(|| item.get("JobID")?.as_i64()).map(JobId);
        return items.iter().map(|item| id(item).ok_or_else(|| wrong(&item.to_string()))).collect();
    }
    let list = text.rsplit_once("ids:").map_or(text, |(_, list)| list);
    let words = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words.map(|word| word.parse().ok().filter(|id: &JobId| id.get() > 0).ok_or_else(|| wrong(word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_numbers_are_found_in_what_other_commands_print() {
        let check = |text: &str, expected: &[i64]| {
            let found = numbers(text).unwrap();
            assert_eq!(found.iter().map(|id| id.get()).collect::<Vec<_>>(), expected, "{text}");
        };
        check("7", &[7]);
        check("1,2\n3 4\n", &[1, 2, 3, 4]);
        check("[1, 2]", &[1, 2]);
        check(r#"[{"JobID": 5, "Status": "Received"}]"#, &[5]);
        check("Inserted 2 jobs with ids: 1,2\n", &[1, 2]);
        check("", &[]);
        for wrong in ["x", "1;2", "-1", "0", r#"["a"]"#, "1.5"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }
}
