//! `inventories/N/script/`: what Ansible gets.

use async_trait::async_trait;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_inventory::{ScriptError, ScriptOptions, Slice};
use hostler_schema::{Field, fields};

use super::SmartHosts;
use crate::{HOST, INVENTORY};

const HOSTVARS: Field =
    fields::boolean("hostvars").label("Hostvars").help("Whether to include the variables of the hosts.");
const TOWERVARS: Field = fields::boolean("towervars")
    .label("Towervars")
    .help("Whether the variables of a host include its id and whether it is enabled.");
const ALL: Field = fields::boolean("all").label("All").help("Whether to include disabled hosts.");
const ONE_HOST: Field = fields::text("host").label("Host").help("The name of the host whose variables are shown.");
const SUBSET: Field = fields::text("subset")
    .label("Subset")
    .help("The part of the hosts that is shown, such as slice1of3; the hosts are dealt out by name.");

pub(super) const INPUT: &[Field] = &[HOSTVARS, TOWERVARS, ALL, ONE_HOST, SUBSET];

/// Shows the inventory as Ansible gets it.
pub(super) struct Script;

#[async_trait]
impl ActionHandler for Script {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let (database, input) = (&engine.database, &request.input);
        let disabled_too = input.boolean(&ALL);
        let smart = SmartHosts::of(engine);
        let host = input.text(&ONE_HOST);
        if !host.is_empty() {
            let found = hostler_inventory::host_variables(database, &smart, request.id, host, disabled_too).await;
            let variables = found.map_err(failure)?.ok_or(Error::NotFound(Some(HOST.label)))?;
            return Ok(ActionResponse::Fields(variables.into()));
        }
        let options = ScriptOptions {
            hostvars: input.boolean(&HOSTVARS),
            towervars: input.boolean(&TOWERVARS),
            disabled_too,
            slice: slice(input.text(&SUBSET))?,
        };
        let script = hostler_inventory::script(database, &smart, request.id, options).await.map_err(failure)?;
        Ok(ActionResponse::Fields(script.document.into()))
    }
}

/// The part of the hosts that a text such as `slice1of3` names.
fn slice(subset: &str) -> Result<Option<Slice>, Error> {
    let wrong = |message: &str| Err(Error::BadRequest(message.into()));
    if subset.is_empty() {
        return Ok(None);
    }
    let numbers = subset.strip_prefix("slice").and_then(|rest| rest.split_once("of"));
    let Some((Ok(number), Ok(count))) = numbers.map(|(number, count)| (number.parse(), count.parse())) else {
        return wrong("Subset does not use any supported syntax.");
    };
    if number == 0 || number > count {
        return wrong("Slice number must be less than total number of slices.");
    }
    Ok(Some(Slice { number, count }))
}

fn failure(error: ScriptError) -> Error {
    match error {
        ScriptError::NoInventory => Error::NotFound(Some(INVENTORY.label)),
        error @ (ScriptError::Variables { .. } | ScriptError::HostFilter(_)) => Error::BadRequest(error.to_string()),
        ScriptError::Database(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_parsed() {
        assert!(matches!(slice(""), Ok(None)));
        assert!(matches!(slice("slice2of3"), Ok(Some(Slice { number: 2, count: 3 }))));
        for text in ["slice3of2", "slice0of2", "slice", "sliceof", "x", "slice1of", "slice-1of2"] {
            assert!(matches!(slice(text), Err(Error::BadRequest(_))), "{text}");
        }
    }
}
