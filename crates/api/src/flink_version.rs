//! `spec.flinkVersion`.

use crate::text_enum::text_enum;

text_enum! {
    /// Version of Flink in the image. Source: `FlinkVersion.java`, `ValidatorUtils.java`.
    pub enum FlinkVersion {
        /// In the schema, but refused since operator 1.7.
        V1_13 = "v1_13",
        /// In the schema, but refused since operator 1.7.
        V1_14 = "v1_14",
        /// Deprecated since operator 1.10.
        V1_15 = "v1_15",
        /// Deprecated since operator 1.11.
        V1_16 = "v1_16",
        /// Deprecated since operator 1.13.
        V1_17 = "v1_17",
        /// Deprecated since operator 1.13.
        V1_18 = "v1_18",
        /// Flink 1.19.
        V1_19 = "v1_19",
        /// Flink 1.20.
        V1_20 = "v1_20",
        /// Flink 2.0.
        V2_0 = "v2_0",
        /// Flink 2.1.
        V2_1 = "v2_1",
        /// Flink 2.2.
        V2_2 = "v2_2",
        /// Flink 2.3.
        V2_3 = "v2_3",
        /// Flink 2.4.
        V2_4 = "v2_4",
    }
}

impl FlinkVersion {
    /// Major and minor number: `v1_20` is `(1, 20)`.
    #[must_use]
    pub const fn major_minor(self) -> (u32, u32) {
        match self {
            Self::V1_13 => (1, 13),
            Self::V1_14 => (1, 14),
            Self::V1_15 => (1, 15),
            Self::V1_16 => (1, 16),
            Self::V1_17 => (1, 17),
            Self::V1_18 => (1, 18),
            Self::V1_19 => (1, 19),
            Self::V1_20 => (1, 20),
            Self::V2_0 => (2, 0),
            Self::V2_1 => (2, 1),
            Self::V2_2 => (2, 2),
            Self::V2_3 => (2, 3),
            Self::V2_4 => (2, 4),
        }
    }

    /// Whether the operator deploys this version (1.15 and later).
    #[must_use]
    pub fn is_supported(self) -> bool {
        self >= Self::V1_15
    }

    /// Supported, but announced to go away (1.15 to 1.18): worth a warning.
    #[must_use]
    pub fn is_deprecated(self) -> bool {
        self.is_supported() && self < Self::V1_19
    }

    /// Whether the image reads nested `config.yaml` and no `flink-conf.yaml` (2.0 and later).
    #[must_use]
    pub fn uses_config_yaml(self) -> bool {
        self >= Self::V2_0
    }
}
