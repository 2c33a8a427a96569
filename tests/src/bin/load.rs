//! Work by the thousand, timed: for benchmarks and load tests.
//!
//! `load KIND COUNT …` does something COUNT times and prints how many nanoseconds one took. `load
//! storm SECONDS JOBS` starts programs as fast as the machine can and prints how many. `load acts …`
//! does things at a steady pace and writes down when. `load timed FILE CMD…` runs a command and
//! writes down how many nanoseconds it took.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufWriter, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::process::{ExitStatusExt, parent_id};
use std::path::Path;
use std::process::{Command, ExitCode, exit};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Does nothing, in as little time as a program can.
const PROGRAM: &str = "/bin/true";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // A benchmark gives this program the name and the first arguments of a package manager.
    let args = match args.iter().position(|arg| arg == "load") {
        Some(at) => &args[at + 1..],
        None => &args[..],
    };
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["open", count, file] => each(count, || File::open(file).map(drop)),
        ["create", count, file] => each(count, || File::create(file).map(drop)),
        ["getppid", count] => each(count, || {
            black_box(parent_id());
            Ok(())
        }),
        // Nobody listens there: nothing is left behind, however many there are.
        ["connect", count] => each(count, || {
            match TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], 9))) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
                Err(error) => Err(error),
                Ok(_) => Err(io::Error::other("somebody listens at port 9")),
            }
        }),
        ["datagram", count] => datagrams(count),
        ["exec", count] => each(count, program),
        ["resolver"] => resolver(),
        ["storm", seconds, jobs] => storm(number(seconds), number(jobs)),
        ["acts", count, a_second, folder, log] => {
            acts(number(count), number(a_second), Path::new(folder), log)
        }
        ["stamp", file] => fs::write(file, now().to_string()),
        ["timed", file, command @ ..] if !command.is_empty() => return timed(file, command),
        _ => {
            eprintln!(
                "usage: load {{open|create}} COUNT FILE | {{getppid|connect|exec}} COUNT | storm \
                 SECONDS JOBS | acts COUNT A_SECOND FOLDER LOG | stamp FILE | timed FILE CMD…"
            );
            exit(64);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| {
        eprintln!("load: `{text}` is no number");
        exit(64);
    })
}

/// Nanoseconds since 1970.
fn now() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos())
}

/// Does it that often, after a few times that don't count.
fn each(count: &str, mut act: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let count = number(count).max(1);
    for _ in 0..count.div_ceil(20) {
        act()?;
    }
    let begun = Instant::now();
    for _ in 0..count {
        act()?;
    }
    let each = begun.elapsed().as_nanos() as f64 / count as f64;
    println!("{each:.1}");
    Ok(())
}

fn program() -> io::Result<()> {
    let status = Command::new(PROGRAM).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{PROGRAM}: {status}"))),
    }
}

/// Sends datagrams to itself.
fn datagrams(count: &str) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.connect(socket.local_addr()?)?;
    each(count, || {
        socket.send(&[0; 64])?;
        socket.recv(&mut [0; 64]).map(drop)
    })
}

/// Has a socket as of someone who asks for names, says so, and keeps it until its input ends.
fn resolver() -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.connect(SocketAddr::from(([127, 0, 0, 1], 53)))?;
    println!("0");
    io::copy(&mut io::stdin(), &mut io::sink()).map(drop)
}

fn storm(seconds: u64, jobs: u64) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs(seconds);
    let started: io::Result<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs)
            .map(|_| {
                scope.spawn(|| {
                    let mut started = 0;
                    while Instant::now() < until {
                        program()?;
                        started += 1;
                    }
                    io::Result::Ok(started)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread of the storm ended"))
            .sum()
    });
    println!("{}", started?);
    Ok(())
}

/// Opens files that are not there, each of another name, and writes a line with the name and the
/// time of each.
fn acts(count: u64, a_second: u64, folder: &Path, log: &str) -> io::Result<()> {
    let mut log = BufWriter::new(File::create(log)?);
    let step = Duration::from_secs(1) / u32::try_from(a_second.max(1)).unwrap_or(u32::MAX);
    let begun = Instant::now();
    for number in 0..count {
        let due = begun + step * u32::try_from(number).unwrap_or(u32::MAX);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let name = format!("{}-{number:06}.pkgwarden-bench", std::process::id());
        let file = folder.join(&name);
        let time = now();
        if File::open(file).is_ok() {
            return Err(io::Error::other(format!("{name} is there")));
        }
        writeln!(log, "{name} {time}")?;
    }
    log.flush()
}

fn timed(file: &str, command: &[&str]) -> ExitCode {
    let begun = Instant::now();
    let status = Command::new(command[0]).args(&command[1..]).status();
    let took = begun.elapsed().as_nanos();
    let written = fs::write(file, took.to_string());
    match (status, written) {
        (Ok(status), Ok(())) => {
            let code = status.code().or_else(|| Some(128 + status.signal()?));
            ExitCode::from(u8::try_from(code.unwrap_or(1)).unwrap_or(1))
        }
        (Err(error), _) => {
            eprintln!("load: {}: {error}", command[0]);
            ExitCode::from(127)
        }
        (_, Err(error)) => {
            eprintln!("load: {file}: {error}");
            ExitCode::FAILURE
        }
    }
}
