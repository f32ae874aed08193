//! The smallest policy that still shows something: elements and keys are left out one by one for as long as it does.

use serde_json::Value;

/// Leaves out what is not needed for `shows`.
pub fn shrink(policy: &Value, shows: &dyn Fn(&Value) -> bool) -> Value {
    let mut smallest = policy.clone();
    while let Some(smaller) = leave_out_one(&smallest).into_iter().find(|smaller| shows(smaller)) {
        smallest = smaller;
    }
    smallest
}

/// Every value that comes of leaving out one element or key, the larger ones first.
fn leave_out_one(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Array(elements) => {
            for at in 0..elements.len() {
                let mut fewer = elements.clone();
                fewer.remove(at);
                found.push(Value::Array(fewer));
            }
            for (at, element) in elements.iter().enumerate() {
                for smaller in leave_out_one(element) {
                    let mut elements = elements.clone();
                    elements[at] = smaller;
                    found.push(Value::Array(elements));
                }
            }
        }
        Value::Object(entries) => {
            for key in entries.keys() {
                let mut fewer = entries.clone();
                fewer.remove(key);
                found.push(Value::Object(fewer));
            }
            for (key, entry) in entries {
                for smaller in leave_out_one(entry) {
                    let mut entries = entries.clone();
                    entries.insert(key.clone(), smaller);
                    found.push(Value::Object(entries));
                }
            }
        }
        _ => {}
    }
    found
}
