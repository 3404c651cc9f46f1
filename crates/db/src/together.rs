//! Calls that come while others are under way, done together.
//!
//! A statement for ten rows costs a server, and the way to it, hardly more than one for a single row. So callers who
//! want the same kind of thing share it: a call that comes alone goes at once, and those that come meanwhile make up
//! the next group. Nobody waits for company.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, Either, select},
    stream,
};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{
    error::{DbError, UnitError},
    unit::Deadline,
};

/// How many calls a group has at the most.
const MOST_IN_GROUP: usize = 64;

/// How many groups are under way at the same time: while one waits for the database, the next is prepared.
const GROUPS: usize = 2;

/// How long a caller without a deadline waits.
const PATIENCE: Duration = Duration::from_secs(60);

type Run<Q, A, E> = dyn Fn(Vec<Q>, Deadline) -> BoxFuture<'static, Result<Vec<A>, E>> + Send + Sync;

/// What does calls of one kind together.
pub struct Together<Q, A, E> {
    calls: mpsc::Sender<Call<Q, A, E>>,
}

struct Call<Q, A, E> {
    question: Q,
    deadline: Deadline,
    answer: oneshot::Sender<Result<A, E>>,
}

impl<Q, A, E> Together<Q, A, E>
where
    Q: Clone + Send + Sync + 'static,
    A: Send + 'static,
    E: UnitError,
{
    /// Does groups of calls with `run`, which answers each question in its place. If it fails for several, each of
    /// them is asked alone: what is wrong with one is nobody else's failure. So a group changes all or nothing.
    ///
    /// The deadline of a group is the last of its callers'.
    pub fn new<F>(run: F) -> Self
    where
        F: Fn(Vec<Q>, Deadline) -> BoxFuture<'static, Result<Vec<A>, E>> + Send + Sync + 'static,
    {
        let (calls, waiting) = mpsc::channel(1024);
        let (waiting, run): (_, Arc<Run<Q, A, E>>) = (Arc::new(Mutex::new(waiting)), Arc::new(run));
        for _ in 0..GROUPS {
            tokio::spawn(serve(Arc::clone(&waiting), Arc::clone(&run)));
        }
        Self { calls }
    }

    /// Asks, alone or together with others.
    ///
    /// # Errors
    /// What `run` fails with. A caller whose deadline passes is told so; what it asked for may still be done.
    pub async fn call(&self, deadline: Deadline, question: Q) -> Result<A, E> {
        let answered = async {
            let (answer, answered) = oneshot::channel();
            let sent = self.calls.send(Call { question, deadline, answer }).await;
            sent.map_err(|_| DbError::Panicked)?;
            answered.await.unwrap_or_else(|_| Err(DbError::Panicked.into()))
        };
        let patience = tokio::time::sleep(deadline.remaining(PATIENCE));
        match select(std::pin::pin!(answered), std::pin::pin!(patience)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(DbError::DeadlineExceeded.into()),
        }
    }
}

async fn serve<Q, A, E>(waiting: Arc<Mutex<mpsc::Receiver<Call<Q, A, E>>>>, run: Arc<Run<Q, A, E>>)
where
    Q: Clone + Send,
    A: Send,
    E: UnitError,
{
    let mut group = Vec::new();
    while waiting.lock().await.recv_many(&mut group, MOST_IN_GROUP).await > 0 {
        // Who has left is not served any more.
        group.retain(|call| !call.answer.is_closed());
        let (late, calls): (Vec<_>, Vec<_>) = group.drain(..).partition(|call| call.deadline.has_passed());
        for call in late {
            call.tell(Err(DbError::DeadlineExceeded.into()));
        }
        let questions: Vec<Q> = calls.iter().map(|call| call.question.clone()).collect();
        let deadline = last(calls.iter().map(|call| call.deadline));
        match ask(&*run, questions, deadline).await {
            Ok(answers) => calls.into_iter().zip(answers).for_each(|(call, answer)| call.tell(Ok(answer))),
            Err(error) if calls.len() == 1 => {
                calls.into_iter().zip([error]).for_each(|(call, e)| call.tell(Err(e)));
            }
            Err(_) => alone(&*run, calls).await,
        }
    }
}

impl<Q, A, E> Call<Q, A, E> {
    fn tell(self, answer: Result<A, E>) {
        // Nobody listening means the caller left; what was done is done all the same.
        let _ = self.answer.send(answer);
    }
}

/// Asks each question by itself.
async fn alone<Q, A, E: UnitError>(run: &Run<Q, A, E>, calls: Vec<Call<Q, A, E>>) {
    let answered = calls.into_iter().map(|Call { question, deadline, answer }| async move {
        let answers = ask(run, vec![question], deadline).await;
        let _ = answer.send(answers.and_then(|mut answers| answers.pop().ok_or(DbError::Panicked.into())));
    });
    stream::iter(answered).buffer_unordered(4).collect::<()>().await;
}

/// A panic is an error of those who asked, and does not end the service of others.
async fn ask<Q, A, E: UnitError>(
    run: &Run<Q, A, E>,
    questions: Vec<Q>,
    deadline: Deadline,
) -> Result<Vec<A>, E> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let run = AssertUnwindSafe(async { run(questions, deadline).await });
    run.catch_unwind().await.unwrap_or_else(|_| Err(DbError::Panicked.into()))
}

/// The last of the deadlines; none if somebody waits for ever.
fn last(deadlines: impl Iterator<Item = Deadline>) -> Deadline {
    let all: Option<Vec<_>> = deadlines.map(|deadline| deadline.0).collect();
    Deadline(all.and_then(|all| all.into_iter().max()))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;

    use super::*;

    /// Doubles numbers, a group for each permit, and notes the groups. Refuses negative numbers, panics at 13.
    struct Doubling {
        together: Arc<Together<i32, i32, DbError>>,
        permits: Arc<Semaphore>,
        groups: Arc<Mutex<Vec<Vec<i32>>>>,
    }

    impl Doubling {
        fn new() -> Self {
            let permits = Arc::new(Semaphore::new(0));
            let groups = Arc::<Mutex<Vec<Vec<i32>>>>::default();
            let (gate, noted) = (Arc::clone(&permits), Arc::clone(&groups));
            let together = Together::new(move |numbers: Vec<i32>, _| {
                let (gate, noted) = (Arc::clone(&gate), Arc::clone(&noted));
                async move {
                    noted.lock().unwrap().push(numbers.clone());
                    gate.acquire().await.unwrap().forget();
                    assert!(!numbers.contains(&13), "unlucky");
                    if numbers.iter().any(|number| *number < 0) {
                        return Err(DbError::Refused("negative".to_owned()));
                    }
                    Ok(numbers.iter().map(|number| 2 * number).collect())
                }
                .boxed()
            });
            Self { together: Arc::new(together), permits, groups }
        }

        /// Begins a call and waits until it is under way or in the queue.
        async fn begin(&self, number: i32) -> tokio::task::JoinHandle<Result<i32, DbError>> {
            let together = Arc::clone(&self.together);
            let (under_way, free) = (self.groups.lock().unwrap().len(), together.calls.capacity());
            let call = tokio::spawn(async move { together.call(Deadline::NONE, number).await });
            while self.groups.lock().unwrap().len() == under_way && self.together.calls.capacity() == free {
                tokio::task::yield_now().await;
            }
            call
        }

        /// Two groups that are under way, so that further calls wait.
        async fn busy(&self) -> Vec<tokio::task::JoinHandle<Result<i32, DbError>>> {
            let mut calls = Vec::new();
            for number in 1..=2 {
                calls.push(self.begin(number).await);
                while self.groups.lock().unwrap().len() < calls.len() {
                    tokio::task::yield_now().await;
                }
            }
            calls
        }
    }

    #[tokio::test]
    async fn who_comes_alone_goes_at_once_and_others_go_together() {
        let doubling = Doubling::new();
        let mut calls = doubling.busy().await;
        for number in 3..=7 {
            calls.push(doubling.begin(number).await);
        }
        doubling.permits.add_permits(3);
        for (call, number) in calls.into_iter().zip(1..) {
            assert_eq!(call.await.unwrap().unwrap(), 2 * number);
        }
        assert_eq!(*doubling.groups.lock().unwrap(), [vec![1], vec![2], vec![3, 4, 5, 6, 7]]);
    }

    #[tokio::test]
    async fn what_is_wrong_with_one_is_nobody_elses_failure() {
        for wrong in [-1, 13] {
            let doubling = Doubling::new();
            let mut calls = doubling.busy().await;
            for number in [3, wrong, 5] {
                calls.push(doubling.begin(number).await);
            }
            doubling.permits.add_permits(100);
            let mut answers = Vec::new();
            for call in calls {
                answers.push(call.await.unwrap().ok());
            }
            assert_eq!(answers, [Some(2), Some(4), Some(6), None, Some(10)]);
            assert_eq!(doubling.begin(8).await.await.unwrap().unwrap(), 16, "the service goes on");
        }
    }

    #[tokio::test]
    async fn a_caller_waits_until_its_deadline_and_is_not_served_afterwards() {
        let doubling = Doubling::new();
        let calls = doubling.busy().await;
        let late = doubling.together.call(Deadline::after(Duration::from_millis(20)), 3).await;
        assert!(matches!(late, Err(DbError::DeadlineExceeded)), "{late:?}");
        doubling.permits.add_permits(100);
        assert_eq!(doubling.begin(4).await.await.unwrap().unwrap(), 8);
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert!(!doubling.groups.lock().unwrap().concat().contains(&3));
    }

    #[test]
    fn a_group_has_time_until_the_last_deadline_of_its_callers() {
        let (soon, later) =
            (Deadline::after(Duration::from_secs(1)), Deadline::after(Duration::from_secs(9)));
        assert_eq!(last([soon, later, soon].into_iter()).0, later.0);
        assert_eq!(last([soon, Deadline::NONE].into_iter()).0, None);
    }
}
