//! `dirac jobs search --all-jobs`: printed as they come, and taken up again where a connection broke.

use std::time::Duration;

use diracx_client::proto::jobs::v1::StreamSearchJobsRequest;
use diracx_core::search::{Search, Table};

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_part, tell},
    table,
};

/// How often a stream is taken up again without anything new in it.
const ATTEMPTS: u32 = 5;

/// How long a stream may take. What keeps it from ending is rather the connection, which looks after itself.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// Prints all that is found.
pub(super) async fn run(global: &Global, search: Search) -> Result<(), Failure> {
    let mut client = diracx_client::jobs(global.connect()?);
    let mut request = StreamSearchJobsRequest::from(search);
    let mut printer = Printer { format: global.format(), printed: 0 };
    let mut failed = 0;
    loop {
        let mut call = tonic::Request::new(request.clone());
        call.set_timeout(PATIENCE);
        let broken = match client.stream_search_jobs(call).await {
            Err(status) => status,
            Ok(answer) => {
                let mut messages = answer.into_inner();
                loop {
                    match messages.message().await {
                        Ok(None) => return printer.end(),
                        Ok(Some(message)) => {
                            printer.rows(&table::of_answer(message.table, None)?)?;
                            request.resume_token = message.resume_token;
                            failed = 0;
                        }
                        Err(status) => break status,
                    }
                }
            }
        };
        // What cannot be reached at the first try is rather not there.
        let begun = !request.resume_token.is_empty();
        if !begun || failed == ATTEMPTS || !Failure::is_passing(&broken) {
            return Err(broken.into());
        }
        failed += 1;
        tokio::time::sleep(Duration::from_millis(200) * failed).await;
    }
}

struct Printer {
    format: Format,
    printed: u64,
}

impl Printer {
    fn rows(&mut self, found: &Table) -> Result<(), Failure> {
        match self.format {
            Format::Table => print(&table::draw(found, table::terminal_width()))?,
            Format::Json => print_part(&elements(found, self.printed == 0))?,
        }
        self.printed += found.rows.len() as u64;
        Ok(())
    }

    fn end(self) -> Result<(), Failure> {
        if self.format == Format::Json {
            return print(if self.printed == 0 { "[]" } else { "\n]" });
        }
        tell(&if self.printed == 0 {
            "No jobs found".to_owned()
        } else {
            format!("Showing all {} jobs", self.printed)
        });
        Ok(())
    }
}

/// A part of a list in JSON, written as the whole would be.
fn elements(found: &Table, first: bool) -> String {
    let mut text = String::new();
    for (i, object) in table::objects(found).enumerate() {
        text.push_str(if first && i == 0 { "[\n  " } else { ",\n  " });
        text.push_str(&format!("{object:#}").replace('\n', "\n  "));
    }
    text
}

#[cfg(test)]
mod tests {
    use diracx_core::search::Cell;

    use super::*;

    #[test]
    fn parts_of_a_list_make_the_list_as_it_is_printed_at_once() {
        let part = |ids: &[i64]| Table {
            columns: vec!["JobID".into(), "JobName".into()],
            rows: ids.iter().map(|id| vec![Cell::Int(*id), Cell::Text("a\nb".into())]).collect(),
            total: 0,
        };
        let whole = format!("{:#}", table::json(&part(&[1, 2, 3])));
        assert_eq!(elements(&part(&[1, 2]), true) + &elements(&part(&[3]), false) + "\n]", whole);
    }
}
