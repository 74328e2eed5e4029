//! The credentials of a launch.

use crate::attached::AttachedCredential;
use crate::job_templates::multiple_message;

/// The credentials of a job, if the launch sends these instead of those of the template. A sent one replaces that of the
/// template in the same place: of the same type, and for vaults with the same vault id.
///
/// # Errors
/// What is wrong with them: a job cannot use one, two take the same place, or a place of the template is left empty.
pub fn choose<'a>(
    template: &'a [AttachedCredential],
    sent: &'a [AttachedCredential],
) -> Result<Vec<&'a AttachedCredential>, Vec<String>> {
    let of_template = |credential: &AttachedCredential| template.iter().any(|other| other.id == credential.id);
    let (kept, added): (Vec<_>, Vec<_>) = sent.iter().partition(|credential| of_template(credential));
    let mut problems = vec![];
    for (position, credential) in added.iter().enumerate() {
        if !credential.is_for_jobs() {
            problems.push(format!("Cannot assign a Credential of kind `{}`", credential.kind));
        } else if added[..position].iter().any(|other| other.place() == credential.place()) {
            problems.push(multiple_message(credential));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let is_sent = |credential: &AttachedCredential| sent.iter().any(|other| other.id == credential.id);
    let missing: Vec<&AttachedCredential> = template.iter().filter(|credential| !is_sent(credential)).collect();
    let names: Vec<String> =
        missing.iter().map(|credential| format!("{}-{}", credential.name, credential.id)).collect();
    let names = names.join(", ");
    let is_taken = |credential: &AttachedCredential| added.iter().any(|other| other.place() == credential.place());
    let left_empty = missing.iter().filter(|credential| !is_taken(credential));
    problems.extend(left_empty.map(|credential| {
        format!(
            "Removing {} credential at launch time without replacement is not supported. Provided list lacked \
             credential(s): {names}.",
            credential.place_name()
        )
    }));
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut chosen: Vec<&AttachedCredential> = kept.into_iter().filter(|credential| !is_taken(credential)).collect();
    chosen.extend(added.iter());
    Ok(chosen)
}
