//! Single values of the language.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::borrow::Cow;
use std::fmt;
use tollgate::policy::PortRange;

/// `enforce` or `dry-run`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// Deny what is to be denied.
    #[default]
    Enforce,
    /// Let it through, and record it.
    DryRun,
}

/// How a destination is reached; for renderers and advice, never matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tls {
    /// The gateway speaks TLS to it.
    Originate,
    /// The workload does, through the gateway.
    Passthrough,
    /// Either.
    Both,
    /// Nobody does.
    None,
}

/// What a quota keeps a bucket for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    /// Each SPIFFE ID.
    Identity,
    /// Each namespace of each trust domain.
    Namespace,
    /// Each named destination.
    Destination,
}

/// What happens to the request that crosses a quota of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Overrun {
    /// It is stopped.
    #[default]
    Cut,
    /// It may end, and what it moves is owed.
    Finish,
}

/// Where the state of a quota is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    /// In each gateway.
    #[default]
    Gateway,
}

/// A number, or an amount of bytes with its unit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Amount {
    Number(u64),
    Text(String),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Number(number) => number.fmt(f),
            Amount::Text(text) => text.fmt(f),
        }
    }
}

impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^[0-9]+(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$", "patternErrorMessage": "write a whole number and its unit, as `10GiB`"},
            ],
        })
    }
}

/// Declares the schema of a string that fits a pattern, and what an editor says of one that does not.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $pattern:expr, $message:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern, "patternErrorMessage": $message})
            }
        }
    };
}

text!(
    Id,
    "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$",
    "use 1 to 63 of `a-z`, `0-9`, `.`, `_` and `-`, with a letter or digit at both ends"
);
text!(
    Host,
    r"^(\*\*|(\*\*?\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?|([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*(\*|[A-Za-z0-9_][A-Za-z0-9_-]*\*([A-Za-z0-9_-]*[A-Za-z0-9_])?|\*[A-Za-z0-9_-]*[A-Za-z0-9_])(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?){2,}\.?)$",
    "write `api.example.com`, `*.example.com` (one label before), `**.example.com` (one or more), `sts.*.example.com` or `api-*.example.com` (a label, or part of one) or `**`; addresses stand in `cidrs`"
);
text!(
    Cidr,
    "^(private|[0-9.]+(/[0-9]{1,2})?|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$",
    "write an address, a network as `10.0.0.0/8`, or `private`; names stand in `hosts`"
);
text!(Method, "^[A-Z][A-Z0-9_-]*$", "write the method in upper case, as `GET`; leave `methods` out for every method");
text!(
    PathPattern,
    r"^/[!-~]*$",
    "a path begins with `/`: `/v1/charges`, `/v1/**` (all below), `/v1/*/items` (one segment)"
);
text!(
    SpiffeId,
    "^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*$",
    "write `spiffe://TRUST-DOMAIN/path`, as `spiffe://cluster.local/ns/payments/sa/checkout`; there are no wildcards"
);
text!(TrustDomain, "^[a-z0-9._-]{1,255}$", "use `a-z`, `0-9`, `.`, `_` and `-`, as in `cluster.local`");
text!(
    ServiceAccount,
    "^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$",
    "write `NAMESPACE/NAME`; for all accounts of a namespace say `namespace`"
);
text!(Namespace, "^[A-Za-z0-9._-]+$", "write the name of a namespace; for everyone say `any: true`");
text!(
    Period,
    "^([0-9]+(ms|s|m|h)|minute|hour|day|week|month)$",
    "write `1s`, `5m` or `24h` for a rate; `minute`, `hour`, `day`, `week` or `month` for a calendar window"
);
text!(HeaderName, r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "write the name of a header, or its beginning and `*`");
text!(Secret, "^[A-Za-z0-9_-]{16,}$", "use at least 16 of `A-Z`, `a-z`, `0-9`, `_` and `-`");

/// Ports as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ports {
    /// The word in place of a list.
    Any,
    /// Ports and ranges of them.
    Listed(Vec<PortRange>),
}

impl Ports {
    /// The set that they are.
    pub(crate) fn set(&self) -> tollgate::policy::Ports {
        match self {
            Ports::Any => tollgate::policy::Ports::ALL,
            Ports::Listed(listed) => tollgate::policy::Ports::of(listed.iter().copied()),
        }
    }

    /// The listed ranges; none for `any`.
    pub(crate) fn listed(&self) -> &[PortRange] {
        match self {
            Ports::Any => &[],
            Ports::Listed(listed) => listed,
        }
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ports, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum One {
            Port(u16),
            Range(String),
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Word(String),
            List(Vec<One>),
        }
        let list = match Written::deserialize(deserializer)? {
            Written::Word(word) if word == "any" => return Ok(Ports::Any),
            Written::Word(word) => return Err(D::Error::custom(format!("`{word}` is no list of ports"))),
            Written::List(list) => list,
        };
        let range = |one: &One| match one {
            One::Port(port) => PortRange::new(*port, *port),
            One::Range(text) => PortRange::parse(text),
        };
        let listed: Option<Vec<PortRange>> = list.iter().map(range).collect();
        listed.map(Ports::Listed).ok_or_else(|| D::Error::custom("no port"))
    }
}

impl JsonSchema for Ports {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Ports".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "anyOf": [
                            {"type": "integer", "minimum": 1, "maximum": 65535},
                            {
                                "type": "string",
                                "pattern": "^[1-9][0-9]{0,4}-[1-9][0-9]{0,4}$",
                                "patternErrorMessage": "write a port as a number, as `443`, or a range in quotes, as `\"8000-8100\"`",
                            },
                        ],
                    },
                },
                {"const": "any"},
            ],
        })
    }
}

/// The schema of a list with at least one element.
#[derive(Debug)]
pub(super) struct NotEmpty<T>(std::marker::PhantomData<T>);

impl<T: JsonSchema> JsonSchema for NotEmpty<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("NotEmpty_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        json_schema!({"type": "array", "items": items, "minItems": 1})
    }
}
