//! Bound sockets. Who listens at the same address next takes the socket over: no caller is turned away between the two.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use tokio::net::TcpListener;

/// A bound socket.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: Arc<TcpListener>,
    asked: String,
    /// Where it listens, with the port that was chosen if 0 was asked for.
    pub address: SocketAddr,
}

/// A socket that another listener holds, for as long as it does.
#[derive(Debug, Clone)]
pub struct Held {
    listener: Weak<TcpListener>,
    asked: String,
    address: SocketAddr,
}

impl Socket {
    /// Binds an address, or takes over the socket that was bound to the same one.
    pub async fn bind(asked: &str, before: Option<&Held>) -> io::Result<Self> {
        let held = before.filter(|held| held.asked == asked);
        if let Some((held, listener)) = held.and_then(|held| Some((held, held.listener.upgrade()?))) {
            return Ok(Socket { listener, asked: asked.to_owned(), address: held.address });
        }
        let listener = TcpListener::bind(asked).await?;
        let address = listener.local_addr()?;
        Ok(Socket { listener: Arc::new(listener), asked: asked.to_owned(), address })
    }

    /// What the next one takes over.
    pub fn held(&self) -> Held {
        Held { listener: Arc::downgrade(&self.listener), asked: self.asked.clone(), address: self.address }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &str = "127.0.0.1:0";

    #[tokio::test]
    async fn the_same_address_is_taken_over_and_another_is_bound() {
        let first = Socket::bind(ANY, None).await.unwrap();
        let held = first.held();
        let second = Socket::bind(ANY, Some(&held)).await.unwrap();
        assert_eq!(second.address, first.address);
        let other = Socket::bind("127.0.0.1:00", Some(&held)).await.unwrap();
        assert_ne!(other.address, first.address);
    }

    #[tokio::test]
    async fn a_socket_that_is_closed_is_bound_anew() {
        let first = Socket::bind(ANY, None).await.unwrap();
        let asked = first.address.to_string();
        drop(first);
        let first = Socket::bind(&asked, None).await.unwrap();
        let held = first.held();
        drop(first);
        assert_eq!(Socket::bind(&asked, Some(&held)).await.unwrap().address.to_string(), asked);
    }
}
