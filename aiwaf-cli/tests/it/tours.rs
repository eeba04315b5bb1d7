//! `aiwaf route-shell` and `aiwaf demo`.

use crate::support::Place;

const ROUTES: &str = "GET /\nGET /api/items\nGET /api/items/<int:id>\nPOST /login\n/health\n";

#[test]
fn a_script_walks_through_routes_and_exempts() {
    let place = Place::new();
    place.write("routes.txt", ROUTES);
    let ran = place.run_with(
        &["route-shell", "--routes", "routes.txt"],
        "# a script\nls\ncd api\npwd\nls\ncd 1\nexempt .\nls\nexempt {id}\nup\nup\nexempt api\nls\nexempt /health\nexit\nls\n",
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(
        ran.out,
        "Using CSV storage: aiwaf_data\n\
         5 routes; `help` shows the commands\n\
         / is a route\n\
         \x20 N  NAME    ROUTES  EXEMPT\n\
         \x20 1  api/         2\n\
         \x20 2  health       1  settings\n\
         \x20 3  login        1\n\
         /api\n\
         \x20 N  NAME    ROUTES  EXEMPT\n\
         \x20 1  items/       2\n\
         Exempted /api/items\n\
         /api/items is a route\n\
         \x20 N  NAME  ROUTES  EXEMPT\n\
         \x20 1  {id}       1\n\
         Exempted /api/items/*\n\
         Exempted /api/\n\
         / is a route\n\
         \x20 N  NAME    ROUTES  EXEMPT\n\
         \x20 1  api/         2  yes\n\
         \x20 2  health       1  settings\n\
         \x20 3  login        1\n\
         Exempted /health\n"
    );
    place.write("aiwaf.toml", "[exemptions]\nexempt_paths = [\"/login\", \"/nothing/\"]\n");
    let ran = place.run_with(&["route-shell", "--routes", "routes.txt"], "ls\ncd api\nls\n");
    assert!(
        ran.out.contains("1  api/         2  yes\n  2  health       1  yes\n  3  login        1  settings\n")
            && ran.out.ends_with("1  items/       2  yes\n"),
        "{}",
        ran.out
    );
    let exempt = place.text(&["exempt-path", "list"]);
    for path in ["/api/items  ", "/api/items/*  ", "/api/  ", "/health  "] {
        assert!(exempt.contains(path), "{exempt}");
    }
}

#[test]
fn what_a_script_gets_wrong_is_said_and_the_rest_goes_on() {
    let place = Place::new();
    place.write("openapi.json", r#"{"openapi": "3.1.0", "paths": {"/items/{id}": {}, "/login": {}}}"#);
    let ran = place.run_with(&["route-shell"], "cd logn\nexemt .\nls -l\nexempt\nexempt /\ncd /items\npwd\n");
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "aiwaf: there is no logn in /: did you mean login?\n\
         aiwaf: there is no command \"exemt\": did you mean `exempt`? `help` shows all\n\
         aiwaf: ls takes nothing behind it: `help` shows how each is written\n\
         aiwaf: exempt needs a name, a number, or `.` for where you are\n\
         aiwaf: that would exempt everything: go to a part of it\n"
    );
    assert!(ran.out.ends_with("/items\n"));
    assert!(place.error(&["route-shell", "--app", "myapp:create_app"], 2).contains("--routes"));
    assert!(place.error(&["route-shell", "--routes", "none"], 1).contains("none"));
}

#[test]
fn routes_come_from_logs_too() {
    let place = Place::new();
    let line = |path: &str, status: u16| {
        format!("192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] \"GET {path} HTTP/1.1\" {status} 9 \"-\" \"x\"\n")
    };
    place.write(
        "aiwaf_logs/access.log",
        line("/items/17?x=1", 200) + &line("/items/18", 200) + &line("/.env", 404),
    );
    let ran = place.run_with(&["route-shell"], "cd items\nls\n");
    assert!(ran.out.contains("\n1 route;") && ran.out.ends_with("1  {id}       1\n"), "{ran:?}");
}

#[test]
fn the_tour_touches_nothing() {
    let place = Place::new().with_lists();
    let before = place.text(&["list", "all"]);
    let tour = place.text(&["demo"]);
    for said in [
        "$ aiwaf add whitelist",
        "203.0.113.10 is banned",
        "rate_limit 50",
        "Configuration exported to backup.json",
        "That was the tour",
    ] {
        assert!(tour.contains(said), "{said}: {tour}");
    }
    assert!(!tour.contains("/tmp/") && !tour.contains("aiwaf-demo-"), "{tour}");
    assert_eq!(place.text(&["list", "all"]), before);
    assert!(!place.path().join("backup.json").exists());
}
