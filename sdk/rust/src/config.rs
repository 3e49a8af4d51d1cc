//! The plugin's config block.

use crate::value::{Map, Value};

/// The plugin's config block. Each getter names a setting and its default. Mistakes are collected: after the
/// constructor returned, a setting of the wrong type and a setting that no getter asked for stop the gateway's start,
/// so a plugin neither checks types nor rejects typing errors itself.
#[derive(Default, Debug)]
pub struct Config {
    name: String,
    path: String,
    values: Map,
    asked: Vec<String>,
    wrong: Option<String>,
    unknown: Option<String>, // of blocks inside
}

impl Config {
    pub(crate) fn new(name: String, values: Map) -> Config {
        Config { name, values, ..Config::default() }
    }

    /// The plugin's name in the gateway's configuration, such as the guardrail's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The full name of a setting in this block, for messages.
    pub fn path(&self, key: &str) -> String {
        format!("{}{}", self.path, key)
    }

    /// Reports whether the setting is present and not null.
    pub fn has(&mut self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A text.
    pub fn string(&mut self, key: &str, otherwise: &str) -> String {
        match self.get(key) {
            None => otherwise.to_string(),
            Some(Value::Text(s)) => s,
            Some(_) => self.wrong(key, "text", otherwise.to_string()),
        }
    }

    /// A boolean.
    pub fn bool(&mut self, key: &str, otherwise: bool) -> bool {
        match self.get(key) {
            None => otherwise,
            Some(Value::Bool(b)) => b,
            Some(_) => self.wrong(key, "true or false", otherwise),
        }
    }

    /// A whole number.
    pub fn int(&mut self, key: &str, otherwise: i64) -> i64 {
        match self.get(key) {
            None => otherwise,
            Some(v) => match v.as_int() {
                Some(n) => n,
                None => self.wrong(key, "a whole number", otherwise),
            },
        }
    }

    /// A number.
    pub fn float(&mut self, key: &str, otherwise: f64) -> f64 {
        match self.get(key) {
            None => otherwise,
            Some(Value::Float(f)) => f,
            Some(Value::Int(n)) => n as f64,
            Some(_) => self.wrong(key, "a number", otherwise),
        }
    }

    /// A list of texts. A single text is a list of one.
    pub fn strings(&mut self, key: &str, otherwise: &[&str]) -> Vec<String> {
        let default = || otherwise.iter().map(|s| s.to_string()).collect();
        let items = match self.get(key) {
            None => return default(),
            Some(Value::Text(s)) => return vec![s],
            Some(Value::List(items)) => items,
            Some(_) => return self.wrong(key, "a list of texts", default()),
        };
        let mut list = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            match item {
                Value::Text(s) => list.push(s),
                _ => return self.wrong(&format!("{}[{}]", key, i), "text", default()),
            }
        }
        list
    }

    /// An object as it is, or an empty one. Its members need not be asked for.
    pub fn map(&mut self, key: &str) -> Map {
        match self.get(key) {
            None => Map::new(),
            Some(Value::Map(m)) => m,
            Some(_) => self.wrong(key, "an object", Map::new()),
        }
    }

    /// A list of objects: `each` is given one config block after another.
    pub fn blocks<T>(&mut self, key: &str, mut each: impl FnMut(&mut Config) -> T) -> Vec<T> {
        let items = match self.get(key) {
            None => return Vec::new(),
            Some(Value::List(items)) => items,
            Some(_) => return self.wrong(key, "a list of objects", Vec::new()),
        };
        let mut list = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            let place = format!("{}[{}]", key, i);
            let values = match item {
                Value::Map(m) => m,
                _ => return self.wrong(&place, "an object", Vec::new()),
            };
            let mut inner =
                Config { path: format!("{}{}.", self.path, place), ..Config::new(self.name.clone(), values) };
            list.push(each(&mut inner));
            let unknown = inner.first_unknown();
            self.wrong = self.wrong.take().or(inner.wrong);
            self.unknown = self.unknown.take().or(unknown);
        }
        list
    }

    fn get(&mut self, key: &str) -> Option<Value> {
        if !self.asked.iter().any(|k| k == key) {
            self.asked.push(key.to_string());
        }
        let found = self.values.iter().find(|(k, _)| k == key)?;
        match &found.1 {
            Value::Null => None,
            v => Some(v.clone()),
        }
    }

    fn wrong<T>(&mut self, key: &str, kind: &str, otherwise: T) -> T {
        if self.wrong.is_none() {
            self.wrong = Some(format!("setting {:?} must be {}", self.path(key), kind));
        }
        otherwise
    }

    fn first_unknown(&mut self) -> Option<String> {
        let mut keys: Vec<&String> = self.values.iter().map(|(k, _)| k).collect();
        keys.sort();
        for key in keys {
            if !self.asked.contains(key) {
                let (name, known) = (self.path(key), self.asked.join(", "));
                return Some(format!("unknown setting {:?}: the settings are {}", name, known));
            }
        }
        self.unknown.take()
    }

    /// Judges the block after its constructor returned. A setting of the wrong type comes first: its default may have
    /// led the constructor astray. Unknown settings come last: a constructor that failed may not have asked for all.
    pub(crate) fn settle<T>(mut self, built: Result<T, String>) -> Result<T, String> {
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        let built = built?;
        match self.first_unknown() {
            Some(unknown) => Err(unknown),
            None => Ok(built),
        }
    }
}
