//! The tables of `AuthDB`: DiracX's, and one of our own. Here DIRAC's spelling stops.

diesel::table! {
    #[sql_name = "DeviceFlows"]
    device_flows (user_code) {
        #[sql_name = "UserCode"]
        user_code -> Text,
        #[sql_name = "Status"]
        status -> Text,
        #[sql_name = "CreationTime"]
        creation_time -> Timestamp,
        #[sql_name = "ClientID"]
        client_id -> Text,
        #[sql_name = "Scope"]
        scope -> Text,
        #[sql_name = "DeviceCode"]
        device_code -> Text,
        #[sql_name = "IDToken"]
        id_token -> Nullable<Json>,
    }
}

diesel::table! {
    #[sql_name = "AuthorizationFlows"]
    authorization_flows (uuid) {
        #[sql_name = "UUID"]
        uuid -> Text,
        #[sql_name = "Status"]
        status -> Text,
        #[sql_name = "ClientID"]
        client_id -> Text,
        #[sql_name = "CreationTime"]
        creation_time -> Timestamp,
        #[sql_name = "Scope"]
        scope -> Text,
        #[sql_name = "CodeChallenge"]
        code_challenge -> Text,
        #[sql_name = "CodeChallengeMethod"]
        code_challenge_method -> Text,
        #[sql_name = "RedirectURI"]
        redirect_uri -> Text,
        #[sql_name = "Code"]
        code -> Nullable<Text>,
        #[sql_name = "IDToken"]
        id_token -> Nullable<Json>,
    }
}

diesel::table! {
    #[sql_name = "RefreshTokens"]
    refresh_tokens (jti) {
        #[sql_name = "JTI"]
        jti -> Text,
        #[sql_name = "Status"]
        status -> Text,
        #[sql_name = "Scope"]
        scope -> Text,
        #[sql_name = "Sub"]
        sub -> Text,
    }
}

diesel::table! {
    #[sql_name = "LegacyRefreshTokens"]
    legacy_refresh_tokens (jti) {
        #[sql_name = "JTI"]
        jti -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(refresh_tokens, legacy_refresh_tokens);
