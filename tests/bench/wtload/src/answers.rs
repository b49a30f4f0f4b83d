//! Whether right answers count and wrong ones fail the run: against a server whose handler gives them.

use std::time::Duration;

use wtransport::endpoint::IncomingSession;
use wtransport::{Connection, Endpoint, Identity, ServerConfig};

use crate::measure;
use crate::options::{Mode, Options};

/// What a server does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Every session.
    Reject,
    /// Of as many datagrams one, or all that are sent on a stream after so many bytes.
    Lose(usize),
    /// One byte more comes back.
    Longer,
    /// The last byte comes back as another one.
    Alter,
}

fn serve(fault: Fault) -> std::net::SocketAddr {
    let identity = Identity::self_signed(["localhost"]).unwrap();
    let config = ServerConfig::builder().with_bind_address(([127, 0, 0, 1], 0).into()).with_identity(identity).build();
    let endpoint = Endpoint::server(config).unwrap();
    let addr = endpoint.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let incoming = endpoint.accept().await;
            tokio::spawn(session(incoming, fault));
        }
    });
    addr
}

async fn session(incoming: IncomingSession, fault: Fault) {
    let request = incoming.await.unwrap();
    if fault == Fault::Reject {
        return request.forbidden().await;
    }
    let session = request.accept().await.unwrap();
    tokio::join!(datagrams(&session, fault), streams(&session, fault));
}

async fn datagrams(session: &Connection, fault: Fault) {
    let mut received = 0;
    while let Ok(datagram) = session.receive_datagram().await {
        received += 1;
        if !matches!(fault, Fault::Lose(share) if received % share == 0) {
            session.send_datagram(answer(&datagram, fault)).unwrap();
        }
    }
}

async fn streams(session: &Connection, fault: Fault) {
    while let Ok((mut to, mut from)) = session.accept_bi().await {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        while let Some(n) = from.read(&mut buffer).await.unwrap() {
            all.extend(&buffer[..n]);
        }
        if let Fault::Lose(after) = fault {
            all.truncate(after);
        }
        let _ = to.write_all(&answer(&all, fault)).await; // a client that has seen enough is gone
        let _ = to.finish().await;
    }
}

fn answer(question: &[u8], fault: Fault) -> Vec<u8> {
    let mut answer = question.to_vec();
    match fault {
        Fault::Longer => answer.push(0),
        Fault::Alter => *answer.last_mut().unwrap() ^= 1,
        _ => {}
    }
    answer
}

/// What a run against a server says: the number of requests that count, or the error. Its warm-up makes none.
async fn outcome(mode: Mode, bytes: usize, streams: usize, max: u64, fault: Fault) -> Result<usize, String> {
    let addr = serve(fault);
    let (warm, seconds) = (Duration::ZERO, Duration::from_secs(60)); // max ends it
    let o = Options { addr, mode, connections: 1, streams, bytes, warm, seconds, max, pid: 0 };
    let report = measure(&o).await.map_err(|e| e.to_string().replace(&addr.to_string(), "SERVER"))?;
    Ok(report.requests())
}

#[tokio::test]
async fn right_ones_count() {
    assert_eq!(outcome(Mode::Datagram, 64, 16, 500, Fault::None).await, Ok(500));
    assert_eq!(outcome(Mode::Stream, 100_000, 4, 20, Fault::None).await, Ok(20));
    assert_eq!(outcome(Mode::Connect, 0, 4, 20, Fault::None).await, Ok(20));
}

#[tokio::test]
async fn a_datagram_in_a_thousand_may_be_lost() {
    assert_eq!(outcome(Mode::Datagram, 64, 16, 1000, Fault::Lose(1000)).await, Ok(999));
    let lost = "2 of 1998 datagrams did not come back".to_string();
    assert_eq!(outcome(Mode::Datagram, 64, 16, 1998, Fault::Lose(999)).await, Err(lost));
}

#[tokio::test]
async fn wrong_ones_fail_the_run() {
    for (mode, bytes, fault, error) in [
        (Mode::Datagram, 64, Fault::Longer, "a datagram of 64 bytes came back as another one of 65"),
        (Mode::Datagram, 64, Fault::Alter, "a datagram of 64 bytes came back as another one of 64"),
        (Mode::Stream, 100_000, Fault::Longer, "other bytes came back than were sent"),
        (Mode::Stream, 100_000, Fault::Alter, "other bytes came back than were sent"),
        (Mode::Stream, 100_000, Fault::Lose(70_000), "70000 bytes of 100000 came back"),
        (Mode::Connect, 0, Fault::Reject, "connecting to https://SERVER/echo: server rejected WebTransport session request"),
    ] {
        assert_eq!(outcome(mode, bytes, 1, 1, fault).await, Err(error.to_string()));
    }
}
