//! What becomes of sandboxes.

use std::collections::{BTreeMap, BTreeSet};

use diracx_core::{
    JobId,
    sandbox::{LARGEST_SANDBOX, Pfn, SandboxOwner},
};
use diracx_proto::Invalid;

use crate::{
    Deps,
    bytes::{Announced, Form, hex},
    error::{Error, Result},
    policy::{AnnounceSandbox, AssignSandboxes, DownloadSandbox, ManageJobs, ReadJobs},
    store::sandbox::{Assignment, JobSandboxes, MayHave, NewSandbox, NotAssigned, SandboxType},
};

/// A sandbox as it is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its checksum.
    pub sha256: [u8; 32],
    /// Its size, packed, in bytes; at least 1.
    pub size: i64,
    /// The end of its name, such as `tar.zst`.
    pub format: &'static str,
}

/// Tells what the sandbox is called, and where it goes unless the store has it.
///
/// The store is asked between two transactions. That two calls ask for the same is harmless: both get a form.
pub async fn announce(
    deps: &Deps,
    permit: AnnounceSandbox,
    announcement: Announcement,
) -> Result<(Pfn, Option<Form>)> {
    let Announcement { sha256, size, format } = announcement;
    if size > LARGEST_SANDBOX {
        return Err(Error::SandboxTooLarge);
    }
    let settings = &deps.sandboxes;
    let owner = permit.into_owner();
    check_names(&owner)?;
    let pfn = Pfn::new(&settings.bucket, &owner, &format!("sha256:{}.{format}", hex(&sha256)))
        .map_err(|_| Invalid::field("owner", format!("no sandbox can be named after {}", owner.user)))?;
    let element = settings.storage_element.as_str();
    let now = deps.clock.now();
    let known = deps.store.sandbox(crate::deadline(), element, &pfn).await?;
    let there = match &known {
        // The bytes may have gone while somebody came to need them again. That the store is away matters only to who
        // has something to bring there.
        Some(known) if known.assigned => deps.bytes.has(&pfn).await.unwrap_or(true),
        Some(known) if !known.going => deps.bytes.has(&pfn).await?,
        _ => false,
    };
    if there {
        deps.store.touch_sandbox(crate::deadline(), element, &pfn, now).await?;
        return Ok((pfn, None));
    }
    let sandbox = NewSandbox { owner, pfn: pfn.clone(), size };
    deps.store.register_sandbox(crate::deadline(), element, sandbox, now).await?;
    let announced = Announced { pfn: pfn.clone(), size, sha256 };
    let form = deps.bytes.sign_upload(&announced, now, settings.url_validity)?;
    Ok((pfn, Some(form)))
}

/// Whether the table of owners holds these names, on every database.
fn check_names(owner: &SandboxOwner) -> Result<(), Invalid> {
    for (name, text, most) in [("user", &owner.user, 32), ("group", &owner.group, 32), ("VO", &owner.vo, 64)]
    {
        if text.chars().nth(most).is_some() {
            let problem = format!("the name of the {name} has more than {most} characters");
            return Err(Invalid::field("owner", problem));
        }
    }
    Ok(())
}

/// Where to download the sandbox.
pub async fn locate(deps: &Deps, permit: DownloadSandbox) -> Result<String> {
    let (settings, now) = (&deps.sandboxes, deps.clock.now());
    let element = settings.storage_element.as_str();
    deps.store.touch_sandbox(crate::deadline(), element, permit.pfn(), now).await?;
    Ok(deps.bytes.sign_download(permit.pfn(), now, settings.url_validity)?)
}

/// The sandboxes of jobs, in the order of the jobs.
pub async fn list(deps: &Deps, permit: ReadJobs) -> Result<Vec<(JobId, Result<JobSandboxes>)>> {
    let jobs = permit.into_jobs();
    let known = deps.store.ownerships(crate::deadline(), jobs.clone()).await?;
    let found = deps.store.sandboxes_of(crate::deadline(), jobs.clone()).await?;
    let of = |job: JobId| {
        if known.contains_key(&job) {
            Ok(found.get(&job).cloned().unwrap_or_default())
        } else {
            Err(Error::JobNotFound(job))
        }
    };
    Ok(jobs.into_iter().map(|job| (job, of(job))).collect())
}

/// Assigns sandboxes to jobs; one outcome for each assignment, in their order.
pub async fn assign(
    deps: &Deps,
    permit: AssignSandboxes,
    assignments: Vec<Assignment>,
) -> Result<Vec<(JobId, Result<()>)>> {
    let jobs: BTreeSet<JobId> = assignments.iter().map(|assignment| assignment.job).collect();
    let owned = deps.store.ownerships(crate::deadline(), jobs.into_iter().collect()).await?;
    let (mut asked, mut places) = (Vec::new(), Vec::new());
    let mut outcomes: Vec<(JobId, Result<()>)> = Vec::with_capacity(assignments.len());
    for assignment in assignments {
        let job = assignment.job;
        match owned.get(&job) {
            None => outcomes.push((job, Err(Error::JobNotFound(job)))),
            Some(job_owner) => {
                let may_have: MayHave =
                    (!permit.anybodys()).then(|| (job_owner.owner.clone(), job_owner.vo.clone()));
                places.push(outcomes.len());
                outcomes.push((job, Ok(())));
                asked.push((assignment, may_have));
            }
        }
    }
    if asked.is_empty() {
        return Ok(outcomes);
    }
    let element = deps.sandboxes.storage_element.as_str();
    let results = deps.store.assign_sandboxes(crate::deadline(), element, asked).await?;
    for (place, result) in places.into_iter().zip(results) {
        let (job, outcome) = &mut outcomes[place];
        *outcome = result.map_err(|refused| match refused {
            NotAssigned::Unknown => Error::NoSandboxToAssign,
            NotAssigned::Foreign => Error::ForeignSandbox(*job),
            NotAssigned::Already => Error::SandboxAlreadyAssigned,
        });
    }
    Ok(outcomes)
}

/// Ends all assignments of jobs, and gives the jobs back.
pub async fn unassign(deps: &Deps, permit: ManageJobs) -> Result<Vec<JobId>> {
    let jobs = permit.into_jobs();
    deps.store.unassign_sandboxes(crate::deadline(), jobs.clone()).await?;
    Ok(jobs)
}

/// The sandboxes that a description names as its input, with who their owner must be.
pub fn named_inputs(
    job: JobId,
    input_sandbox: &[String],
    owner: &SandboxOwner,
) -> Vec<(Assignment, MayHave)> {
    let named = input_sandbox.iter().filter(|name| name.trim_start().starts_with("SB:"));
    let pfns: BTreeSet<Pfn> = named.filter_map(|name| name.trim().parse().ok()).collect();
    let may_have = Some((owner.user.clone(), owner.vo.clone()));
    pfns.into_iter()
        .map(|pfn| (Assignment { job, pfn, kind: SandboxType::Input }, may_have.clone()))
        .collect()
}

/// What the tables say before assignments are made.
#[derive(Debug, Clone, Default)]
pub struct Current {
    /// The row and the owner of each sandbox that there is.
    pub sandboxes: BTreeMap<Pfn, (i64, SandboxOwner)>,
    /// The assignments that there are.
    pub mapped: BTreeSet<(i64, JobId, SandboxType)>,
}

/// Which assignments are made.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// Those with the rows of their sandboxes.
    pub mappings: Vec<(i64, &'a Assignment)>,
    /// What came of each.
    pub outcomes: Vec<Result<(), NotAssigned>>,
}

/// Decides each assignment in its turn, so that of two equal ones the second is there already.
pub fn plan_assignments<'a>(current: &Current, asked: &'a [(Assignment, MayHave)]) -> Plan<'a> {
    let mut mapped = current.mapped.clone();
    let mut plan = Plan { mappings: Vec::new(), outcomes: Vec::with_capacity(asked.len()) };
    for (assignment, may_have) in asked {
        let outcome = match current.sandboxes.get(&assignment.pfn) {
            None => Err(NotAssigned::Unknown),
            Some((_, owner)) if !is_permitted(may_have, owner) => Err(NotAssigned::Foreign),
            Some((row, _)) if !mapped.insert((*row, assignment.job, assignment.kind)) => {
                Err(NotAssigned::Already)
            }
            Some((row, _)) => {
                plan.mappings.push((*row, assignment));
                Ok(())
            }
        };
        plan.outcomes.push(outcome);
    }
    plan
}

fn is_permitted(may_have: &MayHave, owner: &SandboxOwner) -> bool {
    may_have.as_ref().is_none_or(|(user, vo)| *user == owner.user && *vo == owner.vo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pfn(user: &str, digit: &str) -> Pfn {
        format!("/S3/sandboxes/alpha/users/{user}/sha256:{}.tar.zst", digit.repeat(64)).parse().unwrap()
    }

    fn owner(user: &str, vo: &str) -> SandboxOwner {
        SandboxOwner { vo: vo.into(), group: "users".into(), user: user.into() }
    }

    #[test]
    fn each_assignment_is_judged_for_itself() {
        use NotAssigned::{Already, Foreign, Unknown};
        use SandboxType::{Input, Output};
        let (known, bobs, beta) = (pfn("alice", "a"), pfn("bob", "b"), pfn("alice", "c"));
        let current = Current {
            sandboxes: [
                (known.clone(), (1, owner("alice", "alpha"))),
                (bobs.clone(), (2, owner("bob", "alpha"))),
                (beta.clone(), (3, owner("alice", "beta"))),
            ]
            .into(),
            mapped: [(1, JobId(7), Output)].into(),
        };
        let alices = Some(("alice".to_owned(), "alpha".to_owned()));
        let ask = |pfn: &Pfn, job: i64, kind, may_have: &MayHave| {
            (Assignment { job: JobId(job), pfn: pfn.clone(), kind }, may_have.clone())
        };
        let asked = [
            ask(&known, 7, Output, &alices),
            ask(&known, 7, Input, &alices),
            ask(&known, 8, Output, &alices),
            ask(&known, 8, Output, &alices),
            ask(&pfn("alice", "d"), 8, Output, &alices),
            ask(&bobs, 8, Output, &alices),
            ask(&beta, 8, Output, &alices),
            ask(&bobs, 8, Output, &None),
        ];
        let plan = plan_assignments(&current, &asked);
        let expected =
            [Err(Already), Ok(()), Ok(()), Err(Already), Err(Unknown), Err(Foreign), Err(Foreign), Ok(())];
        assert_eq!(plan.outcomes, expected);
        let made: Vec<_> =
            plan.mappings.iter().map(|(row, made)| (*row, made.job.get(), made.kind)).collect();
        assert_eq!(made, [(1, 7, Input), (1, 8, Output), (2, 8, Output)]);
    }

    #[test]
    fn only_sandboxes_among_the_inputs_of_a_description_are_assigned() {
        let sandbox = pfn("alice", "a").with_storage_element("SandboxSE");
        let inputs =
            ["a.txt", "LFN:/alpha/b", &sandbox, &sandbox, "SB:SandboxSE|nonsense"].map(str::to_owned);
        let named = named_inputs(JobId(7), &inputs, &owner("alice", "alpha"));
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].0.pfn, pfn("alice", "a"));
        assert_eq!(named[0].1, Some(("alice".into(), "alpha".into())));
    }
}
