//! The routes of a service, from a file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Why a file gives no routes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoutesError {
    /// It can't be read.
    #[error("can't read the routes in {}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is larger than any honest one.
    #[error("the routes in {} are larger than 16 MiB: name a file with one route a line, or an OpenAPI document", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Nothing in it is a route.
    #[error("no routes in {}: write one a line, such as /items/{{id}}, or name an OpenAPI document", .path.display())]
    None {
        /// The file.
        path: PathBuf,
    },
}

/// Reads routes from a file: one a line, or an OpenAPI document in JSON or YAML.
///
/// Lines may hold a method before and anything behind the path; `#` begins a comment. Parameters may be written as
/// `{id}`, `<id>`, `<int:id>` or `:id`, and become axum's `{id}`.
///
/// # Errors
/// [`RoutesError`] if the file can't be read or holds no route.
pub fn read_routes(path: impl AsRef<Path>) -> Result<Vec<String>, RoutesError> {
    let path = path.as_ref();
    let failed = |error| RoutesError::Io { path: path.to_owned(), error };
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text)).map_err(failed)?;
    if text.len() as u64 > MAX_FILE {
        return Err(RoutesError::TooLarge { path: path.to_owned() });
    }
    let routes = parse_routes(&String::from_utf8_lossy(&text));
    if routes.is_empty() { Err(RoutesError::None { path: path.to_owned() }) } else { Ok(routes) }
}

const MAX_FILE: u64 = 16 << 20;

/// The routes in a text, as [`read_routes`] reads it, each once.
///
/// ```
/// use aiwaf_trainer::parse_routes;
///
/// assert_eq!(parse_routes("GET /users/<int:id>  # one\n/files/*"), ["/users/{id}", "/files/{*rest}"]);
/// assert_eq!(parse_routes(r#"{"openapi": "3.1.0", "paths": {"/items/{id}": {}}}"#), ["/items/{id}"]);
/// ```
pub fn parse_routes(text: &str) -> Vec<String> {
    let mut routes: Vec<String> = Vec::new();
    let found: Vec<String> = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(document) => {
            let paths = document.get("paths").and_then(serde_json::Value::as_object);
            paths.map(|paths| paths.keys().cloned().collect()).unwrap_or_default()
        }
        Err(_) if text.lines().any(|line| line.trim_end() == "paths:") => yaml_paths(text),
        Err(_) => text.lines().filter_map(path_in_line).collect(),
    };
    for route in found.iter().filter_map(|path| to_axum(path)) {
        if !routes.contains(&route) && routes.len() < MAX_ROUTES {
            routes.push(route);
        }
    }
    routes
}

const MAX_ROUTES: usize = 10_000;

/// The keys of `paths:` at the top of a YAML document.
fn yaml_paths(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| line.trim_end() != "paths:").skip(1);
    let inside = lines.take_while(|line| line.starts_with([' ', '\t', '#']) || line.trim().is_empty());
    inside
        .filter_map(|line| {
            let key = line.trim().strip_suffix(':')?.trim_matches(['"', '\'']);
            key.starts_with('/').then(|| key.to_owned())
        })
        .collect()
}

fn path_in_line(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or_default();
    line.split([' ', '\t', ',', '"', '\'']).find(|word| word.starts_with('/')).map(str::to_owned)
}

/// A route in axum's syntax; `None` if it can't be one.
fn to_axum(path: &str) -> Option<String> {
    if !path.starts_with('/') || path.len() > 1024 || path.chars().any(char::is_control) {
        return None;
    }
    let segments: Vec<String> =
        path.split('/').enumerate().map(|(number, part)| segment(part, number)).collect();
    Some(segments.join("/"))
}

fn segment(part: &str, number: usize) -> String {
    let in_angles = part.strip_prefix('<').and_then(|part| part.strip_suffix('>'));
    if let Some(parameter) = in_angles {
        let (kind, name) = parameter.rsplit_once(':').unwrap_or(("", parameter));
        let star = if kind == "path" { "*" } else { "" };
        return format!("{{{star}{}}}", name_of(name, number));
    }
    if let Some(name) = part.strip_prefix(':') {
        return format!("{{{}}}", name_of(name, number));
    }
    if matches!(part, "*" | "**") { "{*rest}".to_owned() } else { part.to_owned() }
}

fn name_of(name: &str, number: usize) -> String {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if !name.is_empty() && name.chars().all(is_name) { name.to_owned() } else { format!("parameter{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ways_of_writing_routes_are_read() {
        let text = "# routes\n/\nGET,POST /login\n/users/<uuid:user_id>/posts/:post # comment\n/static/<path:name>\nnonsense\n/\n";
        assert_eq!(parse_routes(text), ["/", "/login", "/users/{user_id}/posts/{post}", "/static/{*name}"]);
    }

    #[test]
    fn openapi_documents_are_read() {
        let yaml = "openapi: 3.1.0\npaths:\n  /items/{id}:\n    get:\n      summary: /not/this\n  '/a b':\n    get: {}\ncomponents:\n  /not/this:\n";
        assert_eq!(parse_routes(yaml), ["/items/{id}", "/a b"]);
        assert_eq!(parse_routes(r#"{"paths": {"/a": {}, "/b/{c}": {}}}"#), ["/a", "/b/{c}"]);
        assert!(parse_routes("[1]").is_empty() && parse_routes("").is_empty());
    }

    #[test]
    fn errors_say_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes");
        assert!(read_routes(&path).unwrap_err().to_string().contains("can't read"));
        std::fs::write(&path, "nothing").unwrap();
        assert!(read_routes(&path).unwrap_err().to_string().contains("one a line"));
        std::fs::write(&path, "/a\n").unwrap();
        assert_eq!(read_routes(&path).unwrap(), ["/a"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            for route in parse_routes(&text) {
                proptest::prop_assert!(route.starts_with('/'));
            }
        }
    }
}
