//! What the probes and the metrics page show.

use std::sync::Arc;

use deployment::DeploymentReconciler;
use engine::control::Control;

use crate::http::Pages;

/// Pages of a running operator.
pub(crate) struct OperatorPages {
    control: Arc<Control>,
    reconciler: Arc<DeploymentReconciler>,
}

impl OperatorPages {
    pub(crate) fn new(control: Arc<Control>, reconciler: Arc<DeploymentReconciler>) -> Self {
        Self { control, reconciler }
    }
}

impl Pages for OperatorPages {
    fn unhealthy(&self) -> Option<String> {
        self.control.unhealthy().or_else(|| self.reconciler.unhealthy())
    }

    fn not_ready(&self) -> Option<String> {
        self.control.not_ready()
    }

    fn metrics(&self) -> String {
        self.control.publish();
        self.control.engine().metrics.text().unwrap_or_else(|error| format!("# {error}\n"))
    }
}
