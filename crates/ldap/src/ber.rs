//! Reading BER (X.690) as far as LDAP responses need it (RFC 4511, section 5.1): single-byte tags, definite lengths.
//! It neither recurses nor copies, and any invalid input is an error.

/// An element: its tag and its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
}

/// Invalid BER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BerError;

impl<'a> Element<'a> {
    /// The contained elements.
    pub(crate) fn parts(self) -> Reader<'a> {
        Reader(self.content)
    }

    /// The content as a non-negative integer of at most four bytes.
    pub(crate) fn number(self) -> Result<u32, BerError> {
        match self.content {
            [] => Err(BerError),
            [first, ..] if *first >= 0x80 => Err(BerError),
            bytes if bytes.len() > 4 => Err(BerError),
            bytes => Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))),
        }
    }

    /// The content as text, with invalid UTF-8 replaced.
    pub(crate) fn text(self) -> String {
        String::from_utf8_lossy(self.content).into_owned()
    }
}

/// Reads successive elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element.
    pub(crate) fn next(&mut self) -> Result<Element<'a>, BerError> {
        let (header, length) = match *self.0 {
            [_, length, ..] if length < 0x80 => (2, usize::from(length)),
            [_, form, ref rest @ ..] => (2 + usize::from(form & 0x7f), long_length(form, rest)?),
            _ => return Err(BerError),
        };
        let end = header.checked_add(length).ok_or(BerError)?;
        let content = self.0.get(header..end).ok_or(BerError)?;
        let element = Element { tag: self.0[0], content };
        self.0 = &self.0[end..];
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(crate) fn tagged(&mut self, tag: u8) -> Result<Element<'a>, BerError> {
        self.next().and_then(|element| if element.tag == tag { Ok(element) } else { Err(BerError) })
    }
}

/// A length of up to four bytes; `form` has their number.
pub(crate) fn long_length(form: u8, bytes: &[u8]) -> Result<usize, BerError> {
    let count = usize::from(form & 0x7f);
    match bytes.get(..count) {
        Some(bytes) if (1..=4).contains(&count) => {
            Ok(bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
        _ => Err(BerError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_in_order() -> Result<(), BerError> {
        let mut reader = Reader(&[0x30, 5, 2, 1, 7, 4, 0, 0x0a, 0x81, 1, 0]);
        let mut parts = reader.tagged(0x30)?.parts();
        assert_eq!(parts.tagged(2)?.number()?, 7);
        assert_eq!(parts.tagged(4)?.text(), "");
        assert!(parts.is_empty());
        assert_eq!(reader.next()?.number()?, 0);
        assert!(reader.is_empty());
        Ok(())
    }

    #[test]
    fn truncated_and_oversized_elements_are_errors() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(Reader(bytes).next().is_err(), "{bytes:?}");
        }
        assert!(Reader(&[4, 0]).tagged(2).is_err());
        for content in [&[][..], &[0x80], &[1, 0, 0, 0, 0]] {
            assert!(Element { tag: 2, content }.number().is_err(), "{content:?}");
        }
    }
}
