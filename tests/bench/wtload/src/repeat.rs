//! A job is run on every connection, first to warm up and then to measure.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use wtransport::Connection;

use crate::Error;
use crate::connection::datagrams;
use crate::options::Options;
use crate::process::{Process, own_cpu};

/// One that makes requests.
pub trait Job: Send + 'static {
    /// Makes requests as long as there are turns, and then lets those in flight come to their end. Gives how long each took; one
    /// that is not answered as it should is an error.
    fn run(&mut self, turns: &Turns) -> impl Future<Output = Result<Vec<Duration>, Error>> + Send;
}

/// Says whether another request may go out.
pub struct Turns {
    left: AtomicU64,
    until: Instant,
    failed: AtomicBool,
}

impl Turns {
    pub fn new(left: u64, length: Duration) -> Turns {
        Turns { left: AtomicU64::new(left), until: Instant::now() + length, failed: AtomicBool::new(false) }
    }

    pub fn more(&self) -> bool {
        !self.failed.load(Ordering::Relaxed)
            && Instant::now() < self.until
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
    }
}

/// The outcome of a measurement, printed as one line of JSON with the fields of tests/peers/load. Datagrams are those that quinn
/// has counted, which are there where connections last.
#[derive(Debug)]
pub struct Report {
    mode: &'static str,
    connections: usize,
    streams: usize,
    seconds: f64,
    /// Bytes of payload that all requests moved.
    moved: usize,
    /// How long each request took, sorted.
    took: Vec<Duration>,
    datagrams: Option<(u64, u64)>,
    server_cpu: Duration,
    server_peak: u64,
    client_cpu: Duration,
}

#[cfg(test)]
impl Report {
    pub fn requests(&self) -> usize {
        self.took.len()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let n = self.took.len() as f64;
        let us = |d: Duration| d.as_secs_f64() * 1e6;
        write!(f, r#"{{"mode":"{}","connections":{},"streams":{}"#, self.mode, self.connections, self.streams)?;
        write!(f, r#","seconds":{},"requests":{},"requests_per_second":{}"#, self.seconds, n, n / self.seconds)?;
        write!(f, r#","megabytes_per_second":{}"#, self.moved as f64 / 1e6 / self.seconds)?;
        let of = |percent| us(self.took[self.took.len() * percent / 100]);
        write!(f, r#","p50_us":{},"p99_us":{}"#, of(50), of(99))?;
        if let Some((sent, received)) = self.datagrams {
            let (sent, received) = (sent as f64 / n, received as f64 / n);
            write!(f, r#","datagrams_per_request":{},"datagrams_sent_per_request":{sent}"#, sent + received)?;
            write!(f, r#","datagrams_received_per_request":{received}"#)?;
        }
        write!(f, r#","server_cpu_us_per_request":{},"server_peak_bytes":{}"#, us(self.server_cpu) / n, self.server_peak)?;
        write!(f, r#","client_cpu_us_per_request":{}}}"#, us(self.client_cpu) / n)
    }
}

/// Runs jobs at the same time for as long as the options say, first to warm up and then to measure. The sessions are those whose
/// datagrams are counted; without any, none are.
pub async fn repeat<J: Job>(jobs: Vec<J>, sessions: &[Connection], o: &Options) -> Result<Report, Error> {
    let server = Process(o.pid);
    let crossed = || sessions.iter().map(datagrams).reduce(|sum, one| (sum.0 + one.0, sum.1 + one.1));
    let (jobs, _, _) = phase(jobs, o.max, o.warm).await?;
    server.forget_peak()?;
    let (before, cpu, own) = (crossed(), server.cpu()?, own_cpu()?);
    let (_, mut took, elapsed) = phase(jobs, o.max, o.seconds).await?;
    let (own_after, cpu_after, after) = (own_cpu()?, server.cpu()?, crossed());
    if took.is_empty() {
        return Err("no request came to its end".into());
    }
    took.sort_unstable();
    Ok(Report {
        mode: o.mode.name(),
        connections: o.connections,
        streams: o.streams,
        seconds: elapsed.as_secs_f64(),
        moved: if sessions.is_empty() { 0 } else { took.len() * o.bytes },
        took,
        datagrams: before.zip(after).map(|(before, after)| (after.0 - before.0, after.1 - before.1)),
        server_cpu: cpu_after - cpu,
        server_peak: server.peak()?,
        client_cpu: own_after - own,
    })
}

/// Runs jobs for a while. Gives them back, how long each of their requests took and all of them together.
async fn phase<J: Job>(jobs: Vec<J>, max: u64, length: Duration) -> Result<(Vec<J>, Vec<Duration>, Duration), Error> {
    let turns = Arc::new(Turns::new(max, length));
    let start = Instant::now();
    let mut running = JoinSet::new();
    for mut job in jobs {
        let turns = turns.clone();
        running.spawn(async move {
            let took = job.run(&turns).await;
            turns.failed.fetch_or(took.is_err(), Ordering::Relaxed);
            took.map(|took| (job, took))
        });
    }
    let (mut jobs, mut all) = (Vec::new(), Vec::new());
    while let Some(ended) = running.join_next().await {
        let (job, took) = ended??;
        jobs.push(job);
        all.extend(took);
    }
    Ok((jobs, all, start.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_line_of_json() {
        let report = Report {
            mode: "wt-datagram",
            connections: 1,
            streams: 2,
            seconds: 2.0,
            moved: 4000,
            took: [1, 2, 3, 4].map(Duration::from_micros).to_vec(),
            datagrams: Some((4, 6)),
            server_cpu: Duration::from_micros(10),
            server_peak: 4096,
            client_cpu: Duration::from_micros(20),
        };
        let start = r#"{"mode":"wt-datagram","connections":1,"streams":2,"seconds":2,"requests":4,"requests_per_second":2"#;
        let times = r#","megabytes_per_second":0.002,"p50_us":3,"p99_us":4"#;
        let crossed = r#","datagrams_per_request":2.5,"datagrams_sent_per_request":1,"datagrams_received_per_request":1.5"#;
        let cost = r#","server_cpu_us_per_request":2.5,"server_peak_bytes":4096,"client_cpu_us_per_request":5}"#;
        assert_eq!(report.to_string(), [start, times, crossed, cost].concat());
        assert_eq!(Report { datagrams: None, ..report }.to_string(), [start, times, cost].concat());
    }

    #[test]
    fn turns_end_with_their_number_their_time_and_a_failure() {
        let turns = Turns::new(2, Duration::from_secs(60));
        assert_eq!([turns.more(), turns.more(), turns.more()], [true, true, false]);
        assert!(!Turns::new(2, Duration::ZERO).more());
        let turns = Turns::new(2, Duration::from_secs(60));
        turns.failed.store(true, Ordering::Relaxed);
        assert!(!turns.more());
    }
}
