use crate::{Actor, Field, Resource, Rule, fields};

/// A rule about the rows of a table: those under this alias on which the actor may do something.
pub type Permit = fn(actor: &Actor, row: &str) -> Rule;

/// A path that is neither a list nor an object: `projects/N/copy/`, `users/N/second_factor/verify/`,
/// `schedules/preview/`.
///
/// The description gives the path, its methods, their permissions, their input and their responses. Routes, OPTIONS,
/// the OpenAPI document, HTML forms and capabilities follow from it. What a method does is in the
/// `ActionHandler` of the resource's hooks.
#[derive(Clone, Copy, Debug)]
pub struct ResourceAction {
    /// The path below its parent, without slashes at its ends. It may have several segments.
    pub path: &'static str,
    /// The parent of the path.
    pub parent: ActionParent,
    /// The title in OPTIONS.
    pub title: &'static str,
    /// The description in OPTIONS.
    pub description: &'static str,
    /// GET and HEAD.
    pub get: Option<ActionMethod>,
    /// POST.
    pub post: Option<ActionMethod>,
    /// PUT.
    pub put: Option<ActionMethod>,
    /// PATCH.
    pub patch: Option<ActionMethod>,
    /// DELETE.
    pub delete: Option<ActionMethod>,
    /// The key of its link in the object's `related`; `None` if there is no link.
    pub link: Option<&'static str>,
    /// The keys in `summary_fields.user_capabilities` that are true for actors who may POST.
    pub capabilities: &'static [&'static str],
    /// The `types` in OPTIONS, if they are not that of the resource.
    pub types: Option<&'static [&'static str]>,
    /// The formats of responses beside JSON, YAML and HTML pages.
    pub formats: &'static [ActionFormat],
    /// What handles it.
    pub handling: ActionHandling,
    /// Whether POST needs no user: what handles it checks a key or a signature in the request.
    pub post_by_key: bool,
}

/// The parent of an action's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionParent {
    /// An object of the resource: `projects/N/update/`.
    Object,
    /// The list of the resource: `schedules/preview/`. The path takes precedence over an object with this name.
    List,
    /// The root of the API: `bulk/host_create/`.
    Root,
}

/// What handles an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionHandling {
    /// The handler that the hooks of the resource return.
    Hooks,
    /// The server, because the action needs more than the engine, such as the client's address.
    Server,
    /// Nothing yet: 501 for actors who have the permission.
    Unimplemented,
}

/// The method of a request for an action. HEAD is handled as GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl HttpMethod {
    /// All methods, in the order of the `Allow` header.
    pub const ALL: [HttpMethod; 5] =
        [HttpMethod::Get, HttpMethod::Post, HttpMethod::Put, HttpMethod::Patch, HttpMethod::Delete];

    /// The name, as in a request.
    pub const fn name(self) -> &'static str {
        match self {
            HttpMethod::Get => "GET",
            HttpMethod::Post => "POST",
            HttpMethod::Put => "PUT",
            HttpMethod::Patch => "PATCH",
            HttpMethod::Delete => "DELETE",
        }
    }

    /// Whether requests with the method have a body.
    pub const fn has_body(self) -> bool {
        matches!(self, HttpMethod::Post | HttpMethod::Put | HttpMethod::Patch)
    }
}

/// A method of an action.
#[derive(Clone, Copy, Debug)]
pub struct ActionMethod {
    /// What it does, in the OpenAPI document.
    pub summary: &'static str,
    /// The objects for which the actor may use it, among those that the actor sees; `None` for all of them. For an
    /// action of a list the rule refers to no row.
    pub permit: Option<Permit>,
    /// The fields of the body, or the query parameters of GET.
    pub input: &'static [Field],
    /// The response.
    pub answer: ActionAnswer,
    /// Whether the whole body is the value of the only input field.
    pub whole_body: bool,
}

impl ActionMethod {
    /// A method for all actors who see the object.
    pub const fn new(summary: &'static str, answer: ActionAnswer) -> Self {
        ActionMethod { summary, permit: None, input: &[], answer, whole_body: false }
    }
    /// A GET that responds whether the actor may POST, in this boolean field.
    pub const fn permission(field: &'static Field) -> Self {
        ActionMethod::new("whether you may do it", ActionAnswer::Permission(field))
    }
    /// Only for these objects.
    pub const fn permit(mut self, permit: Permit) -> Self {
        self.permit = Some(permit);
        self
    }
    /// The whole body, an object with any keys, is the value of this field.
    pub const fn whole_body(mut self, field: &'static Field) -> Self {
        self.input = std::slice::from_ref(field);
        self.whole_body = true;
        self
    }
    /// Sets the fields of the body, or the query parameters of GET.
    pub const fn input(mut self, input: &'static [Field]) -> Self {
        self.input = input;
        self
    }
}

/// The response of an action's method.
#[derive(Clone, Copy, Debug)]
pub enum ActionAnswer {
    /// These fields.
    Fields(&'static [Field]),
    /// Whether the actor may POST, in this field. The engine responds to it; no handler is called.
    Permission(&'static Field),
    /// These fields of something new that has no path of its own.
    NewFields(&'static [Field]),
    /// A new object of this resource.
    NewObject(fn() -> &'static Resource),
    /// These fields, of work that was accepted and continues.
    Accepted(&'static [Field]),
    /// A JSON document with any keys, which this field describes in OPTIONS.
    Document(&'static Field),
    /// No content.
    Nothing,
}

impl ActionAnswer {
    /// The fields of the response.
    pub fn fields(&self) -> &[Field] {
        match self {
            ActionAnswer::Fields(fields) | ActionAnswer::NewFields(fields) | ActionAnswer::Accepted(fields) => fields,
            ActionAnswer::Permission(field) | ActionAnswer::Document(field) => std::slice::from_ref(*field),
            ActionAnswer::NewObject(_) | ActionAnswer::Nothing => &[],
        }
    }
}

/// A format of responses, for `?format=` and the Accept header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionFormat {
    /// The value of `?format=`.
    pub name: &'static str,
    /// The media type, such as `text/plain`.
    pub media_type: &'static str,
}

/// The input of every copy.
pub const COPY_NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .not_filterable()
    .help("The name of the copy. It must differ from the name of the original.");
const COPY_INPUT: &[Field] = &[COPY_NAME];
// Hidden: as in AWX, OPTIONS lists the name for GET too, and not this field.
const CAN_COPY: Field =
    fields::boolean("can_copy").label("Can copy").read_only().hidden().help("Whether you may copy the object.");

impl ResourceAction {
    /// An action below each object, linked in `related`.
    pub const fn new(path: &'static str, title: &'static str) -> Self {
        ResourceAction {
            path,
            parent: ActionParent::Object,
            title,
            description: "",
            get: None,
            post: None,
            put: None,
            patch: None,
            delete: None,
            link: Some(path),
            capabilities: &[],
            types: None,
            formats: &[],
            handling: ActionHandling::Hooks,
            post_by_key: false,
        }
    }

    /// `copy/` below each object, for these objects. The handler creates the copy.
    pub const fn copy(title: &'static str, resource: fn() -> &'static Resource, permit: Permit) -> Self {
        ResourceAction::new("copy", title)
            .describe("Creates a copy of the object, including secrets, under another name.")
            .get(ActionMethod::permission(&CAN_COPY))
            .post(ActionMethod::new("copy", ActionAnswer::NewObject(resource)).permit(permit).input(COPY_INPUT))
            .capabilities(&["copy"])
            .types(&[])
    }

    /// A list or an action of AWX that is not implemented yet: 501, never an empty list.
    pub const fn unimplemented(path: &'static str) -> Self {
        let mut action = ResourceAction::new(path, "");
        action.handling = ActionHandling::Unimplemented;
        action
    }

    /// Sets the description.
    pub const fn describe(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }
    /// GET and HEAD are allowed.
    pub const fn get(mut self, method: ActionMethod) -> Self {
        self.get = Some(method);
        self
    }
    /// POST is allowed.
    pub const fn post(mut self, method: ActionMethod) -> Self {
        self.post = Some(method);
        self
    }
    /// PUT is allowed.
    pub const fn put(mut self, method: ActionMethod) -> Self {
        self.put = Some(method);
        self
    }
    /// PATCH is allowed.
    pub const fn patch(mut self, method: ActionMethod) -> Self {
        self.patch = Some(method);
        self
    }
    /// DELETE is allowed.
    pub const fn delete(mut self, method: ActionMethod) -> Self {
        self.delete = Some(method);
        self
    }
    /// The path is below this parent, not below an object. Only objects link to their actions.
    pub const fn below(mut self, parent: ActionParent) -> Self {
        self.parent = parent;
        self.link = None;
        self
    }
    /// `related` has no link to it.
    pub const fn unlinked(mut self) -> Self {
        self.link = None;
        self
    }
    /// `related` has the link under this key.
    pub const fn linked_as(mut self, key: &'static str) -> Self {
        self.link = Some(key);
        self
    }
    /// Sets the keys in `user_capabilities` that are true for actors who may POST.
    pub const fn capabilities(mut self, keys: &'static [&'static str]) -> Self {
        self.capabilities = keys;
        self
    }
    /// Sets the `types` in OPTIONS; OPTIONS has no such key if they are empty.
    pub const fn types(mut self, types: &'static [&'static str]) -> Self {
        self.types = Some(types);
        self
    }
    /// Sets the formats beside JSON, YAML and HTML pages.
    pub const fn formats(mut self, formats: &'static [ActionFormat]) -> Self {
        self.formats = formats;
        self
    }
    /// The server handles it.
    pub const fn by_server(mut self) -> Self {
        self.handling = ActionHandling::Server;
        self
    }
    /// POST is for senders with a key, who are no users; the server handles it.
    pub const fn post_by_key(mut self, method: ActionMethod) -> Self {
        self.post_by_key = true;
        self.post(method.permit(|_, _| Rule::None)).by_server()
    }
    /// Nothing handles it yet.
    pub const fn not_implemented(mut self) -> Self {
        self.handling = ActionHandling::Unimplemented;
        self
    }

    /// The description of a method, if it is allowed.
    pub const fn method(&self, method: HttpMethod) -> Option<&ActionMethod> {
        match method {
            HttpMethod::Get => self.get.as_ref(),
            HttpMethod::Post => self.post.as_ref(),
            HttpMethod::Put => self.put.as_ref(),
            HttpMethod::Patch => self.patch.as_ref(),
            HttpMethod::Delete => self.delete.as_ref(),
        }
    }

    /// The allowed methods with their descriptions.
    pub fn methods(&self) -> impl Iterator<Item = (HttpMethod, &ActionMethod)> {
        HttpMethod::ALL.into_iter().filter_map(|method| Some((method, self.method(method)?)))
    }
}

/// A key in `summary_fields.user_capabilities` that follows from a rule of its own, and not from an action.
#[derive(Clone, Copy, Debug)]
pub struct Capability {
    /// The key.
    pub name: &'static str,
    /// The rows for which it is true.
    pub permit: Permit,
}
