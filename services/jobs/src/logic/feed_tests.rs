//! The feed against a database of its own making: transactions that take numbers and commit them later, in any order,
//! or never; a reader; and a stream that breaks at any point and is taken up again.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_missing_number_holds_the_token_until_it_appears() {
    let mut numbers = Numbers::behind(0);
    for number in [1, 2, 4, 5] {
        assert!(numbers.see(number, at(0)));
    }
    assert_eq!((numbers.settled(), numbers.last(), numbers.is_complete()), (2, 5, false));
    assert!(!numbers.see(4, at(1)), "seen already");
    assert!(numbers.see(3, at(1)));
    assert_eq!((numbers.settled(), numbers.is_complete()), (5, true));
    assert_eq!(numbers.missing_for(at(0), at(9)), None);
}

#[test]
fn a_missing_number_is_given_up_when_it_is_old_and_nothing_lives_that_could_bring_it() {
    let mut numbers = Numbers::behind(0);
    numbers.see(2, at(0));
    numbers.see(4, at(5_000));
    assert_eq!(numbers.missing_for(at(1_000), at(999)), None);
    assert_eq!(numbers.missing_for(at(1_000), at(1_000)), Some(2));
    numbers.give_up(2, &BTreeSet::from([1]));
    assert_eq!(numbers.settled(), 0, "it lives");
    numbers.give_up(2, &BTreeSet::from([2]));
    assert_eq!(numbers.settled(), 2, "2 was seen, 1 is given up; 3 is young");
    assert_eq!(numbers.missing_for(at(1_000), at(6_000)), Some(4));
    numbers.give_up(4, &BTreeSet::new());
    assert_eq!((numbers.settled(), numbers.last()), (4, 4));
    assert!(!numbers.see(3, at(7_000)));
}

#[test]
fn age_is_known_although_numbers_come_without_a_pause() {
    let mut numbers = Numbers::behind(0);
    for step in 0..1_000 {
        numbers.see(i64::try_from(step).unwrap() + 2, at(step * 10));
    }
    let old = numbers.missing_for(at(5_000), at(10_000)).unwrap();
    assert!((400..=520).contains(&old), "{old}");
}

#[test]
fn tokens_read_back_and_others_do_not() {
    for token in [
        ResumeToken { behind: 0, snapshot_behind: None },
        ResumeToken { behind: 17, snapshot_behind: Some(JobId(3)) },
    ] {
        assert_eq!(ResumeToken::read(&token.write()), Some(token));
    }
    for wrong in
        ["feed:-1", "feed:", "feed:1:", "feed:1:x", "feed:9223372036854775807", "skip:3", "feed:1:2:3"]
    {
        assert_eq!(ResumeToken::read(&URL_SAFE_NO_PAD.encode(wrong)), None, "{wrong}");
    }
    assert_eq!(ResumeToken::read("feed:1"), None);
}

/// What may happen next.
#[derive(Debug, Clone)]
enum Step {
    /// A transaction changes this job: it waits for the job's lock, then takes so many numbers, all for this job.
    Begin { job: u8, events: u8 },
    /// One of the open transactions ends.
    End { which: prop::sample::Index, commit: bool },
    /// The reader looks.
    Look,
    /// Time passes.
    Pass { millis: u16 },
    /// The stream takes what the reader told.
    Receive,
    /// The stream breaks and is taken up with its last token.
    Break,
    /// The stream was too slow: what the reader told is lost, and it reads the table itself.
    Lag,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..6, 1u8..4).prop_map(|(job, events)| Step::Begin { job, events }),
        4 => (any::<prop::sample::Index>(), prop::bool::weighted(0.7))
            .prop_map(|(which, commit)| Step::End { which, commit }),
        4 => Just(Step::Look),
        2 => (0u16..2_000).prop_map(|millis| Step::Pass { millis }),
        3 => Just(Step::Receive),
        1 => Just(Step::Break),
        1 => Just(Step::Lag),
    ]
}

const PATIENCE: Duration = Duration::from_millis(1_500);

/// A database, a reader and a stream.
struct World {
    next: i64,
    open: Vec<(u8, Vec<i64>)>,
    table: BTreeMap<i64, u8>,
    now: Duration,
    numbers: Numbers,
    /// Told and not yet received: events, and what is settled with them.
    told: Vec<(Vec<i64>, i64)>,
    position: Position,
    /// What the client got on the present connection, and on all.
    here: Vec<i64>,
    got: BTreeSet<i64>,
}

impl World {
    fn new() -> Self {
        Self {
            next: 1,
            open: Vec::new(),
            table: BTreeMap::new(),
            now: Duration::ZERO,
            numbers: Numbers::behind(0),
            told: Vec::new(),
            position: Position::default(),
            here: Vec::new(),
            got: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Begin { job, events } => {
                if self.open.iter().all(|(locked, _)| locked != job) {
                    let numbers = (0..i64::from(*events)).map(|n| self.next + n).collect();
                    self.next += i64::from(*events);
                    self.open.push((*job, numbers));
                }
            }
            Step::End { which, commit } => {
                if !self.open.is_empty() {
                    let (job, numbers) = self.open.swap_remove(which.index(self.open.len()));
                    if *commit {
                        self.table.extend(numbers.into_iter().map(|number| (number, job)));
                    }
                }
            }
            Step::Look => self.look(),
            Step::Pass { millis } => self.now += at(u64::from(*millis)),
            Step::Receive => {
                for (events, settled) in std::mem::take(&mut self.told) {
                    self.deliver(&events);
                    self.position.settle(settled);
                }
            }
            Step::Break => {
                self.here.clear();
                self.position = Position::behind(self.position.settled());
                self.catch_up();
            }
            Step::Lag => self.catch_up(),
        }
    }

    fn look(&mut self) {
        let new: Vec<i64> = self.table.range(self.numbers.last() + 1..).map(|(number, _)| *number).collect();
        let between = self.numbers.settled() + 1..=self.numbers.last().max(self.numbers.settled() + 1);
        let mut events: Vec<i64> = self.table.range(between).map(|(number, _)| *number).collect();
        events.extend(new);
        events.retain(|number| self.numbers.see(*number, self.now));
        if let Some(limit) = self.numbers.missing_for(PATIENCE, self.now) {
            let living = self.open.iter().flat_map(|(_, numbers)| numbers).copied().collect();
            self.numbers.give_up(limit, &living);
        }
        self.told.push((events, self.numbers.settled()));
    }

    /// As a stream does that begins, or that lost what the reader told.
    fn catch_up(&mut self) {
        self.told.clear();
        let (settled, last) = (self.numbers.settled(), self.numbers.last());
        let events: Vec<i64> = self
            .table
            .range(self.position.settled() + 1..)
            .map(|(number, _)| *number)
            .take_while(|number| *number <= last)
            .collect();
        self.deliver(&events);
        self.position.settle(settled);
    }

    fn deliver(&mut self, events: &[i64]) {
        for number in events {
            if self.position.tell(*number) {
                self.here.push(*number);
                self.got.insert(*number);
            }
        }
    }

    fn check_order(&self) -> Result<(), TestCaseError> {
        let mut newest: BTreeMap<u8, i64> = BTreeMap::new();
        for number in &self.here {
            let before = newest.insert(self.table[number], *number);
            prop_assert!(before < Some(*number), "{before:?} and then {number} of the same job");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_committed_event_is_told_and_those_of_a_job_in_their_order(
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            world.check_order()?;
            let settled = world.position.settled();
            let untold: Vec<_> = world.table.range(..=settled).filter(|(n, _)| !world.got.contains(n)).collect();
            prop_assert!(untold.is_empty(), "the token {settled} passed {untold:?}");
            let coming: Vec<_> = world.open.iter().flat_map(|(_, n)| n).filter(|n| **n <= settled).collect();
            prop_assert!(coming.is_empty(), "the token {settled} passed {coming:?}, which may appear");
        }
        world.open.clear();
        for step in [Step::Look, Step::Pass { millis: 2_000 }, Step::Look, Step::Receive] {
            world.step(&step);
        }
        world.check_order()?;
        prop_assert!(world.table.keys().eq(&world.got), "{:?} instead of {:?}", world.got, world.table.keys());
        prop_assert_eq!(world.position.settled(), world.numbers.last(), "nothing holds the token for ever");
    }
}
