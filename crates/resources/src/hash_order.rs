//! The order in which Java's `HashMap` gives its keys.
//!
//! Flink keeps some options in such maps and writes lists from them: volumes of `kubernetes.secrets`, variables of
//! `containerized.master.env.*`. The order shows in pod specs; ours is the same, so that a takeover changes nothing.

/// Sorts entries into the order of a `java.util.HashMap` that was filled with them one by one.
pub(crate) fn sort<T>(entries: &mut [T], key: impl Fn(&T) -> &str) {
    let mask = table_size(entries.len()) - 1;
    entries.sort_by_key(|entry| bucket(key(entry), mask));
}

/// Tables start with 16 buckets and double when they are more than three quarters full.
fn table_size(entries: usize) -> u32 {
    let mut size: u32 = 16;
    while entries > size as usize / 4 * 3 && size < 1 << 30 {
        size *= 2;
    }
    size
}

fn bucket(key: &str, mask: u32) -> u32 {
    let hash =
        key.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash ^ (hash >> 16)) & mask
}

#[cfg(test)]
mod tests {
    #[test]
    fn as_a_jvm_prints_them() {
        // What java.util.HashMap of a Java 17 printed for these keys, put in this order.
        for (put, printed) in [
            ("one,two,three,four,five", "four,one,two,three,five"),
            ("b,a,c", "a,b,c"),
            ("B_VAR,A_VAR,MY_M,ZED,FOO,BAR,üx", "BAR,B_VAR,FOO,ZED,A_VAR,üx,MY_M"),
            (
                "k0,k1,k2,k3,k4,k5,k6,k7,k8,k9,k10,k11,k12,k13",
                "k0,k1,k2,k3,k4,k5,k11,k6,k10,k7,k13,k8,k12,k9",
            ),
        ] {
            let mut keys: Vec<&str> = put.split(',').collect();
            super::sort(&mut keys, |key| key);
            assert_eq!(keys.join(","), printed);
        }
    }
}
