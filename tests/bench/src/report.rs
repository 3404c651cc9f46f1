//! The table: what was measured, beside the bare SQL and DiracX, and which targets are met.

use std::time::Duration;

use crate::{
    diracx::{Diracx, Targets, wants_opensearch},
    statistics::Figures,
};

/// A row.
pub(crate) struct Row {
    /// What was asked.
    pub(crate) name: &'static str,
    /// What came of it.
    pub(crate) ours: Figures,
    /// The statements by themselves, per second; none if there are none, or they cannot be replayed.
    pub(crate) bare: Option<f64>,
    /// What DiracX does.
    pub(crate) diracx: Diracx,
    /// What we aim at.
    pub(crate) targets: Option<Targets>,
}

impl Row {
    /// How many times faster the bare SQL is.
    fn of_sql(&self) -> Option<f64> {
        self.bare.filter(|_| self.ours.per_second > 0.0).map(|bare| bare / self.ours.per_second)
    }

    /// How many times as many requests as DiracX.
    fn times(&self) -> Option<f64> {
        let diracx = self.diracx.figures()?.per_second;
        (diracx > 0.0).then(|| self.ours.per_second / diracx)
    }

    /// Which targets are missed, and by how much; empty if all are met.
    fn missed(&self, targets: &Targets) -> Vec<String> {
        let mut missed = Vec::new();
        if let Some(times) = self.times()
            && times < targets.times
        {
            missed.push(format!("{times:.1} × of {} ×", targets.times));
        }
        let diracx = self.diracx.figures();
        if let (Some(target), Some(cpu), Some(theirs)) =
            (targets.cpu_times, self.ours.server_cpu, diracx.and_then(|diracx| diracx.server_cpu))
            && cpu * target > theirs
        {
            missed.push(format!("CPU 1/{:.0} of 1/{target}", theirs / cpu));
        }
        if let (Some(target), Some(ratio)) = (targets.of_sql, self.of_sql())
            && ratio > target
        {
            missed.push(format!("{ratio:.1} × the SQL of {target} ×"));
        }
        if let Some(diracx) = diracx.filter(|diracx| targets.lower_p99 && self.ours.p99 >= diracx.p99) {
            missed.push(format!("p99 {:.0} ms of {:.0} ms", self.ours.p99, diracx.p99));
        }
        missed
    }

    fn verdict(&self) -> String {
        match &self.targets {
            Some(targets) if self.diracx.figures().is_some() => {
                let missed = self.missed(targets);
                if missed.is_empty() { "met".to_owned() } else { format!("missed: {}", missed.join("; ")) }
            }
            _ => "-".to_owned(),
        }
    }

    /// DiracX's part of the row, with the marks of the legend.
    fn theirs(&self) -> String {
        let mark = match &self.diracx {
            Diracx::Measured(_) if wants_opensearch(self.name) => " ¹",
            Diracx::Measured(_) => "",
            Diracx::Constant(_) => " °",
            Diracx::Failed => return "failed | - | -".to_owned(),
            Diracx::Unknown => return "- | - | -".to_owned(),
        };
        self.diracx.figures().map_or_else(String::new, |figures| {
            let (p50, p99) = (number(figures.p50), number(figures.p99));
            format!("{}{mark} | {p50} / {p99} | {}", number(figures.per_second), cpu(figures))
        })
    }

    /// The row as Markdown.
    pub(crate) fn line(&self) -> String {
        let ratio = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        format!(
            "| {} | {} | {} / {} | {} | {} | {} | {} | {} | {} |",
            self.name,
            number(self.ours.per_second),
            number(self.ours.p50),
            number(self.ours.p99),
            cpu(&self.ours),
            or_none(self.bare),
            ratio(self.of_sql()),
            self.theirs(),
            ratio(self.times()),
            self.verdict(),
        )
    }
}

/// What stands above the rows.
pub(crate) const HEAD: &str = "| request | req/s | p50 / p99 ms | CPU ms per request: server / database | \
     bare SQL per s | × slower than it | DiracX req/s | its p50 / p99 ms | its CPU ms: server / database | \
     × DiracX | targets |\n\
     |---|---|---|---|---|---|---|---|---|---|---|";

fn or_none(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}

fn cpu(figures: &Figures) -> String {
    format!("{} / {}", or_none(figures.server_cpu), or_none(figures.database_cpu))
}

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

    fn figures(per_second: f64, p99: f64, server_cpu: f64) -> Figures {
        Figures { per_second, p50: 1.0, p99, server_cpu: Some(server_cpu), database_cpu: None }
    }

    fn row(per_second: f64, server_cpu: f64, bare: Option<f64>) -> Row {
        let targets = Targets { times: 15.0, cpu_times: Some(40.0), lower_p99: true, of_sql: Some(2.0) };
        Row {
            name: "x",
            ours: figures(per_second, 20.0, server_cpu),
            bare,
            diracx: Diracx::Measured(figures(100.0, 30.0, 4.0)),
            targets: Some(targets),
        }
    }

    fn check(row: &Row, expected: &str) {
        assert_eq!(row.verdict(), expected);
    }

    #[test]
    fn a_target_is_met_or_missed_each_by_itself() {
        check(&row(1500.0, 0.1, Some(3000.0)), "met");
        check(&row(1499.0, 0.1, Some(2000.0)), "missed: 15.0 × of 15 ×");
        check(&row(1500.0, 0.2, Some(3000.0)), "missed: CPU 1/20 of 1/40");
        check(&row(1500.0, 0.1, Some(4500.0)), "missed: 3.0 × the SQL of 2 ×");
        let diracx = Diracx::Measured(figures(100.0, 20.0, 4.0));
        check(&Row { diracx, ..row(1500.0, 0.1, None) }, "missed: p99 20 ms of 20 ms");
    }

    #[test]
    fn what_was_measured_here_is_told_from_constants() {
        let line = |name, diracx| Row { name, diracx, ..row(1500.0, 0.1, None) }.line();
        let ours = "1,500 | 1.00 / 20.0 | 0.10 / - | - | -";
        let figures = figures(100.0, 30.0, 4.0);
        let theirs = "1.00 / 30.0 | 4.00 / - | 15.0 | met";
        let measured = Diracx::Measured(figures.clone());
        assert_eq!(line("x", measured.clone()), format!("| x | {ours} | 100 | {theirs} |"));
        assert_eq!(line("status-1", measured), format!("| status-1 | {ours} | 100 ¹ | {theirs} |"));
        let constant = Diracx::Constant(figures);
        assert_eq!(line("status-1", constant), format!("| status-1 | {ours} | 100 ° | {theirs} |"));
        assert_eq!(line("x", Diracx::Failed), format!("| x | {ours} | failed | - | - | - | - |"));
        assert_eq!(line("x", Diracx::Unknown), format!("| x | {ours} | - | - | - | - | - |"));
    }

    #[test]
    fn every_row_is_as_wide_as_the_head() {
        let columns = |line: &str| line.matches('|').count();
        let rows = [Diracx::Failed, Diracx::Unknown, Diracx::Measured(figures(1.0, 1.0, 1.0))];
        for diracx in rows {
            let row = Row { diracx, ..row(1.0, 1.0, None) };
            assert!(HEAD.lines().all(|line| columns(line) == columns(&row.line())), "{}", row.line());
        }
    }

    #[test]
    fn numbers_are_short() {
        let texts = [1_234_567.0, 123.4, 12.34, 1.234, 0.0123].map(number);
        assert_eq!(texts, ["1,234,567", "123", "12.3", "1.23", "0.012"]);
    }
}
