//! What is spoken on a port; for renderers and advice, never matched.

use schemars::JsonSchema;
use serde::Deserialize;

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// HTTP in the caller's version.
    Http,
    /// HTTP/2.
    Http2,
    /// gRPC, over HTTP/2.
    Grpc,
    /// Any other.
    Tcp,
    Amqp,
    Cassandra,
    Ftp,
    Imap,
    Kafka,
    Ldap,
    Memcached,
    Mongodb,
    Mssql,
    Mysql,
    Nfs,
    Oracle,
    Pop3,
    Postgres,
    Redis,
    Smtp,
    Ssh,
    Telnet,
}

/// Ports on which everybody expects a protocol that is no HTTP.
const PORTS: [(u16, Protocol); 24] = [
    (21, Protocol::Ftp),
    (22, Protocol::Ssh),
    (23, Protocol::Telnet),
    (25, Protocol::Smtp),
    (110, Protocol::Pop3),
    (143, Protocol::Imap),
    (389, Protocol::Ldap),
    (465, Protocol::Smtp),
    (587, Protocol::Smtp),
    (636, Protocol::Ldap),
    (993, Protocol::Imap),
    (995, Protocol::Pop3),
    (1433, Protocol::Mssql),
    (1521, Protocol::Oracle),
    (2049, Protocol::Nfs),
    (3306, Protocol::Mysql),
    (5432, Protocol::Postgres),
    (5671, Protocol::Amqp),
    (5672, Protocol::Amqp),
    (6379, Protocol::Redis),
    (9042, Protocol::Cassandra),
    (9092, Protocol::Kafka),
    (11211, Protocol::Memcached),
    (27017, Protocol::Mongodb),
];

impl Protocol {
    /// The protocol that a port is known for, if that is no HTTP.
    pub(crate) fn of_port(port: u16) -> Option<Protocol> {
        PORTS.iter().find(|(known, _)| *known == port).map(|(_, protocol)| *protocol)
    }

    /// Tells HTTP of any version.
    pub(crate) fn is_http(self) -> bool {
        matches!(self, Protocol::Http | Protocol::Http2 | Protocol::Grpc)
    }

    /// Tells a port on which such a protocol begins with TLS.
    pub(crate) fn is_over_tls(port: u16) -> bool {
        matches!(port, 465 | 636 | 993 | 995 | 5671)
    }

    /// The ports that are known for a protocol that is no HTTP.
    pub(crate) fn ports() -> impl Iterator<Item = (u16, Protocol)> {
        PORTS.into_iter()
    }

    /// Its name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Protocol::Http => "HTTP",
            Protocol::Http2 => "HTTP/2",
            Protocol::Grpc => "gRPC",
            Protocol::Tcp => "TCP",
            Protocol::Amqp => "AMQP",
            Protocol::Cassandra => "Cassandra",
            Protocol::Ftp => "FTP",
            Protocol::Imap => "IMAP",
            Protocol::Kafka => "Kafka",
            Protocol::Ldap => "LDAP",
            Protocol::Memcached => "memcached",
            Protocol::Mongodb => "MongoDB",
            Protocol::Mssql => "SQL Server",
            Protocol::Mysql => "MySQL",
            Protocol::Nfs => "NFS",
            Protocol::Oracle => "Oracle",
            Protocol::Pop3 => "POP3",
            Protocol::Postgres => "PostgreSQL",
            Protocol::Redis => "Redis",
            Protocol::Smtp => "SMTP",
            Protocol::Ssh => "SSH",
            Protocol::Telnet => "Telnet",
        }
    }
}
