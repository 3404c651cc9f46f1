//! The priorities of task queues: how the share of a group is divided among its owners, and an owner's part among
//! their queues. Pure: from what is in the queues to what is to be written.

use std::collections::{BTreeMap, BTreeSet};

use diracx_core::config::Group;

/// No queue has a lower priority.
pub const MIN_SHARE: f64 = 0.001;

/// Queues whose jobs are not more urgent than this may wait until nothing else is to be done.
const BACKGROUND: f64 = 0.1;

/// The property of groups whose members work for each other.
const JOB_SHARING: &str = "JobSharing";

/// A priority is written only if it differs from the stored one by more than this part of it: DIRAC's column is a
/// `FLOAT`.
const TOLERANCE: f64 = 1e-6;

/// What the jobs of a queue demand, as far as it decides over its priority: queues that differ in their sites only
/// are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Demand {
    /// Seconds of CPU.
    pub cpu_time: i64,
    /// Values by the name of their table; a table without values is absent.
    pub values: BTreeMap<&'static str, BTreeSet<String>>,
}

/// A queue that has jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Its number.
    pub id: i64,
    /// Whose jobs it has.
    pub owner: String,
    /// What they demand.
    pub demand: Demand,
    /// How urgent they are on average: `RealPriority`.
    pub urgency: f64,
    /// The priority it has now.
    pub priority: f64,
}

/// What the configuration says of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupShare {
    /// To be divided; dimensionless.
    pub share: f64,
    /// Whether it is divided among the queues whatever their owner.
    pub shared: bool,
    /// Whether queues that are not urgent get the least share.
    pub background: bool,
}

impl From<&Group> for GroupShare {
    #[expect(clippy::cast_precision_loss, reason = "shares are small numbers")]
    fn from(group: &Group) -> Self {
        Self {
            share: group.job_share as f64,
            shared: group.has_property(JOB_SHARING),
            background: group.allow_background_tqs,
        }
    }
}

/// The priorities of all queues of a group, by the number of the queue.
///
/// The share is divided evenly among the owners that have jobs in queues (not at all if the group shares its jobs),
/// and an owner's part among their queues in proportion to the urgency of the jobs. Queues that differ in their sites
/// only get each what all of them got: a job may run at the sites of only one of them.
///
/// # Source
/// DiracX `logic/task_queues/priority.py`, `recalculate_tq_shares_for_entity` and `calculate_priority`.
pub fn priorities(queues: &[Queue], group: GroupShare) -> BTreeMap<i64, f64> {
    let mut entities: BTreeMap<&str, Vec<&Queue>> = BTreeMap::new();
    for queue in queues {
        let entity = if group.shared { "" } else { &queue.owner };
        entities.entry(entity).or_default().push(queue);
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of people")]
    let share = group.share / entities.len().max(1) as f64;
    entities.values().flat_map(|queues| of_entity(queues, share, group.background)).collect()
}

/// Those of [`priorities`] that differ from what the queues have now.
pub fn changes(queues: &[Queue], group: GroupShare) -> BTreeMap<i64, f64> {
    let mut priorities = priorities(queues, group);
    for queue in queues {
        let is_new = |new: &f64| (new - queue.priority).abs() > TOLERANCE * new.abs();
        if !priorities.get(&queue.id).is_some_and(is_new) {
            priorities.remove(&queue.id);
        }
    }
    priorities
}

fn of_entity(queues: &[&Queue], share: f64, background: bool) -> Vec<(i64, f64)> {
    let waits = |queue: &Queue| background && urgency(queue) <= BACKGROUND;
    let working = || queues.iter().filter(|queue| !waits(queue));
    let total: f64 = working().map(|queue| urgency(queue)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a number of queues")]
    let part = |queue: &Queue| {
        if waits(queue) {
            MIN_SHARE
        } else if total > 0.0 {
            // Divided first: a sum of large urgencies times a large share is no number any more.
            (urgency(queue) / total * share).max(MIN_SHARE)
        } else {
            // Nothing is urgent at all, so everything is equally.
            (share / working().count() as f64).max(MIN_SHARE)
        }
    };
    let mut alike: BTreeMap<(&str, &Demand), (f64, Vec<i64>)> = BTreeMap::new();
    for queue in queues {
        let (sum, ids) = alike.entry((&queue.owner, &queue.demand)).or_default();
        *sum += part(queue);
        ids.push(queue.id);
    }
    alike.into_values().flat_map(|(sum, ids)| ids.into_iter().map(move |id| (id, sum))).collect()
}

/// The urgency of a queue, whatever is stored there.
fn urgency(queue: &Queue) -> f64 {
    if queue.urgency.is_finite() { queue.urgency.clamp(0.0, 1e12) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_precision_loss, reason = "numbers of a test are small")]

    use proptest::prelude::*;

    use super::*;

    const GROUP: GroupShare = GroupShare { share: 1000.0, shared: false, background: false };

    fn demand(number: i64) -> Demand {
        Demand { cpu_time: number, ..Demand::default() }
    }

    fn queue(id: i64, owner: &str, number: i64, urgency: f64) -> Queue {
        Queue { id, owner: owner.into(), demand: demand(number), urgency, priority: 1.0 }
    }

    fn check(group: GroupShare, queues: &[Queue], expected: &[f64]) {
        let found: Vec<f64> = priorities(queues, group).into_values().collect();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
        }
    }

    #[test]
    fn an_owner_has_the_share_in_proportion_to_urgency() {
        let queues = [queue(1, "a", 1, 1.0), queue(2, "a", 2, 1.0), queue(3, "a", 3, 2.0)];
        check(GROUP, &queues, &[250.0, 250.0, 500.0]);
    }

    #[test]
    fn owners_have_equal_parts_unless_the_group_shares_its_jobs() {
        let queues = [queue(1, "a", 1, 1.0), queue(2, "b", 1, 1.0), queue(3, "b", 2, 2.0)];
        check(GROUP, &queues[..2], &[500.0, 500.0]);
        check(GROUP, &queues, &[500.0, 500.0 / 3.0, 1000.0 / 3.0]);
        check(GroupShare { shared: true, ..GROUP }, &queues, &[250.0, 250.0, 500.0]);
    }

    #[test]
    fn what_is_not_urgent_waits_where_the_group_allows_it() {
        let queues = [queue(1, "a", 1, 0.05), queue(2, "a", 2, 1.0)];
        check(GroupShare { background: true, ..GROUP }, &queues, &[MIN_SHARE, 1000.0]);
        check(GROUP, &queues, &[1000.0 * 0.05 / 1.05, 1000.0 / 1.05]);
    }

    #[test]
    fn queues_that_differ_in_sites_only_get_what_all_of_them_got() {
        check(GROUP, &[queue(1, "a", 1, 1.0), queue(2, "a", 1, 1.0)], &[1000.0, 1000.0]);
        // Not those of two owners, though they work for each other.
        let shared = GroupShare { shared: true, ..GROUP };
        check(shared, &[queue(1, "a", 1, 1.0), queue(2, "b", 1, 1.0)], &[500.0, 500.0]);
    }

    #[test]
    fn nothing_urgent_nothing_to_share_and_nonsense_are_borne() {
        check(GROUP, &[], &[]);
        check(GROUP, &[queue(1, "a", 1, 0.0), queue(2, "a", 2, 0.0)], &[500.0, 500.0]);
        check(GROUP, &[queue(1, "a", 1, f64::NAN), queue(2, "a", 2, -3.0)], &[500.0, 500.0]);
        check(GroupShare { share: 0.0, ..GROUP }, &[queue(1, "a", 1, 1.0)], &[MIN_SHARE]);
        check(GroupShare { share: -5.0, ..GROUP }, &[queue(1, "a", 1, 1.0)], &[MIN_SHARE]);
    }

    #[test]
    fn only_what_differs_is_changed() {
        let mut queues = [queue(1, "a", 1, 1.0), queue(2, "a", 2, 1.0)];
        queues[0].priority = f64::from(500.000_01_f32);
        assert_eq!(changes(&queues, GROUP), BTreeMap::from([(2, 500.0)]));
    }

    fn any_queues() -> impl Strategy<Value = Vec<Queue>> {
        let one = (0..4_usize, 0..3_i64, prop_oneof![0.0..10.0, Just(1e-5), Just(1e6), any::<f64>()]);
        prop::collection::vec(one, 0..20).prop_map(|queues| {
            (1..)
                .zip(queues)
                .map(|(id, (owner, number, urgency))| queue(id, ["a", "b", "c", "d"][owner], number, urgency))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn an_entity_gets_its_part_and_hardly_more(queues in any_queues(), shared: bool, background: bool) {
            let group = GroupShare { shared, background, ..GROUP };
            let priorities = priorities(&queues, group);
            prop_assert_eq!(priorities.len(), queues.len());
            let mut entities: BTreeMap<&str, Vec<&Queue>> = BTreeMap::new();
            for queue in &queues {
                entities.entry(if shared { "" } else { &queue.owner }).or_default().push(queue);
            }
            let part = group.share / entities.len().max(1) as f64;
            for queues in entities.values() {
                // What is alike counts once: each has the sum of all.
                let alike: BTreeMap<_, f64> =
                    queues.iter().map(|queue| ((&queue.owner, &queue.demand), priorities[&queue.id])).collect();
                let sum: f64 = alike.values().sum();
                let most = part + MIN_SHARE * queues.len() as f64;
                prop_assert!(sum <= most * (1.0 + 1e-9), "{sum} is more than {most}");
                let works = queues.iter().any(|queue| !background || urgency(queue) > BACKGROUND);
                prop_assert!(!works || sum >= part * (1.0 - 1e-9), "{sum} is less than {part}");
            }
        }

        #[test]
        fn every_priority_is_a_number_within_the_bounds(queues in any_queues(), share: i64, shared: bool, background: bool) {
            let share = share as f64;
            for priority in priorities(&queues, GroupShare { share, shared, background }).values() {
                prop_assert!(priority.is_finite() && *priority >= MIN_SHARE, "{priority}");
            }
        }

        #[test]
        fn the_order_of_the_queues_does_not_matter(queues in any_queues(), shared: bool, background: bool) {
            let group = GroupShare { shared, background, ..GROUP };
            let mut turned = queues.clone();
            turned.reverse();
            let (one, other) = (priorities(&queues, group), priorities(&turned, group));
            for (id, priority) in &one {
                prop_assert!((priority - other[id]).abs() <= 1e-9 * priority);
            }
        }

        #[test]
        fn what_was_written_is_not_changed_again(mut queues in any_queues(), shared: bool, background: bool) {
            let group = GroupShare { shared, background, ..GROUP };
            let written = priorities(&queues, group);
            for queue in &mut queues {
                queue.priority = written[&queue.id];
            }
            prop_assert_eq!(changes(&queues, group), BTreeMap::new());
        }
    }
}
