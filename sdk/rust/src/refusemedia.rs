//! What a guardrail that reads texts does with what it cannot read.

use crate::media::Media;
use crate::{Config, Request, Response, Verdict, Window};

/// The settings "media", which is "allow" or "refuse", and "media_message", what a caller reads then, for a guardrail that
/// reads texts only. Its hooks ask first: `if let Some(v) = self.media.request(r) { return v; }`. The manifest needs "media"
/// and says "min_minor": 4.
pub struct RefuseMedia {
    refuse: bool,
    status: u16,
    roles: Vec<String>,
    request: String,
    answer: String,
}

impl RefuseMedia {
    /// Reads the settings. Refusals have the status; roles are those of the messages that the guardrail looks at, and none
    /// stands for all. Answers have the role "assistant".
    pub fn new(c: &mut Config, status: u16, roles: &[String]) -> Result<RefuseMedia, String> {
        const WHAT: &str = " contains an image, sound, video or file, which is not allowed.";
        let request = c.string("media_message", &format!("The request{}", WHAT));
        let answer = c.string("media_message", &format!("The answer{}", WHAT));
        let refuse = match c.string("media", "allow").as_str() {
            "allow" => false,
            "refuse" => true,
            other => return Err(format!("setting \"media\" is {:?}: it is \"allow\" or \"refuse\"", other)),
        };
        Ok(RefuseMedia { refuse, status, roles: roles.to_vec(), request, answer })
    }

    fn looks(&self, role: &str) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|r| r == role)
    }

    /// The verdict of the hooks request and moderation, if the media of the request decide it.
    pub fn request(&self, r: &Request) -> Option<Verdict> {
        let refused = self.refuse && r.media.iter().any(|m| self.looks(m.role));
        refused.then(|| Verdict::reject(self.status, self.request.clone()))
    }

    /// The verdict of the hook response, if the media of the answer decide it. A part of a stream that has media and may
    /// pass holds nothing else.
    pub fn response(&self, r: &Response) -> Option<Verdict> {
        self.said(&r.media, r.partial)
    }

    /// The verdict of the hook stream_chunk, if the window has media: it holds nothing else.
    pub fn window(&self, w: &Window) -> Option<Verdict> {
        self.said(&w.media, true)
    }

    fn said(&self, media: &[Media], alone: bool) -> Option<Verdict> {
        if media.is_empty() {
            return None;
        }
        if self.refuse && self.looks("assistant") {
            return Some(Verdict::reject(self.status, self.answer.clone()));
        }
        alone.then_some(Verdict::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::map;

    fn settings(media: &str, roles: &[&str]) -> Result<RefuseMedia, String> {
        let roles: Vec<String> = roles.iter().map(|r| r.to_string()).collect();
        RefuseMedia::new(&mut Config::new("test".into(), map([("media", media.into())])), 422, &roles)
    }

    fn rejects(v: Option<Verdict>, start: &str) -> bool {
        matches!(v, Some(Verdict::Reject { status: 422, message }) if message.starts_with(start))
    }

    #[test]
    fn media_are_refused_where_the_guardrail_looks() {
        let media = vec![Media { role: "user", kind: "image", ..Media::default() }];
        let (mut asked, mut whole, mut part) = (Request::default(), Response::default(), Response::default());
        let mut window = Window::default();
        asked.media = media.clone();
        whole.media = media.clone();
        (part.media, part.partial) = (media.clone(), true);
        window.media = media;

        let all = settings("refuse", &[]).unwrap();
        assert!(rejects(all.request(&asked), "The request contains"));
        assert!(rejects(all.response(&whole), "The answer contains"));
        assert!(rejects(all.response(&part), "The answer contains"));
        assert!(rejects(all.window(&window), "The answer contains"));
        assert_eq!(all.request(&Request::default()), None);
        assert_eq!(all.response(&Response::default()), None);
        assert_eq!(all.window(&Window::default()), None);

        let users = settings("refuse", &["user"]).unwrap();
        assert!(rejects(users.request(&asked), "The request contains"));
        assert_eq!(users.window(&window), Some(Verdict::Continue));
        assert_eq!(settings("refuse", &["system"]).unwrap().request(&asked), None);

        let none = settings("allow", &[]).unwrap();
        assert_eq!(none.request(&asked), None);
        assert_eq!(none.response(&whole), None);
        assert_eq!(none.response(&part), Some(Verdict::Continue));
        assert_eq!(none.window(&window), Some(Verdict::Continue));
        assert!(settings("maybe", &[]).err().unwrap().contains("\"allow\" or \"refuse\""));
    }
}
