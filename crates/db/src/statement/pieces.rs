//! Rows in pieces, each small enough for one statement.

/// How many bytes the values of one statement may have, unless one row has more: servers take statements up to their
/// `max_allowed_packet`, which is 16 MiB unless somebody changed it.
const STATEMENT_BYTES: usize = 4 << 20;

/// The rows in pieces of at most `most` rows, and of few bytes where `bytes` tells what a row has.
pub fn pieces<T>(rows: &[T], most: usize, bytes: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut room = STATEMENT_BYTES;
        let fits = |row: &&T| match room.checked_sub(bytes(row)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let count = rest.iter().take(most).take_while(fits).count().max(1).min(rest.len());
        let (piece, others) = rest.split_at(count);
        rest = others;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_bounded_in_rows_and_bytes_and_nothing_is_lost() {
        let sizes = |rows: &[usize]| pieces(rows, 3, |row| *row).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[1; 7]), [3, 3, 1]);
        let half = STATEMENT_BYTES / 2;
        assert_eq!(sizes(&[half, half, 1, half]), [2, 2]);
        assert_eq!(sizes(&[1, STATEMENT_BYTES + 1, 1]), [1, 1, 1], "a row that is too large is alone");
    }
}
