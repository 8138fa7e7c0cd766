//! Bytes both ways, unread, until both ends have said that they are done.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use crate::call::Closer;
use crate::upstream::{TURN, end_turn};

/// How passing bytes has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Both ends were done.
    Whole,
    /// Nothing was sent for too long, or it lasted as long as it may.
    Idle,
    /// The client's connection broke.
    ClientBroke,
    /// The origin's connection broke.
    OriginBroke,
}

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client to the origin.
    Up,
    /// From the origin to the client.
    Down,
}

/// A client and an origin, and what each has sent already.
pub(super) struct Pair<C, O> {
    pub(super) client: C,
    pub(super) origin: O,
    pub(super) early: Vec<u8>,
    pub(super) late: Vec<u8>,
}

impl<C: AsyncRead + AsyncWrite + Unpin, O: AsyncRead + AsyncWrite + Unpin> Pair<C, O> {
    /// Passes bytes until both ends are done, one breaks, or neither sends for `idle`. An end that is done is told to the
    /// other, which may go on. `count` is told of all that was passed. Tells besides who was done first.
    ///
    /// A worker has one `buffer` for all: a pair that waits has none, and one whose reader is slow only what it has not
    /// taken.
    pub(super) async fn pass(
        self,
        idle: Duration,
        buffer: &RefCell<Box<[u8]>>,
        mut count: impl FnMut(Way, usize),
    ) -> (Ended, Closer) {
        let Self { mut client, mut origin, early, late } = self;
        let mut up = Direction { waiting: early, ..Direction::default() };
        let mut down = Direction { waiting: late, ..Direction::default() };
        let mut last = Instant::now();
        let mut first_done = None;
        let mut timer = pin!(sleep_until(last + idle));
        poll_fn(|cx| {
            let buffer = &mut buffer.borrow_mut()[..];
            let upward = up.poll(cx, &mut client, &mut origin, buffer);
            let downward = down.poll(cx, &mut origin, &mut client, buffer);
            let moved = [(Way::Up, up.moved()), (Way::Down, down.moved())];
            for (way, bytes) in moved.into_iter().filter(|(_, bytes)| *bytes > 0) {
                last = Instant::now();
                count(way, bytes);
            }
            let done =
                [(Closer::Client, &up), (Closer::Origin, &down)].into_iter().find(|(_, way)| way.source_is_done());
            first_done = first_done.or(done.map(|(end, _)| end));
            match (upward, downward) {
                (Poll::Ready(Err(Broken::Source)), _) | (_, Poll::Ready(Err(Broken::Sink))) => {
                    return Poll::Ready((Ended::ClientBroke, first_done.unwrap_or(Closer::Client)));
                }
                (Poll::Ready(Err(Broken::Sink)), _) | (_, Poll::Ready(Err(Broken::Source))) => {
                    return Poll::Ready((Ended::OriginBroke, first_done.unwrap_or(Closer::Origin)));
                }
                (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => {
                    return Poll::Ready((Ended::Whole, first_done.unwrap_or(Closer::Client)));
                }
                _ => {}
            }
            loop {
                ready!(timer.as_mut().poll(cx));
                if last.elapsed() >= idle {
                    return Poll::Ready((Ended::Idle, Closer::Proxy));
                }
                timer.as_mut().reset(last + idle);
            }
        })
        .await
    }
}

/// Which end broke.
enum Broken {
    Source,
    Sink,
}

/// One way.
#[derive(Default)]
struct Direction {
    /// What was read, and how much of it the sink has taken.
    waiting: Vec<u8>,
    taken: usize,
    moved: usize,
    /// Whether what was written may still lie in the sink's own buffers.
    unflushed: bool,
    phase: Phase,
}

#[derive(Default)]
enum Phase {
    #[default]
    Flowing,
    Closing,
    Done,
}

impl Direction {
    /// Whether nothing more comes.
    fn source_is_done(&self) -> bool {
        !matches!(self.phase, Phase::Flowing)
    }

    /// Bytes that were moved since it was asked last.
    fn moved(&mut self) -> usize {
        std::mem::take(&mut self.moved)
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut (impl AsyncRead + Unpin),
        sink: &mut (impl AsyncWrite + Unpin),
        buffer: &mut [u8],
    ) -> Poll<Result<(), Broken>> {
        loop {
            match self.phase {
                Phase::Done => return Poll::Ready(Ok(())),
                Phase::Closing => {
                    // A sink that is closed already is what was wanted.
                    let _ = ready!(Pin::new(&mut *sink).poll_shutdown(cx));
                    self.phase = Phase::Done;
                }
                Phase::Flowing => {
                    ready!(self.poll_rest(cx, sink)).map_err(|_| Broken::Sink)?;
                    let mut read = ReadBuf::new(buffer);
                    let Poll::Ready(done) = Pin::new(&mut *source).poll_read(cx, &mut read) else {
                        ready!(self.poll_flush(cx, sink)).map_err(|_| Broken::Sink)?;
                        return Poll::Pending;
                    };
                    done.map_err(|_| Broken::Source)?;
                    match read.filled() {
                        [] => self.phase = Phase::Closing,
                        bytes => self.write(cx, sink, bytes).map_err(|_| Broken::Sink)?,
                    }
                    if self.moved >= TURN {
                        end_turn(cx);
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Writes what can be written at once, and keeps the rest.
    fn write(&mut self, cx: &mut Context<'_>, sink: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
        let written = match Pin::new(sink).poll_write(cx, bytes) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        self.moved += written;
        self.unflushed = true;
        self.waiting = bytes[written..].to_vec();
        Ok(())
    }

    /// Writes what was kept, to the last byte.
    fn poll_rest(&mut self, cx: &mut Context<'_>, sink: &mut (impl AsyncWrite + Unpin)) -> Poll<io::Result<()>> {
        while self.taken < self.waiting.len() {
            let written = ready!(Pin::new(&mut *sink).poll_write(cx, &self.waiting[self.taken..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.moved += written;
            self.taken += written;
        }
        if self.taken > 0 {
            (self.waiting, self.taken) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, sink: &mut (impl AsyncWrite + Unpin)) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(Pin::new(sink).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    fn buffer() -> RefCell<Box<[u8]>> {
        RefCell::new(vec![0; 64].into())
    }

    #[tokio::test(start_paused = true)]
    async fn all_bytes_pass_both_ways_and_an_end_that_is_done_does_not_end_the_other() {
        let ((mut client, ours), (their, mut origin)) = (duplex(16), duplex(16));
        let counted = RefCell::new((0, 0));
        let buffer = buffer();
        let pair = Pair { client: ours, origin: their, early: b"early ".to_vec(), late: Vec::new() };
        let passing = pair.pass(IDLE, &buffer, |way, bytes| match way {
            Way::Up => counted.borrow_mut().0 += bytes,
            Way::Down => counted.borrow_mut().1 += bytes,
        });
        let asking = async {
            client.write_all(&[b'x'; 1000]).await.expect("it is read");
            client.shutdown().await.expect("open");
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("open");
            answer
        };
        let answering = async {
            let mut asked = Vec::new();
            origin.read_to_end(&mut asked).await.expect("open");
            origin.write_all(&[b'y'; 2000]).await.expect("it is read");
            origin.shutdown().await.expect("open");
            asked
        };
        let (ended, answer, asked) = tokio::join!(passing, asking, answering);
        assert_eq!((ended, answer.len(), asked.len()), ((Ended::Whole, Closer::Client), 2000, 1006));
        assert!(asked.starts_with(b"early xxx"));
        assert_eq!(*counted.borrow(), (1006, 2000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_that_sends_nothing_is_given_up_and_one_that_sends_a_little_is_not() {
        let ((mut client, ours), (their, _origin)) = (duplex(16), duplex(16));
        let buffer = buffer();
        let begun = Instant::now();
        let pair = Pair { client: ours, origin: their, early: Vec::new(), late: Vec::new() };
        let passing = pair.pass(IDLE, &buffer, |_, _| {});
        let (ended, ()) = tokio::join!(passing, async {
            tokio::time::sleep(IDLE / 2).await;
            client.write_all(b"x").await.expect("it is read");
        });
        assert_eq!((ended, begun.elapsed().as_secs()), ((Ended::Idle, Closer::Proxy), 90));
    }

    #[tokio::test(start_paused = true)]
    async fn who_broke_is_told() {
        let ((client, ours), (their, mut origin)) = (duplex(16), duplex(16));
        drop(client);
        let buffer = buffer();
        origin.write_all(b"for nobody").await.expect("there is room");
        let pair = Pair { client: ours, origin: their, early: Vec::new(), late: Vec::new() };
        assert_eq!(pair.pass(IDLE, &buffer, |_, _| {}).await.0, Ended::ClientBroke);
    }
}
