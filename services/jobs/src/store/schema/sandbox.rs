//! SandboxMetadataDB: sandboxes, their owners, and the jobs that have them.

diesel::table! {
#[sql_name = "sb_Owners"]
    sb_owners (owner_id) {
        // `OwnerId` in DIRAC's own tables; neither backend minds.
        #[sql_name = "OwnerID"]
        owner_id -> BigInt,
        #[sql_name = "Owner"]
        owner -> Text,
        #[sql_name = "OwnerGroup"]
        owner_group -> Text,
        #[sql_name = "VO"]
        vo -> Text,
    }
}

diesel::table! {
    #[sql_name = "sb_SandBoxes"]
    sb_sandboxes (sb_id) {
        #[sql_name = "SBId"]
        sb_id -> BigInt,
        #[sql_name = "OwnerId"]
        owner_id -> BigInt,
        #[sql_name = "SEName"]
        se_name -> Text,
        #[sql_name = "SEPFN"]
        se_pfn -> Text,
        #[sql_name = "Bytes"]
        bytes -> BigInt,
        #[sql_name = "RegistrationTime"]
        registration_time -> Nullable<Timestamp>,
        #[sql_name = "LastAccessTime"]
        last_access_time -> Nullable<Timestamp>,
        #[sql_name = "Assigned"]
        assigned -> Bool,
    }
}

diesel::table! {
    #[sql_name = "sb_EntityMapping"]
    sb_entity_mapping (sb_id, entity_id, kind) {
        #[sql_name = "SBId"]
        sb_id -> BigInt,
        #[sql_name = "EntityId"]
        entity_id -> Text,
        #[sql_name = "Type"]
        kind -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(sb_owners, sb_sandboxes, sb_entity_mapping);
