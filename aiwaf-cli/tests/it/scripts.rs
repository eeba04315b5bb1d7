//! Scripts for the original, run as they stand.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Place, Ran, feed};

/// Runs a script in `place`; `aiwaf` is on the path.
fn bash(place: &Place, script: &str) -> Ran {
    let directory = Path::new(env!("CARGO_BIN_EXE_aiwaf")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = [PathBuf::from(directory)].into_iter().chain(std::env::split_paths(&path));
    let mut command = Command::new("bash");
    command.arg("-euo").arg("pipefail").arg("-c").arg(script).current_dir(place.path());
    command.env("PATH", std::env::join_paths(paths).unwrap());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AIWAF_") {
            command.env_remove(name);
        }
    }
    feed(&mut command, b"")
}

fn run(place: &Place, script: &str) -> String {
    let ran = bash(place, script);
    assert!(ran.code == 0 && ran.err.is_empty(), "{ran:?}");
    ran.out
}

#[test]
fn the_example_session() {
    let place = Place::new();
    let out = run(
        &place,
        r#"
# Check current status (works from any directory!)
aiwaf stats

# Add some IPs to whitelist
aiwaf add whitelist 192.168.1.100
aiwaf add whitelist 10.0.0.50

# Block a malicious IP
aiwaf add blacklist 203.0.113.10 --reason "SQL injection attempts"

# Add dangerous keywords
aiwaf add keyword "union select"
aiwaf add keyword "drop table"

# Review all settings
aiwaf list all

# Create backup
aiwaf export production_backup.json
"#,
    );
    for fact in [
        "Whitelisted IPs: 0",
        "Whitelisted IPs (2):",
        "192.168.1.100",
        "203.0.113.10  SQL injection attempts",
        "drop table",
        "Configuration exported to production_backup.json",
    ] {
        assert!(out.contains(fact), "{fact}: {out}");
    }
    assert!(place.path().join("production_backup.json").exists());
}

#[test]
fn production_management() {
    let place = Place::new();
    run(
        &place,
        r#"
aiwaf add blacklist 203.0.113.10 --reason "SQL injection attack detected"
aiwaf add blacklist 198.51.100.5 --reason "Brute force login attempts"
aiwaf add blacklist 10.0.0.1 --reason "Suspicious port scanning"
aiwaf list blacklist
aiwaf add whitelist 192.168.1.0/24
aiwaf add whitelist 172.16.0.0/12
aiwaf add whitelist 203.0.113.100  # Office IP
aiwaf add whitelist 198.51.100.200 # API partner
aiwaf add keyword "<script>"
aiwaf add keyword "javascript:"
aiwaf add keyword "eval("
aiwaf add keyword "base64_decode"
aiwaf list keywords
aiwaf stats
aiwaf list blacklist
aiwaf export "backup-$(date +%Y%m%d).json"
aiwaf remove whitelist 192.168.1.99
aiwaf remove blacklist 10.0.0.99
aiwaf exempt-path list
aiwaf exempt-path add /health --reason "Health check"
aiwaf exempt-path remove /health
aiwaf geo list
aiwaf geo add US
aiwaf geo remove US
"#,
    );
    let stats = place.json(&["stats", "--json"]);
    assert_eq!(
        (&stats["whitelisted"], &stats["blacklisted"], &stats["keywords"]),
        (&4.into(), &3.into(), &4.into())
    );
}

#[test]
fn an_incident_and_a_deployment() {
    let place = Place::new();
    let out = run(
        &place,
        r#"
#!/bin/bash
# incident_response.sh - Block multiple IPs from security incident

MALICIOUS_IPS=(
    "203.0.113.10"
    "198.51.100.5" 
    "192.0.2.15"
    "198.51.100.25"
)

for ip in "${MALICIOUS_IPS[@]}"; do
    aiwaf add blacklist "$ip" --reason "Security incident #2025-001"
done

# Create incident backup
aiwaf export "incident-2025-001-backup.json"
echo "Blocked ${#MALICIOUS_IPS[@]} IPs from security incident"
"#,
    );
    assert!(out.ends_with("Blocked 4 IPs from security incident\n"), "{out}");
    std::fs::rename(
        place.path().join("incident-2025-001-backup.json"),
        place.path().join("production-config.json"),
    )
    .unwrap();
    std::fs::remove_dir_all(place.path().join("aiwaf_data")).unwrap();
    let out = run(
        &place,
        r#"
#!/bin/bash
# deploy_config.sh - Deploy AIWAF configuration to production

# Backup current config
aiwaf export "backup-before-deploy-$(date +%Y%m%d-%H%M).json"

# Deploy new configuration
aiwaf import "production-config.json"

# Verify deployment
aiwaf stats
aiwaf list all
"#,
    );
    assert!(out.contains("Blacklisted IPs: 4\n") && out.contains("Security incident #2025-001"), "{out}");
}

#[test]
fn monitoring() {
    let place = Place::new();
    let alert = r#"
aiwaf stats >> aiwaf-daily.log
aiwaf stats | grep -E "(Blacklisted|Keywords)" | \
  awk '{if($3 > 100) print "ALERT: High security blocks detected"}'
"#;
    assert_eq!(run(&place, alert), "");
    let many = (0..101).map(|number| format!("10.1.2.{number}\n")).collect::<Vec<_>>().concat();
    place.write("many.txt", many);
    place.text(&["add", "blacklist", "--file", "many.txt"]);
    assert_eq!(run(&place, alert), "ALERT: High security blocks detected\n");
    let log = std::fs::read_to_string(place.path().join("aiwaf-daily.log")).unwrap();
    assert!(log.contains("Blacklisted IPs: 0\n") && log.contains("Blacklisted IPs: 101\n"), "{log}");
}
