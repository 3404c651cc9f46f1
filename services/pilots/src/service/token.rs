//! Where a page or a stream of pilots goes on; the token itself is of `diracx-db`.

use diracx_db::search::{BadToken, Binding, Token};
use diracx_proto::Invalid;
use prost::Message;

/// Of a request in which only that remains which has to stay the same.
pub(super) fn binding(rpc: &str, request: &impl Message) -> Binding {
    Binding::of(rpc, &request.encode_to_vec())
}

/// Reads what a client sends in `field`; nothing if it is empty.
pub(super) fn read(field: &str, text: &str, binding: Binding) -> Result<Option<Token>, Invalid> {
    Token::read(text, binding).map_err(|bad| Invalid::field(field, bad.to_string()))
}

/// The complaint about a token whose place this search does not have.
pub(super) fn no_such_place(field: &str) -> Invalid {
    Invalid::field(field, BadToken::Foreign.to_string())
}
