//! The Ingress of the REST API: made with the cluster, changed in place, put right when somebody changed or deleted it.
//!
//! The Java operator looks after it only when it deploys a cluster, and deploys one for each change of it (W-50).

use kube::core::DynamicObject;

use super::failure::class;
use super::pass::{Pass, Stage};
use crate::effect::{ChangeObject, DeleteObject, Effect, ObjectReference, Propagation};
use crate::event::{Component, EventRecord, Reason};
use crate::observed::{IngressView, OwnedIngress};

/// Reason of the condition while an Ingress of the cluster's name belongs to somebody else.
pub(super) const INGRESS_EXISTS: &str = "IngressExists";

impl Pass<'_> {
    /// Whether this is a stage in which the recorded spec says what Ingress there should be, and nothing is under way that
    /// changes it.
    pub(super) fn looks_after_ingress(&self) -> bool {
        matches!(self.stage(), Stage::Deployed | Stage::Suspended)
    }

    /// Whether the spec that is deployed, or the newest one, wants an Ingress.
    pub(super) fn wants_ingress(&self) -> bool {
        self.spec.ingress.is_some() || self.deployed_spec().is_some_and(|spec| spec.ingress.is_some())
    }

    /// The Ingress as the spec that is deployed wants it; one that is wanted no longer goes.
    pub(super) fn mend_ingress(&mut self) {
        if !self.looks_after_ingress() || !self.settings.manage_ingress {
            return;
        }
        let wanted = self.deployed_spec().and_then(|spec| spec.ingress);
        match (wanted, &self.observed.ingress) {
            (_, IngressView::Unread) | (None, IngressView::Absent | IngressView::Foreign) => {}
            (None, IngressView::Owned(ingress)) => self.remove_ingress(&ingress.clone()),
            (Some(_), IngressView::Foreign) => self.foreign_ingress(),
            (Some(wanted), view) => match super::build::ingress(self, &wanted) {
                Ok(wanted) => self.bring_ingress(wanted, &view.clone()),
                Err(error) => self.fail_once(class::RECONCILIATION, Reason::Error, &error.to_string()),
            },
        }
    }

    fn bring_ingress(&mut self, wanted: DynamicObject, view: &IngressView) {
        let IngressView::Owned(ingress) = view else {
            // It is read again: somebody may have been faster, and then it stays as it is.
            self.effects.push(Effect::CreateOwned(Box::new(wanted)));
            return;
        };
        if ingress.terminating {
            // Its controller holds it. Where nobody watches Ingresses, nothing tells that it is gone.
            self.look_again(self.settings.progress_check_interval);
            return;
        }
        if let Some(part) = ingress.correction(&wanted) {
            let (object, resource_version) = (self.ingress(ingress), ingress.resource_version.clone());
            self.effects.push(Effect::Change(ChangeObject { object, resource_version, part }));
        }
    }

    fn remove_ingress(&mut self, ingress: &OwnedIngress) {
        if ingress.terminating {
            return;
        }
        let object = self.ingress(ingress);
        self.effects.push(Effect::Delete(DeleteObject { object, propagation: Propagation::Background }));
    }

    fn ingress(&self, ingress: &OwnedIngress) -> ObjectReference {
        ObjectReference::new("networking.k8s.io/v1", "Ingress", self.namespace, self.name, Some(&ingress.uid))
    }

    /// An Ingress of our name that belongs to somebody else is never touched.
    fn foreign_ingress(&mut self) {
        let message = format!(
            "An Ingress named {} exists in namespace {} and does not belong to this resource, so it is left alone. \
             Remedy: delete or rename it, or remove spec.ingress.",
            self.name, self.namespace
        );
        let event = EventRecord::warning(Reason::IngressManagement, Component::Operator, message.as_str());
        self.event(event.once(INGRESS_EXISTS));
        // What keeps the spec itself from running matters more.
        if self.hold.is_none() {
            self.hold(INGRESS_EXISTS, message);
        }
        // Nothing tells when one goes that does not have our label.
        self.look_again(self.settings.reconcile_interval);
    }

    /// Tells that an Ingress is wanted where the operator makes none.
    pub(super) fn tell_unmanaged_ingress(&mut self) {
        let wanted = self.deployed_spec().is_some_and(|spec| spec.ingress.is_some());
        if !wanted || self.settings.manage_ingress {
            return;
        }
        let message =
            "spec.ingress is set, and kubernetes.operator.ingress.manage is off: no Ingress is made.";
        let event = EventRecord::warning(Reason::IngressManagement, Component::Operator, message);
        self.event(event.once("IngressManagement"));
    }
}
