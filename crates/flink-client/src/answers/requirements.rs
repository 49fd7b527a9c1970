//! Parallelism bounds of a running job (adaptive scheduler, Flink 1.18 and newer).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identifiers::VertexId;

/// Bounds of every vertex; a change must name all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceRequirements {
    /// Bounds by vertex.
    pub vertices: BTreeMap<VertexId, VertexRequirements>,
}

/// Requirements of one vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VertexRequirements {
    /// Least and most parallelism.
    pub parallelism: ParallelismBounds,
}

/// Least and most parallelism of a vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParallelismBounds {
    /// The job waits until it can have this many.
    pub lower_bound: u32,
    /// The job takes no more than this.
    pub upper_bound: u32,
}
