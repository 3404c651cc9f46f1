//! What can be searched for although it is no column: it stands for values of a column that somebody else knows.

use diracx_core::search::{Filter, ScalarOperator, SearchValue, VectorOperator};

use super::SearchError;

/// Takes the filters on `pseudo` out of a search. Of several the values count together.
///
/// `None` if there are none. What remains is a filter on `column`, which the caller adds once it knows its values.
pub fn take_pseudo(
    filters: &mut Vec<Filter>,
    pseudo: &'static str,
    column: &'static str,
) -> Result<Option<Vec<SearchValue>>, SearchError> {
    let (taken, kept): (Vec<_>, Vec<_>) =
        std::mem::take(filters).into_iter().partition(|filter| filter.parameter() == pseudo);
    *filters = kept;
    if taken.is_empty() {
        return Ok(None);
    }
    if filters.iter().any(|filter| filter.parameter() == column) {
        return Err(SearchError::PseudoCombined { pseudo, column });
    }
    let mut all = Vec::new();
    for filter in taken {
        match filter {
            Filter::Scalar { operator: ScalarOperator::Eq, value, .. } => all.push(value),
            Filter::Vector { operator: VectorOperator::In, values, .. } => all.extend(values),
            Filter::Scalar { operator, .. } => {
                return Err(SearchError::PseudoOperator { pseudo, operator: shown(operator) });
            }
            Filter::Vector { operator, .. } => {
                let operator = format!("VectorSearchOperator.NOT_IN: '{}'", operator.as_str());
                return Err(SearchError::PseudoOperator { pseudo, operator });
            }
        }
    }
    Ok(Some(all))
}

/// As Python shows it, which is what DiracX's sentence has.
fn shown(operator: ScalarOperator) -> String {
    let name = match operator {
        ScalarOperator::Eq => "EQUAL",
        ScalarOperator::Neq => "NOT_EQUAL",
        ScalarOperator::Gt => "GREATER_THAN",
        ScalarOperator::Lt => "LESS_THAN",
        ScalarOperator::Like => "LIKE",
        ScalarOperator::NotLike => "NOT_LIKE",
        ScalarOperator::Regex => "REGEX",
    };
    format!("ScalarSearchOperator.{name}: '{}'", operator.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(mut filters: Vec<Filter>) -> (Result<Option<Vec<SearchValue>>, String>, usize) {
        let taken = take_pseudo(&mut filters, "PilotStamp", "JobID").map_err(|error| error.to_string());
        (taken, filters.len())
    }

    fn text(text: &str) -> SearchValue {
        SearchValue::Text(text.to_owned())
    }

    #[test]
    fn the_values_of_all_filters_count_together() {
        let several = Filter::Vector {
            parameter: "PilotStamp".into(),
            operator: VectorOperator::In,
            values: vec![text("b"), text("c")],
        };
        let filters = vec![Filter::equals("PilotStamp", "a"), Filter::equals("VO", "lhcb"), several];
        assert_eq!(take(filters), (Ok(Some(vec![text("a"), text("b"), text("c")])), 1));
        assert_eq!(take(vec![Filter::equals("VO", "lhcb")]), (Ok(None), 1));
    }

    #[test]
    fn what_it_cannot_do_is_said_in_the_words_of_diracx() {
        let not = Filter::Scalar {
            parameter: "PilotStamp".into(),
            operator: ScalarOperator::Neq,
            value: text("a"),
        };
        let said = "Operator <ScalarSearchOperator.NOT_EQUAL: 'neq'> is not supported on the 'PilotStamp' \
                    pseudo-parameter; use 'eq' or 'in'.";
        assert_eq!(take(vec![not]).0, Err(said.to_owned()));
        let both = vec![Filter::equals("PilotStamp", "a"), Filter::equals("JobID", "5")];
        let said =
            "Cannot combine 'PilotStamp' pseudo-parameter with a real 'JobID' filter in the same request.";
        assert_eq!(take(both).0, Err(said.to_owned()));
    }
}
