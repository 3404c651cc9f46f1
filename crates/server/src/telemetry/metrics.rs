//! Numbers for Prometheus: calls by rpc and code, how long they took, how many are under way.
//!
//! Counting must cost next to nothing, so each rpc has its own block of atomics, found once.

use std::{
    fmt::{self, Write},
    sync::{
        Arc, OnceLock, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use opentelemetry::{KeyValue, metrics::Histogram};
use tonic::Code;

/// Upper bounds of the histogram's buckets, in seconds.
const BOUNDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// The gRPC codes, 0 to 16.
const CODES: usize = 17;

/// The numbers of this process. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    series: RwLock<Vec<Arc<Series>>>,
    in_flight: AtomicI64,
    collectors: RwLock<Vec<Collector>>,
    exported: OnceLock<Histogram<f64>>,
}

/// Writes more lines of the text format.
type Collector = Box<dyn Fn(&mut String) + Send + Sync>;

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// The numbers of one rpc.
#[derive(Debug)]
pub struct Series {
    service: String,
    method: String,
    codes: [AtomicU64; CODES],
    buckets: [AtomicU64; BOUNDS.len()],
    sum_micros: AtomicU64,
}

impl Metrics {
    /// The numbers of an rpc (or of a REST route: service `rest`, method its name). Made when first
    /// asked for, so never name one after what a caller sent.
    pub fn series(&self, service: &str, method: &str) -> Arc<Series> {
        let mut all = self.inner.series.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = all.iter().find(|series| series.service == service && series.method == method) {
            return known.clone();
        }
        let series = Arc::new(Series {
            service: service.to_owned(),
            method: method.to_owned(),
            codes: Default::default(),
            buckets: Default::default(),
            sum_micros: AtomicU64::new(0),
        });
        all.push(series.clone());
        series
    }

    /// Counts a call that has ended.
    pub fn observe(&self, series: &Series, code: Code, took: Duration) {
        series.codes[code as usize % CODES].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        if let Some(bucket) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            series.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        series.sum_micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(histogram) = self.inner.exported.get() {
            let labels = [
                KeyValue::new("rpc.service", series.service.clone()),
                KeyValue::new("rpc.method", series.method.clone()),
                KeyValue::new("rpc.grpc.status_code", i64::from(code as i32)),
            ];
            histogram.record(seconds, &labels);
        }
    }

    /// Counts a call that is under way, until what is returned is dropped.
    pub fn in_flight(&self) -> InFlight {
        self.inner.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self.inner.clone())
    }

    /// Adds lines of one's own to the text, such as the size of a pool. The closure must be quick.
    pub fn collect(&self, collector: impl Fn(&mut String) + Send + Sync + 'static) {
        let mut collectors = self.inner.collectors.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        collectors.push(Box::new(collector));
    }

    /// Also records durations for the collector of OpenTelemetry.
    pub(super) fn export_to(&self, histogram: Histogram<f64>) {
        // a second collector in one process does not happen
        let _ = self.inner.exported.set(histogram);
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        self.write(&mut text);
        let collectors = self.inner.collectors.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        for collector in collectors.iter() {
            collector(&mut text);
        }
        text
    }

    /// `GET /metrics`, to be served where only administrators look.
    pub fn router(&self) -> Router {
        let metrics = self.clone();
        let answer = move || async move {
            ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
        };
        Router::new().route("/metrics", get(answer))
    }

    fn write(&self, text: &mut String) {
        let mut series: Vec<Arc<Series>> =
            self.inner.series.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        series.sort_by(|a, b| (&a.service, &a.method).cmp(&(&b.service, &b.method)));
        header(text, "diracx_build_info", "gauge", "The version that runs.");
        line(text, &format!("diracx_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
        header(text, "diracx_rpc_in_flight", "gauge", "Calls that are being worked on.");
        let in_flight = self.inner.in_flight.load(Ordering::Relaxed);
        line(text, &format!("diracx_rpc_in_flight {in_flight}"));
        header(text, "diracx_rpc_requests_total", "counter", "Calls that have ended, by gRPC code.");
        for one in &series {
            one.write_codes(text);
        }
        header(text, "diracx_rpc_duration_seconds", "histogram", "How long calls took.");
        for one in &series {
            one.write_histogram(text);
        }
    }
}

impl Series {
    fn labels(&self) -> String {
        format!("service=\"{}\",method=\"{}\"", escaped(&self.service), escaped(&self.method))
    }

    fn write_codes(&self, text: &mut String) {
        for (number, count) in self.codes.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let code = Code::from(i32::try_from(number).unwrap_or_default());
                let labels = self.labels();
                line(text, &format!("diracx_rpc_requests_total{{{labels},code=\"{code:?}\"}} {count}"));
            }
        }
    }

    fn write_histogram(&self, text: &mut String) {
        let labels = self.labels();
        let total: u64 = self.codes.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        if total == 0 {
            return;
        }
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(&self.buckets) {
            below += count.load(Ordering::Relaxed);
            line(text, &format!("diracx_rpc_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {below}"));
        }
        let sum = Duration::from_micros(self.sum_micros.load(Ordering::Relaxed)).as_secs_f64();
        line(text, &format!("diracx_rpc_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {total}"));
        line(text, &format!("diracx_rpc_duration_seconds_sum{{{labels}}} {sum}"));
        line(text, &format!("diracx_rpc_duration_seconds_count{{{labels}}} {total}"));
    }
}

/// A call under way; see [`Metrics::in_flight`].
pub struct InFlight(Arc<Inner>);

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn header(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, &format!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: &str) {
    // writing to a String cannot fail
    let _ = writeln!(text, "{line}");
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_appear_by_rpc_and_code() {
        let metrics = Metrics::default();
        let series = metrics.series("diracx.jobs.v1.JobsService", "SearchJobs");
        metrics.observe(&series, Code::Ok, Duration::from_millis(2));
        metrics.observe(&series, Code::NotFound, Duration::from_secs(9));
        let under_way = metrics.in_flight();
        let text = metrics.render();
        for expected in [
            "diracx_rpc_in_flight 1\n",
            "method=\"SearchJobs\",code=\"Ok\"} 1\n",
            "method=\"SearchJobs\",code=\"NotFound\"} 1\n",
            "le=\"0.0025\"} 1\n",
            "le=\"5\"} 1\n",
            "le=\"+Inf\"} 2\n",
            "_count{service=\"diracx.jobs.v1.JobsService\",method=\"SearchJobs\"} 2\n",
        ] {
            assert!(text.contains(expected), "{expected} not in\n{text}");
        }
        drop(under_way);
        assert!(metrics.render().contains("diracx_rpc_in_flight 0\n"));
    }

    #[test]
    fn the_same_rpc_is_counted_in_one_place_and_others_may_add_lines() {
        let metrics = Metrics::default();
        assert!(Arc::ptr_eq(&metrics.series("a", "b"), &metrics.clone().series("a", "b")));
        metrics.collect(|text| text.push_str("diracx_pool_size 3\n"));
        assert!(metrics.render().ends_with("diracx_pool_size 3\n"));
    }
}
