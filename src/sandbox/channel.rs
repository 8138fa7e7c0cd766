//! Messages with descriptors between two processes: one line of JSON each, with what it hands over (SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most descriptors of one message.
pub(crate) const MOST: usize = 64;

/// Longest message, in bytes. The longest has the command line, and paths that are closed off.
const LONGEST: usize = 4 << 20;

/// Sends a message.
pub(crate) fn send(to: impl AsFd, message: &impl Serialize, handed: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !handed.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(handed)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut sent = 0;
    while sent < line.len() {
        sent += sendmsg(&to, &[IoSlice::new(&line[sent..])], &mut ancillary, SendFlags::NOSIGNAL)?;
        ancillary.clear();
    }
    Ok(())
}

/// What has been received of a message.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    handed: Vec<OwnedFd>,
}

impl Incoming {
    /// Reads more; whether the message is whole. Two messages do not follow each other without an answer between them.
    ///
    /// # Errors
    /// Also where the other side has left.
    pub(crate) fn read(&mut self, from: impl AsFd) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(from, &mut [IoSliceMut::new(&mut buffer)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?.bytes;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(handed) = message {
                self.handed.extend(handed);
            }
        }
        if received == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.bytes.len() + received > LONGEST || self.handed.len() > MOST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.bytes.extend(&buffer[..received]);
        Ok(self.bytes.ends_with(b"\n"))
    }

    /// The whole message.
    pub(crate) fn finish<T: DeserializeOwned>(self) -> io::Result<(T, Vec<OwnedFd>)> {
        Ok((serde_json::from_slice(&self.bytes)?, self.handed))
    }
}

/// Waits for a message without holding up the thread.
///
/// # Errors
/// As [`Incoming::read`].
pub(crate) async fn received<T: DeserializeOwned>(from: &tokio::net::UnixStream) -> io::Result<(T, Vec<OwnedFd>)> {
    let mut incoming = Incoming::default();
    loop {
        from.readable().await?;
        match from.try_io(tokio::io::Interest::READABLE, || incoming.read(from)) {
            Ok(true) => return incoming.finish(),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Waits for a message.
pub(crate) fn receive<T: DeserializeOwned>(from: impl AsFd) -> io::Result<(T, Vec<OwnedFd>)> {
    let mut incoming = Incoming::default();
    while !incoming.read(&from)? {}
    incoming.finish()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_message_brings_its_descriptors_along() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (mut reader, writer) = io::pipe().expect("a pipe");
        send(&ours, &vec!["a"; 3000], &[writer.as_fd()]).expect("room");
        drop(writer);
        let (message, mut handed): (Vec<String>, _) = receive(&theirs).expect("a message");
        assert_eq!((message.len(), handed.len()), (3000, 1));
        std::fs::File::from(handed.remove(0)).write_all(b"x").expect("a pipe");
        let mut read = String::new();
        reader.read_to_string(&mut read).expect("a pipe");
        assert_eq!(read, "x");
    }

    #[test]
    fn who_leaves_has_sent_no_message() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        (&ours).write_all(b"[").expect("room");
        drop(ours);
        assert_eq!(receive::<Vec<String>>(&theirs).expect_err("half").kind(), io::ErrorKind::UnexpectedEof);
    }
}
