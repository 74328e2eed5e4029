-- What servers send to WebSockets, beside events. Triggers write it in the transactions of the changes, whatever changes them;
-- each server reads it while it has sockets. Old rows are deleted by a task.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    object_id INTEGER NOT NULL,
    status TEXT NOT NULL
);

CREATE TRIGGER notice_of_new_job AFTER INSERT ON unified_jobs WHEN NEW.status = 'pending' BEGIN
    INSERT INTO notices (kind, object_id, status) VALUES ('job', NEW.id, NEW.status);
END;
CREATE TRIGGER notice_of_job AFTER UPDATE OF status ON unified_jobs
    WHEN OLD.status <> NEW.status AND NEW.status NOT IN ('new', 'waiting') BEGIN
    INSERT INTO notices (kind, object_id, status) VALUES ('job', NEW.id, NEW.status);
END;
