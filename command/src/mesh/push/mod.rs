//! The filter's module as an OCI image, and the way of it to a registry.

mod attached;
mod image;
pub(crate) mod layout;
mod login;
mod refused;
mod registry;

pub(crate) use attached::Attachment;
pub(crate) use image::Image;
pub(crate) use refused::Refused;
pub(crate) use registry::{Pushed, Registry};
