//! The servers that are measured, and the rows that come of it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, bail, ensure};

use crate::{
    Arguments,
    diracx::{self, Diracx},
    load::{self, CONNECTIONS, Run},
    place::Place,
    processes,
    record::Recording,
    replay,
    report::Row,
    requests::{Ask, Face, Jobs, Measure},
    seed::{self, OWNER},
    server::{Server, log_in},
    statistics::Figures,
    uvicorn::Uvicorn,
    workers::{Grpc, Rest, Scene},
};

/// What DiracX's server came to in this run, by the request's name.
pub(crate) type Known = BTreeMap<&'static str, Diracx>;

/// Servers that are ready to be measured.
pub(crate) struct Bench<'a> {
    arguments: &'a Arguments,
    place: &'a Place,
    /// Ours.
    pub(crate) server: Server,
    diracx: Option<Uvicorn>,
    database: Option<u32>,
    pub(crate) user: Scene,
    administrator: Scene,
}

impl<'a> Bench<'a> {
    /// Logs people in to ours.
    pub(crate) async fn new(
        arguments: &'a Arguments,
        place: &'a Place,
        server: Server,
        diracx: Option<Uvicorn>,
    ) -> Result<Self> {
        let tokens = log_in(&server.url(), OWNER, "user").await?;
        let owned = seed::owned(arguments.jobs);
        ensure!(owned.len() >= 25, "too few jobs");
        let jobs = Jobs::new(owned);
        let user = Scene { address: server.address.clone(), tokens, jobs, filled: arguments.jobs };
        let tokens = log_in(&server.url(), "carol", "admin").await?;
        let administrator = Scene { tokens, ..user.clone() };
        let database = place.mysql_port().and_then(processes::listener);
        Ok(Self { arguments, place, server, diracx, database, user, administrator })
    }

    /// Measures and prints one row. Did every request to ours succeed?
    ///
    /// DiracX comes first, so that its tables are never fuller than ours.
    pub(crate) async fn row(
        &self,
        measure: &Measure,
        recording: Option<&Recording>,
        known: &mut Known,
    ) -> Result<bool> {
        if let Some(diracx) = self.diracx.as_ref().filter(|_| measure.face == Face::Rest) {
            let figures = self.figures(measure, &diracx.addresses, || diracx.cpu_time()).await;
            let figures = figures.map_or_else(
                |problem| {
                    eprintln!("DiracX cannot serve {}: {problem:#}", measure.name);
                    Diracx::Failed
                },
                Diracx::Measured,
            );
            known.insert(measure.name, figures);
        }
        let cpu = || processes::cpu_time(self.server.process());
        let ours = match self.figures(measure, std::slice::from_ref(&self.server.address), cpu).await {
            Ok(ours) => ours,
            Err(problem) => {
                println!("| {} | failed: {problem:#} |", measure.name);
                return Ok(false);
            }
        };
        let bare = match recording {
            Some(recording) => self.bare(measure, recording).await?,
            None => None,
        };
        let diracx = known.get(measure.name).cloned();
        let row = Row {
            name: measure.name,
            ours,
            bare,
            diracx: diracx.unwrap_or_else(|| diracx::constant(measure.name)),
            targets: diracx::targets(measure.name),
        };
        println!("{}", row.line());
        Ok(true)
    }

    /// What the server at these addresses comes to; an error if a request failed. `cpu` tells the processor time
    /// that it has used.
    async fn figures(
        &self,
        measure: &Measure,
        addresses: &[String],
        cpu: impl Fn() -> Option<Duration>,
    ) -> Result<Figures> {
        let mut used = Vec::new();
        let mark = || used.push((cpu(), self.database.and_then(processes::cpu_time)));
        let run = self.load(measure, addresses, mark).await?;
        if let Some((problem, count)) = run.failed {
            bail!("for {count} of {CONNECTIONS} clients: {problem}");
        }
        let [before, after] = used[..] else { bail!("the run had no end") };
        let used = |before: Option<Duration>, after: Option<Duration>| Some(after?.saturating_sub(before?));
        Ok(run.summary.figures(used(before.0, after.0), used(before.1, after.1)))
    }

    /// The connections are dealt out evenly.
    async fn load(&self, measure: &Measure, addresses: &[String], mark: impl FnMut()) -> Result<Run> {
        let scene = if measure.ask.as_administrator() { &self.administrator } else { &self.user };
        let scenes = addresses.iter().cycle().take(CONNECTIONS);
        let scenes = scenes.map(|address| Scene { address: address.clone(), ..scene.clone() });
        match measure.face {
            Face::Rest => {
                let mut workers = Vec::new();
                for mut scene in scenes {
                    if measure.ask == Ask::Refresh {
                        // A refresh token is good once, so everybody needs a chain of their own.
                        scene.tokens = log_in(&self.server.url(), OWNER, "user").await?;
                    }
                    workers.push(Rest::new(scene, measure.ask).await?);
                }
                load::run(workers, self.arguments.length(), mark).await
            }
            Face::Grpc => {
                let workers = scenes.map(|scene| Grpc::new(scene, measure.ask));
                load::run(workers.collect::<Result<_>>()?, self.arguments.length(), mark).await
            }
        }
    }

    /// The statements by themselves, per second. What cannot be replayed is told and left out.
    async fn bare(&self, measure: &Measure, recording: &Recording) -> Result<Option<f64>> {
        let length = self.arguments.length() / 2;
        let run = replay::run(self.place.backend, measure.ask, recording, &self.user.jobs, length).await?;
        if let Some((problem, _)) = run.failed {
            eprintln!("the statements of {} cannot be replayed: {problem}", measure.name);
            return Ok(None);
        }
        Ok(Some(run.summary.per_second))
    }
}
