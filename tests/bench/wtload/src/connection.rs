//! Sockets, and connections with their one session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wtransport::endpoint::endpoint_side::Client;
use wtransport::tls::client::{NoServerVerification, build_default_tls_config};
use wtransport::tls::rustls::RootCertStore;
use wtransport::tls::rustls::client::Resumption;
use wtransport::{ClientConfig, Connection, Endpoint, VarInt};

use crate::Error;
use crate::options::Options;
use crate::repeat::{Job, Turns};

const NO_ERROR: VarInt = VarInt::from_u32(0x100); // H3_NO_ERROR

/// A UDP socket and its connections.
pub type Socket = Arc<Endpoint<Client>>;

/// Opens a socket for each connection that the options want. It takes any certificate, and every connection from it makes a full
/// handshake, as those of tests/peers/load do.
pub fn sockets(o: &Options) -> Result<Vec<Socket>, Error> {
    let mut sockets = Vec::new();
    for _ in 0..o.connections {
        let no_roots = Arc::new(RootCertStore::empty());
        let mut tls = build_default_tls_config(no_roots, Some(Arc::new(NoServerVerification::new())));
        tls.resumption = Resumption::disabled();
        let config = ClientConfig::builder().with_bind_address(([127, 0, 0, 1], 0).into()).with_custom_tls(tls);
        let config = config.keep_alive_interval(Some(Duration::from_secs(10))).build();
        sockets.push(Arc::new(Endpoint::client(config)?));
    }
    Ok(sockets)
}

/// Closes the connections of all sockets and waits until the server has been told.
pub async fn close(sockets: Vec<Socket>) {
    for socket in &sockets {
        socket.close(NO_ERROR, b"");
    }
    for socket in &sockets {
        socket.wait_idle().await;
    }
}

/// Opens a connection with a session at /echo.
pub async fn open(socket: &Socket, o: &Options) -> Result<Connection, Error> {
    let url = format!("https://{}/echo", o.addr);
    socket.connect(&url).await.map_err(|e| format!("connecting to {url}: {e}").into())
}

/// How many UDP datagrams a connection has sent and received, acknowledgements included, as quinn counts them.
pub fn datagrams(connection: &Connection) -> (u64, u64) {
    let stats = connection.quic_connection().stats();
    (stats.udp_tx.datagrams, stats.udp_rx.datagrams)
}

/// Opens a connection with a session and closes it, again and again.
pub struct Meetings {
    socket: Socket,
    options: Options,
}

impl Meetings {
    /// As many at a time as would be requests in flight.
    pub fn from(socket: &Socket, o: &Options) -> impl Iterator<Item = Meetings> {
        (0..o.streams).map(|_| Meetings { socket: socket.clone(), options: o.clone() })
    }
}

impl Job for Meetings {
    async fn run(&mut self, turns: &Turns) -> Result<Vec<Duration>, Error> {
        let mut took = Vec::new();
        while turns.more() {
            let at = Instant::now();
            open(&self.socket, &self.options).await?.close(NO_ERROR, b"");
            took.push(at.elapsed());
        }
        Ok(took)
    }
}
