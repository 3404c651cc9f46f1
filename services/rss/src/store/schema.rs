//! The tables of `ResourceStatusDB`. Here DIRAC's spelling stops.

macro_rules! status_table {
    ($table:ident, $name:literal) => {
        diesel::table! {
            #[sql_name = $name]
            $table (name, status_type, vo) {
                #[sql_name = "Name"]
                name -> Text,
                #[sql_name = "StatusType"]
                status_type -> Text,
                #[sql_name = "VO"]
                vo -> Text,
                #[sql_name = "Status"]
                status -> Text,
                #[sql_name = "Reason"]
                reason -> Text,
                #[sql_name = "DateEffective"]
                date_effective -> Timestamp,
                #[sql_name = "TokenExpiration"]
                token_expiration -> Timestamp,
                #[sql_name = "ElementType"]
                element_type -> Text,
                #[sql_name = "LastCheckTime"]
                last_check_time -> Timestamp,
                #[sql_name = "TokenOwner"]
                token_owner -> Text,
            }
        }
    };
}

macro_rules! history_table {
    ($table:ident, $name:literal) => {
        diesel::table! {
            #[sql_name = $name]
            $table (id) {
                #[sql_name = "ID"]
                id -> BigInt,
                #[sql_name = "Name"]
                name -> Text,
                #[sql_name = "StatusType"]
                status_type -> Text,
                #[sql_name = "VO"]
                vo -> Text,
                #[sql_name = "Status"]
                status -> Text,
                #[sql_name = "Reason"]
                reason -> Text,
                #[sql_name = "DateEffective"]
                date_effective -> Timestamp,
                #[sql_name = "TokenExpiration"]
                token_expiration -> Timestamp,
                #[sql_name = "ElementType"]
                element_type -> Text,
                #[sql_name = "LastCheckTime"]
                last_check_time -> Timestamp,
                #[sql_name = "TokenOwner"]
                token_owner -> Text,
            }
        }
    };
}

status_table!(site_status, "SiteStatus");
status_table!(resource_status, "ResourceStatus");
history_table!(site_history, "SiteHistory");
history_table!(resource_history, "ResourceHistory");

diesel::table! {
    #[sql_name = "StatusPlans"]
    status_plans (kind, name, status_type, vo) {
        #[sql_name = "Kind"]
        kind -> Text,
        #[sql_name = "Name"]
        name -> Text,
        #[sql_name = "StatusType"]
        status_type -> Text,
        #[sql_name = "VO"]
        vo -> Text,
        #[sql_name = "ElementType"]
        element_type -> Text,
        #[sql_name = "Status"]
        status -> Text,
        #[sql_name = "Reason"]
        reason -> Text,
        #[sql_name = "EffectiveTime"]
        effective_time -> Timestamp,
        #[sql_name = "DrainFrom"]
        drain_from -> Nullable<Timestamp>,
        #[sql_name = "ExpirationTime"]
        expiration_time -> Timestamp,
        #[sql_name = "TokenOwner"]
        token_owner -> Text,
    }
}

diesel::table! {
    #[sql_name = "StatusReturns"]
    status_returns (kind, name, status_type, vo) {
        #[sql_name = "Kind"]
        kind -> Text,
        #[sql_name = "Name"]
        name -> Text,
        #[sql_name = "StatusType"]
        status_type -> Text,
        #[sql_name = "VO"]
        vo -> Text,
        #[sql_name = "ExpirationTime"]
        expiration_time -> Timestamp,
        #[sql_name = "Status"]
        status -> Text,
        #[sql_name = "PriorStatus"]
        prior_status -> Nullable<Text>,
        #[sql_name = "PriorReason"]
        prior_reason -> Text,
        #[sql_name = "PriorExpiration"]
        prior_expiration -> Timestamp,
        #[sql_name = "PriorOwner"]
        prior_owner -> Text,
    }
}
