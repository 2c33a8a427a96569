//! Secrets are taken out before an event leaves the decoder.
//!
//! Alerts, captures, reports and diagnostics then hold the same text, and a replay repeats it. Only
//! the secret value goes; the words around it stay, so that a command can't be hidden by dressing
//! it as a password. Every function is deterministic, takes any bytes, runs in linear time, and
//! changes nothing when run on its own result.

mod scan;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::Text;

/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// The variables that leave the decoder, by their exact names: those that tell package, install
/// and CI job. All others stay out of every event.
pub const ENVIRONMENT: &[&str] = &[
    "npm_package_name",
    "npm_package_version",
    "npm_package_json",
    "npm_package_resolved",
    "npm_package_integrity",
    "npm_lifecycle_event",
    "npm_lifecycle_script",
    "npm_command",
    "npm_execpath",
    "npm_node_execpath",
    "npm_config_user_agent",
    "npm_config_local_prefix",
    "npm_config_global_prefix",
    "INIT_CWD",
    "PNPM_SCRIPT_SRC_DIR",
    "BERRY_BIN_FOLDER",
    "PROJECT_CWD",
    "PIP_BUILD_TRACKER",
    "PIP_REQ_TRACKER",
    "PEP517_BUILD_BACKEND",
    "_PYPROJECT_HOOKS_BUILD_BACKEND",
    "UV_INTERNAL__BUILD_DIR",
    "VIRTUAL_ENV",
    "GITHUB_RUN_ID",
    "GITHUB_RUN_ATTEMPT",
    "GITHUB_JOB",
    "GITHUB_ACTION",
    "GITHUB_WORKFLOW",
    "GITHUB_REPOSITORY",
    "GITHUB_SERVER_URL",
    "GITHUB_STEP_SUMMARY",
    "RUNNER_NAME",
    "GITLAB_CI",
    "CI_PROJECT_PATH",
    "CI_PIPELINE_ID",
    "CI_PIPELINE_NAME",
    "CI_JOB_ID",
    "CI_JOB_NAME",
    "CI_JOB_URL",
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "GCONV_PATH",
    "OPENSSL_CONF",
    "NODE_OPTIONS",
    "PYTHONHOME",
    "BASH_ENV",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
];

/// Those of them that put code of somebody else's choice into a program. Not `PYTHONPATH`, which pip
/// itself sets for every build; and not those that name a program to start, which is seen itself.
pub const LOADING: &[&str] = &[
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "GCONV_PATH",
    "OPENSSL_CONF",
    "NODE_OPTIONS",
    "PYTHONHOME",
    "BASH_ENV",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
];

/// One text on its own: a path, a file name, a value.
pub fn text(text: &mut Text) {
    if let Some(clean) = scan::clean(text.as_bytes()) {
        *text = clean.into();
    }
}

/// A process's arguments: each on its own, and the one that follows an option that takes a secret.
pub fn args(args: &mut [Text]) {
    let program = args.first().map(|name| name.basename().to_vec());
    let program = program.as_deref().unwrap_or_default();
    // After `-c code` come the code's own arguments, which may be code again.
    let mut inline_code = false;
    let (mut secret_follows, mut login_follows) = (false, false);
    for arg in args.iter_mut().skip(1) {
        let bytes = arg.as_bytes();
        let secret = secret_follows && scan::is_value(bytes, inline_code);
        let login = login_follows.then(|| bytes.iter().position(|&b| b == b':'));
        let secret_start = match (secret, login.flatten()) {
            (true, _) => Some(0),
            (false, Some(colon)) => Some(colon + 1),
            (false, None) => scan::attached(bytes, program),
        };
        inline_code |= matches!(bytes, b"-c" | b"-e" | b"-lc" | b"-ec" | b"--eval");
        secret_follows = !secret && scan::takes_secret(bytes, program);
        login_follows = scan::takes_login(bytes, program);
        match secret_start {
            Some(start) => *arg = [&bytes[..start], REDACTED.as_bytes()].concat().into(),
            None => text(arg),
        }
    }
    if let Some(name) = args.first_mut() {
        text(name);
    }
}

/// Leaves only the variables of [`ENVIRONMENT`], and no secret in those.
pub fn environment(variables: &mut BTreeMap<String, Text>) {
    variables.retain(|name, _| ENVIRONMENT.contains(&name.as_str()));
    variables.values_mut().for_each(text);
}
