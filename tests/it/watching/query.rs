//! PromQL, parsed: which series a query asks for, and by which labels.

use std::collections::BTreeSet;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{BinModifier, Expr, LabelModifier, VectorSelector, parse};

use super::known::Known;

/// A query's selectors, and the labels that it groups or joins by.
pub struct Asked {
    selectors: Vec<VectorSelector>,
    grouped: BTreeSet<String>,
}

impl Asked {
    /// Reads a query.
    pub fn of(query: &str) -> Self {
        let parsed = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let mut asked = Asked { selectors: Vec::new(), grouped: BTreeSet::new() };
        asked.walk(&parsed);
        asked
    }

    /// Names of the series.
    pub fn names(&self) -> BTreeSet<String> {
        self.selectors.iter().map(|selector| selector.name.clone().unwrap()).collect()
    }

    /// Everything that is named and does not exist; `shown` are labels that a text about the result names.
    pub fn unknown(&self, known: &Known, shown: &BTreeSet<String>) -> Vec<String> {
        let mut unknown = Vec::new();
        let mut labels = BTreeSet::new();
        for selector in &self.selectors {
            let name = selector.name.clone().unwrap_or_default();
            let Some(of_series) = known.labels(&name) else {
                unknown.push(format!("the series {name}"));
                continue;
            };
            labels.extend(of_series.iter().cloned());
            for matcher in &selector.matchers.matchers {
                if !of_series.contains(&matcher.name) {
                    unknown.push(format!("the label {} of {name}", matcher.name));
                }
                unknown.extend(
                    never(matcher, known).into_iter().map(|value| format!("{}={value} of {name}", matcher.name)),
                );
            }
        }
        let named = self.grouped.union(shown).filter(|label| !labels.contains(*label));
        unknown.extend(named.map(|label| format!("the label {label}")));
        unknown
    }

    fn walk(&mut self, expr: &Expr) {
        match expr {
            Expr::Aggregate(aggregate) => {
                self.group(aggregate.modifier.as_ref());
                self.walk(&aggregate.expr);
                aggregate.param.iter().for_each(|param| self.walk(param));
            }
            Expr::Binary(binary) => {
                self.join(binary.modifier.as_ref());
                self.walk(&binary.lhs);
                self.walk(&binary.rhs);
            }
            Expr::Unary(unary) => self.walk(&unary.expr),
            Expr::Paren(paren) => self.walk(&paren.expr),
            Expr::Subquery(subquery) => self.walk(&subquery.expr),
            Expr::VectorSelector(selector) => self.selectors.push(selector.clone()),
            Expr::MatrixSelector(selector) => self.selectors.push(selector.vs.clone()),
            Expr::Call(call) => call.args.args.iter().for_each(|argument| self.walk(argument)),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => {}
            Expr::Extension(_) => panic!("Prometheus has no such thing: {expr}"),
        }
    }

    fn join(&mut self, modifier: Option<&BinModifier>) {
        let Some(modifier) = modifier else { return };
        self.group(modifier.matching.as_ref());
        self.grouped.extend(modifier.card.labels().into_iter().flat_map(|labels| labels.labels.iter().cloned()));
    }

    fn group(&mut self, modifier: Option<&LabelModifier>) {
        self.grouped.extend(modifier.into_iter().flat_map(|modifier| modifier.labels().labels.iter().cloned()));
    }
}

/// Values that a matcher names and its label never has.
fn never(matcher: &Matcher, known: &Known) -> Vec<String> {
    let Some(values) = known.values(&matcher.name) else { return Vec::new() };
    let named: Vec<&str> = match &matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => vec![matcher.value.as_str()],
        MatchOp::Re(_) | MatchOp::NotRe(_) => matcher.value.split('|').collect(),
    };
    named.into_iter().filter(|value| !values.contains(*value)).map(str::to_owned).collect()
}

#[test]
fn what_does_not_exist_is_found_wherever_a_query_names_it() {
    let known = Known::new();
    let unknown = |query: &str| Asked::of(query).unknown(&known, &BTreeSet::new());
    assert_eq!(unknown("sum by (portal) (rate(vitrina_records_total{outcome=\"accepted\"}[5m])) > 0"), [""; 0]);
    for (query, what) in [
        ("vitrina_feed_lags", "the series vitrina_feed_lags"),
        ("1 - rate(vitrina_nothing[5m])", "the series vitrina_nothing"),
        ("vitrina_feed_lag_seconds{feeds=\"slot\"}", "the label feeds of vitrina_feed_lag_seconds"),
        ("vitrina_portal_state{state=\"closed\"}", "state=closed of vitrina_portal_state"),
        ("vitrina_feed_records{state=~\"held|rejects\"}", "state=rejects of vitrina_feed_records"),
        ("sum by (unit) (vitrina_unit_paused)", "the label unit"),
        ("vitrina_ready and on (host) vitrina_healthy", "the label host"),
        ("vitrina_cycle_duration_seconds", "the series vitrina_cycle_duration_seconds"),
    ] {
        assert_eq!(unknown(query), [what], "{query}");
    }
    let shown = BTreeSet::from(["verb".to_owned()]);
    assert_eq!(Asked::of("vitrina_ready").unknown(&known, &shown), ["the label verb"]);
}
