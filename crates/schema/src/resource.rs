use sea_query::{Expr, ExprTrait};

use crate::{
    Access, ActionParent, Capability, Field, HttpMethod, ObjectRole, Permit, RelatedSearch, Relation, ResourceAction,
    Rule, Sublist, column,
};

/// The column that is true in rows of hidden objects, which a task deletes.
pub const IS_DELETED: &str = "is_deleted";

/// One part of the natural key that forms a named URL.
#[derive(Clone, Copy)]
pub enum NaturalKeyPart {
    /// The value of this field.
    Field(&'static str),
    /// The natural key of the object that this field links to.
    Link(&'static str),
}

/// Fields whose values together must be unique, and the message for a violation.
#[derive(Clone, Copy)]
pub struct UniqueConstraint {
    /// The names of the fields.
    pub fields: &'static [&'static str],
    /// The key of the error: the field's name, or `__all__` for several.
    pub key: &'static str,
    /// The message.
    pub message: &'static str,
}

/// The variants of a base resource: each row of its table is an object of one of them.
///
/// The name of its variant is in a column of the row. A variant is a resource with lists, objects and rules of its own,
/// which reads its rows through a view of the table.
#[derive(Clone, Copy)]
pub struct Variants {
    /// The column with the name of the row's variant.
    pub column: &'static str,
    /// The variants.
    pub resources: &'static [fn() -> &'static Resource],
}

impl Variants {
    /// The variants.
    pub fn iter(&self) -> impl Iterator<Item = &'static Resource> + use<> {
        self.resources.iter().map(|resource| resource())
    }

    /// The rows of the base resource to which the rule of their own variant applies; `row` is the alias in the rules.
    pub fn rule(&self, row: &str, of: impl Fn(&'static Resource) -> Rule) -> Rule {
        let rules: Vec<(&str, Rule)> = self.iter().map(|variant| (variant.name, of(variant))).collect();
        if rules.iter().all(|(_, rule)| matches!(rule, Rule::All)) {
            return Rule::All;
        }
        rules.into_iter().fold(Rule::None, |all, (name, rule)| all.or(rule.within(column(row, self.column).eq(name))))
    }

    /// The variant with this name.
    pub fn find(&self, name: &str) -> Option<&'static Resource> {
        self.iter().find(|variant| variant.name == name)
    }
}

/// The description of a type of object.
pub struct Resource {
    /// The `type` in responses, such as `user`.
    pub name: &'static str,
    /// The first part of the path, such as `users`.
    pub plural: &'static str,
    /// The name in error messages, such as `User`.
    pub label: &'static str,
    /// The verbose name in OPTIONS, such as `Access Token`.
    pub type_label: &'static str,
    /// The title of the list in OPTIONS.
    pub list_title: &'static str,
    /// The title of the detail view in OPTIONS.
    pub detail_title: &'static str,
    /// The description in OPTIONS, a sentence or two.
    pub description: &'static str,
    /// The table, or the view of a variant.
    pub table: &'static str,
    /// The variants, if the rows are objects of several types. Such a resource has lists, but no objects of its own.
    pub variants: Option<Variants>,
    /// The base resource of a variant.
    pub variant_of: Option<fn() -> &'static Resource>,
    /// The resource whose objects these are too, under another path and with other fields: type, roles, relations and
    /// activity are those of that resource.
    pub same_objects_as: Option<fn() -> &'static Resource>,
    /// The fields, in the order of responses.
    pub fields: &'static [Field],
    /// The relations that filters may follow beside those that follow from links and sub-lists.
    pub relations: &'static [Relation],
    /// Relations that AWX's filters accept and whose objects are not implemented yet: they lead to no object.
    pub unimplemented_relations: &'static [&'static str],
    /// Where OPTIONS offers to search through the relations.
    pub related_search: RelatedSearch,
    /// The sub-lists of an object.
    pub sublists: &'static [Sublist],
    /// The actions below an object and below the list, and the paths of AWX that are not implemented yet.
    pub actions: &'static [ResourceAction],
    /// The fields in `summary_fields` of other objects, after `id`.
    pub summarized_as: &'static [&'static str],
    /// The fields that `search` compares.
    pub search: &'static [&'static str],
    /// The parameters of lists that are no filters by a field: the hooks make their condition.
    pub own_parameters: &'static [Field],
    /// The parts of a named URL; empty if the resource has none.
    pub natural_key: &'static [NaturalKeyPart],
    /// The unique constraints.
    pub unique: &'static [UniqueConstraint],
    /// The roles of each object of the type.
    pub roles: &'static [ObjectRole],
    /// The resource of roles, for filters such as `admin_role__members__username`.
    pub role_resource: Option<fn() -> &'static Resource>,
    /// Whether there is a list of all objects. Otherwise there are only lists below other objects.
    pub has_list: bool,
    /// Whether clients can create objects by POST to the list.
    pub creatable: bool,
    /// Whether clients can change objects.
    pub editable: bool,
    /// Whether clients can delete objects.
    pub deletable: bool,
    /// Whether responses contain `summary_fields.user_capabilities`.
    pub capabilities: bool,
    /// The keys of `user_capabilities` beside `edit`, `delete` and those of the actions.
    pub other_capabilities: &'static [Capability],
    /// Whether an object that many rows depend on is hidden at once and deleted in steps. The table has the column
    /// [`IS_DELETED`], and the access rules are [`crate::HideDeleted`].
    pub deleted_in_steps: bool,
    /// Whether lists apply the access rules to each row that they read. Otherwise PostgreSQL, which cannot estimate how
    /// many rows the rules match, selects all visible rows first: too many in a very large table.
    pub visible_rows_by_row: bool,
    /// Whether DELETE responds that the object will be deleted (202), as AWX does for objects that it deletes later.
    pub deleted_later: bool,
    /// Whether the hooks add to the summaries of these objects in other objects.
    pub summarized_by_hooks: bool,
    /// Whether the table is a view: its rows disappear with those that it is made of.
    pub is_view: bool,
    /// Whether rows have an `ansible_id`, shown as `summary_fields.resource` with this type.
    pub shared_type: Option<&'static str>,
    /// Whether writes are recorded in the activity stream.
    pub recorded: bool,
    /// Whether the activity stream can be filtered by objects of this type. AWX has no such filter for some types.
    pub filters_activity: bool,
    /// The access rules.
    pub access: &'static dyn Access,
}

impl Resource {
    /// A resource with these names, to be completed with struct update syntax.
    pub const fn new(
        name: &'static str,
        plural: &'static str,
        label: &'static str,
        fields: &'static [Field],
        access: &'static dyn Access,
    ) -> Self {
        Resource {
            name,
            plural,
            label,
            type_label: label,
            list_title: "",
            detail_title: "",
            description: "",
            table: plural,
            variants: None,
            variant_of: None,
            same_objects_as: None,
            fields,
            relations: &[],
            unimplemented_relations: &[],
            related_search: RelatedSearch::Everywhere,
            sublists: &[],
            actions: &[],
            summarized_as: &["name", "description"],
            search: &["name", "description"],
            own_parameters: &[],
            natural_key: &[],
            unique: &[],
            roles: &[],
            role_resource: None,
            has_list: true,
            creatable: true,
            editable: true,
            deletable: true,
            capabilities: true,
            other_capabilities: &[],
            deleted_in_steps: false,
            visible_rows_by_row: false,
            deleted_later: false,
            summarized_by_hooks: false,
            is_view: false,
            shared_type: None,
            recorded: true,
            filters_activity: true,
            access,
        }
    }

    /// The condition that a row is not being deleted; none if objects are always deleted at once.
    pub fn not_deleted(&self, row: &str) -> Option<Expr> {
        self.deleted_in_steps.then(|| column(row, IS_DELETED).eq(false))
    }

    /// The field with this key.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The links whose objects are in `summary_fields`, each with its target.
    pub fn summaries(&self) -> impl Iterator<Item = (&'static Field, &'static Resource)> + use<> {
        self.fields.iter().filter(|field| field.summarized).filter_map(|field| Some((field, field.target()?)))
    }

    /// The sub-list with this name.
    pub fn sublist(&self, name: &str) -> Option<&'static Sublist> {
        self.sublists.iter().find(|sublist| sublist.name == name)
    }

    /// The action with this parent and path. `segments` are the parts of the path below the parent.
    pub fn action(&self, parent: ActionParent, segments: &[&str]) -> Option<&'static ResourceAction> {
        let has_path = |action: &&ResourceAction| action.path.split('/').eq(segments.iter().copied());
        self.actions.iter().filter(|action| action.parent == parent).find(has_path)
    }

    /// The keys of `user_capabilities` beside `edit` and `delete`, by the rule that they follow from. An action without
    /// a rule is for all who see the object.
    pub fn capability_rules(&self) -> impl Iterator<Item = (&'static [&'static str], Option<Permit>)> + use<> {
        let of_actions = self.actions.iter().filter(|action| !action.capabilities.is_empty());
        let of_actions = of_actions
            .map(|action| (action.capabilities, action.method(HttpMethod::Post).and_then(|post| post.permit)));
        let others = self.other_capabilities.iter();
        of_actions.chain(others.map(|other| (std::slice::from_ref(&other.name), Some(other.permit))))
    }

    /// The role with this `role_field`.
    pub fn role(&self, field: &str) -> Option<&'static ObjectRole> {
        self.roles.iter().find(|role| role.field == field)
    }

    /// The table that stores the rows. The database cannot write to the view of a variant.
    pub fn stored_in(&self) -> &'static str {
        self.variant_of.map_or(self.table, |base| base().table)
    }

    /// The column with the name of a row's variant: of a base resource and of its variants.
    pub fn variant_column(&self) -> Option<&'static str> {
        let variants = self.variant_of.map_or(self.variants, |base| base().variants);
        variants.map(|variants| variants.column)
    }

    /// The column and the value that the rows of a variant have in the table of its base.
    pub fn own_type(&self) -> Option<(&'static str, &'static str)> {
        self.variant_of.and(self.variant_column()).map(|column| (column, self.name))
    }

    /// The path of the object with this id.
    pub fn url(&self, id: i64) -> String {
        format!("/api/v2/{}/{}/", self.plural, id)
    }

    /// The name of a permission on objects of this type in role definitions, such as `awx.view_project`; AWX has
    /// another prefix for shared types.
    pub fn permission(&self, action: &str) -> String {
        format!("{}.{action}_{}", self.app(), self.name.replace('_', ""))
    }

    /// The name of the type in role definitions, such as `awx.project`.
    pub fn content_type(&self) -> String {
        format!("{}.{}", self.app(), self.name.replace('_', ""))
    }

    fn app(&self) -> &'static str {
        if self.shared_type.is_some() { "shared" } else { "awx" }
    }

    /// The column that links to the object's organization, if it has one.
    pub fn organization_column(&self) -> Option<&'static str> {
        self.link("organization").map(|(column, _)| column)
    }

    /// The column of the stored link with this key, and its target.
    pub fn link(&self, name: &str) -> Option<(&'static str, &'static Resource)> {
        let field = self.field(name)?;
        field.target().map(|target| (field.column, target))
    }
}

/// Two descriptions are equal if they describe the same type.
impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Resource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Resource").field(&self.name).finish()
    }
}
