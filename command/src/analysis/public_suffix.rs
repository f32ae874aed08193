//! Names below which anybody can have one of their own (the Public Suffix List, both of its parts).

/// Labels under which clouds let their customers choose names. Which of them are public suffixes, and of which cloud, the
/// list says.
const SERVICES: [&str; 12] = [
    "s3",
    "compute",
    "elb",
    "us-east-1",
    "eu-west-1",
    "blob.core",
    "web.core",
    "cloudapp",
    "app",
    "web",
    "sites",
    "pages",
];

/// The public suffix that a wildcard below a name reaches: the name itself, or one of a cloud below it.
pub(crate) fn within(name: &str) -> Option<String> {
    match is_one(name) {
        true => Some(name.to_owned()),
        false => SERVICES.iter().map(|service| format!("{service}.{name}")).find(|below| is_one(below)),
    }
}

/// Tells whether a name is a public suffix itself.
pub(crate) fn is_one(name: &str) -> bool {
    psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix == name.as_bytes())
}
