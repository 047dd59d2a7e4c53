//! Rows that wait in a file. Some databases keep their writers waiting as long as a statement is read: SQLite without a write-ahead log, MySQL's
//! tables without transactions. There a read goes to its end at once, and its rows wait here for the portal. A few stay in memory; the file has
//! no name, so that nobody else can open it and it is gone with the process, and takes no more than half of what is free.

mod cells;

use std::fs::{File, Permissions};
use std::io::{self, Cursor, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::record::RowChunk;

/// Bytes that stay in memory.
const IN_MEMORY: usize = 4 << 20;
/// Most bytes that one read may keep waiting.
const MOST: u64 = 16 << 30;

/// The rows of one read.
pub(super) struct Spool {
    folder: PathBuf,
    /// None while another thread works on it, and once that has died.
    store: Option<Store>,
    held: u64,
    room: u64,
}

/// Why rows cannot wait.
#[derive(Debug)]
pub(super) enum Fault {
    /// They need more than they may.
    NoRoom,
    /// The file does not do what is asked of it.
    File(io::Error),
}

impl Spool {
    /// An empty one, whose file will stand in a folder.
    pub(super) fn new(folder: &Path) -> Self {
        let free = fs4::available_space(folder).unwrap_or(u64::MAX);
        Self::with_room(folder, (free / 2).min(MOST))
    }

    fn with_room(folder: &Path, room: u64) -> Self {
        Spool { folder: folder.to_owned(), store: Some(Store::Memory(Cursor::default())), held: 0, room }
    }

    /// Where its file stands.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps the rows of a chunk of so many columns.
    pub(super) async fn put(&mut self, chunk: &RowChunk, columns: usize) -> Result<(), Fault> {
        let mut frame = vec![0; size_of::<u32>()];
        cells::write(chunk, columns, &mut frame);
        let length = u32::try_from(frame.len() - size_of::<u32>()).map_err(|_| Fault::NoRoom)?;
        frame[..size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
        self.held += frame.len() as u64;
        if self.held > self.room {
            return Err(Fault::NoRoom);
        }
        let folder = self.folder.clone();
        self.work(move |store| store.append(&frame, &folder)).await
    }

    /// Goes back to the first chunk. From here on chunks are only taken.
    pub(super) async fn rewind(&mut self) -> Result<(), Fault> {
        self.work(Store::rewind).await
    }

    /// Fills a chunk of so many columns with the next rows that were kept. False when there are no more.
    pub(super) async fn take(&mut self, chunk: &mut RowChunk, columns: usize) -> Result<bool, Fault> {
        if self.held == 0 {
            return Ok(false);
        }
        let frame = self.work(Store::next).await?;
        self.held -= (size_of::<u32>() + frame.len()) as u64;
        chunk.reset(columns);
        cells::read(&frame, chunk).map_err(|cells::Malformed| Fault::File(io::ErrorKind::InvalidData.into()))?;
        Ok(true)
    }

    /// Lets another thread do what may have to wait for the disk.
    async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Store) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let mut store = self.store.take().ok_or_else(|| Fault::File(io::ErrorKind::Other.into()))?;
        let working = tokio::task::spawn_blocking(move || {
            let done = work(&mut store);
            (store, done)
        });
        let (store, done) = working.await.map_err(|error| Fault::File(io::Error::other(error)))?;
        self.store = Some(store);
        done.map_err(Fault::File)
    }
}

/// Where the bytes are.
enum Store {
    Memory(Cursor<Vec<u8>>),
    File(File),
}

impl Store {
    fn append(&mut self, frame: &[u8], folder: &Path) -> io::Result<()> {
        if let Store::Memory(held) = self
            && held.get_ref().len() + frame.len() > IN_MEMORY
        {
            let mut file = unnamed(folder)?;
            file.write_all(held.get_ref())?;
            *self = Store::File(file);
        }
        match self {
            Store::Memory(held) => held.write_all(frame),
            Store::File(file) => file.write_all(frame),
        }
    }

    fn rewind(&mut self) -> io::Result<()> {
        match self {
            Store::Memory(held) => held.rewind(),
            Store::File(file) => file.rewind(),
        }
    }

    fn next(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Store::Memory(held) => frame(held),
            Store::File(file) => frame(file),
        }
    }
}

/// A file without a name, which only its owner could open through this process.
fn unnamed(folder: &Path) -> io::Result<File> {
    let file = tempfile::tempfile_in(folder)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn frame(store: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; size_of::<u32>()];
    store.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_le_bytes(length) as usize];
    store.read_exact(&mut frame)?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::record::Cell;

    fn chunk_of(rows: i64, text: &str) -> RowChunk {
        let mut chunk = RowChunk::default();
        chunk.reset(2);
        for row in 0..rows {
            chunk.push(Cell::Int(row));
            chunk.push(Cell::Text(text));
        }
        chunk
    }

    #[tokio::test]
    async fn rows_come_back_in_order_from_memory_and_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let text = "Ж".repeat(400);
        for chunks in [0, 1, 12] {
            let mut spool = Spool::new(folder.path());
            for _ in 0..chunks {
                spool.put(&chunk_of(1000, &text), 2).await.unwrap();
            }
            spool.rewind().await.unwrap();
            let (mut chunk, mut seen) = (RowChunk::default(), 0);
            while spool.take(&mut chunk, 2).await.unwrap() {
                let last = chunk.rows().last().unwrap();
                assert_eq!((chunk.len(), last.cell(0), last.cell(1)), (1000, Cell::Int(999), Cell::Text(&text)));
                seen += 1;
            }
            assert_eq!(seen, chunks);
        }
    }

    #[tokio::test]
    async fn the_file_has_no_name_and_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path());
        for _ in 0..12 {
            spool.put(&chunk_of(1000, &"x".repeat(800)), 2).await.unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let Some(Store::File(file)) = spool.store else { panic!("in memory") };
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn what_needs_more_room_than_it_may_have_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::with_room(folder.path(), 20_000);
        assert!(spool.put(&chunk_of(100, "x"), 2).await.is_ok());
        assert!(matches!(spool.put(&chunk_of(2000, "x"), 2).await, Err(Fault::NoRoom)));
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_a_fault_once_it_is_needed() {
        let mut spool = Spool::new(Path::new("/nowhere/at/all"));
        assert!(spool.put(&chunk_of(1, "x"), 2).await.is_ok());
        let mut ends = Vec::new();
        for _ in 0..6 {
            ends.push(spool.put(&chunk_of(1000, &"x".repeat(1000)), 2).await);
        }
        assert!(ends.iter().any(|end| matches!(end, Err(Fault::File(_)))));
    }
}
