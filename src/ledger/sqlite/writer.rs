//! The single writer: takes what is queued into one transaction, syncs once, answers all.
//!
//! Four batches in flight end at about the same time; one sync for all of them is what keeps the disk out of the way. A request
//! that cannot be carried out must not take the others of its group with it: the group is rolled back and each is tried alone.

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::errors::Storage;
use super::files::Lock;
use super::statements::{self, Ids, Write};
use crate::ledger::codec::Body;
use crate::ledger::{FeedId, LedgerError};

/// Requests that wait for the writer at most; further callers wait for room.
const QUEUE: usize = 64;
/// Requests of one transaction at most.
const GROUP: usize = 64;
/// A group takes no further request when its bodies pass this size.
const GROUP_BYTES: usize = 16 << 20;
/// Rows of a rewrite that are encoded ahead of the writer.
const ROWS_AHEAD: usize = 4;

pub(super) const REWRITING: &str = "rewriting the journal";
const COMMITTING: &str = "committing";
const CLOSING: &str = "closing";

type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// The way to the writing task.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Request>,
}

enum Request {
    Write { write: Write, reply: Reply<i64> },
    Rewrite { feed: FeedId, rows: mpsc::Receiver<Row>, reply: Reply<()> },
    Close { reply: Reply<()> },
}

/// A part of a rewrite.
enum Row {
    Body(Body),
    /// There are no more. A rewrite whose rows end without this was abandoned by its caller.
    End,
}

impl Writer {
    /// Starts the task that owns the connection and the lock.
    pub(super) async fn start(
        storage: Storage,
        mut connection: SqliteConnection,
        lock: Lock,
    ) -> Result<Self, LedgerError> {
        let ids = Ids::read(&storage, &mut connection).await?;
        let (queue, requests) = mpsc::channel(QUEUE);
        let task = Task { storage, connection, ids, requests, lock };
        tokio::spawn(task.run());
        Ok(Writer { queue })
    }

    /// Carries out one request; answers the number of what it made.
    pub(super) async fn write(&self, write: Write) -> Result<i64, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Write { write, reply }, answer).await
    }

    /// Replaces a feed's journal by these rows.
    pub(super) async fn rewrite(
        &self,
        feed: FeedId,
        bodies: impl Iterator<Item = Body> + Send,
    ) -> Result<(), LedgerError> {
        let (feeder, rows) = mpsc::channel(ROWS_AHEAD);
        let (reply, answer) = oneshot::channel();
        let request = Request::Rewrite { feed, rows, reply };
        self.queue.send(request).await.map_err(|_| LedgerError::Closed)?;
        for row in bodies.map(Row::Body).chain([Row::End]) {
            // The writer stops listening when it has failed; its answer says why.
            if feeder.send(row).await.is_err() {
                break;
            }
        }
        answer.await.unwrap_or(Err(LedgerError::Closed))
    }

    /// Finishes what is queued and closes the file.
    pub(super) async fn close(&self) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Close { reply }, answer).await
    }

    async fn ask<T>(
        &self,
        request: Request,
        answer: oneshot::Receiver<Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        self.queue.send(request).await.map_err(|_| LedgerError::Closed)?;
        answer.await.unwrap_or(Err(LedgerError::Closed))
    }
}

struct Task {
    storage: Storage,
    connection: SqliteConnection,
    ids: Ids,
    requests: mpsc::Receiver<Request>,
    lock: Lock,
}

impl Task {
    async fn run(mut self) {
        let mut asked_to_close = None;
        let mut next = self.requests.recv().await;
        while let Some(request) = next.take() {
            match request {
                Request::Write { write, reply } => next = self.group(write, reply).await,
                Request::Rewrite { feed, rows, reply } => drop(reply.send(self.rewrite(feed, rows).await)),
                Request::Close { reply } => {
                    asked_to_close = Some(reply);
                    break;
                }
            }
            if next.is_none() {
                next = self.requests.recv().await;
            }
        }
        let Task { storage, connection, lock, .. } = self;
        let closed = connection.close().await.map_err(|error| storage.refused(CLOSING, error));
        drop(lock);
        if let Some(reply) = asked_to_close {
            drop(reply.send(closed));
        }
    }

    /// Carries out this write and those queued behind it. Answers the request that ended the group, if one did.
    async fn group(&mut self, write: Write, reply: Reply<i64>) -> Option<Request> {
        let mut bytes = write.bytes();
        let mut group = vec![(write, reply)];
        let mut behind = None;
        while group.len() < GROUP && bytes < GROUP_BYTES && behind.is_none() {
            match self.requests.try_recv() {
                Ok(Request::Write { write, reply }) => {
                    bytes += write.bytes();
                    group.push((write, reply));
                }
                Ok(other) => behind = Some(other),
                Err(_) => break,
            }
        }
        self.answer(group).await;
        behind
    }

    async fn answer(&mut self, group: Vec<(Write, Reply<i64>)>) {
        let (writes, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        match self.commit(&writes).await {
            Ok(made) => replies.into_iter().zip(made).for_each(|(reply, number)| drop(reply.send(Ok(number)))),
            Err(error) if writes.len() == 1 => {
                let mut error = Some(error);
                replies.into_iter().filter_map(|reply| Some((reply, error.take()?))).for_each(|(reply, error)| {
                    drop(reply.send(Err(error)));
                });
            }
            Err(_) => {
                for (write, reply) in writes.iter().zip(replies) {
                    let alone = self.commit(std::slice::from_ref(write)).await;
                    drop(reply.send(alone.and_then(|made| made.first().copied().ok_or(LedgerError::Closed))));
                }
            }
        }
    }

    /// Carries out the writes in one transaction: all or none.
    async fn commit(&mut self, writes: &[Write]) -> Result<Vec<i64>, LedgerError> {
        self.begin().await?;
        let mut made = Vec::with_capacity(writes.len());
        let mut failed = None;
        for write in writes {
            match statements::apply(&self.storage, &mut self.connection, &mut self.ids, write).await {
                Ok(number) => made.push(number),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        self.end(failed.map_or(Ok(made), Err)).await
    }

    async fn rewrite(&mut self, feed: FeedId, mut rows: mpsc::Receiver<Row>) -> Result<(), LedgerError> {
        self.begin().await?;
        let done = self.replace(feed, &mut rows).await;
        self.end(done).await
    }

    async fn replace(&mut self, feed: FeedId, rows: &mut mpsc::Receiver<Row>) -> Result<(), LedgerError> {
        statements::clear_journal(&self.storage, &mut self.connection, &self.ids, feed).await?;
        loop {
            match rows.recv().await {
                Some(Row::Body(body)) => {
                    statements::append_stated(&self.storage, &mut self.connection, &mut self.ids, feed, &body).await?;
                }
                Some(Row::End) => return Ok(()),
                None => {
                    let reason = "its caller gave it up".to_owned();
                    return Err(LedgerError::Storage { action: REWRITING, reason });
                }
            }
        }
    }

    async fn begin(&mut self) -> Result<(), LedgerError> {
        self.execute("BEGIN IMMEDIATE").await
    }

    /// Commits what went well and rolls back what did not. SQLite itself rolls back after some errors, a full disk for one: that
    /// there is nothing left to roll back is no error.
    async fn end<T>(&mut self, done: Result<T, LedgerError>) -> Result<T, LedgerError> {
        let done = match done {
            Ok(done) => self.execute("COMMIT").await.map(|()| done),
            Err(error) => Err(error),
        };
        if done.is_err() {
            let _ = self.execute("ROLLBACK").await;
        }
        done
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), LedgerError> {
        let executed = sqlx::query(statement).execute(&mut self.connection).await;
        executed.map(drop).map_err(|error| self.storage.refused(COMMITTING, error))
    }
}
