use hostler_schema::{Access, Action, Actor, Draft, Resource, Rule};

/// Access to the rows of a base resource: the rules of each row's variant decide.
pub struct ByVariant(pub fn() -> &'static Resource);

impl Access for ByVariant {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let Some(variants) = (self.0)().variants else { return Rule::None };
        variants.rule(row, |variant| variant.access.rows(actor, action, row))
    }

    /// Objects are created as one of the variants.
    fn create(&self, _actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::None
    }
}
