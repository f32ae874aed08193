//! Credentials of who pushes: those that docker's configuration has for a registry, and the places that may have it.
//!
//! A registry names the place that trades a password for a token (its realm), and may name any. The password goes to the
//! registry's own host, to a sibling below the same registrable domain, and to hosts that the caller named; never over plain HTTP
//! from a registry with TLS. The client that pushes holds the token alone: whatever a registry answers later asks for nothing more.

use super::refused::{Refused, unreachable};
use docker_credential::{CredentialRetrievalError, DockerCredential};
use http::header::WWW_AUTHENTICATE;
use oci_client::secrets::RegistryAuth;
use reqwest::{Client, Response, Url};
use serde::Deserialize;

/// A user and a password.
pub(crate) struct Password {
    user: String,
    password: String,
}

/// A registry, as the command line names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RepositoryAddress<'a> {
    /// `HOST` or `HOST:PORT`.
    pub(crate) registry: &'a str,
    /// Below it.
    pub(crate) repository: &'a str,
    /// Tells whether the caller accepts plain HTTP.
    pub(crate) plain_http: bool,
    /// Hosts beside the registry's own that may have the password.
    pub(crate) token_hosts: &'a [String],
}

/// Proof of identity that the pushing client shows to the registry.
pub(crate) enum Pass {
    /// A token, or nothing.
    Shown(RegistryAuth),
    /// User and password, at the registry itself.
    Basic(String, String),
}

/// Challenge by which a registry asks who is there (RFC 9110, section 11.3).
enum Challenge {
    Nothing,
    Basic,
    Bearer { realm: String, service: Option<String> },
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Shows the registry who asks, and returns what it takes from then on.
///
/// # Errors
/// The registry cannot be reached, wants the password sent where it may not go, or does not take it.
pub(crate) async fn log_in(
    client: &Client,
    place: RepositoryAddress<'_>,
    login: Option<Password>,
) -> Result<Pass, Refused> {
    // without a password nothing can be given away
    let Some(Password { user, password }) = login else { return Ok(Pass::Shown(RegistryAuth::Anonymous)) };
    match challenge(client, place).await? {
        Challenge::Nothing => Ok(Pass::Shown(RegistryAuth::Anonymous)),
        Challenge::Basic => Ok(Pass::Basic(user, password)),
        Challenge::Bearer { realm, service } => {
            let mut url = realm_of(place, &realm)?;
            let scope = format!("repository:{}:pull,push", place.repository);
            url.query_pairs_mut().append_pair("scope", &scope);
            if let Some(service) = service {
                url.query_pairs_mut().append_pair("service", &service);
            }
            let host = host_of(&url);
            let answer = client.get(url).basic_auth(user, Some(password)).send().await;
            let answer = answer.map_err(|error| Refused(unreachable(&host, &error)))?;
            token(place.registry, &host, answer).await
        }
    }
}

async fn token(registry: &str, host: &str, answer: Response) -> Result<Pass, Refused> {
    match answer.status().as_u16() {
        200 => {}
        401 | 403 => {
            return Err(Refused(format!(
                "`{host}` does not take the credentials of docker's configuration for `{registry}`"
            )));
        }
        status => return Err(Refused(format!("`{host}`, which gives out tokens for `{registry}`, answers {status}"))),
    }
    let text = answer.text().await.map_err(|error| Refused(unreachable(host, &error)))?;
    let token: Option<Token> = serde_json::from_str(&text).ok();
    let token = token.and_then(|token| token.token.or(token.access_token));
    // what is shown stands in a header: a token that cannot is none
    let token = token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
    let token = token.ok_or_else(|| Refused(format!("`{host}` gives out no token for `{registry}`")))?;
    Ok(Pass::Shown(RegistryAuth::Bearer(token)))
}

async fn challenge(client: &Client, place: RepositoryAddress<'_>) -> Result<Challenge, Refused> {
    let RepositoryAddress { registry, plain_http, .. } = place;
    let scheme = if plain_http { "http" } else { "https" };
    let answer = client.get(format!("{scheme}://{registry}/v2/")).send().await;
    let answer = answer.map_err(|error| Refused(unreachable(registry, &error)))?;
    let headers = answer.headers().get_all(WWW_AUTHENTICATE);
    let mut asked = Challenge::Nothing;
    for header in headers.iter().filter_map(|header| header.to_str().ok()) {
        for challenge in http_auth::ChallengeParser::new(header).filter_map(Result::ok) {
            let value = |wanted: &str| {
                let found = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = value("realm")
            {
                return Ok(Challenge::Bearer { realm, service: value("service") });
            }
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                asked = Challenge::Basic;
            }
        }
    }
    Ok(asked)
}

/// The realm's address, if the password may go there.
fn realm_of(place: RepositoryAddress<'_>, realm: &str) -> Result<Url, Refused> {
    let RepositoryAddress { registry, plain_http, token_hosts, .. } = place;
    let url = Url::parse(realm).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some((url, host)) = url.and_then(|url| Some((url.clone(), url.host_str()?.to_owned()))) else {
        return Err(Refused(format!("`{registry}` names no place that gives out tokens")));
    };
    let asked = format!("`{registry}` wants the password sent to `{}`", url.origin().ascii_serialization());
    if url.scheme() == "http" && !plain_http {
        return Err(Refused(format!("{asked}, in plain HTTP; nothing was sent")));
    }
    // the registry's host as an address has it: in lower case, IDNA, IPv6 in brackets
    let own = Url::parse(&format!("https://{registry}/")).ok().and_then(|url| url.host_str().map(str::to_owned));
    let is_named = token_hosts.iter().any(|named| named.eq_ignore_ascii_case(&host));
    if is_named || own.is_some_and(|own| own == host || are_siblings(&own, &host)) {
        return Ok(url);
    }
    Err(Refused(format!(
        "{asked}, which is another host; nothing was sent; if it gives out that registry's tokens, add --token-host {host}"
    )))
}

/// Tells whether two names are below one registrable domain of a public suffix. What is below no known suffix may belong to anybody:
/// `a.svc.cluster.local` is no sibling of `b.svc.cluster.local`.
fn are_siblings(one: &str, other: &str) -> bool {
    let domain = |name: &str| {
        let domain = psl::domain(name.as_bytes()).filter(|domain| domain.suffix().is_known())?;
        String::from_utf8(domain.as_bytes().to_vec()).ok()
    };
    domain(one).is_some_and(|one| domain(other) == Some(one))
}

/// Its host and port, for messages: the rest is the registry's to choose.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Reads the password that docker's configuration has for a registry, asking its helpers.
///
/// # Errors
/// It has something that cannot be used.
pub(crate) fn password(registry: &str) -> Result<Option<Password>, Refused> {
    let unusable =
        |why: &str| Err(Refused(format!("docker's configuration has no usable credentials for `{registry}`: {why}")));
    match docker_credential::get_credential(registry) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some(Password { user, password })),
        Ok(DockerCredential::IdentityToken(_)) => Err(Refused(format!(
            "docker's configuration has an identity token for `{registry}`, which only docker can trade; log in with a password"
        ))),
        Err(
            CredentialRetrievalError::NoCredentialConfigured
            | CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::ConfigReadError,
        ) => Ok(None),
        Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. })
            if [&stdout, &stderr].iter().any(|said| said.contains("credentials not found")) =>
        {
            Ok(None)
        }
        // what a helper printed may be the password
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => unusable(&format!("`{helper}` fails")),
        Err(CredentialRetrievalError::HelperCommunicationError) => unusable("its helper cannot be run"),
        Err(CredentialRetrievalError::MalformedHelperResponse) => unusable("its helper's answer cannot be read"),
        Err(CredentialRetrievalError::CredentialDecodingError) => unusable("they cannot be decoded"),
        Err(CredentialRetrievalError::CredentialMismatchError) => unusable("they contradict each other"),
    }
}

#[cfg(test)]
mod tests {
    use super::{RepositoryAddress, realm_of};

    fn goes(registry: &str, plain_http: bool, realm: &str) -> Result<(), String> {
        let place = RepositoryAddress {
            registry,
            repository: "tollgate",
            plain_http,
            token_hosts: &["tokens.cloud.net".to_owned()],
        };
        realm_of(place, realm).map(drop).map_err(|refused| refused.0)
    }

    #[test]
    fn a_password_goes_to_the_registrys_own_host_to_its_siblings_and_to_hosts_that_were_named() {
        for (registry, realm) in [
            ("ghcr.io", "https://ghcr.io/token"),
            ("index.docker.io", "https://auth.docker.io/token"),
            ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
            ("registry.digitalocean.com", "https://api.digitalocean.com/v2/registry/auth"),
            ("registry.corp.internal:5000", "https://registry.corp.internal:5001/auth"),
            ("Registry.Example.COM", "https://auth.example.com/"),
            ("127.0.0.1:5000", "https://127.0.0.1:5001/"),
            ("[::1]:5000", "https://[::1]/token"),
            ("registry.example.com", "https://tokens.cloud.net/"),
        ] {
            assert_eq!(goes(registry, false, realm), Ok(()), "{registry} {realm}");
        }
        assert_eq!(goes("127.0.0.1:5000", true, "http://127.0.0.1:5000/token"), Ok(()));
        assert_eq!(goes("127.0.0.1:5000", true, "https://127.0.0.1/token"), Ok(()));
    }

    #[test]
    fn a_password_goes_to_nobody_else() {
        for (registry, realm) in [
            ("ghcr.io", "https://evil.io/token"),
            ("ghcr.io", "https://ghcr.io.evil.net/token"),
            ("ghcr.io", "https://ghcr.io@evil.net/token"),
            ("ghcr.io", "https://evil.net/?ghcr.io"),
            // anybody may have a name below a public suffix
            ("a.github.io", "https://b.github.io/"),
            ("registry.co.uk", "https://evil.co.uk/"),
            ("registry.tools.svc.cluster.local", "https://x.evil.svc.cluster.local/"),
            ("registry", "https://evil/"),
            ("127.0.0.1:5000", "https://127.0.0.2/"),
            ("10.0.0.1", "https://20.0.0.1/"),
            ("registry.example.com", "https://tokens.cloud.net.evil.net/"),
        ] {
            let why = goes(registry, false, realm).unwrap_err();
            assert!(why.contains("is another host; nothing was sent"), "{registry} {realm}: {why}");
        }
        let why = goes("ghcr.io", false, "http://ghcr.io/token").unwrap_err();
        assert!(why.contains("`http://ghcr.io`, in plain HTTP; nothing was sent"), "{why}");
        assert!(goes("registry.example.com", false, "http://tokens.cloud.net/").is_err());
        for realm in ["", "/token", "file:///etc/passwd", "ghcr.io/token", "data:,x"] {
            assert!(goes("ghcr.io", false, realm).unwrap_err().contains("names no place"), "{realm}");
        }
    }
}
