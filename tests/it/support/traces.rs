//! Everything that is traced on this thread, at the finest level, as text.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// What was written so far.
#[derive(Clone, Default)]
pub struct Traces(Arc<Mutex<Vec<u8>>>);

impl Traces {
    /// Captures until the guard is dropped.
    pub fn capture() -> (Self, DefaultGuard) {
        // Where tests run side by side, one that ends may put a place in the code to sleep that this one listens to. Somebody who is always
        // awake keeps all of them awake.
        static AWAKE: Once = Once::new();
        AWAKE.call_once(|| drop(tracing::subscriber::set_global_default(tracing_subscriber::registry())));
        let traces = Traces::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(traces.clone())
            .finish();
        (traces, tracing::subscriber::set_default(subscriber))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Traces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Traces {
    type Writer = Traces;

    fn make_writer(&'a self) -> Traces {
        self.clone()
    }
}
