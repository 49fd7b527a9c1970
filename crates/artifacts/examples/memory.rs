//! How much memory fetches take: `memory [JARS] [MIB]`, by default ten jars of 200 MiB at once, from a server on
//! loopback in a process of its own. Prints resident memory before, and the most while they are fetched. Needs
//! as much room in the temporary folder as the jars have.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use artifacts::{ArtifactOptions, ArtifactStore, empty_jar};
use engine::ports::{ArtifactRequest, Artifacts};
use flink_client::JarFile;
use flink_conf::FlinkConf;
use lifecycle::validate::{ArtifactSettings, HostList};

const MEBIBYTE: usize = 1 << 20;

fn main() -> io::Result<()> {
    let argument = |position: usize| env::args().nth(position);
    if argument(1).as_deref() == Some("serve") {
        return serve(argument(2).and_then(|text| text.parse().ok()).unwrap_or(200));
    }
    let number = |position: usize, default: usize| {
        argument(position).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (jars, mebibytes) = (number(1, 10), number(2, 200));
    let mut server = Command::new(env::current_exe()?)
        .args(["serve", &mebibytes.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut port = [0; 5];
    let port = match &mut server.stdout {
        Some(out) => out.read_exact(&mut port).map(|()| String::from_utf8_lossy(&port).trim().to_owned())?,
        None => String::new(),
    };
    let measured = measure(jars, &port);
    server.kill()?;
    server.wait()?;
    measured
}

fn measure(jars: usize, port: &str) -> io::Result<()> {
    let base_dir = env::temp_dir().join(format!("artifacts-memory-{}", std::process::id()));
    let settings = ArtifactSettings {
        allowed_schemes: vec!["http".to_owned()],
        allowed_hosts: HostList::parse(&["127.0.0.1"]).map_err(io::Error::other)?,
        ..ArtifactSettings::default()
    };
    let options = ArtifactOptions {
        base_dir: base_dir.clone(),
        settings,
        concurrency: jars,
        concurrency_per_host: jars,
        ..ArtifactOptions::default()
    };
    let store = Arc::new(ArtifactStore::new(options));
    let runtime = tokio::runtime::Runtime::new()?;
    let before = resident("VmRSS")?;
    let begun = Instant::now();
    let fetched = runtime.block_on(async {
        let fetches = (0..jars).map(|number| {
            let uri = format!("http://127.0.0.1:{port}/{number}.jar");
            let (store, request) = (store.clone(), ArtifactRequest { uri, configuration: FlinkConf::new() });
            tokio::spawn(async move { store.fetch(&request).await })
        });
        futures::future::join_all(fetches.collect::<Vec<_>>()).await
    });
    let whole = fetched.iter().filter(|fetched| matches!(fetched, Ok(Ok(_)))).count();
    let (time, peak) = (begun.elapsed(), resident("VmHWM")?);
    drop(fetched);
    drop(store);
    fs::remove_dir_all(base_dir)?;
    println!(
        "{whole} of {jars} jars in {:.1} s; resident before {:.1} MiB, at most {:.1} MiB: {:.1} MiB more",
        time.as_secs_f64(),
        before,
        peak,
        peak - before
    );
    Ok(())
}

/// A line of `/proc/self/status`, in MiB.
fn resident(name: &str) -> io::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.map(|kibibytes| kibibytes / 1024.0).ok_or_else(|| io::Error::other("no such line"))
}

/// Answers every request with a jar, as fast as it is taken.
fn serve(mebibytes: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    print!("{:5}", listener.local_addr()?.port());
    io::stdout().flush()?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || answer(stream, mebibytes));
    }
    Ok(())
}

fn answer(mut stream: TcpStream, mebibytes: usize) -> io::Result<()> {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head)?;
    let JarFile::Bytes { content: end, .. } = empty_jar() else { return Ok(()) };
    let length = mebibytes * MEBIBYTE + end.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")?;
    let chunk = vec![b'x'; MEBIBYTE];
    for _ in 0..mebibytes {
        stream.write_all(&chunk)?;
    }
    stream.write_all(&end)?;
    // The client has everything; closing at once could drop what is on its way.
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let _ = stream.read(&mut head);
    Ok(())
}
