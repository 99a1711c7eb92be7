//! Quantities as people write and read them: `100k`, `5k/s`, `10m`, `64KiB`, `1,234`, `1.2 ms`.

use std::time::Duration;

/// Splits `12.5k` into its number and what follows.
fn split(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_' || c == ','));
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    let digits: String = digits.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    let number: f64 = digits.parse().ok()?;
    Some((number, rest.trim()))
}

/// `k`, `M`, `G`: a thousand, a million, a thousand million.
fn decimal(suffix: &str) -> Option<f64> {
    Some(match suffix {
        "" => 1.0,
        "k" | "K" => 1e3,
        "m" | "M" => 1e6,
        "g" | "G" => 1e9,
        _ => return None,
    })
}

/// A whole number of things: `100000`, `100k`, `1M`, `100,000`.
pub fn count(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a count such as 500, 100k or 1M");
    let (number, suffix) = split(text).ok_or_else(wrong)?;
    let number = number * decimal(suffix).ok_or_else(wrong)?;
    if number.fract() != 0.0 {
        return Err(format!("`{text}` is not a whole number"));
    }
    if number > f64::from(u32::MAX) {
        return Err(format!("`{text}` is more than {}", grouped(u32::MAX.into())));
    }
    Ok(number as u32)
}

/// A rate a second: `500/s`, `5k/s`, `90/m`; without a unit, a second.
pub fn rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is not a rate above 0 such as 500/s, 5k/s or 90/m");
    let (amount, per) = text.split_once('/').unwrap_or((text, "s"));
    let (number, suffix) = split(amount).ok_or_else(wrong)?;
    let per = match per.trim() {
        "s" | "sec" | "second" => 1.0,
        "m" | "min" | "minute" => 60.0,
        "h" | "hour" => 3600.0,
        _ => return Err(wrong()),
    };
    let rate = number * decimal(suffix).ok_or_else(wrong)? / per;
    if rate > 0.0 && rate.is_finite() { Ok(rate) } else { Err(wrong()) }
}

/// A time: `250ms`, `30s`, `10m`, `1h30m`, `2d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as 250ms, 30s, 10m or 1h30m");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    if split(rest).is_some_and(|(_, unit)| unit.is_empty()) {
        return Err(format!("`{text}` has no unit; give {text}s, {text}ms or {text}m"));
    }
    while !rest.is_empty() {
        let (number, behind) = split(rest).ok_or_else(wrong)?;
        let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(end);
        let seconds = match unit {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return Err(wrong()),
        };
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = next.trim();
    }
    // Longer would overflow what is added to it; nobody waits a century.
    if total > Duration::from_secs(100 * 365 * 86_400) { Err(wrong()) } else { Ok(total) }
}

/// Any number: `-3`, `0.5`, `10k`.
pub fn number(text: &str) -> Option<f64> {
    let positive = text.strip_prefix('-');
    let (number, suffix) = split(positive.unwrap_or(text))?;
    let number = number * decimal(suffix)?;
    Some(if positive.is_some() { -number } else { number })
}

/// A number of bytes that a buffer can have: `64KiB`, `1MiB`, `1500`, `64kB`.
pub fn bytes(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a size such as 1500, 64KiB or 1MiB");
    let bare = || split(text).filter(|(_, suffix)| suffix.is_empty()).map(|(number, _)| number);
    let size = octets(text).or_else(bare).ok_or_else(wrong)?;
    let fits = size.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&size);
    if fits { Ok(size as u32) } else { Err(wrong()) }
}

/// A size with its unit, however large: `64KiB`, `500B`, `2GB`.
pub fn octets(text: &str) -> Option<f64> {
    let (number, suffix) = split(text)?;
    let unit = match suffix {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "k" | "K" | "KiB" => 1024.0,
        "M" | "MiB" => 1024.0 * 1024.0,
        "G" | "GiB" => 1024.0 * 1024.0 * 1024.0,
        "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number * unit)
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things a second: no decimals from ten on.
pub fn per_second(rate: f64) -> String {
    if rate >= 9.95 || rate == 0.0 {
        format!("{}/s", grouped(rate.round() as u64))
    } else if rate >= 0.095 {
        format!("{rate:.1}/s")
    } else {
        format!("{rate:.3}/s")
    }
}

/// Microseconds as `870 µs`, `1.2 ms`, `3.45 s`: about three digits.
pub fn micros(number: u64) -> String {
    let three = |value: f64| match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    };
    match number {
        0..1_000 => format!("{number} µs"),
        1_000..1_000_000 => format!("{} ms", three(number as f64 / 1e3)),
        _ => format!("{} s", three(number as f64 / 1e6)),
    }
}

/// A time in the largest unit that leaves it readable: `30 s`, `1.5 s`, `10 min`, `2 h 5 min`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = time.as_secs();
    if !time.is_zero() && time < Duration::from_secs(1) {
        return micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }
    if seconds < 120.0 {
        let text = format!("{seconds:.1}");
        return format!("{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    let mut parts = Vec::new();
    for (number, unit) in [(hours, "h"), (minutes, "min"), (rest, "s")] {
        if number > 0 && parts.len() < 2 {
            parts.push(format!("{} {unit}", grouped(number)));
        }
    }
    parts.join(" ")
}

/// Bytes with a binary unit: `64 B`, `1.5 KiB`, `2.0 GiB`.
pub fn size(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 99.95 {
        format!("{value:.1} {}", UNITS[unit])
    } else {
        format!("{value:.0} {}", UNITS[unit])
    }
}

/// `1 shard`, `2 shards`.
pub fn several(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// How many bots that fail are to be traced, from `failing:5`.
pub fn failing(text: &str) -> Result<u32, String> {
    let number = text.strip_prefix("failing:").ok_or("give failing:N, such as failing:5")?;
    count(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_rates_times_and_sizes_are_read() {
        assert_eq!(count("100k"), Ok(100_000));
        assert_eq!(count("1.5M"), Ok(1_500_000));
        assert_eq!(count("100,000"), Ok(100_000));
        assert_eq!(rate("5k/s"), Ok(5_000.0));
        assert_eq!(rate("90/m"), Ok(1.5));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("1500"), Ok(1500));
    }

    #[test]
    fn what_is_no_quantity_is_refused_with_an_example() {
        for wrong in ["", "x", "1.5", "-1", "5q", "1e3", "99999999999", "k", "NaN", "inf", "1..2"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "0", "0/s", "5/x", "-1/s", "/s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "10", "s", "1y", "10s5", "999999999999999999d", "é", "1é"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(duration("10").expect_err("no unit").contains("10s"));
        for wrong in ["", "1.3", "4GiB", "5 apples"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(per_second(0.1), "0.1/s");
        assert_eq!(per_second(9_999.6), "10,000/s");
        assert_eq!(micros(999), "999 µs");
        assert_eq!(micros(1_234), "1.23 ms");
        assert_eq!(micros(10_000_000), "10.0 s");
        assert_eq!(span(Duration::ZERO), "0 s");
        assert_eq!(span(Duration::from_millis(1500)), "1.5 s");
        assert_eq!(span(Duration::from_secs(30)), "30 s");
        assert_eq!(span(Duration::from_secs(7500)), "2 h 5 min");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
        assert_eq!(several(1, "shard"), "1 shard");
    }
}
