//! Bytes go out on a bidirectional stream and come back on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wtransport::Connection;

use crate::Error;
use crate::options::Options;
use crate::repeat::{Job, Turns};

/// How much is read at a time.
const PIECE: usize = 64 << 10;

/// Opens a stream, sends on it and reads everything back, again and again.
pub struct Echoes {
    session: Connection,
    data: Arc<[u8]>,
    buffer: Vec<u8>,
}

impl Echoes {
    /// As many streams at a time in a session as the options say.
    pub fn on(session: &Connection, o: &Options) -> impl Iterator<Item = Echoes> {
        let data: Arc<[u8]> = (0..o.bytes).map(|i| (i % 251) as u8).collect(); // a period of no packet and no buffer
        (0..o.streams).map(move |_| Echoes { session: session.clone(), data: data.clone(), buffer: vec![0; PIECE] })
    }

    async fn once(&mut self) -> Result<(), Error> {
        let (mut to, mut from) = self.session.open_bi().await?.await?;
        let write = async {
            to.write_all(&self.data).await?;
            to.quic_stream_mut().finish()?; // wtransport's own would wait for the server's acknowledgement
            Ok::<(), Error>(())
        };
        let read = async {
            let mut rest = &self.data[..];
            while let Some(n) = from.read(&mut self.buffer).await? {
                rest = rest.strip_prefix(&self.buffer[..n]).ok_or("other bytes came back than were sent")?;
            }
            match rest.len() {
                0 => Ok(()),
                missing => Err(format!("{} bytes of {} came back", self.data.len() - missing, self.data.len()).into()),
            }
        };
        tokio::try_join!(write, read).map(|_| ())
    }
}

impl Job for Echoes {
    async fn run(&mut self, turns: &Turns) -> Result<Vec<Duration>, Error> {
        let mut took = Vec::new();
        while turns.more() {
            let at = Instant::now();
            self.once().await?;
            took.push(at.elapsed());
        }
        Ok(took)
    }
}
