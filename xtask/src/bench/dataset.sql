-- A world of {users} users for `cargo xtask bench`, the same on both databases:
-- numbers decide everything, so that each run has the same one. The ids of what
-- was there before end at {user0}, {organization0}, {team0} and {project0}; the
-- last organization, team and project lend their roles to the new ones.

-- People with ordinary names.
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users}),
    first(k, word) AS (VALUES (0, 'Ada'), (1, 'Grace'), (2, 'Alan'), (3, 'Barbara'), (4, 'Edsger'), (5, 'Frances'),
        (6, 'Dennis'), (7, 'Radia'), (8, 'Ken'), (9, 'Margaret'), (10, 'Donald'), (11, 'Adele'), (12, 'Tony'),
        (13, 'Shafi'), (14, 'Niklaus'), (15, 'Jörg')),
    last(k, word) AS (VALUES (0, 'Anderson'), (1, 'Bergström'), (2, 'Castillo'), (3, 'Dubois'), (4, 'Eriksson'),
        (5, 'Fischer'), (6, 'Garcia'), (7, 'Hopper'), (8, 'Ivanova'), (9, 'Johnson'), (10, 'Kowalski'), (11, 'Lovelace'),
        (12, 'Müller'), (13, 'Nakamura'), (14, 'Okafor'), (15, 'Petrov'), (16, 'Quinn'), (17, 'Rossi'), (18, 'Silva'),
        (19, 'Turing'), (20, 'Ueda'), (21, 'Vogel'), (22, 'Wirth'), (23, 'Yılmaz'), (24, 'Zhang'))
INSERT INTO users (ansible_id, created, username, first_name, last_name, email, is_superuser, is_system_auditor, is_active)
SELECT '00000000-0000-4000-8000-' || substr('000000000000' || i, length('' || i) + 1), {time},
    'user-' || substr('000000' || i, length('' || i) + 1), first.word, last.word, 'user-' || i || '@example.org',
    {false}, {false}, {true}
FROM n JOIN first ON first.k = i * 7 % 16 JOIN last ON last.k = i * 11 % 25 ORDER BY i;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {organizations})
INSERT INTO organizations (ansible_id, created, modified, created_by_id, name, description)
SELECT '00000000-0000-4000-8001-' || substr('000000000000' || i, length('' || i) + 1), {time}, {time}, 1,
    'Organization ' || substr('000000' || i, length('' || i) + 1), 'Department ' || i % 17 FROM n ORDER BY i;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {teams})
INSERT INTO teams (ansible_id, created, modified, created_by_id, name, organization_id)
SELECT '00000000-0000-4000-8002-' || substr('000000000000' || i, length('' || i) + 1), {time}, {time}, 1,
    'Team ' || substr('000000' || i, length('' || i) + 1), {organization0} + 1 + i % {organizations} FROM n ORDER BY i;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {projects})
INSERT INTO unified_job_templates (type, created, modified, created_by_id, modified_by_id, organization_id, name, scm_type, scm_url)
SELECT 'project', {time}, {time}, 1, {user0} + 1 + i % {users}, {organization0} + 1 + i % {organizations},
    'Project ' || substr('000000' || i, length('' || i) + 1), 'git', 'https://git.example.org/' || i FROM n ORDER BY i;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {labels})
INSERT INTO labels (created, modified, created_by_id, name, organization_id)
SELECT {time}, {time}, {user0} + 1 + i % {users}, 'label ' || i, {organization0} + 1 + i % {organizations}
FROM n ORDER BY i;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {organizations})
INSERT INTO applications (created, modified, name, client_id, client_type, authorization_grant_type, organization_id)
SELECT {time}, {time}, 'Application ' || i, 'client-' || i, 'public', 'authorization-code', {organization0} + i
FROM n ORDER BY i;

-- One user of ten has a token, which the server does not remove while it is measured; one token of five is an
-- application's.
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {tokens})
INSERT INTO tokens (created, modified, user_id, description, digest, scope, expires)
SELECT {time}, {time}, {user0} + i * 10, 'token ' || i, 'no digest ' || i, 'read', {later} FROM n ORDER BY i;
UPDATE tokens SET application_id = 1 + id % {organizations} WHERE id % 5 = 0 AND digest LIKE 'no digest %';

-- Each object has the roles that the last one of before has.
INSERT INTO roles (content_type, object_id, role_field)
SELECT content_type, organizations.id, role_field FROM organizations JOIN roles
    ON content_type = 'organization' AND object_id = {organization0}
WHERE organizations.id > {organization0} ORDER BY organizations.id, roles.id;
INSERT INTO roles (content_type, object_id, role_field)
SELECT content_type, teams.id, role_field FROM teams JOIN roles ON content_type = 'team' AND object_id = {team0}
WHERE teams.id > {team0} ORDER BY teams.id, roles.id;
INSERT INTO roles (content_type, object_id, role_field)
SELECT content_type, projects.id, role_field FROM projects JOIN roles
    ON content_type = 'project' AND object_id = {project0}
WHERE projects.id > {project0} ORDER BY projects.id, roles.id;

-- The statistics are of a time with few roles: without new ones SQLite would read all roles of a type for each grant.
ANALYZE roles;

-- Everybody is in one organization, one of three in a second, one of ten in a third.
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users})
INSERT INTO grants (role_id, user_id, created, created_by_id)
SELECT roles.id, {user0} + i, {time}, 1 FROM n JOIN roles ON content_type = 'organization'
    AND role_field = 'member_role' AND object_id = {organization0} + 1 + i % {organizations}
ORDER BY i ON CONFLICT DO NOTHING;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users} / 3)
INSERT INTO grants (role_id, user_id, created, created_by_id)
SELECT roles.id, {user0} + i * 3, {time}, 1 FROM n JOIN roles ON content_type = 'organization'
    AND role_field = 'member_role' AND object_id = {organization0} + 1 + (i * 3 + 1) % {organizations}
ORDER BY i ON CONFLICT DO NOTHING;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users} / 10)
INSERT INTO grants (role_id, user_id, created, created_by_id)
SELECT roles.id, {user0} + i * 10, {time}, 1 FROM n JOIN roles ON content_type = 'organization'
    AND role_field = 'member_role' AND object_id = {organization0} + 1 + (i * 17 + 5) % {organizations}
ORDER BY i ON CONFLICT DO NOTHING;

-- Two of each organization administer it.
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 2 * {organizations})
INSERT INTO grants (role_id, user_id, created, created_by_id)
SELECT roles.id, {user0} + {organizations} + i, {time}, 1 FROM n JOIN roles ON content_type = 'organization'
    AND role_field = 'admin_role' AND object_id = {organization0} + 1 + i % {organizations}
ORDER BY i ON CONFLICT DO NOTHING;

-- Teams of eight members of the organization, one of whom administers the team.
WITH RECURSIVE n(i) AS (SELECT 8 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 8 * ({teams} + 1))
INSERT INTO grants (role_id, user_id, created, created_by_id)
SELECT roles.id, {user0} + (i / 8) % {organizations}
        + {organizations} * (1 + (i / 8 / {organizations} * 8 + i % 8) % ({users} / {organizations} - 1)), {time}, 1
FROM n JOIN roles ON content_type = 'team' AND object_id = {team0} + i / 8
    AND role_field = CASE WHEN i % 8 = 0 THEN 'admin_role' ELSE 'member_role' END
ORDER BY i ON CONFLICT DO NOTHING;

-- Each project is used by one team of its organization.
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {projects})
INSERT INTO grants (role_id, team_id, created, created_by_id)
SELECT roles.id, {team0} + 1 + (i - 1) % {teams}, {time}, 1 FROM n JOIN roles ON content_type = 'project'
    AND object_id = {project0} + i AND role_field = CASE WHEN i % 2 = 0 THEN 'use_role' ELSE 'read_role' END
ORDER BY i ON CONFLICT DO NOTHING;

-- A role of our own, which some hold on some projects.
INSERT INTO role_definitions (created, modified, name, content_type, permissions)
SELECT created, created, 'Look at projects', 'awx.project', '["awx.view_project"]' FROM users WHERE id = {user0} + 1;
INSERT INTO role_definition_permissions (definition_id, permission)
SELECT id, 'awx.view_project' FROM role_definitions WHERE name = 'Look at projects';
INSERT INTO roles (content_type, object_id, role_field, definition_id)
SELECT 'project', projects.id, 'definition_' || role_definitions.id, role_definitions.id
FROM projects JOIN role_definitions ON role_definitions.name = 'Look at projects'
WHERE projects.id > {project0} AND projects.id % 10 = 0 ORDER BY projects.id;
INSERT INTO grants (role_id, user_id, created)
SELECT roles.id, users.id, users.created FROM roles JOIN users ON users.id = {user0} + 1 + roles.object_id * 3 % {users}
WHERE roles.definition_id IS NOT NULL ORDER BY roles.id;

-- What was done: by two admins of each organization, to its people, teams and projects.
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {entries})
INSERT INTO activity (timestamp, operation, changes, object1, object2, object_association, object_type, action_node, actor_id)
SELECT {time}, CASE WHEN i % 3 = 0 THEN 'create' WHEN i % 3 = 1 THEN 'update' ELSE 'associate' END,
    '{"name": ["old ' || i || '", "new ' || i || '"]}', CASE WHEN i % 2 = 0 THEN 'user' ELSE 'team' END,
    CASE WHEN i % 3 = 2 THEN 'organization' ELSE '' END, CASE WHEN i % 3 = 2 THEN 'role' ELSE '' END,
    CASE WHEN i % 3 = 2 THEN 'organization' ELSE '' END, 'awx-1',
    CASE WHEN i % 4 = 0 THEN 1 ELSE {user0} + {organizations} + i % {organizations} END
FROM n ORDER BY i;
INSERT INTO activity_links (activity_id, content_type, object_id)
SELECT id, object1, CASE WHEN object1 = 'user' THEN {user0} + 1 + id * 7 % {users} ELSE {team0} + 1 + id * 7 % {teams} END
FROM activity WHERE action_node = 'awx-1' AND object1 IN ('user', 'team') AND changes LIKE '{"name": ["old %' ORDER BY id;
INSERT INTO activity_links (activity_id, content_type, object_id)
SELECT id, 'organization', {organization0} + 1 + id % {organizations}
FROM activity WHERE object2 = 'organization' AND changes LIKE '{"name": ["old %' ORDER BY id;
