//! Messages of any type, with values that nobody expects.

use std::collections::HashMap;

use prost_reflect::{Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

/// How deep messages contain messages.
const DEPTH: usize = 6;
/// More items than any call takes.
const MANY: usize = 10_001;

/// Numbers that look random and are the same each time (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).expect("a small number")
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// A message with some of its fields, each with some value.
pub(crate) fn any(dice: &mut Dice, kind: &MessageDescriptor, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(kind.clone());
    for field in kind.fields() {
        // Of some messages every field is there, so that one wrong field is the only one.
        if depth < DEPTH && dice.below(4) > 0 {
            let value = value(dice, &field, depth);
            message.set_field(&field, value);
        }
    }
    message
}

/// For each field that can be repeated, wherever it is, a message with very many of it.
pub(crate) fn floods(dice: &mut Dice, kind: &MessageDescriptor, depth: usize) -> Vec<DynamicMessage> {
    let mut all = Vec::new();
    for field in kind.fields().filter(|_| depth < 3) {
        let mut with = |value| {
            let mut message = DynamicMessage::new(kind.clone());
            message.set_field(&field, value);
            all.push(message);
        };
        if field.is_list() {
            // Ten thousand times a megabyte would flood the test itself.
            let item = match scalar(dice, &field, DEPTH) {
                Value::String(text) => Value::String(text.chars().take(100).collect()),
                Value::Bytes(bytes) => Value::Bytes(bytes.slice(..bytes.len().min(100))),
                item => item,
            };
            with(Value::List(vec![item; MANY]));
        }
        if let Kind::Message(inside) = field.kind()
            && !field.is_map()
        {
            for flood in floods(dice, &inside, depth + 1) {
                let flood = Value::Message(flood);
                with(if field.is_list() { Value::List(vec![flood]) } else { flood });
            }
        }
    }
    all
}

fn value(dice: &mut Dice, field: &FieldDescriptor, depth: usize) -> Value {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { return Value::Map(HashMap::default()) };
        let (key, inside) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        let entries = (0..dice.below(3)).filter_map(|_| {
            let key = match scalar(dice, &key, depth) {
                Value::String(text) => MapKey::String(text),
                Value::I64(number) => MapKey::I64(number),
                Value::I32(number) => MapKey::I32(number),
                _ => return None,
            };
            Some((key, scalar(dice, &inside, depth)))
        });
        return Value::Map(entries.collect());
    }
    if field.cardinality() == Cardinality::Repeated {
        let count = dice.one(&[0, 1, 1, 1, 2, 3]);
        return Value::List((0..count).map(|_| scalar(dice, field, depth)).collect());
    }
    scalar(dice, field, depth)
}

fn scalar(dice: &mut Dice, field: &FieldDescriptor, depth: usize) -> Value {
    let long =
        [0, 1, 1, 2, 2, 3, 5, -1, 100, 10_000, 10_001, 1 << 31, 1 << 32, 253_402_300_800, i64::MAX, i64::MIN];
    let short = [0, 0, 1, 1, 2, 5, -1, 100, 10_001, 999_999_999, 1_000_000_000, i32::MAX, i32::MIN];
    match field.kind() {
        Kind::Double => Value::F64(dice.one(&[
            0.0,
            -0.0,
            1.5,
            -1.0,
            1e308,
            5e-324,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ])),
        Kind::Float => Value::F32(dice.one(&[0.0, 1.5, -1.0, f32::MAX, f32::NAN, f32::INFINITY])),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(dice.one(&short)),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(dice.one(&long)),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(dice.one(&[0, 1, 2, 10_001, u32::MAX])),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(dice.one(&[0, 1, 2, 10_001, 1 << 63, u64::MAX])),
        Kind::Bool => Value::Bool(dice.below(2) == 0),
        Kind::String => Value::String(text(dice)),
        Kind::Bytes => Value::Bytes(text(dice).into_bytes().into()),
        Kind::Enum(_) => Value::EnumNumber(dice.one(&[0, 1, 1, 2, 3, 4, -1, 99, i32::MAX, i32::MIN])),
        Kind::Message(kind) => Value::Message(any(dice, &kind, depth + 1)),
    }
}

fn text(dice: &mut Dice) -> String {
    match dice.below(40) {
        0 => "x".repeat(1 << 20),
        1 => "\u{1f4a5}".repeat(5_000),
        2 => "9".repeat(400),
        3 => "[".repeat(10_000),
        _ => dice
            .one(&[
                "",
                " ",
                "a",
                "1",
                "-1",
                "JobID",
                "Status",
                "Status",
                "Owner",
                "SubmissionTime",
                "VerifiedFlag",
                "AccountedFlag",
                "LoggingInfo",
                "PilotStamp",
                "2024",
                "2024-13",
                "9999-12-31 23:59:59",
                "0001",
                "True",
                "Failed",
                "JobWrapper",
                "alice",
                "alpha",
                "alpha_user",
                "vo:alpha group:alpha_user",
                "myDIRACClientID",
                "\0",
                "a\0b",
                "\u{202e}abc",
                "\u{feff}",
                "e\u{301}",
                "(a+)+$",
                "(",
                "%",
                "_",
                "\\",
                "'",
                "'; DROP TABLE Jobs; --",
                "\n",
                "http://x.invalid/",
                "../..",
                "Executable = \"/bin/true\";",
                "[ Parameters = 3; Executable = \"x\" ]",
                "[[",
                "]",
                "c2tpcDox",
                "c2tpcDo5OTk5OTk5OTk5OTk5OTk5OTk5",
            ])
            .to_owned(),
    }
}
