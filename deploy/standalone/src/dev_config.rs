//! The configuration of a first start: one VO, three people, and the development identity provider.

use crate::dev_idp;

/// The client that the configuration names.
const CLIENT_ID: &str = "diracx-dev";

/// A configuration that sends people to `issuer`.
pub fn new(issuer: &str) -> String {
    format!(
        r"# The configuration of this development installation, made by diracx-standalone at its first start.
# Edit it as you like, also while the server runs: changes are served within seconds.
#
# Everybody below can log in without a password, on this machine only. The IdP's URL is kept in step with
# --listen as long as it ends in {path}; with another identity provider the development one is gone.
DIRAC: {{}}
Registry:
  dev:
    DefaultGroup: user
    IdP:
      URL: {issuer}
      ClientID: {CLIENT_ID}
    Users:
      alice:
        PreferedUsername: alice
      bob:
        PreferedUsername: bob
      carol:
        PreferedUsername: carol
    Groups:
      user:
        Properties: [NormalUser]
        Users: [alice, bob, carol]
      admin:
        Properties: [JobAdministrator, NormalUser, ProxyManagement, ServiceAdministrator]
        Users: [carol]
      pilot:
        Properties: [GenericPilot, LimitedDelegation]
        Users: [carol]
Operations:
  Defaults:
    Services:
      JobMonitoring:
        GlobalJobsInfo: false
",
        path = dev_idp::PATH,
    )
}

/// The same text, with every development identity provider in it at `issuer`.
pub fn with_issuer(text: &str, issuer: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match provider(line) {
            Some(old) if old != issuer => line.replace(old, issuer),
            _ => line.to_owned(),
        })
        .collect()
}

/// Whether the configuration sends anybody to `issuer`.
pub fn uses(text: &str, issuer: &str) -> bool {
    text.lines().filter_map(provider).any(|provider| provider == issuer)
}

/// Whether the configuration sends anybody to a development identity provider, wherever it was.
pub fn uses_any(text: &str) -> bool {
    text.lines().any(|line| provider(line).is_some())
}

/// The URL on a line such as `URL: http://127.0.0.1:8000/dev-idp`.
fn provider(line: &str) -> Option<&str> {
    let value = line.trim().strip_prefix("URL:")?.trim();
    let value = value.split(" #").next()?.trim().trim_matches(['"', '\'']);
    let of_ours = value.starts_with("http://") && value.ends_with(dev_idp::PATH);
    of_ours.then_some(value)
}

#[cfg(test)]
mod tests {
    use diracx_core::config::Config;

    use super::*;

    #[test]
    fn the_first_configuration_is_valid_and_its_people_have_their_groups() {
        let text = new("http://127.0.0.1:8000/dev-idp");
        let config = Config::from_value(diracx_config::yaml::parse(&text).unwrap()).unwrap();
        let vo = config.vo("dev").unwrap();
        assert!(vo.groups.contains_key(&vo.default_group));
        assert!(vo.groups.values().flat_map(|group| &group.users).all(|sub| vo.users.contains_key(sub)));
        assert!(config.user_properties("dev", "carol").contains("JobAdministrator"));
        assert!(!config.user_properties("dev", "alice").contains("JobAdministrator"));
    }

    #[test]
    fn only_our_own_provider_is_moved() {
        let text = "  URL: \"http://127.0.0.1:1/dev-idp\"  # ours\n  URL: https://iam.example.org/dev-idp\nx";
        let moved = with_issuer(text, "http://[::1]:2/dev-idp");
        assert_eq!(
            moved,
            "  URL: \"http://[::1]:2/dev-idp\"  # ours\n  URL: https://iam.example.org/dev-idp\nx"
        );
        assert!(uses(&moved, "http://[::1]:2/dev-idp"));
        assert!(!uses(&moved, "http://127.0.0.1:1/dev-idp"));
    }
}
