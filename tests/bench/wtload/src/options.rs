//! The arguments: those of tests/peers/load that matter here, written as Go's flag package takes them.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::Error;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    Datagram,
    Stream,
    Connect,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Datagram => "wt-datagram",
            Mode::Stream => "wt-stream",
            Mode::Connect => "wt-connect",
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Mode, String> {
        let modes = [Mode::Datagram, Mode::Stream, Mode::Connect];
        modes.into_iter().find(|m| m.name() == name).ok_or_else(|| format!("{name:?} is no mode of this client"))
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub addr: SocketAddr,
    pub mode: Mode,
    pub connections: usize,
    /// Requests in flight on each connection.
    pub streams: usize,
    /// Of a datagram, or of what goes out on a stream.
    pub bytes: usize,
    /// How long to ask before the measurement.
    pub warm: Duration,
    /// How long to measure.
    pub seconds: Duration,
    /// Requests after which a measurement ends.
    pub max: u64,
    /// Process of the server, for its CPU time and memory; 0: none, and nothing of it is told.
    pub pid: i32,
}

impl Options {
    /// Takes `-name value` and `-name=value`, with one dash or two.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Options, Error> {
        let mut o = Options {
            addr: SocketAddr::from(([127, 0, 0, 1], 4433)),
            mode: Mode::Datagram,
            connections: 4,
            streams: 16,
            bytes: 64,
            warm: Duration::from_millis(500),
            seconds: Duration::from_secs(3),
            max: 10_000_000,
            pid: 0,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let name = argument.strip_prefix("--").or(argument.strip_prefix('-'));
            let name = name.ok_or_else(|| format!("{argument:?} is no option"))?;
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, value.to_string()),
                None => (name, arguments.next().ok_or_else(|| format!("-{name} has no value"))?),
            };
            let wrong = |e: Error| format!("-{name} {value:?}: {e}");
            match name {
                "addr" => o.addr = value.parse().map_err(|e| wrong(Box::new(e)))?,
                "mode" => o.mode = value.parse().map_err(|e: String| wrong(e.into()))?,
                "connections" => o.connections = count(&value).map_err(wrong)?,
                "streams" => o.streams = count(&value).map_err(wrong)?,
                "bytes" => o.bytes = value.parse().map_err(|e| wrong(Box::new(e)))?,
                "warm" => o.warm = duration(&value).map_err(wrong)?,
                "seconds" => o.seconds = seconds(&value).map_err(wrong)?,
                "max" => o.max = value.parse().map_err(|e| wrong(Box::new(e)))?,
                "pid" => o.pid = value.parse().map_err(|e| wrong(Box::new(e)))?,
                _ => return Err(format!("no option -{name}").into()),
            }
        }
        Ok(o)
    }
}

fn count(value: &str) -> Result<usize, Error> {
    match value.parse()? {
        0 => Err("at least 1".into()),
        n => Ok(n),
    }
}

fn seconds(value: &str) -> Result<Duration, Error> {
    Ok(Duration::try_from_secs_f64(value.parse()?)?)
}

/// A duration in seconds or milliseconds, as Go writes them: 0.5s, 500ms.
fn duration(value: &str) -> Result<Duration, Error> {
    match value.strip_suffix("ms") {
        Some(ms) => Ok(seconds(ms)? / 1000),
        None => seconds(value.strip_suffix('s').ok_or("its unit is missing")?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(String::from)).map_err(|e| e.to_string())
    }

    #[test]
    fn what_the_benchmark_gives() {
        let o = parse("-addr 127.0.0.1:9 -pid 7 -seconds 1.5 -warm 0.5s -mode wt-stream -bytes=1048576 --connections 1 -streams 4")
            .unwrap();
        assert_eq!((o.addr.to_string().as_str(), o.pid, o.mode, o.bytes), ("127.0.0.1:9", 7, Mode::Stream, 1 << 20));
        assert_eq!((o.seconds, o.warm), (Duration::from_millis(1500), Duration::from_millis(500)));
        assert_eq!((o.connections, o.streams), (1, 4));
    }

    #[test]
    fn durations() {
        assert_eq!(duration("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(duration("2s").unwrap(), Duration::from_secs(2));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, message) in [
            ("-mode get", r#"-mode "get": "get" is no mode of this client"#),
            ("-streams 0", r#"-streams "0": at least 1"#),
            ("-warm 1", r#"-warm "1": its unit is missing"#),
            ("-seconds", "-seconds has no value"),
            ("-style loop", "no option -style"),
            ("wt-stream", r#""wt-stream" is no option"#),
        ] {
            assert_eq!(parse(line).unwrap_err(), message);
        }
    }
}
