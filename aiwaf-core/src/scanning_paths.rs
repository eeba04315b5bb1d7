//! Paths that only scanners ask for.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Whether `path`, in normal form (decoded, in lower case), is one that scanners try on every site and that a service
/// written in Rust has no reason to offer: other people's admin pages, configuration, backups, version control.
///
/// What is looked for must stand at the beginning of a segment and end where a word ends, so that articles about such
/// things are not meant. It says nothing about one request: a person may follow an old link. One pass over the path.
///
/// ```
/// use aiwaf_core::is_scanning_path;
///
/// assert!(is_scanning_path(b"/blog/wp-admin/setup-config.php"));
/// assert!(is_scanning_path(b"/.env.production"));
/// assert!(!is_scanning_path(b"/blog/wp-administration-tips"));
/// assert!(!is_scanning_path(b"/docs/environment"));
/// ```
pub fn is_scanning_path(path: &[u8]) -> bool {
    FINDER.find_overlapping_iter(path).any(|found| {
        let next = path.get(found.end()).copied();
        match found.pattern().as_usize() {
            // `/.env`, `/.env.local`, `/.env_old`, but not `/.environment`.
            index if index < DOT_FILES.len() => next.is_none_or(|byte| !byte.is_ascii_alphanumeric()),
            // `/wp-admin`, `/wp-admin/x`, but not `/wp-admin-tips`.
            index if index < DOT_FILES.len() + SEGMENTS.len() => {
                next.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'))
            }
            _ => next.is_none(),
        }
    })
}

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let patterns = DOT_FILES.iter().chain(SEGMENTS).chain(ENDINGS);
    #[allow(clippy::expect_used)] // fails only for more patterns than 32 bits can count
    AhoCorasick::new(patterns).expect("the built-in patterns are few")
});

/// Hidden files and folders.
const DOT_FILES: &[&str] = &[
    "/.env",
    "/.git",
    "/.gitignore",
    "/.gitconfig",
    "/.git-credentials",
    "/.gitlab-ci",
    "/.svn",
    "/.hg",
    "/.bzr",
    "/.aws",
    "/.ssh",
    "/.kube",
    "/.docker",
    "/.dockerenv",
    "/.dockercfg",
    "/.htaccess",
    "/.htpasswd",
    "/.ds_store",
    "/.vscode",
    "/.idea",
    "/.npmrc",
    "/.pypirc",
    "/.netrc",
    "/.pgpass",
    "/.my.cnf",
    "/.bash_history",
    "/.bashrc",
    "/.zsh_history",
    "/.mysql_history",
    "/.profile",
    "/.passwd",
    "/.config",
    "/.terraform",
    "/.travis.yml",
    "/.circleci",
    "/.s3cfg",
    "/.boto",
    "/.msmtprc",
    "/.rediscli_history",
];

/// Segments, or several in a row.
const SEGMENTS: &[&str] = &[
    // WordPress and other content management.
    "/wp-admin",
    "/wp-login",
    "/wp-config",
    "/wp-includes",
    "/wp-content/plugins",
    "/wp-cron",
    "/wp-json/wp",
    "/wp-trackback",
    "/wlwmanifest",
    "/wp-includes/wlwmanifest",
    "/xmlrpc.php",
    "/administrator/index.php",
    "/administrator/manifests",
    "/sites/default/settings.php",
    "/sites/default/files/.ht.sqlite",
    "/user/register.php",
    "/typo3conf",
    "/typo3",
    "/magento_version",
    "/downloader/index.php",
    "/app/etc/local.xml",
    "/app/etc/env.php",
    "/configuration.php",
    // Administration of databases.
    "/phpmyadmin",
    "/phpmyadmin2",
    "/phpmyadmin3",
    "/phpmyadmin4",
    "/pma",
    "/myadmin",
    "/mysqladmin",
    "/dbadmin",
    "/phppgadmin",
    "/pgadmin",
    "/adminer",
    "/adminer.php",
    "/sqlite/main.php",
    "/mysql/admin",
    "/mysql/dbadmin",
    // PHP and its tools.
    "/phpinfo",
    "/phpinfo.php",
    "/info.php",
    "/test.php",
    "/config.php",
    "/config.inc.php",
    "/configuration.php.bak",
    "/shell.php",
    "/cmd.php",
    "/c99.php",
    "/r57.php",
    "/webshell",
    "/alfa.php",
    "/wso.php",
    "/upload.php",
    "/install.php",
    "/setup.php",
    "/setup-config.php",
    "/eval-stdin.php",
    "/vendor/phpunit",
    "/phpunit",
    "/lib/phpunit",
    "/_ignition/execute-solution",
    "/_profiler/phpinfo",
    "/telescope/requests",
    "/laravel/.env",
    "/storage/logs/laravel.log",
    "/thinkphp",
    "/index.php/think",
    "/filemanager.php",
    "/elfinder",
    "/kcfinder",
    "/ckfinder",
    "/fckeditor",
    "/timthumb.php",
    // Java and its servers.
    "/actuator/env",
    "/actuator/heapdump",
    "/actuator/gateway",
    "/actuator/mappings",
    "/heapdump",
    "/jolokia",
    "/manager/html",
    "/host-manager/html",
    "/jmx-console",
    "/web-console/invoker",
    "/invoker/jmxinvokerservlet",
    "/web-inf",
    "/meta-inf",
    "/wls-wsat",
    "/struts2-showcase",
    "/solr/admin",
    "/druid/index.html",
    "/nacos/v1",
    "/console/login.do",
    // Servers and appliances.
    "/cgi-bin",
    "/server-status",
    "/server-info",
    "/boaform",
    "/hnap1",
    "/goform",
    "/setup.cgi",
    "/gponform",
    "/owa/auth",
    "/ecp/current",
    "/remote/fgt_lang",
    "/dana-na",
    "/global-protect",
    "/vpn/index.html",
    "/+cscoe+",
    "/+cscot+",
    "/mgmt/tm",
    "/tmui/login.jsp",
    "/sdk/vimservice",
    "/evox/about",
    "/_vti_bin",
    "/_mem_bin",
    "/winnt/system32",
    "/cmd.exe",
    "/root.exe",
    "/default.ida",
    "/nsiislog.dll",
    "/msadc",
    "/_vti_pvt",
    "/aspnet_client",
    "/web.config",
    "/trace.axd",
    "/elmah.axd",
    "/telerik.web.ui",
    "/nmaplowercheck",
    "/currentsetting.htm",
    "/portal/redlion",
    "/geoserver/web",
    "/jenkins/script",
    "/script/jenkins",
    "/containers/json",
    "/v2/_catalog",
    "/_cat/indices",
    "/_all_dbs",
    "/_utils",
    "/_search/scroll",
    // Secrets and backups by their usual names.
    "/id_rsa",
    "/id_dsa",
    "/id_ed25519",
    "/etc/passwd",
    "/etc/shadow",
    "/proc/self/environ",
    "/boot.ini",
    "/win.ini",
    "/config.json.bak",
    "/credentials.json",
    "/secrets.json",
    "/secrets.yml",
    "/secrets.yaml",
    "/database.yml",
    "/docker-compose.yml",
    "/docker-compose.yaml",
    "/backup.zip",
    "/backup.tar",
    "/backup.tar.gz",
    "/backup.tgz",
    "/backup.rar",
    "/www.zip",
    "/wwwroot.zip",
    "/site.zip",
    "/web.zip",
    "/public_html.zip",
    "/dump.tar.gz",
    "/composer.lock",
    "/sftp-config.json",
    "/sftp.json",
    "/appsettings.json",
    "/parameters.yml",
    "/terraform.tfstate",
    "/wp.zip",
    "/wordpress.zip",
];

/// Ends of paths.
const ENDINGS: &[&str] = &[
    ".sql",
    ".sql.gz",
    ".sql.zip",
    ".sql.bz2",
    ".sql.bak",
    ".php.bak",
    ".php~",
    ".php.old",
    ".php.save",
    ".php.swp",
    ".env",
    ".env.bak",
    ".bak",
    ".swp",
    ".kdbx",
    ".ppk",
    "/config.bak",
    ".mdb.bak",
    ".asp;.jpg",
    ".php;.jpg",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn original_defect_07_scanners_are_told_from_readers() {
        let scanners = [
            "/wp-admin",
            "/wp-admin/",
            "/wp-admin/install.php",
            "/blog/wp-login.php",
            "/phpmyadmin/index.php",
            "/pma/",
            "/.env",
            "/.env.local",
            "/.env_backup",
            "/api/.env",
            "/config.php",
            "/old/config.php",
            "/backup.sql",
            "/db/dump.sql.gz",
            "/.git/config",
            "/.git",
            "/cgi-bin/luci",
            "/actuator/env",
            "/vendor/phpunit/phpunit/src/util/php/eval-stdin.php",
            "/server-status",
            "/xmlrpc.php",
            "/index.php.bak",
            "/.aws/credentials",
            "/prod.env",
            "/solr/admin/info/system",
            "/+cscoe+/logon.html",
            "/scripts/winnt/system32/cmd.exe",
            "/msadc/root.exe",
        ];
        for path in scanners {
            assert!(is_scanning_path(path.as_bytes()), "{path}");
        }
        let readers = [
            "/",
            "",
            "/blog/wp-administration-tips",
            "/blog/wp-admin-tips",
            "/docs/environment",
            "/docs/.environment",
            "/recipes/shellfish",
            "/docs/my.environment",
            "/products",
            "/admin",
            "/admin/users",
            "/login",
            "/.well-known/security.txt",
            "/.well-known/acme-challenge/x",
            "/favicon.ico",
            "/robots.txt",
            "/git/guide",
            "/github",
            "/articles/what-is-cgi-bin-anyway",
            "/help/backup",
            "/backup.sqlite-guide",
            "/learn/sql",
            "/learn/sql-injection",
            "/config",
            "/configuration",
            "/phpunit-for-beginners",
            "/info.phpbook",
            "/heapdumps-explained",
            "/typo3-agency",
            "/items/.gitignored",
            "/actuators",
            "/actuator",
            "/wp-content/uploads/2019/cat.jpg",
            "/autodiscover/autodiscover.xml",
        ];
        for path in readers {
            assert!(!is_scanning_path(path.as_bytes()), "{path}");
        }
    }
}
