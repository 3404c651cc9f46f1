//! Job descriptions: reading, checking, expanding and printing JDL.
