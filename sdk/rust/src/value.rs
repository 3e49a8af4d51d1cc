//! Values of config blocks and metadata.

use crate::abi::{self, tag, Error, Reader, Record};

/// A map: its members in the order of their names.
pub type Map = Vec<(String, Value)>;

/// A value as JSON or YAML has it.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Map(Map),
}

impl Value {
    /// The member of a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(m) => m.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(s) => Some(s),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            Value::Float(f) if *f == (*f as i64) as f64 => Some(*f as i64),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Value {
        Value::Text(s.into())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Value {
        Value::Text(s)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Value {
        Value::Int(n)
    }
}

impl From<f64> for Value {
    fn from(f: f64) -> Value {
        Value::Float(f)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(list: Vec<T>) -> Value {
        Value::List(list.into_iter().map(Into::into).collect())
    }
}

/// Makes a map from names and values, for tests: `map([("limit", 3.into())])`.
pub fn map<const N: usize>(members: [(&str, Value); N]) -> Map {
    members.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}

/// Text as a JSON string.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", c as u32)),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Reads the value of a record that holds a map.
pub fn read_map(bytes: &[u8]) -> Result<Map, Error> {
    members(bytes, 0)
}

fn members(bytes: &[u8], depth: usize) -> Result<Map, Error> {
    if depth == abi::MAX_DEPTH {
        return Err(Error::Deep);
    }
    let mut map = Map::new();
    let mut reader = Reader::new(bytes);
    while let Some(key) = reader.next()? {
        let value = reader.next()?;
        match value {
            Some(value) if key.tag == tag::KEY => map.push((key.string(), read(&value, depth + 1)?)),
            _ => return Err(Error::Value),
        }
    }
    // One sort instead of a search for every member: foreign bytes may hold many.
    let mut names: Vec<&str> = map.iter().map(|(k, _)| k.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::Value);
    }
    Ok(map)
}

fn read(record: &Record<'_>, depth: usize) -> Result<Value, Error> {
    Ok(match record.tag {
        tag::STR => Value::Text(record.string()),
        tag::NULL => Value::Null,
        tag::INT => Value::Int(record.number()? as i64),
        tag::FLOAT => Value::Float(f64::from_bits(record.number()?)),
        tag::BOOL => Value::Bool(record.number()? == 1),
        tag::MAP => Value::Map(members(record.value, depth)?),
        tag::LIST => {
            if depth == abi::MAX_DEPTH {
                return Err(Error::Deep);
            }
            let mut list = Vec::new();
            let mut reader = record.inside();
            while let Some(item) = reader.next()? {
                list.push(read(&item, depth + 1)?);
            }
            Value::List(list)
        }
        _ => return Err(Error::Value),
    })
}

/// Appends a nested record with the members in the order of their names.
pub fn put_map(out: &mut Vec<u8>, tag: u16, map: &Map) -> Result<(), Error> {
    put_members(out, tag, map, 0)
}

fn put_members(out: &mut Vec<u8>, tag: u16, map: &Map, depth: usize) -> Result<(), Error> {
    if depth == abi::MAX_DEPTH {
        return Err(Error::Deep);
    }
    let mut sorted: Vec<&(String, Value)> = map.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    abi::put_nested(out, tag, |out| {
        for (key, value) in sorted {
            abi::put_text(out, tag::KEY, key.as_bytes());
            put(out, value, depth + 1)?;
        }
        Ok(())
    })
}

fn put(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), Error> {
    match value {
        Value::Null => abi::put_text(out, tag::NULL, b""),
        Value::Bool(b) => abi::put_number(out, tag::BOOL, u64::from(*b)),
        Value::Int(n) => abi::put_number(out, tag::INT, *n as u64),
        Value::Float(f) => abi::put_number(out, tag::FLOAT, f.to_bits()),
        Value::Text(s) => abi::put_text(out, tag::STR, s.as_bytes()),
        Value::Map(m) => return put_members(out, tag::MAP, m, depth),
        Value::List(list) => {
            if depth == abi::MAX_DEPTH {
                return Err(Error::Deep);
            }
            return abi::put_nested(out, tag::LIST, |out| list.iter().try_for_each(|v| put(out, v, depth + 1)));
        }
    }
    Ok(())
}
