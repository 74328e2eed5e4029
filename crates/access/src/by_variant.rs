use hostler_schema::{Access, Action, Actor, Draft, Resource, Rule, column};
use sea_query::ExprTrait;

/// Access to the rows of a base resource: the rules of each row's variant decide.
pub struct ByVariant(pub fn() -> &'static Resource);

impl Access for ByVariant {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let Some(variants) = (self.0)().variants else { return Rule::None };
        let rules: Vec<_> = variants.iter().map(|variant| (variant, variant.access.rows(actor, action, row))).collect();
        if rules.iter().all(|(_, rule)| matches!(rule, Rule::All)) {
            return Rule::All;
        }
        rules
            .into_iter()
            .fold(Rule::None, |all, (variant, rule)| all.or(rule.within(column(row, variants.column).eq(variant.name))))
    }

    /// Objects are created as one of the variants.
    fn create(&self, _actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::None
    }
}
