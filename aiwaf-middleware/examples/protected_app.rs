//! A small site behind AIWAF, to try it on: pages, forms, an API, and routes that say which protections apply.
//!
//! `cargo run --release -p aiwaf-middleware --example protected_app` serves on 127.0.0.1:3000, or where
//! `AIWAF_DEMO_ADDR` says. Settings come from `aiwaf.toml` and the variables `AIWAF_*`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aiwaf_middleware::{Aiwaf, Error, ProtectedRouter, Protection, RoutePolicy, load_settings};
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};

/// The items that exist.
const ITEMS: [(&str, &str); 3] = [
    ("0b8d7e6c-3f5a-4c1e-9a7b-2d4f6a8c0e11", "Teapot"),
    ("5f1c9a2e-7b3d-4e8f-8a6c-1b2d3e4f5a6b", "Lamp"),
    ("c3a1e5d7-9f2b-4d6a-b8c4-7e9f1a3b5c7d", "Chair"),
];

/// Items that were added by script; they are only counted.
type Added = Arc<AtomicU64>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit_code, message }) => {
            eprintln!("protected_app: {message}");
            ExitCode::from(exit_code)
        }
    }
}

/// What the process ends with if it can't go on.
struct Failure {
    exit_code: u8,
    message: String,
}

impl Failure {
    fn usage(message: String) -> Self {
        Self { exit_code: 2, message }
    }

    fn other(message: String) -> Self {
        Self { exit_code: 1, message }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        if error.is_usage() { Self::usage(message) } else { Self::other(message) }
    }
}

async fn run() -> Result<(), Failure> {
    let text = std::env::var("AIWAF_DEMO_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let address: SocketAddr = text.parse().map_err(|_| {
        Failure::usage(format!(
            "AIWAF_DEMO_ADDR = {text:?} is not allowed: give an address and port such as 127.0.0.1:3000"
        ))
    })?;
    let (app, waf) = site().protect(Aiwaf::builder().settings(load_settings(None)?))?;
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        Failure::other(format!("listening on {address} failed: {error}; choose another AIWAF_DEMO_ADDR"))
    })?;
    introduce(listener.local_addr().unwrap_or(address), &waf);
    serve(listener, app).await.map_err(|error| Failure::other(format!("serving failed: {error}")))?;
    waf.shutdown().map_err(|error| Failure::other(error.to_string()))
}

fn introduce(address: SocketAddr, waf: &Aiwaf) {
    let names: Vec<&str> = waf.enabled_protections().iter().map(Protection::name).collect();
    println!("listening on http://{address}");
    println!("protections: {}", if names.is_empty() { "none".into() } else { names.join(", ") });
    println!("lists: {}", waf.lists_place());
    println!("logs: {}", waf.log_dir().unwrap_or("none"));
}

async fn serve(listener: tokio::net::TcpListener, app: Router) -> std::io::Result<()> {
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let stopping = Arc::new(tokio::sync::Notify::new());
    let asked = Arc::clone(&stopping);
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        asked_to_stop().await;
        asked.notify_one();
    });
    tokio::select! {
        result = server.into_future() => result,
        // A client that never finishes its request must not keep the lists and logs from being written.
        () = async { stopping.notified().await; tokio::time::sleep(PATIENCE).await } => Ok(()),
    }
}

/// How long requests that have begun may take once the service is asked to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for ctrl-c or SIGTERM.
async fn asked_to_stop() {
    let interrupted = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            eprintln!("protected_app: ctrl-c can't be noticed: {error}");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                eprintln!("protected_app: SIGTERM can't be noticed: {error}");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

/// The routes, and which protections apply to them.
fn site() -> ProtectedRouter {
    use Protection::{AiAnomaly, Honeypot, IpKeywordBlock, RateLimit};

    ProtectedRouter::new()
        .route("/", get(home))
        .route("/login", get(login_form).post(login))
        .route("/search", get(search))
        .route("/api/items", get(list_items).post(add_item))
        .route("/items/{uuid}", get(item))
        .route_with("/health", get(async || "ok"), RoutePolicy::exempt())
        .route_with(
            "/webhooks/github",
            post(async || StatusCode::NO_CONTENT),
            RoutePolicy::exempt_from([RateLimit, Honeypot]),
        )
        .route_with("/api/public/data", get(public_data), RoutePolicy::only([RateLimit]))
        .route_with(
            "/admin/users",
            get(admin_users),
            RoutePolicy::require_protection([IpKeywordBlock, RateLimit, AiAnomaly]),
        )
        .fallback(async || (StatusCode::NOT_FOUND, page("Not found", "<p>There is no such page.</p>")))
        .with_state(Added::default())
}

fn page(title: &str, content: &str) -> Html<String> {
    Html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{content}\n<p><a href=\"/\">Home</a></p>\n</body>\n</html>\n"
    ))
}

fn links(items: &[(&str, &str)]) -> String {
    let links: Vec<_> =
        items.iter().map(|(id, name)| format!("<li><a href=\"/items/{id}\">{name}</a></li>\n")).collect();
    links.concat()
}

async fn home() -> Html<String> {
    let items = links(&ITEMS);
    page(
        "Protected app",
        &format!(
            "<ul>\n{items}</ul>\n\
             <form action=\"/search\"><input name=\"q\" aria-label=\"Search\"><button>Search</button></form>\n\
             <p><a href=\"/login\">Log in</a></p>\n\
             <p><button id=\"add\">Add an item</button> <output id=\"answer\"></output></p>\n\
             <script>\n\
             document.getElementById('add').addEventListener('click', async () => {{\n\
               const answer = await fetch('/api/items', {{\n\
                 method: 'POST',\n\
                 headers: {{'content-type': 'application/json'}},\n\
                 body: JSON.stringify({{name: 'Clock'}}),\n\
               }});\n\
               document.getElementById('answer').textContent = await answer.text();\n\
             }});\n\
             </script>"
        ),
    )
}

async fn login_form() -> Html<String> {
    page(
        "Log in",
        "<form method=\"post\" action=\"/login\">\n\
         <label>Name <input name=\"username\"></label>\n\
         <label>Password <input name=\"password\" type=\"password\"></label>\n\
         <button>Log in</button>\n</form>\n<p>Name and password are <code>demo</code>.</p>",
    )
}

#[derive(serde::Deserialize)]
struct Login {
    username: String,
    password: String,
}

async fn login(Form(login): Form<Login>) -> (StatusCode, Html<String>) {
    if login.username == "demo" && login.password == "demo" {
        (StatusCode::OK, page("Welcome", "<p>signed in</p>"))
    } else {
        (StatusCode::UNAUTHORIZED, page("Log in", "<p>Wrong name or password.</p>"))
    }
}

#[derive(serde::Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn search(Query(search): Query<Search>) -> Html<String> {
    let wanted = search.q.to_lowercase();
    let found: Vec<_> = ITEMS.into_iter().filter(|(_, name)| name.to_lowercase().contains(&wanted)).collect();
    let found = links(&found);
    page("Search", &format!("<p>You asked for: {}</p>\n<ul>\n{found}</ul>", escape(&search.q)))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

async fn item(Path(id): Path<String>) -> (StatusCode, Html<String>) {
    match ITEMS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&id)) {
        Some((_, name)) => (StatusCode::OK, page(name, "<p>In stock.</p>")),
        None => (StatusCode::NOT_FOUND, page("Not found", "<p>There is no such item.</p>")),
    }
}

async fn list_items(State(added): State<Added>) -> Json<serde_json::Value> {
    let items: Vec<_> = ITEMS.iter().map(|(id, name)| serde_json::json!({"id": id, "name": name})).collect();
    Json(serde_json::json!({"items": items, "added": added.load(Ordering::Relaxed)}))
}

async fn add_item(
    State(added): State<Added>,
    Json(item): Json<serde_json::Value>,
) -> (StatusCode, Json<serde_json::Value>) {
    let number = added.fetch_add(1, Ordering::Relaxed) + 1;
    (StatusCode::CREATED, Json(serde_json::json!({"number": number, "item": item})))
}

async fn public_data() -> Json<serde_json::Value> {
    Json(serde_json::json!({"open": true}))
}

async fn admin_users() -> Json<serde_json::Value> {
    Json(serde_json::json!({"users": ["ada", "grace"]}))
}
