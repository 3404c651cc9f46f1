//! Parametric jobs: one description that stands for a series of them.

use std::collections::HashSet;

use super::{
    JdlError, MAX_TEXT_BYTES,
    attributes::{Attribute, Attributes},
    error::{Problem, shown},
    number,
    record::OrderedMap,
};

/// The attributes that describe a series, by the beginning of their names.
const VECTOR: &str = "Parameters";
const START: &str = "ParameterStart";
const STEP: &str = "ParameterStep";
const FACTOR: &str = "ParameterFactor";

/// Every value is searched for every parameter, so that their number decides how long it takes.
const MAX_PARAMETERS: usize = 32;

/// How many jobs the description stands for; nothing if it is an ordinary one.
///
/// Every attribute whose name starts with `Parameters` takes part, and all must agree.
pub(super) fn vector_length(attributes: &Attributes, index: usize) -> Result<Option<usize>, JdlError> {
    let fail = |message: String| JdlError::Parametric { index, message: shown(&message) };
    let mut length: Option<String> = None;
    for (name, value) in attributes.iter().filter(|(name, _)| name.starts_with(VECTOR)) {
        let this = match value.list() {
            Some(items) => Some(items.len().to_string()),
            None => value.int(),
        };
        if let Some(previous) = &length
            && length != this
        {
            let this = this.as_deref().unwrap_or("None");
            return Err(fail(format!(
                "Different length of parameter vectors: for {name}, {previous} != {this}"
            )));
        }
        length = this;
    }
    match length {
        Some(n) if n.starts_with('-') || n == "0" => {
            Err(fail(format!("Illegal number of job parameters {n}")))
        }
        // a number beyond usize is beyond every limit too
        Some(n) => Ok(Some(n.parse().unwrap_or(usize::MAX))),
        None => Ok(None),
    }
}

/// The series one group of attributes describes: the plain ones, or those with one suffix.
#[derive(Default)]
struct Group {
    list: Option<Vec<String>>,
    start: Option<Number>,
    step: Option<Number>,
    factor: Option<Number>,
}

#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "a series with a float in it is one of floats")]
    fn float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// How many bytes each job of the series has at the least: those in which nothing is replaced.
pub(super) fn least_bytes(attributes: &Attributes) -> usize {
    let is_kept = |name: &str, written: &str| {
        // the attributes of the series go, and lists lose their blanks
        !name.starts_with("Parameter")
            && !name.contains('%')
            && !written.contains('%')
            && !written.starts_with('{')
    };
    let bytes =
        |(name, value): (&str, &Attribute)| value.text().filter(|text| is_kept(name, text)).map(str::len);
    attributes.iter().filter_map(bytes).sum()
}

/// Gives the texts of the jobs that `attributes` stand for, `length` of them, one after the other to `take`.
pub(super) fn expand(
    attributes: &Attributes,
    length: usize,
    mut take: impl FnMut(String) -> Result<(), JdlError>,
) -> Result<(), JdlError> {
    // a parametric description is submitted alone
    let too_long = |problem: Problem| JdlError::refused(0, problem.into());
    if !attributes.contains(VECTOR) {
        return take(attributes.print("").map_err(too_long)?.0);
    }
    let mut series = Vec::new();
    for (suffix, group) in groups(attributes, length)?.iter() {
        series.push((suffix.to_owned(), group.values(length)?));
    }
    let consumed = consumed_names(&series);
    let width = (length - 1).to_string().len();
    let text = |k: usize| {
        let number = format!("{k:0width$}");
        let mut job = Attributes::default();
        for (name, value) in attributes.iter().filter(|(name, _)| !consumed.contains(*name)) {
            let name = replace(name, "%n", &number)?;
            let mut value = substitute(value, "%n", &number)?;
            for (suffix, values) in &series {
                value = substitute_parameter(&value, &placeholder(suffix), &values[k])?;
            }
            job.set(&name, value);
        }
        for (suffix, values) in &series {
            let name = if suffix == "0" { "Parameter".to_owned() } else { format!("Parameter.{suffix}") };
            if values[k].starts_with('{') {
                job.set_written(&name, &*values[k]);
            } else {
                job.set_quoted(&name, &values[k]);
            }
        }
        job.set_written("ParameterNumber", k.to_string());
        job.print("").map(|(text, _)| text)
    };
    (0..length).try_for_each(|k| take(text(k).map_err(too_long)?))
}

fn parametric_error(message: impl Into<String>) -> JdlError {
    JdlError::Parametric { index: 0, message: shown(&message.into()) }
}

fn groups(attributes: &Attributes, length: usize) -> Result<OrderedMap<Group>, JdlError> {
    let inconsistent = || parametric_error("Inconsistent parametric job description");
    let mut groups = OrderedMap::<Group>::default();
    for (name, value) in attributes.iter() {
        let Some(kind) = [VECTOR, START, STEP, FACTOR].into_iter().find(|kind| name.starts_with(kind)) else {
            continue;
        };
        let suffix = name.split('.').nth(1).unwrap_or("0");
        if !groups.contains(suffix) {
            if groups.iter().count() == MAX_PARAMETERS {
                return Err(parametric_error(format!("More than {MAX_PARAMETERS} parameters")));
            }
            groups.set(suffix, Group::default());
        }
        let Some(group) = groups.get_mut(suffix) else { continue };
        if kind == VECTOR {
            match value.list() {
                Some(items) if items.len() == length => group.list = Some(items),
                None if name == VECTOR && value.int().is_some() => {}
                None if name == VECTOR => {
                    let written = value.text().unwrap_or("[…]");
                    let message = format!("Inconsistent parametric job description: {name}={written}");
                    return Err(parametric_error(message));
                }
                _ => return Err(inconsistent()),
            }
        } else {
            let illegal = || JdlError::IllegalParameter {
                name: shown(name),
                value: shown(value.text().unwrap_or("[…]")),
            };
            let number = match value.int() {
                Some(digits) => Number::Int(digits.parse().map_err(|_| illegal())?),
                None => Number::Float(value.float().ok_or_else(illegal)?),
            };
            match kind {
                START => group.start = Some(number),
                STEP => group.step = Some(number),
                _ => group.factor = Some(number),
            }
        }
    }
    Ok(groups)
}

impl Group {
    /// `start`, then each value from the one before: times `factor`, plus `step`.
    fn values(&self, length: usize) -> Result<Vec<String>, JdlError> {
        if let Some(list) = &self.list {
            return Ok(list.clone());
        }
        let start = self.start.unwrap_or(Number::Int(1));
        let step = self.step.unwrap_or(Number::Int(0));
        let factor = self.factor.unwrap_or(Number::Int(1));
        if let (Number::Int(start), Number::Int(step), Number::Int(factor)) = (start, step, factor) {
            let next = |value: &i128| value.checked_mul(factor).and_then(|v| v.checked_add(step));
            let values: Vec<_> =
                std::iter::successors(Some(start), next).take(length).map(|v| v.to_string()).collect();
            if values.len() < length {
                return Err(parametric_error("Job parameters grow too large"));
            }
            return Ok(values);
        }
        let next = |value: &f64| Some(value * factor.float() + step.float());
        let values = std::iter::successors(Some(start.float()), next);
        Ok(values.take(length).map(number::float_text).collect())
    }
}

/// What no job of the series keeps.
fn consumed_names(series: &[(String, Vec<String>)]) -> HashSet<String> {
    let named =
        |kind: &str, suffix: &str| if suffix == "0" { kind.to_owned() } else { format!("{kind}.{suffix}") };
    let kinds = [VECTOR, START, STEP, FACTOR];
    series.iter().flat_map(|(suffix, _)| kinds.map(|kind| named(kind, suffix))).collect()
}

fn placeholder(suffix: &str) -> String {
    if suffix == "0" { "%s".to_owned() } else { format!("%({suffix})s") }
}

/// Puts a parameter in; where a list takes a list, the inner braces go.
fn substitute_parameter(value: &Attribute, placeholder: &str, parameter: &str) -> Result<Attribute, Problem> {
    let mut parameter = number::strip(parameter);
    if value.list().is_some() && parameter.starts_with('{') {
        parameter = number::strip(parameter.trim_start_matches('{').trim_end_matches('}'));
    }
    substitute(value, placeholder, parameter)
}

fn substitute(value: &Attribute, from: &str, to: &str) -> Result<Attribute, Problem> {
    Ok(match value {
        Attribute::Text(written) => Attribute::Text(replace(written, from, to)?),
        Attribute::Record(inner) => {
            let mut record = Attributes::default();
            for (name, value) in inner.iter() {
                record.set(&replace(name, from, to)?, substitute(value, from, to)?);
            }
            Attribute::Record(record)
        }
    })
}

/// `text.replace(from, to)`, unless the result would be too long.
fn replace(text: &str, from: &str, to: &str) -> Result<String, Problem> {
    let count = text.matches(from).count();
    if text.len().saturating_add(count.saturating_mul(to.len())) > MAX_TEXT_BYTES {
        return Err(Problem::TooLong);
    }
    Ok(text.replace(from, to))
}
