//! TaskQueueDB: queues, their jobs, and what the queues demand, a table for each kind of demand with a row for each value.

diesel::table! {
    #[sql_name = "tq_TaskQueues"]
    tq_task_queues (tq_id) {
        #[sql_name = "TQId"]
        tq_id -> BigInt,
        #[sql_name = "Owner"]
        owner -> Text,
        #[sql_name = "OwnerGroup"]
        owner_group -> Text,
        #[sql_name = "VO"]
        vo -> Text,
        #[sql_name = "CPUTime"]
        cpu_time -> BigInt,
        #[sql_name = "Priority"]
        priority -> Double,
        #[sql_name = "Enabled"]
        enabled -> Integer,
    }
}

diesel::table! {
    #[sql_name = "tq_Jobs"]
    tq_jobs (tq_id, job_id) {
        #[sql_name = "TQId"]
        tq_id -> BigInt,
        #[sql_name = "JobId"]
        job_id -> BigInt,
        #[sql_name = "RealPriority"]
        real_priority -> Double,
    }
}

diesel::table! {
    #[sql_name = "tq_TQToSites"]
    sites (tq_id, value) {
        #[sql_name = "TQId"]
        tq_id -> BigInt,
        #[sql_name = "Value"]
        value -> Text,
    }
}

diesel::table! {
    #[sql_name = "tq_TQToGridCEs"]
    grid_ces (tq_id, value) {
        #[sql_name = "TQId"]
        tq_id -> BigInt,
        #[sql_name = "Value"]
        value -> Text,
    }
}

diesel::table! {
    #[sql_name = "tq_TQToBannedSites"]
    banned_sites (tq_id, value) {
        #[sql_name = "TQId"]
        tq_id -> BigInt,
        #[sql_name = "Value"]
        value -> Text,
    }
}

diesel::table! {
    #[sql_name = "tq_TQToPlatforms"]
    platforms (tq_id, value) {
        #[sql_name = "TQId"]
        tq_id -> BigInt,
        #[sql_name = "Value"]
        value -> Text,
    }
}

diesel::table! {
    #[sql_name = "tq_TQToJobTypes"]
    job_types (tq_id, value) {
        #[sql_name = "TQId"]
        tq_id -> BigInt,
        #[sql_name = "Value"]
        value -> Text,
    }
}

diesel::table! {
    #[sql_name = "tq_TQToTags"]
    tags (tq_id, value) {
        #[sql_name = "TQId"]
        tq_id -> BigInt,
        #[sql_name = "Value"]
        value -> Text,
    }
}

diesel::joinable!(tq_jobs -> tq_task_queues (tq_id));
diesel::joinable!(grid_ces -> tq_task_queues (tq_id));
diesel::joinable!(platforms -> tq_task_queues (tq_id));
diesel::joinable!(job_types -> tq_task_queues (tq_id));
diesel::joinable!(tags -> tq_task_queues (tq_id));
diesel::allow_tables_to_appear_in_same_query!(tq_task_queues, tq_jobs, grid_ces, platforms, job_types, tags);
