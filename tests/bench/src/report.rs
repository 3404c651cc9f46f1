//! The table: what was measured, beside the bare SQL and DiracX, and which targets are met.

use std::time::Duration;

use crate::{diracx::Reference, statistics::Summary};

/// A row.
pub(crate) struct Row {
    /// What was asked.
    pub(crate) name: &'static str,
    /// What came of it.
    pub(crate) ours: Summary,
    /// Processor time of the server for all requests.
    pub(crate) server_cpu: Option<Duration>,
    /// Processor time of the database server for all requests.
    pub(crate) database_cpu: Option<Duration>,
    /// The statements by themselves, per second; none if there are none, or they cannot be replayed.
    pub(crate) bare: Option<f64>,
    /// What DiracX does.
    pub(crate) diracx: Option<Reference>,
}

impl Row {
    fn per_request(&self, cpu: Option<Duration>) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts of requests are far from 2^53")]
        cpu.filter(|_| self.ours.count > 0).map(|cpu| cpu.as_secs_f64() * 1e3 / self.ours.count as f64)
    }

    /// How many times faster the bare SQL is.
    fn of_sql(&self) -> Option<f64> {
        self.bare.filter(|_| self.ours.per_second > 0.0).map(|bare| bare / self.ours.per_second)
    }

    /// Which targets are missed, and by how much; empty if all are met.
    fn missed(&self, diracx: &Reference) -> Vec<String> {
        let mut missed = Vec::new();
        let times = self.ours.per_second / diracx.per_second;
        if times < diracx.times {
            missed.push(format!("{times:.1} × of {} ×", diracx.times));
        }
        if let (Some(target), Some(cpu)) = (diracx.cpu_times, self.per_request(self.server_cpu))
            && cpu * target > diracx.cpu
        {
            missed.push(format!("CPU 1/{:.0} of 1/{target}", diracx.cpu / cpu));
        }
        if let (Some(target), Some(ratio)) = (diracx.of_sql, self.of_sql())
            && ratio > target
        {
            missed.push(format!("{ratio:.1} × the SQL of {target} ×"));
        }
        if diracx.lower_p99 && millis(self.ours.p99) >= diracx.p99 {
            missed.push(format!("p99 {:.0} ms of {:.0} ms", millis(self.ours.p99), diracx.p99));
        }
        missed
    }

    /// The row as Markdown.
    pub(crate) fn line(&self) -> String {
        let or_none = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        let (reference, times, verdict) = match &self.diracx {
            None => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
            Some(diracx) => {
                let missed = self.missed(diracx);
                let verdict = if missed.is_empty() {
                    "met".to_owned()
                } else {
                    format!("missed: {}", missed.join("; "))
                };
                let times = self.ours.per_second / diracx.per_second;
                (number(diracx.per_second), format!("{times:.1}"), verdict)
            }
        };
        format!(
            "| {} | {} | {} | {} | {} / {} | {} | {} | {reference} | {times} | {verdict} |",
            self.name,
            number(self.ours.per_second),
            number(millis(self.ours.p50)),
            number(millis(self.ours.p99)),
            or_none(self.per_request(self.server_cpu)),
            or_none(self.per_request(self.database_cpu)),
            or_none(self.bare),
            self.of_sql().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}")),
        )
    }
}

/// What stands above the rows.
pub(crate) const HEAD: &str = "| request | req/s | p50 ms | p99 ms | CPU ms per request: server / database | \
     bare SQL per s | × slower than it | DiracX req/s | × DiracX | targets |\n\
     |---|---|---|---|---|---|---|---|---|---|";

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Three digits that count, without an exponent.
pub(crate) fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => {
            let digits = format!("{value:.0}");
            let mut text = String::new();
            for (place, digit) in digits.chars().enumerate() {
                if place > 0 && (digits.len() - place).is_multiple_of(3) {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 0.1 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(per_second: f64, cpu_ms: u64, bare: Option<f64>, diracx: Reference) -> Row {
        let ours = Summary {
            count: 1000,
            per_second,
            p50: Duration::from_millis(1),
            p99: Duration::from_millis(20),
        };
        let server_cpu = Some(Duration::from_millis(cpu_ms));
        Row { name: "x", ours, server_cpu, database_cpu: None, bare, diracx: Some(diracx) }
    }

    fn reference() -> Reference {
        Reference {
            per_second: 100.0,
            p50: 10.0,
            p99: 30.0,
            cpu: 4.0,
            times: 15.0,
            cpu_times: Some(40.0),
            lower_p99: true,
            of_sql: Some(2.0),
        }
    }

    fn check(row: &Row, expected: &[&str]) {
        assert_eq!(row.missed(&row.diracx.unwrap()), expected);
    }

    #[test]
    fn a_target_is_met_or_missed_each_by_itself() {
        check(&row(1500.0, 100, Some(3000.0), reference()), &[]);
        check(&row(1499.0, 100, Some(2000.0), reference()), &["15.0 × of 15 ×"]);
        check(&row(1500.0, 200, Some(3000.0), reference()), &["CPU 1/20 of 1/40"]);
        check(&row(1500.0, 100, Some(4500.0), reference()), &["3.0 × the SQL of 2 ×"]);
        check(&row(1500.0, 100, None, Reference { p99: 20.0, ..reference() }), &["p99 20 ms of 20 ms"]);
    }

    #[test]
    fn a_row_without_a_reference_judges_nothing() {
        let row = Row { diracx: None, ..row(1234.5, 30, Some(2469.0), reference()) };
        assert_eq!(row.line(), "| x | 1,234 | 1.00 | 20.0 | 0.030 / - | 2,469 | 2.0 | - | - | - |");
    }

    #[test]
    fn numbers_are_short() {
        let texts = [1_234_567.0, 123.4, 12.34, 1.234, 0.0123].map(number);
        assert_eq!(texts, ["1,234,567", "123", "12.3", "1.23", "0.012"]);
    }
}
