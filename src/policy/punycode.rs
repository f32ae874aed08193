//! The `xn--` form of a name, for the advice beside an error. Nothing is ever decided by it.

/// The ASCII form of a lower-case name (RFC 3492), or none where a label cannot be encoded. Other capitals than
/// ASCII's get no advice: folding them takes tables that the filter has no room for.
pub(super) fn to_ascii(name: &str) -> Option<String> {
    if name.chars().any(char::is_uppercase) {
        return None;
    }
    let mut ascii = String::new();
    for (index, part) in name.split('.').enumerate() {
        if index > 0 {
            ascii.push('.');
        }
        ascii.push_str(&label(part)?);
    }
    Some(ascii)
}

fn label(label: &str) -> Option<String> {
    if label.is_ascii() {
        return Some(label.to_owned());
    }
    // no shorter once encoded, which takes the square of its length
    if label.chars().nth(63).is_some() {
        return None;
    }
    encode(label).map(|encoded| format!("xn--{encoded}")).filter(|ascii| ascii.len() <= 63)
}

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;

fn encode(label: &str) -> Option<String> {
    let points: Vec<u32> = label.chars().map(u32::from).collect();
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (128_u32, 0_u32, 72_u32, basic);
    while usize::try_from(handled).ok()? < points.len() {
        let next = points.iter().copied().filter(|point| *point >= n).min()?;
        delta = delta.checked_add(next.checked_sub(n)?.checked_mul(handled.checked_add(1)?)?)?;
        n = next;
        for &point in &points {
            if point < n {
                delta = delta.checked_add(1)?;
            }
            if point == n {
                variable_length(delta, bias, &mut out)?;
                bias = adapt(delta, handled.checked_add(1)?, handled == basic)?;
                delta = 0;
                handled = handled.checked_add(1)?;
            }
        }
        delta = delta.checked_add(1)?;
        n = n.checked_add(1)?;
    }
    Some(out)
}

fn variable_length(delta: u32, bias: u32, out: &mut String) -> Option<()> {
    let (mut q, mut k) = (delta, BASE);
    loop {
        let t = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if q < t {
            out.push(digit(q)?);
            return Some(());
        }
        let (over, span) = (q.checked_sub(t)?, BASE.checked_sub(t)?);
        out.push(digit(t.checked_add(over.checked_rem(span)?)?)?);
        q = over.checked_div(span)?;
        k = k.checked_add(BASE)?;
    }
}

fn digit(value: u32) -> Option<char> {
    char::from_digit(value.checked_add(10).filter(|v| *v < 36).unwrap_or_else(|| value.saturating_sub(26)), 36)
}

fn adapt(delta: u32, handled: u32, first: bool) -> Option<u32> {
    let mut delta = delta.checked_div(if first { 700 } else { 2 })?;
    delta = delta.checked_add(delta.checked_div(handled)?)?;
    let mut k = 0_u32;
    while delta > 455 {
        delta = delta.checked_div(35)?;
        k = k.checked_add(BASE)?;
    }
    k.checked_add(delta.checked_mul(36)?.checked_div(delta.checked_add(38)?)?)
}

#[cfg(test)]
mod tests {
    use super::to_ascii;

    #[test]
    fn a_name_gets_its_ascii_form() {
        for (name, ascii) in [
            ("éxämple.com", "xn--xmple-gra7a.com"),
            ("тест.example.com", "xn--e1aybc.example.com"),
            ("💩.la", "xn--ls8h.la"),
            ("bücher.de", "xn--bcher-kva.de"),
        ] {
            assert_eq!(to_ascii(name).as_deref(), Some(ascii));
        }
    }

    #[test]
    fn a_label_that_would_be_too_long_is_not_encoded() {
        let long: String = ('\u{4e00}'..='\u{9fa5}').cycle().take(300_000).collect();
        assert_eq!(to_ascii(&long), None);
        assert_eq!(to_ascii(&["é"; 64].concat()), None);
        assert!(to_ascii(&["é"; 50].concat()).is_some());
    }
}
