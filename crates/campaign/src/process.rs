//! Resource usage of this process, from Linux's `/proc`.

/// Clock ticks per second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

/// Peak resident memory in megabytes; `None` without `/proc`.
pub(crate) fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}

/// Processor time so far, in seconds over all cores; `None` without `/proc`.
pub(crate) fn processor_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program name, in parentheses, may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    // The name is the second field; the fourteenth and fifteenth are user and kernel time.
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.map_while(|field| field.parse::<f64>().ok()).sum();
    Some(ticks / TICKS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_grow_with_use() {
        let (memory, time) = (peak_memory().unwrap(), processor_time().unwrap());
        let mut used = vec![1_u64; 8 << 20];
        while processor_time().unwrap() < time + 0.05 {
            for it in &mut used {
                *it = it.wrapping_mul(31);
            }
        }
        assert!(std::hint::black_box(used).len() > 1);
        assert!(peak_memory().unwrap() > memory.max(64.0));
    }
}
