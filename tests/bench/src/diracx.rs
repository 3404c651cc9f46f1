//! What DiracX serves, to compare with.

/// Where the figures are from.
pub(crate) const SOURCE: &str = "DiracX 0.4.0, uvicorn with uvloop, two workers, MariaDB on the same two cores, \
                                 100,000 jobs stored, 8 connections, November 2026";

/// DiracX's figures for a request, and how many times better ours is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reference {
    /// Requests per second.
    pub(crate) per_second: f64,
    /// Half of them take no longer, in milliseconds.
    pub(crate) p50: f64,
    /// All but one in a hundred take no longer, in milliseconds.
    pub(crate) p99: f64,
    /// Processor milliseconds of the server per request.
    pub(crate) cpu: f64,
    /// Our target: so many times as many requests.
    pub(crate) times: f64,
    /// Our target: at the most its processor time divided by this.
    pub(crate) cpu_times: Option<f64>,
    /// Our target: a lower p99.
    pub(crate) lower_p99: bool,
    /// Our target: at the most so many times slower than the bare SQL.
    pub(crate) of_sql: Option<f64>,
}

const fn light(per_second: f64, p50: f64, p99: f64, cpu: f64) -> Reference {
    let (times, cpu_times) = (30.0, Some(40.0));
    Reference { per_second, p50, p99, cpu, times, cpu_times, lower_p99: false, of_sql: None }
}

const fn change(times: f64, per_second: f64, p50: f64, p99: f64, cpu: f64) -> Reference {
    let of_sql = Some(2.0);
    Reference { per_second, p50, p99, cpu, times, cpu_times: None, lower_p99: false, of_sql }
}

const fn search(per_second: f64, p50: f64, p99: f64, cpu: f64) -> Reference {
    let (times, cpu_times) = (10.0, None);
    Reference { per_second, p50, p99, cpu, times, cpu_times, lower_p99: true, of_sql: None }
}

/// DiracX's figures for the request of this name, if it was measured.
pub(crate) fn reference(name: &str) -> Option<Reference> {
    Some(match name {
        "userinfo" => light(1716.0, 4.7, 10.0, 1.1),
        "config" => light(514.0, 13.0, 34.0, 2.9),
        "config-304" => light(1139.0, 5.0, 67.0, 1.7),
        "refresh" => change(15.0, 394.0, 9.6, 18.0, 4.3),
        "submit-1" => change(15.0, 131.0, 60.0, 95.0, 7.7),
        "submit-20" => change(15.0, 73.0, 141.0, 351.0, 20.8),
        "search" => search(43.0, 120.0, 517.0, 14.0),
        "summary" => search(22.0, 376.0, 724.0, 11.0),
        "status-1" => change(15.0, 110.0, 72.0, 192.0, 15.0),
        "status-100" => change(100.0, 4.0, 990.0, 2680.0, 298.0),
        "heartbeat-1" => change(15.0, 183.0, 54.0, 120.0, 9.4),
        _ => return None,
    })
}
