//! Headers and trailers, of which a call has few.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Up to so many, a look at each is faster than to hash a name.
const FEW: usize = 12;

/// The first value of a header.
pub(crate) fn value_of<'a>(headers: &'a HeaderMap, wanted: &HeaderName) -> Option<&'a HeaderValue> {
    if headers.len() > FEW {
        return headers.get(wanted);
    }
    headers.iter().find_map(|(name, value)| (name == wanted).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_is_found_among_few_and_among_many() {
        let wanted = HeaderName::from_static("grpc-status");
        let mut headers = HeaderMap::new();
        for number in 0..FEW * 2 {
            assert_eq!(value_of(&headers, &wanted), None, "{number}");
            headers.insert(HeaderName::try_from(format!("x-{number}")).unwrap(), HeaderValue::from(number));
        }
        for number in (0..FEW * 2).rev() {
            headers.insert(&wanted, HeaderValue::from(number));
            headers.append(&wanted, HeaderValue::from_static("another"));
            assert_eq!(value_of(&headers, &wanted), Some(&HeaderValue::from(number)));
            headers.remove(format!("x-{number}"));
        }
    }
}
