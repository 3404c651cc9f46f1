//! What search and summary take: conditions, sort keys, columns.

use diracx_core::search::{Direction, Filter, ScalarOperator, SearchValue, Sort, VectorOperator};
use serde_json::{Map, Value};

use super::{Loc, Problems, scalar};

/// The body of a search.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SearchBody {
    pub(crate) parameters: Vec<String>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) sort: Vec<Sort>,
    pub(crate) distinct: bool,
}

/// The body of a summary.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SummaryBody {
    pub(crate) grouping: Vec<String>,
    pub(crate) filters: Vec<Filter>,
}

const SCALAR: [ScalarOperator; 7] = [
    ScalarOperator::Eq,
    ScalarOperator::Neq,
    ScalarOperator::Gt,
    ScalarOperator::Lt,
    ScalarOperator::Like,
    ScalarOperator::NotLike,
    ScalarOperator::Regex,
];
const VECTOR: [VectorOperator; 2] = [VectorOperator::In, VectorOperator::NotIn];

/// Reads a [`SearchBody`]; members it does not know are passed over, as DiracX does.
pub(crate) fn search_body(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<SearchBody> {
    let members = scalar::model(problems, loc, value)?;
    let parameters = match members.get("parameters") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(value) => scalar::list(problems, &loc.field("parameters"), value, scalar::string),
    };
    let filters = filters(problems, loc, members);
    let sort = match members.get("sort") {
        None => Some(Vec::new()),
        Some(value) => scalar::list(problems, &loc.field("sort"), value, sort),
    };
    let distinct = match members.get("distinct") {
        None => Some(false),
        Some(value) => scalar::boolean(problems, &loc.field("distinct"), value),
    };
    Some(SearchBody { parameters: parameters?, filters: filters?, sort: sort?, distinct: distinct? })
}

/// Reads a [`SummaryBody`].
pub(crate) fn summary_body(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<SummaryBody> {
    let members = scalar::model(problems, loc, value)?;
    let grouping = required(problems, loc, members, value, "grouping", |problems, loc, value| {
        scalar::list(problems, loc, value, scalar::string)
    });
    let filters = filters(problems, loc, members);
    Some(SummaryBody { grouping: grouping?, filters: filters? })
}

fn filters(problems: &mut Problems, loc: &Loc<'_>, members: &Map<String, Value>) -> Option<Vec<Filter>> {
    match members.get("search") {
        None => Some(Vec::new()),
        Some(value) => scalar::list(problems, &loc.field("search"), value, filter),
    }
}

/// One condition: with one value or with several. When it is neither, both attempts tell what they missed.
fn filter(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<Filter> {
    let mut as_scalar = Problems::default();
    if let Some(filter) = scalar_filter(&mut as_scalar, &loc.field("ScalarSearchSpec"), value) {
        return Some(filter);
    }
    let mut as_vector = Problems::default();
    if let Some(filter) = vector_filter(&mut as_vector, &loc.field("VectorSearchSpec"), value) {
        return Some(filter);
    }
    problems.append(as_scalar);
    problems.append(as_vector);
    None
}

fn scalar_filter(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<Filter> {
    let members = scalar::dict(problems, loc, value)?;
    let parameter = required(problems, loc, members, value, "parameter", scalar::string);
    let names = SCALAR.map(ScalarOperator::as_str);
    let operator = required(problems, loc, members, value, "operator", |problems, loc, value| {
        scalar::choice(problems, loc, &names, value)
    });
    let value = required(problems, loc, members, value, "value", search_value);
    Some(Filter::Scalar { parameter: parameter?, operator: SCALAR[operator?], value: value? })
}

fn vector_filter(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<Filter> {
    let members = scalar::dict(problems, loc, value)?;
    let parameter = required(problems, loc, members, value, "parameter", scalar::string);
    let names = VECTOR.map(VectorOperator::as_str);
    let operator = required(problems, loc, members, value, "operator", |problems, loc, value| {
        scalar::choice(problems, loc, &names, value)
    });
    let values = required(problems, loc, members, value, "values", search_values);
    Some(Filter::Vector { parameter: parameter?, operator: VECTOR[operator?], values: values? })
}

fn search_value(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<SearchValue> {
    if let Value::String(text) = value {
        return Some(SearchValue::Text(text.clone()));
    }
    if let Ok(number) = scalar::int_of(value) {
        return Some(SearchValue::Int(number));
    }
    scalar::string(problems, &loc.field("str"), value);
    scalar::int(problems, &loc.field("int"), value);
    None
}

/// All texts, or else all whole numbers.
fn search_values(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<Vec<SearchValue>> {
    let mut not_texts = Problems::default();
    if let Some(texts) = scalar::list(&mut not_texts, &loc.field("list[str]"), value, scalar::string) {
        return Some(texts.into_iter().map(SearchValue::Text).collect());
    }
    let mut not_numbers = Problems::default();
    if let Some(numbers) = scalar::list(&mut not_numbers, &loc.field("list[int]"), value, scalar::int) {
        return Some(numbers.into_iter().map(SearchValue::Int).collect());
    }
    problems.append(not_texts);
    problems.append(not_numbers);
    None
}

fn sort(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<Sort> {
    let members = scalar::dict(problems, loc, value)?;
    let parameter = required(problems, loc, members, value, "parameter", scalar::string);
    let direction = required(problems, loc, members, value, "direction", |problems, loc, value| {
        scalar::choice(problems, loc, &["asc", "desc"], value)
    });
    let direction = if direction? == 0 { Direction::Ascending } else { Direction::Descending };
    Some(Sort { parameter: parameter?, direction })
}

/// A member that must be there.
fn required<T>(
    problems: &mut Problems,
    loc: &Loc<'_>,
    members: &Map<String, Value>,
    whole: &Value,
    name: &str,
    read: impl FnOnce(&mut Problems, &Loc<'_>, &Value) -> Option<T>,
) -> Option<T> {
    let loc = loc.field(name);
    let Some(value) = members.get(name) else {
        problems.missing(&loc, whole);
        return None;
    };
    read(problems, &loc, value)
}
