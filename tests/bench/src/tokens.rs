//! What verifying a token costs, in this process.

use std::{sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use diracx_core::SystemClock;
use diracx_testkit::TestIssuer;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// How many tokens.
const COUNT: u32 = 5_000;

/// Prints the microseconds of a token that is new, of one that is known, and of the signature alone.
pub(crate) async fn measure() -> Result<()> {
    let issuer = TestIssuer::new(Arc::new(SystemClock))?;
    let tokens: Vec<String> =
        (0..COUNT).map(|_| Ok(issuer.minter().mint(&issuer.claims("alice")?)?)).collect::<Result<_>>()?;
    let verifier = issuer.verifier();
    let each = |begin: Instant| begin.elapsed().as_secs_f64() * 1e6 / f64::from(COUNT);

    let begin = Instant::now();
    for token in &tokens {
        verifier.verify(token).await?;
    }
    let fresh = each(begin);
    let begin = Instant::now();
    for _ in 0..COUNT {
        verifier.verify(&tokens[0]).await?;
    }
    let known = each(begin);
    let bare = bare(&tokens, each)?;
    println!(
        "\nverifying a token: {fresh:.1} µs when it is new, {bare:.1} µs of them for the signature (ring, Ed25519) \
         · {known:.2} µs when it is known"
    );
    Ok(())
}

/// The signature of a message like each token's, checked and nothing else.
fn bare(tokens: &[String], each: impl Fn(Instant) -> f64) -> Result<f64> {
    let seed = [7; 32];
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok().context("no key")?;
    let key = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref().to_vec());
    let signed: Vec<(&str, Vec<u8>)> = tokens
        .iter()
        .filter_map(|token| token.rsplit_once('.'))
        .map(|(message, _)| (message, pair.sign(message.as_bytes()).as_ref().to_vec()))
        .collect();
    let begin = Instant::now();
    for (message, signature) in &signed {
        key.verify(message.as_bytes(), signature).ok().context("a signature that is wrong")?;
    }
    Ok(each(begin))
}
