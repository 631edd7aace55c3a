//! Basic encoding rules (X.690), as far as files of other programs need them: constructed strings and indefinite
//! lengths are read, bounded in depth and number. What this project writes is DER.

use der::asn1::ObjectIdentifier;

use crate::FormatError;

/// Deepest nesting that is read.
const DEEPEST: usize = 24;

/// Most elements that are read from one document.
const MOST: usize = 20_000;

/// One element.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// The identifier octet; tags above 30 are not read.
    pub tag: u8,
    /// All octets of the element, with its header.
    pub raw: &'a [u8],
    content: Content<'a>,
}

#[derive(Debug, Clone)]
enum Content<'a> {
    Primitive(&'a [u8]),
    Constructed(Vec<Node<'a>>),
}

fn wrong(detail: &str) -> FormatError {
    FormatError::new("BER", detail.to_owned())
}

struct Reader {
    left: usize,
}

impl Reader {
    /// One element at the beginning of `bytes`, and what follows it; `None` at an end-of-contents mark.
    fn element<'a>(&mut self, bytes: &'a [u8], depth: usize) -> Result<(Option<Node<'a>>, &'a [u8]), FormatError> {
        if depth > DEEPEST || self.left == 0 {
            return Err(wrong("too deep, or too many elements"));
        }
        self.left -= 1;
        let (&tag, rest) = bytes.split_first().ok_or_else(|| wrong("ends too early"))?;
        let (&length, mut rest) = rest.split_first().ok_or_else(|| wrong("ends too early"))?;
        if tag == 0 && length == 0 {
            return Ok((None, rest));
        }
        if tag & 0x1F == 0x1F {
            return Err(wrong("a tag above 30"));
        }
        if length == 0x80 {
            if tag & 0x20 == 0 {
                return Err(wrong("a primitive element of indefinite length"));
            }
            let mut children = Vec::new();
            loop {
                let (child, after) = self.element(rest, depth + 1)?;
                rest = after;
                match child {
                    Some(child) => children.push(child),
                    None => break,
                }
            }
            let raw = &bytes[..bytes.len() - rest.len()];
            return Ok((Some(Node { tag, raw, content: Content::Constructed(children) }), rest));
        }
        let length = if length < 0x80 {
            usize::from(length)
        } else {
            let octets = usize::from(length & 0x7F);
            if octets > 4 || rest.len() < octets {
                return Err(wrong("a length that cannot be"));
            }
            let (head, tail) = rest.split_at(octets);
            rest = tail;
            head.iter().fold(0usize, |sum, &octet| (sum << 8) | usize::from(octet))
        };
        if length > rest.len() {
            return Err(wrong("ends too early"));
        }
        let (body, after) = rest.split_at(length);
        let raw = &bytes[..bytes.len() - after.len()];
        if tag & 0x20 == 0 {
            return Ok((Some(Node { tag, raw, content: Content::Primitive(body) }), after));
        }
        let mut children = Vec::new();
        let mut inner = body;
        while !inner.is_empty() {
            let (child, tail) = self.element(inner, depth + 1)?;
            children.push(child.ok_or_else(|| wrong("an end mark inside a definite length"))?);
            inner = tail;
        }
        Ok((Some(Node { tag, raw, content: Content::Constructed(children) }), after))
    }
}

impl<'a> Node<'a> {
    /// Reads one element that is the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when it is malformed, nested deeper than 24, or something follows it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        match (Reader { left: MOST }).element(bytes, 0)? {
            (Some(node), []) => Ok(node),
            (Some(_), _) => Err(wrong("something follows")),
            (None, _) => Err(wrong("empty")),
        }
    }

    /// The same, when padding or other octets may follow.
    ///
    /// # Errors
    ///
    /// As [`Node::parse`].
    pub fn parse_first(bytes: &'a [u8]) -> Result<Self, FormatError> {
        (Reader { left: MOST }).element(bytes, 0)?.0.ok_or_else(|| wrong("empty"))
    }

    /// Elements inside a constructed one.
    pub fn children(&self) -> &[Node<'a>] {
        match &self.content {
            Content::Constructed(children) => children,
            Content::Primitive(_) => &[],
        }
    }

    /// The child at a place, which must have this tag.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when it has not, or is not there.
    pub fn child(&self, index: usize, tag: u8) -> Result<&Node<'a>, FormatError> {
        self.children()
            .get(index)
            .filter(|child| child.tag == tag)
            .ok_or_else(|| wrong(&format!("element {index} is not {tag:#04x}")))
    }

    /// Octets of a string, put together when it is constructed.
    pub fn octets(&self) -> Vec<u8> {
        match &self.content {
            Content::Primitive(octets) => octets.to_vec(),
            Content::Constructed(parts) => parts.iter().flat_map(Node::octets).collect(),
        }
    }

    /// An object identifier.
    ///
    /// # Errors
    ///
    /// [`FormatError`].
    pub fn oid(&self) -> Result<ObjectIdentifier, FormatError> {
        match (&self.content, self.tag) {
            (Content::Primitive(octets), 0x06) => {
                ObjectIdentifier::from_bytes(octets).map_err(|error| wrong(&error.to_string()))
            }
            _ => Err(wrong("not an object identifier")),
        }
    }

    /// A positive integer of at most 32 bits.
    ///
    /// # Errors
    ///
    /// [`FormatError`].
    pub fn number(&self) -> Result<u32, FormatError> {
        match (&self.content, self.tag) {
            (Content::Primitive(octets), 0x02) if octets.len() <= 5 && octets.first().is_some_and(|o| *o < 0x80) => {
                let value = octets.iter().fold(0u64, |sum, &octet| (sum << 8) | u64::from(octet));
                u32::try_from(value).map_err(|_| wrong("a number that is too large"))
            }
            _ => Err(wrong("not a positive number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indefinite_lengths_and_string_parts_are_read() {
        // SEQUENCE (indefinite) { OCTET STRING (constructed, indefinite) { "ab", "c" }, INTEGER 5 }
        let bytes = [0x30, 0x80, 0x24, 0x80, 0x04, 2, b'a', b'b', 0x04, 1, b'c', 0, 0, 2, 1, 5, 0, 0];
        let node = Node::parse(&bytes).unwrap();
        assert_eq!(node.child(0, 0x24).unwrap().octets(), b"abc");
        assert_eq!(node.child(1, 0x02).unwrap().number().unwrap(), 5);
        assert_eq!(node.raw, bytes);
        assert!(node.child(1, 0x04).is_err());
    }

    #[test]
    fn what_cannot_be_is_refused_without_harm() {
        let deep = [0x30, 0x80].repeat(5_000);
        let many = [vec![0x30, 0x83, 0x02, 0x00, 0x00], [0x05, 0x00].repeat(65_536)].concat();
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x80],
            &[0x04, 0x80, 0, 0],
            &[0x30, 5, 1],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x1F, 0x81, 0x01, 0],
            &[0x30, 0, 0],
            &[0, 0],
            &deep,
            &many,
        ] {
            assert!(Node::parse(bytes).is_err(), "{:?}", &bytes[..bytes.len().min(9)]);
        }
    }
}
