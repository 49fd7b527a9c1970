//! Where everything comes together: [`ArtifactStore`].

use std::any::Any;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use engine::ports::{Artifact, ArtifactError, ArtifactRequest, Artifacts};
use flink_client::JarFile;

use crate::cache::Cache;
use crate::error::{needs_user, passing};
use crate::flights::Flights;
use crate::guard::{Guard, Lookup, SystemLookup};
use crate::keys;
use crate::open::{Failure, Opened, because, check_file, open};
use crate::options::ArtifactOptions;
use crate::plan::{Plan, Source};
use crate::slots::Slots;
use crate::spool::{Spooled, check_present, spool};
use crate::workspace::Workspace;

type Fetched = Result<Arc<Spooled>, ArtifactError>;

/// Fetches jars into files and keeps some of them.
///
/// Needs a tokio runtime with IO and time.
pub struct ArtifactStore {
    current: RwLock<Arc<Current>>,
    workspace: Mutex<Option<(PathBuf, Arc<Workspace>)>>,
    cache: Arc<Cache>,
    flights: Flights<Plan, Fetched>,
    lookup: Arc<dyn Lookup>,
}

/// What follows from the options.
struct Current {
    options: ArtifactOptions,
    guard: Result<Arc<Guard>, String>,
    slots: Slots,
}

impl ArtifactStore {
    /// A store with these options. Jars that crashed processes have left in `base.dir` are removed. Options that cannot
    /// be used, such as a folder that cannot be written, make fetches fail and not this.
    #[must_use]
    pub fn new(options: ArtifactOptions) -> Self {
        Self::with_lookup(options, Arc::new(SystemLookup))
    }

    /// A store that finds the addresses of hosts in another way.
    #[must_use]
    pub fn with_lookup(options: ArtifactOptions, lookup: Arc<dyn Lookup>) -> Self {
        let cache = Arc::new(Cache::new(options.cache_size));
        let current = RwLock::new(Arc::new(Current::new(options, &lookup)));
        let store = Self { current, workspace: Mutex::default(), cache, flights: Flights::new(), lookup };
        if let Err(error) = store.workspace() {
            tracing::warn!("jars of session jobs cannot be fetched: {error}");
        }
        store
    }

    /// Takes other options from now on. Fetches under way go on as they have begun; nothing that was kept is used again.
    pub fn set_options(&self, options: ArtifactOptions) {
        if self.current().options == options {
            return;
        }
        let cache_size = options.cache_size;
        let current = Arc::new(Current::new(options, &self.lookup));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        self.cache.reset(cache_size);
    }

    fn current(&self) -> Arc<Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The folder below the present `base.dir`, made if it is not there.
    fn workspace(&self) -> Result<Arc<Workspace>, ArtifactError> {
        let base = self.current().options.base_dir.clone();
        let mut workspace = self.workspace.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, workspace)) = &*workspace
            && *of == base
            && workspace.exists()
        {
            return Ok(workspace.clone());
        }
        let opened = Workspace::open(&base)?;
        *workspace = Some((base, opened.clone()));
        Ok(opened)
    }
}

#[async_trait]
impl Artifacts for ArtifactStore {
    async fn fetch(&self, request: &ArtifactRequest) -> Result<Artifact, ArtifactError> {
        let current = self.current();
        let plan = Plan::new(request, &current.options)?;
        let name = plan.uri.file_name();
        if let Source::File(path) = &plan.source {
            let (path, plan) = (path.clone(), plan.clone());
            let check = move || {
                let path = check_file(&plan, &path, &current.options)?;
                check_present(&plan, &path).map(|()| path)
            };
            let path = tokio::task::spawn_blocking(check).await.map_err(|_| ended())??;
            return Ok(Artifact { jar: JarFile::Path { name, path }, keep: None });
        }
        let workspace = self.workspace()?;
        let cache = self.cache.clone();
        let start = || {
            let plan = plan.clone();
            async move { fetch(&plan, &current, &workspace, &cache).await }
        };
        let jar = self.flights.join(&plan, start).await.ok_or_else(ended)??;
        let path = jar.file.path().to_owned();
        Ok(Artifact { jar: JarFile::Path { name, path }, keep: Some(jar as Arc<dyn Any + Send + Sync>) })
    }

    fn empty_jar(&self) -> JarFile {
        crate::jar::empty_jar()
    }
}

impl Current {
    fn new(options: ArtifactOptions, lookup: &Arc<dyn Lookup>) -> Self {
        let guard =
            Guard::new(&options.settings, options.trusted_certificates.as_deref(), lookup).map(Arc::new);
        let slots = Slots::new(options.concurrency, options.concurrency_per_host);
        Self { options, guard, slots }
    }
}

/// Fetches what is not kept, or has changed.
async fn fetch(plan: &Plan, current: &Current, workspace: &Arc<Workspace>, cache: &Cache) -> Fetched {
    let kept = cache.get(plan);
    if plan.checksum.is_some()
        && let Some(kept) = kept
    {
        return Ok(kept.jar);
    }
    let guard =
        current.guard.as_ref().map_err(|reason| needs_user(format!("No jar can be fetched: {reason}.")))?;
    let limit = current.options.timeout;
    let Ok(Some(_slot)) = tokio::time::timeout(limit, current.slots.take(plan.host())).await else {
        let reason = format!(
            "others were fetched all the time. If this goes on, raise {} or {}",
            keys::CONCURRENCY_PER_HOST,
            keys::CONCURRENCY
        );
        return Err(because(plan, Failure::passing(reason)));
    };
    let progress = AtomicU64::new(0);
    let download = async {
        let known = kept.as_ref().and_then(|kept| kept.tag.as_deref());
        let body = match (open(plan, known, guard, &current.options).await?, kept) {
            (Opened::Unchanged, Some(kept)) => return Ok(kept.jar),
            (Opened::Unchanged, None) => {
                return Err(because(plan, Failure::passing("the server sent nothing")));
            }
            (Opened::Jar(body), _) => body,
        };
        let tag = body.strong_tag.clone();
        let spooled = spool(plan, body, workspace.new_file(), &current.options, &progress).await;
        let jar = Arc::new(spooled.map_err(|unspooled| {
            if unspooled.disk_is_full {
                cache.make_room();
            }
            unspooled.error
        })?);
        cache.put(plan, &jar, tag);
        Ok(jar)
    };
    tokio::time::timeout(limit, download).await.unwrap_or_else(|_| {
        let reason = format!(
            "after {} s, the limit in {}, only {} bytes had come",
            limit.as_secs(),
            keys::TIMEOUT,
            progress.load(Ordering::Relaxed)
        );
        Err(because(plan, Failure::passing(reason)))
    })
}

fn ended() -> ArtifactError {
    passing("The fetch of the jar has ended without a result.")
}
