//! Frames on a Unix socket, each before a deadline: a peer that stalls holds up nobody.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::error::HsmError;

use super::{Frame, LENGTH_BYTES, MAX_FRAME_BYTES, encode, parse};

/// Why no frame came or went.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The peer closed the connection between two frames.
    Closed,
    /// It closed or broke the connection within one.
    Lost,
    /// The deadline passed.
    TimedOut,
    /// What came is not a frame of this protocol.
    Invalid(HsmError),
}

/// Sends one frame before `deadline`.
pub(crate) fn send<Head: Serialize>(
    stream: &UnixStream,
    head: &Head,
    body: &[u8],
    deadline: Instant,
) -> Result<(), Broken> {
    let frame = encode(head, body).map_err(Broken::Invalid)?;
    let mut unsent = frame.as_slice();
    while !unsent.is_empty() {
        stream
            .set_write_timeout(Some(remaining(deadline)?))
            .map_err(|_| Broken::Lost)?;
        match (&mut &*stream).write(unsent) {
            Ok(0) => return Err(Broken::Lost),
            Ok(sent) => unsent = &unsent[sent..],
            Err(e) => retry_or_break(&e)?,
        }
    }
    Ok(())
}

/// Receives one frame before `deadline`; the caller has seen to it that one is on its way.
pub(crate) fn receive<Head: DeserializeOwned>(
    stream: &UnixStream,
    deadline: Instant,
) -> Result<Frame<Head>, Broken> {
    let mut length = [0; LENGTH_BYTES];
    fill(stream, &mut length, deadline).map_err(|at| match at {
        (0, Broken::Lost) => Broken::Closed,
        (_, broken) => broken,
    })?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME_BYTES {
        return Err(Broken::Invalid(HsmError::TooLarge {
            what: "the frame".to_owned(),
            size: length,
            limit: MAX_FRAME_BYTES,
        }));
    }
    let mut frame = Zeroizing::new(vec![0; length]);
    fill(stream, &mut frame, deadline).map_err(|(_, broken)| broken)?;
    parse(&frame).map_err(Broken::Invalid)
}

/// Fills `buffer`; on failure also says how many bytes had come.
fn fill(stream: &UnixStream, buffer: &mut [u8], deadline: Instant) -> Result<(), (usize, Broken)> {
    let mut filled = 0;
    while filled < buffer.len() {
        let wait = remaining(deadline).map_err(|b| (filled, b))?;
        stream
            .set_read_timeout(Some(wait))
            .map_err(|_| (filled, Broken::Lost))?;
        match (&mut &*stream).read(&mut buffer[filled..]) {
            Ok(0) => return Err((filled, Broken::Lost)),
            Ok(count) => filled += count,
            Err(e) => retry_or_break(&e).map_err(|b| (filled, b))?,
        }
    }
    Ok(())
}

fn remaining(deadline: Instant) -> Result<Duration, Broken> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(Broken::TimedOut)
    } else {
        Ok(left)
    }
}

fn retry_or_break(error: &std::io::Error) -> Result<(), Broken> {
    match error.kind() {
        // A timeout shows as WouldBlock; the deadline is looked at before the next attempt.
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(()),
        _ => Err(Broken::Lost),
    }
}
