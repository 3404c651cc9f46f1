//! The processor time of other processes, as `/proc` tells it.

use std::{fs, path::Path, time::Duration};

/// Linux tells times in these, whatever the kernel's own clock.
const TICKS_PER_SECOND: u64 = 100;

/// The processor time that a process has used by now, all its threads together.
pub(crate) fn cpu_time(process: u32) -> Option<Duration> {
    ticks(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
        .map(|ticks| Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// User and system time in a line of `/proc/…/stat`.
fn ticks(stat: &str) -> Option<u64> {
    // The name comes second, in parentheses, and may itself hold blanks and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The process that listens on this port of this machine, if we may see it.
pub(crate) fn listener(port: u16) -> Option<u32> {
    let socket = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .find_map(|table| listening_socket(&table, port))?;
    let link = format!("socket:[{socket}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        holds(&entry.path().join("fd"), &link).then_some(process)
    })
}

/// The inode of the socket that listens on a port, in a table of `/proc/net`.
fn listening_socket(table: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let matches =
            *fields.get(3)? == LISTEN && u16::from_str_radix(local_port, 16).is_ok_and(|found| found == port);
        if matches { fields.get(9)?.parse().ok() } else { None }
    })
}

fn holds(descriptors: &Path, link: &str) -> bool {
    let Ok(entries) = fs::read_dir(descriptors) else { return false };
    entries.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "4711 (diracx-standalo) S 1 4711 4711 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 9 0 1 2 3";
        assert_eq!(ticks(stat), Some(300));
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_confuses_nobody() {
        let stat = "1 (a) S (b c) R 0 1 1 0 -1 0 0 0 0 0 12 30 0 0 20 0 1 0 0 0 0";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("1 (short) R 0"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn the_socket_that_listens_is_told_from_those_that_are_connected() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:0CEA 0100007F:D431 01 00000000:00000000 00:00000000 00000000   0  0 111 1 0\n\
            1: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 106  0 222 1 0\n";
        assert_eq!(listening_socket(table, 3306), Some(222));
        assert_eq!(listening_socket(table, 3307), None);
    }

    #[test]
    fn we_find_ourselves_and_the_time_we_use() {
        let here = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = here.local_addr().unwrap().port();
        assert_eq!(listener(port), Some(std::process::id()));
        assert!(cpu_time(std::process::id()).is_some());
        assert_eq!(cpu_time(u32::MAX), None);
    }
}
