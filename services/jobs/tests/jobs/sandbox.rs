//! Sandboxes are announced, uploaded, assigned and downloaded.

use diesel_async::SimpleAsyncConnection as _;
use diracx_proto::jobs::v1::{
    self as pb, download_sandbox_response::Piece as Down, job_sandboxes_outcome::Result as Outcome,
    upload_sandbox_request::Piece as Up,
};
use diracx_server::StatusInfo;
use diracx_testkit::{TestDatabase, on_both_backends};
use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use sha2::{Digest, Sha256};
use tonic::Status;

use crate::{
    harness::{HELLO, Jobs, reason},
    sql::{cells, connection, execute, waits_for_lock},
};

pub(crate) fn announcement(bytes: &[u8]) -> pb::InitiateSandboxUploadRequest {
    pb::InitiateSandboxUploadRequest {
        checksum_algorithm: pb::ChecksumAlgorithm::Sha256.into(),
        checksum: format!("{:x}", Sha256::digest(bytes)),
        size_bytes: i64::try_from(bytes.len()).unwrap(),
        format: pb::SandboxFormat::TarZst.into(),
        job_id: None,
    }
}

impl Jobs {
    pub(crate) async fn announce(
        &self,
        who: &str,
        bytes: &[u8],
    ) -> Result<pb::InitiateSandboxUploadResponse, Status> {
        let request = self.request(who, announcement(bytes));
        Ok(self.sandboxes.clone().initiate_sandbox_upload(request).await?.into_inner())
    }

    pub(crate) async fn send(&self, upload: &pb::SandboxUpload, bytes: &[u8]) -> Result<(), Status> {
        let bucket = upload.url.rsplit('/').next().unwrap().to_owned();
        let form = Up::Form(pb::UploadForm { bucket, fields: upload.fields.clone() });
        let pieces: Vec<Up> =
            std::iter::once(form).chain(bytes.chunks(7).map(|piece| Up::Data(piece.to_vec()))).collect();
        let messages = stream::iter(pieces).map(|piece| pb::UploadSandboxRequest { piece: Some(piece) });
        self.sandboxes.clone().upload_sandbox(messages).await.map(drop)
    }

    /// Uploads a sandbox, and gives its PFN.
    pub(crate) async fn uploads(&self, who: &str, bytes: &[u8]) -> String {
        let answer = self.announce(who, bytes).await.unwrap();
        self.send(&answer.upload.expect("a form"), bytes).await.unwrap();
        answer.pfn
    }

    pub(crate) async fn locate(&self, who: &str, pfn: &str) -> Result<String, Status> {
        let request = self.request(who, pb::GetSandboxRequest { pfn: pfn.to_owned(), job_id: None });
        Ok(self.sandboxes.clone().get_sandbox(request).await?.into_inner().url)
    }

    pub(crate) async fn fetch(&self, url: &str) -> Result<Vec<u8>, Status> {
        let (path, query) = url.split_once('?').unwrap();
        let mut names = path.splitn(6, '/').skip(4);
        let mut values = query.split('&').map(|pair| pair.split_once('=').unwrap().1);
        let request = pb::DownloadSandboxRequest {
            bucket: names.next().unwrap().to_owned(),
            key: names.next().unwrap().replace("%3A", ":"),
            expires_at_seconds: values.next().unwrap().parse().unwrap(),
            signature: values.next().unwrap().to_owned(),
        };
        let pieces = self.sandboxes.clone().download_sandbox(request).await?.into_inner();
        let pieces: Vec<_> = pieces.try_collect().await?;
        let mut pieces = pieces.into_iter().filter_map(|message| message.piece);
        let Some(Down::SizeBytes(size)) = pieces.next() else { panic!("no size") };
        let bytes: Vec<u8> = pieces
            .flat_map(|piece| match piece {
                Down::Data(data) => data,
                Down::SizeBytes(_) => panic!("a second size"),
            })
            .collect();
        assert_eq!(bytes.len(), usize::try_from(size).unwrap());
        Ok(bytes)
    }

    /// Assigns, and tells the reason of each refusal, or nothing.
    pub(crate) async fn assign(
        &self,
        who: &str,
        asked: &[(i64, &str, pb::SandboxType)],
    ) -> Result<Vec<String>, Status> {
        let assignments = asked
            .iter()
            .map(|(job_id, pfn, kind)| pb::SandboxAssignment {
                job_id: *job_id,
                pfn: (*pfn).to_owned(),
                r#type: (*kind).into(),
            })
            .collect();
        let request = self.request(who, pb::AssignSandboxesRequest { assignments });
        let outcomes = self.sandboxes.clone().assign_sandboxes(request).await?.into_inner().outcomes;
        let reason = |error| StatusInfo::of(&diracx_proto::status::of_call(&error)).reason.unwrap();
        Ok(outcomes.into_iter().map(|outcome| outcome.error.map(reason).unwrap_or_default()).collect())
    }

    pub(crate) async fn sandboxes_of(
        &self,
        who: &str,
        job: i64,
    ) -> Result<(Vec<String>, Vec<String>), Status> {
        let request = pb::ListJobSandboxesRequest { job_ids: vec![job], r#type: 0 };
        let request = self.request(who, request);
        let answer = self.sandboxes.clone().list_job_sandboxes(request).await?.into_inner();
        match answer.outcomes.into_iter().next().unwrap().result.unwrap() {
            Outcome::Sandboxes(found) => Ok((found.input_pfns, found.output_pfns)),
            Outcome::Error(error) => Err(diracx_proto::status::of_call(&error)),
        }
    }

    pub(crate) async fn unassign(&self, who: &str, jobs: &[i64]) -> Result<(), Status> {
        let request = self.request(who, pb::UnassignSandboxesRequest { job_ids: jobs.to_vec() });
        self.sandboxes.clone().unassign_sandboxes(request).await.map(drop)
    }
}

fn short(pfn: &str) -> String {
    pfn.strip_prefix("SB:SandboxSE|").unwrap().to_owned()
}

const INPUT: pb::SandboxType = pb::SandboxType::Input;
const OUTPUT: pb::SandboxType = pb::SandboxType::Output;

on_both_backends! {
    async fn what_is_uploaded_comes_back_and_is_asked_for_once(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
        let first = jobs.announce("alice", &bytes).await.unwrap();
        let checksum = announcement(&bytes).checksum;
        assert_eq!(first.pfn, format!("SB:SandboxSE|/S3/sandboxes/alpha/alpha_user/alice/sha256:{checksum}.tar.zst"));
        let upload = first.upload.unwrap();
        assert_eq!(upload.expires_in.unwrap().seconds, 300);
        assert!(jobs.announce("alice", &bytes).await.unwrap().upload.is_some(), "until it is there");
        jobs.send(&upload, &bytes).await.unwrap();
        let mut loud = announcement(&bytes);
        loud.checksum = loud.checksum.to_uppercase();
        let request = jobs.request("alice", loud);
        let again = jobs.sandboxes.clone().initiate_sandbox_upload(request).await.unwrap().into_inner();
        assert_eq!((again.pfn.as_str(), again.upload), (first.pfn.as_str(), None));

        let url = jobs.locate("alice", &first.pfn).await.unwrap();
        assert_eq!(jobs.fetch(&url).await.unwrap(), bytes);
        assert_eq!(jobs.fetch(&jobs.locate("alice", &short(&first.pfn)).await.unwrap()).await.unwrap(), bytes);
        assert_eq!(reason(jobs.fetch(&url.replace("alice", "bob")).await), "FORBIDDEN");
        jobs.clock.advance(chrono::TimeDelta::seconds(301));
        assert_eq!(reason(jobs.fetch(&url).await), "SANDBOX_URL_EXPIRED");
        assert_eq!(reason(jobs.send(&upload, &bytes).await), "SANDBOX_URL_EXPIRED");
    }

    async fn bytes_that_were_not_announced_are_not_taken(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let upload = jobs.announce("alice", b"these bytes").await.unwrap().upload.unwrap();
        for wrong in [&b"these byte"[..], b"these bytes!", b"those bytes", b""] {
            assert_eq!(reason(jobs.send(&upload, wrong).await), "SANDBOX_MISMATCH");
        }
        let mut forged = upload.clone();
        forged.fields.iter_mut().find(|field| field.name == "size").unwrap().value = "5".into();
        assert_eq!(reason(jobs.send(&forged, b"these").await), "FORBIDDEN");
        assert!(jobs.announce("alice", b"these bytes").await.unwrap().upload.is_some());
        let files = std::fs::read_dir(jobs.directory.path().join(".incoming")).unwrap().count();
        assert_eq!(files, 0, "nothing is left of them");
        let without_form = stream::iter([pb::UploadSandboxRequest { piece: Some(Up::Data(vec![1])) }]);
        assert_eq!(reason(jobs.sandboxes.clone().upload_sandbox(without_form).await), "INVALID_FIELD");
    }

    async fn announcements_that_make_no_sense_are_refused(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        type Change = fn(&mut pb::InitiateSandboxUploadRequest);
        let changes: [(Change, &str); 7] = [
            (|request| request.checksum.truncate(63), "INVALID_FIELD"),
            (|request| request.checksum = "+f".repeat(32), "INVALID_FIELD"),
            (|request| request.checksum_algorithm = 0, "INVALID_FIELD"),
            (|request| request.format = 9, "INVALID_FIELD"),
            (|request| request.size_bytes = 0, "INVALID_FIELD"),
            (|request| request.size_bytes = 104_857_601, "SANDBOX_TOO_LARGE"),
            (|request| request.job_id = Some(99), "FORBIDDEN"),
        ];
        for (change, expected) in changes {
            let mut request = announcement(b"x");
            change(&mut request);
            let answer = jobs.sandboxes.clone().initiate_sandbox_upload(jobs.request("alice", request)).await;
            assert_eq!(reason(answer), expected);
        }
        let mut largest = announcement(b"x");
        largest.size_bytes = 104_857_600;
        jobs.sandboxes.clone().initiate_sandbox_upload(jobs.request("alice", largest)).await.unwrap();
        for who in ["carol", "petra", "no_properties"] {
            assert_eq!(reason(jobs.announce(who, b"x").await), "FORBIDDEN", "{who}");
        }
    }

    async fn sandboxes_are_downloaded_by_their_owner_only(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let pfn = jobs.uploads("alice", b"of alice").await;
        let refused = jobs.locate("bob", &pfn).await.unwrap_err();
        assert_eq!(refused.message(), "Invalid PFN. PFN must start with /S3/sandboxes/alpha/alpha_user/bob/");
        for who in ["dave", "petra", "no_properties"] {
            assert_eq!(reason(jobs.locate(who, &pfn).await), "FORBIDDEN", "{who}");
        }
        jobs.locate("carol", &pfn).await.unwrap();
        let unknown = pfn.replace(&announcement(b"of alice").checksum, &"0".repeat(64));
        assert_eq!(jobs.locate("alice", &unknown).await.unwrap_err().message(), "alice is not the owner of the sandbox");
        let told = jobs.locate("carol", &unknown).await.unwrap_err();
        assert_eq!(told.message(), format!("Sandbox with {} and SandboxSE not found", short(&unknown)));
        assert_eq!(reason(jobs.locate("alice", "SB:SandboxSE|/etc/passwd").await), "INVALID_FIELD");
    }

    async fn sandboxes_are_assigned_to_jobs_of_their_owner(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let (mine, bobs) = (jobs.uploads("alice", b"mine").await, jobs.uploads("bob", b"his").await);
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let other = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let unknown = mine.replace(&announcement(b"mine").checksum, &"0".repeat(64));
        let asked = [
            (job, mine.as_str(), OUTPUT),
            (job, &mine, INPUT),
            (job, &mine, OUTPUT),
            (other, &mine, OUTPUT),
            (other, &bobs, OUTPUT),
            (other, &unknown, OUTPUT),
        ];
        let outcomes = jobs.assign("alice", &asked).await.unwrap();
        assert_eq!(outcomes, ["", "", "SANDBOX_ALREADY_ASSIGNED", "", "FORBIDDEN", "SANDBOX_NOT_FOUND"]);
        assert_eq!(jobs.assign("alice", &asked[..1]).await.unwrap(), ["SANDBOX_ALREADY_ASSIGNED"]);
        assert_eq!(reason(jobs.assign("bob", &[(job, &bobs, OUTPUT)]).await), "FORBIDDEN");
        assert_eq!(jobs.assign("petra", &[(other, &bobs, OUTPUT)]).await.unwrap(), ["FORBIDDEN"], "not even by the pilot");
        assert_eq!(jobs.assign("carol", &[(other, &bobs, OUTPUT), (999, &bobs, OUTPUT)]).await.unwrap(), ["", "JOB_NOT_FOUND"]);
        let found = jobs.sandboxes_of("alice", job).await.unwrap();
        assert_eq!(found, (vec![short(&mine)], vec![short(&mine)]));
        assert_eq!(jobs.sandboxes_of("alice", other).await.unwrap().1, [short(&mine), short(&bobs)]);
        assert_eq!(reason(jobs.sandboxes_of("bob", job).await), "FORBIDDEN");
        assert_eq!(reason(jobs.sandboxes_of("carol", 999).await), "JOB_NOT_FOUND");
    }

    async fn a_sandbox_is_free_when_its_last_job_lets_it_go_whatever_the_others_do(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let (shared, single) = (jobs.uploads("alice", b"shared").await, jobs.uploads("alice", b"single").await);
        let first = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let second = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let asked = [(first, shared.as_str(), INPUT), (first, &single, OUTPUT), (second, &shared, INPUT)];
        assert_eq!(jobs.assign("alice", &asked).await.unwrap(), ["", "", ""]);
        assert_eq!(reason(jobs.unassign("bob", &[first]).await), "FORBIDDEN");
        jobs.unassign("alice", &[first]).await.unwrap();
        jobs.unassign("alice", &[first]).await.unwrap();
        assert_eq!(jobs.sandboxes_of("alice", first).await.unwrap(), (vec![], vec![]));
        assert_eq!(jobs.sandboxes_of("alice", second).await.unwrap().0, [short(&shared)]);
        let sandboxes = &jobs.databases.sandbox_metadata_db;
        let assigned = "SELECT CAST(Assigned AS CHAR(1)) AS cell FROM sb_SandBoxes ORDER BY SBId";
        assert_eq!(cells(sandboxes, assigned).await, ["1", "0"]);
    }

    async fn bytes_that_are_lost_may_come_again_assigned_or_not(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let (assigned, free) = (jobs.uploads("alice", b"assigned").await, jobs.uploads("alice", b"free").await);
        assert_eq!(jobs.assign("alice", &[(job, &assigned, OUTPUT)]).await.unwrap(), [""]);
        std::fs::remove_dir_all(jobs.directory.path().join("sandboxes")).unwrap();
        for (bytes, pfn) in [(&b"assigned"[..], &assigned), (b"free", &free)] {
            assert_eq!(&jobs.uploads("alice", bytes).await, pfn);
            assert!(jobs.announce("alice", bytes).await.unwrap().upload.is_none());
            assert_eq!(jobs.fetch(&jobs.locate("alice", pfn).await.unwrap()).await.unwrap(), bytes);
        }
    }

    async fn names_that_the_table_of_owners_does_not_hold_are_refused_everywhere(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let upload = || {
            let request = pb::InitiateSandboxUploadRequest { job_id: Some(job), ..announcement(b"output") };
            let request = jobs.component_request("local-executor", request);
            let mut client = jobs.sandboxes.clone();
            async move { client.initiate_sandbox_upload(request).await }
        };
        for (column, name, most) in [("Owner", "user", 32), ("OwnerGroup", "group", 32)] {
            let set = |length: usize| format!("UPDATE Jobs SET {column} = '{}' WHERE JobID = {job}", "x".repeat(length));
            execute(&jobs.databases.job_db, &set(most + 1)).await;
            let refused = upload().await.unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument);
            assert_eq!(refused.message(), format!("owner: the name of the {name} has more than {most} characters"));
            execute(&jobs.databases.job_db, &set(most)).await;
            upload().await.unwrap();
        }
    }

    async fn many_who_announce_the_same_at_once_all_succeed(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let answers = join_all((0..16).map(|_| jobs.announce("alice", b"the same"))).await;
        let forms = answers.into_iter().map(|answer| answer.unwrap().upload.unwrap());
        let uploads: Vec<_> = forms.collect();
        for sent in join_all(uploads.iter().map(|upload| jobs.send(upload, b"the same"))).await {
            sent.unwrap();
        }
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let pfn = jobs.announce("alice", b"the same").await.unwrap().pfn;
        let asked = [(job, pfn.as_str(), OUTPUT)];
        let outcomes = join_all((0..8).map(|_| jobs.assign("alice", &asked))).await;
        let made = outcomes.into_iter().filter(|outcome| outcome.as_ref().unwrap()[0].is_empty()).count();
        assert_eq!(made, 1);
    }

    async fn owners_with_several_rows_of_old_own_what_any_row_owns(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let pfn = jobs.uploads("alice", b"old").await;
        for statement in [
            "CREATE TABLE sb_Old (OwnerId INTEGER PRIMARY KEY, Owner VARCHAR(32), OwnerGroup VARCHAR(32), VO VARCHAR(64))",
            "INSERT INTO sb_Old SELECT * FROM sb_Owners",
            "INSERT INTO sb_Old SELECT OwnerID + 10, Owner, OwnerGroup, VO FROM sb_Owners",
            "DROP TABLE sb_Owners",
            "ALTER TABLE sb_Old RENAME TO sb_Owners",
            "UPDATE sb_SandBoxes SET OwnerId = OwnerId + 10",
        ] {
            execute(&jobs.databases.sandbox_metadata_db, statement).await;
        }
        jobs.locate("alice", &pfn).await.unwrap();
        jobs.uploads("alice", b"new").await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        assert_eq!(jobs.assign("alice", &[(job, &pfn, OUTPUT)]).await.unwrap(), [""]);
    }

    async fn who_runs_a_job_uploads_for_its_owner(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
        let request = pb::InitiateSandboxUploadRequest { job_id: Some(job), ..announcement(b"output") };
        let by_pilot = jobs.sandboxes.clone().initiate_sandbox_upload(jobs.request("petra", request.clone())).await;
        let by_executor = jobs
            .sandboxes
            .clone()
            .initiate_sandbox_upload(jobs.component_request("local-executor", request.clone()))
            .await;
        for answer in [by_pilot, by_executor] {
            assert!(answer.unwrap().into_inner().pfn.contains("/alpha/alpha_user/alice/"));
        }
        let by_bob = jobs.sandboxes.clone().initiate_sandbox_upload(jobs.request("bob", request)).await;
        assert_eq!(reason(by_bob), "FORBIDDEN");
        let unnamed = jobs.component_request("local-executor", announcement(b"output"));
        assert_eq!(reason(jobs.sandboxes.clone().initiate_sandbox_upload(unnamed).await), "INVALID_FIELD");
    }

    async fn sandboxes_that_a_description_names_are_the_jobs_from_the_beginning(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let (mine, bobs) = (jobs.uploads("alice", b"mine").await, jobs.uploads("bob", b"his").await);
        let jdl = format!(r#"Executable = "/bin/cat"; InputSandbox = {{"a.txt", "{mine}", "{bobs}", "{mine}"}};"#);
        for job in jobs.submit("alice", &[jdl.as_str(), jdl.as_str()]).await.unwrap() {
            assert_eq!(jobs.sandboxes_of("alice", job).await.unwrap(), (vec![short(&mine)], vec![]));
        }
        let single = format!(r#"Executable = "/bin/cat"; InputSandbox = "{mine}";"#);
        let job = jobs.submit("alice", &[single.as_str()]).await.unwrap()[0];
        assert_eq!(jobs.sandboxes_of("alice", job).await.unwrap().0, [short(&mine)]);
    }
}

/// Where the database gives numbers again that were not committed after all.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_job_has_no_sandbox_of_one_that_a_crash_undid() {
    let jobs = Jobs::start(TestDatabase::sqlite()).await;
    let (undone, shared) = (jobs.uploads("alice", b"undone").await, jobs.uploads("alice", b"shared").await);
    let before = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
    assert_eq!(jobs.assign("alice", &[(before, &shared, INPUT)]).await.unwrap(), [""]);
    // What a crash leaves that comes between the commits of the two databases.
    for pfn in [&undone, &shared] {
        let left = format!(
            "INSERT INTO sb_EntityMapping SELECT SBId, 'Job:{}', 'Input' FROM sb_SandBoxes WHERE SEPFN = '{}';
             UPDATE sb_SandBoxes SET Assigned = 1",
            before + 1,
            short(pfn)
        );
        execute(&jobs.databases.sandbox_metadata_db, &left).await;
    }
    let job = jobs.submit("bob", &[HELLO]).await.unwrap()[0];
    assert_eq!(job, before + 1, "the number that was given twice");
    assert_eq!(jobs.sandboxes_of("bob", job).await.unwrap(), (vec![], vec![]));
    let assigned = "SELECT CAST(Assigned AS CHAR(1)) AS cell FROM sb_SandBoxes ORDER BY SBId";
    assert_eq!(cells(&jobs.databases.sandbox_metadata_db, assigned).await, ["0", "1"]);
}

/// Somebody assigns the sandbox to another job while its only job lets it go.
#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_is_assigned_while_its_last_job_lets_it_go_stays_assigned_on_mariadb() {
    let jobs = Jobs::start(TestDatabase::mariadb()).await;
    let pfn = jobs.uploads("alice", b"wanted").await;
    let job = jobs.submit("alice", &[HELLO]).await.unwrap()[0];
    assert_eq!(jobs.assign("alice", &[(job, &pfn, INPUT)]).await.unwrap(), [""]);
    let mut other = connection(&jobs.databases.sandbox_metadata_db).await;
    let assigning = format!(
        "BEGIN; SELECT SBId FROM sb_SandBoxes WHERE SBId = 1 FOR UPDATE;
         INSERT INTO sb_EntityMapping (SBId, EntityId, Type) VALUES (1, 'Job:{}', 'Input');
         UPDATE sb_SandBoxes SET Assigned = 1 WHERE SBId = 1",
        job + 1
    );
    other.batch_execute(&assigning).await.unwrap();
    let ids = [job];
    let (unassigned, ()) = tokio::join!(jobs.unassign("alice", &ids), async {
        waits_for_lock(&jobs.databases.sandbox_metadata_db, "sb_SandBoxes").await;
        other.batch_execute("COMMIT").await.unwrap();
    });
    unassigned.unwrap();
    let assigned = "SELECT CAST(Assigned AS CHAR(1)) AS cell FROM sb_SandBoxes";
    assert_eq!(cells(&jobs.databases.sandbox_metadata_db, assigned).await, ["1"]);
}
