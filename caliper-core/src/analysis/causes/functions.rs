//! Why the functions of a test fail, from what its report says of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::signature::Signature;
use super::{mask, traceback};
use crate::facts::functions::FunctionDetails;
use crate::facts::record::{BlobRef, Run};

/// A function that fails.
#[derive(Debug)]
pub(in crate::analysis) struct FailedFunction {
    pub(in crate::analysis) id: String,
    pub(in crate::analysis) signature: Signature,
}

/// The functions that fail, by the blob that says so. Many cells share one, so each is read once.
#[derive(Default)]
pub(in crate::analysis) struct Failing(RefCell<HashMap<BlobRef, Rc<[FailedFunction]>>>);

/// The logs of builds and the reports of tests.
pub(in crate::analysis) struct Logs<'a> {
    pub(in crate::analysis) read: &'a dyn Fn(&BlobRef) -> Option<String>,
    pub(in crate::analysis) failing: &'a Failing,
}

impl Logs<'_> {
    /// The functions that fail in a run; `None` if nothing is said of any.
    pub(in crate::analysis) fn failing(&self, run: &Run) -> Option<Rc<[FailedFunction]>> {
        let blob = run.functions.as_ref()?.details?;
        if let Some(known) = self.failing.0.borrow().get(&blob) {
            return Some(Rc::clone(known));
        }
        let text = (self.read)(&blob)?;
        let details: Vec<FunctionDetails> = serde_json::from_str(&text).ok()?;
        let failed = details.into_iter().filter(|details| details.outcome.is_failure());
        let failed =
            failed.map(|details| FailedFunction { signature: signature(&details), id: details.id });
        let failed: Rc<[FailedFunction]> = failed.collect();
        self.failing.0.borrow_mut().insert(blob, Rc::clone(&failed));
        Some(failed)
    }
}

/// Why a function failed.
fn signature(details: &FunctionDetails) -> Signature {
    let FunctionDetails { message, traceback, .. } = details;
    // Python's own traceback says all by itself: of a chain of exceptions, and of groups.
    if let Some(raised) = traceback::raised(traceback) {
        return raised.signature();
    }
    of_pytest(message, traceback).unwrap_or_else(|| Signature::new("it gives no reason"))
}

/// What a text in pytest's form says, in which `E` stands in front of what was raised; `None` if there is no such line.
pub(super) fn of_text(text: &str) -> Option<Signature> {
    text.lines().any(|line| line.starts_with("E  ")).then_some(())?;
    let outcome = crate::facts::record::FunctionOutcome::Error;
    let FunctionDetails { message, traceback, .. } = FunctionDetails::new("", outcome, "", text);
    of_pytest(&message, &traceback)
}

fn of_pytest(message: &str, traceback: &str) -> Option<Signature> {
    if message.is_empty() {
        return None;
    }
    let place = traceback::place_of_pytest(traceback);
    // pytest leaves the type of a plain assertion out.
    let plain = message.starts_with("assert ").then(|| format!("AssertionError: {message}"));
    let line = plain.as_deref().unwrap_or(message);
    let signature = match traceback::of_line(line) {
        Some(raised) => raised.signature(),
        None => Signature::new(mask::masked(line)),
    };
    Some(match place {
        Some(place) => signature.at(place),
        None => signature,
    })
}
