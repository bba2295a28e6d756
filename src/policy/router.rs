//! Finding the route of a request among thousands, in time that hardly grows with their number.
//!
//! The first route of the policy that matches decides, and routes differ by method too. Routers on
//! crates.io take the most specific pattern whatever its place, and refuse patterns that overlap, so
//! this is a tree of our own: one level for each segment, with a branch for each literal and one for
//! `{name}`. A path is in at most two branches of a node, so what is looked at grows with the length of
//! the path and of its patterns, not with the number of routes.

use std::collections::BTreeMap;

use super::{
    path::RequestPath,
    pattern::{PathPattern, Segment},
    routes::Route,
    types::PathCase,
};
use crate::error::Error;

/// The routes of a policy, in its order.
#[derive(Debug)]
pub(super) struct Router {
    case: PathCase,
    routes: Vec<Route>,
    nodes: Vec<Node>,
}

/// Where the routes stand whose patterns begin alike.
#[derive(Debug)]
struct Node {
    literals: BTreeMap<String, usize>,
    any: Option<usize>,
    /// Routes that end here.
    closed: Vec<usize>,
    /// Routes that take all from here on.
    open_ended: Vec<usize>,
    /// The lowest index of a route in this node and below. A search that has found a lower one skips the node.
    first: usize,
}

impl Node {
    fn new(first: usize) -> Self {
        Self {
            literals: BTreeMap::new(),
            any: None,
            closed: Vec::new(),
            open_ended: Vec::new(),
            first,
        }
    }
}

/// The routes, ready to be searched.
pub(super) fn router(routes: Vec<Route>, case: PathCase) -> Result<Router, Error> {
    Router::new(routes, case).map_err(|Unreachable { index, earlier }| {
        Error::config(
            format!("routes[{index}]"),
            format!("is never reached, routes[{earlier}] matches first"),
        )
    })
}

/// A route that is never reached: an earlier one takes all of its requests.
#[derive(Debug, PartialEq, Eq)]
struct Unreachable {
    index: usize,
    earlier: usize,
}

/// The root of the tree.
const ROOT: usize = 0;

impl Router {
    /// Takes the routes, unless one of them is never reached: that is a contradiction, not a choice.
    fn new(routes: Vec<Route>, case: PathCase) -> Result<Self, Unreachable> {
        let mut router =
            Self { case, routes: Vec::with_capacity(routes.len()), nodes: vec![Node::new(0)] };
        for (index, route) in routes.into_iter().enumerate() {
            let pattern = match case {
                PathCase::Sensitive => route.pattern.clone(),
                PathCase::Insensitive => route.pattern.to_lowercase(),
            };
            if let Some(earlier) = router.covering(&route, &pattern) {
                return Err(Unreachable { index, earlier });
            }
            router.insert(index, &pattern);
            router.routes.push(route);
        }
        Ok(router)
    }

    /// All routes, in the order of the policy.
    pub(super) fn all(&self) -> &[Route] {
        &self.routes
    }

    /// The first route that matches.
    pub(super) fn find(&self, method: &str, path: &RequestPath) -> Option<&Route> {
        self.find_any(&[method], path)
    }

    /// The first route that matches with any of the methods.
    pub(super) fn find_any(&self, methods: &[&str], path: &RequestPath) -> Option<&Route> {
        self.find_fitting(path, |route| methods.iter().any(|method| route.takes_method(method)))
    }

    /// The first route whose path matches, whatever its methods.
    pub(super) fn find_by_path(&self, path: &RequestPath) -> Option<&Route> {
        self.find_fitting(path, |_| true)
    }

    fn find_fitting(&self, path: &RequestPath, fits: impl Fn(&Route) -> bool) -> Option<&Route> {
        match self.case {
            PathCase::Sensitive => self.find_exactly(path, fits),
            PathCase::Insensitive => self.find_exactly(&path.to_lowercase(), fits),
        }
    }

    fn find_exactly(&self, path: &RequestPath, fits: impl Fn(&Route) -> bool) -> Option<&Route> {
        let step = |depth| path.segment(depth).map(PathStep::Literal);
        self.routes.get(self.first(step, true, fits)?)
    }

    /// The first of the routes so far that takes every request that `later` takes; `pattern` is its own, as
    /// the tree has them.
    fn covering(&self, later: &Route, pattern: &PathPattern) -> Option<usize> {
        let step = |depth| {
            pattern.segments().get(depth).map(|segment| match segment {
                Segment::Literal(literal) => PathStep::Literal(literal),
                Segment::Any => PathStep::Any,
            })
        };
        let fits = |earlier: &Route| earlier.takes_methods_of(later);
        self.first(step, !pattern.is_open_ended(), fits)
    }

    /// The first route that `fits` along the branches of these steps, and past the last of them: what
    /// ends there counts if `ends` says so, what goes on counts always.
    fn first<'s>(
        &self,
        step: impl Fn(usize) -> Option<PathStep<'s>>,
        ends: bool,
        fits: impl Fn(&Route) -> bool,
    ) -> Option<usize> {
        let mut best = usize::MAX;
        let mut ahead = vec![(ROOT, 0_usize)];
        while let Some((node, depth)) = ahead.pop() {
            let Some(node) = self.nodes.get(node).filter(|node| node.first < best) else {
                continue;
            };
            let mut look = |indices: &[usize]| {
                let fitting = indices
                    .iter()
                    .take_while(|index| **index < best)
                    .find(|index| self.routes.get(**index).is_some_and(&fits));
                best = fitting.copied().unwrap_or(best);
            };
            look(&node.open_ended);
            match step(depth) {
                None if ends => look(&node.closed),
                None => {}
                Some(step) => {
                    let deeper = depth.saturating_add(1);
                    ahead.extend(node.any.map(|any| (any, deeper)));
                    if let PathStep::Literal(literal) = step {
                        ahead.extend(node.literals.get(literal).map(|child| (*child, deeper)));
                    }
                }
            }
        }
        (best != usize::MAX).then_some(best)
    }

    fn insert(&mut self, index: usize, pattern: &PathPattern) {
        let mut at = ROOT;
        for segment in pattern.segments() {
            let new = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            at = match segment {
                Segment::Any => *node.any.get_or_insert(new),
                Segment::Literal(literal) => *node.literals.entry(literal.clone()).or_insert(new),
            };
            if at == new {
                self.nodes.push(Node::new(index));
            }
        }
        let Some(node) = self.nodes.get_mut(at) else { return };
        let list = if pattern.is_open_ended() { &mut node.open_ended } else { &mut node.closed };
        list.push(index);
    }
}

/// One segment of what is looked for.
enum PathStep<'a> {
    /// This text: a segment of a path, or a literal of a pattern.
    Literal(&'a str),
    /// Any text: a parameter of a pattern, which only another parameter covers.
    Any,
}

#[cfg(test)]
mod tests {
    use super::{
        super::{header_names::Named, routes, types::Preflight},
        *,
    };

    fn route(path: &str, methods: Option<&[&str]>) -> Route {
        let document = serde_json::json!({ "path": path, "methods": methods, "auth": "none" });
        let document = serde_json::from_value(document).unwrap();
        let defaults = (None, Preflight::default());
        let named = Named::new(core::iter::empty());
        let given = routes::Given { limits: &[], configured: &[], verifier: None, named: &named };
        routes::route("routes[0]", &document, &given, defaults).unwrap()
    }

    #[test]
    fn the_first_route_decides_not_the_most_specific_one() {
        let all = [
            route("/v1/{kind}/new", Some(&["POST"])),
            route("/v1/posts/*", Some(&["GET"])),
            route("/v1/{kind}/{id}", None),
            route("/v1/posts", None),
        ];
        let router = Router::new(all.to_vec(), PathCase::Sensitive).unwrap();
        for (method, path, expected) in [
            ("POST", "/v1/posts/new", "/v1/{kind}/new"),
            ("GET", "/v1/posts/new", "/v1/posts/*"),
            ("HEAD", "/v1/posts", "/v1/posts/*"),
            ("PUT", "/v1/posts/new", "/v1/{kind}/{id}"),
            ("PUT", "/v1/posts", "/v1/posts"),
        ] {
            let path = RequestPath::parse(path).unwrap();
            assert_eq!(router.find(method, &path).map(Route::path), Some(expected));
        }
        assert!(router.find("GET", &RequestPath::parse("/v1").unwrap()).is_none());
    }

    #[test]
    fn without_regard_to_case_a_path_has_the_route_of_its_other_spellings() {
        let routes = || {
            vec![route("/Admin/{id}", Some(&["GET"])), route("/straße/*", None), route("/*", None)]
        };
        for (path, sensitive, insensitive) in [
            ("/Admin/7", "/Admin/{id}", "/Admin/{id}"),
            ("/ADMIN/x", "/*", "/Admin/{id}"),
            ("/%41dmin/x", "/Admin/{id}", "/Admin/{id}"),
            ("/STRA%C3%9FE/x", "/*", "/straße/*"),
        ] {
            let path = RequestPath::parse(path).unwrap();
            for (case, expected) in
                [(PathCase::Sensitive, sensitive), (PathCase::Insensitive, insensitive)]
            {
                let router = Router::new(routes(), case).unwrap();
                assert_eq!(router.find("GET", &path).map(Route::path), Some(expected), "{case:?}");
            }
        }
        let twice = || vec![route("/a", None), route("/A", None)];
        assert!(Router::new(twice(), PathCase::Sensitive).is_ok());
        assert_eq!(
            Router::new(twice(), PathCase::Insensitive).err(),
            Some(Unreachable { index: 1, earlier: 0 })
        );
    }

    #[test]
    fn what_is_looked_at_does_not_grow_with_the_number_of_routes() {
        let many: Vec<Route> =
            (0..5000).map(|index| route(&format!("/v1/service-{index}/{{id}}"), None)).collect();
        let router = Router::new(many, PathCase::Sensitive).unwrap();
        assert_eq!(router.nodes.len(), 2 + 2 * 5000);
        let looked_at = std::cell::Cell::new(0);
        let path = RequestPath::parse("/v1/service-4711/7").unwrap();
        let found = router.first(
            |depth| path.segment(depth).map(PathStep::Literal),
            true,
            |_| {
                looked_at.set(looked_at.get() + 1);
                true
            },
        );
        assert_eq!((found, looked_at.get()), (Some(4711), 1));
    }
}
