//! Settings: what a process reads at start, from arguments, environment and dotenv files.
//!
//! A process describes its settings as a `clap` struct of *raw* values (text, flags), made of the
//! groups here and its own, and says by [`Resolve`] what they mean. `clap` would stop at the first value
//! it dislikes; raw values always parse, and `resolve` notes every problem in [`Problems`], so that
//! [`run_process`](crate::run_process) can print them all at once and end with exit code 64, before a port is bound.
//!
//! ```
//! use diracx_server::settings::{Environment, Problems, Resolve, TokenArgs, TokenSettings};
//!
//! /// Serves lollies.
//! #[derive(clap::Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     token: TokenArgs,
//!     /// How many lollies there are.
//!     #[arg(long, env = "DIRACX_LOLLIES", default_value = "7")]
//!     lollies: String,
//! }
//!
//! struct Settings {
//!     token: TokenSettings,
//!     lollies: u32,
//! }
//!
//! impl Resolve for Args {
//!     type Settings = Settings;
//!
//!     fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
//!         let token = self.token.resolve(environment, problems);
//!         let lollies = problems.parse("DIRACX_LOLLIES", &self.lollies);
//!         Some(Settings { token: token?, lollies: lollies? })
//!     }
//! }
//! ```

mod environment;
mod groups;
mod parse;
mod problems;
mod secret;
mod tokens;
mod without_effect;

pub use environment::{DotenvError, Environment};
pub use groups::{ServerArgs, ServerSettings, TelemetryArgs, TelemetrySettings};
pub use parse::{EXIT_USAGE, Failure, parse_settings_from};
pub use problems::{Problems, boolean};
pub use secret::Secret;
pub use tokens::{ComponentArgs, TokenArgs, TokenSettings, TrustArgs, TrustSettings};
pub use without_effect::{settings_without_effect, warn_of_settings_without_effect};

/// Raw values that can be given a meaning.
pub trait Resolve {
    /// The meaning.
    type Settings;

    /// Gives the values their meaning. Notes every problem, not just the first, and gives `None` if
    /// there was one.
    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Self::Settings>;
}
