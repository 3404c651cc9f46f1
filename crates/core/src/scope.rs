//! The scopes a client asks for at login.
