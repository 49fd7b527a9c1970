//! Samples of a time.

use std::fmt;
use std::time::Duration;

/// Times of the same thing, measured several times.
pub(super) struct Samples(Vec<Duration>);

impl Samples {
    /// `None` without any.
    pub(super) fn new(mut samples: Vec<Duration>) -> Option<Self> {
        samples.sort();
        if samples.is_empty() { None } else { Some(Self(samples)) }
    }

    fn at(&self, percent: usize) -> Duration {
        let index = (self.0.len() - 1) * percent / 100;
        self.0.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, median, most] = [0, 50, 100].map(|percent| self.at(percent).as_secs_f64() * 1000.0);
        write!(f, "{median:.0} ms ({least:.0}–{most:.0}, n={})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_sorted_samples() {
        let samples = Samples::new([5, 1, 3].map(Duration::from_millis).to_vec()).unwrap();
        assert_eq!(samples.to_string(), "3 ms (1–5, n=3)");
        assert!(Samples::new(Vec::new()).is_none());
    }
}
