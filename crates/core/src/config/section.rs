//! The table form in which the sections of the configuration are written.
//!
//! A line reads: DIRAC's name, our name, type, and the default where the key may be missing. The order
//! of the lines is the order in which the section is served.

macro_rules! section {
    // Every key has a default, so the section has one too.
    ($(#[$meta:meta])* $vis:vis struct $name:ident $([$unknown:ident unknown])? {
        $($(#[$doc:meta])* $key:literal $field:ident: $type:ty = $default:expr;)+
    }) => {
        section!(@emit $(#[$meta])* $vis $name $([$unknown])? {
            $($(#[$doc])* $key $field: $type = ($default);)+
        });

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }
    };
    ($(#[$meta:meta])* $vis:vis struct $name:ident $([$unknown:ident unknown])? {
        $($(#[$doc:meta])* $key:literal $field:ident: $type:ty $(= $default:expr)?;)+
    }) => {
        section!(@emit $(#[$meta])* $vis $name $([$unknown])? {
            $($(#[$doc])* $key $field: $type $(= ($default))?;)+
        });
    };
    (@emit $(#[$meta:meta])* $vis:vis $name:ident $([$unknown:ident])? {
        $($(#[$doc:meta])* $key:literal $field:ident: $type:ty $(= ($default:expr))?;)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        $vis struct $name {
            $($(#[$doc])* #[serde(rename = $key)] pub $field: $type),+
        }

        impl $crate::config::read::Read for $name {
            fn read(reader: &mut $crate::config::read::Reader, value: serde_json::Value) -> Option<Self> {
                let mut keys = reader.section(value)?;
                // All keys are read before the first missing one ends it: every problem is reported.
                $(let $field: Option<$type> =
                    reader.key(&mut keys, $key, stringify!($field), section!(@default $type $(, $default)?));)+
                section!(@rest reader keys $($unknown)?);
                Some(Self { $($field: $field?),+ })
            }
        }
    };
    (@default $type:ty) => { None };
    (@default $type:ty, $default:expr) => { Some((|| $default) as fn() -> $type) };
    (@rest $reader:ident $keys:ident) => { $reader.refuse_rest($keys) };
    (@rest $reader:ident $keys:ident ignores) => { drop($keys) };
}

pub(super) use section;
