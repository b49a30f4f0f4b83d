//! Datagrams go out and come back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use wtransport::Connection;

use crate::Error;
use crate::options::Options;
use crate::repeat::{Job, Turns};

/// A datagram that is not back after so long is lost. More than one in so many make the measurement an error.
const LOST_AFTER: Duration = Duration::from_secs(1);
const LOST_SHARE: u64 = 1000;

/// How many bytes at a datagram's begin are its number.
const NUMBER: usize = 8;

/// Keeps so many datagrams of a session in flight, as an event loop does.
pub struct Pings {
    session: Connection,
    streams: usize,
    datagram: Vec<u8>,
    /// The number of the next one. It goes on from the warm-up to the measurement, so that what is late then is not taken for one
    /// of these.
    next: u64,
    flight: HashMap<u64, Instant>,
}

impl Pings {
    pub fn new(session: &Connection, o: &Options) -> Pings {
        let datagram = (0..o.bytes.max(NUMBER)).map(|i| i as u8).collect();
        Pings { session: session.clone(), streams: o.streams, datagram, next: 0, flight: HashMap::new() }
    }

    /// Sends as many as may be in flight.
    fn fill(&mut self, turns: &Turns) -> Result<(), Error> {
        while self.flight.len() < self.streams && turns.more() {
            self.datagram[..NUMBER].copy_from_slice(&self.next.to_be_bytes());
            self.flight.insert(self.next, Instant::now());
            self.next += 1;
            self.session.send_datagram(&self.datagram)?;
        }
        Ok(())
    }

    /// When the datagram that has come back went out; None: it was lost already, or is there a second time.
    fn back(&mut self, datagram: &[u8]) -> Result<Option<Instant>, Error> {
        match datagram.split_first_chunk::<NUMBER>() {
            Some((number, rest)) if rest == &self.datagram[NUMBER..] => Ok(self.flight.remove(&u64::from_be_bytes(*number))),
            _ => Err(format!("a datagram of {} bytes came back as another one of {}", self.datagram.len(), datagram.len()).into()),
        }
    }
}

impl Job for Pings {
    async fn run(&mut self, turns: &Turns) -> Result<Vec<Duration>, Error> {
        let (first, mut lost) = (self.next, 0);
        let mut took = Vec::new();
        self.fill(turns)?;
        while !self.flight.is_empty() {
            match timeout(LOST_AFTER, self.session.receive_datagram()).await {
                Ok(datagram) => took.extend(self.back(&datagram?)?.map(|at| at.elapsed())),
                Err(_) => {
                    let out = self.flight.len();
                    self.flight.retain(|_, at| at.elapsed() < LOST_AFTER);
                    lost += (out - self.flight.len()) as u64;
                }
            }
            self.fill(turns)?;
        }
        let sent = self.next - first;
        match lost * LOST_SHARE > sent {
            true => Err(format!("{lost} of {sent} datagrams did not come back").into()),
            false => Ok(took),
        }
    }
}
