#![allow(missing_docs)]
use densebots_engine::*;
use std::time::Duration;
fn main() {
    let n: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let name = std::env::args().nth(2).unwrap_or("echo".into());
    let (tx, rx) = std::sync::mpsc::channel();
    let b = densebots_scenarios::find(&name).unwrap();
    let shards: usize = std::env::args().nth(3).map_or(1, |s| s.parse().unwrap());
    let ep = |i: usize, a: std::net::SocketAddr| Endpoint {
        name: format!("{i}"),
        address: a,
        weight: 1,
    };
    let tplan = Plan {
        endpoints: (0..shards).map(|i| ep(i, ([127, 0, 0, 1], 0).into())).collect(),
        shards,
        split_tables: shards > 1,
        load: Load::Closed {
            bots: shards as u32,
            arrival: Arrival::AtOnce,
            hold: Duration::from_secs(3600),
        },
        capacity: n,
        ..Plan::default()
    };
    let target =
        densebots_scenarios::serve(b.target, tplan, move |at| tx.send(at).unwrap()).unwrap();
    let eps: Vec<_> = rx.iter().take(shards).enumerate().map(|(i, a)| ep(i, a)).collect();
    let set: Vec<(String, String)> = std::env::args()
        .skip(4)
        .map(|s| {
            let (a, b) = s.split_once('=').unwrap();
            (a.into(), b.into())
        })
        .collect();
    let settings = densebots_scenarios::Settings::of(
        b.parameters,
        set.iter().map(|(a, b)| (a.as_str(), b.as_str())),
    )
    .unwrap();
    let plan = Plan {
        endpoints: eps,
        shards,
        split_tables: shards > 1,
        sources: (1..9).map(|k| [127, 0, 0, k].into()).collect(),
        load: Load::Closed {
            bots: n,
            arrival: Arrival::Constant(30000.0),
            hold: Duration::from_secs(5),
        },
        ..Plan::default()
    };
    let run = (b.start)(&settings, plan).unwrap();
    while let Some(s) = run.snapshot(Duration::from_secs(3)) {
        let m = &s.second;
        println!(
            "{:?} {} {:?} lim {:?} busy {:.2} lag99 {} turn99 {} ops {:?} sent {} mail {:?} user/bot {:?} kern {:?} losses {:?}",
            s.at,
            s.phase.name(),
            m.population,
            s.limited,
            s.busiest,
            m.lag.at(0.99),
            m.turn.at(0.99),
            m.ops
                .iter()
                .map(|o| (o.begun, o.ok, o.latency.at(0.5), o.latency.at(0.99), o.service.at(0.5)))
                .collect::<Vec<_>>(),
            m.sent,
            m.mail,
            s.report.generator.user_bytes_per_bot,
            s.report.generator.kernel_bytes_per_bot,
            m.losses
        );
    }
    let r = run.finish();
    println!("{:?} {:?}\n{:?}", r.failures(), r.doubts(), r.bots);
    drop(target);
}
