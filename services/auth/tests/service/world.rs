//! A small installation: the auth service over a database, an identity provider, a clock.

use std::sync::Arc;

use diracx_auth::{AuthDb, Deps, StateKey, TokenPolicies, settings::AuthSettings};
use diracx_client::{AnyChannel, ConfigFollower, in_process};
use diracx_core::{Reason, config::Config};
use diracx_db::DbUrl;
use diracx_proto::auth::v1::{self as pb, auth_service_client::AuthServiceClient, get_token_request::Grant};
use diracx_server::{
    Stack, StatusInfo,
    limits::Limits,
    settings::TokenSettings,
    telemetry::Metrics,
    token::{Keyring, RefreshClaims},
    version_gate::VersionGate,
};
use diracx_testkit::{MockClock, TestDatabase, TestIssuer};
use serde_json::{Value, json};
use tonic::{Code, Request, Status};

use crate::idp::{Mode, TestIdp, Visit};

pub(crate) const CLIENT: &str = "myDIRACClientID";
pub(crate) const CALLBACK: &str = "http://127.0.0.1:8000/api/auth/device/complete";
pub(crate) const REDIRECT: &str = "http://web.invalid/callback";
/// The SHA-256 of `key of a DIRAC server`.
const LEGACY_KEY_HASH: &str = "1e347bb37fa5352552d733b72e2024b022ca4c7cced67d273f241eb5d5801c75";
pub(crate) const SCOPE: &str = "vo:lhcb group:lhcb_user";

/// The configuration: alice, bob and the suspended mallory are in `lhcb`.
pub(crate) fn document(idp: &str) -> Value {
    json!({
        "DIRAC": {},
        "Registry": {
            "lhcb": {
                "IdP": {"URL": format!("{idp}/"), "ClientID": "lhcb client"},
                "DefaultGroup": "lhcb_user",
                "Users": {
                    "sub-alice": {"PreferedUsername": "alice"},
                    "sub-bob": {"PreferedUsername": "bob"},
                    "sub-mallory": {"PreferedUsername": "mallory", "Suspended": ["lhcb"]},
                },
                "Groups": {
                    "lhcb_user": {
                        "Properties": ["NormalUser"],
                        "Users": ["sub-alice", "sub-bob", "sub-mallory"],
                    },
                    "lhcb_prod": {
                        "Properties": ["ProductionManagement", "NormalUser"],
                        "Users": ["sub-alice"],
                    },
                },
            },
        },
    })
}

pub(crate) type Auth = AuthServiceClient<AnyChannel>;

pub(crate) struct World {
    pub(crate) idp: TestIdp,
    pub(crate) clock: MockClock,
    pub(crate) issuer: TestIssuer,
    pub(crate) auth: AuthServiceClient<AnyChannel>,
    pub(crate) url: DbUrl,
    db: AuthDb,
    _place: TestDatabase,
}

/// A device login that has begun.
pub(crate) struct Login {
    pub(crate) user_code: String,
    pub(crate) device_code: String,
}

impl World {
    pub(crate) async fn on(place: TestDatabase) -> Self {
        let clock = MockClock::default();
        let idp = TestIdp::start(clock.clone()).await;
        let issuer = TestIssuer::new(Arc::new(clock.clone())).unwrap();
        let url: DbUrl = place.url("AuthDB").await;
        AuthDb::migrate(&url).await.unwrap();
        AuthDb::migrate(&url).await.expect("migrating again finds the tables as they should be");
        let db = AuthDb::open(&url, 4).await.unwrap();
        let auth = client(&db, &clock, &issuer, document(&idp.base), |_| ());
        Self { idp, clock, issuer, auth, url, db, _place: place }
    }

    pub(crate) async fn on_sqlite() -> Self {
        Self::on(TestDatabase::sqlite()).await
    }

    /// The same installation after its configuration was changed.
    pub(crate) fn reconfigured(&self, change: impl FnOnce(&mut Value)) -> AuthServiceClient<AnyChannel> {
        let mut document = document(&self.idp.base);
        change(&mut document["Registry"]["lhcb"]);
        client(&self.db, &self.clock, &self.issuer, document, |_| ())
    }

    /// The same installation after its registry was changed.
    pub(crate) fn with_registry(&self, change: impl FnOnce(&mut Value)) -> Auth {
        let mut document = document(&self.idp.base);
        change(&mut document["Registry"]);
        client(&self.db, &self.clock, &self.issuer, document, |_| ())
    }

    /// The same installation with other keys to sign with; it believes the tokens of the issuer as before.
    pub(crate) fn with_keys(&self, keys: Keyring) -> Auth {
        let mut token = self.issuer.settings().clone();
        token.keys = keys;
        client_with(&self.db, &self.clock, &self.issuer, token, document(&self.idp.base), |_| ())
    }

    /// An installation whose extension has something to say in tokens.
    pub(crate) fn with_policies(self, policies: TokenPolicies) -> Self {
        Self { auth: self.client_with_policies(policies), ..self }
    }

    /// The same installation with another extension.
    pub(crate) fn client_with_policies(&self, policies: TokenPolicies) -> Auth {
        let token = self.issuer.settings().clone();
        let mut deps = deps(&self.db, &self.clock, token, document(&self.idp.base), |_| ());
        deps.token_policies = policies;
        served(deps, &self.issuer)
    }

    /// The same installation after its process was started again.
    pub(crate) async fn restarted(&self) -> Auth {
        let db = AuthDb::open(&self.url, 4).await.unwrap();
        client(&db, &self.clock, &self.issuer, document(&self.idp.base), |_| ())
    }

    /// The same installation after its settings were changed.
    pub(crate) fn with_settings(
        &self,
        change: impl FnOnce(&mut AuthSettings),
    ) -> AuthServiceClient<AnyChannel> {
        client(&self.db, &self.clock, &self.issuer, document(&self.idp.base), change)
    }

    /// The same installation after its settings were changed, for a client of another kind.
    pub(crate) fn served_with_settings(&self, change: impl FnOnce(&mut AuthSettings)) -> AnyChannel {
        let token = self.issuer.settings().clone();
        channel(deps(&self.db, &self.clock, token, document(&self.idp.base), change), &self.issuer)
    }

    pub(crate) async fn begin(&self, scope: &str) -> Result<Login, Status> {
        let request = pb::InitiateDeviceFlowRequest { client_id: CLIENT.to_owned(), scope: scope.to_owned() };
        let begun = self.auth.clone().initiate_device_flow(request).await?.into_inner();
        assert_eq!(begun.expires_in.unwrap().seconds, 600);
        assert_eq!(begun.verification_path, "/api/auth/device");
        Ok(Login { user_code: begun.user_code, device_code: begun.device_code })
    }

    /// The browser goes to the identity provider, where the person approves.
    pub(crate) async fn visit(&self, user_code: &str, subject: &str, mode: Mode) -> Result<Visit, Status> {
        let request = pb::StartDeviceLoginRequest {
            user_code: user_code.to_owned(),
            callback_url: CALLBACK.to_owned(),
        };
        let start = self.auth.clone().start_device_login(request).await?.into_inner();
        Ok(self.idp.approve(&start.authorization_url, subject, mode))
    }

    pub(crate) async fn finish(&self, visit: &Visit) -> Result<pb::FinishDeviceLoginResponse, Status> {
        let request = pb::FinishDeviceLoginRequest {
            code: visit.code.clone(),
            state: visit.state.clone(),
            callback_url: CALLBACK.to_owned(),
            ..Default::default()
        };
        Ok(self.auth.clone().finish_device_login(request).await?.into_inner())
    }

    pub(crate) async fn poll(&self, device_code: &str) -> Result<pb::GetTokenResponse, Status> {
        let grant = pb::DeviceCodeGrant { device_code: device_code.to_owned() };
        self.token(CLIENT, Grant::DeviceCode(grant)).await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Result<pb::GetTokenResponse, Status> {
        refresh_with(&self.auth, refresh_token).await
    }

    pub(crate) async fn token(&self, client_id: &str, grant: Grant) -> Result<pb::GetTokenResponse, Status> {
        let request = pb::GetTokenRequest { client_id: client_id.to_owned(), grant: Some(grant) };
        Ok(self.auth.clone().get_token(request).await?.into_inner())
    }

    /// Somebody logs in without trouble.
    pub(crate) async fn log_in(&self, subject: &str) -> pb::GetTokenResponse {
        let login = self.begin(SCOPE).await.unwrap();
        let visit = self.visit(&login.user_code, subject, Mode::Good).await.unwrap();
        self.finish(&visit).await.unwrap();
        self.poll(&login.device_code).await.unwrap()
    }

    pub(crate) async fn whoami(&self, access_token: &str) -> Result<pb::GetUserInfoResponse, Status> {
        let request = Self::with_token(pb::GetUserInfoRequest {}, access_token);
        Ok(self.auth.clone().get_user_info(request).await?.into_inner())
    }

    /// A call with a token.
    pub(crate) fn with_token<T>(message: T, token: &str) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        request
    }

    pub(crate) async fn refresh_claims(&self, refresh_token: &str) -> RefreshClaims {
        self.issuer.verifier().refresh_claims(refresh_token).await.unwrap()
    }
}

pub(crate) async fn refresh_with(
    auth: &AuthServiceClient<AnyChannel>,
    refresh_token: &str,
) -> Result<pb::GetTokenResponse, Status> {
    let grant = Grant::RefreshToken(pb::RefreshTokenGrant { refresh_token: refresh_token.to_owned() });
    let request = pb::GetTokenRequest { client_id: "whoever".to_owned(), grant: Some(grant) };
    Ok(auth.clone().get_token(request).await?.into_inner())
}

fn client(
    db: &AuthDb,
    clock: &MockClock,
    issuer: &TestIssuer,
    document: Value,
    change: impl FnOnce(&mut AuthSettings),
) -> Auth {
    client_with(db, clock, issuer, issuer.settings().clone(), document, change)
}

fn client_with(
    db: &AuthDb,
    clock: &MockClock,
    issuer: &TestIssuer,
    token: TokenSettings,
    document: Value,
    change: impl FnOnce(&mut AuthSettings),
) -> Auth {
    served(deps(db, clock, token, document, change), issuer)
}

fn deps(
    db: &AuthDb,
    clock: &MockClock,
    token: TokenSettings,
    document: Value,
    change: impl FnOnce(&mut AuthSettings),
) -> Deps {
    let config = ConfigFollower::fixed(Config::from_value(document).unwrap());
    let key = StateKey::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
    let mut settings = AuthSettings {
        allowed_redirects: vec![REDIRECT.to_owned()],
        legacy_exchange_key: Some(LEGACY_KEY_HASH.into()),
        ..AuthSettings::new(key)
    };
    change(&mut settings);
    Deps::new(db.clone(), config, Arc::new(clock.clone()), settings, token).unwrap()
}

fn served(deps: Deps, issuer: &TestIssuer) -> Auth {
    diracx_client::auth(channel(deps, issuer))
}

fn channel(deps: Deps, issuer: &TestIssuer) -> AnyChannel {
    let stack = Stack {
        access: Arc::new(diracx_auth::access().unwrap()),
        verifier: issuer.verifier(),
        gate: VersionGate::new("0.0.1a1".parse().unwrap()),
        limits: Limits::default(),
        metrics: Metrics::default(),
    };
    in_process(diracx_auth::service(deps, &stack))
}

/// Compares a refusal with code, reason and sentence.
#[track_caller]
pub(crate) fn expect<T>(result: Result<T, Status>, code: Code, reason: Reason, sentence: &str) {
    let Err(status) = result else { panic!("expected to be refused with {sentence:?}") };
    assert_eq!((status.code(), status.message()), (code, sentence));
    assert_eq!(StatusInfo::of(&status).reason.as_deref(), Some(reason.as_str()));
}
