//! What a job must be, by what is recorded of it: the rules of DIRAC's status machine, written down once more.

use std::collections::BTreeMap;

/// Where a job may go.
const MACHINE: &str = "
    Submitting: Received Checking Deleted Killed
    Received: Scouting Checking Staging Waiting Failed Deleted Killed
    Checking: Scouting Staging Waiting Rescheduled Failed Deleted Killed
    Scouting: Checking Failed Stalled Killed
    Staging: Checking Waiting Failed Killed
    Waiting: Matched Rescheduled Deleted Killed
    Matched: Running Failed Rescheduled Killed
    Rescheduled: Waiting Received Deleted Failed Killed
    Running: Stalled Done Failed Rescheduled Completing Killed Received
    Stalled: Running Failed Killed
    Completing: Done Failed Completed Stalled Killed
    Completed: Done Failed
    Done: Deleted
    Failed: Rescheduled Deleted
    Killed: Deleted
    Deleted:
";

/// What stands behind the source of a record when the machine did not let the job go there.
const REFUSED: &str = "(SM)";

/// A job as the database has it.
pub(crate) struct Job {
    pub(crate) row: Row,
    pub(crate) records: Vec<Record>,
}

/// What is known of a job's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) status: String,
    minor: String,
    application: String,
    heart_beat: String,
    is_killed: bool,
}

pub(crate) struct Record {
    number: usize,
    status: Option<String>,
    minor: Option<String>,
    application: Option<String>,
    /// In milliseconds.
    order: i64,
    time: String,
    source: String,
}

impl Job {
    pub(crate) fn read(line: &str) -> (i64, Self) {
        let mut parts = line.split('|').map(str::to_owned);
        let mut next = || parts.next().expect("another part");
        let id = next().parse().expect("a number");
        let row = Row {
            status: next(),
            minor: next(),
            application: next(),
            heart_beat: next(),
            is_killed: next() != "0",
        };
        (id, Self { row, records: Vec::new() })
    }

    pub(crate) fn add_record(&mut self, line: &str) {
        let mut parts = line.split('|').map(str::to_owned);
        let mut next = || parts.next().expect("another part");
        let news = |text: String| (text != "idem").then_some(text);
        self.records.push(Record {
            number: next().parse().expect("a number"),
            status: news(next()),
            minor: news(next()),
            application: news(next()),
            order: next().replace('.', "").parse().expect("seconds with three decimals"),
            time: next(),
            source: next(),
        });
    }
}

/// What is wrong with a job; `accepted` are the sources of the updates that clients know to be accepted, with the
/// number of records of each.
pub(crate) fn check(id: i64, job: &Job, accepted: Option<&BTreeMap<String, usize>>) -> Vec<String> {
    let mut problems = Vec::new();
    let numbers: Vec<usize> = job.records.iter().map(|record| record.number).collect();
    if !numbers.iter().copied().eq(1..=numbers.len()) {
        problems.push(format!("job {id}: the records are numbered {numbers:?}"));
    }
    let mut recorded: BTreeMap<String, usize> = BTreeMap::new();
    for record in job.records.iter().skip(1) {
        *recorded.entry(record.source.trim_end_matches(REFUSED).to_owned()).or_default() += 1;
    }
    let accepted = accepted.cloned().unwrap_or_default();
    if recorded != accepted {
        problems.push(format!("job {id}: accepted were {accepted:?}, recorded are {recorded:?}"));
    }
    match replay(&job.records) {
        Ok(row) if row == job.row => {}
        Ok(row) => {
            problems
                .push(format!("job {id}: by its records it is {row:?}, and the table says {:?}", job.row));
        }
        Err(problem) => problems.push(format!("job {id}: {problem}")),
    }
    problems
}

/// Lives a job's life again. What one request said of it stands together and has one source.
fn replay(records: &[Record]) -> Result<Row, String> {
    let (first, rest) = records.split_first().ok_or("there are no records")?;
    let text = |news: &Option<String>| news.clone().ok_or("the first record says nothing");
    let mut row = Row {
        status: text(&first.status)?,
        minor: text(&first.minor)?,
        application: text(&first.application)?,
        heart_beat: "-".to_owned(),
        is_killed: false,
    };
    // The newest time is the latest among each status's newest records.
    let mut newest = BTreeMap::from([(first.status.clone(), first.order)]);
    for request in rest.chunk_by(|one, next| source(one) == source(next)) {
        let last = newest.values().copied().max().unwrap_or_default();
        if request.last().is_some_and(|record| record.order >= last) {
            if row.status == "Stalled" {
                "Running".clone_into(&mut row.status);
            }
            for record in request.iter().filter(|record| record.order >= last) {
                apply(&mut row, record)?;
            }
            row.is_killed |= ["Killed", "Deleted"].contains(&row.status.as_str());
        }
        for record in request {
            newest.insert(record.status.clone(), record.order);
            if record.source.starts_with("Job") {
                row.heart_beat.clone_from(&record.time);
            }
        }
    }
    Ok(row)
}

fn apply(row: &mut Row, record: &Record) -> Result<(), String> {
    if let Some(status) = &record.status {
        let stays = *status == row.status;
        if record.source.ends_with(REFUSED) && !stays {
            return Err(format!(
                "record {} was refused, and yet it is {status} after {}",
                record.number, row.status
            ));
        }
        if !stays && !allowed(&row.status).any(|next| next == status) {
            return Err(format!("record {} leads from {} to {status}", record.number, row.status));
        }
        row.status.clone_from(status);
    }
    if let Some(minor) = &record.minor {
        row.minor.clone_from(minor);
    }
    if let Some(application) = &record.application {
        row.application.clone_from(application);
    }
    Ok(())
}

fn source(record: &Record) -> &str {
    record.source.trim_end_matches(REFUSED)
}

fn allowed(from: &str) -> impl Iterator<Item = &'static str> {
    let line = MACHINE
        .lines()
        .map(str::trim)
        .find_map(|line| line.split_once(':').filter(|(name, _)| *name == from));
    line.map(|(_, next)| next).unwrap_or_default().split_whitespace()
}
