-- Removes what kept totals, text indexes and planner statistics by hand: lists count their rows, filters compare texts
-- directly, and SQLite collects statistics itself (PRAGMA optimize).

DROP TRIGGER users_counted;
DROP TRIGGER users_uncounted;
DROP TRIGGER teams_counted;
DROP TRIGGER teams_uncounted;
DROP TRIGGER projects_counted;
DROP TRIGGER projects_uncounted;
DROP TRIGGER tokens_counted;
DROP TRIGGER tokens_uncounted;
DROP TRIGGER roles_counted;
DROP TRIGGER roles_uncounted;
DROP TRIGGER activity_counted;
DROP TRIGGER activity_uncounted;
DROP TRIGGER grants_counted;
DROP TRIGGER grants_uncounted;
DROP TABLE row_counts;

DROP TRIGGER users_texts_added;
DROP TRIGGER users_texts_changed;
DROP TRIGGER users_texts_removed;
DROP TRIGGER organizations_texts_added;
DROP TRIGGER organizations_texts_changed;
DROP TRIGGER organizations_texts_removed;
DROP TRIGGER teams_texts_added;
DROP TRIGGER teams_texts_changed;
DROP TRIGGER teams_texts_removed;
DROP TRIGGER projects_texts_added;
DROP TRIGGER projects_texts_changed;
DROP TRIGGER projects_texts_removed;
DROP TRIGGER labels_texts_added;
DROP TRIGGER labels_texts_changed;
DROP TRIGGER labels_texts_removed;
DROP TRIGGER applications_texts_added;
DROP TRIGGER applications_texts_changed;
DROP TRIGGER applications_texts_removed;
DROP TRIGGER credentials_texts_added;
DROP TRIGGER credentials_texts_changed;
DROP TRIGGER credentials_texts_removed;
DROP VIEW searched_texts;
DROP TABLE texts_changed;
DROP TABLE texts;

DELETE FROM sqlite_stat1;
