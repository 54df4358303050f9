//! One line on its way to the log: its words, and its fields with their types.

use std::fmt::Write as _;
use std::time::SystemTime;

use serde::ser::{Serialize, SerializeMap, Serializer};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::sys::local_time::Stamp;

/// One line, in words.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) at: SystemTime,
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) fields: Vec<(&'static str, Value)>,
}

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Negative(i64),
    Truth(bool),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Negative(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
        }
    }
}

impl Record {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut words = Words::default();
        event.record(&mut words);
        Self {
            at: SystemTime::now(),
            level: *event.metadata().level(),
            text: words.text,
            fields: words.fields,
        }
    }

    /// Without fields.
    pub(super) fn plain(level: Level, text: String) -> Self {
        Self {
            at: SystemTime::now(),
            level,
            text,
            fields: Vec::new(),
        }
    }

    /// The text, with its fields if wanted: `(VI_1) Entering MASTER STATE [instance=VI_1 from=BACKUP]`.
    pub(super) fn line(&self, fields: bool) -> String {
        let mut text = self.text.clone();
        if fields && !self.fields.is_empty() {
            let pairs: Vec<String> = self
                .fields
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            // Writing to a string cannot fail.
            let _ = write!(text, " [{}]", pairs.join(" "));
        }
        text
    }

    /// One JSON object, without a line break in it.
    pub(super) fn json(&self, ident: &str) -> String {
        // Every key is a string, so this cannot fail.
        serde_json::to_string(&Json { record: self, ident }).unwrap_or_default()
    }
}

/// A record as JSON: what every line has, then its own fields.
struct Json<'a> {
    record: &'a Record,
    ident: &'a str,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record {
            at,
            level,
            text,
            fields,
        } = self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &Stamp::utc(*at).rfc3339())?;
        map.serialize_entry("level", &level.as_str().to_ascii_lowercase())?;
        map.serialize_entry("ident", self.ident)?;
        map.serialize_entry("pid", &std::process::id())?;
        map.serialize_entry("message", text)?;
        for (name, value) in fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[derive(Default)]
struct Words {
    text: String,
    fields: Vec<(&'static str, Value)>,
}

impl Words {
    /// One line each: a name with a line break in it must not forge a second line.
    fn put(&mut self, field: &Field, value: &str) {
        let value = value.replace(|c: char| c.is_control(), " ");
        if field.name() == "message" {
            self.text = value;
        } else {
            self.fields.push((field.name(), Value::Text(value)));
        }
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), Value::Number(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        let value = u64::try_from(value).map_or(Value::Negative(value), Value::Number);
        self.fields.push((field.name(), value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), Value::Truth(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        // Writing to a string fails only if the value's own formatting does; then there is nothing to show.
        let _ = write!(text, "{value:?}");
        self.put(field, &text);
    }
}
