//! What stands in the arguments of calls, and what is no text.

use crate::abi::{tag, Error};
use crate::host;
use crate::view::{text, Field, View};

/// Where a text stands in the arguments of a call of a tool. Each string, name of a member and number of seven digits or more
/// in them is a text of its own; one that a hook replaces is written as JSON again. Arguments that are no JSON are one text.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    /// Number of the call in its message or choice.
    pub call: usize,
    /// Name of the member that has the text as its value; empty for names and what is in no member.
    pub key: &'a str,
}

impl<'a> Argument<'a> {
    /// Begins a text of a kind.
    pub(crate) fn begin(kind: &str) -> Option<Argument<'a>> {
        (kind == "arguments").then(Argument::default)
    }

    pub(crate) fn take(argument: &mut Option<Argument<'a>>, field: Field<'a>) -> Result<(), Error> {
        let a = argument.get_or_insert_with(Argument::default);
        if field.tag == tag::KEY {
            a.key = text(field.value);
        } else {
            a.call = field.number()? as usize;
        }
        Ok(())
    }
}

/// Something in a request or an answer that is no text.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Media<'a> {
    /// Index of the message, prompt or input; of an answer: of the choice.
    pub message: u64,
    /// Role of the message.
    pub role: &'a str,
    /// "image", "audio", "video", "file", or another type that a part says it has.
    pub kind: &'a str,
    /// The MIME type, as the caller says.
    pub mime: &'a str,
    /// Bytes of what the message holds, without base64; nothing if the media is elsewhere.
    pub size: Option<u64>,
    /// Where it is, if it is elsewhere.
    pub url: &'a str,
    /// Id of an uploaded file.
    pub id: &'a str,
    /// Name of a file.
    pub name: &'a str,
    /// Path of the part, for `Request::remove` and `Exchange::json`.
    pub path: &'a str,
    /// Of a file in a form: the name of its field, in place of a path. Since minor version 4.
    pub field: &'a str,
}

impl<'a> Media<'a> {
    pub(crate) fn read(field: Field<'a>) -> Result<Media<'a>, Error> {
        let (mut inside, mut m) = (View::new(field.value), Media::default());
        while let Some(field) = inside.next()? {
            match field.tag {
                tag::INDEX => m.message = field.number()?,
                tag::MESSAGE => m.role = text(field.value),
                tag::MEDIA_TYPE => m.kind = text(field.value),
                tag::MIME => m.mime = text(field.value),
                tag::SIZE => m.size = Some(field.number()?),
                tag::URL => m.url = text(field.value),
                tag::CALL_ID => m.id = text(field.value),
                tag::KEY => m.name = text(field.value),
                tag::AT => m.path = text(field.value),
                tag::FORM_FIELD => m.field = text(field.value),
                _ => field.unknown()?,
            }
        }
        Ok(m)
    }
}

/// The bytes of a media, if there are not more of them than the hook wants.
pub(crate) fn bytes(list: &[Media<'_>], i: usize, limit: usize) -> Option<Vec<u8>> {
    if list.get(i)?.size? > limit as u64 {
        return None;
    }
    host::field(host::MEDIA, &i.to_string())
}

/// The SHA-256 of a media, in hex.
pub(crate) fn sha256(i: usize) -> Option<String> {
    host::text_field(host::MEDIA_SUM, &i.to_string())
}
