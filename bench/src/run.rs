//! A run: load the keys, warm up, measure, and say what was found.
//!
//! The window that is measured is cut out by two readings of every count and clock, at its start and its end,
//! while the load goes on; so neither the start nor the end of the load is in it.

use std::{
    io,
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::{Job, Tally, drive},
    connect::{Socket, Targets},
    cpu,
    dialect::{Dialect, Http, MemcachedMeta, MemcachedText, Resp},
    gauge::{Counts, Gauge, Signal, Stage},
    keys::{Cursors, Order},
    latency::Latencies,
    options::ProtocolName,
    plan::Plan,
    random::mix,
    report::{Report, Window, progress_line},
};

/// How long replies may take after the end of the load.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// Longer than any phase.
const ENDLESS: Duration = Duration::from_secs(1 << 32);

/// What is told apart while a phase goes on.
const TICK: Duration = Duration::from_secs(1);

/// How long a phase goes on.
#[derive(Clone, Copy, Debug)]
enum Extent {
    /// Warm up so long, measure so long.
    Time(Duration, Duration),
    /// Warm up so long, and go on until the requests are done.
    Work(Duration),
}

/// What the watching thread is told.
#[derive(Debug)]
enum Message {
    /// A client thread is done.
    Done(Box<Result<Tally, String>>),
    /// Standard input has ended.
    InputEnded,
}

/// What a phase found.
#[derive(Debug)]
struct Outcome {
    window: Window,
    tallies: Vec<Tally>,
}

/// Carries out `plan` and prints the report; the status tells whether all values were right.
///
/// # Errors
/// Text that says what stopped the run.
pub(crate) fn run(plan: &Plan) -> Result<ExitCode, String> {
    if let Some(pid) = plan.options.server_pid {
        cpu::process_ns(pid).map_err(|error| format!("--server-pid {pid}: {error}"))?;
    }
    match plan.options.protocol {
        ProtocolName::Resp2 | ProtocolName::Resp3 => run_with(&Resp::new(plan.options.read_command), plan),
        ProtocolName::MemcachedText => run_with(&MemcachedText, plan),
        ProtocolName::MemcachedMeta => run_with(&MemcachedMeta, plan),
        ProtocolName::Http => {
            let options = &plan.options;
            let authority = format!("{}:{}", options.host, plan.port);
            run_with(&Http::new(&authority, options.password.as_deref(), options.http_path.as_deref()), plan)
        }
    }
}

fn run_with(dialect: &impl Dialect, plan: &Plan) -> Result<ExitCode, String> {
    let targets = Targets::find(dialect, plan)?;
    let mut is_right = true;
    if plan.options.fill {
        let filled = fill(dialect, plan, &targets)?;
        let counts = filled.window.counts;
        if !plan.options.quiet {
            let seconds = filled.window.elapsed.as_secs_f64();
            eprintln!("filled {} keys in {seconds:.1} s", counts.operations);
        }
        if counts.refused > 0 {
            let sample = filled.tallies.iter().flat_map(|tally| &tally.samples).next();
            return Err(format!("{} writes were {}", counts.refused, sample.map_or("refused", |text| text)));
        }
    }
    if plan.options.requests != Some(0) {
        let mut outcome = load(dialect, plan, &targets)?;
        let mut latencies = Latencies::new();
        let tallies = std::mem::take(&mut outcome.tallies);
        let mismatches: u64 = tallies.iter().map(|tally| tally.mismatches).sum();
        let samples: Vec<String> = tallies.iter().flat_map(|tally| tally.samples.clone()).collect();
        for tally in tallies {
            latencies.add(tally.latencies);
        }
        let report = Report::new(plan, &outcome.window, &mut latencies, mismatches, samples);
        report.print(plan.options.json);
        is_right = mismatches == 0;
    }
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes every key once.
fn fill(dialect: &impl Dialect, plan: &Plan, targets: &Targets) -> Result<Outcome, String> {
    let signal = Signal::new(Stage::Measure);
    let job = Job {
        plan,
        order: &Order::Once,
        owners: targets.owners.as_ref(),
        cursors: &Cursors::new(targets.count()),
        pipeline: plan.fill_pipeline(),
        write_share: 1 << 32,
        rate: None,
        signal: &signal,
    };
    phase(dialect, &job, targets.connect(plan)?, Extent::Work(Duration::ZERO), |_| u64::MAX)
}

/// Makes the load that the plan asks for.
fn load(dialect: &impl Dialect, plan: &Plan, targets: &Targets) -> Result<Outcome, String> {
    let signal = Signal::new(Stage::Warm);
    let threads = plan.options.threads as u64;
    let ratio = plan.ratio;
    let job = Job {
        plan,
        order: &plan.order,
        owners: targets.owners.as_ref(),
        cursors: &Cursors::new(targets.count()),
        pipeline: plan.options.pipeline,
        write_share: (u64::from(ratio.writes) << 32) / u64::from(ratio.writes + ratio.reads),
        rate: plan.options.rate.map(|rate| rate / threads as f64),
        signal: &signal,
    };
    let sockets = targets.connect(plan)?;
    match plan.options.requests {
        None => phase(dialect, &job, sockets, Extent::Time(plan.warmup, plan.duration), |_| u64::MAX),
        Some(requests) => {
            let share = |thread: u64| requests / threads + u64::from(thread < requests % threads);
            phase(dialect, &job, sockets, Extent::Work(plan.warmup), share)
        }
    }
}

/// Runs one thread for each crew of sockets and reads their counts at the borders of the window.
fn phase(
    dialect: &impl Dialect,
    job: &Job<'_>,
    crews: Vec<Vec<Socket>>,
    extent: Extent,
    budget: impl Fn(u64) -> u64,
) -> Result<Outcome, String> {
    let gauges: Vec<Gauge> = crews.iter().map(|_| Gauge::default()).collect();
    let (done, results) = mpsc::channel();
    thread::scope(|scope| {
        let thread_count = crews.len();
        for (index, (sockets, gauge)) in crews.into_iter().zip(&gauges).enumerate() {
            let done = done.clone();
            let budget = budget(index as u64);
            let seed = mix(job.plan.options.seed, index as u64);
            scope.spawn(move || {
                let result = drive(dialect, sockets, job, budget, seed, gauge);
                // The receiver is only gone when the phase has failed already.
                let _ = done.send(Message::Done(Box::new(result)));
            });
        }
        let outcome = watch(job, &gauges, extent, (&done, &results), thread_count);
        job.signal.set(Stage::Stop);
        outcome
    })
}

/// Follows a phase to its end.
fn watch(
    job: &Job<'_>,
    gauges: &[Gauge],
    extent: Extent,
    (done, results): (&mpsc::Sender<Message>, &mpsc::Receiver<Message>),
    thread_count: usize,
) -> Result<Outcome, String> {
    let start = Instant::now();
    let mut tallies = Vec::new();
    let (warmup, measured) = match extent {
        Extent::Time(warmup, measured) => (warmup, Some(measured)),
        Extent::Work(warmup) => (warmup, None),
    };
    let mut ticker = Ticker { start, last: Reading::take(job, gauges), seconds: 0, is_shown: !job.plan.options.quiet };
    follow(start + warmup, results, thread_count, &mut tallies, || ticker.tick(job, gauges))?;
    let opening = Reading::take(job, gauges);
    job.signal.set(Stage::Measure);
    if job.plan.options.until_eof && measured.is_some() {
        announce_end_of_input(done.clone());
    }
    let end = opening.at + measured.unwrap_or(ENDLESS);
    follow(end, results, thread_count, &mut tallies, || ticker.tick(job, gauges))?;
    let closing = Reading::take(job, gauges);
    job.signal.set(Stage::Stop);
    let deadline = Instant::now() + DRAIN_TIME_MAX;
    while tallies.len() < thread_count && Instant::now() < deadline {
        follow(deadline, results, thread_count, &mut tallies, || {})?;
    }
    if tallies.len() < thread_count {
        // The threads wait for a server that does not answer: only the end of the process frees them.
        eprintln!("locksley-bench: the server did not answer all requests within {} s", DRAIN_TIME_MAX.as_secs());
        std::process::exit(1);
    }
    Ok(Outcome { window: closing.since(&opening), tallies })
}

/// Sends a message when standard input ends. The thread is left behind when the measurement is over before.
fn announce_end_of_input(done: mpsc::Sender<Message>) {
    thread::spawn(move || {
        // Input that cannot be read has ended too; and nobody may be left to tell.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = done.send(Message::InputEnded);
    });
}

/// Waits until `deadline`, until all threads are done or until standard input ends, ticking once a second.
fn follow(
    deadline: Instant,
    results: &mpsc::Receiver<Message>,
    thread_count: usize,
    tallies: &mut Vec<Tally>,
    mut tick: impl FnMut(),
) -> Result<(), String> {
    let mut next_tick = Instant::now() + TICK;
    while tallies.len() < thread_count {
        let now = Instant::now();
        if now >= deadline {
            break;
        }
        if now >= next_tick {
            tick();
            next_tick += TICK;
            continue;
        }
        match results.recv_timeout(deadline.min(next_tick) - now) {
            Ok(Message::Done(tally)) => tallies.push((*tally)?),
            Ok(Message::InputEnded) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err("a client thread ended before its time".to_owned()),
        }
    }
    Ok(())
}

/// All counts and clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    counts: Counts,
    server_ns: Option<u64>,
    client_ns: u64,
}

impl Reading {
    fn take(job: &Job<'_>, gauges: &[Gauge]) -> Self {
        let pid = job.plan.options.server_pid;
        Self {
            at: Instant::now(),
            counts: gauges.iter().map(Gauge::read).fold(Counts::default(), Counts::plus),
            server_ns: pid.and_then(|pid| cpu::process_ns(pid).ok()),
            client_ns: cpu::own_ns(),
        }
    }

    fn since(&self, earlier: &Self) -> Window {
        Window {
            elapsed: self.at - earlier.at,
            counts: self.counts.since(earlier.counts),
            server_ns: self.server_ns.zip(earlier.server_ns).map(|(now, then)| now.saturating_sub(then)),
            client_ns: self.client_ns.saturating_sub(earlier.client_ns),
        }
    }
}

/// Prints the line a second.
struct Ticker {
    start: Instant,
    last: Reading,
    seconds: u64,
    is_shown: bool,
}

impl Ticker {
    fn tick(&mut self, job: &Job<'_>, gauges: &[Gauge]) {
        self.seconds = self.start.elapsed().as_secs();
        let reading = Reading::take(job, gauges);
        if self.is_shown {
            eprintln!("{}", progress_line(self.seconds, &reading.since(&self.last)));
        }
        self.last = reading;
    }
}
