-- An event of a webhook launches one job of a template, however often it is sent.
CREATE UNIQUE INDEX unified_jobs_webhook_event ON unified_jobs (unified_job_template_id, webhook_service, webhook_guid)
    WHERE webhook_guid <> '';
