//! What the statistics of access logs cost, from bytes to figures, on one thread.
#![allow(clippy::expect_used)] // a measurement that can't begin has no result

use aiwaf_benches::write_log;
use aiwaf_trainer::Sources;
use aiwaf_trainer::statistics::{LogStatistics, StatisticsOptions};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const LINES: u32 = 100_000;

fn logs(criterion: &mut Criterion) {
    let mut log = Vec::new();
    write_log(&mut log, LINES).expect("writing to memory");
    // Readers must live as long as the program.
    let log: &'static [u8] = Vec::leak(log);
    let mut group = criterion.benchmark_group("logs");
    group.sample_size(20).throughput(Throughput::Elements(LINES.into()));
    group.bench_function("count 100000 combined lines", |bencher| {
        bencher.iter(|| {
            let mut statistics = LogStatistics::new(StatisticsOptions::default());
            let mut sources = Sources::new();
            sources.add_reader("generated", log);
            let read = sources.read(&mut (), |line| statistics.note(&line.record)).expect("reading memory");
            let summary = statistics.summary(10, 96);
            assert_eq!((summary.requests, read.unparsed.lines), (LINES.into(), 0));
            summary
        });
    });
    group.finish();
}

criterion_group!(benches, logs);
criterion_main!(benches);
