//! Tells systemd (`Type=notify`) how far this process is, so that the next one starts in order.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends `state` to `$NOTIFY_SOCKET` if there is one; a supervisor that does not listen is no reason
/// to fail.
pub(super) fn tell(state: &str) {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send(&address, state) {
        tracing::warn!(%error, state, "the service manager could not be told");
    }
}

fn send(address: &OsStr, state: &str) -> io::Result<()> {
    let target = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &target)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_supervisor_hears_it_on_a_path_and_on_an_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let on_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("dta-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let on_name = UnixDatagram::bind_addr(&address).unwrap();
        let mut heard = [0; 16];
        send(path.as_os_str(), "READY=1").unwrap();
        let count = on_path.recv(&mut heard).unwrap();
        assert_eq!(&heard[..count], b"READY=1");
        send(OsStr::new(&format!("@{name}")), "STOPPING=1").unwrap();
        let count = on_name.recv(&mut heard).unwrap();
        assert_eq!(&heard[..count], b"STOPPING=1");
    }
}
