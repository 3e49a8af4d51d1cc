//! Reading the view of a hook.

use crate::abi::{self, tag, Error};
use std::mem;

/// One record of a view. The value may be changed: the buffer is the guest's.
pub(crate) struct Field<'a> {
    pub tag: u16,
    pub flags: u16,
    pub value: &'a mut [u8],
}

/// Walks over the records of a view.
pub(crate) struct View<'a> {
    rest: &'a mut [u8],
}

impl<'a> View<'a> {
    pub fn new(bytes: &'a mut [u8]) -> View<'a> {
        View { rest: bytes }
    }

    #[inline]
    pub fn next(&mut self) -> Result<Option<Field<'a>>, Error> {
        if self.rest.len() < abi::HEADER {
            return if self.rest.is_empty() { Ok(None) } else { Err(Error::Short) };
        }
        let (head, body) = mem::take(&mut self.rest).split_at_mut(abi::HEADER);
        let mut bytes = [0; abi::HEADER];
        bytes.copy_from_slice(head);
        let head = u64::from_le_bytes(bytes);
        let len = (head >> 32) as usize;
        if len > body.len() {
            return Err(Error::Short);
        }
        let (value, rest) = body.split_at_mut(len);
        self.rest = rest;
        Ok(Some(Field { tag: head as u16, flags: (head >> 16) as u16, value }))
    }
}

impl<'a> Field<'a> {
    pub fn number(&self) -> Result<u64, Error> {
        match <[u8; 8]>::try_from(&*self.value) {
            Ok(b) => Ok(u64::from_le_bytes(b)),
            Err(_) => Err(Error::Value),
        }
    }

    /// A number whose bits are those of a double.
    pub fn double(&self) -> Result<f64, Error> {
        self.number().map(f64::from_bits)
    }

    /// The name and the value of a header.
    pub fn header(self) -> Result<(&'a str, &'a str), Error> {
        let mut inside = View::new(self.value);
        let (mut name, mut value) = ("", "");
        while let Some(field) = inside.next()? {
            match field.tag {
                tag::KEY => name = text(field.value),
                tag::TEXT => value = text(field.value),
                _ => field.unknown()?,
            }
        }
        Ok((name, value))
    }

    /// What a reader does with a tag it does not know.
    pub fn unknown(&self) -> Result<(), Error> {
        if self.flags & abi::FLAG_CRITICAL != 0 {
            return Err(Error::Critical);
        }
        Ok(())
    }
}

/// The value as text. Bytes that are not UTF-8 become question marks.
#[inline]
pub(crate) fn text(value: &mut [u8]) -> &str {
    let mut blocks = value.chunks_exact(8);
    let mut seen = 0;
    for block in &mut blocks {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(block);
        seen |= u64::from_le_bytes(bytes);
    }
    for &b in blocks.remainder() {
        seen |= u64::from(b);
    }
    if seen & 0x8080_8080_8080_8080 == 0 {
        // SAFETY: ASCII is UTF-8.
        return unsafe { std::str::from_utf8_unchecked(value) };
    }
    repaired(value)
}

/// What `text` does with bytes that are not all ASCII.
#[cold]
#[inline(never)]
fn repaired(value: &mut [u8]) -> &str {
    let mut from = 0;
    while let Err(e) = std::str::from_utf8(&value[from..]) {
        let bad = from + e.valid_up_to();
        let end = e.error_len().map_or(value.len(), |n| bad + n);
        value[bad..end].fill(b'?');
        from = end;
    }
    // SAFETY: the loop ends when everything behind `from` is UTF-8, and what is in front of it was checked or replaced.
    unsafe { std::str::from_utf8_unchecked(value) }
}
