//! axum routers whose routes say which protections apply.

use std::convert::Infallible;

use aiwaf_core::RoutePolicy;
use axum::Router;
use axum::handler::Handler;
use axum::routing::MethodRouter;

use crate::waf::{Aiwaf, AiwafBuilder, Error};

/// A [`Router`] that registers its routes with the firewall, so that what applies to a route stands where the route is.
///
/// The firewall is the outermost layer of what [`protect`](Self::protect) gives; paths without a route pass it as well.
///
/// ```
/// use aiwaf_middleware::{Aiwaf, Protection, ProtectedRouter, RoutePolicy};
/// use axum::routing::{get, post};
///
/// # let builder = Aiwaf::builder().configure(|settings| {
/// #     settings.storage.store = "memory:".into();
/// #     settings.logging.enabled = false;
/// # });
/// let (app, waf) = ProtectedRouter::new()
///     .route("/", get(|| async { "hello" }))
///     .route_with("/health", get(|| async { "ok" }), RoutePolicy::exempt())
///     .route_with(
///         "/hooks/payment",
///         post(|| async { "thanks" }),
///         RoutePolicy::exempt_from([Protection::RateLimit, Protection::Honeypot]),
///     )
///     .protect(builder)?;
/// # let _: axum::Router = app;
/// # Ok::<(), aiwaf_middleware::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ProtectedRouter<S = ()> {
    router: Router<S>,
    routes: Vec<(String, RoutePolicy)>,
}

impl<S: Clone + Send + Sync + 'static> Default for ProtectedRouter<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> ProtectedRouter<S> {
    /// Without routes.
    pub fn new() -> Self {
        Self { router: Router::new(), routes: Vec::new() }
    }

    /// Adds a route to which everything applies that is enabled.
    ///
    /// # Panics
    /// As [`Router::route`], if the path is no pattern or overlaps another one.
    pub fn route(self, path: &str, methods: MethodRouter<S>) -> Self {
        self.route_with(path, methods, RoutePolicy::default())
    }

    /// Adds a route and says what applies to it. Of several calls with one path, for different methods, the policies
    /// add up.
    ///
    /// # Panics
    /// As [`Router::route`], if the path is no pattern or overlaps another one.
    pub fn route_with(mut self, path: &str, methods: MethodRouter<S>, policy: RoutePolicy) -> Self {
        match self.routes.iter_mut().find(|(known, _)| known == path) {
            Some((_, known)) => *known = known.and(policy),
            None => self.routes.push((path.to_owned(), policy)),
        }
        Self { router: self.router.route(path, methods), ..self }
    }

    /// Answers what no route answers.
    pub fn fallback<H, T>(self, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Self { router: self.router.fallback(handler), ..self }
    }

    /// Provides the state of the handlers.
    pub fn with_state<S2>(self, state: S) -> ProtectedRouter<S2> {
        ProtectedRouter { router: self.router.with_state(state), routes: self.routes }
    }

    /// Adds a layer inside of the firewall: it sees allowed requests only.
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: tower_layer::Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
        L::Service: tower_service::Service<axum::extract::Request> + Clone + Send + Sync + 'static,
        <L::Service as tower_service::Service<axum::extract::Request>>::Response:
            axum::response::IntoResponse + 'static,
        <L::Service as tower_service::Service<axum::extract::Request>>::Error: Into<Infallible> + 'static,
        <L::Service as tower_service::Service<axum::extract::Request>>::Future: Send + 'static,
    {
        Self { router: self.router.layer(layer), ..self }
    }

    /// Builds the firewall and puts it around all routes.
    ///
    /// # Errors
    /// As [`AiwafBuilder::build`].
    pub fn protect(self, builder: AiwafBuilder) -> Result<(Router<S>, Aiwaf), Error> {
        let builder =
            self.routes.into_iter().fold(builder, |builder, (path, policy)| builder.route(path, policy));
        let waf = builder.build()?;
        let router = if waf.engine().reads_bodies() {
            self.router.layer(waf.layer())
        } else {
            self.router.layer(waf.layer().without_body_inspection())
        };
        Ok((router, waf))
    }
}
