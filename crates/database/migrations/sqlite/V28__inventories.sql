-- Inventories, their hosts and groups. Counts of hosts and groups are read, not stored.
CREATE TABLE inventories (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    -- While the inventory is deleted in steps.
    is_deleted INTEGER NOT NULL DEFAULT 0,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    organization_id INTEGER REFERENCES organizations (id) ON DELETE CASCADE,
    -- Empty, smart or constructed.
    kind TEXT NOT NULL DEFAULT '',
    host_filter TEXT,
    -- As the client sent them: JSON or YAML.
    variables TEXT NOT NULL DEFAULT '',
    prevent_instance_group_fallback INTEGER NOT NULL DEFAULT 0,
    UNIQUE (organization_id, name)
);
CREATE INDEX inventories_name ON inventories (name);
CREATE INDEX inventories_created_by ON inventories (created_by_id);
CREATE INDEX inventories_modified_by ON inventories (modified_by_id);

-- The instance groups of an inventory, in the order in which they are chosen: that of their ids.
CREATE TABLE inventory_instance_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    inventory_id INTEGER NOT NULL REFERENCES inventories (id) ON DELETE CASCADE,
    instance_group_id INTEGER NOT NULL REFERENCES instance_groups (id) ON DELETE CASCADE,
    UNIQUE (inventory_id, instance_group_id)
);
CREATE INDEX inventory_instance_groups_group ON inventory_instance_groups (instance_group_id);

CREATE TABLE inventory_labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    inventory_id INTEGER NOT NULL REFERENCES inventories (id) ON DELETE CASCADE,
    label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
    UNIQUE (inventory_id, label_id)
);
CREATE INDEX inventory_labels_label ON inventory_labels (label_id);

CREATE TABLE hosts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    inventory_id INTEGER NOT NULL REFERENCES inventories (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    enabled INTEGER NOT NULL DEFAULT 1,
    -- The id of the host in its source, such as a cloud.
    instance_id TEXT NOT NULL DEFAULT '',
    variables TEXT NOT NULL DEFAULT '',
    ansible_facts TEXT NOT NULL DEFAULT '{}',
    ansible_facts_modified INTEGER,
    UNIQUE (inventory_id, name)
);
CREATE INDEX hosts_name ON hosts (name);
CREATE INDEX hosts_created ON hosts (created);
CREATE INDEX hosts_modified ON hosts (modified);
CREATE INDEX hosts_created_by ON hosts (created_by_id);
CREATE INDEX hosts_modified_by ON hosts (modified_by_id);

CREATE TABLE inventory_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    created_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    modified_by_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    inventory_id INTEGER NOT NULL REFERENCES inventories (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    variables TEXT NOT NULL DEFAULT '',
    UNIQUE (inventory_id, name)
);
CREATE INDEX inventory_groups_name ON inventory_groups (name);
CREATE INDEX inventory_groups_created_by ON inventory_groups (created_by_id);
CREATE INDEX inventory_groups_modified_by ON inventory_groups (modified_by_id);

CREATE TABLE inventory_group_hosts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL REFERENCES inventory_groups (id) ON DELETE CASCADE,
    host_id INTEGER NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    UNIQUE (group_id, host_id)
);
CREATE INDEX inventory_group_hosts_host ON inventory_group_hosts (host_id);

-- Groups in groups, without cycles.
CREATE TABLE inventory_group_children (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    parent_id INTEGER NOT NULL REFERENCES inventory_groups (id) ON DELETE CASCADE,
    child_id INTEGER NOT NULL REFERENCES inventory_groups (id) ON DELETE CASCADE,
    UNIQUE (parent_id, child_id)
);
CREATE INDEX inventory_group_children_child ON inventory_group_children (child_id);
