//! The CI job that a process belongs to, from the variables its runner set.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::alert::schema::Ci;
use crate::event::Text;

/// A CI job: for alerts as a whole, for rules field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in alert::schema::Ci")]
pub struct CiStep {
    pub record: Ci,
    pub system: Rc<str>,
    pub repository: Option<Rc<str>>,
    pub workflow: Option<Rc<str>>,
    pub job: Option<Rc<str>>,
}

impl CiStep {
    pub(super) fn from_environment(environment: &BTreeMap<String, Text>) -> Option<Self> {
        let get = |name: &str| {
            let value = environment.get(name)?.to_str_lossy();
            (!value.is_empty()).then(|| value.into_owned())
        };
        let record = if environment.contains_key("GITHUB_RUN_ID") {
            let url = |run: &str| {
                let server = get("GITHUB_SERVER_URL")?;
                Some(format!(
                    "{server}/{}/actions/runs/{run}",
                    get("GITHUB_REPOSITORY")?
                ))
            };
            let run_id = get("GITHUB_RUN_ID");
            Ci {
                system: "github_actions".to_owned(),
                repository: get("GITHUB_REPOSITORY"),
                workflow: get("GITHUB_WORKFLOW"),
                job: get("GITHUB_JOB"),
                url: run_id.as_deref().and_then(url),
                run_id,
                run_attempt: get("GITHUB_RUN_ATTEMPT"),
                step: get("GITHUB_ACTION"),
            }
        } else if environment.contains_key("GITLAB_CI") {
            Ci {
                system: "gitlab_ci".to_owned(),
                repository: get("CI_PROJECT_PATH"),
                workflow: get("CI_PIPELINE_NAME"),
                job: get("CI_JOB_NAME"),
                run_id: get("CI_PIPELINE_ID"),
                run_attempt: None,
                step: get("CI_JOB_ID"),
                url: get("CI_JOB_URL"),
            }
        } else {
            return None;
        };
        let shared = |text: &Option<String>| text.as_deref().map(Rc::from);
        Some(Self {
            system: record.system.as_str().into(),
            repository: shared(&record.repository),
            workflow: shared(&record.workflow),
            job: shared(&record.job),
            record,
        })
    }
}
