//! Clients of a control plane: they write into Galera and Redis through their virtual addresses, publish to RabbitMQ and consume
//! from it, all the while, and know what was acknowledged.

mod galera;
mod rabbitmq;
mod redis;
mod writer;

pub use galera::{ADDRESS as GALERA, Galera};
pub use redis::Redis;

use crate::lab::Lab;
use anyhow::{Context, Result, ensure};
use rabbitmq::{Consumer, Publisher};
use std::{collections::BTreeSet, time::Duration};
use writer::{Writer, Written};

/// How long messages may take to reach the consumer once all is well.
const DELIVERED_WITHIN: Duration = Duration::from_secs(60);

/// The clients at work.
pub struct Clients {
    galera: Writer,
    redis: Writer,
    publisher: Writer,
    consumer: Consumer,
}

/// What they got written.
pub struct Work {
    /// Into the database.
    pub galera: Written,
    /// Into Redis.
    pub redis: Written,
    /// To RabbitMQ.
    pub published: Written,
    consumer: Consumer,
}

impl Clients {
    /// Starts them, on an empty table, set and queue.
    ///
    /// # Errors
    /// If these cannot be made.
    pub fn start(lab: &Lab) -> Result<Self> {
        let galera = Galera::emptied(lab).context("cannot make the table")?;
        let redis = Redis::emptied().context("cannot empty the set in Redis")?;
        let publisher = Publisher::new(lab).context("cannot make the queue")?;
        Ok(Clients {
            consumer: Consumer::start(lab)?,
            galera: Writer::start(galera),
            redis: Writer::start(redis),
            publisher: Writer::start(publisher),
        })
    }

    /// Waits until each gets something written.
    ///
    /// # Errors
    /// If one does not in time.
    pub fn wait_for_more(&self, patience: Duration) -> Result<()> {
        self.galera.wait_for_more(patience).context("Galera does not take writes any more")?;
        self.redis.wait_for_more(patience).context("Redis does not take writes any more")?;
        self.publisher.wait_for_more(patience).context("RabbitMQ does not take messages any more")
    }

    /// Ends the writers.
    pub fn stop(self) -> Work {
        Work {
            galera: self.galera.stop(),
            redis: self.redis.stop(),
            published: self.publisher.stop(),
            consumer: self.consumer,
        }
    }
}

impl Work {
    /// Makes sure that what was acknowledged is there: every row on every node, every member of the set that all copies of Redis
    /// had, every message at the consumer.
    ///
    /// Redis promises nothing more: its copies follow later, and what the promoted one took last is lost with it.
    ///
    /// # Errors
    /// If something is lost.
    pub fn check(self, lab: &Lab) -> Result<()> {
        for node in lab.nodes()? {
            let kept = Galera::rows(lab, &node.name)?;
            nothing_lost(&self.galera.promised, &kept)
                .with_context(|| format!("of the rows on {}", node.name))?;
        }
        let kept = Redis::members()?;
        nothing_lost(&self.redis.promised, &kept).context("of what every Redis had")?;
        let n_lost = self.redis.hoped.difference(&kept).count();
        if n_lost > 0 {
            println!("          Redis lost {n_lost} writes that its copies did not have yet");
        }
        self.consumer.wait_for(&self.published.promised, DELIVERED_WITHIN).context("of the messages")
    }
}

fn nothing_lost(promised: &BTreeSet<u64>, kept: &BTreeSet<u64>) -> Result<()> {
    let lost: Vec<_> = promised.difference(kept).collect();
    ensure!(lost.is_empty(), "{} of {} acknowledged writes are lost: {lost:?}", lost.len(), promised.len());
    Ok(())
}
