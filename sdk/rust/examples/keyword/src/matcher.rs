//! Finds any of a list of words and phrases in a text, without regard to case, in one pass. Eight bytes at a time it
//! finds where words begin, and looks up the first bytes of each in a table; only what is in the table is compared. If
//! all words begin with the same two letters, it looks for those first, and reads on only where they are.

use std::str;

const BUCKET_BITS: u32 = 12;
const BUCKETS: usize = 1 << BUCKET_BITS;
const MAX_WORDS: usize = 10_000;
const HIGHS: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

pub struct Matcher {
    whole: bool,           // a match must not be part of a longer word
    words: Vec<Vec<char>>, // folded; a space stands for any run of white space
    prefix: u64,           // mask of the bytes that are looked up: as many as every word has, at most four
    filter: Box<[u8; BUCKETS]>,
    members: Vec<(u16, u16)>, // bucket and word, sorted
    pair: Option<[u64; 2]>,   // the letters that every word begins with, in lower case, each in all bytes
}

impl Matcher {
    pub fn new(list: &[String], whole: bool) -> Result<Matcher, String> {
        if list.is_empty() || list.len() > MAX_WORDS {
            return Err(format!("setting \"words\" must name 1 to {} words or phrases", MAX_WORDS));
        }
        let mut words = Vec::with_capacity(list.len());
        let mut shortest = 4;
        for word in list {
            let folded = fold_word(word);
            if folded.is_empty() || whole && !folded[0].is_alphanumeric() {
                return Err(format!(
                    "setting \"words\": {:?} does not begin with a letter or digit: set whole_words to false, or correct it",
                    word
                ));
            }
            shortest = beginnings(&folded).iter().map(Vec::len).fold(shortest, usize::min);
            words.push(folded);
        }
        let prefix = (1 << (8 * shortest)) - 1;
        let (mut filter, mut members) = (Box::new([0u8; BUCKETS]), Vec::new());
        for (n, word) in words.iter().enumerate() {
            for b in beginnings(word) {
                let mut first = [0; 8];
                let len = b.len().min(4);
                first[..len].copy_from_slice(&b[..len]);
                let bucket = bucket(u64::from_le_bytes(first), prefix);
                filter[bucket] = 1;
                members.push((bucket as u16, n as u16));
            }
        }
        members.sort_unstable();
        members.dedup();
        let pair = common_letters(&words);
        Ok(Matcher { whole, words, prefix, filter, members, pair })
    }

    /// The place of the first match at or behind `from`.
    pub fn find(&self, s: &[u8], from: usize) -> Option<(usize, usize)> {
        if let Some(pair) = self.pair {
            if missing(&s[from..], pair) {
                return None;
            }
        }
        if !self.whole {
            return (from..s.len()).find_map(|at| Some((at, self.match_at(s, at)?)));
        }
        let mut before = if from > 0 && s[from - 1].is_ascii_alphanumeric() { 0x80 } else { 0 };
        let text = &s[from..];
        let mut blocks = text.chunks_exact(8);
        let mut at = from;
        let mut x = match blocks.next() {
            Some(block) => load(block),
            None => return self.tail(s, text, at, before),
        };
        for block in &mut blocks {
            let next = load(block);
            // Three words or fewer begin in eight bytes of prose. They are looked up without a branch, and in vain if
            // there are fewer: a loop costs more, also because its iterations are metered.
            let starts = word_starts(x, &mut before);
            let second = starts & starts.wrapping_sub(1);
            let third = second & second.wrapping_sub(1);
            let more = third & third.wrapping_sub(1);
            let hit = self.filter[bucket(from_bit(x, next, starts), self.prefix)]
                | self.filter[bucket(from_bit(x, next, second), self.prefix)]
                | self.filter[bucket(from_bit(x, next, third), self.prefix)];
            if u64::from(hit) | more != 0 {
                let found = self.block(s, at, x, next, starts);
                if found.is_some() {
                    return found;
                }
            }
            x = next;
            at += 8;
        }
        self.tail(s, &s[at..], at, before)
    }

    /// Looks up the words that begin in the eight bytes x, which `next` follow.
    #[inline(always)]
    fn block(&self, s: &[u8], at: usize, x: u64, next: u64, mut starts: u64) -> Option<(usize, usize)> {
        while starts != 0 {
            if self.filter[bucket(from_bit(x, next, starts), self.prefix)] != 0 {
                let at = at + starts.trailing_zeros() as usize / 8;
                if let Some(end) = self.match_at(s, at) {
                    return Some((at, end));
                }
            }
            starts &= starts - 1;
        }
        None
    }

    /// Reads the end of a text, fewer than 16 bytes, with zeros behind it.
    fn tail(&self, s: &[u8], rest: &[u8], at: usize, mut before: u64) -> Option<(usize, usize)> {
        let mut bytes = [0; 24];
        bytes[..rest.len()].copy_from_slice(rest);
        for i in [0, 8] {
            let (x, next) = (load(&bytes[i..i + 8]), load(&bytes[i + 8..i + 16]));
            let starts = word_starts(x, &mut before);
            let found = self.block(s, at + i, x, next, starts);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Where the word that begins at a place ends, if one does.
    fn match_at(&self, s: &[u8], at: usize) -> Option<usize> {
        let mut first = [0; 8];
        let len = (s.len() - at).min(4);
        first[..len].copy_from_slice(&s[at..at + len]);
        let bucket = bucket(u64::from_le_bytes(first), self.prefix);
        if self.filter[bucket] == 0 || s[at] & 0xc0 == 0x80 || self.whole && !boundary(s, at) {
            return None;
        }
        let from = self.members.partition_point(|&(b, _)| usize::from(b) < bucket);
        let same = self.members[from..].iter().take_while(|&&(b, _)| usize::from(b) == bucket);
        same.filter_map(|&(_, n)| compare(s, at, &self.words[usize::from(n)]))
            .find(|&end| !self.whole || boundary(s, end))
    }

    /// The text with every match replaced, if there is one.
    pub fn replace(&self, s: &[u8], mask: &str) -> Option<Vec<u8>> {
        let mut found = self.find(s, 0);
        found?;
        let (mut out, mut from) = (Vec::with_capacity(s.len()), 0);
        while let Some((start, end)) = found {
            out.extend_from_slice(&s[from..start]);
            out.extend_from_slice(mask.as_bytes());
            from = end;
            found = self.find(s, end);
        }
        out.extend_from_slice(&s[from..]);
        Some(out)
    }
}

#[inline(always)]
fn load(b: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(b);
    u64::from_le_bytes(bytes)
}

/// The eight bytes from the lowest byte on that has its high bit set in `starts`, of x and of what follows it. Without
/// such a byte it is something.
#[inline(always)]
fn from_bit(x: u64, next: u64, starts: u64) -> u64 {
    let bit = starts.trailing_zeros().wrapping_sub(7);
    x.wrapping_shr(bit) | (next << 1).wrapping_shl(63u32.wrapping_sub(bit))
}

/// The two letters that all words begin with, if they do, and if these are ASCII and have no other case than their two.
fn common_letters(words: &[Vec<char>]) -> Option<[u64; 2]> {
    let first = words[0].get(..2)?;
    let plain = |c: &char| c.is_ascii_alphanumeric() && cases(*c).len() == 1;
    if !first.iter().all(plain) || words.iter().any(|w| w.get(..2) != Some(first)) {
        return None;
    }
    let all = |c: char| (c as u64 | 0x20) * ONES;
    Some([all(first[0]), all(first[1])])
}

/// Reports whether two letters in a row are nowhere in a text, in whichever case. What comes close to them may be reported
/// as there.
fn missing(s: &[u8], [first, second]: [u64; 2]) -> bool {
    const LOWER: u64 = 0x20 * ONES;
    let zeros = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let hit = |b: &[u8], i: usize| {
        let (x, y) = (load(&b[i..i + 8]), load(&b[i + 1..i + 9]));
        zeros((x | LOWER) ^ first | (y | LOWER) ^ second)
    };
    let mut at = 0;
    while let Some(b) = s.get(at..at + 33) {
        if hit(b, 0) | hit(b, 8) | hit(b, 16) | hit(b, 24) != 0 {
            return false;
        }
        at += 32;
    }
    let mut rest = [0; 33];
    rest[..s.len() - at].copy_from_slice(&s[at..]);
    hit(&rest, 0) | hit(&rest, 8) | hit(&rest, 16) | hit(&rest, 24) == 0
}

/// Hashes the first bytes of a word. Setting one bit makes upper and lower case letters the same.
#[inline(always)]
fn bucket(first: u64, prefix: u64) -> usize {
    (((first | 0x2020_2020) & prefix).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BUCKET_BITS)) as usize
}

/// The high bit of every byte where a word may begin: of ASCII letters and digits behind something else, and of all
/// bytes of longer characters. `before` is 0x80 if the byte in front is an ASCII letter or digit, and so afterwards.
#[inline(always)]
fn word_starts(x: u64, before: &mut u64) -> u64 {
    let low = x & !HIGHS;
    let lower = low | 0x20 * ONES;
    let above = |c: u8| (0x80 - u64::from(c)) * ONES;
    let letter = (lower + above(b'a')) & !(lower + above(b'z' + 1));
    let digit = (low + above(b'0')) & !(low + above(b'9' + 1));
    let word = (letter | digit | x) & HIGHS;
    let ascii = word & !x;
    let starts = word & !(ascii << 8 | *before);
    *before = ascii >> 56;
    starts
}

/// Characters that are another case of what they are listed behind, besides its upper and lower case.
const MORE_CASES: &[(char, &str)] = &[
    ('k', "\u{212a}"),
    ('s', "ſ"),
    ('å', "\u{212b}"),
    ('ß', "ẞ"),
    ('μ', "µ"),
    ('ǆ', "ǅ"),
    ('ǉ', "ǈ"),
    ('ǌ', "ǋ"),
    ('ǳ', "ǲ"),
    ('ι', "\u{345}\u{1fbe}"),
    ('β', "ϐ"),
    ('ε', "ϵ"),
    ('θ', "ϑϴ"),
    ('κ', "ϰ"),
    ('π', "ϖ"),
    ('ρ', "ϱ"),
    ('σ', "ς"),
    ('φ', "ϕ"),
    ('ω', "\u{2126}"),
    ('ṡ', "ẛ"),
    ('в', "ᲀ"),
    ('д', "ᲁ"),
    ('о', "ᲂ"),
    ('с', "ᲃ"),
    ('т', "ᲄᲅ"),
    ('ъ', "ᲆ"),
    ('ѣ', "ᲇ"),
    ('ꙋ', "ᲈ"),
];

/// The one character that stands for all cases of c.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    match c {
        'ı' | 'İ' => c, // the Turkish ones are cases of nothing else
        _ => only(only(c, c.to_uppercase()), only(c, c.to_uppercase()).to_lowercase()),
    }
}

/// The one character of a mapping, or c if there are several.
fn only(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn fold_word(word: &str) -> Vec<char> {
    let mut out = Vec::new();
    for part in word.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(part.chars().map(fold));
    }
    out
}

/// All characters that fold to c. ASCII letters count as one, as `bucket` treats them.
fn cases(c: char) -> Vec<char> {
    let mut list = vec![c];
    if !c.is_ascii() {
        list.push(only(c, c.to_uppercase()));
    }
    for (folded, more) in MORE_CASES {
        if *folded == c {
            list.extend(more.chars());
        }
    }
    list.sort_unstable();
    list.dedup();
    list
}

/// The first bytes, at least four if there are as many before a space, that the word can have in any case.
fn beginnings(word: &[char]) -> Vec<Vec<u8>> {
    let mut list = vec![Vec::new()];
    for &c in word {
        if c == ' ' || list.iter().all(|b| b.len() >= 4) {
            break;
        }
        let cases = cases(c);
        list = list
            .iter()
            .flat_map(|b| {
                cases.iter().map(move |c| {
                    let mut longer = b.clone();
                    longer.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    longer
                })
            })
            .collect();
    }
    list
}

/// The character at the beginning of b, which is not empty, and its length. What is not UTF-8 is one byte long.
fn decode(b: &[u8]) -> (char, usize) {
    let len = match b[0] {
        0..=0x7f => return (char::from(b[0]), 1),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    match b.get(..len).and_then(|b| str::from_utf8(b).ok()).and_then(|s| s.chars().next()) {
        Some(c) => (c, len),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// The last character of b, which is not empty.
fn decode_last(b: &[u8]) -> char {
    for len in 1..=b.len().min(4) {
        let end = &b[b.len() - len..];
        if end[0] & 0xc0 != 0x80 {
            let (c, n) = decode(end);
            return if n == len { c } else { char::REPLACEMENT_CHARACTER };
        }
    }
    char::REPLACEMENT_CHARACTER
}

/// Reports whether no word goes on across the place.
fn boundary(s: &[u8], at: usize) -> bool {
    at == 0 || at == s.len() || !decode_last(&s[..at]).is_alphanumeric() || !decode(&s[at..]).0.is_alphanumeric()
}

/// Where the word at a place in the text ends, if it is there.
fn compare(s: &[u8], mut at: usize, word: &[char]) -> Option<usize> {
    for &want in word {
        if want == ' ' {
            let from = at;
            while at < s.len() {
                let (c, len) = decode(&s[at..]);
                if !c.is_whitespace() {
                    break;
                }
                at += len;
            }
            if at == from {
                return None;
            }
            continue;
        }
        if at == s.len() {
            return None;
        }
        let (c, len) = decode(&s[at..]);
        if fold(c) != want {
            return None;
        }
        at += len;
    }
    Some(at)
}
