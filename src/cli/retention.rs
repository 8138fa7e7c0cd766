//! The flags that say how long the log is kept.

use std::time::Duration;

use clap::Args;

use super::time;
use crate::accesslog::{self, Level};

/// How long sealed entries are kept; without any of these for ever.
#[derive(Debug, Clone, Args)]
pub(crate) struct Retention {
    /// Age at which sealed entries go: 30d, or for one level: error=90d; repeatable [default: never]
    #[arg(long, value_name = "[LEVEL=]DURATION", value_parser = keep)]
    keep: Vec<(Option<Level>, Duration)>,
    /// Bytes of all sealed entries above which the oldest go, whatever their age: 500MiB, 10GiB [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    keep_size: Option<u64>,
}

impl From<Retention> for accesslog::Retention {
    fn from(flags: Retention) -> Self {
        let mut retention = Self { bytes: flags.keep_size, ..Self::default() };
        for (level, age) in flags.keep {
            match level {
                None => retention.age = Some(age),
                Some(level) => retention.levels.push((level, age)),
            }
        }
        retention
    }
}

fn keep(text: &str) -> Result<(Option<Level>, Duration), String> {
    let (level, length) = match text.split_once('=') {
        None => (None, text),
        Some((name, length)) => {
            let level = Level::ALL.into_iter().find(|level| level.name() == name);
            (Some(level.ok_or("the level must be info, warn or error")?), length)
        }
    };
    let length = time::length(length)?;
    Ok((level, length.try_into().map_err(|_| "must not be negative")?))
}

/// A number of bytes: `512MiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    let unit = UNITS.into_iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    let size = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(bytes));
    size.ok_or_else(|| "must be a number of bytes, or one with KiB, MiB, GiB or TiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_read_with_their_units() {
        assert_eq!(keep("30d"), Ok((None, Duration::from_secs(30 * 86_400))));
        assert_eq!(keep("error=1h"), Ok((Some(Level::Error), Duration::from_secs(3600))));
        assert_eq!((size("10"), size("2KiB"), size("1 GiB")), (Ok(10), Ok(2048), Ok(1 << 30)));
        for wrong in ["fatal=1h", "error=", "-1h", "x"] {
            assert!(keep(wrong).is_err(), "{wrong}");
        }
        assert!(size("1GB").is_err() && size("99999999TiB").is_err());
    }
}
