//! Metrics in AWX's JSON format.

use prometheus::proto::{Metric, MetricFamily, MetricType};
use serde_json::{Map, Value as Json, json};

/// The families by name, each with its help text, type and samples.
pub(super) fn encode(families: &[MetricFamily]) -> Map<String, Json> {
    let families = families.iter().map(|family| {
        let metrics = family.get_metric().iter();
        let (kind, samples): (_, Vec<Json>) = match family.get_field_type() {
            MetricType::COUNTER => {
                ("counter", metrics.map(|metric| sample(metric, metric.get_counter().get_value())).collect())
            }
            MetricType::HISTOGRAM => ("histogram", metrics.flat_map(histogram).collect()),
            _ => ("gauge", metrics.map(|metric| sample(metric, metric.get_gauge().get_value())).collect()),
        };
        (family.name().to_owned(), json!({"help_text": family.help(), "type": kind, "samples": samples}))
    });
    families.collect()
}

fn labels(metric: &Metric) -> Map<String, Json> {
    metric.get_label().iter().map(|label| (label.name().to_owned(), label.value().into())).collect()
}

fn sample(metric: &Metric, value: f64) -> Json {
    json!({"labels": labels(metric), "value": value})
}

fn histogram(metric: &Metric) -> Vec<Json> {
    let histogram = metric.get_histogram();
    let count = histogram.get_sample_count();
    let finite = histogram.get_bucket().iter();
    let finite = finite.map(|bucket| (bucket.upper_bound().to_string(), bucket.cumulative_count()));
    let mut samples: Vec<Json> = finite
        .chain([("+Inf".to_owned(), count)])
        .map(|(bound, count)| {
            let mut labels = labels(metric);
            labels.insert("le".into(), bound.into());
            json!({"labels": labels, "value": count as f64, "sample_type": "bucket"})
        })
        .collect();
    for (part, value) in [("sum", histogram.get_sample_sum()), ("count", count as f64)] {
        samples.push(json!({"labels": labels(metric), "value": value, "sample_type": part}));
    }
    samples
}
