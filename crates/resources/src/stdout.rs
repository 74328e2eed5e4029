//! `stdout/`: the output of jobs and project updates.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Download, DownloadParts, Engine, Error};
use hostler_events::{
    HtmlColors, Lines, OutputReader, OutputSize, PlainText, output_size, read_lines, to_html, to_plain,
};
use hostler_schema::{ActionAnswer, ActionFormat, ActionMethod, Field, ResourceAction, fields};
use serde_json::{Value as Json, json};

use crate::job_events::failed;

const START_LINE: Field = fields::integer("start_line")
    .label("Start line")
    .range(i32::MIN as i64, i32::MAX as i64)
    .help("The first line, counted from 0; a negative number counts from the end. For JSON and HTML only.");
const END_LINE: Field = fields::integer("end_line")
    .label("End line")
    .range(i32::MIN as i64, i32::MAX as i64)
    .help("The line before which the output ends; a negative number counts from the end. For JSON and HTML only.");
const CONTENT_FORMAT: Field = fields::text("content_format")
    .label("Content format")
    .help("`html` for HTML as content of a JSON response, otherwise it is as Ansible printed it.");
const CONTENT_ENCODING: Field = fields::text("content_encoding")
    .label("Content encoding")
    .help("`base64` to encode the content of a JSON response.");
const CONTENT_ONLY: Field = fields::boolean("content_only")
    .label("Content only")
    .help("Whether HTML is only the output, without a page around it.");
const DARK: Field = fields::boolean("dark").label("Dark").help("Whether an HTML page is dark.");

const RANGE: Field = fields::computed("range")
    .label("Range")
    .help("The first line (`start`), the line after the last one (`end`), and the number of lines (`absolute_end`).");
const CONTENT: Field = fields::computed("content").label("Content").help("The lines.");

const HTML: ActionFormat = ActionFormat { name: "html", media_type: "text/html" };
const TXT: ActionFormat = ActionFormat { name: "txt", media_type: "text/plain" };
const ANSI: ActionFormat = ActionFormat { name: "ansi", media_type: "text/plain" };
const TXT_DOWNLOAD: ActionFormat = ActionFormat { name: "txt_download", media_type: "text/plain" };
const ANSI_DOWNLOAD: ActionFormat = ActionFormat { name: "ansi_download", media_type: "text/plain" };

/// The action of jobs of all types.
pub const fn stdout(title: &'static str) -> ResourceAction {
    ResourceAction::new("stdout", title)
        .describe(
            "The output. `format` is `json`, `html`, `txt` (without colors), `ansi`, `txt_download` or `ansi_download`. \
             Large outputs can be downloaded; JSON has ranges of their lines.",
        )
        .get(
            ActionMethod::new("output", ActionAnswer::Fields(&[RANGE, CONTENT])).input(&[
                START_LINE,
                END_LINE,
                CONTENT_FORMAT,
                CONTENT_ENCODING,
                CONTENT_ONLY,
                DARK,
            ]),
        )
        .formats(&[TXT, ANSI, HTML, TXT_DOWNLOAD, ANSI_DOWNLOAD])
        .types(&["ad_hoc_command", "inventory_update", "job", "project_update", "system_job"])
}

/// Responds with the output.
pub struct Stdout;

#[async_trait]
impl ActionHandler for Stdout {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        match request.format {
            Some(format) if *format == TXT_DOWNLOAD => Ok(download(engine, &request, format, true)),
            Some(format) if *format == ANSI_DOWNLOAD => Ok(download(engine, &request, format, false)),
            Some(format) if *format == HTML => page(engine, &request, format).await,
            Some(format) => {
                let output = Output::read(engine, &request, None, None).await?;
                let content = output.content_or_refusal();
                Ok(ActionResponse::Text(format, if *format == TXT { to_plain(&content) } else { content }))
            }
            None => lines(engine, &request).await,
        }
    }
}

/// Lines of an output.
struct Output {
    start: i64,
    end: i64,
    size: OutputSize,
    content: Lines,
    /// The most bytes that a response other than a download contains.
    longest: usize,
}

impl Output {
    async fn read(
        engine: &Engine,
        request: &ActionRequest<'_>,
        start: Option<i64>,
        end: Option<i64>,
    ) -> Result<Output, Error> {
        let (job, longest) = (request.id, request.actor.job_settings.stdout_bytes);
        let size = output_size(&engine.database, job).await.map_err(failed)?;
        let count = size.lines();
        let from_end = |line: i64| if line < 0 { Ord::max(count + line, 0) } else { line };
        let start = from_end(start.unwrap_or(0));
        let end = end.map_or(count, |end| Ord::min(from_end(end), count));
        let content = match start == 0 && end == count && usize::try_from(size.bytes).is_ok_and(|bytes| bytes > longest)
        {
            true => Lines::TooLong,
            false => read_lines(&engine.database, job, start, end, longest).await.map_err(failed)?,
        };
        Ok(Output { start, end, size, content, longest })
    }

    async fn requested(engine: &Engine, request: &ActionRequest<'_>) -> Result<Output, Error> {
        let (start, end) = (request.input.integer(&START_LINE), request.input.integer(&END_LINE));
        Output::read(engine, request, start, end).await
    }

    /// AWX's sentence for an output that is too large.
    fn refusal(&self) -> String {
        format!(
            "Standard Output too large to display ({} bytes), only download supported for sizes over {} bytes.",
            self.size.bytes, self.longest
        )
    }

    fn content_or_refusal(self) -> String {
        match self.content {
            Lines::Text(text) => text,
            Lines::TooLong => self.refusal(),
        }
    }
}

async fn lines(engine: &Engine, request: &ActionRequest<'_>) -> Result<ActionResponse, Error> {
    let output = Output::requested(engine, request).await?;
    let range = match output.content {
        Lines::Text(_) => json!({"start": output.start, "end": output.end, "absolute_end": output.size.lines()}),
        Lines::TooLong => json!({"start": 0, "end": 1, "absolute_end": 1}),
    };
    let content = output.content_or_refusal();
    let content: Json = if request.input.text(&CONTENT_FORMAT) == "html" {
        to_html(&content).into()
    } else if request.input.text(&CONTENT_ENCODING) == "base64" {
        STANDARD.encode(content).into()
    } else {
        content.into()
    };
    Ok(ActionResponse::Fields(json!({"range": range, "content": content})))
}

async fn page(
    engine: &Engine,
    request: &ActionRequest<'_>,
    format: &'static ActionFormat,
) -> Result<ActionResponse, Error> {
    let content = to_html(&Output::requested(engine, request).await?.content_or_refusal());
    let block = format!("<pre class=\"ansi_back\">{content}</pre>");
    if request.input.boolean(&CONTENT_ONLY) {
        return Ok(ActionResponse::Text(format, block));
    }
    // As in AWX, a page is dark unless the client asks for a light one.
    let is_dark = request.input.get(&DARK).is_none() || request.input.boolean(&DARK);
    let style = if is_dark { HtmlColors::Dark } else { HtmlColors::Light }.style();
    let title = format!("{} {}", request.resource.type_label, request.id);
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{style}</style></head>\
         <body class=\"ansi_back\">{block}</body></html>\n"
    );
    Ok(ActionResponse::Text(format, html))
}

fn download(
    engine: &Engine,
    request: &ActionRequest<'_>,
    format: &'static ActionFormat,
    is_plain: bool,
) -> ActionResponse {
    let suffix = if is_plain { "" } else { ".ansi" };
    ActionResponse::Download(Download {
        format,
        file_name: format!("{}_{}{suffix}.txt", request.resource.name, request.id),
        parts: Box::new(OutputParts {
            reader: OutputReader::new(engine.database.clone(), request.id),
            plain: is_plain.then(PlainText::default),
        }),
    })
}

struct OutputParts {
    reader: OutputReader,
    /// Removes colors.
    plain: Option<PlainText>,
}

#[async_trait]
impl DownloadParts for OutputParts {
    async fn next_part(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Some(part) = self.reader.next_part().await.map_err(failed)? else { return Ok(None) };
        Ok(Some(match &mut self.plain {
            Some(plain) => {
                let mut text = Vec::with_capacity(part.len());
                plain.push(&part, &mut text);
                text
            }
            None => part,
        }))
    }
}
