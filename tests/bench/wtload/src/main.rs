//! Asks a WebTransport server for the same thing again and again, checks every answer, and says as one line of JSON how long that
//! took and what it cost the server: what tests/peers/load does, with the same arguments and the same line, but with a client that
//! shares no code with this project's server or plain Go's: wtransport, on quinn and rustls. (npm's @webtransport-bun/webtransport
//! is made of it.)
//!
//! ```text
//! wtload -addr 127.0.0.1:4433 -mode wt-datagram -connections 4 -streams 16 -bytes 64 -seconds 3 -pid 123
//! ```
//!
//! Modes: wt-datagram and wt-stream (back and forth at /echo), wt-connect (a connection with a session in it, opened and closed).
//!
//! wtransport knows one session for each connection, which is there before the measurement and stays for all of it, and a session
//! ends with its connection. So what needs sessions on a connection that is there already (wt-session, wt-idle) or a plain request
//! beside a session (wt-burst) is left to tests/peers/load. It announces drafts 02 and 07 of WebTransport; all servers here take it as it is.
//!
//! A measurement begins and ends with nothing in flight, so that requests, CPU time and datagrams are those of the same requests.
//! All connections share one thread, as in an event loop, and the server has the other processors to itself.

#[cfg(test)]
mod answers;
mod connection;
mod datagram;
mod options;
mod process;
mod repeat;
mod stream;

use std::process::ExitCode;
use std::time::Duration;

use connection::{Meetings, Socket};
use datagram::Pings;
use options::{Mode, Options};
use repeat::{Report, repeat};
use stream::Echoes;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long after its time a run may still be waiting for answers before it is given up.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("wtload: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<Report, Error> {
    let options = Options::parse(std::env::args().skip(1))?;
    let end = options.warm + options.seconds + PATIENCE;
    tokio::time::timeout(end, measure(&options)).await.map_err(|_| format!("no end after {end:?}"))?
}

async fn measure(o: &Options) -> Result<Report, Error> {
    let sockets = connection::sockets(o)?;
    let report = measure_from(&sockets, o).await;
    connection::close(sockets).await;
    report
}

async fn measure_from(sockets: &[Socket], o: &Options) -> Result<Report, Error> {
    if o.mode == Mode::Connect {
        return repeat(sockets.iter().flat_map(|s| Meetings::from(s, o)).collect(), &[], o).await;
    }
    let mut sessions = Vec::new();
    for socket in sockets {
        sessions.push(connection::open(socket, o).await?);
    }
    if o.mode == Mode::Stream {
        return repeat(sessions.iter().flat_map(|s| Echoes::on(s, o)).collect(), &sessions, o).await;
    }
    repeat(sessions.iter().map(|s| Pings::new(s, o)).collect(), &sessions, o).await
}
