//! Advisory counters in KV. The reads and writes that [`AdvisoryCounters`] asks for happen after the answer.
//!
//! A component's cell travels as metadata of its key, so that one listing reads all of them.

use std::rc::Rc;

use core::time::Duration;

use worker::{Context, Delay, Env, kv::KvStore};

use super::bounded;
use crate::{background, clock, kv};
use edgegate::{
    base64url,
    error::StoreError,
    limit::{
        CounterGroup, Limit,
        advisory::{AdvisoryCounters, Job},
    },
};

/// Components of one caller that are read: as many isolates as any one caller reaches. KV lists 1,000 in one
/// operation.
const MAX_PAGES: usize = 5;

/// A random name for this isolate.
pub(crate) fn isolate_name() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::new("there is no randomness"))?;
    Ok(base64url::encode(&bytes))
}

/// Does what is due for these limits, after the answer.
pub(crate) fn work(
    counters: &Rc<AdvisoryCounters>,
    group: &CounterGroup,
    limits: &[Limit],
    env: &Env,
    context: &Context,
) {
    for job in counters.jobs(group, limits, clock::now()) {
        // The policy is taken only where KV is bound.
        let Ok(store) = env.kv(kv::BINDING) else { return };
        let (counters, group) = (Rc::clone(counters), *group);
        background::run(context, async move {
            match job {
                Job::Read { prefix } => {
                    let found = list(&store, prefix).await.inspect_err(report);
                    counters.read(&group, found.as_deref().map_err(Clone::clone), clock::now());
                }
                Job::Write { limit, after_millis } => {
                    write(&counters, &group, &limit, after_millis, &store).await;
                }
            }
        });
    }
}

async fn write(
    counters: &AdvisoryCounters,
    group: &CounterGroup,
    limit: &str,
    after_millis: u64,
    store: &KvStore,
) {
    if after_millis > 0 {
        Delay::from(Duration::from_millis(after_millis)).await;
    }
    let Some(component) = counters.to_write(group, limit, clock::now()) else { return };
    let put = async {
        let put = store.put(&component.key, "")?.metadata(&component.cell)?;
        put.expiration_ttl(component.ttl_secs).execute().await
    };
    let went_well = bounded(put).await.inspect_err(report).is_ok();
    counters.wrote(group, limit, went_well, clock::now());
}

async fn list(store: &KvStore, prefix: String) -> Result<Vec<(String, String)>, StoreError> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut list = store.list().prefix(prefix.clone());
        if let Some(cursor) = cursor {
            list = list.cursor(cursor);
        }
        let page = bounded(list.execute()).await?;
        found.extend(page.keys.into_iter().map(|key| {
            // Metadata that is not a string becomes an empty cell, which the reader rejects.
            let cell = key.metadata.as_ref().and_then(|metadata| metadata.as_str());
            (key.name, cell.unwrap_or_default().to_owned())
        }));
        cursor = page.cursor.filter(|cursor| !page.list_complete && !cursor.is_empty());
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

fn report(fault: &StoreError) {
    crate::fault::report(&format!("counters: {fault}"));
}
