//! Dates as people write them, in the form of the language (RFC 3339).

use tollgate::decision::Timestamp;

/// Advises how to write a moment; names the moment itself if the word tells it.
pub(super) fn fix(word: &str) -> Option<String> {
    let right = meant(word.trim());
    Some(match right.filter(|right| Timestamp::parse(right).is_some()) {
        Some(right) => format!("write `\"{right}\"`"),
        None => "write date and time in UTC, as `\"YYYY-MM-DDThh:mm:ssZ\"`".to_owned(),
    })
}

fn meant(word: &str) -> Option<String> {
    let upper = word.to_ascii_uppercase();
    let (date, time) = match upper.split_once(['T', ' ']) {
        Some((date, time)) => (date, time.trim()),
        None => (upper.as_str(), ""),
    };
    let date = day(date)?;
    let (clock, zone) = match time.find(['Z', '+', '-']).or_else(|| time.find("UTC")) {
        Some(at) => (time.get(..at)?.trim(), time.get(at..)?),
        None => (time, "Z"),
    };
    let zone = match zone {
        "UTC" | "" => "Z".to_owned(),
        // `+0200`
        zone if zone.len() == 5 && !zone.contains(':') => format!("{}:{}", zone.get(..3)?, zone.get(3..)?),
        zone => zone.to_owned(),
    };
    let clock = match clock.matches(':').count() {
        0 if clock.is_empty() => "00:00:00".to_owned(),
        1 => format!("{clock}:00"),
        _ => clock.to_owned(),
    };
    let clock = if clock.find(':') == Some(1) { format!("0{clock}") } else { clock };
    Some(format!("{date}T{clock}{zone}"))
}

/// `2027-01-31`, `2027/1/31` and `31.1.2027`. With slashes and the year last nobody knows which is the month.
fn day(word: &str) -> Option<String> {
    let parts: Vec<u16> = word.split(['-', '/', '.']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (year, month, day) = match parts.as_slice() {
        [year, month, day] if *year > 999 => (year, month, day),
        [day, month, year] if *year > 999 && word.contains('.') => (year, month, day),
        _ => return None,
    };
    Some(format!("{year}-{month:02}-{day:02}"))
}
