//! Who can log in: the users of the VOs whose identity provider this is.

use diracx_client::ConfigFollower;

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The subject in the ID token.
    pub sub: String,
    /// What to click on.
    pub name: String,
}

/// Finds people in the configuration, as it is at the moment.
#[derive(Clone)]
pub struct People {
    config: ConfigFollower,
    issuer: String,
}

impl People {
    /// The people of the VOs that send them to `issuer`.
    pub fn new(config: ConfigFollower, issuer: String) -> Self {
        Self { config, issuer }
    }

    /// Everybody who can log in through this client; `None` if there is no such client.
    pub(super) fn of_client(&self, client_id: &str) -> Option<Vec<Person>> {
        let config = self.config.current().ok()?;
        let mut vos = config
            .registry
            .values()
            .filter(|vo| vo.idp.url.trim_end_matches('/') == self.issuer && vo.idp.client_id == client_id)
            .peekable();
        vos.peek()?;
        let mut people: Vec<Person> = Vec::new();
        for (sub, user) in vos.flat_map(|vo| &vo.users) {
            if people.iter().all(|person| *person.sub != **sub) {
                people.push(Person { sub: sub.to_string(), name: user.preferred_username.clone() });
            }
        }
        Some(people)
    }
}
