-- The events of jobs and of project updates. The id is the id of the job times 2^24 plus the counter of the event, so that
-- the events of a job are neighbours and need no other index. Texts that repeat are numbers of names, 0 for the empty
-- text; output and data of the events of a batch are compressed together.
CREATE TABLE stored_job_events (
    id INTEGER PRIMARY KEY,
    -- 0 for an event of a job, 1 of a project update.
    kind INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    verbosity INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    created INTEGER NOT NULL,
    -- The first 64 bits of the SHA-256 of the UUID, which may have a suffix.
    uuid_hash INTEGER NOT NULL,
    -- It may name a host that was deleted: ids are never reused.
    host_id INTEGER,
    -- The counter of the event above it, or 0.
    parent_counter INTEGER NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    host_name_id INTEGER NOT NULL,
    play_id INTEGER NOT NULL,
    task_id INTEGER NOT NULL,
    role_id INTEGER NOT NULL,
    playbook_id INTEGER NOT NULL
);
CREATE INDEX stored_job_events_host ON stored_job_events (host_id, id) WHERE host_id IS NOT NULL;

-- The names in the events of a job, numbered from 1.
CREATE TABLE job_event_names (
    job_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (job_id, id)
) WITHOUT ROWID;

-- Batches of events: their output, and the rest of their data, each compressed. The id is that of the first event.
CREATE TABLE job_event_batches (
    id INTEGER PRIMARY KEY,
    last_counter INTEGER NOT NULL,
    -- Line feeds and bytes of output before the batch, and to its end.
    first_line INTEGER NOT NULL,
    last_line INTEGER NOT NULL,
    first_byte INTEGER NOT NULL,
    last_byte INTEGER NOT NULL,
    -- Whether the output ends within a line there.
    ends_within_line INTEGER NOT NULL,
    stdout BLOB NOT NULL,
    data BLOB NOT NULL
);

-- Events with their names.
CREATE VIEW named_job_events AS SELECT
    stored.id,
    stored.id >> 24 AS job_id,
    stored.id & 16777215 AS counter,
    kind,
    failed,
    changed,
    verbosity,
    created,
    uuid_hash,
    host_id,
    parent_counter,
    start_line,
    end_line,
    event_id,
    host_name_id,
    play_id,
    task_id,
    role_id,
    playbook_id,
    COALESCE((SELECT name FROM job_event_names WHERE job_id = stored.id >> 24 AND job_event_names.id = stored.event_id), '') AS event,
    COALESCE((SELECT name FROM job_event_names WHERE job_id = stored.id >> 24 AND job_event_names.id = stored.host_name_id), '') AS host_name,
    COALESCE((SELECT name FROM job_event_names WHERE job_id = stored.id >> 24 AND job_event_names.id = stored.play_id), '') AS play,
    COALESCE((SELECT name FROM job_event_names WHERE job_id = stored.id >> 24 AND job_event_names.id = stored.task_id), '') AS task,
    COALESCE((SELECT name FROM job_event_names WHERE job_id = stored.id >> 24 AND job_event_names.id = stored.role_id), '') AS role,
    COALESCE((SELECT name FROM job_event_names WHERE job_id = stored.id >> 24 AND job_event_names.id = stored.playbook_id), '') AS playbook
FROM stored_job_events AS stored;
CREATE VIEW job_events AS SELECT * FROM named_job_events WHERE kind = 0;
CREATE VIEW project_update_events AS SELECT * FROM named_job_events WHERE kind = 1;

CREATE TRIGGER delete_job_events AFTER DELETE ON unified_jobs BEGIN
    DELETE FROM stored_job_events WHERE id BETWEEN OLD.id * 16777216 AND OLD.id * 16777216 + 16777215;
    DELETE FROM job_event_batches WHERE id BETWEEN OLD.id * 16777216 AND OLD.id * 16777216 + 16777215;
    DELETE FROM job_event_names WHERE job_id = OLD.id;
END;
