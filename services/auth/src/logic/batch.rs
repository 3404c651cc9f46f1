//! How much of something is done or told at a time.

use crate::error::{Error, Result};

const DEFAULT: usize = 1000;
/// Databases bind at the most 32,766 values, and nobody should wait long behind a batch.
const MOST: usize = 10_000;

/// The size of a page: 0 is the default, less is refused.
pub(crate) fn page_size(asked: i32) -> Result<usize> {
    size("page_size", asked)
}

/// The size of a batch: 0 is the default, less is refused.
pub(crate) fn batch_size(asked: i32) -> Result<usize> {
    size("batch_size", asked)
}

fn size(field: &'static str, asked: i32) -> Result<usize> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT),
        Ok(size) => Ok(size.min(MOST)),
        Err(_) => Err(Error::Field { field, problem: "must not be negative" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bounded_and_never_negative() {
        assert_eq!(
            (page_size(0).unwrap(), page_size(7).unwrap(), batch_size(i32::MAX).unwrap()),
            (1000, 7, 10_000)
        );
        assert_eq!(batch_size(-1).unwrap_err().to_string(), "batch_size: must not be negative");
    }
}
