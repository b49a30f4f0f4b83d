//! A process seen from outside: its CPU time and its memory.

use std::fs;
use std::time::Duration;

use crate::Error;

/// The server's process. 0 is none: then nothing of it is told.
#[derive(Clone, Copy)]
pub struct Process(pub i32);

impl Process {
    /// The time that all threads of the process, ended ones too, have run: what clock_getcpuclockid(3) names. Its grain is
    /// nanoseconds, where /proc/<pid>/stat counts hundredths of a second.
    pub fn cpu(self) -> Result<Duration, Error> {
        const PER_PROCESS_SCHEDULER_CLOCK: i32 = 2; // CPUCLOCK_SCHED
        match self.0 {
            0 => Ok(Duration::ZERO),
            pid => {
                clock(!pid << 3 | PER_PROCESS_SCHEDULER_CLOCK).map_err(|e| format!("the CPU clock of process {pid}: {e}").into())
            }
        }
    }

    /// Makes the kernel count the peak of memory from now on. A kernel that does not let us leaves the peak since the process
    /// began, which the report cannot tell from a later one: so it is an error.
    pub fn forget_peak(self) -> Result<(), Error> {
        match self.0 {
            0 => Ok(()),
            pid => Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?),
        }
    }

    /// The most memory that was resident since then, in bytes.
    pub fn peak(self) -> Result<u64, Error> {
        match self.0 {
            0 => Ok(0),
            pid => {
                let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
                let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
                let kib =
                    line.and_then(|l| l.trim().strip_suffix(" kB")).ok_or(format!("no VmHWM in the status of process {pid}"))?;
                Ok(kib.parse::<u64>()? << 10)
            }
        }
    }
}

/// What this client has used itself: on a machine that it shares with the server, the other half of the story.
pub fn own_cpu() -> Result<Duration, Error> {
    Ok(clock(libc::CLOCK_PROCESS_CPUTIME_ID)?)
}

fn clock(id: libc::clockid_t) -> std::io::Result<Duration> {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: t outlives the call, which writes nothing else.
    match unsafe { libc::clock_gettime(id, &mut t) } {
        0 => Ok(Duration::new(t.tv_sec as u64, t.tv_nsec as u32)),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs() {
        let me = Process(std::process::id() as i32);
        let (before, own) = (me.cpu().unwrap(), own_cpu().unwrap());
        assert!(before > Duration::ZERO && own >= before && me.cpu().unwrap() >= own);
        me.forget_peak().unwrap();
        assert!(me.peak().unwrap() > 1 << 20);
    }

    #[test]
    fn none() {
        assert_eq!((Process(0).cpu().unwrap(), Process(0).peak().unwrap()), (Duration::ZERO, 0));
    }

    #[test]
    fn one_that_is_not_there() {
        let message = Process(i32::MAX >> 4).cpu().unwrap_err().to_string();
        assert!(message.starts_with("the CPU clock of process 134217727: "), "{message}");
    }
}
