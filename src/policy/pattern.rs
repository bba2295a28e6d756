//! Path patterns of routes: literal segments, `{name}` for one segment, a final `*` for the rest.

use super::path::RequestPath;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(String),
    Any,
}

/// A compiled path pattern.
///
/// `/v1/posts/{id}` matches exactly three segments; `/public/*` matches `/public` and everything below
/// it. Comparison is case-sensitive, on decoded segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    segments: Vec<Segment>,
    /// Whether a final `*` takes any further segments, or none.
    open_ended: bool,
}

impl PathPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// A sentence that says what was expected; the caller knows the place in the policy.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("expected a path that begins with a slash");
        };
        let mut parts: Vec<&str> = rest.split('/').collect();
        // A single trailing slash makes no difference; for the root that is all there is.
        if parts.last() == Some(&"") {
            parts.pop();
        }
        let open_ended = parts.last() == Some(&"*");
        if open_ended {
            parts.pop();
        }
        let segments = parts.into_iter().map(parse_segment).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), segments, open_ended })
    }

    /// The same for paths in lower case.
    pub(super) fn to_lowercase(&self) -> Self {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => Segment::Literal(literal.to_lowercase()),
            Segment::Any => Segment::Any,
        });
        Self { segments: segments.collect(), ..self.clone() }
    }

    /// The pattern as the policy writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Which segment the parameter of this name is, counted from 0.
    ///
    /// # Errors
    /// A sentence that says what was expected, if there is none, or more than one.
    pub(super) fn parameter(&self, name: &str) -> Result<usize, &'static str> {
        let segments = self.text.trim_start_matches('/').split('/').enumerate();
        let named = |segment: &str| {
            segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name)
        };
        let mut found = segments.filter(|(_, segment)| named(segment)).map(|(index, _)| index);
        match (found.next(), found.next()) {
            (Some(index), None) => Ok(index),
            (Some(_), Some(_)) => Err("the path has two parameters of this name"),
            (None, _) => Err("the path has no parameter of this name"),
        }
    }

    /// The segments, without a final `*`.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether a final `*` takes any further segments, or none.
    pub(super) const fn is_open_ended(&self) -> bool {
        self.open_ended
    }

    /// Whether the path is one the pattern means.
    #[must_use]
    pub fn matches(&self, path: &RequestPath) -> bool {
        let mut given = path.segments();
        if given.len() < self.segments.len()
            || (given.len() > self.segments.len() && !self.open_ended)
        {
            return false;
        }
        self.segments.iter().all(|wanted| match (wanted, given.next()) {
            (Segment::Any, Some(_)) => true,
            (Segment::Literal(literal), Some(segment)) => literal == segment,
            (_, None) => false,
        })
    }

    /// Whether every path that `other` matches is matched by this pattern too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if other.segments.len() < self.segments.len()
            || (!self.open_ended
                && (other.open_ended || other.segments.len() > self.segments.len()))
        {
            return false;
        }
        self.segments.iter().zip(&other.segments).all(|(ours, theirs)| match (ours, theirs) {
            (Segment::Any, _) => true,
            (ours, theirs) => ours == theirs,
        })
    }
}

fn parse_segment(segment: &str) -> Result<Segment, &'static str> {
    if let Some(name) = segment.strip_prefix('{') {
        return match name.strip_suffix('}') {
            Some(name)
                if !name.is_empty()
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') =>
            {
                Ok(Segment::Any)
            }
            _ => Err("expected a parameter like {id}"),
        };
    }
    if segment.is_empty() {
        return Err("expected no empty segment");
    }
    if segment.contains(['*', '{', '}', '?', '#', ';', '\\', '%'])
        || segment.chars().any(char::is_control)
        || segment == "."
        || segment == ".."
    {
        return Err("expected plain segments, {name}, or * at the end");
    }
    Ok(Segment::Literal(segment.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn matches(pattern: &str, path: &str) -> bool {
        PathPattern::parse(pattern).unwrap().matches(&RequestPath::parse(path).unwrap())
    }

    #[test]
    fn a_parameter_is_exactly_one_segment() {
        assert!(matches("/v1/posts/{id}", "/v1/posts/7"));
        assert!(!matches("/v1/posts/{id}", "/v1/posts"));
        assert!(!matches("/v1/posts/{id}", "/v1/posts/7/comments"));
    }

    #[test]
    fn a_star_is_everything_below_and_the_place_itself() {
        assert!(matches("/public/*", "/public"));
        assert!(matches("/public/*", "/public/a/b"));
        assert!(!matches("/public/*", "/publicity"));
        assert!(matches("/*", "/"));
        assert!(matches("/*", "/a"));
    }

    #[test]
    fn a_trailing_slash_makes_no_difference() {
        assert!(matches("/v1/posts", "/v1/posts/"));
        assert!(matches("/v1/posts/", "/v1/posts"));
        assert!(matches("/public/*/", "/public/a"));
        assert!(matches("/", "/"));
        assert!(!matches("/", "/a"));
    }

    #[test]
    fn comparison_is_on_decoded_text_and_case_sensitive() {
        assert!(matches("/v1/posts", "/v1/%70osts"));
        assert!(!matches("/v1/posts", "/v1/Posts"));
        assert!(matches("/ü/.../..a", "/%C3%BC/.../..a"));
    }

    #[test]
    fn refuses_patterns_that_would_not_mean_what_they_look_like() {
        for (pattern, message) in [
            ("v1", "expected a path that begins with a slash"),
            ("/a//b", "expected no empty segment"),
            ("//", "expected no empty segment"),
            ("//*", "expected no empty segment"),
            ("/a//", "expected no empty segment"),
            ("/a//*", "expected no empty segment"),
            ("/./b", "expected plain segments, {name}, or * at the end"),
            ("/a\u{7f}b", "expected plain segments, {name}, or * at the end"),
            ("/a/*/b", "expected plain segments, {name}, or * at the end"),
            ("/a/b*", "expected plain segments, {name}, or * at the end"),
            ("/a/../b", "expected plain segments, {name}, or * at the end"),
            ("/a%2fb", "expected plain segments, {name}, or * at the end"),
            ("/a/{}", "expected a parameter like {id}"),
            ("/a/{id", "expected a parameter like {id}"),
        ] {
            assert_eq!(PathPattern::parse(pattern).unwrap_err(), message, "{pattern}");
        }
    }

    #[test]
    fn covering_finds_routes_that_are_never_reached() {
        let covers = |a: &str, b: &str| {
            PathPattern::parse(a).unwrap().covers(&PathPattern::parse(b).unwrap())
        };
        assert!(covers("/*", "/a/{id}"));
        assert!(covers("/a/{x}", "/a/{y}"));
        assert!(covers("/a/{x}", "/a/b"));
        assert!(covers("/a/*", "/a/b/*"));
        assert!(!covers("/a/b", "/a/{x}"));
        assert!(!covers("/a/{x}", "/a/*"));
        assert!(!covers("/a/b/*", "/a/*"));
    }
}
