//! Rules and configuration anew: all of it, or nothing.

use super::notify::Supervisor;
use super::policy::Policy;
use super::say;
use super::service::Service;
use crate::health::Code;
use crate::kernel::give_back;

/// Why a reload changed nothing.
struct Rejected {
    /// For the health record.
    short: String,
    /// For the diagnostics.
    full: String,
}

impl Rejected {
    fn because(error: impl ToString) -> Self {
        let reason = error.to_string();
        Self {
            short: reason.clone(),
            full: reason,
        }
    }
}

impl Service {
    pub(super) fn reload(&mut self) {
        Supervisor::reloading();
        match self.try_reload() {
            Ok(rules) => say::info(&format!("reloaded: {rules} rules")),
            Err(Rejected { short, full }) => {
                say::error(&format!(
                    "the new rules or configuration are refused, the old ones stay:\n{full}"
                ));
                self.flow.health(Code::RulesRejected, short, None);
            }
        }
        // Two sets of rules were there for a moment.
        give_back();
        Supervisor::ready(&self.standing());
    }

    fn try_reload(&mut self) -> Result<usize, Rejected> {
        let policy = Policy::load(&self.args.watch).map_err(|error| Rejected {
            short: error.short(),
            full: error.to_string(),
        })?;
        let outputs = self.flow.outputs.open_anew(&policy.outputs);
        let outputs = outputs.map_err(Rejected::because)?;
        // What the new rules ask for is reported before they ask.
        let sensor = self.sensor.renew(&policy.watch);
        sensor.map_err(Rejected::because)?;
        self.flow.outputs.renew(outputs);
        if !self.flow.outputs.keeper.limit(policy.limits) {
            self.flow
                .failing("the store is too busy to take its new limits: reload again".to_owned());
        }
        let rules = policy.rules.rules().len();
        policy.rules.sha256().clone_into(&mut self.rules_sha256);
        self.flow.core.renew(policy.rules, policy.trust);
        let offer = self.offer(policy.watch);
        if let Some(control) = &self.control {
            control.renew(offer.clone());
        }
        self.runs.renew(offer, &mut self.sensor);
        Ok(rules)
    }
}
