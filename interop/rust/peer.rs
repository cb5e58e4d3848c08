// A rust-libp2p peer that is driven by lines of JSON; interop/README.md has the
// language. One source for two versions of the library: what differs between
// them stands behind the feature "newest".

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use base64::Engine as _;
use futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{identify, kad, multiaddr, noise, ping, tcp, yamux, Multiaddr, PeerId, StreamProtocol, Swarm};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, BufReader};

#[derive(NetworkBehaviour)]
struct Behaviour {
    kad: kad::Behaviour<kad::store::MemoryStore>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

struct Options {
    protocol: String,
    client: bool,
    listen: Multiaddr,
    bootstrap: Vec<Multiaddr>,
    disjoint: bool, // --report: as the application of rust-libp2p#5432 had it
}

fn options() -> Options {
    let mut o = Options {
        protocol: "/ipfs/kad/1.0.0".into(),
        client: false,
        listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
        bootstrap: vec![],
        disjoint: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(a) = args.next() {
        match a.as_str() {
            "--protocol" => o.protocol = args.next().expect("--protocol P"),
            "--client" => o.client = true,
            "--report" => o.disjoint = true,
            "--listen" => o.listen = args.next().expect("--listen MADDR").parse().expect("a multiaddr"),
            addr => o.bootstrap.push(addr.parse().expect("a multiaddr")),
        }
    }
    o
}

/// What waits for the end of a query.
struct Pending {
    id: Value,
    began: Instant,
    peers: Vec<String>,
    values: Vec<Vec<u8>>,
    providers: HashSet<PeerId>,
    wanted: Option<PeerId>,
}

struct Peer {
    swarm: Swarm<Behaviour>,
    protocol: String,
    queries: HashMap<kad::QueryId, Pending>,
    connects: Vec<(PeerId, Value, Instant)>,
    known: HashMap<PeerId, Vec<Multiaddr>>,
}

fn config(o: &Options) -> kad::Config {
    let name = StreamProtocol::try_from_owned(o.protocol.clone()).expect("a protocol begins with a slash");
    #[cfg(feature = "newest")]
    let mut c = kad::Config::new(name);
    #[cfg(not(feature = "newest"))]
    let mut c = {
        let mut c = kad::Config::default();
        c.set_protocol_names(vec![name]);
        c
    };
    c.set_record_filtering(kad::StoreInserts::FilterBoth);
    c.disjoint_query_paths(o.disjoint);
    if o.disjoint {
        c.set_replication_interval(None);
        c.set_publication_interval(None);
        c.set_provider_publication_interval(None);
        c.set_provider_record_ttl(None);
        c.set_record_ttl(None);
        #[cfg(feature = "newest")]
        c.set_periodic_bootstrap_interval(None);
    }
    c
}

fn build(o: &Options) -> Swarm<Behaviour> {
    let idle = Duration::from_secs(if o.disjoint { 3 } else { 60 });
    libp2p::SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .expect("tcp, noise and yamux")
        .with_behaviour(|key| {
            let id = key.public().to_peer_id();
            let mut kad = kad::Behaviour::with_config(id, kad::store::MemoryStore::new(id), config(o));
            kad.set_mode(Some(if o.client { kad::Mode::Client } else { kad::Mode::Server }));
            Behaviour {
                kad,
                identify: identify::Behaviour::new(
                    identify::Config::new("/interop/1.0.0".into(), key.public())
                        .with_interval(Duration::from_secs(if o.disjoint { 100_000 } else { 300 })),
                ),
                // In the report's program nothing else has a timer.
                ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_secs(if o.disjoint { 100_000 } else { 15 }))),
            }
        })
        .expect("a behaviour")
        .with_swarm_config(|c| c.with_idle_connection_timeout(idle))
        .build()
}

fn bytes_of(r: &Value) -> Vec<u8> {
    if let Some(id) = r["peerId"].as_str() {
        return id.parse::<PeerId>().map(|p| p.to_bytes()).unwrap_or_default();
    }
    if let Some(b) = r["keyB64"].as_str() {
        return base64::engine::general_purpose::STANDARD.decode(b).unwrap_or_default();
    }
    r["key"].as_str().unwrap_or_default().as_bytes().to_vec()
}

/// The sha2-256 multihash of a text: what a CIDv1 of it names.
fn content(r: &Value) -> Vec<u8> {
    let mut h = vec![0x12, 0x20];
    h.extend(Sha256::digest(r["key"].as_str().unwrap_or_default().as_bytes()));
    h
}

fn sequence(v: &[u8]) -> Option<u64> {
    std::str::from_utf8(v).ok()?.split_once(':')?.0.parse().ok()
}

fn say(v: Value) {
    println!("{v}");
}

impl Peer {
    fn answer(&self, id: &Value, began: Instant, result: Result<Value, String>) {
        let ms = began.elapsed().as_millis() as u64;
        say(match result {
            Ok(r) => json!({"id": id, "ok": true, "ms": ms, "result": r}),
            Err(e) => json!({"id": id, "ok": false, "ms": ms, "error": e}),
        });
    }

    fn await_query(&mut self, q: kad::QueryId, id: Value, wanted: Option<PeerId>) {
        let p = Pending { id, began: Instant::now(), peers: vec![], values: vec![], providers: HashSet::new(), wanted };
        self.queries.insert(q, p);
    }

    fn request(&mut self, r: Value) {
        let (id, began) = (r["id"].clone(), Instant::now());
        match r["op"].as_str().unwrap_or_default() {
            "id" => {
                let addrs: Vec<_> = self.addrs();
                self.answer(&id, began, Ok(json!({"peerId": self.swarm.local_peer_id().to_string(), "addrs": addrs})))
            }
            "connect" => self.connect(&r, id, began),
            "getClosestPeers" => {
                let q = self.swarm.behaviour_mut().kad.get_closest_peers(bytes_of(&r));
                self.await_query(q, id, None)
            }
            "findPeer" => {
                let Ok(peer) = r["peerId"].as_str().unwrap_or_default().parse::<PeerId>() else {
                    return self.answer(&id, began, Err("not a peer ID".into()));
                };
                let q = self.swarm.behaviour_mut().kad.get_closest_peers(peer);
                self.await_query(q, id, Some(peer))
            }
            "put" => {
                let value = match r["valueB64"].as_str() {
                    Some(b) => base64::engine::general_purpose::STANDARD.decode(b).unwrap_or_default(),
                    None => r["value"].as_str().unwrap_or_default().as_bytes().to_vec(),
                };
                let record = kad::Record::new(bytes_of(&r), value);
                match self.swarm.behaviour_mut().kad.put_record(record, kad::Quorum::One) {
                    Ok(q) => self.await_query(q, id, None),
                    Err(e) => self.answer(&id, began, Err(e.to_string())),
                }
            }
            "get" => {
                let q = self.swarm.behaviour_mut().kad.get_record(kad::RecordKey::new(&bytes_of(&r)));
                self.await_query(q, id, None)
            }
            "provide" => match self.swarm.behaviour_mut().kad.start_providing(kad::RecordKey::new(&content(&r))) {
                Ok(q) => self.await_query(q, id, None),
                Err(e) => self.answer(&id, began, Err(e.to_string())),
            },
            "findProviders" => {
                let q = self.swarm.behaviour_mut().kad.get_providers(kad::RecordKey::new(&content(&r)));
                self.await_query(q, id, None)
            }
            "refresh" => match self.swarm.behaviour_mut().kad.bootstrap() {
                Ok(q) => self.await_query(q, id, None),
                Err(e) => self.answer(&id, began, Err(e.to_string())),
            },
            "routingTable" | "routingTableSize" => {
                let peers = self.table();
                self.answer(&id, began, Ok(json!({"size": peers.len(), "peers": peers})))
            }
            "setMode" => {
                let mode = if r["mode"] == "client" { kad::Mode::Client } else { kad::Mode::Server };
                self.swarm.behaviour_mut().kad.set_mode(Some(mode));
                self.answer(&id, began, Ok(json!({})))
            }
            op => self.answer(&id, began, Err(format!("unknown op {op:?}"))),
        }
    }

    fn addrs(&self) -> Vec<String> {
        let me = *self.swarm.local_peer_id();
        self.swarm.listeners().map(|a| format!("{a}/p2p/{me}")).collect()
    }

    fn table(&mut self) -> Vec<String> {
        let mut peers = vec![];
        for bucket in self.swarm.behaviour_mut().kad.kbuckets() {
            for e in bucket.iter() {
                peers.push(e.node.key.preimage().to_string());
            }
        }
        peers
    }

    fn connect(&mut self, r: &Value, id: Value, began: Instant) {
        let Ok(addr) = r["addr"].as_str().unwrap_or_default().parse::<Multiaddr>() else {
            return self.answer(&id, began, Err("not a multiaddr".into()));
        };
        let Some(multiaddr::Protocol::P2p(peer)) = addr.iter().last() else {
            return self.answer(&id, began, Err("the address does not end in /p2p".into()));
        };
        match self.swarm.dial(addr) {
            Ok(()) => self.connects.push((peer, id, began)),
            Err(e) => self.answer(&id, began, Err(e.to_string())),
        }
    }

    fn event(&mut self, e: SwarmEvent<BehaviourEvent>) {
        match e {
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                if info.protocols.iter().any(|p| p.as_ref() == self.protocol) {
                    for a in &info.listen_addrs {
                        self.swarm.behaviour_mut().kad.add_address(&peer_id, a.clone());
                    }
                }
                self.known.insert(peer_id, info.listen_addrs);
                let (done, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.connects).into_iter().partition(|c| c.0 == peer_id);
                self.connects = rest;
                for (_, id, began) in done {
                    self.answer(&id, began, Ok(json!({"peerId": peer_id.to_string()})));
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(p), error, .. } => {
                let (failed, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.connects).into_iter().partition(|c| c.0 == p);
                self.connects = rest;
                for (_, id, began) in failed {
                    self.answer(&id, began, Err(error.to_string()));
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Kad(e)) => self.kad_event(e),
            _ => {}
        }
    }

    fn kad_event(&mut self, e: kad::Event) {
        match e {
            kad::Event::InboundRequest { request: kad::InboundRequest::PutRecord { record: Some(r), .. } } => self.take_record(r),
            kad::Event::InboundRequest { request: kad::InboundRequest::AddProvider { record: Some(r) } } => {
                use kad::store::RecordStore;
                let _ = self.swarm.behaviour_mut().kad.store_mut().add_provider(r);
            }
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                let Some(mut p) = self.queries.remove(&id) else { return };
                let done = self.progress(&mut p, result);
                match (done, step.last) {
                    (Some(r), true) => self.answer(&p.id, p.began, r),
                    _ => {
                        self.queries.insert(id, p);
                    }
                }
            }
            _ => {}
        }
    }

    /// Stores a record that another peer sent, if it is valid and not older.
    fn take_record(&mut self, r: kad::Record) {
        use kad::store::RecordStore;
        let named_v = r.key.as_ref().starts_with(b"/v/");
        let store = self.swarm.behaviour_mut().kad.store_mut();
        let have = store.get(&r.key).and_then(|h| sequence(&h.value));
        if named_v && (sequence(&r.value).is_none() || have > sequence(&r.value)) {
            return;
        }
        let _ = store.put(r);
    }

    /// Takes one event of a query; what it returns is the answer if no more follow.
    fn progress(&mut self, p: &mut Pending, result: kad::QueryResult) -> Option<Result<Value, String>> {
        use kad::QueryResult::*;
        Some(match result {
            GetClosestPeers(r) => {
                let peers = match r {
                    Ok(ok) => ok.peers,
                    Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                #[cfg(feature = "newest")]
                {
                    for i in &peers {
                        self.known.insert(i.peer_id, i.addrs.clone());
                    }
                    p.peers = peers.iter().map(|i| i.peer_id.to_string()).collect();
                }
                #[cfg(not(feature = "newest"))]
                {
                    p.peers = peers.iter().map(|i| i.to_string()).collect();
                }
                match p.wanted {
                    None => Ok(json!({"peers": p.peers})),
                    Some(w) if p.peers.contains(&w.to_string()) => {
                        let addrs: Vec<_> = self.known.get(&w).into_iter().flatten().map(|a| a.to_string()).collect();
                        Ok(json!({"id": w.to_string(), "addrs": addrs}))
                    }
                    Some(_) => Err("not found".into()),
                }
            }
            PutRecord(Ok(_)) => Ok(json!({"stored": true})),
            PutRecord(Err(e)) => Err(e.to_string()),
            GetRecord(Ok(kad::GetRecordOk::FoundRecord(r))) => {
                p.values.push(r.record.value);
                self.best(p)
            }
            GetRecord(Ok(_)) => self.best(p),
            GetRecord(Err(e)) if p.values.is_empty() => Err(e.to_string()),
            GetRecord(Err(_)) => self.best(p),
            StartProviding(Ok(_)) => Ok(json!({"sent": true})),
            StartProviding(Err(e)) => Err(e.to_string()),
            GetProviders(Ok(kad::GetProvidersOk::FoundProviders { providers, .. })) => {
                p.providers.extend(providers);
                self.providers(p)
            }
            GetProviders(_) => self.providers(p),
            Bootstrap(Ok(_)) => Ok(json!({"done": true})),
            Bootstrap(Err(e)) => Err(e.to_string()),
            _ => return None,
        })
    }

    fn best(&self, p: &Pending) -> Result<Value, String> {
        let best = p.values.iter().max_by_key(|v| sequence(v)).ok_or("not found")?;
        Ok(json!({
            "value": String::from_utf8_lossy(best),
            "valueB64": base64::engine::general_purpose::STANDARD.encode(best),
        }))
    }

    fn providers(&self, p: &Pending) -> Result<Value, String> {
        let list: Vec<_> = p.providers.iter().map(|id| json!({"id": id.to_string(), "addrs": []})).collect();
        Ok(json!({"providers": list}))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let o = options();
    let mut swarm = build(&o);
    swarm.listen_on(o.listen.clone()).expect("listen");
    let mut peer = Peer { swarm, protocol: o.protocol.clone(), queries: HashMap::new(), connects: vec![], known: HashMap::new() };
    loop {
        if let SwarmEvent::NewListenAddr { .. } = peer.swarm.select_next_some().await {
            break;
        }
    }
    say(json!({"event": "ready", "peerId": peer.swarm.local_peer_id().to_string(), "addrs": peer.addrs()}));
    for a in &o.bootstrap {
        if let Some(multiaddr::Protocol::P2p(id)) = a.iter().last() {
            let mut bare = a.clone();
            bare.pop();
            peer.swarm.behaviour_mut().kad.add_address(&id, bare);
        }
        if !o.disjoint {
            let _ = peer.swarm.dial(a.clone());
        }
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(l)) => match serde_json::from_str(&l) {
                    Ok(r) => peer.request(r),
                    Err(e) => say(json!({"id": null, "ok": false, "error": e.to_string()})),
                },
                _ => return, // end of input
            },
            e = peer.swarm.select_next_some() => peer.event(e),
        }
    }
}
