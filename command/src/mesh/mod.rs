//! Meshes and registries: where a policy runs, the objects that make it so, and the image of the filter.

pub(crate) mod push;
pub(crate) mod render;
pub(crate) mod site;
