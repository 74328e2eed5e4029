-- Nodes that run jobs, and the groups in which they are chosen.
CREATE TABLE instances (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    uuid TEXT NOT NULL,
    hostname TEXT NOT NULL UNIQUE,
    ip_address TEXT NOT NULL DEFAULT '',
    node_type TEXT NOT NULL,
    node_state TEXT NOT NULL,
    awx_version TEXT NOT NULL DEFAULT '',
    enabled INTEGER NOT NULL DEFAULT 1,
    managed INTEGER NOT NULL DEFAULT 0,
    managed_by_policy INTEGER NOT NULL DEFAULT 1,
    last_seen INTEGER,
    health_check_started INTEGER,
    last_health_check INTEGER,
    errors TEXT NOT NULL DEFAULT '',
    -- Numbers with decimals, as responses show them.
    capacity_adjustment TEXT NOT NULL DEFAULT '1.00',
    cpu TEXT NOT NULL DEFAULT '0.0',
    memory INTEGER NOT NULL DEFAULT 0,
    cpu_capacity INTEGER NOT NULL DEFAULT 0,
    mem_capacity INTEGER NOT NULL DEFAULT 0,
    capacity INTEGER NOT NULL DEFAULT 0,
    listener_port INTEGER,
    peers TEXT NOT NULL DEFAULT '[]',
    peers_from_control_nodes INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE instance_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE,
    max_concurrent_jobs INTEGER NOT NULL DEFAULT 0,
    max_forks INTEGER NOT NULL DEFAULT 0,
    is_container_group INTEGER NOT NULL DEFAULT 0,
    credential_id INTEGER REFERENCES credentials (id) ON DELETE SET NULL,
    policy_instance_percentage INTEGER NOT NULL DEFAULT 0,
    policy_instance_minimum INTEGER NOT NULL DEFAULT 0,
    policy_instance_list TEXT NOT NULL DEFAULT '[]',
    pod_spec_override TEXT NOT NULL DEFAULT ''
);
CREATE INDEX instance_groups_credential ON instance_groups (credential_id);

CREATE TABLE instance_group_instances (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_group_id INTEGER NOT NULL REFERENCES instance_groups (id) ON DELETE CASCADE,
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    UNIQUE (instance_group_id, instance_id)
);
CREATE INDEX instance_group_instances_instance ON instance_group_instances (instance_id);

-- The groups in which an organization's jobs run, the preferred one first: in the order of the ids.
CREATE TABLE organization_instance_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    instance_group_id INTEGER NOT NULL REFERENCES instance_groups (id) ON DELETE CASCADE,
    UNIQUE (organization_id, instance_group_id)
);
CREATE INDEX organization_instance_groups_group ON organization_instance_groups (instance_group_id);

-- The managed definitions stand for the older roles of the new type.
UPDATE role_definitions SET role_type = 'instance_group', role_field = 'admin_role'
WHERE name = 'InstanceGroup Admin' AND managed = 1;
UPDATE role_definitions SET role_type = 'instance_group', role_field = 'use_role'
WHERE name = 'InstanceGroup Use' AND managed = 1;
