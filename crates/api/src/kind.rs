//! Root objects of the kinds: metadata, spec, status.

/// Declares the root object of a kind. Written here rather than with kube's derive because `spec` may be
/// absent (a canary has none), which the derive cannot express.
macro_rules! flink_kind {
    ($(#[doc = $doc:literal])* $kind:ident, $spec:ty, $status:ty, $plural:literal) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
        pub struct $kind {
            /// Name, namespace, labels and so on.
            #[serde(default)]
            pub metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
            /// Desired state; an absent spec reads as an empty one.
            #[serde(default, deserialize_with = "crate::decode::null_as_default")]
            pub spec: $spec,
            /// Observed state.
            #[serde(default)]
            pub status: Option<$status>,
        }

        impl $kind {
            /// Kind, as written in `kind`.
            pub const KIND: &'static str = stringify!($kind);
            /// Plural name, as used in URLs and RBAC rules.
            pub const PLURAL: &'static str = $plural;
            /// What `kubectl explain` says about the kind.
            pub const DESCRIPTION: &'static str = concat!($($doc),*).trim_ascii();

            /// An object of that name, not yet in any namespace.
            #[must_use]
            pub fn new(name: &str, spec: $spec) -> Self {
                let metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                    name: Some(name.to_owned()),
                    ..Default::default()
                };
                Self { metadata, spec, status: None }
            }
        }

        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let mut object = serializer.serialize_struct(Self::KIND, 5)?;
                object.serialize_field("apiVersion", $crate::API_VERSION)?;
                object.serialize_field("kind", Self::KIND)?;
                object.serialize_field("metadata", &self.metadata)?;
                if self.spec == <$spec>::default() {
                    object.skip_field("spec")?;
                } else {
                    object.serialize_field("spec", &self.spec)?;
                }
                match &self.status {
                    Some(status) => object.serialize_field("status", status)?,
                    None => object.skip_field("status")?,
                }
                object.end()
            }
        }

        impl kube_core::Resource for $kind {
            type DynamicType = ();
            type Scope = kube_core::NamespaceResourceScope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                Self::KIND.into()
            }

            fn group((): &()) -> std::borrow::Cow<'_, str> {
                $crate::GROUP.into()
            }

            fn version((): &()) -> std::borrow::Cow<'_, str> {
                $crate::VERSION.into()
            }

            fn api_version((): &()) -> std::borrow::Cow<'_, str> {
                $crate::API_VERSION.into()
            }

            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                Self::PLURAL.into()
            }

            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

pub(crate) use flink_kind;
