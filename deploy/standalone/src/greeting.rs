//! What the person who starts it sees: where it listens, and what to type next.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::settings::Place;

/// The words; `Display` has them all.
#[derive(Debug, Clone)]
pub struct Greeting {
    base: String,
    data: PathBuf,
    dev_idp: bool,
    local_executor: bool,
}

impl Greeting {
    pub(crate) fn new(base: &str, place: &Place, data: &Path, dev_idp: bool) -> Self {
        Self { base: base.to_owned(), data: data.to_owned(), dev_idp, local_executor: place.local_executor }
    }
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, data, .. } = self;
        writeln!(f, "DiracX {} listens on {base} (REST, gRPC-Web, gRPC)", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "Data is in {}", data.display())?;
        let executor =
            if self.local_executor { "runs jobs on this machine" } else { "off (--local-executor)" };
        writeln!(f, "Local executor: {executor}")?;
        writeln!(f)?;
        writeln!(f, "    export DIRACX_URL={base}")?;
        if self.dev_idp {
            writeln!(f, "    dirac login dev                    # open the link and click a name")?;
            writeln!(f, "    dirac login dev --group admin      # carol may do more")?;
            writeln!(f)?;
            writeln!(
                f,
                "A script logs in without a browser: curl -sL -u alice: \"$LINK\" with the link of dirac login."
            )?;
        } else {
            writeln!(f, "    dirac login <vo>")?;
        }
        Ok(())
    }
}
