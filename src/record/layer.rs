//! The layer that a decision was made on.

/// A layer above the network; requests of HTTP are recorded without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A TCP connection.
    Tcp,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Layer; 1] = [Layer::Tcp];

    /// Returns its word in records: `tcp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Tcp => "tcp",
        }
    }
}
