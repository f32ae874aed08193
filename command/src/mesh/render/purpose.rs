//! Purposes of a rendering.

/// The target of a rendering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be applied: what leads nowhere is an error.
    Render,
    /// To be advised on.
    Lint,
}
