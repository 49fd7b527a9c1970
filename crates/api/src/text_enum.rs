//! Enums whose JSON form is a fixed text: one declaration gives the text in both directions, the
//! schema, and an error that names every allowed text.

use thiserror::Error;

/// A text that is none of the values of an enum.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown {what} \"{text}\", allowed: {allowed}")]
pub struct UnknownText {
    /// Name of the enum.
    pub what: &'static str,
    /// The text that was found.
    pub text: String,
    /// All allowed texts, joined with `, `.
    pub allowed: String,
}

/// Declares an enum with its JSON texts. Derives everything that the crate promises for enums; the
/// order of declaration is the order of `Ord`, the schema lists the texts alphabetically.
macro_rules! text_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// All values in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The JSON text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text_enum::UnknownText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::text_enum::UnknownText {
                        what: stringify!($name),
                        text: text.to_owned(),
                        allowed: [$($text,)+].join(", "),
                    }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut texts = vec![$($text,)+];
                texts.sort_unstable();
                schemars::json_schema!({ "type": "string", "enum": texts })
            }
        }
    };
}

pub(crate) use text_enum;
